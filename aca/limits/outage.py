"""A provider that answers nobody is left alone for a while: the circuit breaker of an account."""

from __future__ import annotations

import msgspec

ROUNDS = 3
"""Failures in a row after which it opens. Those of calls made side by side are one."""
FIRST, LONGEST = 15.0, 1800.0
"""Seconds it stays open at first, and at most; it doubles each time the one call that tries then fails."""


class Outage(msgspec.Struct):
    """Failures in a row, and until when nobody calls because of them."""

    rounds: int = 0
    tasks: list[str] = []
    """Which tasks failed: one alone may have itself to blame."""
    latest: float = 0.0
    """When the latest round failed; a call begun before that belongs to it."""
    opened: int = 0
    """How often in a row it was opened."""
    until: float = 0.0
    reason: str = ""

    @property
    def is_on(self) -> bool:
        """Whether calls fail, as far as is known. After ``until`` one call finds out."""
        return self.opened > 0

    def failed(self, task: str, blameless: bool, begun: float, reason: str, now: float) -> None:
        """A call that began at *begun* has failed for no fault of its own; *blameless*: surely for none."""
        if task not in self.tasks:
            self.tasks.append(task)
        if begun >= self.latest or not self.rounds:
            self.rounds += 1
            self.latest = now
        if self.is_on and now < self.until:
            return  # it began before the others had enough
        if self.is_on or (self.rounds >= ROUNDS and (blameless or len(self.tasks) > 1)):
            self.opened += 1
            self.until = now + min(LONGEST, FIRST * 2.0 ** (self.opened - 1))
            self.reason = reason

    def over(self) -> None:
        """A call has succeeded."""
        self.rounds, self.tasks, self.opened, self.until, self.reason = 0, [], 0, 0.0, ""
