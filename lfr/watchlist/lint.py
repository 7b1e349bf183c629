"""What is wrong with a list before it is sealed, entry by entry and between entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import defer

from lfr.access import ForcePolicy, Principal, policy_of, record
from lfr.database import Store
from lfr.database.tables import Entry, Reference
from lfr.errors import ConflictError, ModelMismatchError
from lfr.types import Calibration, FloatArray, IntArray
from lfr.vision import ENROLMENT_POLICY
from lfr.watchlist.cohort import Cohort
from lfr.watchlist.lists import locked_list
from lfr.watchlist.sealing import templates_of

__all__ = ["Finding", "LintReport", "lint"]

Severity = Literal["error", "warning"]

LOOK_ALIKE = 0.45
"""Score from which two subjects of a list are named as alike where no calibration says better."""

_OUTLIER_DEVIATIONS = 3.5
_MIN_COHORT = 20
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes
    ----------
    rule
        ``quality``, ``look-alike``, ``attracts-strangers``, ``expired``, ``old-image``, ``minor``,
        ``not-approved``, ``size`` or ``same-image``.
    severity
        An error keeps the list from being sealed; a warning is for a person to weigh.
    subjects
        Whom it concerns.
    text
        What was measured, and what is wanted.
    """

    rule: str
    severity: Severity
    subjects: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class LintReport:
    """Everything found, errors first.

    Attributes
    ----------
    watchlist_id, entries
        What was looked at.
    threshold
        Score that look-alikes and strangers were judged by, and where it comes from.
    findings
        In order of severity and rule.
    """

    watchlist_id: str
    entries: int
    threshold: float
    threshold_source: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing stands against sealing."""
        return not any(finding.severity == "error" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "watchlist_id": self.watchlist_id,
            "passed": self.passed,
            "entries": self.entries,
            "threshold": self.threshold,
            "threshold_source": self.threshold_source,
            "findings": [
                {"rule": f.rule, "severity": f.severity, "subjects": list(f.subjects), "text": f.text}
                for f in self.findings
            ],
        }


def lint(
    store: Store,
    principal: Principal,
    watchlist_id: str,
    *,
    calibration: Calibration | None = None,
    cohort: Cohort | None = None,
) -> LintReport:
    """Look a list over.

    Parameters
    ----------
    store, principal, watchlist_id
        Where, who, and the list; that it was looked at is logged.
    calibration
        Where the threshold and the largest size come from; None: a score of 0.45, and the policy's size.
    cohort
        People to compare references with; those on the list are left out. None: strangers are not looked for.

    Raises
    ------
    ModelMismatchError
        Calibration or cohort are of another model than the list.
    ConflictError
        The list was destroyed.
    """
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.lint", watchlist_id)
        if watchlist.state == "destroyed":
            raise ConflictError(f"watchlist {watchlist_id} was destroyed: nothing is left to look over")
        policy = policy_of(session, watchlist.force_id)
        entries = session.scalars(select(Entry).where(Entry.watchlist_id == watchlist_id)).all()
        references = session.scalars(
            select(Reference)
            .where(Reference.watchlist_id == watchlist_id)
            .order_by(Reference.entry_id, Reference.ordinal)
            .options(defer(Reference.image))
        ).all()
        record(store, session, principal, "watchlist.lint", watchlist_id, details={"entries": len(entries)})
        digest = watchlist.model_digest
    for what, other in (
        ("calibration", calibration.model_digest if calibration else digest),
        ("cohort", cohort.templates.model_digest if cohort else digest),
    ):
        if other != digest:
            raise ModelMismatchError(f"watchlist {watchlist_id}: of model {digest}, the {what} of {other}")
    subject_of = {entry.id: entry.subject_id for entry in entries}
    owners = tuple(subject_of[reference.entry_id] for reference in references)
    vectors = None
    if references:
        vectors = templates_of(((r.id, r.template) for r in references), store.keys.load(watchlist_id))
    threshold = calibration.threshold if calibration else LOOK_ALIKE
    findings = [*_of_size(len(entries), policy, calibration), *_of_entries(entries, policy, store)]
    findings += _of_images(references, owners)
    if vectors is not None:
        findings += _look_alikes(vectors, owners, threshold)
        if cohort is not None:
            findings += _strangers(vectors, owners, cohort, threshold)
    findings.sort(key=lambda finding: (finding.severity != "error", finding.rule, finding.subjects))
    source = f"calibration {calibration.digest[:12]}" if calibration else "none: lint's own, no calibration was given"
    return LintReport(watchlist_id, len(entries), threshold, source, tuple(findings))


def _of_size(entries: int, policy: ForcePolicy, calibration: Calibration | None) -> Iterator[Finding]:
    if entries == 0:
        yield Finding("size", "error", (), "the list is empty")
    if entries > policy.max_watchlist:
        yield Finding("size", "error", (), f"{entries} entries, and the force's policy allows {policy.max_watchlist}")
    if calibration is not None and entries > calibration.watchlist_size:
        yield Finding("size", "error", (), f"{entries} entries, and calibrated was {calibration.watchlist_size}")


def _of_entries(entries: Sequence[Entry], policy: ForcePolicy, store: Store) -> Iterator[Finding]:
    now = store.now()
    for entry in entries:
        who = (entry.subject_id,)
        if entry.expires_at <= now:
            yield Finding("expired", "error", who, f"the entry ended on {entry.expires_at:%Y-%m-%d}")
        age = (now.date() - entry.image_date).days
        if age > policy.max_image_age_days:
            yield Finding("old-image", "warning", who, f"the image is {age} days old, over {policy.max_image_age_days}")
        if entry.under_18 and entry.under_18_authorised_by is None:
            yield Finding("minor", "error", who, "under 18, and nobody authorised this one entry")
        elif entry.under_18:
            yield Finding("minor", "warning", who, f"under 18, authorised by {entry.under_18_authorised_by}")
        if entry.approved_by is None:
            yield Finding("not-approved", "error", who, "no second person has approved the entry")
        if entry.category not in policy.categories:
            yield Finding("category", "error", who, f"{entry.category!r} is not in the force's policy")


def _of_images(references: Sequence[Reference], owners: Sequence[str]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for reference, owner in zip(references, owners, strict=True):
        for measure, least in ENROLMENT_POLICY.minimum.items():
            value = reference.quality.get(measure)
            if value is None or value < least:
                found = "could not be assessed" if value is None else f"is {value:.0f}"
                yield Finding("quality", "error", (owner,), f"{measure} {found}, at least {least:.0f} is needed")
        if (other := seen.setdefault(reference.image_digest, owner)) != owner:
            yield Finding("same-image", "error", (other, owner), "one image stands for two subjects")


def _look_alikes(vectors: FloatArray, owners: Sequence[str], threshold: float) -> Iterator[Finding]:
    """Pairs of different subjects that a probe of one would be mistaken for."""
    names = np.array(owners)
    best: dict[tuple[str, str], float] = {}
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        scores = vectors[start : start + _ROWS_AT_ONCE] @ vectors.T
        rows, columns = np.nonzero(scores >= threshold)
        for row, column in zip(rows + start, columns, strict=True):
            if row < column and names[row] != names[column]:
                first, second = sorted((str(names[row]), str(names[column])))
                score = float(scores[row - start, column])
                best[first, second] = max(score, best.get((first, second), -1.0))
    for pair, score in best.items():
        yield Finding("look-alike", "warning", pair, f"score {score:.2f} with each other, over {threshold:.2f}")


def _strangers(vectors: FloatArray, owners: Sequence[str], cohort: Cohort, threshold: float) -> Iterator[Finding]:
    """References whose scores with strangers stand out: lambs, in the field's word.

    A reference stands out if it draws a stranger at the threshold while most
    references draw none, or if its highest scores lie 3.5 robust standard
    deviations over those of the other references (B. Iglewicz and D. Hoaglin,
    "How to detect and handle outliers", 1993).
    """
    strangers = np.array([subject not in set(owners) for subject in cohort.subject_ids], np.bool_)
    if strangers.sum() < _MIN_COHORT:
        yield Finding(
            "attracts-strangers", "warning", (),
            f"only {strangers.sum()} people of {cohort.name} are not on the list; {_MIN_COHORT} are needed to judge",
        )  # fmt: skip
        return
    drawn, level, highest = _drawn(vectors, cohort.templates.vectors[strangers], threshold)
    middle = float(np.median(level))
    spread = float(np.median(np.abs(level - middle))) / 0.6745
    usual = int(np.median(drawn))
    for row, owner in enumerate(owners):
        deviations = (level[row] - middle) / spread if spread > 0 else 0.0
        if drawn[row] > usual or deviations > _OUTLIER_DEVIATIONS:
            yield Finding(
                "attracts-strangers",
                "warning",
                (owner,),
                f"would draw {drawn[row]} of {strangers.sum()} strangers ({cohort.name}) at {threshold:.2f}, "
                f"where most references draw {usual}; highest score {highest[row]:.2f}",
            )


def _drawn(vectors: FloatArray, strangers: FloatArray, threshold: float) -> tuple[IntArray, FloatArray, FloatArray]:
    """(n,) strangers at or over the threshold, mean of the highest twentieth of scores, and the highest."""
    top = max(1, len(strangers) // 20)
    parts = []
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        scores = vectors[start : start + _ROWS_AT_ONCE] @ strangers.T
        level = np.partition(scores, -top, axis=1)[:, -top:].mean(axis=1)
        parts.append(((scores >= threshold).sum(axis=1), level, scores.max(axis=1)))
    drawn, levels, highest = (np.concatenate(part) for part in zip(*parts, strict=True))
    return drawn, levels, highest
