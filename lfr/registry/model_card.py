"""The model card of one version: what it is, with figures from its evidence and from nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lfr.registry.bundle import Bundle, read_bundle
from lfr.registry.cards import CARDS, ModelCard, model_cards
from lfr.registry.documents import Evidence, FairnessEvidence, RateEvidence
from lfr.registry.evidence import find_evidence
from lfr.registry.tracking import Tracking
from lfr.registry.versions import RegisteredVersion, bundle_folder
from lfr.types import Calibration

__all__ = ["version_card", "write_model_card"]


def version_card(tracking: Tracking, version: RegisteredVersion, *, folder: Path = CARDS) -> str:
    """Return the card of a registered version, from its files, its evidence and the cards of its networks.

    Raises
    ------
    RegistryError
        Its files or its evidence were changed, or a card is malformed.
    """
    bundle = read_bundle(bundle_folder(tracking, version))
    cards, missing = model_cards(bundle, folder=folder)
    return write_model_card(version, bundle, find_evidence(tracking, version), cards=cards, missing=missing)


def write_model_card(
    version: RegisteredVersion,
    bundle: Bundle,
    evidence: Evidence,
    *,
    cards: dict[str, ModelCard],
    missing: tuple[str, ...] = (),
) -> str:
    """Return a version's card as Markdown.

    Parameters
    ----------
    version, bundle
        What it is.
    evidence
        Where every figure comes from; what there is no evidence of is said to be missing.
    cards
        Of its networks, by role.
    missing
        What no card was found for, a line each.
    """
    return (
        "\n".join(
            [
                f"# Model card: {bundle.name}, version {version.number}",
                "",
                *_what(version, bundle),
                *_figures(evidence),
                *_parts(cards, missing),
            ]
        ).rstrip()
        + "\n"
    )


def _what(version: RegisteredVersion, bundle: Bundle) -> Iterator[str]:
    yield from _table(
        ("Model digest", f"`{version.model_digest}`"),
        ("Runtime", f"{bundle.runtime}, {bundle.precision}, {bundle.device}"),
        ("Template", f"{bundle.embedding_size} numbers, cosine"),
        ("Detector", f"{bundle.detector.file}, SHA-256 `{bundle.detector.sha256[:12]}`, {bundle.detector.licence}"),
        ("Embedder", f"{bundle.embedder.file}, SHA-256 `{bundle.embedder.sha256[:12]}`, {bundle.embedder.licence}"),
        ("Registered", version.created.strftime("%Y-%m-%d")),
        ("Aliases", ", ".join(version.aliases) or "none"),
    )


def _figures(evidence: Evidence) -> Iterator[str]:
    yield "## Figures"
    yield ""
    if not evidence.digests:
        yield "Not evaluated: no evidence was logged on this version."
        yield ""
        return
    if any(
        found is not None and found.simulated
        for found in (evidence.evaluation, evidence.calibration, evidence.fairness)
    ):
        yield "**Some of it was measured on made-up faces, which show nothing of real ones.**"
        yield ""
    rows: list[tuple[str, str]] = []
    if evidence.evaluation is not None:
        found = evidence.evaluation
        people = f"{found.mated_subjects:,} listed people and {found.non_mated_subjects:,} strangers"
        rows.append(("Evaluated with", f"{people}, watchlist of {found.watchlist_size:,}"))
        rows += [(f"TPIR at FPIR {point.fpir:g}", _rate(point.tpir)) for point in found.points]
    if evidence.calibration is not None:
        rows += _calibrated(evidence.calibration)
    if evidence.parity is not None:
        found_parity = evidence.parity
        rows.append(
            ("Cosine to the torch reference", f"{found_parity.min_cosine:.5f} at least, {found_parity.images} images")
        )
    if evidence.benchmark is not None:
        speed, machine = evidence.benchmark, evidence.benchmark.machine
        rows.append(("Detector", f"{speed.frames_per_s:.0f} frames of 1280x720 a second"))
        rows.append(("Embedder", f"{speed.faces_per_s:.0f} faces a second"))
        rows.append(("Measured on", f"{machine.get('processor', 'a processor')}, {machine.get('cores', '?')} cores"))
    yield from _table(*rows)
    if evidence.fairness is not None:
        yield from _groups(evidence.fairness)


def _calibrated(found: Calibration) -> list[tuple[str, str]]:
    return [
        ("Threshold", f"{found.threshold:.4f}, for FPIR {found.target_fpir:g} at {found.watchlist_size:,} listed"),
        ("Verdict on it", f"**{found.verdict.replace('_', ' ')}**, {found.non_mated_subjects:,} strangers"),
    ]


def _groups(found: FairnessEvidence) -> Iterator[str]:
    yield f"### Groups: {found.verdict}"
    yield ""
    yield f"At the threshold {found.threshold:.4f}, {found.watchlist_size:,} listed."
    yield ""
    yield "| group | TPIR | FPIR | listed | strangers |"
    yield "| --- | --- | --- | --- | --- |"
    for group in found.groups:
        name = ", ".join(group.group.values())
        counts = f"{group.mated_subjects:,} | {group.non_mated_subjects:,}"
        yield f"| {name} | {_rate(group.tpir)} | {_rate(group.fpir)} | {counts} |"
    yield ""


def _parts(cards: dict[str, ModelCard], missing: tuple[str, ...]) -> Iterator[str]:
    yield "## Networks"
    yield ""
    for problem in missing:
        yield f"- **{problem}**"
    for role, card in cards.items():
        yield f"- {role} {card.name}: {card.provenance}; {card.licence}; trained on {card.training_data}"
    yield ""
    for title, of in (("Known gaps", "known_gaps"), ("Must not be used for", "forbidden_uses")):
        yield f"## {title}"
        yield ""
        yield from (
            f"- {text}" for text in dict.fromkeys(text for card in cards.values() for text in getattr(card, of))
        )
        yield ""


def _table(*rows: tuple[str, str]) -> Iterator[str]:
    yield "| | |"
    yield "| --- | --- |"
    yield from (f"| {name} | {text} |" for name, text in rows)
    yield ""


def _rate(rate: RateEvidence) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return "nobody counted"
    return f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%}; {rate.count:,} of {rate.of:,})"
