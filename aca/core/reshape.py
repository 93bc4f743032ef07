"""Another cut of a plan: one task split into several, several merged into one. No model is asked.

What is wrong is told as faults, at places of the plan that was given; then that is what comes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aca.core import graph
from aca.plans.contract import renewed
from aca.plans.faults import Fault, faults
from aca.plans.plan import Plan
from aca.plans.task import OWN, Task
from aca.plans.values import free_id, short_id, slug

_HANDED_DOWN = (
    "role", "provider", "model", "fallback", "permissions", "workspace", "retries", "retry_delay", "timeout",
    "cwd", "env", "pass_env", "touches", "repository_refs", "priority",
)  # fmt: skip
"""What of a task that is split is meant for whoever does the work. The rest is the group's."""
_ALIKE = (
    "parent_id", "role", "provider", "model", "fallback", "permissions", "workspace", "conversation",
    "limits", "cwd", "env", "on_failure",
)  # fmt: skip
"""In what tasks must agree that are to be one."""
_UNITED = ("dependencies", "file_refs", "repository_refs", "tags", "pass_env", "checks")
_LARGEST = ("priority", "estimated_complexity", "retries", "retry_delay", "timeout")
_ITEM = re.compile(r"(?:[-*+]|(\d+)[.)])\s+(?:\[[ xX-]\]\s+)?(.+)")
_FENCE = re.compile(r"\s*(```|~~~)")
_LONGEST = 80
"""Characters of a title that is taken from a text."""


# -- split ------------------------------------------------------------------------------------------------


@dataclass
class _Part:
    """A piece of a description: its first line, and what belongs to it."""

    head: str
    number: str | None = None
    body: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(line.removeprefix("  ") for line in self.body).strip("\n")


def split(plan: Plan, index: int) -> tuple[Plan, list[Fault]]:
    """*plan* with task number *index* as a group of what its description lists, or of its paragraphs.

    It keeps its id, so what needs it waits for all of them; its checks are run when they are done. The
    items of a numbered list follow each other.
    """
    task = plan.tasks[index]
    if found := [*_no_work(plan, index), *_talks(plan, index)]:
        return plan, found
    above, parts = _listed(task.description)
    if len(parts) < 2:
        above, parts = "", _paragraphs(task.description)
    if len(parts) < 2:
        cure = "write what it consists of as a list in its description"
        message = f'the description of "{task.id}" has neither a list nor paragraphs to split it by'
        return plan, [Fault(("tasks", index, "description"), message, cure)]
    handed_down = _handed_down(task)
    unset = _unset((*handed_down, "estimated_complexity"))
    group = task.model_copy(update={"description": above, **unset})
    children = _children(plan, task, parts, {key: getattr(task, key) for key in handed_down})
    made = [*plan.tasks[:index], group, *children, *plan.tasks[index + 1 :]]
    return _checked(plan, made, index)


def _talks(plan: Plan, index: int) -> Iterator[Fault]:
    """Of several tasks nobody could say whose conversation goes on."""
    task = plan.tasks[index]
    others = [other.id for other in plan.tasks if other.conversation == task.id]
    if task.conversation not in (None, OWN) or others:
        whose = f'"{others[0]}" goes on in its conversation' if others else "it shares a conversation"
        message = f'"{task.id}" cannot be split: {whose}'
        yield Fault(("tasks", index, "conversation"), message, "take that away")


def _handed_down(task: Task) -> tuple[str, ...]:
    """A group is only mended where it has checks that can fail."""
    is_theirs = task.on_failure == "decompose" and not task.checks
    return (*_HANDED_DOWN, "on_failure") if is_theirs else _HANDED_DOWN


def _children(plan: Plan, task: Task, parts: Sequence[_Part], given: Mapping[str, Any]) -> Iterator[Task]:
    taken = {one.id for one in plan.tasks}
    before: tuple[str, ...] = ()
    for part in parts:
        title, description = _titled(part)
        name = free_id(short_id(f"{task.id}.{slug(title) or 'part'}"), [taken])
        taken.add(name)
        yield Task(
            **given, id=name, title=title, description=description, parent_id=task.id, dependencies=before
        )
        before = (name,) if part.number else ()


def _titled(part: _Part) -> tuple[str, str]:
    """Title and description; a first line that is too long for a title is in both."""
    if len(part.head) <= _LONGEST:
        return part.head, part.text
    title = part.head[:_LONGEST]
    return f"{title.rpartition(' ')[0] or title} …", f"{part.head}\n{part.text}".strip()


def _listed(text: str) -> tuple[str, list[_Part]]:
    """What stands around the outermost list of *text*, and the items of that."""
    above: list[str] = []
    parts: list[_Part] = []
    for line, is_code in _lines(text):
        item = None if is_code else _ITEM.fullmatch(line)
        if item:
            parts.append(_Part(item[2].strip(), item[1]))
        elif parts and (is_code or not line.strip() or line[0].isspace()):
            parts[-1].body.append(line)
        else:
            above.append(line)
    return "\n".join(above).strip(), parts


def _paragraphs(text: str) -> list[_Part]:
    parts: list[_Part] = []
    is_open = False
    for line, is_code in _lines(text):
        if is_open and (line.strip() or is_code):
            parts[-1].body.append(line)
        elif line.strip():
            parts.append(_Part(line.strip()))
        is_open = bool(line.strip()) or is_code
    return parts


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is code between fences or one of these."""
    is_code = False
    for line in text.split("\n"):
        is_fence = bool(_FENCE.match(line))
        yield line, is_code or is_fence
        is_code ^= is_fence


# -- merge ------------------------------------------------------------------------------------------------


def merged(plan: Plan, indexes: Sequence[int], title: str = "") -> tuple[Plan, list[Fault]]:
    """*plan* with the tasks of these numbers as one, which has the id and the place of the first of them.

    It needs what any of them needed, and what needed one of them needs it.
    """
    found = [fault for index in indexes for fault in _no_work(plan, index)]
    if found := found or [*_differences(plan, indexes)]:
        return plan, found
    tasks = [plan.tasks[index] for index in indexes]
    first, gone = tasks[0], {task.id for task in tasks[1:]}
    name = title or "; ".join(task.title for task in tasks)
    one = first.model_copy(update={"title": name, **_united(tasks)})
    kept = (one if task is first else task for task in plan.tasks if task.id not in gone)
    return _checked(plan, [_needing(task, first.id, gone) for task in kept], indexes[0])


def _differences(plan: Plan, indexes: Sequence[int]) -> Iterator[Fault]:
    first, *others = indexes
    for key in _ALIKE:
        for other in others:
            ours, theirs = (getattr(plan.tasks[index], key) for index in (first, other))
            if ours != theirs:
                names = f'"{plan.tasks[first].id}" and "{plan.tasks[other].id}"'
                message = f"{names} cannot be one task: their {key} differ"
                yield Fault(("tasks", other, key), message, "make them the same")


def _united(tasks: Sequence[Task]) -> dict[str, Any]:
    united: dict[str, Any] = {key: tuple(_all(getattr(task, key) for task in tasks)) for key in _UNITED}
    for key in _LARGEST:
        said = [value for task in tasks if (value := getattr(task, key)) is not None]
        united[key] = max(said, default=None)
    is_known = all(task.touches for task in tasks)  # else nobody knows what they touch together
    return {
        **united,
        "touches": tuple(_all(task.touches for task in tasks)) if is_known else (),
        "description": "\n\n".join(f"## {task.title}\n\n{task.description}".strip() for task in tasks),
        "context": "\n\n".join(_all([task.context] for task in tasks if task.context)),
    }


def _all(lists: Iterable[Iterable[Any]]) -> list[Any]:
    """What is in any of *lists*, each once."""
    found: list[Any] = []
    for one in lists:
        found += [value for value in one if value not in found]
    return found


def _needing(task: Task, first: str, gone: set[str]) -> Task:
    """*task* with what it needed of what is *gone* turned to the task that has taken it in."""
    needs = dict.fromkeys(first if name in gone else name for name in task.dependencies)
    if task.id == first:
        needs.pop(first, None)
    talk = first if task.conversation in gone else task.conversation
    return task.model_copy(update={"dependencies": tuple(needs), "conversation": talk})


# -- both -------------------------------------------------------------------------------------------------


def _no_work(plan: Plan, index: int) -> Iterator[Fault]:
    """Only what an agent is still to do can be cut anew."""
    task = plan.tasks[index]
    if any(other.parent_id == task.id for other in plan.tasks):
        why = "is a group"
    elif task.kind != "agent":
        why = f"is of kind {task.kind}, and no agent's work"
    elif task.status != "pending":
        why = f"is {task.status} already"
    elif task.output_schema is not None:
        why = "gives an output"
    else:
        return
    yield Fault(("tasks", index, "id"), f'"{task.id}" {why}: it stays as it is', "", task.id)


def _unset(keys: Iterable[str]) -> dict[str, Any]:
    return {key: Task.model_fields[key].get_default(call_default_factory=True) for key in keys}


def _checked(plan: Plan, tasks: Sequence[Task], index: int) -> tuple[Plan, list[Fault]]:
    """The plan of *tasks*, unless something in it no longer holds: then why, at the task that was cut."""
    made = renewed(plan.model_copy(update={"tasks": tuple(tasks)}))
    if found := [*faults(made), *graph.cycle_faults(made)]:
        return plan, [Fault(("tasks", index, "id"), f"this cannot be: {fault.message}") for fault in found]
    return made, []
