"""What cannot have happened: an event that is sound by itself, and does not fit what was there before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from aca.core import events as ev
from aca.core.progress import TaskState

States = Mapping[str, TaskState]
"""How far each task is, by its id."""
Told = (
    ev.ConversationStarted | ev.CallStarted | ev.CallEnded | ev.NoteLeft | ev.TaskFellBack | ev.TaskProposed
)
"""What is told of an attempt while it is made."""


def misplaced(event: ev.Event, states: States) -> str:
    """Why *event* cannot follow on *states*; empty where it can. KeyError names a task that is not there."""
    look = _LOOKS.get(type(event))
    return look(event, states) if look is not None else ""


def _created(event: ev.SessionCreated, _: States) -> str:
    return "a session begins only once" if event.seq > 1 else ""


def _started(event: ev.TaskStarted, states: States) -> str:
    now = states[event.task]
    if now.settled or now.status == "in_progress":
        return f'it starts the task "{event.task}", which is {now.status.replace("_", " ")}'
    if event.attempt != now.attempts + 1:
        return f'it starts attempt {event.attempt} at "{event.task}", after {now.attempts}'
    return ""


def _within(event: Told, states: States) -> str:
    """Where something is told of an attempt, there has been one."""
    if not 1 <= event.attempt <= states[event.task].attempts:
        return f'it tells of attempt {event.attempt} at "{event.task}", which has not begun'
    return ""


def _ended(event: ev.AttemptEnded, states: States) -> str:
    """What takes no attempt (groups without checks, approvals, what is called off) ends without a number."""
    now = states[event.task]
    if event.attempt and (now.status != "in_progress" or event.attempt != now.attempts):
        return f'it ends attempt {event.attempt} at "{event.task}", which is not under way'
    if now.settled:
        return f'it ends the task "{event.task}", which is {now.status}'
    if event.seconds < 0 or (event.usage is not None and _is_negative(event.usage)):
        return f'it ends "{event.task}" with less than no time or tokens used'
    return _adds(getattr(event, "tasks", ()), states)


def _is_negative(usage: ev.Usage) -> bool:
    counts = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
    return min(*counts, usage.cost_usd or 0) < 0


def _skipped(event: ev.TaskSkipped, states: States) -> str:
    now = states[event.task]
    return f'it skips the task "{event.task}", which is {now.status}' if now.settled else ""


def _reopened(event: ev.TaskReopened, states: States) -> str:
    now = states[event.task]
    if now.status in ("failed", "skipped", "blocked"):
        return ""
    return f'it opens the task "{event.task}" again, which is {now.status.replace("_", " ")}'


def _called(event: ev.CallEnded, states: States) -> str:
    if event.usage is not None and _is_negative(event.usage):
        return "it tells of a call that used less than nothing"
    return _within(event, states)


def _adds(tasks: Iterable[Mapping[str, Any]], states: States) -> str:
    known = next((task["id"] for task in tasks if task.get("id") in states), None)
    return "" if known is None else f'it adds the task "{known}", which is there already'


_LOOKS: dict[type[ev.Event], Callable[[Any, States], str]] = {
    ev.SessionCreated: _created,
    ev.TaskStarted: _started,
    **dict.fromkeys(get_args(Told), _within),
    **dict.fromkeys(get_args(ev.Ending), _ended),
    ev.CallEnded: _called,
    ev.TaskProposed: lambda event, states: _within(event, states) or _adds([event.proposal], states),
    ev.TasksAdded: lambda event, states: _adds(event.tasks, states),
    ev.TaskSkipped: _skipped,
    ev.TaskReopened: _reopened,
}
