"""What drills found in a run of the tests, for the table at its end."""

from __future__ import annotations

from collections.abc import Iterable

from tests.drills.finding import Finding

__all__ = ["Findings"]


class Findings:
    """Every finding so far."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def all_held(self, findings: Iterable[Finding]) -> None:
        """Keep findings, and fail where one did not hold; the rest is tried all the same."""
        some = list(findings)
        self.found += some
        broken = [f"{one.drill}: {one.detail}" for one in some if one.held is False]
        assert not broken, "\n".join(broken)
        assert some
