"""What another process may tell a running session, and the events that amounts to."""

from __future__ import annotations

import msgspec

from aca import events as ev
from aca.state import SessionState


class Answer(msgspec.Struct, frozen=True, tag="answer", tag_field="type"):
    """A person approves or rejects a task."""

    task: str
    approved: bool
    by: str
    comment: str = ""


class CheckpointRequest(msgspec.Struct, frozen=True, tag="checkpoint", tag_field="type"):
    """A person wants a name for the place the session has reached."""

    name: str


Message = Answer | CheckpointRequest


def absorb(state: SessionState, name: str, message: Message) -> list[ev.Event]:
    """The events that inbox entry *name* amounts to."""
    if isinstance(message, CheckpointRequest):
        return [ev.CheckpointCreated(name=message.name, message=name)]
    if message.task not in state.tasks or state.states[message.task].settled:
        return []
    answer = ev.ApprovalAnswered(
        task=message.task, approved=message.approved, by=message.by, comment=message.comment, message=name
    )
    return [answer]
