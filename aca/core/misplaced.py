"""What cannot have happened: an event that is sound by itself, and does not fit what was there before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from aca.core import events as ev
from aca.core.state import SessionState

Told = ev.ConversationStarted | ev.CallStarted | ev.NoteLeft | ev.TaskFellBack
"""What is told of an attempt while it is made."""


def misplaced(event: ev.Event, state: SessionState) -> str:
    """Why *event* cannot follow on *state*; empty where it can."""
    task_id = getattr(event, "task", None)
    if task_id is not None and task_id not in state.states:
        return f'it is about "{task_id}", which there is not'
    look = _LOOKS.get(type(event))
    return look(event, state) if look is not None else ""


def _created(event: ev.SessionCreated, state: SessionState) -> str:
    return "a session begins only once" if state.seq else ""


def _started(event: ev.TaskStarted, state: SessionState) -> str:
    now = state.states[event.task]
    if now.settled or now.status == "in_progress":
        return f'it starts the task "{event.task}", which is {now.status.replace("_", " ")}'
    if event.attempt != now.attempts + 1:
        return f'it starts attempt {event.attempt} at "{event.task}", after {now.attempts}'
    return ""


def _within(event: Told | ev.CallEnded | ev.TaskProposed, state: SessionState) -> str:
    """Where something is told of an attempt, there has been one."""
    if not 1 <= event.attempt <= state.states[event.task].attempts:
        return f'it tells of attempt {event.attempt} at "{event.task}", which has not begun'
    return ""


def _ended(event: ev.AttemptEnded, state: SessionState) -> str:
    now = state.states[event.task]
    if now.settled:
        return f'it ends the task "{event.task}", which is {now.status}'
    if event.attempt != (now.attempts if now.status == "in_progress" else 0):
        return f'it ends attempt {event.attempt} at "{event.task}", which is not under way'
    if event.seconds < 0 or (event.usage is not None and _is_negative(event.usage)):
        return f'it ends "{event.task}" with less than no time or tokens used'
    return _adds(getattr(event, "tasks", ()), state)


def _completed(event: ev.TaskCompleted, state: SessionState) -> str:
    """What takes no attempt: groups without checks, and what a person has answered."""
    is_settled_so = event.task in state.children or state.states[event.task].answer is not None
    if not event.attempt and not is_settled_so:
        return f'it completes "{event.task}" without an attempt'
    return _ended(event, state)


def _is_negative(usage: ev.Usage) -> bool:
    counts = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
    return min(*counts, usage.cost_usd or 0) < 0


def _skipped(event: ev.TaskSkipped, state: SessionState) -> str:
    now = state.states[event.task]
    return f'it skips the task "{event.task}", which is {now.status}' if now.settled else ""


def _reopened(event: ev.TaskReopened, state: SessionState) -> str:
    now = state.states[event.task]
    if now.status in ("failed", "skipped", "blocked"):
        return ""
    return f'it opens the task "{event.task}" again, which is {now.status.replace("_", " ")}'


def _called(event: ev.CallEnded, state: SessionState) -> str:
    if (event.task, event.call) not in state.calls:
        return f'it ends call {event.call} of "{event.task}", which has not begun'
    if event.usage is not None and _is_negative(event.usage):
        return "it tells of a call that used less than nothing"
    return _within(event, state)


def _adds(tasks: Sequence[Mapping[str, Any]], state: SessionState) -> str:
    """Each is new, is part of what is there by then, and needs what is there or comes with it."""
    coming = [task.get("id") for task in tasks]
    there: list[object] = []
    for task in tasks:
        task_id, group, needs = (task.get(key) for key in ("id", "parent_id", "dependencies"))
        if not isinstance(task_id, str):
            return "it adds a task without an id"
        if task_id in state.states or task_id in there:
            return f'it adds the task "{task_id}", which is there already'
        if isinstance(group, str) and group not in state.states and group not in there:
            return f'it adds the task "{task_id}" to "{group}", which there is not'
        for needed in needs if isinstance(needs, list | tuple) else ():
            if isinstance(needed, str) and needed not in state.states and needed not in coming:
                return f'it adds the task "{task_id}", which needs "{needed}", which there is not'
        there.append(task_id)
    return ""


_LOOKS: dict[type[ev.Event], Callable[[Any, SessionState], str]] = {
    ev.SessionCreated: _created,
    ev.TaskStarted: _started,
    **dict.fromkeys(get_args(Told), _within),
    **dict.fromkeys(get_args(ev.Ending), _ended),
    ev.TaskCompleted: _completed,
    ev.CallEnded: _called,
    ev.TaskProposed: lambda event, state: _within(event, state) or _adds([event.proposal], state),
    ev.TasksAdded: lambda event, state: _adds(event.tasks, state),
    ev.TaskSkipped: _skipped,
    ev.TaskReopened: _reopened,
}
