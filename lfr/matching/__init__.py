"""Exact search of templates, and what a track's scores decide."""

from __future__ import annotations

from lfr.matching.cooldown import Cooldown
from lfr.matching.decision import Decision, DecisionRule, Fusion, decide
from lfr.matching.screen import Screen
from lfr.matching.shards import ShardMerge, shard
from lfr.matching.snapshot import PAIRWISE_PROBES, Snapshot

__all__ = [
    "PAIRWISE_PROBES",
    "Cooldown",
    "Decision",
    "DecisionRule",
    "Fusion",
    "Screen",
    "ShardMerge",
    "Snapshot",
    "decide",
    "shard",
]
