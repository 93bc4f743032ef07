"""Progress as plain lines, one per event: for pipes, logs and continuous integration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import singledispatchmethod
from pathlib import Path

from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.plan import profile
from aca.plans.task import Task
from aca.providers.base import Said, Step, Used, Waiting
from aca.report import words
from aca.report.base import Reporter, Tally, Write
from aca.report.spending import usage_text

OUTPUT_LINES = 20
OUTPUT_BYTES = 16 * 1024
"""How much of a command's output ``--verbose`` shows, at most."""


class Lines(Reporter):
    """``[3/7] login: completed in 12.3s (2 checks)``. *logs* is the session's ``task_logs``."""

    def __init__(
        self,
        write: Write,
        state: SessionState,
        logs: Path,
        *,
        verbose: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(write, state)
        self._logs, self._verbose, self._clock = logs, verbose, clock
        self._tally = Tally(state)

    def event(self, event: ev.Event, state: SessionState) -> None:
        super().event(event, state)
        self._tally.note(event, state)
        for line in self._told(event):
            self.write(line)

    def step(self, task_id: str, step: Step) -> None:
        if isinstance(step, Waiting) and self.state.states[task_id].status == "in_progress":
            self.write(f"[{self._tally.text(self.state)}] {task_id}: {waiting_text(step)}")
        if not self._verbose:
            return
        if isinstance(step, Said):
            for line in words.indented(step.text, f"{task_id} | "):
                self.write(line)
        elif isinstance(step, Used):
            self.write(f"{task_id} | {used_text(step)}")

    def _told(self, event: ev.Event) -> Iterator[str]:
        yield from remarks(event)
        task_id = getattr(event, "task", "")
        said = self._say(event)
        if said:
            first, *rest = words.plain(said).splitlines() or [""]
            yield f"[{self._tally.text(self.state)}] {task_id}: {first}"
            yield from (f"    {line}" for line in rest)
        if self._verbose and isinstance(event, ev.TaskCompleted | ev.TaskFailed):
            yield from self._output(event)

    @singledispatchmethod
    def _say(self, event: ev.Event) -> str:
        return ""

    @_say.register
    def _(self, event: ev.TaskStarted) -> str:
        again = f", attempt {event.attempt}" if event.attempt > 1 else ""
        return f"started ({worker(self.state, self.state.tasks[event.task])}{again})"

    @_say.register
    def _(self, event: ev.NoteLeft) -> str:
        return f"notes: {words.first_line(event.text)}"

    @_say.register
    def _(self, event: ev.TaskProposed) -> str:
        title, task_id = event.proposal["title"], event.proposal["id"]
        return f"proposes {words.one_line(title)}: aca approve {task_id}, or aca reject"

    @_say.register
    def _(self, event: ev.TaskFellBack) -> str:
        return f"done by {', '.join(filter(None, (event.provider, event.model)))}: {event.reason}"

    @_say.register
    def _(self, event: ev.TaskCompleted) -> str:
        if event.task in self.state.children:
            return "all its subtasks are completed" + checks_text(event.checks)
        if not event.attempt:
            return event.summary or "completed"
        used = f", {usage_text(event.usage)}" if event.usage else ""
        return f"completed in {words.lasting(event.seconds)}{checks_text(event.checks)}{used}"

    @_say.register
    def _(self, event: ev.TaskFailed) -> str:
        if event.retry:
            delay = words.lasting(max(0.0, event.not_before - self._clock()))
            return f"attempt {event.attempt} failed, next one in {delay}: {event.reason}"
        if event.decompose:
            return f"failed, and is broken into smaller tasks: {event.reason}"
        if event.tasks:
            return f"failed, and {event.tasks[0]['id']} is to mend it: {event.reason}"
        allowed = ", which the plan allows" if event.excused else ""
        return f"failed{allowed}: {event.reason}"

    @_say.register
    def _(self, event: ev.TaskSplit) -> str:
        return f"split into {words.counted(len(event.tasks), 'subtask')}"

    @_say.register
    def _(self, event: ev.TaskInterrupted) -> str:
        return f"interrupted: {event.reason}"

    @_say.register
    def _(self, event: ev.TaskRefused) -> str:
        return f"goes back to be mended: {event.reason}"

    @_say.register
    def _(self, event: ev.TaskBlocked) -> str:
        return event.reason if event.waits_for == "approval" else f"waits for a person: {event.reason}"

    @_say.register
    def _(self, event: ev.TaskSkipped) -> str:
        return f"skipped: {event.reason}"

    @_say.register
    def _(self, event: ev.MessageSent) -> str:
        return f"{event.by} says: {words.one_line(event.text)}"

    @_say.register
    def _(self, event: ev.MessageDelivered) -> str:
        return "its agent was told"

    @_say.register
    def _(self, event: ev.TaskReopened) -> str:
        return f"pending again: {event.reason}"

    def _output(self, event: ev.TaskCompleted | ev.TaskFailed) -> Iterator[str]:
        path = self._logs / event.task / f"{event.attempt}.output.log"
        if path.is_file():
            yield from words.indented(_end_of(path), f"{event.task} | ")[-OUTPUT_LINES:]


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - OUTPUT_BYTES))
        return file.read().decode(errors="replace")


def worker(state: SessionState, task: Task) -> str:
    """Who does the task: ``command``, ``claude-cli, sonnet``, or for a group the checks."""
    if task.kind != "agent":
        return task.kind
    if task.id in state.children:
        return "checks"
    settings = profile(state.plan, task)
    way = state.states[task.id].fallback or (settings.provider, settings.model)
    return ", ".join(filter(None, way))


def checks_text(checks: tuple[ev.CheckResult, ...]) -> str:
    """`` (2 checks passed)``, or nothing where there were none."""
    return f" ({words.counted(len(checks), 'check')} passed)" if checks else ""


def waiting_text(step: Waiting) -> str:
    """``waiting 12.0s: openai tokens/min``."""
    return f"waiting {words.lasting(step.seconds)}: {words.one_line(step.reason, 160)}"


def remarks(event: ev.Event) -> Iterator[str]:
    """What is to be told of an event that is about no task there was before it."""
    match event:
        case ev.WindowNeared():
            yield neared_text(event)
        case ev.TasksAdded():
            yield from (
                f"{event.by} adds {words.one_line(task['title'])} ({task['id']})" for task in event.tasks
            )
        case ev.AdditionRefused():
            yield f"{event.by} cannot add {words.one_line(event.title)}: {event.reason}"


def neared_text(event: ev.WindowNeared) -> str:
    """How much of a window is used, when it will be used up, and when it begins anew."""
    told = f"warning: {event.share:.0%} of the {event.window} window of {event.provider} is used"
    ends = f", it begins anew at {words.moment(event.until)}" if event.until else ""
    return told + (f"; used up at {words.moment(event.runs_out)}" if event.runs_out else "") + ends


def used_text(step: Used) -> str:
    """``Edit app/x.py``, with what went wrong."""
    error = f": {words.first_line(step.error)}" if step.error else ""
    return words.one_line(f"{step.tool} {step.detail}", 160) + error
