"""Where the time goes from nothing to the service's first answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["DeployTimes", "Opened", "StartTimes"]


@dataclass(frozen=True)
class Opened:
    """When a part's process came to its own code, and when it had opened what it needs: seconds since the epoch."""

    reached: float
    ready: float


@dataclass(frozen=True)
class DeployTimes:
    """What the deploying process did when, in seconds since the epoch.

    Attributes
    ----------
    prepared
        Its imports and the model's digest were there; it did that while the node started.
    proxied
        Serve's controller and proxy were up.
    ran
        Every part was ready.
    parts
        By part.
    """

    prepared: float
    proxied: float
    ran: float
    parts: Mapping[str, Opened]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DeployTimes:
        """Return what a JSON document holds, as `dataclasses.asdict` made it."""
        parts = {name: Opened(**opened) for name, opened in document["parts"].items()}
        return cls(**{**document, "parts": parts})


@dataclass(frozen=True)
class StartTimes:
    """One start of the service.

    Attributes
    ----------
    began, node, answered
        When it began, the node was up, and the first answer came: seconds since the epoch.
    deploy
        What happened between the last two.
    """

    began: float
    node: float
    answered: float
    deploy: DeployTimes

    @property
    def total_s(self) -> float:
        """Seconds to the first answer."""
        return self.answered - self.began

    @property
    def stages_s(self) -> dict[str, float]:
        """Seconds of what came one after another; together `total_s`."""
        ready = max(self.node, self.deploy.prepared)
        return {
            "ray_node": self.node - self.began,
            "imports_beyond_that": ready - self.node,
            "serve_and_proxy": self.deploy.proxied - ready,
            "parts": self.deploy.ran - self.deploy.proxied,
            "first_answer": self.answered - self.deploy.ran,
        }

    @property
    def parts_s(self) -> dict[str, dict[str, float]]:
        """For each part, at once: seconds to its process and imports, and of opening store and model."""
        return {
            name: {"process": opened.reached - self.deploy.proxied, "opening": opened.ready - opened.reached}
            for name, opened in self.deploy.parts.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON documents show it, in seconds."""
        return {
            "total_s": round(self.total_s, 1),
            "stages_s": {name: round(seconds, 2) for name, seconds in self.stages_s.items()},
            "parts_s": {
                name: {stage: round(seconds, 2) for stage, seconds in stages.items()}
                for name, stages in self.parts_s.items()
            },
        }

    def said(self) -> str:
        """Return the stages in a line."""
        words = {
            "ray_node": "Ray node",
            "imports_beyond_that": "imports beyond that",
            "serve_and_proxy": "Serve and proxy",
            "parts": "parts and their models",
            "first_answer": "first answer",
        }
        return ", ".join(f"{words[name]} {seconds:.1f} s" for name, seconds in self.stages_s.items())
