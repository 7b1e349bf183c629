"""How far from the machine's limit, and how a list grows."""

from __future__ import annotations

import json

import numpy as np
import psutil
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from lfr.cli.app import app
from lfr.errors import InputError
from lfr.evaluation.benchmarks import bench_growth, exact_candidates
from lfr.evaluation.benchmarks.roofline import Peaks, Work, matcher_work, measure_peaks, network_work, roofline
from lfr.matching import Snapshot
from lfr.models.network import ImageNetwork
from lfr.types import Embeddings


class TwoLayers(ImageNetwork):
    """3 to 8 channels at half the size, then 8 to 8 for each pixel by itself; 224 + 72 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.layers(images)
        return output


@pytest.mark.parametrize(("batch", "precision", "width"), [(1, "f32", 4), (8, "f32", 4), (4, "bf16", 2)])
def test_the_work_of_a_network_is_what_its_layers_say(batch: int, precision: str, width: int) -> None:
    work = network_work(TwoLayers(), (32, 64), batch=batch, precision=precision)
    places = 16 * 32
    assert work.operations == 2 * places * (8 * 27 + 8 * 8)
    assert work.bytes == 3 * 32 * 64 + width * (2 * places * (8 + 8) + (224 + 72) / batch)


def test_probes_searched_together_share_the_reading_of_the_list() -> None:
    one, eight = (matcher_work(1_000, 128, probes=probes) for probes in (1, 8))
    assert one == Work(256_000, 512_000)
    assert eight == Work(256_000, 64_000)


@pytest.mark.parametrize(("work", "bound", "limit"), [(Work(100, 1), "arithmetic", 10), (Work(1, 100), "memory", 1)])
def test_the_lower_roof_is_the_limit(work: Work, bound: str, limit: float) -> None:
    found = roofline(work, Peaks(operations_s=1_000, bytes_s=100, precision="f32"), items_s=limit / 2)
    assert (found["bound"], found["limit_items_s"]) == (bound, limit)
    assert max(found["share_of_operations"], found["share_of_bytes"]) == 0.5


def test_the_machine_s_peaks_are_those_of_a_machine() -> None:
    before = torch.get_num_threads()
    peaks = measure_peaks(1)
    assert 1e8 < peaks.bytes_s < 1e13
    assert 1e9 < peaks.operations_s < 1e15
    assert torch.get_num_threads() == before


def test_a_list_in_parts_gives_what_it_gives_whole() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((900, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[700] = vectors[20]  # equal scores go to the lower row, whichever part it is in
    whole = Snapshot(Embeddings(vectors, "m"), tuple(str(i) for i in range(900)))
    expected = whole.search(Embeddings(vectors[20:24], "m"), k=7)
    found = exact_candidates([vectors[:300], vectors[300:650], vectors[650:]], vectors[20:24], k=7)
    assert np.array_equal(found.index, expected.index)
    assert found.index[0, :2].tolist() == [20, 700]


def test_a_grown_list_is_searched_exactly_and_its_memory_is_told() -> None:
    rows = bench_growth(threads=1, references=[300, 5_000], repeats=1)
    assert [(row["references"], row["probes"]) for row in rows] == [(300, 1), (300, 8), (5_000, 1), (5_000, 8)]
    assert all(row["parity"]["same_as_float32"] and row["parity"]["exact"] for row in rows)
    assert rows[2]["p50_ms"] <= rows[2]["p99_ms"]
    assert {"memory_mib", "screen_mib"} <= rows[0].keys()


def test_a_list_that_does_not_fit_is_refused_before_anything_is_made() -> None:
    references = psutil.virtual_memory().total // 100
    with pytest.raises(InputError, match="GiB are free"):
        bench_growth(threads=1, references=[references])


def test_the_command_tells_the_limits_of_a_search() -> None:
    arguments = ["bench", "match", "--references", "2000", "--repeats", "1", "--threads", "1", "--roofline"]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    found = [row["roofline"] for row in json.loads(result.stdout)["rows"]]
    assert [limit["bytes"] for limit in found] == [1_024_000, 128_000, 16_000]
    assert all(limit["share_of_operations"] > 0 for limit in found)
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "measured here; bound by" in shown.output.replace("\n", " ")
