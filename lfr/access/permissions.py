"""The permission table: the command line and the HTTP interface read this one, and what is not in it is denied."""

from __future__ import annotations

from typing import Literal

__all__ = ["PERMISSIONS", "ROLES", "Permission", "Role"]

Role = Literal[
    "field_unit",
    "operator",
    "watchlist_manager",
    "authorising_officer",
    "mlops",
    "auditor",
    "admin",
    "system",
]

ROLES: tuple[Role, ...] = (
    "field_unit",
    "operator",
    "watchlist_manager",
    "authorising_officer",
    "mlops",
    "auditor",
    "admin",
)
"""Roles a key can have. ``system`` is lfr itself (sweeps, and what it does for a shadow), and no key has it."""

Permission = str

PERMISSIONS: dict[Permission, frozenset[Role]] = {
    "access.add": frozenset({"admin"}),
    "access.revoke": frozenset({"admin"}),
    "access.list": frozenset({"admin", "auditor"}),
    "force.add": frozenset({"admin"}),
    "force.policy": frozenset({"admin"}),
    "force.export": frozenset({"admin", "auditor"}),
    "force.destroy": frozenset({"admin"}),
    "health.read": frozenset({"admin", "auditor", "mlops", "operator", "authorising_officer", "watchlist_manager"}),
    "watchlist.create": frozenset({"watchlist_manager"}),
    "watchlist.add": frozenset({"watchlist_manager"}),
    "watchlist.approve": frozenset({"watchlist_manager", "authorising_officer"}),
    "watchlist.list": frozenset({"watchlist_manager", "authorising_officer", "auditor", "operator"}),
    "watchlist.lint": frozenset({"watchlist_manager", "authorising_officer"}),
    "watchlist.seal": frozenset({"watchlist_manager"}),
    "watchlist.show": frozenset({"watchlist_manager", "authorising_officer", "auditor"}),
    "watchlist.image": frozenset({"watchlist_manager", "authorising_officer", "system"}),
    "watchlist.suspend": frozenset({"watchlist_manager", "authorising_officer", "operator"}),
    "watchlist.destroy": frozenset({"watchlist_manager", "system"}),
    "deployment.create": frozenset({"watchlist_manager", "operator", "authorising_officer"}),
    "deployment.authorise": frozenset({"authorising_officer"}),
    "deployment.start": frozenset({"operator", "authorising_officer"}),
    "deployment.run": frozenset({"operator", "field_unit"}),
    "deployment.feed": frozenset({"operator", "system"}),
    "deployment.end": frozenset({"operator", "authorising_officer", "system"}),
    "deployment.withdraw": frozenset({"authorising_officer"}),
    "deployment.purge": frozenset({"authorising_officer", "system"}),
    "deployment.sweep": frozenset({"authorising_officer", "system"}),
    "deployment.list": frozenset({"operator", "watchlist_manager", "authorising_officer", "auditor"}),
    "deployment.record": frozenset({"operator", "authorising_officer", "auditor"}),
    "deployment.shadow": frozenset({"operator", "authorising_officer", "auditor", "mlops"}),
    "deployment.preview": frozenset({"operator"}),
    "deployment.pass": frozenset({"operator"}),
    "alert.raise": frozenset({"operator", "field_unit"}),
    "alert.list": frozenset({"operator", "authorising_officer", "auditor", "field_unit"}),
    "alert.image": frozenset({"operator", "authorising_officer"}),
    "alert.adjudicate": frozenset({"operator"}),
    "alert.retract": frozenset({"operator"}),
    "alert.lapse": frozenset({"authorising_officer", "system"}),
    "alert.outcome": frozenset({"operator"}),
    "alert.hand-over": frozenset({"authorising_officer"}),
    "alert.hold": frozenset({"operator", "authorising_officer"}),
    "alert.release": frozenset({"operator", "authorising_officer"}),
    "audit.checkpoint": frozenset({"auditor", "authorising_officer", "admin"}),
    "audit.read": frozenset({"auditor", "authorising_officer", "admin"}),
    "audit.export": frozenset({"auditor", "authorising_officer", "admin"}),
    "store.rotate-key": frozenset({"admin"}),
    "store.backup": frozenset({"admin"}),
    "registry.evaluate": frozenset({"mlops"}),
    "registry.promote": frozenset({"mlops", "authorising_officer"}),
    "registry.rollback": frozenset({"mlops", "authorising_officer"}),
}
