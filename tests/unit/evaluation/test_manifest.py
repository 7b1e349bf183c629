"""A manifest is read whole or refused by row and column; nobody without a label is dropped."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import (
    UNLABELLED,
    data_digest,
    demo_faces,
    folder_manifest,
    image_digests,
    lfw_manifest,
    read_manifest,
    write_manifest,
)

GOOD = """path,subject_id,split,track_id,sex,age
images/a1.png,ann,reference,,F,
images/a2.png,ann,probe,t1,F,30
images/b1.png,bob,probe,t2,,40
images/b2.png,bob,probe,t2,,40
"""


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for value, name in enumerate(("a1", "a2", "b1", "b2")):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), np.full((20, 20, 3), value, np.uint8))
    path = tmp_path / "M.csv"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_rows_have_subject_split_track_and_groups(csv: Path) -> None:
    manifest = read_manifest(csv)
    assert len(manifest) == 4
    assert manifest.subject_id.tolist() == ["ann", "ann", "bob", "bob"]
    assert manifest.reference.tolist() == [True, False, False, False]
    assert manifest.mated.tolist() == [False, True, False, False]
    assert manifest.track_id.tolist() == ["", "t1", "t2", "t2"]
    assert manifest.files[3] == csv.parent / "images" / "b2.png"
    assert list(manifest.groups) == ["sex", "age"]


def test_whoever_has_no_label_is_a_group_of_their_own(csv: Path) -> None:
    manifest = read_manifest(csv)
    assert manifest.group("sex").tolist() == ["F", "F", UNLABELLED, UNLABELLED]
    assert manifest.group("sex", "age").tolist()[:2] == [f"F,{UNLABELLED}", "F,30"]


def test_a_byte_order_mark_spaces_and_windows_line_ends_do_not_matter(csv: Path) -> None:
    plain = read_manifest(csv)
    text = GOOD.replace(",", " , ").replace("\n", "\r\n")
    csv.write_bytes(b"\xef\xbb\xbf" + text.encode())
    again = read_manifest(csv)
    assert again.paths == plain.paths
    assert again.group("sex", "age").tolist() == plain.group("sex", "age").tolist()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("path,", "image,", "line 1: no column 'path'; there are: image, subject_id"),
        (",split,", ",part,", "line 1: no column 'split'"),
        ("sex,age", "sex,sex", "line 1: column 'sex' is named twice"),
        ("a2.png,ann,probe", "a2.png,ann,query", "line 3, column split: expected reference or probe, found 'query'"),
        ("a2.png,ann,", "a2.png,,", "line 3, column subject_id: no value"),
        ("images/a2.png,", ",", "line 3, column path: no value"),
        ("images/b2.png", "images/../images/a1.png", "line 5, column path: 'images/../images/a1.png' is on line 2"),
        ("images/b1.png", "images/gone.png", "line 4, column path: no image"),
        ("b2.png,bob", "b2.png,bea", "line 5, column track_id: 't2' shows 'bea', and 'bob' on line 4"),
        ("F,30", "F", "line 3: 5 values for 6 columns"),
        ("F,30", '"F,30', "not a CSV file in UTF-8"),
    ],
)
def test_what_cannot_be_used_is_named_by_line_and_column(old: str, new: str, complaint: str, csv: Path) -> None:
    csv.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ManifestError) as refusal:
        read_manifest(csv)
    assert str(refusal.value).startswith(str(csv))
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_binary_or_empty_manifest_is_named(csv: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.csv: cannot read the manifest: No such file"):
        read_manifest(csv.parent / "none.csv")
    csv.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="not a CSV file in UTF-8"):
        read_manifest(csv)
    csv.write_text("path,subject_id,split\n", encoding="utf-8")
    with pytest.raises(ManifestError, match="names no image"):
        read_manifest(csv)


def test_a_subject_in_both_splits_is_refused_where_the_protocol_forbids_it(csv: Path) -> None:
    with pytest.raises(ManifestError, match="line 3, column subject_id: 'ann' is a reference and a probe"):
        read_manifest(csv, disjoint_subjects=True)


def test_an_unknown_group_is_named_with_those_there_are(csv: Path) -> None:
    with pytest.raises(ManifestError, match="no group column 'ethnicity'; there are: sex, age"):
        read_manifest(csv).group("ethnicity")
    with pytest.raises(ManifestError, match="no column 'ethnicity'"):
        read_manifest(csv, columns=["ethnicity"])


def test_a_manifest_written_elsewhere_names_the_same_images(csv: Path, tmp_path: Path) -> None:
    manifest = read_manifest(csv)
    (tmp_path / "elsewhere").mkdir()
    write_manifest(manifest, tmp_path / "elsewhere" / "M.csv")
    again = read_manifest(tmp_path / "elsewhere" / "M.csv")
    assert [file.resolve() for file in again.files] == [file.resolve() for file in manifest.files]
    assert data_digest(again, image_digests(again)) == data_digest(manifest, image_digests(manifest))


def test_the_data_digest_is_of_rows_and_bytes_and_not_of_their_order(csv: Path) -> None:
    manifest = read_manifest(csv)
    images = image_digests(manifest)
    digest = data_digest(manifest, images)
    turned = np.array([2, 0, 3, 1])
    assert data_digest(manifest[turned], images[turned]) == digest
    csv.write_text(GOOD.replace("F,30", "M,30"), encoding="utf-8")
    relabelled = read_manifest(csv)
    assert data_digest(relabelled, image_digests(relabelled)) != digest
    cv2.imwrite(str(csv.parent / "images" / "b2.png"), np.full((20, 20, 3), 99, np.uint8))
    assert data_digest(manifest, image_digests(manifest)) != digest


def test_an_image_that_cannot_be_read_is_named_by_line(csv: Path) -> None:
    manifest = read_manifest(csv)
    manifest.files[2].unlink()
    with pytest.raises(ManifestError, match="line 4, column path: cannot read"):
        image_digests(manifest)


def test_of_a_folder_per_subject_the_first_image_is_the_reference(tmp_path: Path) -> None:
    for name in ("ann/2.png", "ann/1.png", "ann/3.png", "bob/1.png", "ann/notes.txt", ".hidden/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    manifest = folder_manifest(tmp_path)
    assert manifest.paths == ("ann/1.png", "ann/2.png", "ann/3.png", "bob/1.png")
    assert manifest.reference.tolist() == [True, False, False, False]
    assert manifest.mated.tolist() == [False, True, True, False]
    with pytest.raises(ManifestError, match="no such folder"):
        folder_manifest(tmp_path / "gone")
    with pytest.raises(ManifestError, match="no image in a folder"):
        folder_manifest(tmp_path / "bob")


def test_lfws_labels_are_those_of_the_subject(tmp_path: Path) -> None:
    for name in ("ann/ann_0001.jpg", "ann/ann_0002.jpg", "bob/bob_0001.jpg"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).write_bytes(b"")
    header = "image,subject_id,sex,sex_source,ethnicity,ethnicity_source\n"
    labels = tmp_path / "demographics.csv"
    labels.write_text(header + "ann_0001.jpg,ann,F,checked,,\nann_0002.jpg,ann,,,asian,public\n", encoding="utf-8")
    manifest = lfw_manifest(tmp_path)
    assert manifest.group("sex").tolist() == ["F", "F", UNLABELLED]
    assert manifest.group("ethnicity").tolist() == ["asian", "asian", UNLABELLED]
    labels.write_text(header + "1,ann,F,,,\n2,ann,M,,,\n", encoding="utf-8")
    with pytest.raises(ManifestError, match="line 3, column sex: 'ann' is 'M' here and 'F' before"):
        lfw_manifest(tmp_path)


def test_all_of_lfw_has_the_published_counts(eval_data: Path) -> None:
    manifest = lfw_manifest(eval_data / "lfw")
    assert len(manifest) == 13_233
    assert int(manifest.reference.sum()) == 1_680
    assert int(manifest.mated.sum()) == 7_484
    assert int((~manifest.reference & ~manifest.mated).sum()) == 4_069
    assert set(manifest.group("sex").tolist()) == {"F", "M", UNLABELLED}


def test_the_demo_faces_have_19_references_and_80_non_mated_probes() -> None:
    manifest = demo_faces()
    assert (len(manifest), int(manifest.reference.sum()), int(manifest.mated.sum())) == (136, 19, 37)
    assert set(manifest.groups) == {"source_sex", "source_ethnicity"}
    assert all(file.is_file() for file in manifest.files)
