"""The biometric menagerie: do errors belong to people rather than to chance.

G. Doddington and others, "Sheep, goats, lambs and wolves", ICSLP 1998: goats
are people who match themselves badly, lambs are easily matched by others,
wolves easily match others. N. Yager and T. Dunstone, "The biometric
menagerie", IEEE TPAMI 32(2), 2010, look at both sides together: chameleons
score high with themselves and others, phantoms low with both, doves high with
themselves and low with others, worms the reverse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, hypergeom, kruskal, rankdata

from lfr.evaluation.searches import Searches
from lfr.types import IntArray

__all__ = ["Animal", "AnimalTest", "Menagerie", "menagerie"]

Animal = Literal["chameleons", "phantoms", "doves", "worms"]

_MOST = 1000
_FEWEST = 8


@dataclass(frozen=True)
class AnimalTest:
    """Whether one kind of animal exists.

    Attributes
    ----------
    name
        ``goats``, ``lambs`` or ``wolves``, or one of Yager and Dunstone's.
    test
        Which test.
    p_value
        Of scores, or of pairs of scores, that do not depend on the person; None where too few can be tested.
    size
        Strength of the effect: share of the variance of ranks that is due to the person (goats), Kendall's W (lambs
        and wolves, 0..1), or the number of subjects that are such an animal.
    expected
        ``size`` if the person made no difference.
    """

    name: str
    test: str
    p_value: float | None
    size: float | None
    expected: float | None


@dataclass(frozen=True)
class Menagerie:
    """Results of all tests.

    Attributes
    ----------
    tests
        Goats, lambs, wolves, then Yager and Dunstone's four.
    subjects
        Watchlist subjects that have scores with themselves and with others.
    """

    tests: tuple[AnimalTest, ...]
    subjects: int

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {"subjects": self.subjects, "tests": [vars(test) for test in self.tests]}


def menagerie(searches: Searches, *, rng: np.random.Generator) -> Menagerie:
    """Test for each animal.

    Parameters
    ----------
    searches
        The table.
    rng
        Draws 1,000 references and 1,000 non-mated searches, of different people, where there are more.
    """
    scores, columns = _stranger_scores(searches, rng)
    return Menagerie(
        (
            _goats(searches),
            _friedman("lambs", scores),
            _friedman("wolves", scores.T),
            *_corners(searches, scores, columns),
        ),
        len(_genuine(searches, columns)[0]),
    )


def _goats(searches: Searches) -> AnimalTest:
    test = "Kruskal-Wallis on scores with oneself, by subject"
    known = searches.mated & np.isfinite(searches.mate_score)
    number = np.unique(searches.subject_id[known], return_inverse=True)[1]
    scores = searches.mate_score[known]
    samples = [scores[number == i] for i in np.flatnonzero(np.bincount(number) > 1)] if len(number) else []
    together = np.concatenate(samples) if samples else np.zeros(0)
    if len(samples) < 2 or np.ptp(together) == 0:
        return AnimalTest("goats", test, None, None, None)
    result = kruskal(*samples)
    n, k = len(together), len(samples)
    # Epsilon squared (T. Kelley, 1935): the share of variance due to the subject, less what chance gives.
    return AnimalTest("goats", test, float(result.pvalue), float((result.statistic - k + 1) / max(n - k, 1)), 0.0)


def _friedman(name: str, scores: NDArray[np.float64]) -> AnimalTest:
    """Whether columns differ, with rows as blocks; both sides share people, so W matters more than p."""
    test = "Friedman on scores with strangers, by " + ("reference" if name == "lambs" else "probe")
    blocks, people = scores.shape
    if blocks < _FEWEST or people < _FEWEST:
        return AnimalTest(name, test, None, None, None)
    ranks = rankdata(scores, axis=1)
    spread = float(np.sum((ranks.sum(axis=0) - blocks * (people + 1) / 2) ** 2))
    w = 12 * spread / (blocks**2 * (people**3 - people))
    return AnimalTest(name, test, float(chi2.sf(blocks * (people - 1) * w, people - 1)), w, 1 / blocks)


def _corners(searches: Searches, scores: NDArray[np.float64], columns: IntArray) -> list[AnimalTest]:
    test = "hypergeometric, subjects in both quarters"
    place, genuine = _genuine(searches, columns)
    impostor = scores.mean(axis=0)[place] if len(scores) else np.zeros(0)
    n = len(genuine)
    kinds: dict[Animal, tuple[bool, bool]] = {
        "chameleons": (True, True),
        "phantoms": (False, False),
        "doves": (True, False),
        "worms": (False, True),
    }
    if n < _FEWEST or not len(scores):
        return [AnimalTest(name, test, None, None, None) for name in kinds]
    quarter = n // 4
    ranks = [rankdata(values, method="ordinal") for values in (genuine, impostor)]
    tests = []
    for name, sides in kinds.items():
        high = [r > n - quarter if upper else r <= quarter for r, upper in zip(ranks, sides, strict=True)]
        count = int((high[0] & high[1]).sum())
        p_value = float(hypergeom.sf(count - 1, n, quarter, quarter))
        tests.append(AnimalTest(name, test, p_value, float(count), quarter * quarter / n))
    return tests


def _stranger_scores(searches: Searches, rng: np.random.Generator) -> tuple[NDArray[np.float64], IntArray]:
    """(probes, references) scores of non-mated searches, one a subject, with the columns drawn."""
    usable = np.flatnonzero(~searches.mated & searches.acquired)
    first = usable[np.unique(searches.subject_id[usable], return_index=True)[1]]
    probes = np.sort(rng.permutation(first)[:_MOST])
    columns = np.sort(rng.permutation(len(searches.watchlist.snapshot.subjects))[:_MOST]).astype(np.int64)
    rows = []
    for at, block in searches.scores.blocks():
        wanted = np.isin(at, probes)
        rows.append(block[wanted][:, columns].astype(np.float64))
    return np.concatenate(rows) if rows else np.zeros((0, len(columns))), columns


def _genuine(searches: Searches, columns: IntArray) -> tuple[IntArray, NDArray[np.float64]]:
    """Places in ``columns`` of subjects with a mated score, and their mean score with themselves."""
    known = searches.mated & np.isfinite(searches.mate_score)
    names, number = np.unique(searches.subject_id[known], return_inverse=True)
    if not len(names):
        return np.zeros(0, np.int64), np.zeros(0)
    mean = np.bincount(number, searches.mate_score[known].astype(np.float64)) / np.bincount(number)
    of = dict(zip(names.tolist(), mean.tolist(), strict=True))
    listed = [searches.watchlist.snapshot.subjects[column] for column in columns.tolist()]
    place = np.array([i for i, subject in enumerate(listed) if subject in of], np.int64)
    return place, np.array([of[listed[i]] for i in place])
