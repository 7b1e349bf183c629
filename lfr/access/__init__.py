"""Who may do what: forces, persons, keys, roles, and the one permission table."""

from lfr.access.forces import ForcePolicy, policy_of
from lfr.access.people import (
    NewKey,
    add_device,
    add_force,
    add_person,
    init_access,
    installation_health,
    list_keys,
    revoke,
    set_policy,
)
from lfr.access.permissions import PERMISSIONS, ROLES, Permission, Role
from lfr.access.principal import Principal, SecretMemory, authenticate, holder, record
from lfr.access.rates import Rates

__all__ = [
    "PERMISSIONS",
    "ROLES",
    "ForcePolicy",
    "NewKey",
    "Permission",
    "Principal",
    "Rates",
    "Role",
    "SecretMemory",
    "add_device",
    "add_force",
    "add_person",
    "authenticate",
    "holder",
    "init_access",
    "installation_health",
    "list_keys",
    "policy_of",
    "record",
    "revoke",
    "set_policy",
]
