"""Rules over a track's shots on recordings of real people, as far as it is known who is in them.

Known is that some listed people are in a clip and that none is in others: a
listed person is one mated search, whichever track shows him best, and each
track of the others is a non-mated one. Only scores stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lfr.errors import ManifestError
from lfr.evaluation.paired import ScoredSearches
from lfr.matching import DecisionRule, Snapshot
from lfr.pipeline import Recogniser, enrol, folder_references
from lfr.sources import open_source
from lfr.training.kinds import Clips
from lfr.training.passes import Listening, fused, rule_name
from lfr.training.training import Shown
from lfr.types import FloatArray

__all__ = ["clip_passes"]


def clip_passes(
    clips: Clips, rules: Sequence[DecisionRule], recogniser: Recogniser, folder: Path, *, shown: Shown
) -> dict[str, ScoredSearches]:
    """Return scores by rule: one search for each listed person in a clip, one for each track of the other clips.

    Parameters
    ----------
    clips
        Which recordings, and who is in them.
    rules
        What is compared.
    recogniser
        Detects and embeds.
    folder
        Of the recordings.
    shown
        Wraps the frames of each clip.

    Raises
    ------
    ManifestError
        Somebody who is said to be in a clip is not on the list.
    WatchlistError, InputError
        References or recordings cannot be read.
    """
    watchlist = enrol(folder_references(folder / clips.references), recogniser)
    column = {subject: number for number, subject in enumerate(watchlist.subjects)}
    if unknown := sorted({name for names in clips.present.values() for name in names} - set(column)):
        raise ManifestError(f"clips.present: {', '.join(unknown)}: not among the references in {clips.references}")
    rows: dict[str, list[tuple[str, bool, float, float]]] = {rule_name(rule): [] for rule in rules}
    for clip in (*clips.present, *clips.absent):
        for name, tracks in _tracks(folder / clip, rules, watchlist, recogniser, shown=shown).items():
            for subject in clips.present.get(clip, ()):
                own = [scores[column[subject]] for scores in tracks.values()]
                rows[name].append((f"{clip} {subject}", True, float(np.max(own, initial=-1.0)), np.nan))
            if clip in clips.absent:
                for track, scores in tracks.items():
                    rows[name].append((f"{clip} {track}", False, np.nan, float(np.nanmax(scores))))
    return {
        name: ScoredSearches(
            np.array([subject for subject, *_ in found], np.str_),
            np.array([mated for _, mated, *_ in found], np.bool_),
            np.array([mate for *_, mate, _ in found], np.float32),
            np.array([other for *_, other in found], np.float32),
        )
        for name, found in rows.items()
    }


def _tracks(
    clip: Path, rules: Sequence[DecisionRule], watchlist: Snapshot, recogniser: Recogniser, *, shown: Shown
) -> Mapping[str, dict[int, FloatArray]]:
    """By rule and track, (subjects,) fused scores. Tracks depend on faces alone, so every rule has the same."""
    listening = {rule_name(rule): Listening(recogniser, watchlist, rule) for rule in rules}
    last = None
    with open_source(str(clip)) as source:
        for last in shown(source, source.frame_count or 0, clip.name):
            faces = recogniser.detect(last.pixels)
            for processor in listening.values():
                processor.process(last, faces=faces)
    if last is not None:
        for processor in listening.values():
            processor.close(last.index, last.time_s)
    return {
        rule_name(rule): {
            track: fused(rule, scores, watchlist.subjects) for track, scores in listening[rule_name(rule)].ended.items()
        }
        for rule in rules
    }
