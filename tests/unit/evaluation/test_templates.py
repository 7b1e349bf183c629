"""A data set is embedded once: to one private file, the same each time, whatever broke off in between."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lfr.errors import ImageError, ManifestError, ModelMismatchError
from lfr.evaluation import (
    Acquired,
    Manifest,
    Part,
    Templates,
    embed,
    embed_locally,
    folder_manifest,
    image_digests,
    kept_templates,
    read_templates,
    templates_of,
    write_templates,
)
from lfr.models import Model
from lfr.types import Embeddings
from lfr.vision import MEASURES, Quality
from tests.unit.evaluation.builders import made_manifest, made_templates

SIDE = 8


def quick(parts: Sequence[Part], model: Model) -> Iterator[tuple[int, Acquired]]:
    """Embed elsewhere: vectors that follow from the bytes of each file, parts in reverse; empty files hold no face."""
    for part in reversed(parts):
        data = [file.read_bytes() for file in part.files]
        vectors = np.array([np.random.default_rng(list(some)).normal(size=SIDE) for some in data], np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = np.array([len(some) > 0 for some in data])
        vectors[~found] = np.nan
        quality = np.where(found[:, None], np.float32(70), np.float32(np.nan)).repeat(len(MEASURES), axis=1)
        yield part.number, Acquired(Embeddings(vectors, model.digest), found.astype(np.int64), Quality(quality))


@pytest.fixture
def many(tmp_path: Path) -> Manifest:
    """150 images in three parts; the 11th holds no face."""
    for number in range(150):
        folder = tmp_path / "many" / f"s{number // 3:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:03d}.png").write_bytes(b"" if number == 10 else str(number).encode())
    return folder_manifest(tmp_path / "many")


@pytest.fixture
def portraits(tmp_path: Path, demo_faces: list[Path]) -> Manifest:
    """Six demo faces of two subjects, and a grey picture."""
    for path in demo_faces[:6]:
        folder = tmp_path / "portraits" / path.stem[:4]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    (tmp_path / "portraits" / "zoe").mkdir()
    cv2.imwrite(str(tmp_path / "portraits" / "zoe" / "grey.png"), np.full((64, 64, 3), 128, np.uint8))
    return folder_manifest(tmp_path / "portraits")


def same(one: Templates, other: Templates) -> bool:
    return (
        np.array_equal(one.embeddings.vectors, other.embeddings.vectors, equal_nan=True)
        and np.array_equal(one.quality.values, other.quality.values, equal_nan=True)
        and np.array_equal(one.faces_found, other.faces_found)
        and one.images.tolist() == other.images.tolist()
        and one.manifest.paths == other.manifest.paths
        and one.data_digest == other.data_digest
    )


def test_what_is_read_is_what_was_embedded(portraits: Manifest, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "T.parquet"
    made = embed(portraits, model, path)
    kept = read_templates(path, model_digest=model.digest)
    assert same(made, kept)
    assert kept.acquired.tolist() == [True] * 6 + [False]
    assert np.isnan(kept.quality.values[6]).all()
    assert (kept.model_version, kept.model_digest) == ("openvino-f32", model.digest)
    assert kept.manifest.subject_id.tolist() == portraits.subject_id.tolist()
    alike = kept.embeddings.vectors[:6] @ kept.embeddings.vectors[:6].T
    assert alike[0, 1] > alike[0, 5]


def test_a_failure_to_acquire_is_a_row_with_a_null_template(portraits: Manifest, model: Model, tmp_path: Path) -> None:
    embed(portraits, model, tmp_path / "T.parquet")
    row = pq.read_table(tmp_path / "T.parquet").slice(6, 1).to_pylist()[0]
    assert row["template"] is None
    assert row["faces_found"] == 0
    assert {name: row[name] for name in MEASURES} == dict.fromkeys(MEASURES)


def test_file_and_data_card_are_for_the_owner_only(many: Manifest, model: Model, tmp_path: Path) -> None:
    embed(many, model, tmp_path / "T.parquet", executor=quick)
    assert stat.S_IMODE((tmp_path / "T.parquet").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "T.md").stat().st_mode) == 0o600
    card = (tmp_path / "T.md").read_text(encoding="utf-8")
    assert "150: 50 references, 100 probes" in card
    assert model.digest in card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["T.md", "T.parquet", "many"]


def test_the_same_images_give_the_same_bytes_broken_off_or_not(many: Manifest, model: Model, tmp_path: Path) -> None:
    embed(many, model, tmp_path / "whole.parquet", executor=quick)

    def until_the_second_part(done: Iterable[int], total: int) -> Iterator[int]:
        assert total == 150
        for count, row in enumerate(done):
            if count == 70:
                raise KeyboardInterrupt
            yield row

    broken = tmp_path / "broken.parquet"
    with pytest.raises(KeyboardInterrupt):
        embed(many, model, broken, executor=quick, progress=until_the_second_part)
    assert not broken.exists()
    asked: list[int] = []

    def watched(parts: Sequence[Part], model: Model) -> Iterator[tuple[int, Acquired]]:
        asked.extend(part.number for part in parts)
        return quick(parts, model)

    embed(many, model, broken, executor=watched)
    assert asked == [0]
    assert broken.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_parts_of_images_that_have_changed_are_made_again(many: Manifest, model: Model, tmp_path: Path) -> None:
    def stop(done: Iterable[int], total: int) -> Iterator[int]:
        yield from list(done)[:0]
        raise KeyboardInterrupt

    path = tmp_path / "T.parquet"
    with pytest.raises(KeyboardInterrupt):
        embed(many, model, path, executor=quick, progress=stop)
    many.files[70].write_bytes(b"another picture")
    made = embed(many, model, path, executor=quick)
    assert same(made, embed(many, model, tmp_path / "afresh.parquet", executor=quick))


def test_an_executor_with_another_model_is_refused(many: Manifest, model: Model, tmp_path: Path) -> None:
    def other(parts: Sequence[Part], _: Model) -> Iterator[tuple[int, Acquired]]:
        return quick(parts, Model(model.version, "another", model.detector, model.embedder))

    with pytest.raises(ModelMismatchError, match=f"by model another, not {model.digest}"):
        embed(many, model, tmp_path / "T.parquet", executor=other)


def test_an_executor_that_leaves_parts_out_is_noticed(many: Manifest, model: Model, tmp_path: Path) -> None:
    def lazy(parts: Sequence[Part], model: Model) -> Iterator[tuple[int, Acquired]]:
        return quick(parts[:2], model)

    with pytest.raises(ManifestError, match="1 of 3 parts were not embedded"):
        embed(many, model, tmp_path / "T.parquet", executor=lazy)
    assert not (tmp_path / "T.parquet").exists()


def test_a_file_of_another_model_is_refused_naming_both(many: Manifest, model: Model, tmp_path: Path) -> None:
    embed(many, model, tmp_path / "T.parquet", executor=quick)
    with pytest.raises(ModelMismatchError, match=f"by model {model.digest}, not by another"):
        read_templates(tmp_path / "T.parquet", model_digest="another")


def test_what_is_no_file_of_templates_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.parquet: cannot read"):
        read_templates(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no", encoding="utf-8")
    with pytest.raises(ManifestError, match="not a Parquet file"):
        read_templates(tmp_path / "text.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(ManifestError, match="not a file of templates"):
        read_templates(tmp_path / "other.parquet")


def test_a_template_that_gives_no_finite_score_is_named_by_row(tmp_path: Path) -> None:
    good = made_templates(made_manifest(["ann", "bob"], references=1), np.eye(2, SIDE, dtype=np.float32))
    good.embeddings.vectors[1, 3] = np.inf
    write_templates(good, tmp_path / "T.parquet")
    with pytest.raises(ManifestError, match=r"made\.csv, line 3, column template: not finite"):
        read_templates(tmp_path / "T.parquet")


def test_a_broken_image_is_no_failure_to_acquire(portraits: Manifest, model: Model, tmp_path: Path) -> None:
    portraits.files[1].write_bytes(b"no picture")
    with pytest.raises(ImageError, match=portraits.files[1].name):
        embed(portraits, model, tmp_path / "T.parquet", executor=embed_locally)


def test_a_folder_that_is_not_there_is_named(many: Manifest, model: Model, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot write here: No such file"):
        embed(many, model, tmp_path / "gone" / "T.parquet", executor=quick)


def test_kept_templates_serve_the_same_images_in_another_order(many: Manifest, model: Model, tmp_path: Path) -> None:
    home = tmp_path / "home"
    images = image_digests(many)
    assert kept_templates(many, model, home, images=images) is None
    first = templates_of(many, model, home, executor=quick)
    assert stat.S_IMODE(home.stat().st_mode) == stat.S_IMODE((home / "evaluation").stat().st_mode) == 0o700
    turned = np.arange(len(many))[::-1]

    def never(parts: Sequence[Part], model: Model) -> Iterator[tuple[int, Acquired]]:
        raise AssertionError("embedded again")

    again = templates_of(many[turned], model, home, executor=never)
    assert same(again, first[turned])
