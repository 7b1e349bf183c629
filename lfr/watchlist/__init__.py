"""Watchlists: entries with their legal basis, enrolment, lint, seal, suspension and destruction."""

from lfr.watchlist.cohort import Cohort, demo_cohort, manifest_cohort
from lfr.watchlist.copying import copy_watchlist
from lfr.watchlist.enrolling import reenrol
from lfr.watchlist.entries import EntryFields, EntryRow, read_rows
from lfr.watchlist.importing import ImportReport, RowReport, import_entries
from lfr.watchlist.lint import Finding, LintReport, lint
from lfr.watchlist.lists import approve, create_watchlist, list_watchlists, show
from lfr.watchlist.removal import destroy, destroy_in, suspend
from lfr.watchlist.sealing import SealedEntry, SealedWatchlist, alertable, load_sealed, read_reference, seal

__all__ = [
    "Cohort",
    "EntryFields",
    "EntryRow",
    "Finding",
    "ImportReport",
    "LintReport",
    "RowReport",
    "SealedEntry",
    "SealedWatchlist",
    "alertable",
    "approve",
    "copy_watchlist",
    "create_watchlist",
    "demo_cohort",
    "destroy",
    "destroy_in",
    "import_entries",
    "lint",
    "list_watchlists",
    "load_sealed",
    "manifest_cohort",
    "read_reference",
    "read_rows",
    "reenrol",
    "seal",
    "show",
    "suspend",
]
