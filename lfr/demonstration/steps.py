"""The steps in their order."""

from __future__ import annotations

from lfr.demonstration.checklist import Step
from lfr.demonstration.closing_steps import audit, ending, purging, stopping
from lfr.demonstration.model_steps import evaluate, promotion, register
from lfr.demonstration.paper_steps import deployment, watchlist
from lfr.demonstration.service_steps import adjudication, serve, streaming

__all__ = ["STEPS"]

STEPS: tuple[Step, ...] = (
    Step("register", "Register the recogniser", register),
    Step("evaluate", "Evaluate it on made-up faces", evaluate),
    Step("promote", "Hold it against the policies, and promote it", promotion),
    Step("watchlist", "Import, lint, approve and seal a watchlist", watchlist),
    Step("deployment", "Have a deployment authorised by a second officer, and start it", deployment),
    Step("serve", "Start the service", serve),
    Step("stream", "Stream a street past its camera", streaming),
    Step("adjudicate", "Decide about the alerts", adjudication),
    Step("end", "End the deployment and make its record", ending),
    Step("audit", "Verify the audit log", audit),
    Step("purge", "Purge everything, with proof", purging, tidies=True),
    Step("stop", "Stop, and look for what is left", stopping, tidies=True),
)
"""What ``lfr demo`` goes through."""
