"""Whether what has failed is tried again, when, and how often a whole run may do that."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cached_property

import msgspec

from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.plan import Plan, profile
from aca.plans.task import Task

FEW = 20
"""Failures that any run may try again."""
LONGEST_DELAY = 60.0
"""Seconds."""


class Retries:
    """The decisions of one run."""

    def __init__(self, state: SessionState) -> None:
        self._state = state

    def decided(self, task: Task, failure: ev.TaskFailed, now: float) -> ev.TaskFailed:
        """*failure* with what follows from it; *now* is Unix time."""
        failures = self._state.states[task.id].failures + 1
        if failures > self._allowed(task, failure):
            return failure
        if self._state.retries >= self._most:
            return msgspec.structs.replace(failure, reason=self._given_up(failure.reason))
        pause = delay(profile(self._state.plan, task).retry_delay, failures)
        return msgspec.structs.replace(failure, retry=True, not_before=now + pause)

    def _allowed(self, task: Task, failure: ev.TaskFailed) -> int:
        """How often *task* may be tried again. What was not attempted, or cannot change, is not."""
        if failure.category not in ("task", "transient") or not failure.attempt:
            return 0
        if task.id in self._state.children and task.retries is None:
            return 0  # a group has only its checks: again they would say the same
        return profile(self._state.plan, task).retries

    @cached_property
    def _most(self) -> int:
        limit = self._state.plan.limits.max_retries
        return budget(self._state.plan) if limit is None else limit

    def _given_up(self, reason: str) -> str:
        """*reason*, and on its first line that there are too many failures to try this one again."""
        first, *rest = reason.splitlines() or [""]
        first += f" (not tried again: the run's {self._most} retries, limits.max_retries, are used up)"
        return "\n".join([first, *rest])


def budget(plan: Plan) -> int:
    """How many failures of one run may be tried again, where the plan does not say.

    Enough for a bad night, in which every fifth task fails once, and for any one task to use up its own
    retries; not for a storm, in which everything fails again and again.
    """
    alone = max((task.retries or 0 for task in plan.tasks), default=0)
    return max(FEW + len(plan.tasks) // 5, plan.defaults.retries, alone)


def delay(base: float, failures: int, rng: Callable[[], float] = random.random) -> float:
    """Seconds to wait after the given number of failures: doubling from *base*, with jitter, capped."""
    longest = max(LONGEST_DELAY, base)
    return min(longest, base * 2.0 ** (failures - 1)) * (0.75 + 0.25 * rng())
