"""Which rule over a track's shots finds most people at the same FPIR: chosen on some scenes, confirmed on others.

Scenes are of made-up people: every figure of theirs is `simulated`. Each rule has a
`StreamProcessor` of its own, since a rule also says which faces are embedded;
all of them are given the same faces of the same frames. Recordings of real
people can speak against a rule, and are too few to speak for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lfr.evaluation.paired import ScoredSearches, compare_at_fpir
from lfr.evaluation.rehearsal_scene import SceneSetup
from lfr.evaluation.scene import SceneEvaluation
from lfr.matching import DecisionRule
from lfr.models import load_model
from lfr.pipeline import Recogniser, enrol
from lfr.sources import Portrait, Scene, SceneSettings, demo_portraits
from lfr.training.clips import clip_passes
from lfr.training.kinds import FusionConfig
from lfr.training.passes import Listening, fused, rule_name
from lfr.training.training import Shown
from lfr.types import FloatArray

__all__ = ["choose_fusion", "half_of_people"]


def choose_fusion(
    config: FusionConfig, threads: int | None, *, shown: Shown, clips: Path | None = None
) -> dict[str, Any]:
    """Return which rule is best on the choosing scenes, and whether the confirming ones and the clips bear it out.

    Parameters
    ----------
    config
        Rules and scenes.
    threads
        For the networks.
    shown
        Wraps the frames of each scene and clip, to show progress.
    clips
        Folder of the recordings; None where the experiment names none.

    Raises
    ------
    ManifestError
        The scenes have too few unlisted passes for this FPIR.
    """
    recogniser = Recogniser(load_model(config.model, threads=threads))
    choosing, confirming = (
        _all_passes(config, scenes, half, recogniser, shown=shown)
        for half, scenes in enumerate((config.choosing, config.confirming))
    )
    today = rule_name(config.rules[0])
    rows = _against(choosing, today, config)
    best = min(rows, key=lambda row: (row["fnir"][1]["value"], row["second"]))
    chosen = best["second"] if best["difference"]["value"] < 0 else today
    confirmed = [row for row in _against(confirming, today, config) if row["second"] == chosen]
    high = confirmed[0]["difference"]["high"] if confirmed else None
    on_clips: list[dict[str, Any]] = []
    counted = {"choosing": _counted(choosing[today]), "confirming": _counted(confirming[today])}
    if config.clips is not None and clips is not None:
        real = clip_passes(config.clips, config.rules, recogniser, clips, shown=shown)
        on_clips = [row | {"condition": "clips"} for row in _against(real, today, config)]
        counted["clips"] = _counted(real[today])
    against = any(row["second"] == chosen and row["difference"]["value"] > 0 for row in on_clips)
    return {
        "simulated": True,
        "model_digest": recogniser.model.digest,
        "today": today,
        "chosen": chosen,
        "passes": counted,
        "choosing": rows,
        "confirming": confirmed,
        "clips": on_clips,
        "changes_default": chosen != today and high is not None and high < 0 and not against,
    }


def half_of_people(half: int, *, seed: int) -> SceneSetup:
    """Return one half of the made-up people: who is listed, and who walks.

    Of those with several portraits the first is the reference, the others
    walk. Of those with one, half fill the watchlist and half walk unlisted.
    Nobody is in both halves, which depend on ``seed`` alone.
    """
    portraits: dict[str, list[Portrait]] = {}
    for portrait in demo_portraits():
        portraits.setdefault(portrait.subject_id, []).append(portrait)
    rng = np.random.default_rng(seed)
    several, single = (
        [portraits[subject] for subject in rng.permutation(kind)[half::2].tolist()]
        for kind in (
            [subject for subject, images in portraits.items() if len(images) > 1],
            [subject for subject, images in portraits.items() if len(images) == 1],
        )
    )
    fillers, strangers = single[::2], single[1::2]
    references = tuple((images[0].subject_id, images[0].path) for images in [*several, *fillers])
    walkers = tuple(image for images in several for image in images[1:])
    return SceneSetup(references, (*walkers, *(images[0] for images in strangers)))


def _all_passes(
    config: FusionConfig, scenes: Sequence[SceneSettings], half: int, recogniser: Recogniser, *, shown: Shown
) -> dict[str, ScoredSearches]:
    """Scores of every pass of some scenes, by rule."""
    setup = half_of_people(half, seed=config.seed)
    parts: dict[str, list[ScoredSearches]] = {rule_name(rule): [] for rule in config.rules}
    for settings in scenes:
        for name, scores in _scene_passes(config.rules, setup, settings, recogniser, shown=shown).items():
            parts[name].append(scores)
    return {
        name: ScoredSearches(
            *(
                np.concatenate([getattr(part, column) for part in found])
                for column in ("subject", "mated", "mate_score", "other_score")
            )
        )
        for name, found in parts.items()
    }


def _scene_passes(
    rules: Sequence[DecisionRule], setup: SceneSetup, settings: SceneSettings, recogniser: Recogniser, *, shown: Shown
) -> dict[str, ScoredSearches]:
    watchlist = enrol(setup.references, recogniser)
    scene = Scene(setup.walkers, settings)
    truth = SceneEvaluation(scene.passes, watchlist.subjects)
    listening = [Listening(recogniser, watchlist, rule) for rule in rules]
    last = None
    for last in shown(scene.frames(), len(scene), f"scene {settings.seed}, difficulty {settings.difficulty:g}"):
        faces = recogniser.detect(last.frame.pixels)
        for number, processor in enumerate(listening):
            result = processor.process(last.frame, faces=faces)
            if number == 0:  # tracks depend on faces alone, and those are the same for every rule
                truth.add(result, last.truth)
    if last is not None:
        for processor in listening:
            processor.close(last.frame.index, last.frame.time_s)
    return {
        rule_name(rule): _scored(rule, processor.ended, scene, truth, watchlist.subjects)
        for rule, processor in zip(rules, listening, strict=True)
    }


def _scored(
    rule: DecisionRule,
    ended: Mapping[int, FloatArray],
    scene: Scene,
    truth: SceneEvaluation,
    subjects: Sequence[str],
) -> ScoredSearches:
    """Score of each pass with its own subject and the highest with another: the best of its tracks."""
    column = {subject: number for number, subject in enumerate(subjects)}
    passes = scene.passes
    best = {walk.pass_id: np.full(len(subjects), np.nan, np.float32) for walk in passes}
    for track, scores in ended.items():
        if (followed := truth.pass_of(track)) is not None:
            best[followed] = np.fmax(best[followed], fused(rule, scores, subjects))
    mate, other = [], []
    for walk in passes:
        scores = best[walk.pass_id].copy()
        own = column.get(walk.subject_id)
        mate.append(np.nan if own is None else scores[own])
        if own is not None:
            scores[own] = np.nan
        other.append(np.nan if np.isnan(scores).all() else np.nanmax(scores))
    return ScoredSearches(
        np.array([walk.subject_id for walk in passes], np.str_),
        np.array([walk.subject_id in column for walk in passes], np.bool_),
        np.array(mate, np.float32),
        np.array(other, np.float32),
    )


def _against(scores: Mapping[str, ScoredSearches], today: str, config: FusionConfig) -> list[dict[str, Any]]:
    """Each rule beside today's, at the same FPIR, on the same passes."""
    rows = []
    for name, found in scores.items():
        rng = np.random.default_rng([config.seed, 2])
        rates = compare_at_fpir(scores[today], found, fpir=config.fpir, replicates=config.replicates, rng=rng)
        rows.append({"condition": "simulated", "first": today, "second": name, **rates.as_dict()})
    return rows


def _counted(scores: ScoredSearches) -> dict[str, int]:
    mated = scores.mated
    return {
        "mated": int(mated.sum()),
        "non_mated": int((~mated).sum()),
        "mated_subjects": len(np.unique(scores.subject[mated])),
        "non_mated_subjects": len(np.unique(scores.subject[~mated])),
    }
