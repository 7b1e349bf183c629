"""Registered versions of the recogniser, and what a version must show before it goes to the field."""

from lfr.registry.bundle import Bundle, load_bundle, read_bundle, write_bundle
from lfr.registry.tracking import MODEL_NAME, Tracking, open_tracking
from lfr.registry.versions import (
    ALIASES,
    RegisteredVersion,
    find_version,
    list_versions,
    load_version,
    register,
)

__all__ = [
    "ALIASES",
    "MODEL_NAME",
    "Bundle",
    "RegisteredVersion",
    "Tracking",
    "find_version",
    "list_versions",
    "load_bundle",
    "load_version",
    "open_tracking",
    "read_bundle",
    "register",
    "write_bundle",
]
