"""Who hears what a person says of a task, and whether there still is anybody."""

from __future__ import annotations

import msgspec

from aca.core.state import SessionState
from aca.errors import SessionError
from aca.plans.plan import profile
from aca.preparation.prepare import effective
from aca.providers.about import about
from aca.sessions.session import Session


class Audience(msgspec.Struct, frozen=True):
    """The agent of a task."""

    provider: str
    live: bool
    """Whether it can be told while it works."""
    at_work: bool
    """Whether it works now."""


def of(one: Session, task_id: str) -> Audience:
    """Who would hear what is said to *task_id*. Raises SessionError where that is nobody."""
    state = one.state()
    task = state.tasks[task_id]
    refuse_settled(state, task_id)
    if children := state.children.get(task_id):
        raise SessionError(
            f'"{task_id}" is a group, which no agent does: send to one of {", ".join(children)}'
        )
    plan = effective(one.plan, state.overrides)
    provider = profile(plan, task).provider
    if task.kind != "agent" or provider is None:
        raise SessionError(f'"{task_id}" is of kind {task.kind}: there is no agent to hear anything')
    can = about(provider, plan.providers.get(provider, {})).can
    return Audience(provider, can.live, state.states[task_id].status == "in_progress" and one.is_running())


def refuse_settled(state: SessionState, task_id: str) -> None:
    """Raise SessionError when *task_id* has ended."""
    now = state.states[task_id]
    if now.settled:
        told = now.reason or now.summary
        raise SessionError(f'"{task_id}" is {now.status} already' + (f": {told}" if told else ""))


def refuse_unasked(state: SessionState, task_id: str) -> None:
    """Raise SessionError unless *task_id* is an approval that a person can still answer."""
    task, now = state.tasks[task_id], state.states[task_id]
    if task.kind != "approval" and not (now.proposed and now.status == "blocked"):
        raise SessionError(f'"{task_id}" is of kind {task.kind}, not an approval')
    refuse_settled(state, task_id)
    # Of what follows nobody has made anything since: no run has gone on.
    if cancelled := state.cancelled.get(task_id):
        raise SessionError(f'"{task_id}" is cancelled already by {cancelled.by}')
    if now.answer is not None:
        word = "approved" if now.answer.approved else "rejected"
        cure = f"\n   aca cancel {task_id} takes that back: the task fails" if now.answer.approved else ""
        raise SessionError(f'"{task_id}" is {word} already by {now.answer.by}{cure}')
