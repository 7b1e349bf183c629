"""The variance of a share of pairs is that of its definition, however few pairs are listed."""

from typing import Any

import numpy as np
import pytest

from lfr.statistics import effective_pairs, pair_rate, wilson
from lfr.types import IntArray


def drawn_pairs(seed: int, subjects: int = 12) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """All pairs of subjects, their events, and one to three faces of each subject."""
    rng = np.random.default_rng(seed)
    faces = rng.integers(1, 4, subjects)
    first, second = np.triu_indices(subjects, 1)
    lamb = rng.beta(0.5, 2.0, subjects)
    return first, second, rng.binomial(faces[first] * faces[second], np.sqrt(lamb[first] * lamb[second])), faces


def by_definition(rows: list[tuple[int, int, int, int]], subjects: int) -> float:
    """Sum the products of every two pairs that share a subject, and count the worst subject's twice."""
    of = sum(row[3] for row in rows)
    share = sum(row[2] for row in rows) / of
    own, shared = 0.0, np.zeros(subjects)
    for i, (a, b, events, comparisons) in enumerate(rows):
        rest = events - share * comparisons
        own += rest**2
        for j, (c, d, other_events, other_comparisons) in enumerate(rows):
            if i != j:
                for subject in {a, b} & {c, d}:
                    shared[subject] += rest * (other_events - share * other_comparisons)
    drawn = own + max(shared.sum(), 0.0) + max(shared.max(), 0.0)
    size = sum(row[3] ** 2 for row in rows) / of
    return float(of / max(1.0, (drawn + 0.25 * size**2) / (share * (1 - share) * of + 0.25 * size)))


@pytest.mark.parametrize("seed", range(5))
def test_the_variance_is_that_of_all_pairs_that_share_a_subject(seed: int) -> None:
    first, second, events, faces = drawn_pairs(seed)
    comparisons = faces[first] * faces[second]
    rows = list(zip(first.tolist(), second.tolist(), events.tolist(), comparisons.tolist(), strict=True))
    truth = by_definition(rows, 12)
    assert effective_pairs(first, second, events=events, faces=faces) == pytest.approx(truth)
    assert effective_pairs(first, second, events=events, comparisons=comparisons) == pytest.approx(truth)


@pytest.mark.parametrize("seed", range(5))
def test_two_sets_of_faces_are_compared_across(seed: int) -> None:
    """Probes and references of the same subjects, some with none: each one's probes with the other's references."""
    rng = np.random.default_rng(seed)
    probes, references = rng.integers(0, 3, 12), rng.integers(0, 3, 12)
    first, second = np.triu_indices(12, 1)
    comparisons = probes[first] * references[second] + probes[second] * references[first]
    events = rng.binomial(comparisons, 0.3)
    compared = comparisons > 0
    listed = pair_rate(first[compared], second[compared], events=events[compared], comparisons=comparisons[compared])
    some = events > 0
    across = pair_rate(first[some], second[some], events=events[some], faces=probes, other_faces=references)
    assert (across.count, across.of) == (listed.count, listed.of) == (events.sum(), comparisons.sum())
    assert (across.low, across.high) == pytest.approx((listed.low, listed.high))


def test_pairs_without_an_event_need_not_be_listed() -> None:
    first, second, events, faces = drawn_pairs(2, subjects=60)
    whole = pair_rate(first, second, events=events, faces=faces)
    some = events > 0
    listed = pair_rate(first[some], second[some], events=events[some], faces=faces)
    assert (listed.count, listed.of, listed.method) == (whole.count, whole.of, "wilson-over-pairs")
    assert (listed.value, listed.low, listed.high) == pytest.approx((whole.value, whole.low, whole.high))


def test_pairs_that_share_no_subject_are_independent_trials() -> None:
    first, second = np.arange(0, 400, 2), np.arange(1, 400, 2)
    rate = pair_rate(first, second, events=first < 40, comparisons=np.ones(200))
    plain = wilson(20, 200)
    assert (rate.value, rate.low, rate.high) == pytest.approx((plain.value, plain.low, plain.high))
    none = pair_rate(first, second, events=np.zeros(200), comparisons=np.ones(200))
    assert none.high == pytest.approx(wilson(0, 200).high)


def test_a_subject_that_resembles_everybody_is_not_many_trials() -> None:
    """As many events, of one subject or of all."""
    events, faces = np.ones(50), np.ones(100)
    lamb = pair_rate(np.zeros(50), np.arange(1, 51), events=events, faces=faces)
    spread = pair_rate(np.arange(0, 100, 2), np.arange(1, 100, 2), events=events, faces=faces)
    assert lamb.value == spread.value
    assert (lamb.high or 0) > 3 * (spread.high or 1)


def test_without_an_event_only_pairs_with_no_subject_in_common_count() -> None:
    none = np.zeros(0)
    rate = pair_rate(none, none, events=none, faces=np.full(400, 3))
    assert (rate.value, rate.count, rate.of) == (0.0, 0, 9 * 79_800)
    assert rate.high == pytest.approx(wilson(0, 200).high)
    groups = np.repeat([1, 0], [30, 400]), np.repeat([0, 1], [30, 400])
    across = pair_rate(none, none, events=none, faces=groups[0], other_faces=groups[1])
    assert across.of == 12_000
    assert across.high == pytest.approx(wilson(0, 30).high)
    assert pair_rate(none, none, events=none, faces=none).value is None
    assert pair_rate(none, none, events=none, comparisons=none).value is None
    assert pair_rate(none, none, events=none, faces=[5]).value is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": [0, 1]}, "of one length"),
        ({"first": [5]}, r"not in 0\.\.2"),
        ({"first": [1]}, "two different subjects"),
        ({"events": [5]}, r"0\.\.comparisons"),
        ({"first": [0, 1], "second": [1, 0], "events": [1, 1]}, "listed twice"),
        ({"faces": None}, "either faces or comparisons"),
        ({"comparisons": [4]}, "either faces or comparisons"),
        ({"faces": None, "comparisons": [4, 4]}, "of 1 pairs"),
        ({"other_faces": [1]}, "of one length"),
    ],
)
def test_pairs_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    pairs: dict[str, Any] = {"first": [0], "second": [1], "events": [1], "faces": [2, 2, 2], **change}
    first, second = pairs.pop("first"), pairs.pop("second")
    with pytest.raises(ValueError, match=message):
        pair_rate(first, second, **pairs)
