"""The figures for Prometheus, and the dashboard that shows them."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from lfr.serving.alive import HeldFaces
from lfr.serving.api.metrics import Metrics

DASHBOARD = Path(__file__).parents[3] / "serve" / "grafana.json"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",), "gauge": ("",)}


def names_and_labels(metrics: Metrics) -> dict[str, set[str]]:
    """Name of each time series, with the names of its labels."""
    found = {}
    for figure in vars(metrics).values():
        if isinstance(figure, MetricWrapperBase):
            (family,) = figure.collect()
            for suffix in SUFFIXES[family.type]:
                found[family.name + suffix] = {*figure._labelnames, "le"}
    return found


def test_the_dashboard_asks_for_every_metric_by_a_name_and_labels_that_it_has() -> None:
    known = names_and_labels(Metrics())
    asked = [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
    shown = set()
    for expression in asked:
        names = set(re.findall(r"\blfr_\w+", expression))
        assert names, expression
        assert names <= set(known), expression
        shown |= names
        for labels in re.findall(r"by \(([\w, ]+)\)", expression):
            assert all(set(labels.split(", ")) <= known[name] for name in names), expression
    assert {name.removesuffix("_bucket") for name in known if not name.endswith(("_sum", "_count"))} == {
        name.removesuffix("_bucket") for name in shown
    }


def test_a_part_that_does_not_say_what_it_holds_is_not_shown_as_holding_nothing() -> None:
    metrics = Metrics()
    metrics.hold({"camera": HeldFaces(templates=2, crops=3), "embedder": None, "matcher": HeldFaces()})
    values = {
        (metric.name, sample.labels["part"]): sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if metric.name.endswith("_alive")
    }
    assert values[("lfr_templates_alive", "camera")] == 2
    assert values[("lfr_crops_alive", "camera")] == 3
    assert values[("lfr_templates_alive", "matcher")] == 0
    assert math.isnan(values[("lfr_templates_alive", "embedder")])
