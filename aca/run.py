"""The loop that carries a plan out: the page to read first.

It has never heard of Claude, Docker or Typer. What an attempt is comes in as ``execute``, who watches as
``observers``, what other processes say as ``inbox``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec

from aca.core import events as ev
from aca.core import graph, patch, schedule
from aca.core.state import SessionState
from aca.errors import Exit, MachineError
from aca.plans.plan import Mode
from aca.plans.task import Task
from aca.rules import answers, budget, remedy
from aca.rules.retries import Retries
from aca.rules.verdict import verdict
from aca.sessions.journal import Journal
from aca.sessions.messages import Message, absorb
from aca.sessions.recorder import Observer, Recorder
from aca.stop import Stop

log = logging.getLogger(__name__)

Tell = Callable[[ev.Event], None]
"""Records a fact that an attempt learns on its way; durable when it returns."""
Execute = Callable[[str, int, Tell], Coroutine[Any, Any, ev.Ending]]
"""``execute(task id, attempt number, tell)``: do it, and say how it ended. Cancelled, it stops politely."""

Hold = Callable[[Task, Sequence[Task]], float | None]
"""``hold(task, running)``: None where a ready task may start beside what runs; else when to ask again (Unix
time), infinity meaning when something has ended."""

POLL_SECONDS = 0.2
"""How often the inbox is looked at while something runs."""
SET_BACK = 1.0
"""A clock that goes back by more than this was set; less is how clocks are kept right."""


class Inbox(Protocol):
    """Messages from other processes, such as ``session.Session`` keeps them."""

    def messages(self) -> Iterable[tuple[str, Message | None]]: ...

    def forget(self, names: Iterable[str]) -> None: ...


async def run(
    state: SessionState,
    journal: Journal,
    execute: Execute,
    begun: ev.RunStarted,
    *,
    inbox: Inbox,
    observers: Sequence[Observer] = (),
    hold: Hold = lambda _task, _running: None,
    stop: Stop | None = None,
    clock: Callable[[], float] = time.time,
    timer: Callable[[], float] = time.monotonic,
) -> ev.RunEnded:
    """Drive the plan of *state* to its end. The journal is the truth: to resume is to run again.

    until nothing can run:
        read   the inbox (answers, messages to agents, what is to be cancelled, pauses, checkpoints)
        skip   what a failure has made hopeless
        settle what needs no work: groups whose tasks are done, approvals, what a person cancelled
        start  what is ready, best first, up to the plan's number at once and within its limits
        wait   for something to end, and record how

    Everything one turn has to say is one commit, and nothing starts before it. Raises MachineError when
    the journal cannot be written; the attempts then running are stopped, and are pending on resume.
    """
    recorder = Recorder(state, journal, observers)
    this = _Run(state, recorder, execute, inbox, hold, stop or Stop(), clock, timer)
    try:
        this.begin(begun)
        while True:
            this.read_inbox()
            this.keep_checkpoints()
            this.settle()
            this.check_limits()
            started = this.start()
            this.commit()
            this.launch(started)
            if this.is_over() and not this.read_inbox(at_once=True):
                break
            await this.wait()
        return this.end()
    finally:
        await this.abandon()


@dataclass
class _Run:
    state: SessionState
    recorder: Recorder
    execute: Execute
    inbox: Inbox
    hold: Hold
    stop: Stop
    clock: Callable[[], float]
    """The time of day, for what is written down."""
    timer: Callable[[], float]
    """Seconds that only move on, for waiting: a clock may be set back."""

    def __post_init__(self) -> None:
        self.plan = self.state.plan
        self.retries = Retries(self.state)
        self.parallel = 1 if self.plan.execution_mode == "sequential" else self.plan.max_concurrent_tasks
        self.running: dict[asyncio.Task[ev.Ending], str] = {}
        self.finished: deque[asyncio.Task[ev.Ending]] = deque()
        self.recent: deque[Task] = deque(maxlen=2 * schedule.LOOKAHEAD)
        self.interrupted: set[asyncio.Task[ev.Ending]] = set()
        self.bug: Exception | None = None
        self.absorbed: list[str] = []
        self.deadline = self.timer() + (self.plan.limits.max_duration or float("inf"))
        self.next_poll = self.timer()
        self.next_checkpoint = self.timer() + self.plan.checkpoint_interval
        self.ahead = max(self.clock(), self.state.updated_at) - self.timer()
        self.alarm: asyncio.TimerHandle | None = None
        self.frontier: graph.Frontier

    # -- the turns of the loop ----------------------------------------------------------------------

    def begin(self, begun: ev.RunStarted) -> None:
        """Record that this run has begun, and bring back what an earlier one left, by the ordinary door."""
        known_until = self.state.updated_at
        self.recorder.record(begun)
        for task_id, task in self.state.states.items():
            if task.status == "in_progress":
                seconds = max(0.0, round(known_until - self.state.at_work[task_id], 6))
                cut_off = self.cut_off(task_id, "aca ended while this was running")
                self.recorder.record(msgspec.structs.replace(cut_off, seconds=seconds))
            elif task.status == "blocked" and task.waits_for in ("permission", "merge"):
                self.recorder.record(
                    ev.TaskReopened(task=task_id, reason="tried again on resume", cause=task.seq)
                )
        lengths = graph.path_lengths(self.plan) if self.plan.execution_mode == "intelligent" else {}
        self.frontier = graph.Frontier(self.state, partial(_rank, self.plan.execution_mode, lengths))

    def read_inbox(self, *, at_once: bool = False) -> bool:
        """Turn messages into events, which is True where there were any; they are removed once durable."""
        if self.timer() < self.next_poll and not at_once:
            return False
        self.next_poll = self.timer() + POLL_SECONDS
        for name, message in self.inbox.messages():
            if message is None:
                log.warning("the message %s in the inbox cannot be read and is dropped", name)
            elif name not in self.state.messages:
                self.heed(self.record(*absorb(self.state, name, message)))
            self.absorbed.append(name)
        return bool(self.absorbed)

    def heed(self, told: Iterable[ev.Event]) -> None:
        """Pause where a person asked for that; all else that is told shows in the state."""
        for event in told:
            if isinstance(event, ev.PauseRequested):
                self.stop.request(Exit.INTERRUPTED, f"paused by {event.by}", interrupt=False)

    def keep_checkpoints(self) -> None:
        """Name the place reached every ``checkpoint_interval``."""
        if self.timer() >= self.next_checkpoint:
            self.next_checkpoint = self.timer() + self.plan.checkpoint_interval
            self.record(ev.CheckpointCreated(name="interval"))

    def settle(self) -> None:
        """Record everything that follows from what is known, until nothing more does."""
        self.follow_clock()
        self.frontier.wake(self.clock())
        self.settle_cancelled()
        while self.frontier.hopeless or self.frontier.instant:
            while self.frontier.hopeless:
                self.skip(*self.frontier.hopeless.popleft())
            if self.frontier.instant:
                self.settle_instant(self.frontier.instant.popleft())

    def follow_clock(self) -> None:
        """A clock that was set back, now or since the last run, makes nobody wait longer than was said."""
        ahead = self.clock() - self.timer()
        if self.ahead - ahead > SET_BACK:
            self.frontier.set_back(self.ahead - ahead)
        self.ahead = ahead

    def check_limits(self) -> None:
        """Ask the run to stop when a limit of the plan is reached."""
        if self.timer() >= self.deadline and self.stop.exit_code is None:
            self.stop.request(Exit.LIMIT, "the time limit (max_duration) is reached", interrupt=True)
        if reason := budget.reached(self.state, budget.Cap(self.plan.limits)):
            self.stop.request(Exit.LIMIT, reason, interrupt=False)
        for work, task_id in self.running.items() if len(self.running) > 1 else ():
            if budget.seconds_left(self.state, self.state.tasks[task_id], self.clock()) <= 0:
                self.interrupt([work])  # what runs beside it has used up their common time

    def start(self) -> list[tuple[str, int]]:
        """Record the start of what is ready, best first, while there is room and nothing holds it back."""
        started: list[tuple[str, int]] = []
        held = 0
        while self.has_room(len(started)) and held < schedule.LOOKAHEAD:
            running = [
                self.state.tasks[one] for one in (*self.running.values(), *(new for new, _ in started))
            ]
            task_id = self.frontier.take(self.chooser(running))
            if task_id is None:
                break
            until = self.hold(self.state.tasks[task_id], running)
            if until is None:
                started.append((task_id, self.record_start(task_id)))
            else:
                self.frontier.put_back(task_id, until)
                held += 1
        if not started and not self.running and not self.frontier.has_retries(self.clock()):
            self.stop.is_idle(self.clock())
        return started

    def has_room(self, started: int) -> bool:
        return self.stop.exit_code is None and len(self.running) + started < self.parallel

    def record_start(self, task_id: str) -> int:
        before = self.state.states[task_id]
        attempt = before.attempts + 1
        cause = before.seq if before.attempts else 0
        self.record(ev.TaskStarted(task=task_id, attempt=attempt, cause=cause))
        self.recent.append(self.state.tasks[task_id])
        return attempt

    def launch(self, started: Iterable[tuple[str, int]]) -> None:
        """Let the attempts run whose start is durable."""
        for task_id, attempt in started:
            work = asyncio.create_task(self.execute(task_id, attempt, self.tell), name=f"{task_id}/{attempt}")
            self.running[work] = task_id
            work.add_done_callback(self.note_end)

    def is_over(self) -> bool:
        if self.running:
            return False
        return self.stop.exit_code is not None or self.frontier.next_wake() is None

    async def wait(self) -> None:
        """Sleep until an attempt ends, somebody wants to stop, or there is something to look at."""
        if self.stop.interrupt:
            self.interrupt(self.running)
        self.set_alarm()
        await self.stop.wake.wait()
        self.stop.wake.clear()
        while self.finished:
            self.record_end(self.finished.popleft())

    def set_alarm(self) -> None:
        """Have the loop woken when there is something to look at. One that is set for earlier will do."""
        pause = min(POLL_SECONDS, max(0.0, (self.frontier.next_wake() or float("inf")) - self.clock()))
        loop = asyncio.get_running_loop()
        if self.alarm is not None:
            if loop.time() < self.alarm.when() <= loop.time() + pause:
                return
            self.alarm.cancel()
        self.alarm = loop.call_later(pause, self.stop.wake.set)

    def end(self) -> ev.RunEnded:
        """Record how the run ended; the last line of a run in good order."""
        stop, until = self.stop, None
        if stop.exit_code is not None and self.state.unfinished():
            code, reason, until = stop.exit_code, stop.reason, stop.until
        else:
            code, reason = verdict(self.state)
        ended = self.record(ev.RunEnded(exit_code=int(code), reason=reason, until=until))[0]
        self.commit()
        if self.bug is not None:
            raise self.bug
        assert isinstance(ended, ev.RunEnded)
        return ended

    async def abandon(self) -> None:
        """Stop what still runs when the loop itself cannot go on."""
        if self.alarm is not None:
            self.alarm.cancel()
        self.interrupt(self.running)
        await asyncio.gather(*self.running, return_exceptions=True)

    def interrupt(self, attempts: Iterable[asyncio.Task[ev.Ending]]) -> None:
        """Ask *attempts* to stop, each one once: asked again it would cut its own clean-up short."""
        for work in set(attempts) - self.interrupted:
            self.interrupted.add(work)
            work.cancel()

    # -- recording ----------------------------------------------------------------------------------

    def record(self, *events: ev.Event) -> list[ev.Event]:
        """Take events into journal and state. They are durable, and seen by others, after ``commit``."""
        return [self.take(event) for event in events]

    def take(self, event: ev.Event) -> ev.Event:
        recorded = self.recorder.record(event)
        if not isinstance(event, ev.Aside):
            self.frontier.update(getattr(event, "task", None))
        return recorded

    def tell(self, event: ev.Event) -> None:
        self.record(event)
        self.commit()

    def commit(self) -> None:
        self.recorder.commit()
        self.inbox.forget(self.absorbed)
        self.absorbed.clear()

    # -- the decisions ------------------------------------------------------------------------------

    def skip(self, task_id: str, because: str) -> None:
        if self.state.states[task_id].settled:
            return
        cause = self.state.states[because]
        what = "failed" if cause.status == "failed" else "was skipped"
        reason = f'"{because}" {what}'
        self.record(ev.TaskSkipped(task=task_id, reason=reason, failed=True, cause=cause.seq))

    def settle_cancelled(self) -> None:
        """What a person cancelled has failed: at once, or when its attempt has stopped."""
        for task_id, asked in list(self.state.cancelled.items()):
            at_work = [work for work, its_task in self.running.items() if its_task == task_id]
            if at_work:
                self.interrupt(at_work)
            else:
                self.record(self.called_off(ev.AttemptEnded(task=task_id), asked))

    def called_off(self, ended: ev.AttemptEnded, asked: ev.TaskCancelled) -> ev.TaskFailed:
        """It is not tried again, and the run goes on with what does not need it."""
        is_excused = self.state.tasks[ended.task].on_failure == "skip"
        called_off = ev.as_failure(ended, f"cancelled by {asked.by}")
        return msgspec.structs.replace(called_off, excused=is_excused, cause=asked.seq)

    def settle_instant(self, task_id: str) -> None:
        task, state = self.state.tasks[task_id], self.state.states[task_id]
        if state.settled or self.frontier.is_open_group(task_id):
            return
        if task.kind == "approval" or state.status == "blocked":
            self.settle_asked(task)
        elif failed := self.state.failed_children(task_id):
            total = len(self.state.children[task_id])
            reason = f"{len(failed)} of {total} subtasks not done: {', '.join(failed[:5])}"
            cause = self.state.states[failed[0]].seq
            self.record(self.decide_failure(task, ev.TaskFailed(task=task_id, reason=reason, cause=cause)))
        elif task_id in self.state.children:
            self.record(ev.TaskCompleted(task=task_id, summary=state.summary))

    def settle_asked(self, task: Task) -> None:
        """Ask a person, or go by the answer."""
        followed = answers.consequence(self.state, task)
        if isinstance(followed, ev.TaskFailed):
            followed = self.decide_failure(task, followed)
        if followed is not None:
            self.record(followed)

    def chooser(self, running: Sequence[Task]) -> Callable[[Sequence[Task]], Task] | None:
        if self.plan.execution_mode != "intelligent":
            return None
        return partial(schedule.choose, recent=self.recent, running=running)

    # -- endings ------------------------------------------------------------------------------------

    def note_end(self, work: asyncio.Task[ev.Ending]) -> None:
        self.finished.append(work)
        self.stop.wake.set()

    def record_end(self, work: asyncio.Task[ev.Ending]) -> None:
        task_id = self.running.pop(work)
        self.frontier.release()
        self.record(*self.decide(task_id, self.ending(work, task_id)))

    def ending(self, work: asyncio.Task[ev.Ending], task_id: str) -> ev.Ending:
        """How the attempt ended. One that raises ends the run, but in good order: others' results count."""
        if work.cancelled():
            return self.cut_off(task_id, self.stop.reason or "stopped")
        error = work.exception()
        if error is None:
            return work.result()
        if isinstance(error, MachineError):
            self.stop.request(Exit.MACHINE, str(error), interrupt=True)
        elif isinstance(error, Exception):
            self.bug = error
            self.stop.request(Exit.BUG, f"a bug in aca: {error!r}", interrupt=True)
        else:
            raise error
        return self.cut_off(task_id, str(error))

    def cut_off(self, task_id: str, reason: str) -> ev.TaskInterrupted:
        return ev.TaskInterrupted(task=task_id, attempt=self.state.states[task_id].attempts, reason=reason)

    def decide(self, task_id: str, ending: ev.Ending) -> list[ev.Event]:
        """What follows from an ending is written into it, so that it is decided once."""
        asked = self.state.cancelled.get(task_id)
        if asked is not None and not isinstance(ending, ev.TaskCompleted):
            return [self.called_off(ending, asked)]
        if isinstance(ending, ev.TaskSplit):
            ending = self.decide_split(ending)
        if isinstance(ending, ev.TaskFailed):
            return [self.decide_failure(self.state.tasks[task_id], ending)]
        if isinstance(ending, ev.TaskInterrupted) and ending.spent:
            self.stop.request(Exit.LIMIT, ending.reason, interrupt=False)
        if ending.files:
            paths = tuple(change.path for change in ending.files)
            task = self.state.tasks[task_id]
            self.recent.append(task.model_copy(update={"touches": (*task.touches, *paths)}))
        return [ending]

    def decide_split(self, split: ev.TaskSplit) -> ev.TaskSplit | ev.TaskFailed:
        """Its subtasks, as they fit what was added while it was checked and merged."""
        fitting, faults = patch.fitting(self.state, split)
        if not faults:
            return fitting
        why = "; ".join(fault.message for fault in faults)
        return ev.as_failure(split, f"its subtasks do not fit what was added meanwhile: {why}")

    def decide_failure(self, task: Task, failure: ev.TaskFailed) -> ev.Event:
        """Another attempt, a skip that excuses what depends on it, or the end of the matter."""
        decided = self.retries.decided(task, failure, self.clock())
        if not decided.retry:
            decided = remedy.decided(self.state, task, decided)
        if decided.retry or decided.decompose or decided.tasks:
            return decided
        if task.on_failure == "skip":
            return msgspec.structs.replace(decided, excused=True)
        if self.plan.fail_fast:
            self.stop.request(Exit.TASK_FAILED, f'"{task.id}" failed (fail_fast)', interrupt=True)
        return decided


def _rank(mode: Mode, lengths: dict[str, int], task: Task) -> schedule.Rank:
    return schedule.rank(task, mode, lengths.get(task.id, lengths.get(task.parent_id or "", 0)))
