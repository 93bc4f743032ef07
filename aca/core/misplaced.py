"""What cannot have happened: an event that is sound by itself, and does not fit what was there before it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any, get_args

from pydantic import ValidationError

from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.faults import task_faults
from aca.plans.plan import Plan
from aca.plans.task import Task
from aca.plans.values import laid_over

Told = ev.ConversationStarted | ev.CallStarted | ev.NoteLeft | ev.TaskFellBack
"""What is told of an attempt while it is made."""
_MOST = 10**15
"""No session uses so many tokens or dollars."""
_LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""The last day there is a name for."""


def misplaced(event: ev.Event, state: SessionState) -> str:
    """Why *event* cannot follow on *state*; empty where it can."""
    if not 0 <= event.at < _LAST:
        return "it happened at no time that there is"
    task_id = getattr(event, "task", None)
    if task_id is not None and task_id not in state.states:
        return f'it is about "{task_id}", which there is not'
    look = _LOOKS.get(type(event))
    return look(event, state) if look is not None else ""


def _created(event: ev.SessionCreated, state: SessionState) -> str:
    return "a session begins only once" if state.seq else ""


def _run(event: ev.RunStarted, state: SessionState) -> str:
    """What is laid over the plan leaves one that could be run."""
    if not event.overrides:
        return ""
    plan = state.plan.model_dump(mode="json", by_alias=True, exclude={"tasks"})
    try:
        Plan.model_validate(laid_over(plan, laid_over(state.overrides, event.overrides)))
    except ValidationError as error:
        return f"what it lays over the plan is no part of one: {_first(error)}"
    return ""


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _started(event: ev.TaskStarted, state: SessionState) -> str:
    now = state.states[event.task]
    if now.status not in ("pending", "blocked"):
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
    if event.seconds < 0 or (event.usage is not None and _is_impossible(event.usage)):
        return f'it ends "{event.task}" with more or less used than there can be'
    return ""


def _split(event: ev.TaskSplit, state: SessionState) -> str:
    return _ended(event, state) or _adds(event.tasks, state)


def _failed(event: ev.TaskFailed, state: SessionState) -> str:
    never = f'it has "{event.task}" tried again at no time that there is' if event.not_before >= _LAST else ""
    return _ended(event, state) or never or _adds(event.tasks, state)


def _completed(event: ev.TaskCompleted, state: SessionState) -> str:
    """What takes no attempt: groups without checks, and what a person has answered."""
    is_settled_so = event.task in state.children or state.states[event.task].answer is not None
    if not event.attempt and not is_settled_so:
        return f'it completes "{event.task}" without an attempt'
    return _ended(event, state)


def _is_impossible(usage: ev.Usage) -> bool:
    counts = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
    return not all(0 <= count < _MOST for count in (*counts, usage.cost_usd or 0))


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
    if event.usage is not None and _is_impossible(event.usage):
        return "it tells of a call that used more or less than there can be"
    return _within(event, state)


def _adds(given: Sequence[Mapping[str, Any]], state: SessionState) -> str:
    """They are tasks that a plan could have: new, part of what is there by then, free to begin some time."""
    added: dict[str, Task] = {}
    for said in given:
        try:
            task = Task.model_validate(said)
        except ValidationError as error:
            return f"what it adds is no task: {_first(error)}"
        if task.id in state.tasks or task.id in added:
            return f'it adds the task "{task.id}", which is there already'
        if task.parent_id is not None and task.parent_id not in state.tasks and task.parent_id not in added:
            return f'it adds the task "{task.id}" to "{task.parent_id}", which there is not'
        added[task.id] = task
    known = ChainMap(added, state.tasks)
    faults = (fault for task in added.values() for fault in task_faults(task, state.plan, known, False))
    return next((fault.message for fault in faults), "") or _circle(added)


def _circle(added: Mapping[str, Task]) -> str:
    """What was there before waits for none of them."""
    try:
        TopologicalSorter({one.id: added.keys() & {*one.dependencies} for one in added.values()}).prepare()
    except CycleError as error:
        return f"it adds tasks that wait for each other: {', '.join(error.args[1])}"
    return ""


_LOOKS: dict[type[ev.Event], Callable[[Any, SessionState], str]] = {
    ev.SessionCreated: _created,
    ev.RunStarted: _run,
    ev.TaskStarted: _started,
    **dict.fromkeys(get_args(Told), _within),
    **dict.fromkeys(get_args(ev.Ending), _ended),
    ev.TaskCompleted: _completed,
    ev.TaskSplit: _split,
    ev.TaskFailed: _failed,
    ev.CallEnded: _called,
    ev.TaskProposed: lambda event, state: _within(event, state) or _adds([event.proposal], state),
    ev.TasksAdded: lambda event, state: _adds(event.tasks, state),
    ev.TaskSkipped: _skipped,
    ev.TaskReopened: _reopened,
}
