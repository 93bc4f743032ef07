"""What another process may tell a running session, and the events that amounts to."""

from __future__ import annotations

from typing import Any

import msgspec

from aca.core import events as ev
from aca.core import patch
from aca.core.state import SessionState


class Answer(msgspec.Struct, frozen=True, tag="answer", tag_field="type"):
    """A person approves or rejects a task."""

    task: str
    approved: bool
    by: str
    comment: str = ""


class CheckpointRequest(msgspec.Struct, frozen=True, tag="checkpoint", tag_field="type"):
    """A person wants a name for the place the session has reached."""

    name: str


class Remark(msgspec.Struct, frozen=True, tag="remark", tag_field="type"):
    """A person says something to whoever does a task."""

    task: str
    text: str
    by: str


class Cancellation(msgspec.Struct, frozen=True, tag="cancellation", tag_field="type"):
    """A person wants a task, or all that is left of a group, not to be done."""

    task: str
    by: str


class Pause(msgspec.Struct, frozen=True, tag="pause", tag_field="type"):
    """A person wants the run to end when what runs has ended."""

    by: str


class Addition(msgspec.Struct, frozen=True, tag="addition", tag_field="type"):
    """A person wants one more task: ``task`` is what a plan would say of it. With ``keeps_id`` the id is the
    person's, and what is there already is not added twice."""

    task: dict[str, Any]
    by: str
    keeps_id: bool = False


Message = Answer | CheckpointRequest | Remark | Cancellation | Pause | Addition


def absorb(state: SessionState, name: str, message: Message) -> list[ev.Event]:
    """The events that inbox entry *name* amounts to; none where its task is not there, or has ended."""
    if isinstance(message, CheckpointRequest):
        return [ev.CheckpointCreated(name=message.name, message=name)]
    if isinstance(message, Pause):
        return [ev.PauseRequested(by=message.by, message=name)]
    if isinstance(message, Addition):
        return _added(state, name, message)
    if message.task not in state.tasks:
        return []
    if isinstance(message, Remark):  # kept even when it comes too late: the task may be opened again
        return [ev.MessageSent(task=message.task, text=message.text, by=message.by, message=name)]
    if state.states[message.task].settled:
        return []
    if isinstance(message, Cancellation):
        return [ev.TaskCancelled(task=message.task, by=message.by, message=name)]
    if not _is_asked(state, message.task):
        return []
    answer = ev.ApprovalAnswered(
        task=message.task, approved=message.approved, by=message.by, comment=message.comment, message=name
    )
    return [answer]


def _is_asked(state: SessionState, task_id: str) -> bool:
    """Whether a person's answer counts: the first one, also to what will only be asked."""
    now = state.states[task_id]
    may_be = now.status == "blocked" or state.tasks[task_id].kind == "approval"
    return may_be and now.answer is None


def _added(state: SessionState, name: str, message: Addition) -> list[ev.Event]:
    """The plan with one task more; or why not, for it may have moved on since this was said."""
    if message.keeps_id and patch.is_there(state, message.task):
        return []  # sent again by somebody who could not know that it had arrived
    task, found = patch.addition(state, message.task, keeps_id=message.keeps_id)
    if not found:
        return [ev.TasksAdded(tasks=(task,), by=message.by, message=name)]
    title, reason = str(message.task.get("title")), "; ".join(fault.message for fault in found)
    return [ev.AdditionRefused(title=title, by=message.by, reason=reason, message=name)]
