"""``lfr evaluate``: a model version against labelled data."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, err, out, recogniser_for, track

if TYPE_CHECKING:
    from lfr.evaluation import Finder
    from lfr.models import Model

__all__ = ["app"]

app = typer.Typer(help="Measure a model version on labelled data.", no_args_is_help=True)


@app.command()
def verification(
    lfw: Annotated[
        Path, typer.Option("--lfw", metavar="FOLDER", help="LFW: pairs.txt, and the images in it or in images/.")
    ],
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="FILE", help="Another pairs file.  [default: FOLDER/pairs.txt]")
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Compare one to one by LFW's ten-fold protocol: accuracy, and FNMR at given FMRs.

    Good for finding regressions. LFW's people are in the training data of
    many models, and no field threshold may be taken from it.
    """
    from lfr.evaluation import read_lfw_pairs, verify_pairs

    protocol = read_lfw_pairs(pairs or lfw / "pairs.txt")
    images = lfw / "images" if (lfw / "images").is_dir() else lfw
    loaded = recogniser_for(model, threads=threads).model
    progress = partial(track, description="embedding", total=len(protocol.images))
    result = verify_pairs(images, protocol, loaded, progress=progress)
    document = {**_model(loaded), **result.as_dict()}

    def show() -> None:
        accuracy = result.accuracy
        out.print(f"{document['images']} images, {result.mated} mated and {result.non_mated} non-mated pairs")
        out.print(f"failures to acquire: {document['failures_to_acquire']}")
        deviation = accuracy.standard_deviation
        out.print(f"accuracy [bold]{accuracy.mean:.4f}[/]  ({len(accuracy.folds)} folds, deviation {deviation:.4f})")
        table = Table("FMR at most", "FNMR", "95% interval over subjects", "threshold")
        for point in result.fnmr_at_fmr:
            rate = point.fnmr
            table.add_row(
                f"{point.fmr:g}", f"{rate.value:.4f}", f"{rate.low:.4f} to {rate.high:.4f}", f"{point.threshold:.3f}"
            )
        for target in result.insufficient_data:
            table.add_row(f"{target:g}", "insufficient data", f"{result.non_mated} non-mated comparisons", "-")
        out.print(table)

    emit(document, as_json=json, show=show)


@app.command()
def detection(
    wider: Annotated[
        Path, typer.Option("--wider", metavar="FOLDER", help="WIDER FACE subset: gt.csv and images/ of 416x416.")
    ],
    peer: Annotated[
        bool, typer.Option("--peer", help="Also run OpenCV's FaceDetectorYN on an ONNX export of the detector.")
    ] = False,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Average precision of the detector, at an overlap of one half, over faces at least 10 pixels wide.

    The pictures are a shrunken subset: compare detectors with each other
    here, and not with figures published for WIDER FACE.
    """
    from lfr.evaluation import ALL_SCORES, evaluate_detection, opencv_finder, read_wider
    from lfr.vision import Detector

    images = read_wider(wider)
    loaded = recogniser_for(model, threads=threads).model
    finders: dict[str, Finder] = {"ours": Detector(loaded.detector, score_threshold=ALL_SCORES).detect}
    if peer:
        with err.status("exporting for OpenCV"):
            finders["peer"] = opencv_finder(_exported_detector())
    results = {
        name: evaluate_detection(images, finder, progress=partial(track, description=name, total=len(images)))
        for name, finder in finders.items()
    }
    ours = results["ours"]
    document = {**_model(loaded), "images": len(images), **ours.as_dict()}
    if peer:
        document["peer"] = {"name": "OpenCV FaceDetectorYN", **results["peer"].as_dict()}

    def show() -> None:
        out.print(f"{len(images)} images, {ours.faces} faces")
        for name, result in results.items():
            title = "average precision" if name == "ours" else "OpenCV FaceDetectorYN"
            out.print(f"{title} [bold]{result.average_precision:.4f}[/]")

    emit(document, as_json=json, show=show)


def _model(model: Model) -> dict[str, Any]:
    return {"model": {"version": model.version.name, "digest": model.digest}}


def _exported_detector() -> bytes:
    from lfr.models import onnx_bytes, weights_folder
    from lfr.models.weights import load_yunet
    from lfr.settings import read_settings

    return onnx_bytes(load_yunet(read_settings().weights or weights_folder()))
