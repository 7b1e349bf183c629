"""``lfr detect`` and ``lfr compare``: single pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, err, out, recogniser_for, track

if TYPE_CHECKING:
    from lfr.types import Faces, Pixels
    from lfr.vision import Quality

__all__ = ["compare", "detect"]


def detect(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures to look at.", show_default=False)],
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="FOLDER", help="Write copies with boxes and landmarks drawn.")
    ] = None,
    min_face_px: Annotated[
        int | None, typer.Option("--min-face-px", min=10, help="Smallest face that must be found; larger is faster.")
    ] = None,
    max_side: Annotated[
        int | None, typer.Option("--max-side", min=32, help="Shrink pictures whose longer side is over this.")
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Find faces: boxes, landmarks and quality measures (ISO/IEC 29794-5 names, 0 to 100).

    Quality is this project's own estimate under the standard's names, not
    the standard's reference implementation.
    """
    from lfr.models import load_detector
    from lfr.pipeline import read_crops
    from lfr.settings import read_settings
    from lfr.sources import read_image
    from lfr.vision import Detector

    settings = read_settings()
    with err.status("loading the detector"):
        network = load_detector(
            model or settings.model,
            threads=threads or settings.threads,
            weights=settings.weights,
            cache=settings.cache,
        )
    detector = Detector(network, min_face_px=min_face_px, max_side=max_side)
    rows: list[dict[str, Any]] = []
    for path in track(images, "detecting", total=len(images)):
        pixels = read_image(path)
        faces = detector.detect(pixels)
        _, quality = read_crops(pixels, faces)
        row = {"image": str(path), "width": pixels.shape[1], "height": pixels.shape[0], "faces": _rows(faces, quality)}
        if draw is not None:
            row["drawn"] = str(_drawn(pixels, faces, draw / f"{path.stem}.faces.png"))
        rows.append(row)

    def show() -> None:
        for row in rows:
            out.print(f"{row['image']}  {row['width']}x{row['height']}  {len(row['faces'])} faces", markup=False)
            if row["faces"]:
                out.print(_table(row["faces"]))
            if "drawn" in row:
                out.print(f"drawn: {row['drawn']}", markup=False)

    emit({"images": rows}, as_json=json, show=show)


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A picture of one person.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another picture of one person.", show_default=False)],
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Score how alike two faces are: cosine similarity, higher is more alike.

    A score is not a decision. What it means depends on the model, the
    threshold and the size of the watchlist it was calibrated for.
    """
    from lfr.sources import read_image

    pictures = [(read_image(path), str(path)) for path in (a, b)]  # before the seconds that a model takes
    recogniser = recogniser_for(model, threads=threads)
    first, second = (recogniser.one_face(pixels, name=name) for pixels, name in pictures)
    score = float(first.template.vectors[0] @ second.template.vectors[0])
    document = {
        "a": {"image": str(a), **_rows(first.face, first.quality)[0]},
        "b": {"image": str(b), **_rows(second.face, second.quality)[0]},
        "score": score,
        "model": {"version": recogniser.model.version.name, "digest": recogniser.model.digest},
    }

    def show() -> None:
        out.print(f"score [bold]{score:.3f}[/]  (cosine, -1 to 1; model {recogniser.model.version.name})")
        out.print("A score is not a decision: it means something only at a calibrated threshold.", style="dim")

    emit(document, as_json=json, show=show)


def _rows(faces: Faces, quality: Quality) -> list[dict[str, Any]]:
    from lfr.vision import MEASURES

    return [
        {
            "xyxy": [round(float(v), 1) for v in faces.xyxy[i]],
            "score": round(float(faces.score[i]), 4),
            "landmarks": [[round(float(v), 1) for v in point] for point in faces.landmarks[i]],
            "quality": {
                name: None if value != value else round(float(value), 1)  # noqa: PLR0124 - NaN: not assessed
                for name, value in zip(MEASURES, quality.values[i], strict=True)
            },
        }
        for i in range(len(faces))
    ]


def _table(faces: list[dict[str, Any]]) -> Table:
    names = list(faces[0]["quality"])
    table = Table("box (left, top, right, bottom)", "score", *names)
    for face in faces:
        box = ", ".join(f"{v:.0f}" for v in face["xyxy"])
        values = ("-" if face["quality"][n] is None else f"{face['quality'][n]:.0f}" for n in names)
        table.add_row(box, f"{face['score']:.2f}", *values)
    return table


def _drawn(pixels: Pixels, faces: Faces, path: Path) -> Path:
    import cv2

    from lfr.errors import InputError

    picture = pixels.copy()
    thickness = max(1, round(max(picture.shape[:2]) / 500))
    for box, points in zip(faces.xyxy.round().astype(int), faces.landmarks.round().astype(int), strict=True):
        cv2.rectangle(picture, box[:2].tolist(), box[2:].tolist(), (80, 220, 80), thickness)
        for point in points:
            cv2.circle(picture, point.tolist(), 2 * thickness, (60, 60, 240), -1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from error
    return path
