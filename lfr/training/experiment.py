"""Run an experiment of any kind: what it reads, what it keeps, and one run in MLflow that says what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from lfr.errors import InputError, LfrError, SettingsError, TrainingError
from lfr.evaluation import (
    Manifest,
    Pairs,
    StrArray,
    data_digest,
    image_digests,
    open_manifest,
    read_lfw_pairs,
    write_manifest,
)
from lfr.models import CROP_SIDE, Model, load_model, weights_folder
from lfr.models.network import ImageNetwork
from lfr.models.weights import load_sface
from lfr.registry import Tracking
from lfr.training.blending import blended, kept_share
from lfr.training.checkpoints import Progressed
from lfr.training.config import Data, TrainingConfig
from lfr.training.cost import faces_per_second, multiply_adds
from lfr.training.crops import unreadable_images
from lfr.training.figures import plot_history, plot_rules, plot_tpir
from lfr.training.kinds import ExperimentConfig, FusionConfig, QuantisationConfig, RobustnessConfig
from lfr.training.measuring import measure, measuring_rows, paired, verified, write_scores
from lfr.training.provenance import code_commit, training_digest
from lfr.training.quantising import FLOAT, INT8, beside_float, quantise, trained_licence, trained_network, verdicts
from lfr.training.ray_workers import check_workers, fit_with_ray
from lfr.training.runs import ExperimentRun, open_run
from lfr.training.scenes import play_scenes
from lfr.training.searching import combinations, search
from lfr.training.split import split_subjects
from lfr.training.students import as_model, register_student, write_onnx
from lfr.training.training import Prepared, Shown, check_digest, fit, plan_training, prepare

__all__ = ["Place", "run_experiment", "search_experiment", "write_part"]

TEACHER = "openvino-f32"
SFACE, STUDENT = "sface", "student"
_TIMED = 32  # faces embedded at once when a network is timed


@dataclass(frozen=True)
class Place:
    """Where an experiment runs.

    Attributes
    ----------
    home
        Folder of everything that lfr keeps.
    tracking
        Where runs are kept.
    data
        Folder of the data set; None where the experiment needs none.
    threads
        Of the networks that are not trained.
    workers
        Processes of Ray Train that train together; 0: this process trains.
    shown, said
        Told what is done: progress of known length, and a line.
    """

    home: Path
    tracking: Tracking
    data: Path | None = None
    threads: int | None = None
    workers: int = 0
    shown: Shown = field(default=lambda items, _, __: items)
    said: Callable[[str], None] = field(default=lambda _: None)


def run_experiment(config: ExperimentConfig, folder: Path, place: Place, *, register: bool = False) -> dict[str, Any]:
    """Run an experiment to its end, or go on with one that was broken off.

    Parameters
    ----------
    config, folder
        The experiment and the folder that describes it.
    place
        Where it runs.
    register
        Whether what was trained becomes a version of the registry.

    Returns
    -------
    What was found, as the run keeps it.

    Raises
    ------
    LfrError
        The data are not those it is about, training cannot go on, or nothing can be kept.
    """
    name = folder.resolve().name
    if isinstance(config, TrainingConfig):
        check_workers(config, place.workers)
    elif register:
        raise SettingsError(f"--register: {name} trains nothing")
    kept = _folder(place.home, f"{name}-{training_digest(config)[:12]}")
    if isinstance(config, TrainingConfig):
        manifest = _manifest(config.data, folder, place)
        pairs = _pairs(config, place)  # better a missing file now than after hours
        teacher = load_model(TEACHER, threads=place.threads)
        prepared = prepare(
            manifest, config.data, teacher, place.home, mirrored=config.augmentation.flip, shown=place.shown
        )
        _say_unreadable(prepared.unreadable, place)
        with _opened(config, name, kept, place, prepared.digest) as (run, found):
            found.update(_training(config, prepared, teacher, kept, place, run, pairs))
            if register:
                version = register_student(
                    place.tracking, kept / "student.onnx", name=f"{name}-{run.run_id[:8]}", licence=config.licence
                )
                found["registered"] = version.as_dict()
    elif isinstance(config, RobustnessConfig):
        manifest = _manifest(config.data, folder, place)
        images = image_digests(manifest)
        digest = data_digest(manifest, images)
        check_digest(config.data, digest, where=manifest.name)
        with _opened(config, name, kept, place, digest) as (run, found):
            found.update(_robustness(config, manifest, images, digest, place, run))
    elif isinstance(config, QuantisationConfig):
        teacher = load_model(TEACHER, threads=place.threads)
        prepared = prepare(
            _manifest(config.data, folder, place), config.data, teacher, place.home, mirrored=False, shown=place.shown
        )
        _say_unreadable(prepared.unreadable, place)
        network = trained_network(config, folder, prepared, place.home)
        with _opened(config, name, kept, place, prepared.digest) as (run, found):
            run.parameters({"licence": trained_licence(config, folder)})
            found.update(_quantisation(config, network, prepared, teacher, kept, place, run))
    else:
        from lfr.training.fusion import choose_fusion  # noqa: PLC0415 # only where it is wanted

        if config.clips is not None and place.data is None:
            raise InputError("the experiment looks at recordings: give their folder with --root, or set LFR_EVAL_DATA")
        with _opened(config, name, kept, place, "") as (run, found):
            found.update(choose_fusion(config, place.threads, shown=place.shown, clips=place.data))
            for part in ("choosing", "confirming", "clips"):
                run.metrics({f"fnir.{part}.{row['second']}": row["fnir"][1]["value"] for row in found[part]})
            run.figure("rules", plot_rules(found["choosing"], found["confirming"]))
    return found


@contextmanager
def _opened(
    config: ExperimentConfig, name: str, kept: Path, place: Place, digest: str
) -> Iterator[tuple[ExperimentRun, dict[str, Any]]]:
    """A run and its result, which is added to; finished with it at the end, or failed whatever was raised."""
    run = open_run(place.tracking, name, config, kept, data_digest=digest)
    run.text("config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    result: dict[str, Any] = {
        "experiment": name, "run": run.run_id, "commit": code_commit(), "kind": config.kind,
        "question": config.question,
    }  # fmt: skip
    try:
        yield run, result
        run.finish(result)
    except BaseException:
        with suppress(LfrError):  # what was wrong first is what is told
            run.fail()
        raise


def search_experiment(
    config: TrainingConfig, folder: Path, place: Place, grid: Mapping[str, Sequence[Any]], *, at_once: int = 1
) -> list[dict[str, Any]]:
    """Train with every combination of values; raises as `run_experiment` and `lfr.training.searching.search`."""
    trials = combinations(config, grid)  # better a wrong value now than after hours
    kept = _folder(place.home, f"{folder.resolve().name}-search-{training_digest(config)[:12]}")
    teacher = load_model(TEACHER, threads=place.threads)
    mirrored = any(trial.augmentation.flip for _, trial in trials)
    prepared = prepare(
        _manifest(config.data, folder, place), config.data, teacher, place.home, mirrored=mirrored, shown=place.shown
    )
    files = plan_training(prepared, kept, mirrored=mirrored)
    return search(config, files, kept, grid, at_once=at_once, said=place.said)


def write_part(config: ExperimentConfig, folder: Path, place: Place, part: str, path: Path) -> dict[str, Any]:
    """Write the manifest of one part of an experiment's data, for `lfr evaluate` and `lfr registry evaluate`.

    Raises
    ------
    SettingsError
        The experiment splits no data.
    LfrError
        Its data cannot be read, or the manifest cannot be written.
    """
    if isinstance(config, FusionConfig):
        raise SettingsError(f"{folder}: has no data that is split by subject")
    split = split_subjects(_manifest(config.data, folder, place), config.data)
    made = split.manifest[getattr(split, part)]
    write_manifest(made, path)
    return {"part": part, "images": len(made), "subjects": len(np.unique(made.subject_id)), "manifest": path}


def _folder(home: Path, name: str) -> Path:
    kept = home / "experiments" / name
    try:
        for made in (home, kept.parent, kept):
            made.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InputError(f"{kept}: cannot keep anything here: {error.strerror}") from error
    return kept


def _training(
    config: TrainingConfig, prepared: Prepared, teacher: Model, kept: Path, place: Place, run: ExperimentRun,
    lfw_pairs: Pairs | None,
) -> dict[str, Any]:  # fmt: skip
    manifest = prepared.split.manifest
    run.parameters({f"split.{name}": count for name, count in _counts(prepared).items()})

    def said(epoch: int, figures: dict[str, float]) -> None:
        run.metrics(figures, step=epoch)
        place.said(f"epoch {epoch}: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))

    files = plan_training(prepared, kept, mirrored=config.augmentation.flip)
    if place.workers:
        network, progressed = fit_with_ray(
            config, files, workers=place.workers, gpu=torch.cuda.is_available(), said=said
        )
    else:
        network, progressed = fit(config, files, said=said, shown=place.shown)
    logged = run.logged("held_out_loss")  # others were trained by workers, or before another run measured the result
    for epoch, figures in _history(progressed).items():
        if epoch not in logged:
            said(epoch, figures)
    if not progressed.best_epoch and not config.blend:
        place.said("no epoch lost less on the held-out subjects than the untouched student, which is kept")
    run.figure("training", plot_history(progressed.history))
    network, blends = blended(config, files, network)
    for blend in blends:
        place.said(
            f"{blend.share:.0%} of the training: held-out faces have an FNMR of {blend.clean_fnmr:.1%} as they are and "
            f"{blend.degraded_fnmr:.1%} degraded (mean over FMRs)"
        )
    digest = write_onnx(network, kept / "student.onnx")
    run.file(kept / "student.onnx")
    student = as_model(network, STUDENT, size=config.backbone.embedding_size, threads=place.threads)
    rows = measuring_rows(manifest, prepared.split.measure, config.measuring)
    models = {SFACE: teacher, STUDENT: student}
    measured = measure(
        models, manifest[rows], prepared.images[rows], config.measuring, place.home,
        digest=prepared.digest, finder=teacher, shown=place.shown,
    )  # fmt: skip
    write_scores(place.home / "experiments" / f"{run.run_id}.npz", measured.scores)
    pairs = paired(measured.scores, SFACE, STUDENT, config.measuring)
    _log(run, measured.rows, pairs)
    run.figure("tpir", plot_tpir(measured.rows))
    history = progressed.history
    found = {}
    if lfw_pairs is not None:
        found["verification"] = _verified(config, models, prepared, place, teacher, lfw_pairs)
        run.metrics({f"accuracy.{name}": row["accuracy"] for name, row in found["verification"]["models"].items()})
    cost: dict[str, Any] = {
        "multiply_adds": {SFACE: multiply_adds(load_sface(weights_folder())), STUDENT: multiply_adds(network)},
        "speed": faces_per_second(models, np.array(prepared.crops.pixels[:_TIMED, :CROP_SIDE, :CROP_SIDE])),
    }
    run.metrics(_speeds(cost["speed"]))
    return {
        **found,
        "cost": cost,
        "data_digest": prepared.digest,
        "split": _counts(prepared),
        "training": {
            "epochs": progressed.epoch,
            "best_epoch": progressed.best_epoch,
            "best_held_out_loss": progressed.best_loss,
            "untouched_held_out_loss": progressed.untouched_loss,
            "images_per_s": float(np.mean([figures["images_per_s"] for figures in history])),
            "data_wait_share": float(np.mean([figures["data_wait_share"] for figures in history])),
            "history": history,
            "blends": [blend.as_dict() for blend in blends],
            "kept_share": kept_share(blends, lost=config.clean_lost) if blends else 1.0,
            "onnx_sha256": digest,
        },
        "rows": list(measured.rows),
        "paired": pairs,
    }


def _history(progressed: Progressed) -> dict[int, dict[str, float]]:
    """Figures by epoch; 0 is the student before its first step."""
    untouched = progressed.untouched_loss
    before = {} if untouched is None else {0: {"held_out_loss": untouched}}
    return before | dict(enumerate(progressed.history, start=1))


def _verified(
    config: TrainingConfig, models: Mapping[str, Model], prepared: Prepared, place: Place, finder: Model, pairs: Pairs
) -> dict[str, Any]:
    measuring = prepared.split.measure
    return verified(
        models, prepared.split.manifest[measuring], prepared.images[measuring],
        pairs, config.measuring, place.home,
        digest=prepared.digest, finder=finder, shown=place.shown,
    )  # fmt: skip


def _robustness(
    config: RobustnessConfig, manifest: Manifest, images: StrArray, digest: str, place: Place, run: ExperimentRun
) -> dict[str, Any]:
    models = {name: load_model(name, threads=place.threads) for name in config.models}
    first = next(iter(models.values()))
    split = split_subjects(manifest, config.data)
    rows = measuring_rows(manifest, split.measure, config.measuring)
    unreadable = unreadable_images(
        manifest, rows, share=config.data.unreadable_share, progress=lambda rows, of: place.shown(rows, of, "looking")
    )
    _say_unreadable(unreadable, place)
    measured = measure(
        models, manifest[rows], images[rows], config.measuring, place.home,
        digest=digest, finder=first, shown=place.shown,
    )  # fmt: skip
    write_scores(place.home / "experiments" / f"{run.run_id}.npz", measured.scores)
    _log(run, measured.rows, [])
    run.figure("tpir", plot_tpir(measured.rows))
    scenes = play_scenes(config.scenes, first, threshold=config.threshold, shown=place.shown)
    rates = {f"simulated.tpir.{number}": scene["tpir"]["value"] for number, scene in enumerate(scenes)}
    run.metrics({name: value for name, value in rates.items() if value is not None})
    return {"data_digest": digest, "rows": list(measured.rows), "scenes": scenes}


def _quantisation(
    config: QuantisationConfig, network: ImageNetwork, prepared: Prepared, teacher: Model, kept: Path, place: Place,
    run: ExperimentRun,
) -> dict[str, Any]:  # fmt: skip
    place.said("quantising; layers that lose most are looked for where too much is lost")
    made = quantise(config, network, prepared)
    try:
        written = made.write(kept)
    except OSError as error:
        raise TrainingError(f"{kept}: the quantised network cannot be kept: {error.strerror}") from error
    for file in written:
        run.file(file)
    models = beside_float(network, made, size=teacher.embedding_size, threads=config.threads or place.threads)
    timed = {name: models[name] for name in ("bf16", FLOAT, INT8) if name in models}  # the first is what ratios are to
    speed = faces_per_second(timed, np.array(prepared.crops.pixels[:_TIMED, :CROP_SIDE, :CROP_SIDE]))
    rows = measuring_rows(prepared.split.manifest, prepared.split.measure, config.measuring)
    compared = {name: models[name] for name in (FLOAT, INT8)}
    measured = measure(
        compared, prepared.split.manifest[rows], prepared.images[rows], config.measuring, place.home,
        digest=prepared.digest, finder=teacher, shown=place.shown,
    )  # fmt: skip
    write_scores(place.home / "experiments" / f"{run.run_id}.npz", measured.scores)
    pairs = paired(measured.scores, FLOAT, INT8, config.measuring)
    _log(run, measured.rows, pairs)
    run.metrics({**_speeds(speed), "held_out_cosine": made.cosine})
    run.figure("tpir", plot_tpir(measured.rows))
    first = config.measuring.conditions[0].name
    searches = {name: measured.searches[first, name] for name in compared}
    fairness = {"fairness": verdicts(searches, config)} if config.by else {}
    return {
        "data_digest": prepared.digest,
        "quantised": {
            "layers": made.layers,
            "quantised_layers": made.quantised_layers,
            "held_out_cosine": made.cosine,
            "sha256": made.sha256,
        },
        "cost": {"speed": speed},
        **fairness,
        "rows": list(measured.rows),
        "paired": pairs,
    }


def _manifest(data: Data, folder: Path, place: Place) -> Manifest:
    if data.dataset != "demo" and not data.manifest and place.data is None:
        raise InputError(f"the experiment is about {data.dataset}: give its folder with --root, or set LFR_EVAL_DATA")
    return open_manifest(
        manifest=folder / data.manifest if data.manifest else "", dataset=data.dataset, root=place.data or ""
    )


def _pairs(config: TrainingConfig, place: Place) -> Pairs | None:
    """The pairs that are verified; None where the experiment names none."""
    if not config.measuring.pairs:
        return None
    if place.data is None:
        raise InputError("the experiment verifies pairs: give the data's folder with --root, or set LFR_EVAL_DATA")
    return read_lfw_pairs(place.data / config.measuring.pairs)


def _say_unreadable(names: Sequence[str], place: Place) -> None:
    if names:
        place.said(f"{len(names)} images cannot be read, and count as without a face: {', '.join(names)}")


def _speeds(speed: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {f"faces_per_s.{name}": row["faces_per_s"] for name, row in speed.items()}


def _counts(prepared: Prepared) -> dict[str, int]:
    split = prepared.split
    parts = {part: getattr(split, part) for part in ("train", "held_out", "measure")}
    return {
        **{f"{part}_images": len(rows) for part, rows in parts.items()},
        **{f"{part}_subjects": len(np.unique(split.manifest.subject_id[rows])) for part, rows in parts.items()},
        "faces": len(prepared.crops),
        "unreadable": len(prepared.unreadable),
    }


def _log(run: ExperimentRun, rows: Any, pairs: list[dict[str, Any]]) -> None:  # noqa: ANN401
    values = {f"tpir.{row['condition']}.{row['model']}": row["tpir"]["value"] for row in rows}
    values |= {f"fnir_relative.{pair['condition']}": pair["relative"]["value"] for pair in pairs}
    run.metrics({name: value for name, value in values.items() if value is not None})
