"""Set up and play a rehearsal scene: who is listed, who walks, frame after frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lfr.errors import ManifestError
from lfr.evaluation.scene import SceneEvaluation
from lfr.pipeline import FrameResult, StreamProcessor
from lfr.sources import Portrait, Scene, SceneFrame, SceneSettings, demo_portraits, read_portraits

__all__ = ["SceneSetup", "demo_setup", "manifest_setup", "play"]


@dataclass(frozen=True)
class SceneSetup:
    """Who is on the watchlist, and who walks.

    Attributes
    ----------
    references
        Subject and path of each reference image.
    walkers
        Portraits that walk, in order of entry; never one of the reference images.
    """

    references: tuple[tuple[str, Path], ...]
    walkers: tuple[Portrait, ...]


def demo_setup(settings: SceneSettings, *, watchlist_size: int = 40, listed_share: float = 0.4) -> SceneSetup:
    """Return a setup with the shipped made-up people.

    Listed walkers are subjects with several portraits: the first is the
    reference, another one walks. The watchlist is filled up with subjects
    who do not walk; unlisted walkers are on no list.

    Parameters
    ----------
    settings
        The scene; its seed also draws who walks.
    watchlist_size
        Subjects on the watchlist.
    listed_share
        Share of passes by listed subjects, as far as there are any left.
    """
    rng = np.random.default_rng([settings.seed, 1])
    portraits: dict[str, list[Portrait]] = {}
    for portrait in demo_portraits():
        portraits.setdefault(portrait.subject_id, []).append(portrait)
    several = [s for s, images in portraits.items() if len(images) > 1]
    single = [s for s, images in portraits.items() if len(images) == 1]
    passes = settings.pass_count
    listed = [several[i] for i in rng.permutation(len(several))[: max(1, round(passes * listed_share))]]
    single = [single[i] for i in rng.permutation(len(single))]
    fillers = single[: max(0, watchlist_size - len(listed))]
    unlisted = (single[len(fillers) :] + [s for s in several if s not in listed])[: max(0, passes - len(listed))]
    references = tuple((s, portraits[s][0].path) for s in [*listed, *fillers])
    walkers = [portraits[s][1 + int(rng.integers(len(portraits[s]) - 1))] for s in listed]
    walkers += [portraits[s][-1] for s in unlisted]
    return SceneSetup(references, tuple(walkers[i] for i in rng.permutation(len(walkers))))


def manifest_setup(manifest: Path) -> SceneSetup:
    """Return a setup from a manifest: its references are the watchlist, its probes walk.

    Raises
    ------
    ManifestError
        The manifest is malformed, or names no reference or no probe.
    """
    references = read_portraits(manifest, split="reference")
    walkers = read_portraits(manifest, split="probe")
    shared = {p.path for p in references} & {p.path for p in walkers}
    if shared:
        raise ManifestError(f"{manifest}: {min(shared)} is both a reference and a probe")
    return SceneSetup(tuple((p.subject_id, p.path) for p in references), walkers)


def play(
    scene: Scene, processor: StreamProcessor, evaluation: SceneEvaluation
) -> Iterator[tuple[SceneFrame, FrameResult]]:
    """Process a scene frame by frame, yielding each with its result, and collect the score on the way."""
    last: SceneFrame | None = None
    for last in scene.frames():
        result = processor.process(last.frame)
        evaluation.add(result, last.truth)
        yield last, result
    if last is not None:
        evaluation.add_alerts(processor.close(last.frame.index, last.frame.time_s))


def subjects_of(references: Sequence[tuple[str, Path]]) -> tuple[str, ...]:
    """Return each subject once, in order."""
    return tuple(dict.fromkeys(subject for subject, _ in references))
