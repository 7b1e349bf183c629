"""``lfr evaluate detection``: which faces are found, by size, and of which group they are missed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, err, out, recogniser_for, track
from lfr.cli.evaluation_data import (
    DatasetOption,
    ManifestOption,
    RootOption,
    TemplatesOption,
    about,
    templates_for,
)
from lfr.errors import InputError

if TYPE_CHECKING:
    from lfr.evaluation import Finder

__all__ = ["detection"]


def detection(
    wider: Annotated[
        Path | None,
        typer.Option("--wider", metavar="FOLDER", help="WIDER FACE subset: gt.csv and images/ of 416x416."),
    ] = None,
    manifest: ManifestOption = None,
    dataset: DatasetOption = None,
    root: RootOption = None,
    templates: TemplatesOption = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMNS", help="Group columns of the manifest, joined by commas.")
    ] = None,
    peer: Annotated[
        bool, typer.Option("--peer", help="Also run OpenCV's FaceDetectorYN on an ONNX export of the detector.")
    ] = False,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Count faces found and missed: against labelled boxes by face size, and on a manifest by group.

    With --wider: average precision at an overlap of one half over faces at
    least 10 pixels wide, and by width with precision and recall at the score
    that live frames are held to. The pictures are a shrunken subset: compare
    detectors with each other here, and not with figures published for WIDER
    FACE. With a manifest: the share of images without a face, and with none
    that the quality gate takes, by group.
    """
    labelled = any(option is not None for option in (manifest, dataset, templates))
    if wider is None and not labelled:
        raise InputError("which data: give --wider, or one of --manifest, --dataset and --templates, or both")
    if by is not None and not labelled:
        raise InputError("--by names columns of a manifest: give one of --manifest, --dataset and --templates")
    document: dict[str, Any] = {}
    if labelled:
        from lfr.evaluation import misses_by_group

        found = templates_for(manifest, dataset, root, templates, model=model, threads=threads)
        columns = tuple(by.split(",")) if by else ()
        document |= about(found) | {"groups": [row.as_dict() for row in misses_by_group(found, columns)]}
    if wider is not None:
        document |= _against_boxes(wider, model=model, threads=threads, peer=peer)
    emit(document, as_json=json, show=partial(_show, document))


def _against_boxes(wider: Path, *, model: str | None, threads: int | None, peer: bool) -> dict[str, Any]:
    from lfr.evaluation import ALL_SCORES, by_face_size, find_faces, opencv_finder, precision_recall, read_wider
    from lfr.vision import SCORE_THRESHOLD, Detector

    images = read_wider(wider)
    loaded = recogniser_for(model, threads=threads).model
    finders: dict[str, Finder] = {"ours": Detector(loaded.detector, score_threshold=ALL_SCORES).detect}
    if peer:
        with err.status("exporting for OpenCV"):
            finders["peer"] = opencv_finder(_exported_detector())
    documents = {}
    for name, finder in finders.items():
        found = find_faces(images, finder, progress=partial(track, description=name, total=len(images)))
        result = precision_recall(found, images)
        precision, recall = result.at(SCORE_THRESHOLD)
        documents[name] = {
            **result.as_dict(),
            "score_threshold": SCORE_THRESHOLD,
            "precision": precision.as_dict(),
            "recall": recall.as_dict(),
            "by_face_size": [band.as_dict() for band in by_face_size(found, images, score_threshold=SCORE_THRESHOLD)],
        }
    document = {
        "model": {"version": loaded.version.name, "digest": loaded.digest},
        "images": len(images),
        **documents["ours"],
    }
    return document | ({"peer": {"name": "OpenCV FaceDetectorYN", **documents["peer"]}} if peer else {})


def _show(document: Mapping[str, Any]) -> None:
    if "average_precision" in document:
        out.print(f"{document['images']} images, {document['faces']} faces")
        _show_sizes("average precision", document)
        if "peer" in document:
            _show_sizes(document["peer"]["name"], document["peer"])
    if "groups" in document:
        table = Table(
            "group", "images", "subjects", "no face found", "95% interval", "none good enough", "95% interval"
        )
        for row in document["groups"]:
            label = ", ".join(row["group"].values()) or "everybody"
            rates = [_rate(row[name]) for name in ("failures_to_acquire", "refused")]
            table.add_row(label, f"{row['images']:,}", f"{row['subjects']:,}", *rates)
        out.print(table)


def _show_sizes(name: str, document: Mapping[str, Any]) -> None:
    out.print(f"{name} [bold]{document['average_precision']:.4f}[/]")
    title = f"at score {document['score_threshold']:g}, 95% intervals over images"
    table = Table("width", "faces", "average precision", "precision", "recall", title=title)
    for band in document["by_face_size"]:
        under = band["under_px"]
        width = f"{band['from_px']:g} px and over" if under is None else f"{band['from_px']:g} to {under:g} px"
        if not band["faces"]:
            table.add_row(width, "0", *"---")
            continue
        rates = [_rate(band[rate]) for rate in ("precision", "recall")]
        table.add_row(width, f"{band['faces']:,}", f"{band['average_precision']:.4f}", *rates)
    out.print(table)


def _rate(rate: Mapping[str, Any]) -> str:
    return "-" if rate["value"] is None else f"{rate['value']:.4f} ({rate['low']:.4f} to {rate['high']:.4f})"


def _exported_detector() -> bytes:
    from lfr.models import onnx_bytes, weights_folder
    from lfr.models.weights import load_yunet
    from lfr.settings import read_settings

    return onnx_bytes(load_yunet(read_settings().weights or weights_folder()))
