"""The detector is made once and found again without torch, as long as nothing that it is made from changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lfr.errors import RuntimeUnavailableError, WeightsError
from lfr.models import Model, kept_detector, load_detector
from lfr.types import Pixels
from tests.conftest import DEMO_FACES

ASKED = (
    "import sys; from lfr.cli.app import app; app(sys.argv[1:], standalone_mode=False); print('torch' in sys.modules)"
)


def test_the_second_process_imports_no_torch(tmp_path: Path) -> None:
    words = [sys.executable, "-c", ASKED, "detect", str(DEMO_FACES / "s001_a.jpg")]
    environment = {**os.environ, "LFR_CACHE": str(tmp_path / "cache")}
    said = [
        subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=100).stdout
        for _ in range(2)
    ]
    assert "1 faces" in said[0]
    assert [one.splitlines()[-1] for one in said] == ["True", "False"]
    assert said[0].splitlines()[:-1] == said[1].splitlines()[:-1]


def test_it_gives_what_the_weights_give_to_the_bit(tmp_path: Path, model: Model, demo_crops: Pixels) -> None:
    picture = np.concatenate(list(demo_crops[:2]), axis=1)[None, :96, :192]
    for _ in range(2):  # made, and found
        detector = load_detector(threads=1, cache=tmp_path)
        for ours, theirs in zip(detector(picture), model.detector(picture), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_changed_graph_is_made_anew(tmp_path: Path) -> None:
    load_detector(cache=tmp_path)
    (graph,) = tmp_path.glob("*/detector.bin")
    whole = graph.read_bytes()
    graph.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    load_detector(cache=tmp_path)
    assert graph.read_bytes() == whole


def test_other_code_finds_another_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_detector(cache=tmp_path)
    monkeypatch.setattr(kept_detector, "_MADE_BY", ("network.py",))
    load_detector(cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_in_which_others_may_write_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    load_detector(cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    load_detector(cache=tmp_path / "own")
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700


def test_where_nothing_can_be_kept_it_is_made_each_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is no folder")
    load_detector(cache=tmp_path / "cache")
    load_detector("torch-f32", cache=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_load_model_refuses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match="no model version 'none'"):
        load_detector("none", cache=tmp_path)
    with pytest.raises(WeightsError, match="cannot read the weights"):
        load_detector(weights=tmp_path, cache=tmp_path)
