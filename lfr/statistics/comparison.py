"""What a comparison of groups found, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from lfr.statistics.two_groups import Measure

__all__ = ["Comparison", "GroupCount", "PairComparison", "Verdict"]

Verdict = Literal["equitable", "not equitable", "not shown"]


@dataclass(frozen=True)
class GroupCount:
    """Events and independent trials of one group.

    Attributes
    ----------
    group
        Its name.
    count, of
        Events and trials. Where a subject has several trials, effective
        numbers: those of as many independent trials as carry the same
        information (`lfr.statistics.group_counts`), not whole numbers.
    subjects
        Different subjects among the trials.
    """

    group: str
    count: float
    of: float
    subjects: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.of:
            raise ValueError(f"{self.group}: count must lie in 0..of, got {self.count} of {self.of}")
        if self.subjects < 0:
            raise ValueError(f"{self.group}: subjects must be 0 or more, got {self.subjects}")


@dataclass(frozen=True)
class PairComparison:
    """Two groups compared.

    Attributes
    ----------
    first, second
        Their names. The ratio is the first rate over the second, the difference the first less the second.
    estimate
        Ratio or difference of the rates; None where undefined.
    low, high
        Its interval, by which it may be ``equitable``; None where undefined.
    holm_level, holm_low, holm_high
        Confidence after Holm's correction over the pairs, and the interval at
        it, by which it may be ``not equitable``.
    p_value
        Smallest 1 - confidence at which the interval leaves equality out,
        without correction; None where undefined.
    verdict
        Of this pair.
    needed
        Subjects of each group with which ``equitable`` would be found with a
        probability of 80%, were the rates equal to the two groups' common
        one; None where the verdict is given, or no number would do.
    power
        Probability with which these trials would have shown ``equitable``, were the rates equal.
    smallest_detectable
        Smallest ratio, or difference, that these trials would have told from
        equality with a probability of 80%, at the Holm level of the first
        pair; None where there is none.
    """

    first: str
    second: str
    estimate: float | None
    low: float | None
    high: float | None
    holm_level: float
    holm_low: float | None
    holm_high: float | None
    p_value: float | None
    verdict: Verdict
    needed: int | None
    power: float | None
    smallest_detectable: float | None

    def as_dict(self) -> dict[str, Any]:
        """The pair as JSON documents show it."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """All pairs of groups compared.

    Attributes
    ----------
    verdict
        ``equitable`` when every pair is, ``not equitable`` when one pair is, else ``not shown``.
    measure
        ``ratio`` or ``difference``.
    low, high
        Bounds that count as equal.
    confidence
        Of the pairs' intervals.
    groups
        What was compared.
    pairs
        One for each pair of groups.
    reasons
        Why something could not be compared, one sentence each.
    """

    verdict: Verdict
    measure: Measure
    low: float
    high: float
    confidence: float
    groups: tuple[GroupCount, ...]
    pairs: tuple[PairComparison, ...]
    reasons: tuple[str, ...]

    @property
    def needed(self) -> int | None:
        """Subjects of each group that all pairs not shown would need; None where there are none or it is not known."""
        wanted = [pair.needed for pair in self.pairs if pair.verdict == "not shown"]
        known = [number for number in wanted if number is not None]
        return max(known) if known and len(known) == len(wanted) else None

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON documents show it."""
        document = asdict(self)
        document["groups"], document["pairs"] = list(document["groups"]), list(document["pairs"])
        return {**document, "reasons": list(self.reasons), "needed": self.needed}
