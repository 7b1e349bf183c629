"""Open-set searches: everybody is counted, the threshold is the smallest that holds, size costs what it costs."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import (
    Searches,
    Templates,
    cumulative_match,
    evaluate_identification,
    fpir_by_size,
    run_searches,
    search_curve,
    search_rates,
    threshold_for_fpir,
)
from lfr.matching import DecisionRule, decide
from lfr.types import FloatArray
from lfr.vision import MEASURES
from tests.unit.evaluation.builders import made_manifest, made_templates


def drawn(seed: int = 0, *, listed: int = 30, others: int = 200, probes: int = 3) -> Templates:
    """``listed`` subjects with a reference and some mated probes, ``others`` with one non-mated probe each."""
    rng = np.random.default_rng(seed)
    subjects = [f"s{i}" for i in range(listed)]
    subjects += [f"s{i}" for i in range(listed) for _ in range(probes)] + [f"o{i}" for i in range(others)]
    centre = {name: rng.normal(size=16) for name in dict.fromkeys(subjects)}
    vectors = np.array([centre[name] + rng.normal(size=16) * 0.6 for name in subjects])
    groups = {"sex": ["F" if int(name[1:]) % 2 else "M" for name in subjects]}
    return made_templates(made_manifest(subjects, references=listed, groups=groups), vectors)


def with_failures(templates: Templates, *rows: int) -> Templates:
    vectors = templates.embeddings.vectors.astype(np.float64)
    vectors[list(rows)] = np.nan
    return made_templates(templates.manifest, vectors)


def all_scores(templates: Templates) -> FloatArray:
    is_reference = templates.manifest.reference
    vectors = templates.embeddings.vectors
    scores: FloatArray = vectors[~is_reference] @ vectors[is_reference].T
    return scores


def small(
    vectors: list[list[float]], subjects: list[str], references: int, tracks: list[str] | None = None
) -> Searches:
    manifest = made_manifest(subjects, references=references, tracks=tracks)
    return run_searches(made_templates(manifest, np.array(vectors, np.float64)))


def at_angle(score: float) -> list[float]:
    """A vector whose cosine with (1, 0, 0) is the score."""
    return [score, float(np.sqrt(1 - score**2)), 0.0]


def test_the_table_is_what_a_loop_over_all_scores_gives() -> None:
    templates = drawn()
    searches = run_searches(templates)
    scores = all_scores(templates)
    own = np.arange(90) // 3
    assert searches.mated.tolist() == [True] * 90 + [False] * 200
    np.testing.assert_allclose(searches.mate_score[:90], scores[np.arange(90), own], atol=1e-6)
    assert np.isnan(searches.mate_score[90:]).all()
    scores[np.arange(90), own] = -1
    np.testing.assert_allclose(searches.other_score, scores.max(axis=1), atol=1e-6)
    assert searches.other_subject.tolist() == scores.argmax(axis=1).tolist()
    assert searches.groups["sex"].tolist() == templates.manifest.group("sex")[30:].tolist()
    assert len(searches.watchlist) == 30


def test_the_documents_keys_are_the_contracts() -> None:
    searches = run_searches(drawn())
    document = evaluate_identification(searches, rng=np.random.default_rng(0)).as_dict()
    wanted = {"watchlist_size", "mated", "non_mated", "failures_to_acquire", "failures_to_enrol", "points"}
    assert wanted <= set(document)
    assert (document["watchlist_size"], document["mated"], document["non_mated"]) == (30, 90, 200)
    assert [point["fpir"] for point in document["points"]] == [0.1, 0.03, 0.01]  # of 200, 0.003 is under one
    assert document["insufficient_data"] == [0.003, 0.001]
    for point in document["points"]:
        assert set(point) == {"fpir", "tpir", "fpir_observed", "threshold"}
        for name, of in (("tpir", 90), ("fpir_observed", 200)):
            assert set(point[name]) == {"value", "low", "high", "count", "of", "method"}
            assert point[name]["of"] == of
            assert point[name]["low"] <= point[name]["value"] <= point[name]["high"]


def test_the_threshold_is_the_smallest_that_keeps_the_observed_rate_at_the_target() -> None:
    searches = run_searches(drawn())
    for target in (0.1, 0.03, 0.01):
        threshold = threshold_for_fpir(searches, target)
        assert threshold is not None
        assert search_rates(searches, threshold)[1].count == int(target * 200 + 1e-9)
        lower = float(np.nextafter(np.float32(threshold), np.float32(-1)))
        assert search_rates(searches, lower)[1].count > target * 200
    assert threshold_for_fpir(searches, 0.004) is None
    assert threshold_for_fpir(searches, 1.0) == -1.0


def test_equal_scores_of_strangers_are_refused_together() -> None:
    strangers: list[list[float]] = [at_angle(0.5)] * 3 + [at_angle(0.2)] * 7
    searches = small([[1, 0, 0], *strangers], ["ann", *(f"o{i}" for i in range(10))], 1)
    threshold = threshold_for_fpir(searches, 0.2)
    assert threshold is not None
    assert search_rates(searches, threshold)[1].count == 0


def test_the_mate_counts_at_any_rank() -> None:
    searches = small([[1, 0, 0], at_angle(0.8), at_angle(0.75), [0, 0, 1]], ["bob", "ann", "ann", "zoe"], 2)
    # The probe is ann's; move the references so that bob is nearer to it than ann's own.
    assert searches.mated.tolist() == [True, False]
    turned = small([at_angle(0.6), at_angle(0.99), [1, 0, 0], [0, 0, 1]], ["ann", "bob", "ann", "zoe"], 2)
    assert turned.mate_rank.tolist() == [2, 0]
    assert search_rates(turned, 0.5)[0].count == 1
    assert search_rates(turned, 0.7)[0].count == 0
    assert cumulative_match(turned, 3).tolist() == [0, 1, 1]


def test_a_probe_that_was_not_acquired_is_a_miss_if_mated_and_no_alarm_if_not() -> None:
    templates = with_failures(drawn(), 30, 31, 130)
    searches = run_searches(templates)
    assert int((~searches.acquired).sum()) == 3
    tpir, fpir = search_rates(searches, -1.0)
    assert (tpir.count, tpir.of) == (88, 90)
    assert (fpir.count, fpir.of) == (199, 200)
    document = evaluate_identification(searches, rng=np.random.default_rng(0)).as_dict()
    assert document["failures_to_acquire"] == 3
    assert document["cmc"][-1] <= 88 / 90


def test_a_reference_that_was_not_enrolled_leaves_its_subject_wanted_and_missed() -> None:
    searches = run_searches(with_failures(drawn(), 0, 5))
    assert len(searches.watchlist) == 30
    assert searches.watchlist.failures_to_enrol == 2
    assert len(searches.watchlist.snapshot) == 28
    tpir, fpir = search_rates(searches, -1.0)
    assert (tpir.count, tpir.of) == (84, 90)
    assert (fpir.count, fpir.of) == (200, 200)


def test_a_list_on_which_nobody_could_be_enrolled_finds_nobody() -> None:
    searches = run_searches(with_failures(drawn(listed=2, others=20), 0, 1))
    document = evaluate_identification(searches, rng=np.random.default_rng(0)).as_dict()
    assert document["failures_to_enrol"] == 2
    assert [point["tpir"]["count"] for point in document["points"]] == [0]
    assert document["by_watchlist_size"] == []


def test_a_track_is_one_search_by_its_best_image() -> None:
    vectors: list[list[float]] = [[1, 0, 0], at_angle(0.3), at_angle(0.9), [0, 0, 1], at_angle(0.5)]
    searches = small(vectors, ["ann", "ann", "ann", "zoe", "zoe"], 1, ["", "t1", "t1", "t2", "t2"])
    assert searches.search_id.tolist() == ["t1", "t2"]
    assert searches.images.tolist() == [2, 2]
    np.testing.assert_allclose(searches.mate_score, [0.9, np.nan], atol=1e-6)
    np.testing.assert_allclose(searches.other_score, [np.nan, 0.5], atol=1e-6)


@pytest.mark.parametrize("fusion", ["max", "mean"])
@pytest.mark.parametrize("shots", [None, 2])
def test_a_track_is_decided_as_live_tracks_are(fusion: str, shots: int | None) -> None:
    rng = np.random.default_rng(7)
    subjects = [f"s{i}" for i in range(8)] + [f"s{i % 12}" for i in range(60)]
    tracks = [""] * 8 + [f"t{i % 12}" for i in range(60)]
    quality = rng.uniform(20, 90, (68, len(MEASURES))).astype(np.float32)
    manifest = made_manifest(subjects, references=8, tracks=tracks)
    templates = made_templates(manifest, rng.normal(size=(68, 6)), quality=quality)
    searches = run_searches(templates, fusion=fusion, shots=shots)  # type: ignore[arg-type]
    scores, best = all_scores(templates), templates.quality.shot[8:]
    rule = DecisionRule.model_validate({"threshold": 0.3, "shots": shots or 5, "fusion": fusion})
    for row, track in enumerate(searches.search_id):
        of = np.flatnonzero(np.array(tracks[8:]) == track)
        chosen = of[np.argsort(-best[of])][: shots or 5]
        names = {decision.subject_id for decision in decide(scores[chosen], subjects[:8], rule)}
        assert bool(searches.found(0.3)[row]) == (searches.subject_id[row] in names)
        assert bool(searches.false_positive(0.3)[row]) == (not searches.mated[row] and len(names) > 0)


def test_an_image_of_a_track_that_gave_nothing_does_not_fail_the_track() -> None:
    templates = made_templates(
        made_manifest(["ann", "ann", "ann", "zoe"], references=1, tracks=["", "t1", "t1", ""]),
        np.array([[1, 0, 0], [np.nan] * 3, at_angle(0.8), [0, 0, 1]]),
    )
    searches = run_searches(templates)
    assert searches.acquired.tolist() == [True, True]
    assert searches.mate_score[0] == pytest.approx(0.8)


def test_the_quality_gate_is_a_failure_to_acquire_or_to_enrol_and_only_when_asked_for() -> None:
    templates = drawn()
    quality = templates.quality.values.copy()
    quality[[0, 40, 150], MEASURES.index("Sharpness")] = 1
    poor = made_templates(templates.manifest, templates.embeddings.vectors, quality=quality)
    without, gated = run_searches(poor), run_searches(poor, quality_gate=True)
    assert (without.watchlist.failures_to_enrol, int((~without.acquired).sum())) == (0, 0)
    assert (gated.watchlist.failures_to_enrol, int((~gated.acquired).sum())) == (1, 2)


def test_probes_of_subjects_who_are_not_drawn_are_non_mated() -> None:
    templates = drawn()
    searches = run_searches(templates, watchlist_size=10, rng=np.random.default_rng(3))
    assert len(searches.watchlist) == 10
    assert len(searches) == 290
    assert int(searches.mated.sum()) == 30
    again = run_searches(templates, watchlist_size=10, rng=np.random.default_rng(3))
    assert again.watchlist.wanted == searches.watchlist.wanted
    larger = run_searches(templates, watchlist_size=20, rng=np.random.default_rng(3))
    assert set(searches.watchlist.wanted) < set(larger.watchlist.wanted)


def test_several_images_of_a_pass_or_of_a_subject_do_not_count_as_several_subjects() -> None:
    """Whether a subject is found hangs on the reference: 40 probes of 4 subjects tell of four."""
    rows = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    probes = [row for row in (rows[0], rows[1], rows[2], rows[0]) for _ in range(10)]
    subjects = ["a", "b", "c", "d", *(name for name in "abcd" for _ in range(10)), "o1"]
    manifest = made_manifest(subjects, references=4)
    searches = run_searches(made_templates(manifest, np.array([*rows, *probes, [1, 1, 1, 1]], np.float64)))
    tpir, _ = search_rates(searches, 0.9)
    assert (tpir.value, tpir.of) == (0.75, 40)
    assert tpir.low is not None
    assert tpir.low < 0.35  # Wilson's interval for 3 of 4 begins at 0.30, for 30 of 40 at 0.60


@pytest.mark.parametrize(
    ("subjects", "references", "complaint"),
    [
        (["ann", "bob"], 0, "column split: no row is a reference"),
        (["ann", "bob"], 2, "column split: no row is a probe"),
        (["ann", "ann"], 1, "column subject_id: no non-mated probe"),
    ],
)
def test_a_set_that_shows_nothing_is_refused(subjects: list[str], references: int, complaint: str) -> None:
    templates = made_templates(made_manifest(subjects, references=references), np.eye(2))
    with pytest.raises(ManifestError, match=complaint):
        run_searches(templates)


def test_a_list_cannot_be_larger_than_there_are_subjects() -> None:
    with pytest.raises(ManifestError, match="30 subjects have a reference, a watchlist of 31 is not possible"):
        run_searches(drawn(), watchlist_size=31, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="generator"):
        run_searches(drawn(), watchlist_size=3)


def test_the_curve_has_the_rates_of_every_threshold() -> None:
    searches = run_searches(with_failures(drawn(), 33, 140))
    curve = search_curve(searches)
    assert curve.fpir[-1] == 0
    for at in (0, 50, len(curve) - 1):
        tpir, fpir = search_rates(searches, curve.threshold[at])
        assert fpir.value == pytest.approx(curve.fpir[at])
        assert tpir.value == pytest.approx(1 - curve.fnir[at])


def test_fpir_on_lists_drawn_has_the_mean_that_counting_all_lists_gives() -> None:
    """With h of R subjects over the threshold a list of N holds none of them in C(R-h, N) of C(R, N) draws."""
    searches = run_searches(drawn(listed=40, others=300))
    threshold = threshold_for_fpir(searches, 0.1) or 0.0
    over = (searches.scores.matrix()[~searches.mated] >= threshold).sum(axis=1)
    (measured,) = fpir_by_size(searches, [8], [threshold], rng=np.random.default_rng(1), draws=400)
    exact = float(np.mean([1 - comb(40 - int(h), 8) / comb(40, 8) for h in over]))
    assert measured.measured == pytest.approx(exact, rel=0.05)
    assert measured.low <= measured.measured <= measured.high
    (whole,) = fpir_by_size(searches, [40], [threshold], rng=np.random.default_rng(1))
    assert whole.measured == search_rates(searches, threshold)[1].value
    assert whole.fmr == pytest.approx(over.sum() / (300 * 40))
    assert whole.independent == pytest.approx(1 - (1 - whole.fmr) ** 40)
    with pytest.raises(ValueError, match="expected 1 to 40"):
        fpir_by_size(searches, [41], [threshold], rng=np.random.default_rng(1))


def test_where_strangers_are_alike_independence_overstates_fpir() -> None:
    """Twenty references in one place: whoever is like one is like all, so a longer list costs nothing more."""
    vectors: list[list[float]] = [[1.0, 0, 0]] * 20 + [at_angle(0.9)] * 10 + [[0, 0, 1]] * 90
    searches = small(vectors, [f"s{i}" for i in range(20)] + [f"o{i}" for i in range(100)], 20)
    (at,) = fpir_by_size(searches, [20], [0.5], rng=np.random.default_rng(0))
    assert at.measured == 0.1
    assert at.independent == pytest.approx(1 - 0.9**20)


def test_hits_name_search_subject_and_the_reference_that_attracts() -> None:
    vectors: list[list[float]] = [[1, 0, 0], at_angle(0.5), [0, 0, 1], [0.9, 0.1, 0], at_angle(0.45), [0, 0, -1]]
    searches = small(vectors, ["ann", "ann", "bob", "o1", "o2", "o3"], 3)
    hits = searches.scores.hits(0.4)
    assert searches.subject_id[hits.search].tolist() == ["o1", "o2"]
    assert [searches.watchlist.snapshot.subjects[column] for column in hits.subject] == ["ann", "ann"]
    assert searches.scores.references_of(hits).tolist() == [0, 1]
    matrix = searches.scores.matrix()
    assert matrix.shape == (3, 2)
    assert (matrix >= 0.4).sum() == len(hits)


def test_scores_do_not_depend_on_how_they_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = run_searches(drawn())
    whole = searches.scores.matrix()
    monkeypatch.setattr("lfr.evaluation.search_scores._BLOCK_SCORES", 200)
    np.testing.assert_allclose(searches.scores.matrix(), whole, atol=1e-6)
    assert len(list(searches.scores.blocks())) > 10
