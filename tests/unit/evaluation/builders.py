"""Small data sets: of demo faces in the form of public ones, and of made-up scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lfr.evaluation import Manifest, Searches, Templates, run_searches
from lfr.types import Embeddings, FloatArray
from lfr.vision import MEASURES, Quality


def lfw_of_demo_faces(folder: Path, demo_faces: list[Path]) -> Path:
    """LFW's form with four subjects, two folds and eight pairs; the last image holds no face.

    That image is in one mated and one non-mated pair, both of the second fold.
    """
    by_name = {path.stem: path for path in demo_faces}
    lines = ["2\t2"]
    for first, second in (("s001", "s002"), ("s003", "s004")):
        lines += [f"{first}\t1\t2", f"{second}\t1\t2", f"{first}\t1\t{second}\t1", f"{first}\t2\t{second}\t2"]
    (folder / "pairs.txt").write_text("\n".join(lines), encoding="utf-8")
    for subject in ("s001", "s002", "s003", "s004"):
        (folder / subject).mkdir()
        for number, variant in ((1, "a"), (2, "b")):
            target = folder / subject / f"{subject}_{number:04d}.jpg"
            target.write_bytes(by_name[f"{subject}_{variant}"].read_bytes())
    cv2.imwrite(str(folder / "s004" / "s004_0002.jpg"), np.full((224, 224, 3), 128, np.uint8))
    return folder


def made_manifest(
    subjects: Sequence[str],
    *,
    references: int,
    tracks: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Manifest:
    """Rows of images that are nowhere; the first ``references`` are references."""
    n = len(subjects)
    return Manifest(
        "made.csv",
        Path("nowhere"),
        tuple(f"{row}.jpg" for row in range(n)),
        np.array(subjects, np.str_),
        np.arange(n) < references,
        np.array(tracks or [""] * n, np.str_),
        {name: np.array(labels, np.str_) for name, labels in (groups or {}).items()},
        np.arange(2, n + 2),
    )


def made_templates(
    manifest: Manifest, vectors: NDArray[np.floating[Any]], *, quality: FloatArray | None = None
) -> Templates:
    """Templates with given vectors, which are brought to length 1; an all-NaN row is a failure to acquire."""
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    found = ~np.isnan(unit[:, 0])
    values = np.where(found[:, None], np.float32(80), np.float32(np.nan)).repeat(len(MEASURES), axis=1)
    return Templates(
        manifest,
        Embeddings(unit, "digest of a model"),
        Quality(values.astype(np.float32) if quality is None else quality),
        found.astype(np.int64),
        np.array([f"{row:064x}" for row in range(len(manifest))]),
        "made",
        "digest of the data",
    )


def counted_searches(
    groups: Mapping[str, tuple[int, int, int, int]],
    *,
    column: str = "group",
    lamb: str = "",
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> Searches:
    """Searches with given outcomes at threshold 0.5: of each group mated people, those found, others, those alerted.

    Every person is searched once. False alerts go to references in turn, or all to ``lamb``'s; ``labels`` are
    further columns by group.
    """
    listed = [(name, i) for name, (mated, *_) in groups.items() for i in range(mated)] or [("nobody", 0)]
    axis = {person: i for i, person in enumerate(listed)}
    rows: list[tuple[str, str, int]] = [(f"{name} {i}", name, axis[name, i]) for name, i in listed]
    in_turn = 0
    for name, (mated, found, others, alerted) in groups.items():
        rows += [(f"{name} {i}", name, axis[name, i] if i < found else len(axis)) for i in range(mated)]
        for i in range(others):
            at = len(axis)
            if i < alerted:
                at = [f"{of} {number}" for of, number in listed].index(lamb) if lamb else in_turn % len(listed)
                in_turn += 1
            rows.append((f"other {name} {i}", name, at))
    vectors = np.full((len(rows), len(axis) + 1), 1e-3)
    vectors[np.arange(len(rows)), [at for *_, at in rows]] = 1.0
    columns = {column: [name for _, name, _ in rows]}
    for extra, of in (labels or {}).items():
        columns[extra] = [of[name] for _, name, _ in rows]
    manifest = made_manifest([who for who, *_ in rows], references=len(listed), groups=columns)
    return run_searches(made_templates(manifest, vectors))


def calibratable(
    *, listed: int = 20, others: int = 400, tracks: int | None = None, model_digest: str = "ab" * 32
) -> Templates:
    """Listed subjects with a reference and a mated pass, others with a non-mated one; tracks of so many images."""
    rng = np.random.default_rng(3)
    each = tracks or 1
    people = [f"s{i}" for i in range(listed)] + [f"o{i}" for i in range(others)]
    subjects = people[:listed] + [name for name in people for _ in range(each)]
    centre = {name: rng.normal(size=24) for name in people}
    vectors = np.array([centre[name] + rng.normal(size=24) * 0.3 for name in subjects])
    ids = ["" if row < listed or tracks is None else f"t-{name}" for row, name in enumerate(subjects)]
    templates = made_templates(made_manifest(subjects, references=listed, tracks=ids), vectors)
    vectors_of_model = Embeddings(templates.embeddings.vectors, model_digest)
    return replace(templates, embeddings=vectors_of_model, data_digest="cd" * 32)
