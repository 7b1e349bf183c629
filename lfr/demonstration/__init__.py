"""The whole of lfr on made-up people, step by step, each step with its own verdict: what ``lfr demo`` plays."""

from lfr.demonstration.checklist import Finding, Outcome, Step, go_through, verdict_of
from lfr.demonstration.stage import Stage
from lfr.demonstration.steps import STEPS

__all__ = ["STEPS", "Finding", "Outcome", "Stage", "Step", "go_through", "verdict_of"]
