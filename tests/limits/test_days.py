"""Days in front of providers with windows, storms and moods: nothing is lost, and nobody knocks too often.

The loop of aca runs for real, in a time that only passes when nobody has anything to do.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from aca import run as loop
from aca.core import events as ev
from aca.core.events import Usage
from aca.core.state import SessionState
from aca.limits import gate
from aca.limits.account import Keeper, LimitedAccount
from aca.limits.gate import Gate
from aca.limits.shared import SharedFile
from aca.plans.plan import Plan
from aca.plans.settings import Defaults
from aca.plans.task import Task
from aca.providers.account import ClosedError
from aca.run import Tell, run
from aca.sessions import journal
from tests.core.stories import Memory
from tests.limits import virtual
from tests.limits.strict_server import Nobody

HOUR = 3600.0
STORM = 1200.0
Answer = tuple[int, float | None]
"""An HTTP status, and the Unix time until which calls are not wanted, where it is told."""


@pytest.fixture(autouse=True)
def _long_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is there, so that nothing need be looked for five times a second."""
    monkeypatch.setattr(loop, "POLL_SECONDS", HOUR)
    monkeypatch.setattr(gate, "ASKED_AGAIN", HOUR)


@dataclass
class Windows:
    """So many tokens in each window of *length* seconds; then closed, until its end, which is told or not."""

    tokens: int
    length: float
    tells: bool = True
    used: int = 0
    ends: float = 0.0

    def __call__(self, now: float) -> Answer:
        if now >= self.ends:
            self.used, self.ends = 0, now + self.length
        if self.used >= self.tokens:
            return 429, self.ends if self.tells else None
        self.used += 1000
        return 200, None


@dataclass
class Moody:
    """Answers nobody in every third twenty minutes (529), or one call out of *one_in* (500)."""

    one_in: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(3))

    def __call__(self, now: float) -> Answer:
        if self.one_in:
            return (500 if self.rng.randrange(self.one_in) == 0 else 200), None
        return (529 if int(now / STORM) % 3 == 1 else 200), None


@dataclass
class Day:
    """Tasks of several calls each, done side by side with one provider, and what came of every call."""

    path: Path
    provider: Callable[[float], Answer]
    tasks: int = 24
    calls: list[tuple[float, int]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def live(self) -> ev.RunEnded:
        return virtual.run(self._run())

    async def _run(self) -> ev.RunEnded:
        plan = Plan(
            execution_mode="parallel",
            max_concurrent_tasks=4,
            defaults=Defaults(provider="openai", retries=0),
            tasks=tuple(Task(id=f"t{number}", title="T") for number in range(self.tasks)),
        )
        shelf = SharedFile(self.path / "limits.sqlite")
        keeper = Keeper("openai", "openai", plan.rate_limiting, shelf, virtual.clock, asyncio.sleep)
        waits = Gate(plan, {"openai": keeper}, clock=virtual.clock)
        (self.path / "journal").touch()
        written = journal.Journal(self.path / "journal", 0, virtual.clock)

        async def execute(task: str, attempt: int, _tell: Tell) -> ev.Ending:
            return await self._attempt(keeper, task, attempt)

        try:
            return await run(
                SessionState(plan),
                written,
                execute,
                ev.RunStarted(pid=0),
                inbox=Memory(),
                hold=lambda task, _running: waits.hold(task),
                clock=virtual.clock,
                timer=asyncio.get_running_loop().time,
            )
        finally:
            written.close()

    async def _attempt(self, keeper: Keeper, task: str, attempt: int) -> ev.Ending:
        account = LimitedAccount(keeper, Nobody(), task, "model")
        done = tries = 0
        try:
            while done < 5:
                tries += 1
                if await self._call(account):
                    done, tries = done + 1, 0
                elif tries == 4:
                    return ev.TaskFailed(task=task, attempt=attempt, reason="tried four times")
                else:
                    await asyncio.sleep(2.0**tries)
        except ClosedError as closed:
            return ev.TaskInterrupted(task=task, attempt=attempt, reason=closed.reason, quota=True)
        self.finished.append(task)
        return ev.TaskCompleted(task=task, attempt=attempt)

    async def _call(self, account: LimitedAccount) -> bool:
        async with account.call(2000) as call:
            now = virtual.clock()
            status, until = self.provider(now)
            self.calls.append((now, status))
            await asyncio.sleep(20.0 if status == 200 else 0.2)
            call.heard({"status": status})
            if status == 200:
                call.used(Usage(600, 400))
            else:
                closed = isinstance(self.provider, Windows)
                call.failed("quota" if closed else "transient", until)
                if closed and until is None:  # what an agent's own words say, without a time
                    account.keeper.close("closed", None)
            if status == 429:
                raise ClosedError("closed", until)
            return status == 200


@pytest.mark.parametrize(("length", "tokens"), [(5 * HOUR, 30_000), (7 * 24 * HOUR, 50_000)])
def test_windows_are_slept_through(tmp_path: Path, length: float, tokens: int) -> None:
    """Nothing is lost, nobody calls while it is closed, and work goes on within a minute of the reset."""
    windows = Windows(tokens, length)
    day = Day(tmp_path, windows)
    assert day.live().exit_code == 0
    assert len(day.finished) == len(set(day.finished)) == 24
    refused = [at for at, status in day.calls if status == 429]
    good = [at for at, status in day.calls if status == 200]
    begins = [later for earlier, later in pairwise(good) if later - earlier > HOUR]
    assert begins, "the window was never closed"
    for begin in begins:
        before = max(at for at in good if at < begin)
        first = min(at for at in good if at >= begin)
        knocks = [at for at in refused if before + 60 < at < begin]
        assert knocks == []
        closing = min(at for at in refused if at >= before)
        assert first - closing <= length
    starts = [windows.ends - windows.length]
    assert min(abs(begins[-1] - start) for start in starts) < 60


def test_a_window_that_does_not_say_when_it_opens_is_tried_ever_less(tmp_path: Path) -> None:
    """At most one call per interval while it is closed; within an hour of its opening that is found."""
    day = Day(tmp_path, Windows(30_000, 5 * HOUR, tells=False))
    assert day.live().exit_code == 0
    assert len(day.finished) == 24
    refused = [at for at, status in day.calls if status == 429]
    rounds = [later - earlier for earlier, later in pairwise(refused) if later - earlier > 10]
    assert min(rounds) >= 119
    assert len(refused) <= 5 * (10 + 4)  # closings, with ten tries each, met by up to four side by side


def test_storms_fail_no_task(tmp_path: Path) -> None:
    """Twenty minutes of overload cost a few calls, and no work; without a single retry of a task."""
    day = Day(tmp_path, Moody(), tasks=150)
    assert day.live().exit_code == 0
    assert len(day.finished) == 150
    storms = {int(at / STORM) for at, status in day.calls if status == 529}
    assert len(storms) >= 2
    assert sum(status == 529 for _, status in day.calls) <= 15 * len(storms)


def test_a_flapping_provider_is_lived_with(tmp_path: Path) -> None:
    """One call out of four fails, at random: everything is done all the same."""
    day = Day(tmp_path, Moody(one_in=4), tasks=60)
    ended = day.live()
    assert len(day.finished) >= 57
    assert ended.exit_code in (0, 1)
