from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.errors import ImageError, ManifestError
from lfr.sources.scene_portraits import Portrait, read_portraits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.full((32, 32, 3), 90, np.uint8))
    return tmp_path


def _manifest(folder: Path, text: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_manifest_and_other_columns_are_left_alone(folder: Path) -> None:
    manifest = _manifest(folder, "path,subject_id,group\na.png,s1,x\nb.png,s2,y\n")
    assert read_portraits(manifest) == (Portrait("s1", folder / "a.png"), Portrait("s2", folder / "b.png"))


def test_a_split_keeps_its_rows_only(folder: Path) -> None:
    manifest = _manifest(folder, "path,subject_id,split\na.png,s1,reference\nb.png,s1,probe\n")
    assert [portrait.path.name for portrait in read_portraits(manifest, split="probe")] == ["b.png"]


@pytest.mark.parametrize(
    ("text", "split", "message"),
    [
        ("file,subject_id\na.png,s1\n", None, "no column 'path'"),
        ("path,subject_id\na.png,s1\n", "probe", "no column 'split'"),
        ("path,subject_id\na.png,s1\n,s2\n", None, "line 3: no path"),
        ("path,subject_id\na.png,s1\nb.png\n", None, "line 3: no subject_id"),
        ("path,subject_id\na.png,s1\nc.png,s2\n", None, r"line 3: no image .*c\.png"),
        ("path,subject_id,split\na.png,s1,probe\nb.png,s2,\n", "probe", "line 3: no split"),
        ("path,subject_id,split\na.png,s1,reference\n", "probe", "no portrait with split 'probe'"),
        ("path,subject_id\n", None, "names no portrait"),
        ("", None, "no column 'path'"),
    ],
)
def test_a_malformed_manifest_is_refused_with_its_line(
    folder: Path, text: str, split: str | None, message: str
) -> None:
    with pytest.raises(ManifestError, match=message) as refused:
        read_portraits(_manifest(folder, text), split=split)
    assert "manifest.csv" in str(refused.value)


def test_a_manifest_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"missing\.csv"):
        read_portraits(tmp_path / "missing.csv")


def test_a_face_box_brings_a_larger_picture_to_the_common_layout(tmp_path: Path) -> None:
    picture = np.zeros((600, 800, 3), np.uint8)
    picture[200:382, 300:437] = 255
    cv2.imwrite(str(tmp_path / "wide.png"), picture)
    portrait = Portrait("s1", tmp_path / "wide.png", (300.0, 200.0, 437.0, 382.0)).read()
    assert portrait.shape == (224, 224, 3)
    rows, columns = np.nonzero(portrait[:, :, 0] > 127)
    assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == pytest.approx([43, 21, 180, 203], abs=1)


def test_a_face_box_outside_the_picture_is_refused(folder: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.png: face box"):
        Portrait("s1", folder / "a.png", (40.0, 40.0, 60.0, 60.0)).read()
