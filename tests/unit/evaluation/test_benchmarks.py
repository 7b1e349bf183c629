"""A benchmark gives both sides the same work and conditions, and says whether they did the same."""

from __future__ import annotations

import getpass
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lfr.cli.app import app
from lfr.errors import InputError, LfrError, RefusedError, RuntimeUnavailableError, SourceError
from lfr.evaluation.benchmarks import (
    FRAME_WH,
    Timing,
    bench_detect,
    bench_device,
    bench_embed,
    bench_evaluate,
    bench_match,
    benchmark_row,
    box_parity,
    cosine_parity,
    evaluate,
    failed_parity,
    fastest_version,
    has_bf16,
    interleave,
    latencies_s,
    machine_facts,
    made_up_faces,
    opencv_detector,
    opencv_recogniser,
    read_crops,
    read_frames,
    search_parity,
    yunet_onnx,
)
from lfr.evaluation.benchmarks.match import random_templates
from lfr.evaluation.benchmarks.peers import FaceEmbedder, equal_threads
from lfr.evaluation.benchmarks.pipeline import bench_pipeline
from lfr.models import VERSIONS, Export, Model
from lfr.pipeline import Recogniser
from lfr.types import Candidates, Faces, Frame, Pixels
from tests.conftest import picture
from tests.support.served import LISTED, walk

CONTRACT = {"name", "ours", "peer", "peer_name", "ratio", "unit", "parity"}


@pytest.fixture(scope="module")
def recogniser(onnx_exports: dict[str, Export]) -> FaceEmbedder:
    """OpenCV's recogniser on our export."""
    return opencv_recogniser(onnx_exports["sface"].path.read_bytes())


def faces_at(*xyxy: tuple[float, float, float, float]) -> Faces:
    boxes = np.array(xyxy, np.float32).reshape(-1, 4)
    return Faces(boxes, np.zeros((len(boxes), 5, 2), np.float32), np.ones(len(boxes), np.float32))


def candidates(index: list[int], score: list[float]) -> Candidates:
    return Candidates(np.array([index], np.int64), np.array([score], np.float32))


class TestTiming:
    def test_the_two_sides_take_turns_once_both_are_warm(self) -> None:
        called: list[str] = []
        timing = interleave(lambda: called.append("ours"), lambda: called.append("peer"), repeats=3, least_s=0.0)
        # In each turn one call that is not timed, and one that is.
        assert called[-12:] == ["ours", "ours", "peer", "peer"] * 3
        assert {"ours", "peer"} == set(called[:-12])
        assert len(timing.ours_s) == len(timing.peer_s) == 3

    def test_a_short_call_is_made_often_enough_to_fill_its_turn(self) -> None:
        started: list[float] = []
        timing = interleave(lambda: started.append(time.perf_counter()), lambda: None, repeats=2, least_s=0.01)
        assert len(started) > 100
        assert max(timing.ours_s) < 0.01

    def test_a_slower_peer_gives_a_ratio_over_one(self) -> None:
        timing = interleave(lambda: time.sleep(0.0005), lambda: time.sleep(0.02), repeats=3, least_s=0.0)
        assert timing.ratio > 2
        assert min(timing.peer_s) >= 0.02

    def test_what_other_processes_do_meanwhile_is_reported(self) -> None:
        spin = "import time; print(flush=True); t = time.monotonic() + 20\nwhile time.monotonic() < t: pass"
        with subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            disturbed = interleave(lambda: time.sleep(0.1), lambda: time.sleep(0.1), repeats=3, least_s=0.0)
            other.kill()
        assert disturbed.other_load > 0.3

    def test_progress_sees_every_turn(self) -> None:
        seen: list[int] = []

        def progress(turns: object) -> list[int]:
            assert isinstance(turns, range)
            seen.extend(turns)
            return list(turns)

        interleave(lambda: None, lambda: None, repeats=4, least_s=0.0, progress=progress)
        assert seen == [0, 1, 2, 3]

    def test_no_turn_at_all_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least 1, got 0"):
            interleave(lambda: None, lambda: None, repeats=0)

    def test_every_single_call_has_its_own_latency_and_number(self) -> None:
        numbers: list[int] = []
        assert latencies_s(numbers.append, calls=7).shape == (7,)
        assert numbers[-7:] == list(range(7))

    def test_a_row_gives_rates_from_medians_and_their_spread(self) -> None:
        row = benchmark_row(
            "embed, batch 8",
            Timing(ours_s=(0.5, 0.1, 0.2), peer_s=(0.8, 0.4, 1.6), other_load=0.25),
            items=8,
            unit="faces",
            peer_name="another",
            parity={"cosine_min": 1.0},
            version="openvino-f32",
            threads=2,
        )
        assert set(row) >= CONTRACT
        assert (row["ours"], row["peer"], row["ratio"], row["unit"]) == (40.0, 10.0, 4.0, "faces/s")
        assert (row["ours_spread"], row["peer_spread"]) == ([16.0, 80.0], [5.0, 20.0])
        assert (row["version"], row["threads"], row["repeats"], row["other_load"]) == ("openvino-f32", 2, 3, 0.25)


class TestParity:
    def test_templates_turned_from_the_reference_show_in_least_and_mean_cosine(self) -> None:
        reference = np.array([[1, 0], [1, 0]], np.float32)
        turned = np.array([[1, 0], [0.6, 0.8]], np.float32)
        assert cosine_parity(reference, reference) == {"cosine_min": 1.0, "cosine_mean": 1.0, "under_0_999": 0}
        assert cosine_parity(turned, reference) == {"cosine_min": 0.6, "cosine_mean": 0.8, "under_0_999": 1}

    @pytest.mark.parametrize(
        ("ours", "matched", "ours_only"),
        [
            ([(0, 0, 100, 100), (200, 200, 300, 300)], 1.0, 0),
            ([(0, 0, 100, 95), (200, 200, 300, 300)], 1.0, 0),
            ([(0, 0, 100, 85), (200, 200, 300, 300)], 0.5, 1),
            ([(0, 0, 100, 100)], 0.5, 0),
            ([(0, 0, 100, 100), (200, 200, 300, 300), (400, 400, 500, 500)], 1.0, 1),
            ([], 0.0, 0),
        ],
    )
    def test_a_box_of_the_peer_is_matched_where_ours_overlaps_it_by_nine_tenths(
        self, ours: list[tuple[float, float, float, float]], matched: float, ours_only: int
    ) -> None:
        peer = faces_at((0, 0, 100, 100), (200, 200, 300, 300))
        parity = box_parity([faces_at(*ours)], [peer])
        assert (parity["matched"], parity["ours_only"], parity["boxes"]) == (matched, ours_only, 2)

    def test_a_box_in_another_frame_matches_nothing(self) -> None:
        parity = box_parity([faces_at((0, 0, 9, 9)), faces_at()], [faces_at(), faces_at((0, 0, 9, 9))])
        assert (parity["matched"], parity["ours_only"]) == (0.0, 1)

    def test_without_a_box_of_the_peer_there_is_no_share(self) -> None:
        assert box_parity([faces_at((0, 0, 9, 9))], [faces_at()])["matched"] is None

    def test_a_tie_is_the_same_candidate_and_another_reference_is_not(self) -> None:
        references = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
        probe = np.array([[0.8, 0.6]], np.float32)
        ours = candidates([0, 2], [0.8, 0.6])
        tied = search_parity(ours, candidates([1, 2], [0.8, 0.6]), references=references, probes=probe)
        assert tied == {"same": 1.0, "identical": 0.5, "max_score_difference": 0.0}
        wrong = search_parity(ours, candidates([0, 1], [0.8, 0.8]), references=references, probes=probe)
        assert (wrong["same"], wrong["identical"]) == (0.5, 0.5)
        assert wrong["max_score_difference"] == pytest.approx(0.2)


class TestMachine:
    def test_the_facts_say_what_it_is_and_not_whose(self) -> None:
        facts = machine_facts()
        assert {"processor", "cores", "memory_gib", "bf16", "python", "packages"} <= set(facts)
        assert {"lfr", "numpy", "openvino", "torch"} <= set(facts["packages"])
        text = json.dumps(facts)
        for private in (platform.node(), str(Path.home()), f"/{getpass.getuser()}", str(Path.cwd())):
            assert private not in text

    def test_the_fastest_version_is_bf16_exactly_where_the_processor_has_it(self) -> None:
        assert VERSIONS[fastest_version()].precision == ("bf16" if has_bf16() else "f32")


class TestMatch:
    def test_both_searches_name_the_same_references(self) -> None:
        rows = bench_match(threads=1, references=[300, 2_000], probes=[1, 8], repeats=1)
        assert [(row["references"], row["probes"]) for row in rows] == [(300, 1), (300, 8), (2_000, 1), (2_000, 8)]
        for row in rows:
            assert set(row) >= CONTRACT
            assert row["parity"]["same"] == 1.0
            assert row["parity"]["max_score_difference"] < 1e-5
            assert row["unit"] == "probes/s"
            assert row["version"] == "none: random templates"

    def test_rows_of_one_probe_have_percentiles_over_single_searches(self) -> None:
        one, eight = bench_match(threads=1, references=[300], probes=[1, 8], repeats=1)
        assert 0 < one["p50_ms"] <= one["p99_ms"]
        assert 0 < one["peer_p50_ms"] <= one["peer_p99_ms"]
        assert "p99_ms" not in eight

    def test_fewer_references_than_candidates_wanted_are_all_found(self) -> None:
        (row,) = bench_match(threads=1, references=[3], probes=[2], repeats=1)
        assert (row["k"], row["parity"]["same"]) == (3, 1.0)

    def test_random_templates_have_unit_length(self) -> None:
        lengths = np.linalg.norm(random_templates(50, np.random.default_rng(0)), axis=1)
        assert np.allclose(lengths, 1, atol=1e-6)


class TestNetworks:
    def test_templates_agree_with_the_reference_at_every_batch_size(
        self, model: Model, reference_model: Model, demo_crops: Pixels, recogniser: FaceEmbedder
    ) -> None:
        rows = bench_embed(
            model,
            demo_crops[:6],
            peer=recogniser,
            reference=reference_model,
            threads=1,
            batches=[1, 8],
            repeats=1,
        )
        assert [row["name"] for row in rows] == ["embed, batch 1", "embed, batch 8"]
        for row in rows:
            assert set(row) >= CONTRACT
            assert row["version"] == "openvino-f32"
            assert row["parity"]["crops"] == 6
            assert row["parity"]["cosine_min"] >= 0.9999
            assert row["parity"]["peer_cosine_min"] >= 0.9999

    def test_the_detector_finds_what_opencv_finds(
        self, model: Model, demo_faces: list[Path], onnx_exports: dict[str, Export]
    ) -> None:
        peer = opencv_detector(onnx_exports["yunet"].path.read_bytes())
        frames = [picture(path) for path in demo_faces[:4]]
        (row,) = bench_detect(model, frames, peer=peer, threads=1, repeats=1)
        assert set(row) >= CONTRACT
        assert row["name"] == "detect, 224x224"
        assert row["parity"] == {"matched": 1.0, "iou": 0.9, "boxes": 4, "ours_only": 0, "frames": 4}

    def test_a_picture_without_a_face_gives_no_crop(self, model: Model, demo_faces: list[Path], tmp_path: Path) -> None:
        grey = tmp_path / "grey.png"
        cv2.imwrite(str(grey), np.full((64, 64, 3), 127, np.uint8))
        assert read_crops([demo_faces[0], grey], model).shape == (1, 112, 112, 3)
        with pytest.raises(InputError, match="no face was found in any of the 1 pictures"):
            read_crops([grey], model)

    def test_frames_are_brought_to_one_size_and_no_more_are_read_than_needed(self) -> None:
        frames = (Frame(i, i / 25, np.full((1080, 1920, 3), i, np.uint8)) for i in range(5))
        pictures = read_frames(frames, most=2)
        assert [pixels.shape for pixels in pictures] == [(FRAME_WH[1], FRAME_WH[0], 3)] * 2
        assert [int(pixels.max()) for pixels in pictures] == [0, 1]
        with pytest.raises(InputError, match="no frame"):
            read_frames([])


class TestPeers:
    @pytest.mark.parametrize("package", ["faiss", "onnxscript", "threadpoolctl"])
    def test_a_missing_extra_is_named_with_how_to_install_it(
        self, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, package, None)  # how Python blocks an import
        with pytest.raises(RuntimeUnavailableError, match=rf"needs {package}: pip install 'lfr\[bench\]'"):
            yunet_onnx() if package == "onnxscript" else bench_match(threads=1, references=[10], repeats=1)

    def test_threads_are_as_before_when_a_benchmark_is_over(self) -> None:
        before = cv2.getNumThreads()
        with equal_threads(before + 1):
            assert cv2.getNumThreads() == before + 1
        assert cv2.getNumThreads() == before


class TestCommands:
    def test_match_prints_one_document_with_rows_and_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LFR_THREADS", "1")
        result = CliRunner().invoke(app, ["bench", "match", "--references", "50", "--repeats", "1", "--json"])
        assert result.exit_code == 0
        document = json.loads(result.stdout)
        assert [row["probes"] for row in document["rows"]] == [1, 8, 64]
        assert {row["threads"] for row in document["rows"]} == {1}
        assert document["machine"]["cores"] >= 1

    def test_detect_measures_the_frames_given_on_the_version_named(self, demo_faces: list[Path]) -> None:
        arguments = ["--source", str(demo_faces[0]), "--model", "openvino-f32", "--threads", "1", "--repeats", "1"]
        result = CliRunner().invoke(app, ["bench", "detect", *arguments, "--json"])
        assert result.exit_code == 0
        (row,) = json.loads(result.stdout)["rows"]
        assert (row["name"], row["version"], row["threads"]) == ("detect, 1280x736", "openvino-f32", 1)
        assert (row["parity"]["matched"], row["parity"]["frames"]) == (1.0, 1)

    def test_people_get_a_table(self) -> None:
        result = CliRunner().invoke(app, ["bench", "match", "--references", "50", "--repeats", "1", "--threads", "1"])
        assert "match, 64 of 50" in result.stdout
        assert "faiss IndexFlatIP" in result.stdout

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (["detect", "--source", "rtsp://user:secret@camera/1"], RefusedError, "recorded files only"),
            (["pipeline", "--source", "rtsp://user:secret@camera/1"], RefusedError, "recorded files only"),
            (["serve", "--source", "rtsp://user:secret@camera/1"], RefusedError, "recorded files only"),
            (["detect", "--source", "no/such/video.mp4"], SourceError, "no/such/video.mp4: no such file"),
            (["embed", "--images", "no/such/folder"], InputError, "no/such/folder: no folder with pictures"),
        ],
    )
    def test_what_cannot_be_measured_is_refused_in_one_line(
        self, arguments: list[str], error: type[LfrError], message: str
    ) -> None:
        result = CliRunner().invoke(app, ["bench", *arguments])
        assert isinstance(result.exception, error)
        assert message in str(result.exception)
        assert "secret" not in str(result.exception)


@pytest.mark.long
def test_a_folder_of_frames_goes_the_way_of_a_video(tmp_path: Path, model: Model) -> None:
    for index, jpeg in enumerate(walk(LISTED, frames=8)):
        (tmp_path / f"{index}.jpg").write_bytes(jpeg)
    row = bench_pipeline(tmp_path, Recogniser(model), threads=1, references=100, detect_every=1, repeats=1)
    assert row["parity"] == {
        "coverage": 1.0, "faces": 8, "same_alerts": True, "alerts": 1, "missing": [], "extra": [],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["torch-f32", pytest.param("torch-cuda-bf16", marks=pytest.mark.gpu)])
def test_what_stays_on_a_device_comes_to_what_the_host_has(
    name: str, load: Callable[[str], Model], reference_model: Model, demo_faces: list[Path], demo_crops: Pixels
) -> None:
    frames = [picture(path) for path in demo_faces[:3]]
    rows = bench_device(
        load(name),
        demo_crops[:3],
        frames,
        reference=reference_model,
        threads=1,
        batch=5,
        probes=20,
        references=300,
        repeats=1,
    )
    assert [row["name"] for row in rows] == [
        "device: embed, batch 5",
        "device: 224x224, detect and align",
        "device: match, 20 of 300",
    ]
    assert [row["unit"] for row in rows] == ["faces/s", "frames/s", "probes/s"]
    assert rows[1]["parity"]["boxes"] >= 3
    assert failed_parity(rows) == []


def test_a_template_of_the_peer_outlives_its_next_call(demo_crops: Pixels, recogniser: FaceEmbedder) -> None:
    first = recogniser(demo_crops[0])
    kept = first.copy()
    recogniser(demo_crops[5])
    assert np.array_equal(first, kept)


def test_a_curve_that_is_off_by_more_than_rounding_is_not_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    right = evaluate._our_curves
    monkeypatch.setattr(evaluate, "_our_curves", lambda data: {cell: fmr + 2e-5 for cell, fmr in right(data).items()})
    comparisons, *_ = bench_evaluate(made_up_faces(600), threads=1, repeats=1)
    assert comparisons["parity"]["same_fmr"] is False


def test_evaluation_gives_what_the_obvious_loops_give() -> None:
    comparisons, bootstrap, by_row = bench_evaluate(made_up_faces(600), threads=1, repeats=1)
    assert comparisons["parity"]["same_fmr"] is True
    assert comparisons["parity"]["cells"] == 3
    assert bootstrap["parity"]["max_end_difference_in_widths"] < 0.35
    assert by_row["parity"]["max_rate_difference"] < 1e-12
