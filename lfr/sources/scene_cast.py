"""Who walks when: the passes of a simulated scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lfr.sources.scene_camera import Camera
from lfr.sources.scene_people import Walker
from lfr.sources.scene_portraits import Portrait
from lfr.sources.scene_settings import SceneSettings
from lfr.sources.scene_street import StreetPlan
from lfr.sources.scene_walk import draw_route

__all__ = ["cast_walkers"]

_FOLLOWS = 0.3  # share of walkers who come along with the one before them


def _take_turns(portraits: Sequence[Portrait], rng: np.random.Generator) -> list[list[Portrait]]:
    """The pictures of each subject, subjects in random order."""
    pictures: dict[str, list[Portrait]] = {}
    for portrait in portraits:
        pictures.setdefault(portrait.subject_id, []).append(portrait)
    return [pictures[str(subject_id)] for subject_id in rng.permutation(sorted(pictures))]


def cast_walkers(
    portraits: Sequence[Portrait],
    settings: SceneSettings,
    *,
    plan: StreetPlan,
    camera: Camera,
    seeds: np.random.SeedSequence,
) -> list[Walker]:
    """Walkers for a scene, spread over its length; each reaches the camera before it ends.

    Some are already on their way when it begins. Every subject walks once
    before any walks again, each time in its next picture.
    """
    rng = np.random.default_rng(seeds)
    subjects = _take_turns(portraits, rng)
    count = settings.pass_count
    first_s = min(7.0, 0.3 * settings.duration_s)
    slots = (np.arange(count) + rng.uniform(0.15, 0.85, count)) / count
    walkers: list[Walker] = []
    exit_s = 0.0
    for number, walker_seeds in enumerate(seeds.spawn(count)):
        pictures = subjects[number % len(subjects)]
        if walkers and rng.random() < _FOLLOWS:
            route = walkers[-1].route.beside(rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 0.6))
            exit_s = min(exit_s + rng.uniform(0.35, 0.9), settings.duration_s)
        else:
            route = draw_route(rng, plan, camera=camera, speed_mps=rng.uniform(1.15, 1.5))
            exit_s = first_s + slots[number] * (settings.duration_s - first_s)
        walkers.append(
            Walker(
                pictures[number // len(subjects) % len(pictures)],
                route,
                pass_id=number,
                start_s=exit_s - route.duration_s,
                seeds=walker_seeds,
                difficulty=settings.difficulty,
            )
        )
    return walkers
