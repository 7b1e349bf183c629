"""Bootstraps draw subjects, in blocks, and agree with the obvious loop."""

import time

import numpy as np
import pytest

from lfr.statistics import bootstrap, percentile_interval, subject_bootstrap, vertex_bootstrap


def drawn_sums(rng: np.random.Generator, subjects: int = 300, columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    trials = rng.integers(0, 6, (subjects, columns))
    return rng.binomial(trials, rng.beta(2, 5, (subjects, 1))), trials


def test_replicates_spread_as_the_ratio_estimator_does() -> None:
    """Its closed-form variance is of the same resampling (Cochran, section 2.11)."""
    rng = np.random.default_rng(1)
    events, trials = drawn_sums(rng, subjects=2000)
    shares = subject_bootstrap(events, trials, replicates=4000, rng=rng)
    share = events.sum(axis=0) / trials.sum(axis=0)
    error = np.sqrt(np.sum((events - share * trials) ** 2, axis=0)) / trials.sum(axis=0)
    assert shares.shape == (4000, 4)
    assert shares.mean(axis=0) == pytest.approx(share, abs=4e-4)
    assert shares.std(axis=0) == pytest.approx(error, rel=0.05)


def test_a_replicate_is_a_draw_of_whole_subjects() -> None:
    """With one event a subject of a power of two, the sums tell who was drawn how often."""
    rng = np.random.default_rng(2)
    size = 8.0 ** np.arange(6)
    shares = subject_bootstrap(size[:, None], np.full((6, 1), size.max()), replicates=500, rng=rng)
    sums = np.rint(shares[:, 0] * 6 * size.max()).astype(int)
    times = sums[:, None] // size.astype(int) % 8
    assert np.all(times.sum(axis=1) == 6)
    assert times.mean(axis=0) == pytest.approx(np.ones(6), abs=0.2)
    assert times.std() == pytest.approx(np.sqrt(5 / 6), rel=0.1)


def test_each_stratum_keeps_its_number_of_subjects() -> None:
    rng = np.random.default_rng(3)
    strata = rng.permutation(np.repeat(["a", "b", "c"], [3, 30, 67]))
    of_a_stratum = strata[:, None] == np.array(["a", "b", "c"])
    shares = subject_bootstrap(of_a_stratum, np.ones((100, 3)), replicates=50, rng=rng, strata=strata)
    assert shares == pytest.approx(np.tile([0.03, 0.3, 0.67], (50, 1)))
    free = subject_bootstrap(of_a_stratum, np.ones((100, 3)), replicates=50, rng=rng)
    assert free.std(axis=0).min() > 0.005


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    events, trials = drawn_sums(np.random.default_rng(4))
    whole = subject_bootstrap(events, trials, replicates=101, rng=np.random.default_rng(5))
    monkeypatch.setattr(bootstrap, "_BLOCK_BYTES", 8 * 300 * 7)
    assert subject_bootstrap(events, trials, replicates=101, rng=np.random.default_rng(5)) == pytest.approx(whole)


def test_two_thousand_replicates_of_groups_take_seconds() -> None:
    """6,000 subjects, 20 columns of groups and errors; the promise is 20 s."""
    rng = np.random.default_rng(6)
    trials = np.where(rng.integers(0, 20, (6000, 1)) == np.arange(20), rng.integers(1, 9, (6000, 1)), 0)
    started = time.perf_counter()
    shares = subject_bootstrap(rng.binomial(trials, 0.1), trials, rng=rng)
    assert shares.shape == (2000, 20)
    assert time.perf_counter() - started < 10.0


def test_the_vertex_bootstrap_weighs_a_pair_by_both_subjects() -> None:
    """Against the loop over the matrix of pairs, with the same draws."""
    rng = np.random.default_rng(7)
    subjects, faces = 25, rng.integers(1, 4, 25)
    first, second = np.triu_indices(subjects, 1)
    events = rng.binomial(faces[first] * faces[second], 0.2)
    some = events > 0
    shares = vertex_bootstrap(
        first[some], second[some], events=events[some], faces=faces, replicates=40, rng=np.random.default_rng(8)
    )
    listed = vertex_bootstrap(
        first,
        second,
        events=events,
        comparisons=faces[first] * faces[second],
        replicates=40,
        rng=np.random.default_rng(8),
    )
    assert listed == pytest.approx(shares)
    drawn = np.random.default_rng(8).integers(0, subjects, (40, subjects))
    for share, draw in zip(shares[:, 0], drawn, strict=True):
        weight = np.bincount(draw, minlength=subjects)
        pair = weight[first] * weight[second]
        assert share == pytest.approx(np.sum(pair * events) / np.sum(pair * faces[first] * faces[second]))


def test_the_vertex_bootstrap_of_two_groups_compares_each_with_the_other_only() -> None:
    rng = np.random.default_rng(9)
    one, other = np.repeat([2, 0], [10, 30]), np.repeat([0, 1], [10, 30])
    first, second = (part.ravel() for part in np.meshgrid(np.arange(10), np.arange(10, 40)))
    shares = vertex_bootstrap(
        first, second, events=np.full(300, 2), faces=one, other_faces=other, replicates=30, rng=rng
    )
    assert shares == pytest.approx(np.ones((30, 1)))


def test_the_percentile_interval_leaves_its_tails() -> None:
    samples = np.random.default_rng(10).permutation(np.arange(1001.0))
    low, high = percentile_interval(np.stack([samples, -samples], axis=1), confidence=0.9)
    assert low == pytest.approx([50.0, -950.0])
    assert high == pytest.approx([950.0, -50.0])


def test_an_interval_whose_end_may_be_undefined_is_undefined() -> None:
    samples = np.tile(np.arange(100.0)[:, None], 3)
    samples[:2, 1] = np.nan
    samples[:6, 2] = np.nan
    low, high = percentile_interval(samples)
    assert not np.isnan(low[:2]).any()
    assert np.isnan([low[2], high[2]]).all()


def test_a_column_whose_trials_were_not_drawn_is_undefined() -> None:
    trials = np.zeros((50, 2))
    trials[0, 0] = 1
    shares = subject_bootstrap(np.zeros((50, 2)), trials, replicates=200, rng=np.random.default_rng(11))
    assert 0.2 < np.isnan(shares[:, 0]).mean() < 0.5
    assert np.isnan(shares[:, 1]).all()


def test_shapes_that_do_not_fit_are_refused() -> None:
    rng = np.random.default_rng(12)
    with pytest.raises(ValueError, match="alike"):
        subject_bootstrap(np.zeros((3, 2)), np.zeros((3, 1)), rng=rng)
    with pytest.raises(ValueError, match="no subjects"):
        subject_bootstrap(np.zeros((0, 2)), np.zeros((0, 2)), rng=rng)
    with pytest.raises(ValueError, match="strata"):
        subject_bootstrap(np.zeros((3, 2)), np.zeros((3, 2)), rng=rng, strata=["a", "b"])
    with pytest.raises(ValueError, match="two different subjects"):
        vertex_bootstrap([1], [1], events=[1], faces=[1, 1], rng=rng)
    with pytest.raises(ValueError, match="of one length"):
        vertex_bootstrap([0], [1, 0], events=[1], faces=[1, 1], rng=rng)
    with pytest.raises(ValueError, match="either faces or comparisons"):
        vertex_bootstrap([0], [1], events=[1], rng=rng)
    with pytest.raises(ValueError, match="of 1 pairs"):
        vertex_bootstrap([0], [1], events=[1], comparisons=[1, 1], rng=rng)
    with pytest.raises(ValueError, match="no replicates"):
        percentile_interval([])
