"""Measure models on people whom none of them saw in training, under one condition after another."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lfr.errors import ManifestError, RegistryError
from lfr.evaluation import (
    Manifest,
    Pairs,
    Searches,
    StrArray,
    run_searches,
    search_rates,
    threshold_for_fpir,
    verify_templates,
)
from lfr.evaluation.paired import ScoredSearches, compare_accuracy, compare_at_fpir
from lfr.evaluation.private import write_whole
from lfr.models import Model
from lfr.training.config import Condition, Measuring
from lfr.training.views import joined, make_views, templates_of_views
from lfr.types import IntArray

__all__ = ["Measured", "measure", "measuring_rows", "paired", "read_scores", "verified", "write_scores"]

_AS_IT_IS = Condition(name="clean")

Shown = Callable[[Any, int, str], Any]
Scores = Mapping[tuple[str, str], ScoredSearches]
"""By condition and model."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured.

    Attributes
    ----------
    rows
        JSON form, one row for each condition and model: TPIR at the FPIR, threshold, failures to acquire.
    scores
        Of every search, by condition and model.
    searches
        The searches themselves.
    """

    rows: tuple[dict[str, Any], ...]
    scores: Scores
    searches: Mapping[tuple[str, str], Searches] = field(repr=False)


def measuring_rows(manifest: Manifest, rows: IntArray, measuring: Measuring) -> IntArray:
    """Return which of the measuring rows are used: so many people listed, probes of each, and strangers."""
    rng = np.random.default_rng(measuring.seed)
    part = manifest[rows]
    people = np.unique(part.subject_id[part.reference])
    people = people if measuring.listed is None else rng.permutation(people)[: measuring.listed]
    listed = np.isin(part.subject_id, people)
    kept = part.reference & listed
    mated = np.flatnonzero(part.mated & listed)
    for subject in np.unique(part.subject_id[mated]):
        own = mated[part.subject_id[mated] == subject]
        kept[own if measuring.mated_probes is None else np.sort(rng.permutation(own)[: measuring.mated_probes])] = True
    strangers = np.flatnonzero(~part.reference & ~part.mated)
    kept[strangers if measuring.non_mated is None else rng.permutation(strangers)[: measuring.non_mated]] = True
    return rows[kept]


def measure(
    models: Mapping[str, Model],
    manifest: Manifest,
    images: StrArray,
    measuring: Measuring,
    home: Path,
    *,
    digest: str,
    finder: Model,
    shown: Shown = lambda items, _, __: items,
) -> Measured:
    """Search with every probe under every condition, with every model on the very same aligned faces.

    Parameters
    ----------
    models
        By name; the first is what others are compared with.
    manifest, images
        Who measures, and the digests of the images.
    measuring
        Conditions and FPIR.
    home
        Folder of everything that lfr keeps.
    digest
        Data digest of the whole data set.
    finder
        Whose detector finds the faces, for all models.
    shown
        Wraps what is done, of a known total, under a description.

    Raises
    ------
    ManifestError
        There are too few non-mated searches for this FPIR.
    """
    reference = manifest.reference
    rows: list[dict[str, Any]] = []
    made: dict[tuple[str, str], Searches] = {}
    for condition in measuring.conditions:

        def progress(done: Any, total: int, what: str = condition.name) -> Any:  # noqa: ANN401
            return shown(done, total, f"{what}: {total}")

        references, probes = (
            make_views(
                manifest[part], images[part], wanted, finder, home,
                digest=digest, seed=measuring.seed, progress=progress,
            )
            for part, wanted in ((reference, _AS_IT_IS), (~reference, condition))
        )  # fmt: skip
        for name, model in models.items():
            both = (templates_of_views(views, model, progress=progress) for views in (references, probes))
            searches = run_searches(joined(*both))
            threshold = threshold_for_fpir(searches, measuring.fpir)
            if threshold is None:
                strangers = int((~searches.mated).sum())
                raise ManifestError(f"{strangers} non-mated searches cannot show an FPIR of {measuring.fpir:g}")
            tpir, fpir = search_rates(searches, threshold)
            rows.append(
                {
                    "condition": condition.name,
                    "model": name,
                    "model_digest": model.digest,
                    "views": probes.digest,
                    "watchlist_size": len(searches.watchlist),
                    "mated": int(searches.mated.sum()),
                    "non_mated": int((~searches.mated).sum()),
                    "failures_to_acquire": int((~searches.acquired).sum()),
                    "fpir": measuring.fpir,
                    "fpir_observed": fpir.as_dict(),
                    "threshold": threshold,
                    "tpir": tpir.as_dict(),
                }
            )
            made[condition.name, name] = searches
    return Measured(tuple(rows), {key: ScoredSearches.of(searches) for key, searches in made.items()}, made)


def verified(
    models: Mapping[str, Model],
    manifest: Manifest,
    images: StrArray,
    pairs: Pairs,
    measuring: Measuring,
    home: Path,
    *,
    digest: str,
    finder: Model,
    shown: Shown = lambda items, _, __: items,
) -> dict[str, Any]:
    """Verify the pairs of a protocol whose two people only measure, with every model, and compare their accuracy.

    Parameters
    ----------
    models, measuring, home, digest, finder, shown
        As for `measure`.
    manifest, images
        Everybody who measures, and the digests of the images.
    pairs
        The whole protocol.

    Raises
    ------
    ManifestError
        Fewer than two folds have such a pair.
    """
    row_of = {path: row for row, path in enumerate(manifest.paths)}
    known = np.array([image in row_of for image in pairs.images], np.bool_)
    both = known[pairs.reference] & known[pairs.probe]
    used = np.unique(np.concatenate([pairs.reference[both], pairs.probe[both]]))
    place = np.cumsum(np.isin(np.arange(len(pairs.images)), used)) - 1
    half = Pairs(
        tuple(pairs.images[row] for row in used),
        place[pairs.reference[both]],
        place[pairs.probe[both]],
        pairs.mated[both],
        pairs.fold[both],
        tuple(name for name, kept in zip(pairs.subjects, both, strict=True) if kept),
        tuple(name for name, kept in zip(pairs.probe_subjects, both, strict=True) if kept),
    )
    rows = np.array([row_of[image] for image in half.images], np.int64)
    views = make_views(
        manifest[rows], images[rows], _AS_IT_IS, finder, home, digest=digest, seed=0,
        progress=lambda done, total: shown(done, total, "faces of the pairs"),
    )  # fmt: skip
    found = {name: verify_templates(half, templates_of_views(views, model)).accuracy for name, model in models.items()}
    first, *others = found
    differences = [
        compare_accuracy(
            half, found[first].right, found[name].right,
            replicates=measuring.replicates, rng=np.random.default_rng([measuring.seed, 2]),
        )
        for name in others
    ]  # fmt: skip
    return {
        "pairs": int(both.sum()),
        "mated": int(half.mated.sum()),
        "of_pairs": len(pairs),
        "models": {
            name: {"accuracy": one.mean, "standard_deviation": one.standard_deviation} for name, one in found.items()
        },
        "paired": [
            {"first": first, "second": name, "accuracy_difference": difference.as_dict()}
            for name, difference in zip(others, differences, strict=True)
        ],
    }


def paired(scores: Scores, first: str, second: str, measuring: Measuring) -> list[dict[str, Any]]:
    """Compare two models under each condition that both were measured under."""
    found = []
    for condition in measuring.conditions:
        rng = np.random.default_rng([measuring.seed, 1])
        pair = scores[condition.name, first], scores[condition.name, second]
        rates = compare_at_fpir(*pair, fpir=measuring.fpir, replicates=measuring.replicates, rng=rng)
        found.append({"condition": condition.name, "first": first, "second": second, **rates.as_dict()})
    return found


_COLUMNS = ("subject", "mated", "mate_score", "other_score")


def write_scores(path: Path, scores: Scores) -> None:
    """Keep scores, without a name or template, in a file that only its owner may read.

    Raises
    ------
    RegistryError
        It cannot be written.
    """
    columns = {
        f"{condition}/{model}/{column}": getattr(found, column)
        for (condition, model), found in scores.items()
        for column in _COLUMNS
    }
    text = io.BytesIO()
    np.savez_compressed(text, allow_pickle=False, **columns)
    try:
        write_whole(path, lambda file: file.write(text.getvalue()))
    except OSError as error:
        raise RegistryError(f"{path}: cannot keep the scores: {error.strerror}") from error


def read_scores(path: Path) -> dict[tuple[str, str], ScoredSearches]:
    """Return what `write_scores` kept.

    Raises
    ------
    RegistryError
        The file is not there.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            return dict(_read(kept))
    except (OSError, ValueError) as error:
        raise RegistryError(
            f"{path}: no scores of this run here; they stay in the LFR_HOME that it ran in, because they are of people"
        ) from error


def _read(kept: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], ScoredSearches]]:
    for key in kept:
        condition, model, column = key.split("/")
        if column == _COLUMNS[0]:
            yield (condition, model), ScoredSearches(*(kept[f"{condition}/{model}/{name}"] for name in _COLUMNS))
