"""What differs between two plans: settings, tasks that came and went, and each field of those that stayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aca.plans.contract import Path, leaves, written
from aca.plans.plan import Plan
from aca.plans.task import Task

_ANY_ORDER = ("dependencies", "tags")
"""Fields of a task whose entries may stand in any order."""
_NO_SETTING = ("tasks", "source", "planning")


@dataclass(frozen=True)
class Change:
    """One field; None on a side stands for its default."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """``changed`` holds (the task as it is now, what changed in it). The order of tasks is no difference."""

    settings: list[Change]
    added: list[Task]
    removed: list[Task]
    changed: list[tuple[Task, list[Change]]]

    def __bool__(self) -> bool:
        return bool(self.settings or self.added or self.removed or self.changed)


def difference(before: Plan, after: Plan) -> Difference:
    """What *after* says that *before* does not, contracts, approvals and sources left out."""
    then, now = leaves(before), leaves(after)
    old, new = ({task.id: task for task in plan.tasks} for plan in (before, after))
    fields = _of_tasks(then, now)
    stayed = [
        (task, fields.get(name, []) + _status(old[name], task)) for name, task in new.items() if name in old
    ]
    return Difference(
        settings=_changes(_settings(then), _settings(now)),
        added=[task for name, task in new.items() if name not in old],
        removed=[task for name, task in old.items() if name not in new],
        changed=[(task, changes) for task, changes in stayed if changes],
    )


def _settings(data: dict[Path, Any]) -> dict[Path, Any]:
    return {path: value for path, value in data.items() if path[0] not in _NO_SETTING}


def _of_tasks(then: dict[Path, Any], now: dict[Path, Any]) -> dict[str, list[Change]]:
    """The changed fields of each task, by its id."""
    old, new = _by_task(then), _by_task(now)
    return {name: _changes(old[name], new[name]) for name in new if name in old}


def _by_task(data: dict[Path, Any]) -> dict[str, dict[Path, Any]]:
    tasks: dict[str, dict[Path, Any]] = {}
    for path, value in data.items():
        if path[0] == "tasks" and len(path) > 1:
            value = sorted(value) if path[2] in _ANY_ORDER else value
            tasks.setdefault(path[1], {})[path[2:]] = value
    return tasks


def _changes(old: dict[Path, Any], new: dict[Path, Any]) -> list[Change]:
    paths = dict.fromkeys([*old, *new])
    found = [Change(written(path), old.get(path), new.get(path)) for path in paths]
    return [change for change in found if change.before != change.after]


def _status(old: Task, new: Task) -> list[Change]:
    return [] if old.status == new.status else [Change("status", old.status, new.status)]
