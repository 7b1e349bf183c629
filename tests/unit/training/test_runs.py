"""A run is gone on with until it has finished, and then stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lfr.registry import Tracking, open_tracking
from lfr.training.experiment import Place, _opened
from lfr.training.runs import open_run
from tests.unit.training.conftest import tiny


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return open_tracking(tmp_path_factory.mktemp("runs-home"))


def test_a_run_that_was_broken_off_is_gone_on_with_for_the_same_settings_and_data_only(
    tracking: Tracking, tmp_path: Path
) -> None:
    first = open_run(tracking, "tiny", tiny(), tmp_path, data_digest="a")
    first.fail()
    assert open_run(tracking, "tiny", tiny(), tmp_path, data_digest="a").run_id == first.run_id
    measured_otherwise = tiny(measuring={"fpir": 0.1})
    assert open_run(tracking, "tiny", measured_otherwise, tmp_path, data_digest="a").run_id != first.run_id
    assert open_run(tracking, "tiny", tiny(), tmp_path, data_digest="b").run_id != first.run_id


def test_a_finished_run_is_never_opened_again(tracking: Tracking, tmp_path: Path) -> None:
    first = open_run(tracking, "tiny", tiny(), tmp_path)
    first.metrics({"held_out_loss": 0.5}, step=2)
    first.finish({"found": 1})
    again = open_run(tracking, "tiny", tiny(), tmp_path)
    assert again.run_id != first.run_id
    assert tracking.client.get_run(first.run_id).info.status == "FINISHED"
    assert (first.logged("held_out_loss"), again.logged("held_out_loss")) == ({2}, set())


@pytest.mark.parametrize("wrong", [ZeroDivisionError, KeyboardInterrupt])
def test_whatever_goes_wrong_the_run_has_failed_and_says_no_other_thing(
    tracking: Tracking, tmp_path: Path, wrong: type[BaseException]
) -> None:
    place = Place(tmp_path, tracking)
    with pytest.raises(wrong), _opened(tiny(), "tiny", tmp_path, place, "") as (run, _):
        raise wrong
    assert tracking.client.get_run(run.run_id).info.status == "FAILED"
