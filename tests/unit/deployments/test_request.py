"""Request files: the template, TOML, JSON, and what is wrong with one in a line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from lfr.deployments import REQUEST_TEMPLATE, DeploymentRequest, read_request, shipped_calibration
from lfr.errors import CalibrationError, InputError
from tests.integration.deployments_scene import calibration


def filled() -> str:
    return REQUEST_TEMPLATE.replace('= "" ', '= "something" ').replace('= ""\n', '= "something"\n')


def test_the_template_names_every_field_and_can_be_used_once_it_is_filled_in(tmp_path: Path) -> None:
    optional = {"shots", "fusion", "watchlist_digest"}
    assert set(tomllib.loads(REQUEST_TEMPLATE)) == set(DeploymentRequest.model_fields) - optional
    path = tmp_path / "request.toml"
    path.write_text(REQUEST_TEMPLATE)
    with pytest.raises(InputError, match=r"request\.toml: the request cannot be used: name: .*purpose: .*dpia: "):
        read_request(path)
    path.write_text(filled())
    request = read_request(path, changes={"watchlist": "watchlist-1"})
    assert request.calibration == shipped_calibration()
    assert request.demo
    assert request.watchlist == "watchlist-1"
    assert (request.ends_at - request.starts_at).total_seconds() == 3600


def test_a_json_request_finds_its_calibration_beside_it(tmp_path: Path) -> None:
    calibration().write(tmp_path / "mine.json")
    fields = {**tomllib.loads(filled()), "calibration": "mine.json", "shots": 3}
    (tmp_path / "request.json").write_text(json.dumps(fields, default=str))
    request = read_request(tmp_path / "request.json")
    assert request.calibration == calibration()
    assert request.document["calibration"] == calibration().digest
    assert request.document["shots"] == 3
    (tmp_path / "mine.json").unlink()
    with pytest.raises(CalibrationError, match=r"mine\.json"):
        read_request(tmp_path / "request.json")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("request.toml", "name = ", "no request"),
        ("request.json", "{", "no request"),
        ("request.json", "[]", "an object with its fields"),
        ("request.json", "{}", "calibration: Field required"),
        ("request.json", '{"calibration": 5}', "calibration"),
    ],
)
def test_what_is_no_request_is_refused_with_its_name(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        read_request(tmp_path / name)


def test_a_request_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the request"):
        read_request(tmp_path / "request.toml")
