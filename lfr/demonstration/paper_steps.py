"""The paperwork: a watchlist that a second person approved, and a deployment that a second person authorised."""

from __future__ import annotations

from collections import Counter

from lfr.demonstration.checklist import Finding, is_refused
from lfr.demonstration.stage import CAMERA, Stage
from lfr.deployments import authorise, create_deployment, shipped_calibration, show_deployment, start
from lfr.errors import ConflictError, LfrError, NotFoundError, RefusedError
from lfr.evaluation.made_up import made_up_entries, made_up_request
from lfr.watchlist import approve, create_watchlist, import_entries, lint, load_sealed, seal

__all__ = ["deployment", "watchlist"]

_MINUTES = 60.0


def watchlist(stage: Stage) -> Finding:
    """Import made-up people, lint, have a second person approve them, and seal the list."""
    if stage.model is None:
        raise NotFoundError("no model was promoted")
    store, manager, officer = stage.store, stage.who("watchlist_manager"), stage.who("authorising_officer")
    stage.say(f"enrolling {len(stage.force.people)} references")
    list_id = create_watchlist(store, manager, name="made up", model=stage.model)
    report = import_entries(store, manager, list_id, made_up_entries(stage.force.people), stage.model)
    own = approve(store, manager, list_id)
    unapproved = is_refused(lambda: seal(store, manager, list_id), LfrError)
    approved = approve(store, officer, list_id)
    looked = lint(store, manager, list_id, calibration=shipped_calibration())
    digest = seal(store, manager, list_id)
    stage.watchlist_id = list_id
    sealed = load_sealed(store, list_id, digest=digest, model_digest=stage.model.digest)
    warnings = Counter(finding.rule for finding in looked.findings if finding.severity == "warning")
    found = ", ".join(f"{count} {rule}" for rule, count in warnings.items()) or "none"
    return Finding(
        checks={
            "every row became an entry": report.accepted == len(stage.force.people),
            "nobody approves their own entries": own == 0,
            "a list that nobody else approved is not sealed": unapproved,
            "a second person approved every entry": approved == report.accepted,
            "lint finds no error": looked.passed,
            "what is searched is what was sealed": len(sealed.entries) == report.accepted,
        },
        said=(f"{approved} people, approved by a second person; lint: no error, warnings: {found}",),
        facts={"watchlist": list_id, "entries": approved, "digest": digest, "warnings": dict(warnings)},
    )


def deployment(stage: Stage) -> Finding:
    """Ask for a deployment; a second officer authorises it; start it."""
    store, operator, officer = stage.store, stage.who("operator"), stage.who("authorising_officer")
    request = made_up_request(store, stage.watchlist_id, minutes=_MINUTES, cameras=(CAMERA,))
    made = create_deployment(store, operator, request)
    early = is_refused(lambda: start(store, operator, made), ConflictError)
    own = is_refused(lambda: authorise(store, operator, made, reasons="made up"), RefusedError)
    authorise(store, officer, made, reasons="made-up people only")
    start(store, operator, made)
    stage.deployment_id = made
    view = show_deployment(store, operator, made).as_dict()
    return Finding(
        checks={
            "it does not start before it is authorised": early,
            "who asks for it cannot authorise it": own,
            "it is live": view["state"] == "live",
            "it says that it is not approved for field use": bool(view["demo"]),
        },
        said=(f"live for an hour at most; marked {view['notice']}",),
        facts={"deployment": made, "threshold": request.calibration.threshold, "state": view["state"]},
    )
