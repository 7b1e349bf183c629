"""The ``lfr`` command as its users run it: real processes, real models."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from lfr.models import SFACE, YUNET, weights_folder

Result = subprocess.CompletedProcess[str]


def lfr(*arguments: str | Path, timeout_s: float = 240.0, **environment: str) -> Result:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LFR_")}
    return subprocess.run(
        [sys.executable, "-m", "lfr.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=clean | environment,
        check=False,
    )


def document(result: Result) -> dict[str, Any]:
    assert result.returncode == 0, result.stderr
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def assert_one_clear_line(result: Result, *needed: str) -> None:
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert result.returncode == 2, (result.returncode, result.stderr)
    assert result.stdout == ""
    assert len(lines) == 1, lines
    assert lines[0].startswith("lfr: ")
    for word in needed:
        assert word in lines[0]


@pytest.fixture(scope="module")
def portraits(demo_faces: list[Path]) -> dict[str, Path]:
    return {path.stem: path for path in demo_faces}


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"IEND"
    chunks = [struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))]
    chunks += [struct.pack(">I", 0) + end + struct.pack(">I", zlib.crc32(end))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_evaluate_scene_is_the_same_twice() -> None:
    runs = [document(lfr("evaluate", "scene", "--duration", "12", "--fps", "5", "--json")) for _ in range(2)]
    assert runs[0] == runs[1]
    assert {"faces_seen", "tpir", "fpir", "alerts"} <= set(runs[0])


def test_detect_gives_boxes_landmarks_and_quality_and_draws(portraits: dict[str, Path], tmp_path: Path) -> None:
    out = document(lfr("detect", portraits["s001_a"], "--draw", tmp_path, "--json"))
    (image,) = out["images"]
    (face,) = image["faces"]
    assert len(face["xyxy"]) == 4
    assert np.array(face["landmarks"]).shape == (5, 2)
    assert face["quality"]["Sharpness"] > 0
    assert cv2.imread(image["drawn"]) is not None


def test_compare_scores_one_person_over_two(portraits: dict[str, Path]) -> None:
    same = document(lfr("compare", portraits["s001_a"], portraits["s001_b"], "--json"))["score"]
    other = document(lfr("compare", portraits["s001_a"], portraits["s002_a"], "--json"))["score"]
    assert same > 0.4 > other


def test_models_verify_passes_and_fails_after_one_changed_byte(portraits: dict[str, Path], tmp_path: Path) -> None:
    assert document(lfr("models", "verify", "--json"))["verified"] is True
    for file in (YUNET, SFACE):
        shutil.copy(weights_folder() / file.file_name, tmp_path)
    path = tmp_path / SFACE.file_name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result = lfr("models", "verify", "--weights", tmp_path, "--json")
    assert result.returncode == 1
    verdicts = {row["network"]: row["verified"] for row in json.loads(result.stdout)["files"]}
    assert verdicts == {"yunet": True, "sface": False}
    a = portraits["s001_a"]
    assert_one_clear_line(lfr("compare", a, a, LFR_WEIGHTS=str(tmp_path)), "sface", "SHA-256")


def test_rehearse_alerts_on_people_who_are_in_a_real_video_and_on_no_other(eval_data: Path) -> None:
    video = eval_data / "video"
    out = document(
        lfr(
            "rehearse",
            video / "hamilton_360p.mp4",
            "--watchlist",
            video / "hamilton_enrol",
            "--threshold",
            "0.40",
            "--json",
        )
    )
    alerted = {alert["subject_id"] for alert in out["alerts"]}
    assert out["rehearsal"] is True
    assert alerted == {"lin-manuel-miranda", "alex-lacamoire", "obama"}
    assert out["watchlist_size"] == 4


@pytest.mark.parametrize("source", ["rtsp://user:secret@127.0.0.1:9/x", "http://127.0.0.1/x.mp4", "0", "/dev/video0"])
def test_rehearsal_of_anything_live_is_refused(source: str, tmp_path: Path) -> None:
    result = lfr("rehearse", source, "--watchlist", tmp_path, "--threshold", "0.4", "--json")
    assert_one_clear_line(result, "rehearsal")
    assert "secret" not in result.stderr


def truncated(path: Path, portrait: Path) -> None:
    path.write_bytes(portrait.read_bytes()[:4000])


def no_face(path: Path, _: Path) -> None:
    Image.new("RGB", (200, 200), (120, 130, 140)).save(path, "PNG")


def two_faces(path: Path, portrait: Path) -> None:
    face = Image.open(portrait)
    both = Image.new("RGB", (480, 240), (120, 130, 140))
    both.paste(face, (8, 8))
    both.paste(face, (248, 8))
    both.save(path, "PNG")


def animated(path: Path, portrait: Path) -> None:
    face = Image.open(portrait)
    face.save(path, "GIF", save_all=True, append_images=[face.rotate(5)])


UNUSABLE: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "missing": (lambda path, _: None, "cannot read"),
    "empty": (lambda path, _: path.write_bytes(b""), "empty"),
    "truncated": (truncated, "truncated"),
    "text": (lambda path, _: path.write_text("not a picture"), "not a picture"),
    "1x1": (lambda path, _: Image.new("RGB", (1, 1)).save(path, "PNG"), "1x1"),
    "bomb": (lambda path, _: path.write_bytes(png_header(40_000, 40_000)), "which is the limit"),
    "animated": (animated, "2 frames"),
    "no face": (no_face, "no face found"),
    "several faces": (two_faces, "SingleFacePresent"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_unusable_picture_gets_one_line_that_names_it(case: str, portraits: dict[str, Path], tmp_path: Path) -> None:
    make, reason = UNUSABLE[case]
    path = tmp_path / "bad.png"
    make(path, portraits["s001_a"])
    assert_one_clear_line(lfr("compare", path, portraits["s001_a"], "--json"), str(path), reason)


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "I;16", "P"])
def test_a_picture_of_another_kind_of_pixels_is_the_same_person(
    mode: str, portraits: dict[str, Path], tmp_path: Path
) -> None:
    face = Image.open(portraits["s001_a"])
    wide = Image.fromarray(np.asarray(face.convert("L"), np.uint16) * 257)
    odd = wide if mode == "I;16" else face.convert(mode)
    path = tmp_path / ("odd.jpg" if mode == "CMYK" else "odd.png")
    odd.save(path)
    assert document(lfr("compare", path, portraits["s001_a"], "--json"))["score"] > 0.8


def test_a_watchlist_with_an_unusable_picture_names_it_and_the_measure(
    portraits: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "watchlist"
    folder.mkdir()
    shutil.copy(portraits["s001_a"], folder)
    blurred = np.asarray(Image.open(portraits["s002_a"]).resize((28, 28)).resize((224, 224)))
    Image.fromarray(blurred).save(folder / "anna.png")
    result = lfr("rehearse", portraits["s001_b"], "--watchlist", folder, "--threshold", "0.4", "--json")
    assert_one_clear_line(result, "anna.png", "Sharpness")


def test_a_video_that_breaks_off_says_where(portraits: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "watchlist"
    folder.mkdir()
    shutil.copy(portraits["s001_a"], folder)
    video = tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (320, 240))
    for i in range(40):
        writer.write(np.full((240, 320, 3), 3 * i, np.uint8))
    writer.release()
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    result = lfr("rehearse", video, "--watchlist", folder, "--threshold", "0.4", "--json")
    assert_one_clear_line(result, "cut.avi")


def test_what_is_not_here_is_refused_by_name(portraits: dict[str, Path]) -> None:
    a = portraits["s001_a"]
    assert_one_clear_line(lfr("compare", a, a, "--model", "no-such"), "no-such", "openvino-f32")
    assert_one_clear_line(lfr("compare", a, a, LFR_THREADS="many"), "LFR_THREADS")


def test_cuda_asked_for_where_there_is_none_is_an_error_and_not_a_fallback(portraits: dict[str, Path]) -> None:
    a = portraits["s001_a"]
    assert_one_clear_line(lfr("compare", a, a, "--model", "torch-cuda-f32", CUDA_VISIBLE_DEVICES=""), "CUDA")


@pytest.mark.parametrize("command", ["demo", "rehearse", "detect", "compare", "models", "evaluate", "bench"])
def test_every_command_explains_itself(command: str) -> None:
    result = lfr(command, "--help")
    assert result.returncode == 0
    assert "Usage" in result.stdout
