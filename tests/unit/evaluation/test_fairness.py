"""Equal is shown, not assumed; nobody is dropped; one person's doing is not taken for a group's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame

from lfr.errors import InputError, ManifestError
from lfr.evaluation import EquityPolicy, Fairness, Searches, evaluate_fairness
from lfr.evaluation.fairness_report import write_fairness_report
from lfr.evaluation.fairness_view import headline
from lfr.evaluation.group_rates import cross_group
from lfr.evaluation.plot_style import svg
from tests.unit.evaluation.builders import counted_searches

Outcomes = Mapping[str, tuple[int, int, int, int]]
"""Of each group: people listed, found; others, falsely alerted."""

# The counts of three published patterns: TPIR unequal, FPIR unequal, and too few people to tell.
ESSEX_300 = {"a": (300, 180, 3000, 0), "b": (300, 138, 3000, 0)}
NPL_056 = {"a": (50, 45, 6000, 22), "b": (50, 45, 6000, 2), "c": (50, 45, 6000, 1)}
ESSEX_94 = {"a": (94, 56, 3000, 0), "b": (94, 43, 3000, 0)}


def fairness_of(
    searches: Searches, *, by: tuple[str, ...] = ("group",), max_fpir_difference: float = 0.001
) -> Fairness:
    policy = EquityPolicy(max_fpir_difference=max_fpir_difference)
    return evaluate_fairness(
        searches, by=by, threshold=0.5, policy=policy, rng=np.random.default_rng(1), replicates=200
    )


@pytest.mark.parametrize(
    ("outcomes", "verdict", "which"),
    [
        (ESSEX_300, "not equitable", "tpir"),
        (NPL_056, "not equitable", "fpir"),
        (ESSEX_94, "not shown", "tpir"),
        ({"a": (900, 810, 9000, 3), "b": (900, 805, 9000, 2)}, "equitable", "tpir"),
        ({"a": (900, 810, 9000, 3), "b": (900, 805, 9000, 2)}, "equitable", "fpir"),
        ({"a": (12, 9, 90, 0), "b": (12, 9, 90, 0)}, "not shown", "tpir"),
        ({"a": (12, 9, 90, 0), "b": (12, 9, 90, 0)}, "not shown", "fpir"),
    ],
)
def test_groups_get_the_verdict_that_their_numbers_allow(outcomes: Outcomes, verdict: str, which: str) -> None:
    found = fairness_of(counted_searches(outcomes))
    assert getattr(found.groupings[0].equity, which).verdict == verdict
    worst = {"not equitable": 0, "not shown": 1, "equitable": 2}
    assert worst[found.verdict] <= worst[verdict]


def test_rates_by_group_are_those_of_an_independent_implementation() -> None:
    searches = counted_searches({"a": (40, 31, 200, 7), "b": (25, 20, 90, 1), "unlabelled": (5, 2, 30, 3)})
    groups = {group.name: group for group in fairness_of(searches).groups}
    for which, side, event in (
        ("tpir", searches.mated, searches.found(0.5)),
        ("fpir", ~searches.mated, searches.false_positive(0.5)),
    ):
        peer = MetricFrame(
            metrics=lambda _, happened: float(np.mean(happened)),
            y_true=np.ones(int(side.sum())),
            y_pred=event[side],
            sensitive_features=searches.groups["group"][side],
        )
        assert {name: getattr(group, which).value for name, group in groups.items()} == pytest.approx(
            peer.by_group.to_dict()
        )


def test_people_without_a_label_are_counted_and_compared_with_nobody() -> None:
    found = fairness_of(counted_searches({"a": (90, 80, 500, 0), "b": (90, 80, 500, 0), "unlabelled": (9, 0, 50, 0)}))
    grouping = found.groupings[0]
    assert [group.name for group in grouping.groups] == ["a", "b", "unlabelled"]
    assert sum(group.mated for group in grouping.groups) == 189
    assert [(pair.first, pair.second) for pair in grouping.equity.tpir.pairs] == [("a", "b")]


def test_two_columns_give_each_alone_and_both_together() -> None:
    outcomes = dict.fromkeys(("wa", "wb", "ma", "mb"), (20, 15, 60, 1))
    labels = {"sex": {name: name[0] for name in outcomes}, "age": {name: name[1] for name in outcomes}}
    found = fairness_of(counted_searches(outcomes, labels=labels), by=("sex", "age"))
    assert [grouping.by for grouping in found.groupings] == [("sex",), ("age",), ("sex", "age")]
    assert [len(grouping.groups) for grouping in found.groupings] == [2, 2, 4]
    assert found.groups[0].group == {"sex": "m"}
    assert found.groups[-1].group == {"sex": "w", "age": "b"}


def test_one_reference_that_strangers_resemble_is_named_and_the_verdict_shown_without_it() -> None:
    outcomes = {"children": (50, 45, 400, 60), "adults": (50, 45, 400, 0)}
    found = fairness_of(counted_searches(outcomes, lamb="children 3"), max_fpir_difference=0.05)
    assert found.verdict == "not equitable"
    worst = found.as_dict()["worst_references"][0]
    assert worst == {"subject_id": "children 3", "false_positives": 60, "share": 1.0, "stands_out": True}
    assert found.concentration.outlying_references == ("children 3",)
    again = found.groupings[0].without_outliers
    assert again is not None
    assert again.fpir.verdict == "equitable"
    assert any("100% of the searches with a false positive" in reason for reason in found.reasons)


def test_false_positives_spread_by_chance_single_nobody_out() -> None:
    found = fairness_of(counted_searches({"a": (50, 45, 400, 30), "b": (50, 45, 400, 30)}))
    assert found.concentration.searches == 60
    assert found.concentration.outlying_references == ()
    assert found.groupings[0].without_outliers is None


def test_between_groups_every_non_mated_comparison_is_counted_once() -> None:
    searches = counted_searches({"a": (10, 8, 40, 4), "b": (6, 6, 20, 0)})
    cross = cross_group(searches, ("group",), searches.scores.hits(0.5))
    assert (cross.probes, cross.references) == (("a", "b"), ("a", "b"))
    scores = searches.scores.matrix()
    for i, probe in enumerate(cross.probes):
        for j, reference in enumerate(cross.references):
            rows = searches.groups["group"] == probe
            columns = np.array([name.startswith(reference) for name in searches.watchlist.snapshot.subjects])
            own = searches.subject_id[rows][:, None] == np.array(searches.watchlist.snapshot.subjects)[columns]
            assert cross.comparisons[i, j] == (~own).sum()
            assert cross.matches[i, j] == ((scores[rows][:, columns] >= 0.5) & ~own).sum()


def test_a_failure_to_acquire_stays_in_every_denominator() -> None:
    searches = counted_searches({"a": (20, 20, 30, 0), "b": (20, 20, 30, 0)})
    lost = searches.groups["group"] == "a"
    assert fairness_of(searches).groups[0].fta.of == lost.sum()


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (("height",), "made.csv, line 1: no group column 'height'; there are: group"),
        (("group",), "made.csv, column group: only 'a' among the probes, and equity compares two groups"),
    ],
)
def test_a_column_that_cannot_be_compared_is_refused_by_name(by: tuple[str, ...], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        fairness_of(counted_searches({"a": (9, 8, 20, 1)}), by=by)


def test_a_measure_with_a_zero_denominator_says_so() -> None:
    found = fairness_of(counted_searches({"a": (40, 30, 90, 5), "b": (40, 32, 90, 0)}))
    measures = {measure.name: measure for measure in found.groupings[0].measures}
    assert measures["FPIR max/min"].value is None
    assert "rate 0" in measures["FPIR max/min"].undefined
    assert measures["FNIR max/min"].value == pytest.approx((10 / 40) / (8 / 40))
    assert measures["FDR"].value == pytest.approx(1 - 0.5 * (5 / 90) - 0.5 * (2 / 40))


def test_the_sweep_holds_the_threshold_asked_for_among_others() -> None:
    found = fairness_of(counted_searches({"a": (40, 30, 900, 30), "b": (40, 32, 900, 9)}))
    sweep = found.groupings[0].sweep
    assert [point.threshold for point in sweep] == sorted(point.threshold for point in sweep)
    asked = [point for point in sweep if point.asked_for]
    assert [point.threshold for point in asked] == [0.5]
    assert asked[0].fpir_verdict == found.groupings[0].equity.fpir.verdict


def test_the_report_says_first_whether_the_model_may_be_used_and_needs_nothing_else(tmp_path: Path) -> None:
    found = fairness_of(counted_searches({"a <b>": (300, 180, 300, 3), "b": (300, 138, 300, 2)}))
    path = tmp_path / "sub" / "r.html"
    write_fairness_report(path, found, facts={"model": "made <script>"})
    page = path.read_text()
    assert "This model may not be used at this threshold" in headline(found)
    assert page.index("may not be used") < page.index("What was measured")
    assert "<script" not in page
    assert "a &lt;b&gt;" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    with pytest.raises(InputError, match="cannot write the report"):
        write_fairness_report(tmp_path / "sub" / "r.html" / "x.html", found, facts={})


def test_a_result_is_a_table_a_document_and_pictures() -> None:
    found = fairness_of(counted_searches({"a": (40, 30, 90, 5), "b": (40, 32, 90, 0)}))
    assert found.to_pandas()["tpir"].tolist() == [0.75, 0.8]
    document = json.loads(found.to_json())
    assert [group["group"] for group in document["groups"]] == [{"group": "a"}, {"group": "b"}]
    assert {"verdict", "reasons", "worst_references"} < set(document)
    for figure in (
        found.plot_rates("tpir"),
        found.plot_pairs("fpir"),
        found.plot_sweep("fpir", theme="dark"),
        found.plot_cross_group(),
    ):
        assert svg(figure).startswith("<svg")
    assert found.verdict in found._repr_html_()
