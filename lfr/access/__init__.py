"""Who may do what: forces, persons, keys, roles, and the one permission table."""

from lfr.access.forces import ForcePolicy, policy_of
from lfr.access.permissions import PERMISSIONS, Permission, Role
from lfr.access.principal import Principal, authenticate, record

__all__ = [
    "PERMISSIONS",
    "ForcePolicy",
    "Permission",
    "Principal",
    "Role",
    "authenticate",
    "policy_of",
    "record",
]
