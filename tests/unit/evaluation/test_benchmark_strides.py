"""What a stride loses is counted pass by pass on the same streets, and one that loses many people fails."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.evaluation.benchmarks import aims, bench_strides, failed_parity, strides
from lfr.evaluation.scene import PassOutcome
from lfr.models import Model
from lfr.pipeline import AlertProposal, Recogniser
from lfr.types import Faces, Pixels


def test_both_sides_see_the_same_passes_of_the_same_frames(model: Model) -> None:
    recogniser = Recogniser(model)
    looked_at: list[bytes] = []
    detect = recogniser.detect

    def counting(pixels: Pixels) -> Faces:
        if pixels.shape == (360, 640, 3):  # not a reference, which is enrolled
            looked_at.append(pixels[::16, ::16].tobytes())
        return detect(pixels)

    recogniser.detect = counting  # type: ignore[method-assign]
    (row,) = bench_strides(recogniser, threads=2, strides=[3], streets=2, street_s=4.0, resolution_wh=(640, 360))
    # Four seconds of twelve frames on each street: all of them once, and every third again.
    assert len(looked_at) == 2 * (48 + 16)
    assert len(set(looked_at)) == 2 * 48
    parity = row["parity"]
    assert parity["listed"] >= 2
    assert parity["tpir_lost"] == pytest.approx(parity["tpir_of_peer"] - parity["tpir"], abs=1e-3)
    assert parity["tpir_lost_at_least"] <= parity["tpir_lost"] <= parity["tpir_lost_at_most"]
    assert row["stride"] == 3
    assert row["unit"] == "frames/s"


def outcome(subject: int, *, found: bool, number: int) -> PassOutcome:
    alert = AlertProposal(number, f"subject-{subject}", 0.7, 5, 12, 1.0, 0.0, (0.0, 0.0, 40.0, 50.0))
    return PassOutcome(number, f"subject-{subject}", True, 0.0, 3.0, 1, (alert,) if found else ())


def compared(lost: int) -> dict[str, Any]:
    """One side finds all of 200 passes of 20 people, the other so many fewer, of as many people as that takes."""
    peer, ours = strides._Side(), strides._Side()
    for number in range(200):
        peer.passes.append(outcome(number % 20, found=True, number=number))
        ours.passes.append(outcome(number % 20, found=number >= lost, number=number))
    parity = strides._compared(ours, peer)
    return {"name": "streets", "version": "openvino-f32", "stride": 2, "parity": parity}


@pytest.mark.parametrize(
    ("lost", "share", "fails", "reached"),
    [(0, 0.0, False, True), (2, 0.01, False, True), (4, 0.02, False, False), (80, 0.4, True, False)],
)
def test_a_stride_fails_where_it_is_shown_to_lose_over_a_point(
    lost: int, share: float, fails: bool, reached: bool
) -> None:
    row = compared(lost)
    assert row["parity"]["tpir_lost"] == pytest.approx(share)
    assert bool(failed_parity([row])) is fails
    aim = next(aim for aim in aims({"rows": [row]}) if "TPIR" in aim.what)
    assert aim.reached is reached
    assert f"{-100 * share:+.1f} points" in aim.measured
