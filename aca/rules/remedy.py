"""What ``on_failure = "decompose"`` makes of a failure: more tasks, once for each task that failed."""

from __future__ import annotations

from typing import Any

import msgspec

from aca.core import events as ev
from aca.core import patch
from aca.core.state import SessionState
from aca.plans.task import Task

PIECES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tasks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "description": {"type": "string", "description": "all there is to know"},
                    "dependencies": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "titles of those among them that must be done before",
                    },
                },
                "required": ["title", "description", "dependencies"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["tasks"],
    "additionalProperties": False,
}
"""In what form an agent breaks a task into smaller ones."""


def decided(state: SessionState, task: Task, failure: ev.TaskFailed) -> ev.TaskFailed:
    """*failure*, which is not tried again, with what is to be done about it.

    An agent's own task is broken into smaller ones by its next attempt. Before a command, or the checks of a
    group, run again, one more task mends what failed. Nothing helps where the work was not at fault.
    """
    now = state.states[task.id]
    is_work = bool(failure.attempt) and failure.category == "task"
    if task.on_failure != "decompose" or now.remedied or not is_work:
        return failure
    if found := patch.too_many(state, task, 1):
        return msgspec.structs.replace(failure, reason=_given_up(failure.reason, found[0].message))
    if task.kind == "agent" and task.id not in state.children:
        return msgspec.structs.replace(failure, decompose=True)
    return msgspec.structs.replace(failure, tasks=(patch.mending(state, task, failure),))


def in_pieces(task: Task) -> Task:
    """*task* for an agent that is not to do it, but to break it into smaller ones."""
    return task.model_copy(update={"output_schema": PIECES})


def _given_up(reason: str, why: str) -> str:
    """*reason*, and on its first line why nothing is done about it."""
    first, *rest = reason.splitlines() or [""]
    return "\n".join([f"{first} (not broken up: {why})", *rest])
