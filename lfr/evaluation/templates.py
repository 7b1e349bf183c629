"""Templates of a manifest's images, and the Parquet file they are kept in.

A file holds biometric templates of real people: it is made with mode 0600,
belongs in ``LFR_HOME/evaluation`` and goes to no run, log or message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lfr.errors import ManifestError, ModelMismatchError
from lfr.evaluation.acquisition import Acquired
from lfr.evaluation.manifest import Manifest, StrArray
from lfr.evaluation.private import write_whole
from lfr.types import BoolArray, Embeddings, IntArray
from lfr.vision import MEASURES, Quality, QualityPolicy

__all__ = ["Templates", "acquired_table", "read_templates", "table_acquired", "write_private", "write_templates"]

_FORMAT = b"lfr.templates.1"
_MODEL, _LENGTH = b"lfr.model_digest", b"lfr.template_length"
_GROUP = "group:"
_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Templates:
    """What a model made of a manifest, row by row.

    Attributes
    ----------
    manifest
        The n rows.
    embeddings
        (n, d) templates; all-NaN where no face was found (a failure to acquire).
    quality
        (n, measures) of the face that was used; all-NaN where there was none.
    faces_found
        (n,) faces in each image; of several the one nearest the centre was used.
    images
        (n,) SHA-256 of each image's bytes.
    model_version
        Name of the version; its digest is that of ``embeddings``.
    data_digest
        Digest of rows and images, from `lfr.evaluation.data_digest`.
    """

    manifest: Manifest
    embeddings: Embeddings = field(repr=False)
    quality: Quality = field(repr=False)
    faces_found: IntArray = field(repr=False)
    images: StrArray = field(repr=False)
    model_version: str
    data_digest: str

    def __post_init__(self) -> None:
        lengths = {len(self.embeddings), len(self.quality), len(self.faces_found), len(self.images)}
        if lengths != {len(self.manifest)}:
            raise ValueError(f"Templates: {len(self.manifest)} rows in the manifest, but columns of {sorted(lengths)}")
        vectors = self.embeddings.vectors[self.acquired]
        # A NaN compares as false, so what is not finite is refused too.
        unit = np.abs(np.linalg.norm(vectors, axis=1) - 1.0) <= _UNIT_TOLERANCE
        if not unit.all():
            row = int(np.flatnonzero(self.acquired)[unit.argmin()])
            raise ManifestError(
                f"{self.manifest.where(row)}, column template: not finite and of length 1, so its scores mean nothing"
            )

    def __len__(self) -> int:
        return len(self.manifest)

    def __getitem__(self, index: BoolArray | IntArray) -> Templates:
        """The rows a mask or an index array selects; the data digest stays that of the whole."""
        return replace(
            self,
            manifest=self.manifest[index],
            embeddings=self.embeddings[index],
            quality=Quality(self.quality.values[index]),
            faces_found=self.faces_found[index],
            images=self.images[index],
        )

    @property
    def acquired(self) -> BoolArray:
        """(n,) rows that have a template."""
        return np.asarray(self.faces_found > 0)

    @property
    def model_digest(self) -> str:
        """Digest of the model that made the templates."""
        return self.embeddings.model_digest

    def passed(self, policy: QualityPolicy) -> BoolArray:
        """(n,) rows with a template whose quality the policy finds good enough."""
        return self.acquired & np.array(policy.passed(self.quality), np.bool_)

    def for_manifest(self, manifest: Manifest, images: StrArray) -> Templates:
        """These templates under another manifest of the same images, whatever its paths and order.

        Parameters
        ----------
        manifest
            Its data digest is that of these templates.
        images
            (n,) digests of its images.
        """
        row_of = {image: row for row, image in enumerate(self.images.tolist())}
        rows = np.array([row_of[image] for image in images.tolist()], np.int64)
        return replace(self[rows], manifest=manifest)


def acquired_table(acquired: Acquired, images: StrArray) -> pa.Table:
    """What images gave, as a table: a null template and null measures for a failure to acquire."""
    vectors, lengths = acquired.templates.vectors, np.where(acquired.failed, 0, acquired.templates.vectors.shape[1])
    template = pa.ListArray.from_arrays(
        pa.array(np.append(0, np.cumsum(lengths)), pa.int32()),
        pa.array(vectors[~acquired.failed].ravel(), pa.float32()),
        mask=pa.array(acquired.failed),
    )
    measures = {name: pa.array(acquired.quality[name], pa.float32(), from_pandas=True) for name in MEASURES}
    said = {_MODEL: acquired.templates.model_digest.encode(), _LENGTH: str(vectors.shape[1]).encode()}
    columns = {"image_sha256": images.tolist(), "faces_found": acquired.faces_found, **measures, "template": template}
    return pa.table(columns).replace_schema_metadata(said)


def table_acquired(table: pa.Table) -> tuple[Acquired, StrArray]:
    """What `acquired_table` was given."""
    said = table.schema.metadata
    template = table["template"].combine_chunks()
    found = template.is_valid().to_numpy(zero_copy_only=False)
    vectors = np.full((len(table), int(said[_LENGTH])), np.nan, np.float32)
    vectors[found] = template.flatten().to_numpy(zero_copy_only=False).reshape(-1, vectors.shape[1])
    measures = [table[name].to_numpy().astype(np.float32) for name in MEASURES]
    return (
        Acquired(
            Embeddings(vectors, said[_MODEL].decode()),
            table["faces_found"].to_numpy().astype(np.int64),
            Quality(np.stack(measures, axis=1)),
        ),
        np.array(table["image_sha256"].to_pylist(), "<U64"),
    )


def write_templates(templates: Templates, path: Path) -> None:
    """Write a file that `read_templates` gives back; it appears whole or not at all.

    Raises
    ------
    ManifestError
        The file cannot be written.
    """
    manifest = templates.manifest
    acquired = Acquired(templates.embeddings, templates.faces_found, templates.quality)
    rows: dict[str, Any] = {
        "path": list(manifest.paths),
        "subject_id": manifest.subject_id.tolist(),
        "split": np.where(manifest.reference, "reference", "probe").tolist(),
        "track_id": manifest.track_id.tolist(),
        "line": manifest.line,
    }
    rows |= {_GROUP + name: labels.tolist() for name, labels in manifest.groups.items()}
    measured = acquired_table(acquired, templates.images)
    rows |= dict(zip(measured.column_names, measured.columns, strict=True))
    said = {
        **measured.schema.metadata,
        b"lfr.format": _FORMAT,
        b"lfr.manifest": manifest.name.encode(),
        b"lfr.model_version": templates.model_version.encode(),
        b"lfr.data_digest": templates.data_digest.encode(),
    }
    write_private(pa.table(rows).replace_schema_metadata(said), path)


def read_templates(path: Path, *, model_digest: str | None = None) -> Templates:
    """Read a file of templates.

    Parameters
    ----------
    path
        The file.
    model_digest
        The model that they must be of; None: any.

    Raises
    ------
    ManifestError
        The file is not there or none of templates, or a template is not finite; the row is named.
    ModelMismatchError
        Another model made the templates; both digests are named.
    """
    try:
        table = pq.read_table(path)
    except OSError as error:
        raise ManifestError(f"{path}: cannot read the templates: {error.strerror or 'no such file'}") from error
    except pa.ArrowInvalid as error:
        raise ManifestError(f"{path}: not a Parquet file") from error
    said: Mapping[bytes, bytes] = table.schema.metadata or {}
    if said.get(b"lfr.format") != _FORMAT:
        raise ManifestError(f"{path}: not a file of templates; `lfr evaluate embed` writes one")
    made_by = said[_MODEL].decode()
    if model_digest is not None and made_by != model_digest:
        raise ModelMismatchError(f"{path}: templates were made by model {made_by}, not by {model_digest}")
    acquired, images = table_acquired(table)
    groups = [name for name in table.column_names if name.startswith(_GROUP)]
    manifest = Manifest(
        said[b"lfr.manifest"].decode(),
        Path(),
        tuple(table["path"].to_pylist()),
        _text(table, "subject_id"),
        _text(table, "split") == "reference",
        _text(table, "track_id"),
        {name.removeprefix(_GROUP): _text(table, name) for name in groups},
        table["line"].to_numpy().astype(np.int64),
    )
    return Templates(
        manifest,
        acquired.templates,
        acquired.quality,
        acquired.faces_found,
        images,
        said[b"lfr.model_version"].decode(),
        said[b"lfr.data_digest"].decode(),
    )


def write_private(table: pa.Table, path: Path) -> None:
    """Write a Parquet file that only its owner may read, whole or not at all.

    Raises
    ------
    ManifestError
        It cannot be written there.
    """
    try:
        write_whole(path, lambda file: pq.write_table(table, file, compression="zstd"))
    except OSError as error:
        raise ManifestError(f"{path}: cannot write the templates: {error.strerror}") from error


def _text(table: pa.Table, name: str) -> StrArray:
    return np.array(table[name].to_pylist(), np.str_)
