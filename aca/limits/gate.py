"""Who may begin, and with which provider: tasks wait here while nobody who could do them takes calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from aca.limits.account import Keeper
from aca.limits.book import Shut
from aca.plans.plan import REPLAY, Plan, profile
from aca.plans.task import Task
from aca.plans.values import format_duration

ASKED_AGAIN = 30.0
"""Seconds after which it is looked again, whatever was said: another aca may have found out more."""
PROBED = 1.0
"""The same while one call tries."""

LONG_OUTAGE = 600.0
"""Seconds for which nobody calls because of an outage: for more a run ends that had better not wait."""

Exits = Callable[[str, float], None]
"""Told why and when to try again, where the plan says to end rather than to wait."""
Waits = Callable[[str, str, float], None]
"""Told of a task that waits: its id, for what, and about how many seconds."""


class Choice(msgspec.Struct, frozen=True):
    """Who does a task now. ``instead`` says why it is not the one the plan names first."""

    provider: str
    model: str | None
    instead: str = ""


class Gate(msgspec.Struct):
    """Holds tasks back, for one run of *plan*. ``groups`` are tasks that have no work of their own."""

    plan: Plan
    keepers: Mapping[str, Keeper]
    is_group: Callable[[str], bool] = lambda _task: False
    waits: Waits = lambda _task, _reason, _seconds: None
    exits: Exits = lambda _reason, _again: None
    notice: Callable[[str], None] = lambda _text: None
    clock: Callable[[], float] = time.time
    _refused: dict[tuple[str, str | None], str] = msgspec.field(default_factory=dict)
    _said: dict[str, float] = msgspec.field(default_factory=dict)

    def hold(self, task: Task) -> float | None:
        """None when *task* may begin, else when to ask again (Unix time); infinity: when something ended."""
        if task.kind != "agent" or self.is_group(task.id):
            return None
        if self.refusal(task):
            return None  # to wait would change nothing: it begins, and fails without a call
        ways = self._ways(task)
        found = [(way, self._held(way)) for way in ways if way.provider in self.keepers]
        if not found or any(held is None for _, held in found):
            return None
        way, held = min(found, key=lambda pair: pair[1].again if pair[1] else 0.0)
        assert held is not None
        self._tell(task, way.provider, held)
        return min(held.again, self.clock() + ASKED_AGAIN)

    def choose(self, task: Task) -> Choice:
        """Who does *task* now: the first that takes calls, or the first of all where none does."""
        first, *others = ways = self._ways(task)
        why = self._why_not(first)
        if why:
            for way in others:
                if not self._why_not(way):
                    return Choice(way.provider, way.model, f"{why}; {way.provider} does it")
        return ways[0]

    def refusal(self, task: Task) -> str:
        """Why nobody who could do *task* would: each of them refuses whoever asks. Empty where one may."""
        if not self._refused:
            return ""
        found = [self._refused.get((way.provider, way.model), "") for way in self._ways(task)]
        return found[0] if all(found) else ""

    def refused(self, choice: Choice, reason: str) -> None:
        """The provider refuses whoever asks (a wrong key): its other tasks would fail the same way."""
        if choice.provider != REPLAY and (choice.provider, choice.model) not in self._refused:
            self._refused[(choice.provider, choice.model)] = reason
            self.notice(f"{choice.provider} would refuse every other task, too: none is given to it")

    # -- one provider -----------------------------------------------------------------------------------

    def _ways(self, task: Task) -> list[Choice]:
        """Every way to do the task, in the plan's order."""
        settings = profile(self.plan, task)
        ways = [Choice(settings.provider or "", settings.model)]
        for entry in settings.fallback:
            provider, _, model = entry.partition(":")
            ways.append(Choice(provider, model or None))
        return ways

    def _why_not(self, way: Choice) -> str:
        if refusal := self._refused.get((way.provider, way.model)):
            return refusal
        keeper = self.keepers.get(way.provider)
        shut = keeper.shut() if keeper else None
        return shut.reason if shut else ""

    def _held(self, way: Choice) -> Shut | None:
        """What keeps the task from this provider now."""
        keeper = self.keepers[way.provider]
        if refusal := self._refused.get((way.provider, way.model)):
            return Shut(refusal, None, float("inf"))
        if shut := keeper.shut():
            return shut
        if keeper.is_probed():
            why = f"one task tries whether {way.provider} takes calls again"
            return Shut(why, None, self.clock() + PROBED)
        return None

    # -- telling ----------------------------------------------------------------------------------------

    def _tell(self, task: Task, provider: str, held: Shut) -> None:
        """Say once why a task waits, and once for each closing why all do, or that the run ends."""
        left = held.again - self.clock()
        if left <= PROBED:
            return
        if self.plan.rate_limiting.on_quota == "exit" and (not held.is_outage or left > LONG_OUTAGE):
            self.exits(held.reason, held.again)
            return
        if self._said.get(provider) != held.again:
            self._said[provider] = held.again
            self.notice(f"{held.reason}: waiting {_until(held, left)}; Ctrl-C ends, and aca resume goes on")
        if self._said.get(f"{provider}/{task.id}") != held.again:
            self._said[f"{provider}/{task.id}"] = held.again
            self.waits(task.id, held.reason, left)


def _until(held: Shut, left: float) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(held.again))
    what = "until" if held.until is not None else "for the next try until"
    return f"{what} {at} ({format_duration(round(left))})"
