"""The variance of a share of pairs is that of its definition, however few pairs are listed."""

from typing import Any

import numpy as np
import pytest

from lfr.statistics import effective_pairs, pair_rate, wilson


def drawn_pairs(seed: int, subjects: int = 12) -> dict[str, Any]:
    """All pairs of subjects with one to three faces each, with an event in one of five comparisons or so."""
    rng = np.random.default_rng(seed)
    faces = rng.integers(1, 4, subjects)
    first, second = np.triu_indices(subjects, 1)
    comparisons = faces[first] * faces[second]
    lamb = rng.beta(0.5, 2.0, subjects)
    events = rng.binomial(comparisons, np.sqrt(lamb[first] * lamb[second]))
    trials = faces * (faces.sum() - faces)
    return {
        "first": first,
        "second": second,
        "events": events,
        "comparisons": comparisons,
        "trials_by_subject": trials,
    }


def by_definition(pairs: dict[str, Any]) -> float:
    """Sum the products of every two pairs that share a subject, and count the worst subject's twice."""
    rows = list(zip(pairs["first"], pairs["second"], pairs["events"], pairs["comparisons"], strict=True))
    share = sum(row[2] for row in rows) / sum(row[3] for row in rows)
    own, shared = 0.0, np.zeros(len(pairs["trials_by_subject"]))
    for i, (a, b, events, comparisons) in enumerate(rows):
        rest = events - share * comparisons
        own += rest**2
        for j, (c, d, other_events, other_comparisons) in enumerate(rows):
            if i != j:
                for subject in {a, b} & {c, d}:
                    shared[subject] += rest * (other_events - share * other_comparisons)
    total = sum(row[3] for row in rows)
    variance = (own + max(shared.sum(), 0.0) + max(shared.max(), 0.0)) / total**2
    return float(min(share * (1 - share) / variance, total))


@pytest.mark.parametrize("seed", range(5))
def test_the_variance_is_that_of_all_pairs_that_share_a_subject(seed: int) -> None:
    pairs = drawn_pairs(seed)
    first, second = pairs.pop("first"), pairs.pop("second")
    assert effective_pairs(first, second, **pairs) == pytest.approx(
        by_definition({"first": first, "second": second, **pairs})
    )


def test_pairs_without_an_event_need_not_be_listed() -> None:
    """Only a term of the order of the squared share is lost, and it would narrow the interval."""
    rng = np.random.default_rng(2)
    first, second = np.triu_indices(200, 1)
    event = rng.random(len(first)) < 0.01
    trials = np.full(200, 199)
    one = np.ones(len(first))
    whole = pair_rate(first, second, events=event, comparisons=one, trials_by_subject=trials)
    listed = pair_rate(first[event], second[event], events=one[event], comparisons=one[event], trials_by_subject=trials)
    assert (listed.count, listed.of, listed.method) == (event.sum(), 19900, "wilson-over-pairs")
    assert listed.value == whole.value
    assert listed.low == pytest.approx(whole.low, rel=0.01)
    assert listed.high == pytest.approx(whole.high, rel=0.01)
    assert (listed.high or 0) >= (whole.high or 1)


def test_pairs_that_share_no_subject_are_independent_trials() -> None:
    first, second = np.arange(0, 400, 2), np.arange(1, 400, 2)
    rate = pair_rate(first, second, events=first < 40, comparisons=np.ones(200), trials_by_subject=np.ones(400))
    plain = wilson(20, 200)
    assert (rate.value, rate.low, rate.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_a_subject_that_resembles_everybody_is_not_many_trials() -> None:
    """As many events, of one subject or of all."""
    trials = np.full(100, 99)
    lamb = pair_rate(
        np.zeros(50), np.arange(1, 51), events=np.ones(50), comparisons=np.ones(50), trials_by_subject=trials
    )
    spread = pair_rate(
        np.arange(0, 100, 2),
        np.arange(1, 100, 2),
        events=np.ones(50),
        comparisons=np.ones(50),
        trials_by_subject=trials,
    )
    assert lamb.value == spread.value
    assert (lamb.high or 0) > 3 * (spread.high or 1)


def test_no_event_tells_as_much_as_a_quarter_of_the_subjects() -> None:
    none = np.zeros(0)
    rate = pair_rate(none, none, events=none, comparisons=none, trials_by_subject=np.full(400, 399))
    assert (rate.value, rate.count, rate.of) == (0.0, 0, 79_800)
    assert rate.high == pytest.approx(wilson(0, 100).high, rel=0.01)
    assert pair_rate(none, none, events=none, comparisons=none, trials_by_subject=none).value is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": [0, 1]}, "of one length"),
        ({"first": [5]}, r"not in 0\.\.2"),
        ({"first": [1]}, "two different subjects"),
        ({"events": [3]}, r"0\.\.comparisons"),
        ({"comparisons": [9]}, "more than its trials"),
        ({"first": [0, 1], "second": [1, 0], "events": [1, 1], "comparisons": [1, 1]}, "listed twice"),
    ],
)
def test_pairs_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    pairs = {"first": [0], "second": [1], "events": [1], "comparisons": [2], "trials_by_subject": [4, 4, 4], **change}
    first, second = pairs.pop("first"), pairs.pop("second")
    with pytest.raises(ValueError, match=message):
        pair_rate(first, second, **pairs)
