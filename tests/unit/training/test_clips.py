"""Recordings count a listed person once and each track of the others; who is said to be there must be on the list."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lfr.errors import ManifestError
from lfr.matching import DecisionRule
from lfr.models import Model
from lfr.pipeline import Recogniser
from lfr.sources import demo_portraits
from lfr.training.clips import clip_passes
from lfr.training.kinds import Clips

RULES = [DecisionRule(fusion=fusion, shots=3, threshold=0.45) for fusion in ("max", "mean")]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two people in a row stand for two clips; only the first person is listed, with another picture."""
    folder = tmp_path_factory.mktemp("clips")
    portraits = demo_portraits()
    listed = next(one.subject_id for one in portraits if sum(p.subject_id == one.subject_id for p in portraits) > 1)
    first, second = [portrait.path for portrait in portraits if portrait.subject_id == listed][:2]
    stranger = next(portrait.path for portrait in portraits if portrait.subject_id != listed)
    (folder / "list").mkdir()
    shutil.copy(first, folder / "list" / f"listed{first.suffix}")
    for clip, picture in (("with", second), ("without", stranger)):
        (folder / clip).mkdir()
        for number in range(6):
            shutil.copy(picture, folder / clip / f"{number}{picture.suffix}")
    return folder


def test_who_is_listed_is_one_search_and_every_other_track_is_one(clips: Path, model: Model) -> None:
    known = Clips(references="list", present={"with": ("listed",)}, absent=("without",))
    found = clip_passes(known, RULES, Recogniser(model), clips, shown=lambda items, _, __: items)
    assert set(found) == {"max_of_3", "mean_of_3"}
    for scores in found.values():
        assert scores.mated.tolist() == [True, False]
        assert scores.mate_score[0] > 0.45 > scores.other_score[1]


def test_who_is_said_to_be_there_must_be_on_the_list(clips: Path, model: Model) -> None:
    known = Clips(references="list", present={"with": ("nobody",)}, absent=("without",))
    with pytest.raises(ManifestError, match="nobody: not among the references"):
        clip_passes(known, RULES, Recogniser(model), clips, shown=lambda items, _, __: items)
