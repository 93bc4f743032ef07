"""Plans and endings for tests of the core: the loop runs for real, only the attempts are scripted."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from aca.core import events as ev
from aca.core.fold import fold
from aca.core.state import SessionState
from aca.plans.plan import Mode, Plan
from aca.plans.task import Task
from aca.run import Hold, Tell, run
from aca.sessions import journal
from aca.sessions.messages import Message
from aca.stop import Stop

MODES: list[Mode] = ["sequential", "parallel", "intelligent"]
Work = Callable[[str, int], ev.Ending | Coroutine[Any, Any, ev.Ending]]


def done(task: str, attempt: int) -> ev.Ending:
    """Every attempt succeeds."""
    return ev.TaskCompleted(task=task, attempt=attempt)


def task(name: str, **said: Any) -> Task:
    return Task(id=name, title=name.title(), **said)


class Memory:
    """An inbox without files."""

    def __init__(self, *messages: Message) -> None:
        self.left = {f"{number}.json": message for number, message in enumerate(messages)}

    def messages(self) -> Iterable[tuple[str, Message | None]]:
        return list(self.left.items())

    def forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.left.pop(name, None)


class Clock:
    """Time that passes when somebody looks at it: no test waits for real."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 1_000_000.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@dataclass
class Story:
    """One journal on disk and the runs that wrote it."""

    path: Path
    plan: Plan
    inbox: Memory = field(default_factory=Memory)
    clock: Clock = field(default_factory=Clock)
    seen: list[ev.Event] = field(default_factory=list)
    peak: int = 0
    _busy: int = 0

    def run(
        self,
        work: Work = done,
        stop: Stop | None = None,
        observers: Iterable[Any] = (),
        hold: Hold = lambda _task, _running: None,
    ) -> ev.RunEnded:
        """One run of the session, in whatever state its journal is."""
        if not self.path.exists():
            self.path.touch()
        journal.drop_torn_tail(self.path)
        state = self.state()
        written = journal.Journal(self.path, state.seq, self.clock)
        if state.seq == 0:
            state.apply(written.append(ev.SessionCreated(session="story", plan_sha256="")))
        try:
            watchers = [self, *observers]
            return asyncio.run(
                run(
                    state,
                    written,
                    self._execute(work),
                    ev.RunStarted(pid=0),
                    inbox=self.inbox,
                    observers=watchers,
                    hold=hold,
                    stop=stop,
                    clock=self.clock,
                    timer=self.clock,
                )
            )
        finally:
            written.close()

    def _execute(self, work: Work) -> Callable[[str, int, Tell], Coroutine[Any, Any, ev.Ending]]:
        async def execute(task_id: str, attempt: int, _tell: Tell) -> ev.Ending:
            self._busy += 1
            self.peak = max(self.peak, self._busy)
            try:
                await asyncio.sleep(0)
                ending = work(task_id, attempt)
                return await ending if isinstance(ending, Coroutine) else ending
            finally:
                self._busy -= 1

        return execute

    def event(self, event: ev.Event, _state: SessionState) -> None:
        self.seen.append(event)

    def state(self) -> SessionState:
        return fold(SessionState(self.plan), journal.read(self.path))

    def started(self) -> list[str]:
        """Task ids in the order in which they were started."""
        return [event.task for event in journal.read(self.path) if isinstance(event, ev.TaskStarted)]

    def statuses(self) -> dict[str, str]:
        return {task_id: task.status for task_id, task in self.state().states.items()}


# -- random plans -------------------------------------------------------------------------------------


@st.composite
def plans(draw: st.DrawFn, least: int = 1, most: int = 9) -> Plan:
    """Acyclic plans with groups, dependencies, ticked and skipped tasks, retries and priorities."""
    tasks: list[Task] = []
    for number in range(draw(st.integers(least, most))):
        earlier = [one.id for one in tasks]
        parent = draw(st.sampled_from([None, None, *earlier]))
        above = _lineage(tasks, parent)
        choices = [name for name in earlier if name not in above and not set(above) & {*_needs(tasks, name)}]
        needs = draw(st.lists(st.sampled_from(choices), unique=True, max_size=3)) if choices else []
        tasks.append(
            task(
                f"t{number}",
                parent_id=parent,
                dependencies=tuple(needs),
                priority=draw(st.integers(0, 10)),
                status=draw(st.sampled_from(["pending"] * 6 + ["completed", "skipped"])),
                retries=draw(st.integers(0, 2)),
                retry_delay=0,
                on_failure=draw(st.sampled_from(["fail", "fail", "skip", "decompose"])),
            )
        )
    mode: Mode = draw(st.sampled_from(MODES))
    at_once = 1 if mode == "sequential" else draw(st.integers(1, 4))
    return Plan(tasks=tuple(tasks), execution_mode=mode, max_concurrent_tasks=at_once)


def _lineage(tasks: list[Task], name: str | None) -> list[str]:
    parents = {one.id: one.parent_id for one in tasks}
    above = []
    while name is not None:
        above.append(name)
        name = parents[name]
    return above


def _needs(tasks: list[Task], name: str) -> set[str]:
    """Everything that must be done before *name* is: what it needs, its parents need, its children need."""
    known = {one.id: one for one in tasks}
    found: set[str] = set()
    queue = [name]
    while queue:
        one = known[queue.pop()]
        near = {*one.dependencies, *([one.parent_id] if one.parent_id else [])}
        near |= {child.id for child in tasks if child.parent_id == one.id}
        queue += near - found
        found |= near
    return found


_numbers = itertools.count()


def unique(path: Path) -> Path:
    """A fresh journal path for each of hypothesis's examples."""
    return path / f"journal-{next(_numbers)}.jsonl"
