"""What a drawing of a plan shows, however it is drawn: boxes in levels, arrows, frames around groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import msgspec

from aca.core import graph
from aca.plans.plan import Plan
from aca.plans.task import Task
from aca.report import words

LABEL = 40
"""Characters of a title that a node shows."""


class Node(msgspec.Struct, frozen=True):
    """One box. ``kind`` is the task's, or ``tasks`` where the box stands for several; levels from 0."""

    id: str
    label: str
    kind: str
    level: int
    frame: str | None = None
    done: bool = False


class Picture(msgspec.Struct, frozen=True):
    """``frames`` are groups, outer ones before what is in them: id -> (label, id of the frame around it)."""

    name: str
    nodes: list[Node]
    edges: list[tuple[str, str]]
    frames: dict[str, tuple[str, str | None]] = msgspec.field(default_factory=dict)
    of_levels: bool = False
    """Each box is a level, or several."""


def picture(plan: Plan, limit: int | None) -> Picture:
    """Every task with its groups; of a plan with more than *limit* tasks the outermost, or its levels."""
    groups = {task.parent_id for task in plan.tasks}
    leaves = [task for task in plan.tasks if task.id not in groups]
    levels = _levels(plan)
    if limit is None or len(leaves) <= limit:
        return _whole(plan, leaves, levels)
    roots = _roots(plan)
    if len(set(roots.values())) <= limit:
        return _by_group(plan, leaves, levels, roots)
    return _by_level(plan, leaves, levels, limit)


def _levels(plan: Plan) -> dict[str, int]:
    """The level of each leaf; what is done already counts as if it were not, to have its place."""
    as_new = [task.model_copy(update={"status": "pending"}) for task in plan.tasks]
    steps = graph.levels(plan.model_copy(update={"tasks": tuple(as_new)}))
    return {name: level for level, step in enumerate(steps) for name in step}


def _whole(plan: Plan, leaves: list[Task], levels: Mapping[str, int]) -> Picture:
    parents = {task.parent_id for task in plan.tasks}
    frames = {task.id: (_label(task), task.parent_id) for task in plan.tasks if task.id in parents}
    nodes = [
        Node(task.id, _label(task), task.kind, levels[task.id], task.parent_id, task.status != "pending")
        for task in leaves
    ]
    return Picture(plan.name, nodes, _arrows(plan), _outer_first(frames))


def _outer_first(frames: dict[str, tuple[str, str | None]]) -> dict[str, tuple[str, str | None]]:
    """A group may stand behind what is in it."""
    ordered: dict[str, tuple[str, str | None]] = {}
    for name in frames:
        chain = [name]
        while (above := frames[chain[-1]][1]) is not None and above not in ordered:
            chain.append(above)
        ordered |= {one: frames[one] for one in reversed(chain)}
    return ordered


def _arrows(plan: Plan) -> list[tuple[str, str]]:
    """(earlier, later) between leaves: from what ends a group to what begins the next."""
    first, last = _ends(plan)
    found = {
        (earlier, later): None
        for task in plan.tasks
        for needed in task.dependencies
        for earlier in last[needed]
        for later in first[task.id]
    }
    return list(found)


def _ends(plan: Plan) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """For each task the leaves it begins with and those it ends with; a leaf is both itself."""
    children: dict[str | None, list[Task]] = {}
    for task in plan.tasks:
        children.setdefault(task.parent_id, []).append(task)
    first: dict[str, list[str]] = {}
    last: dict[str, list[str]] = {}
    for task in reversed(_inner_last(children)):
        inner = children.get(task.id, [])
        beside = {one.id for one in inner}
        needed = {name for one in inner for name in one.dependencies}
        begins = [one for one in inner if not beside & set(one.dependencies)]
        ends = [one for one in inner if one.id not in needed]
        first[task.id] = [name for one in begins for name in first[one.id]] or [task.id]
        last[task.id] = [name for one in ends for name in last[one.id]] or [task.id]
    return first, last


def _inner_last(children: Mapping[str | None, list[Task]]) -> list[Task]:
    ordered: list[Task] = []
    waiting = list(children.get(None, ()))
    while waiting:
        task = waiting.pop()
        ordered.append(task)
        waiting += children.get(task.id, ())
    return ordered


def _roots(plan: Plan) -> dict[str, str]:
    """For each task the outermost group it is in, or itself."""
    parents = {task.id: task.parent_id for task in plan.tasks}
    roots: dict[str, str] = {}
    for name in parents:
        chain = [name]
        while (above := parents[chain[-1]]) is not None and above not in roots:
            chain.append(above)
        root = roots.get(above or "", chain[-1])
        roots |= dict.fromkeys(chain, root)
    return roots


def _by_group(plan: Plan, leaves: list[Task], levels: Mapping[str, int], roots: Mapping[str, str]) -> Picture:
    tasks = {task.id: task for task in plan.tasks}
    members: dict[str, list[Task]] = {}
    for leaf in leaves:
        members.setdefault(roots[leaf.id], []).append(leaf)
    nodes = []
    for root, inner in members.items():
        is_leaf = inner[0].id == root
        label = _label(tasks[root]) + ("" if is_leaf else f" ({words.counted(len(inner), 'task')})")
        done = all(task.status != "pending" for task in inner)
        kind = inner[0].kind if is_leaf else "tasks"
        nodes.append(Node(root, label, kind, min(levels[task.id] for task in inner), None, done))
    ends = {(roots[needed], roots[task.id]): None for task in plan.tasks for needed in task.dependencies}
    return Picture(plan.name, nodes, [(one, other) for one, other in ends if one != other])


def _by_level(plan: Plan, leaves: list[Task], levels: Mapping[str, int], limit: int) -> Picture:
    """One box per level, or for each few of them where there are more than *limit*."""
    few = math.ceil((max(levels.values()) + 1) / limit)
    steps: dict[int, list[str]] = {}
    for leaf in leaves:
        steps.setdefault(levels[leaf.id] // few, []).append(leaf.id)
    nodes = [Node(_span(step, few), _several(steps[step]), "tasks", step) for step in sorted(steps)]
    arrows = [(one.id, other.id) for one, other in pairwise(nodes)]
    return Picture(plan.name, nodes, arrows, of_levels=True)


def _span(step: int, few: int) -> str:
    return f"level {step + 1}" if few == 1 else f"levels {step * few + 1} to {(step + 1) * few}"


def _several(names: list[str]) -> str:
    return words.one_line(f"{words.counted(len(names), 'task')}: {', '.join(names)}", 2 * LABEL)


def _label(task: Task) -> str:
    return words.one_line(task.title, LABEL)
