"""Exact search of templates, and what a track's scores decide."""

from __future__ import annotations

from lfr.matching.cooldown import Cooldown
from lfr.matching.decision import Decision, DecisionRule, Fusion, decide
from lfr.matching.snapshot import Snapshot

__all__ = ["Cooldown", "Decision", "DecisionRule", "Fusion", "Snapshot", "decide"]
