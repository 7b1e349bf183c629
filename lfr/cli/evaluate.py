"""``lfr evaluate``: a model version against labelled data."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, out, recogniser_for
from lfr.cli.detection import detection
from lfr.cli.evaluation_data import (
    Dataset,
    DatasetOption,
    Fusion,
    ManifestOption,
    RootOption,
    TemplatesOption,
    about,
    progress_of,
    read_data,
    templates_for,
)
from lfr.cli.evaluation_tables import show_identification, show_verification
from lfr.cli.fairness import fairness
from lfr.cli.quality import quality
from lfr.cli.scene import scene

if TYPE_CHECKING:
    from lfr.evaluation import Executor

__all__ = ["app"]

app = typer.Typer(help="Measure a model version on labelled data.", no_args_is_help=True)
app.command()(fairness)
app.command()(detection)
app.command()(quality)
app.command()(scene)


@app.command()
def embed(
    manifest: ManifestOption = None,
    dataset: DatasetOption = None,
    root: RootOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Parquet file.  [default: LFR_HOME/evaluation]"),
    ] = None,
    ray: Annotated[
        bool, typer.Option("--ray", help="Spread the work over processes with Ray Data; the result is the same.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, metavar="N", help="Processes with --ray.  [default: one a core]")
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Make the templates of a data set once; a run that is broken off goes on where it was.

    The file holds biometric templates of real people: only its owner can read
    it, and the data card beside it says what it is.
    """
    from lfr.evaluation import embed as embed_to
    from lfr.evaluation import embed_locally, image_digests, kept_file, templates_of
    from lfr.settings import read_settings

    data = read_data(manifest, dataset, root)
    loaded = recogniser_for(model, threads=threads).model
    images = image_digests(data, progress=progress_of("reading"))
    shown = progress_of("embedding")
    executor: Executor = embed_locally
    if ray:
        from lfr.training import ray_executor

        settings = read_settings()
        executor = ray_executor(workers=workers, threads=threads or settings.threads, weights=settings.weights)
    if output is None:
        home = read_settings().home.absolute()
        templates = templates_of(data, loaded, home, images=images, executor=executor, progress=shown)
        output = kept_file(data, loaded, home, images=images)
    else:
        templates = embed_to(data, loaded, output, images=images, executor=executor, progress=shown)
    document = {
        **about(templates),
        "file": output,
        "images": len(templates),
        "references": int(data.reference.sum()),
        "probes": int((~data.reference).sum()),
        "subjects": len(set(data.subject_id.tolist())),
        "failures_to_acquire": int((~templates.acquired).sum()),
        "images_with_several_faces": int((templates.faces_found > 1).sum()),
    }

    def show() -> None:
        out.print(f"{document['images']} images of {document['subjects']} subjects: {output}", soft_wrap=True)
        out.print(f"failures to acquire: {document['failures_to_acquire']}")
        out.print(f"images with several faces, the central one used: {document['images_with_several_faces']}")

    emit(document, as_json=json, show=show)


@app.command()
def verification(
    manifest: ManifestOption = None,
    dataset: DatasetOption = None,
    root: RootOption = None,
    templates: TemplatesOption = None,
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", metavar="FILE", help="LFW's pairs file.  [default: ROOT/pairs.txt for lfw]"),
    ] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Compare every image with every other too; always done without pairs.")
    ] = False,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMNS", help="Group columns for all pairs, joined by commas.")
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Compare one to one: accuracy by LFW's ten-fold protocol, and FNMR at given FMRs.

    Good for finding regressions. LFW's people are in the training data of
    many models, and no field threshold may be taken from it.
    """
    from lfr.evaluation import compare_all, read_lfw_pairs, verify_templates

    if pairs is None and dataset is Dataset.LFW and root is not None:
        pairs = root / "pairs.txt"
    protocol = read_lfw_pairs(pairs) if pairs is not None else None
    every = all_pairs or protocol is None or by is not None
    only = None if protocol is None or every else protocol.images
    found = templates_for(manifest, dataset, root, templates, model=model, threads=threads, only=only)
    document: dict[str, Any] = {**about(found), "accuracy": None}
    if every:
        columns = tuple(by.split(",")) if by else ()
        compared = compare_all(found, by=columns, progress=progress_of("comparing")).as_dict()
        document |= {"images": len(found), "failures_to_acquire": int((~found.acquired).sum())}
        document |= {key: compared[key] for key in ("mated", "non_mated", "fnmr_at_fmr", "insufficient_data")}
        document["all_pairs"] = compared
    if protocol is not None:
        document |= verify_templates(protocol, found).as_dict()
    emit(document, as_json=json, show=partial(show_verification, document))


@app.command()
def identification(
    manifest: ManifestOption = None,
    dataset: DatasetOption = None,
    root: RootOption = None,
    templates: TemplatesOption = None,
    watchlist_size: Annotated[
        int | None,
        typer.Option("--watchlist-size", min=1, metavar="N", help="Draw N subjects for the list.  [default: all]"),
    ] = None,
    quality_gate: Annotated[
        bool, typer.Option("--quality-gate", help="References and probes must pass the gates of live use.")
    ] = False,
    fusion: Annotated[
        Fusion, typer.Option("--fusion", help="Score of a track: its best image's, or the mean.")
    ] = Fusion.MAX,
    shots: Annotated[
        int | None, typer.Option("--shots", min=1, metavar="K", help="Most images of a track.  [default: all]")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws the watchlists.")] = 0,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Search a watchlist with every probe: who is found, and how many others raise an alarm.

    A probe whose subject is not on the list is non-mated. A probe without a
    usable face is a miss if mated and no alarm if not; it stays counted.
    """
    import numpy as np

    from lfr.evaluation import evaluate_identification, run_searches

    found = templates_for(manifest, dataset, root, templates, model=model, threads=threads)
    rng = np.random.default_rng(seed)
    searches = run_searches(
        found, watchlist_size=watchlist_size, rng=rng, quality_gate=quality_gate, fusion=fusion.value, shots=shots
    )
    result = evaluate_identification(searches, rng=rng)
    document = {
        **about(found),
        **result.as_dict(),
        "unit": "track" if (found.manifest.track_id != "").any() else "image",
        "quality_gate": quality_gate,
        "fusion": fusion.value,
        "shots": shots,
        "seed": seed,
    }
    emit(document, as_json=json, show=partial(show_identification, document))
