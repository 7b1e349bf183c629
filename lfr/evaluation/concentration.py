"""Who causes the false positives: few references, few probes, or many of both.

A difference between groups can be one person's doing: a reference that
strangers resemble raises the FPIR of the group they come from. So the worst
are named, and rates can be counted again without them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import poisson

from lfr.evaluation.search_scores import Hits
from lfr.evaluation.searches import Searches
from lfr.types import BoolArray, IntArray

__all__ = ["Concentration", "Culprit", "concentration", "false_positive_without"]

_NAMED = 10
_LEAST = 3
_LEVEL = 0.05


@dataclass(frozen=True)
class Culprit:
    """A person with a part in the false positives.

    Attributes
    ----------
    subject_id
        Whom the reference, or the probe, shows.
    false_positives
        Of a reference: non-mated searches that returned it. Of a probe: references it returned.
    share
        Of all non-mated searches with a false positive, those that returned this reference; of all false
        candidates, those that this probe returned.
    stands_out
        More than evenly spread false positives would give to the worst of all: Poisson's tail, corrected for
        the number of people (Bonferroni) at 5%, and at least three.
    """

    subject_id: str
    false_positives: int
    share: float
    stands_out: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return vars(self)


@dataclass(frozen=True)
class Concentration:
    """How the false positives at one threshold are spread over people.

    Attributes
    ----------
    searches
        Non-mated searches with a false positive.
    candidates
        False candidates in them: at least one each.
    references, probes
        Worst first, ten at most and all that stand out.
    top_references_share
        Share of those searches that would have none without the references that stand out.
    """

    searches: int
    candidates: int
    references: tuple[Culprit, ...]
    probes: tuple[Culprit, ...]
    top_references_share: float | None

    @property
    def outlying_references(self) -> tuple[str, ...]:
        """Subjects whose reference stands out."""
        return tuple(culprit.subject_id for culprit in self.references if culprit.stands_out)

    @property
    def outlying_probes(self) -> tuple[str, ...]:
        """Subjects whose probes stand out."""
        return tuple(culprit.subject_id for culprit in self.probes if culprit.stands_out)

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form, without the lists of people."""
        return {
            "searches": self.searches,
            "candidates": self.candidates,
            "outlying_references": list(self.outlying_references),
            "outlying_probes": list(self.outlying_probes),
            "outlying_references_share": self.top_references_share,
        }


def concentration(searches: Searches, hits: Hits) -> Concentration:
    """Count who has a part in the false positives of non-mated searches.

    Parameters
    ----------
    searches
        The table.
    hits
        From ``searches.scores.hits(threshold)``.
    """
    false = hits[~searches.mated[hits.search]]
    subjects = searches.watchlist.snapshot.subjects
    with_one = len(np.unique(false.search))
    by_reference = np.bincount(false.subject, minlength=len(subjects))
    names, number = np.unique(searches.subject_id, return_inverse=True)
    by_probe = np.bincount(number[false.search], minlength=len(names))
    of_non_mated = np.zeros(len(names), np.bool_)
    of_non_mated[number[~searches.mated]] = True
    references = _worst(subjects, by_reference, with_one)
    outlying = {culprit.subject_id for culprit in references if culprit.stands_out}
    left = int(false_positive_without(searches, hits, outlying).sum())
    return Concentration(
        with_one,
        len(false),
        references,
        _worst(names[of_non_mated].tolist(), by_probe[of_non_mated], len(false)),
        (with_one - left) / with_one if with_one else None,
    )


def false_positive_without(searches: Searches, hits: Hits, references: Collection[str]) -> BoolArray:
    """(n,) non-mated searches that return a candidate other than some references."""
    left_out = np.isin(searches.watchlist.snapshot.subjects, list(references))
    kept = hits[~left_out[hits.subject]]
    positive = np.zeros(len(searches), np.bool_)
    positive[kept.search] = True
    return np.asarray(positive & ~searches.mated)


def _worst(subjects: Sequence[str], counts: IntArray, total: int) -> tuple[Culprit, ...]:
    if not counts.sum():
        return ()
    tail = poisson.sf(counts - 1, counts.sum() / len(counts))
    stands_out = (tail * len(counts) < _LEVEL) & (counts >= _LEAST)
    order = np.lexsort((np.arange(len(counts)), -counts))
    named = [i for place, i in enumerate(order) if counts[i] and (place < _NAMED or stands_out[i])]
    return tuple(
        Culprit(str(subjects[i]), int(counts[i]), float(counts[i] / total), bool(stands_out[i])) for i in named
    )
