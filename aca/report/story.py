"""The story of one task: why it is where it is, and each attempt at it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from aca.core import events as ev
from aca.core.progress import TaskState
from aca.core.spent import add_usage
from aca.core.state import SessionState
from aca.plans.plan import profile
from aca.plans.touches import outside
from aca.plans.values import command_text, format_memory
from aca.report import keepers, words
from aca.report.lines import worker
from aca.report.spending import usage_text
from aca.report.summary import short_path
from aca.report.tree import label, roll_up
from aca.sessions.session import Session

_OUTCOMES: dict[type[ev.Event], str] = {
    ev.TaskCompleted: "completed",
    ev.TaskFailed: "failed",
    ev.TaskInterrupted: "interrupted",
    ev.TaskRefused: "did not fit what was merged",
    ev.TaskBlocked: "blocked",
    ev.TaskSplit: "split",
}


_LOST = """git ignores what is named, so it has gone with the worktree
for it to be kept: take it out of .gitignore, have it written elsewhere, or work in place"""


class Attempt(msgspec.Struct):
    """One attempt, from its start to its end; ``ended`` is None while it runs."""

    number: int
    began: float
    ended: float | None = None
    outcome: str = "running"
    reason: str = ""
    seconds: float = 0.0
    usage: ev.Usage | None = None
    checks: tuple[ev.CheckResult, ...] = ()
    files: tuple[ev.FileChange, ...] = ()
    commit: str = ""
    container: ev.ContainerUse | None = None

    def count(self, event: ev.CallEnded) -> None:
        """Take in what a call used, for an attempt that never came to tell it."""
        if event.usage is not None:
            self.usage = add_usage(self.usage, event.usage)

    def end(self, event: ev.AttemptEnded) -> None:
        """Take in how it ended."""
        self.ended, self.outcome = event.at, _OUTCOMES[type(event)]
        self.reason = getattr(event, "reason", "") or getattr(event, "summary", "")
        self.seconds, self.usage, self.files = event.seconds, event.usage or self.usage, event.files
        self.commit, self.container = event.commit, event.container
        self.checks = getattr(event, "checks", ())


def attempts(events: Iterable[ev.Event], task_id: str) -> list[Attempt]:
    """Every attempt at a task, first to last."""
    found: dict[int, Attempt] = {}
    for event in events:
        if isinstance(event, ev.TaskStarted) and event.task == task_id:
            found[event.attempt] = Attempt(event.attempt, event.at)
        elif isinstance(event, ev.CallEnded) and event.task == task_id and event.attempt in found:
            found[event.attempt].count(event)
        elif isinstance(event, ev.AttemptEnded) and event.task == task_id and event.attempt in found:
            found[event.attempt].end(event)
    return list(found.values())


def waits_for(state: SessionState, task_id: str, now: float) -> Iterator[str]:
    """What has to happen before a pending or blocked task goes on."""
    this = state.states[task_id]
    if this.status == "blocked":
        yield words.why(this).removeprefix("waits for ")
    if this.status != "pending":
        return
    for owner in (task_id, *_groups_of(state, task_id)):
        for needed in state.tasks[owner].dependencies:
            if not state.states[needed].satisfied:
                yield _needs(state, owner, needed, task_id)
    if children := [one for one in state.children.get(task_id, ()) if not state.states[one].settled]:
        yield f"{words.counted(len(children), 'subtask')} not done yet: {', '.join(children[:5])}"
    if this.not_before > now:
        why = words.first_line(this.reason)
        yield f"its next attempt, in {words.lasting(this.not_before - now)} (the last one failed: {why})"


def _needs(state: SessionState, owner: str, needed: str, task_id: str) -> str:
    whose = "" if owner == task_id else f" (its group {owner} needs it)"
    return f"{needed}, which is {words.STATUS_WORDS[state.states[needed].status]}{whose}"


def _groups_of(state: SessionState, task_id: str) -> Iterator[str]:
    parent = state.tasks[task_id].parent_id
    while parent is not None:
        yield parent
        parent = state.tasks[parent].parent_id


def log_files(session: Session, task_id: str, number: int) -> list[Path]:
    """The files of one attempt: prompt, steps, output, and whatever the provider keeps."""
    folder = session.task_logs / task_id
    found = [path for path in folder.glob(f"{number}.*") if path.is_file()]
    own = folder / str(number)
    return sorted(found) + (sorted(path for path in own.rglob("*") if path.is_file()) if own.is_dir() else [])


# -- for people -------------------------------------------------------------------------------------------


def told(session: Session, state: SessionState, task_id: str, past: list[Attempt]) -> list[str]:
    """Everything that is known of a task."""
    rows = [*_facts(state, task_id), *(("waits for", why) for why in waits_for(state, task_id, time.time()))]
    lines = [label(state.tasks[task_id]), *(_row(name, text) for name, text in rows)]
    for attempt in past:
        lines += ["", *_attempt(session, task_id, attempt)]
    return lines


def _row(name: str, text: str) -> str:
    first, *rest = words.plain(text).splitlines() or [""]
    return "\n".join([f"  {name:<10}{first}", *(f"{'':12}{line}" for line in rest)])


def _facts(state: SessionState, task_id: str) -> Iterator[tuple[str, str]]:
    yield from _standing(state, task_id)
    yield from _kind(state, task_id)
    yield from _course(state, task_id)
    yield from _result(state, task_id)


def _standing(state: SessionState, task_id: str) -> Iterator[tuple[str, str]]:
    """Where it is by now, and why."""
    now = state.states[task_id]
    yield "status", words.STATUS_WORDS[now.status]
    if now.origin:
        yield "came", now.origin
    if asked := state.cancelled.get(task_id):
        yield "reason", f"cancelled by {asked.by}; the run that goes on does without it"
    if now.reason and now.status != "blocked":
        yield "reason", now.reason


def _kind(state: SessionState, task_id: str) -> Iterator[tuple[str, str]]:
    """What the plan says of it."""
    task, is_group = state.tasks[task_id], task_id in state.children
    yield "kind", f"group, {roll_up(state, task_id)} completed" if is_group else _work(state, task_id)
    if task.kind == "agent" and not is_group:
        yield "rights", keepers.told_of(state.plan, task)
    if (container := profile(state.plan, task).docker) is not None and task.kind != "approval":
        yield "docker", words.container(container)
    for needed in task.dependencies:
        yield "needs", f"{needed} ({words.STATUS_WORDS[state.states[needed].status]})"
    if task.parent_id is not None:
        yield "part of", task.parent_id


def _course(state: SessionState, task_id: str) -> Iterator[tuple[str, str]]:
    """What was done about it, and what people have said."""
    now = state.states[task_id]
    if now.attempts:
        yield "took", f"{words.lasting(now.seconds)} in {words.counted(now.attempts, 'attempt')}"
    if now.conversation is not None:
        yield "talk", f"{now.conversation[0]} conversation {now.conversation[1]}"
    for said in now.said:
        not_yet = " (no attempt was told yet)" if said in now.unheard else ""
        yield "told", f"{said.text} ({said.by}){not_yet}"


def _result(state: SessionState, task_id: str) -> Iterator[tuple[str, str]]:
    """What has come of it."""
    task, now = state.tasks[task_id], state.states[task_id]
    if now.summary:
        yield "result", now.summary
    if now.output is not None:
        yield "output", json.dumps(now.output, indent=2, ensure_ascii=False)
    for note in now.notes:
        yield "note", note
    for change in now.files:
        yield change.action, change.path
    for path in outside(state.plan, task, (change.path for change in now.files)):
        yield "outside", f"{path}, which is not among what it touches"
    if now.lost and now.settled:
        yield "lost", f"{', '.join(now.lost)}\n{_LOST}"


def _work(state: SessionState, task_id: str) -> str:
    task = state.tasks[task_id]
    if task.command is not None:
        return f"command: {command_text(task.command)}"
    if task.kind == "approval":
        return "approval by a person"
    return f"agent: {worker(state, task)}, {profile(state.plan, task).permissions}"


def _attempt(session: Session, task_id: str, attempt: Attempt) -> Iterator[str]:
    took = f", {words.lasting(attempt.seconds)}" if attempt.ended is not None else ""
    yield f"  attempt {attempt.number}, {words.moment(attempt.began)}{took}: {attempt.outcome}"
    if attempt.reason and attempt.outcome != "completed":
        yield from words.indented(attempt.reason, "    ")
    if attempt.usage is not None:
        yield f"    {usage_text(attempt.usage)}"
    if attempt.container is not None:
        yield f"    {_container(attempt.container)}"
    if attempt.commit:
        yield f"    kept as {attempt.commit[:10]}"
    for check in attempt.checks:
        yield from _check(check)
    for path in log_files(session, task_id, attempt.number):
        yield f"    log {short_path(session)}/{path.relative_to(session.path)}"


def _container(used: ev.ContainerUse) -> str:
    memory = "unknown" if used.peak_memory is None else f"at most {format_memory(used.peak_memory)}"
    cpu = "unknown" if used.cpu_seconds is None else words.lasting(used.cpu_seconds)
    return f"in a container: memory {memory}, processor time {cpu}"


def _check(check: ev.CheckResult) -> Iterator[str]:
    how = "passed" if check.passed else f"failed with exit code {check.exit_code}"
    yield f"    check {words.one_line(check.name)}: {how} in {words.lasting(check.seconds)}"
    yield from words.indented(check.output, "      ")


# -- for machines -----------------------------------------------------------------------------------------


def document(session: Session, state: SessionState, task_id: str, past: list[Attempt]) -> dict[str, Any]:
    """The same as plain data."""
    now = state.states[task_id]
    return {
        "session": session.id,
        "task": state.tasks[task_id].model_dump(mode="json", exclude_defaults=True),
        "status": now.status,
        "reason": now.reason,
        "origin": now.origin,
        "waits_for": list(waits_for(state, task_id, time.time())),
        "children": state.children.get(task_id, []),
        "summary": now.summary,
        "output": now.output,
        "notes": list(now.notes),
        "messages": [_message_document(said, now) for said in now.said],
        "files": msgspec.to_builtins(now.files),
        "lost": list(now.lost),
        "attempts": [_attempt_document(session, task_id, attempt) for attempt in past],
    }


def _message_document(said: ev.MessageSent, now: TaskState) -> dict[str, Any]:
    return {"at": said.at, "by": said.by, "text": said.text, "delivered": said not in now.unheard}


def _attempt_document(session: Session, task_id: str, attempt: Attempt) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(attempt)
    return {**data, "logs": [str(path) for path in log_files(session, task_id, attempt.number)]}
