"""Changes to a running plan. Whoever hands one in, it passes the same validator as the plan did."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from pydantic import ValidationError

from aca import graph
from aca.plan import Fault, Plan, Task, faults, slug
from aca.state import SessionState

MAX_DEPTH = 5
"""How deep subtasks of subtasks may go: an agent that only ever splits must come to an end."""
MAX_SUBTASKS = 100
"""How many subtasks one attempt may hand in."""


def subtasks(
    state: SessionState, parent: Task, given: Sequence[dict[str, Any]]
) -> tuple[tuple[dict[str, Any], ...], list[Fault]]:
    """The tasks *given* for *parent* as complete plan data, and what is wrong with them.

    Ids may be left out and titles used in ``dependencies``; a task gets its parent's role, provider,
    model and permissions where it names none.
    """
    if _depth(state, parent) >= MAX_DEPTH:
        return (), [Fault((), f"subtasks may be nested {MAX_DEPTH} deep, no deeper")]
    if len(given) > MAX_SUBTASKS:
        return (), [Fault((), f"{len(given)} subtasks at once are too many, {MAX_SUBTASKS} is the limit")]
    try:
        tasks = _complete(state, parent, given)
    except ValidationError as error:
        return (), [Fault(one["loc"], f"{one['loc']}: {one['msg']}") for one in error.errors()]
    added = Plan(tasks=tuple(tasks), roles=state.plan.roles)
    known = list(state.tasks.values())
    found = faults(added, known) or graph.cycle_faults(added, known)
    return tuple(task.model_dump(mode="json", exclude_defaults=True) for task in tasks), found


def _complete(state: SessionState, parent: Task, given: Sequence[dict[str, Any]]) -> list[Task]:
    ids: dict[str, str] = {}
    inherited = {key: getattr(parent, key) for key in ("role", "provider", "model", "permissions")}
    for data in given:
        title = str(data.get("title", ""))
        wanted = data.get("id") or f"{parent.id}.{slug(title) or 'part'}"
        ids[title] = _free(wanted, {**state.tasks, **dict.fromkeys(ids.values())})
    return [
        Task.model_validate(
            {
                **inherited,
                **data,
                "id": ids[str(data.get("title", ""))],
                "parent_id": parent.id,
                "dependencies": [ids.get(needed, needed) for needed in data.get("dependencies", ())],
            }
        )
        for data in given
    ]


def _free(wanted: str, taken: Container[str]) -> str:
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def _depth(state: SessionState, task: Task) -> int:
    depth = 0
    while task.parent_id is not None:
        task, depth = state.tasks[task.parent_id], depth + 1
    return depth
