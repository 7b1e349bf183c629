"""The ``lfr`` command."""

from lfr.cli.app import main

__all__ = ["main"]
