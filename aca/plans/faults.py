"""What is wrong between the tasks of a plan: the one validator for files, patches and subtasks alike.

Cycles, for which the graph is needed, are ``graph.cycle_faults``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import PurePath

import msgspec

from aca.errors import did_you_mean
from aca.plans.plan import Plan
from aca.plans.task import OWN, PARENT, ROLE, Task
from aca.plans.values import MAX_ID_BYTES
from aca.safety.protection import COMMANDS, LIFTED, PATHS

_LONGEST_NAME = 255
"""Bytes of a file's name on the file systems of Linux and macOS (NAME_MAX)."""
_LONGEST_PATH = 2048
"""Bytes of a ``cwd``: Linux takes 4096 in all (PATH_MAX), with the workspace or worktree that it lies in."""
_SHOWN = 60
_is_id = re.compile(r"\w[\w.-]*").fullmatch


class Fault(msgspec.Struct, frozen=True):
    """Something wrong at ``loc`` (a path into the plan's data, such as ``("tasks", 3, "role")``)."""

    loc: tuple[str | int, ...]
    message: str
    cure: str = ""
    word: str = ""
    """The text to underline, where it stands in the line."""


def faults(plan: Plan, known: Collection[Task] = ()) -> list[Fault]:
    """Everything wrong between the tasks of *plan*, cycles aside (``graph.cycle_faults``).

    *known* are tasks that exist already, when *plan* is a Patch to a running one.
    """
    everything = (*known, *plan.tasks)
    tasks = {task.id: task for task in everything}
    found = _duplicates(plan.tasks, known) if len(tasks) < len(everything) else []
    found += _cwd_faults(plan.cwd)
    found += _lifted(plan)
    if _are_sound(plan, tasks):
        return found
    parents = {task.parent_id for task in tasks.values() if task.parent_id not in (None, task.id)}
    for index, task in enumerate(plan.tasks):
        for fault in task_faults(task, plan, tasks, task.id in parents):
            found.append(Fault(("tasks", index, *fault.loc), fault.message, fault.cure, fault.word))
    return found


def _lifted(plan: Plan) -> Iterator[Fault]:
    """What ``protect`` takes out must be there; a rule must say something."""
    protect = plan.protect
    for key, said, defaults in (("paths", protect.paths, PATHS), ("commands", protect.commands, COMMANDS)):
        for index, entry in enumerate(said):
            at, name = ("protect", key, index), entry.removeprefix(LIFTED).strip()
            if not name:
                yield Fault(at, f"protect.{key}: an entry is empty", "leave it out")
            elif entry.startswith(LIFTED) and name not in defaults:
                cure = did_you_mean(name, defaults) or f"the defaults are {', '.join(defaults)}"
                yield Fault(at, f'protect.{key}: no default is called "{name}"', cure, name)


def _duplicates(tasks: Sequence[Task], known: Iterable[Task]) -> list[Fault]:
    seen = {task.id for task in known}
    found = []
    for index, task in enumerate(tasks):
        if task.id in seen:
            cure = "give one of them another id"
            found.append(Fault(("tasks", index, "id"), f'two tasks have the id "{task.id}"', cure, task.id))
        seen.add(task.id)
    return found


def _are_sound(plan: Plan, tasks: Mapping[str, Task]) -> bool:
    """Whether ``task_faults`` has nothing to tell, as nearly always: a few questions for all tasks at once.

    Where something is said that few plans say, the answer is no, and each task is looked at.
    """
    if not plan.tasks:
        return True
    columns = zip(*(_asked(vars(task)) for task in plan.tasks), strict=True)
    ids, titles, needs, parents, roles, kinds, commands, backups, failures, *seldom = columns
    groups = {*parents} - {None}
    return (
        all(map(_is_id, ids))
        and max(map(len, map(str.encode, ids))) <= MAX_ID_BYTES
        and all(map(str.strip, titles))
        and {*tasks}.issuperset(chain(groups, chain.from_iterable(needs)))
        and plan.roles.keys() >= {*roles} - {None}
        and {*zip(kinds, map(bool, commands), map(bool, backups), strict=True)} <= _SOUND
        and all(tasks[name].kind == "agent" for name in groups)
        and "decompose" not in failures
        and all(column.count(None) == len(column) for column in seldom)
    )


_asked = itemgetter(
    *("id", "title", "dependencies", "parent_id", "role", "kind", "command", "backup", "on_failure"),
    *("conversation", "cwd", "output_schema"),
)
"""All of a task, as a table, that ``task_faults`` looks at, but for what it only looks at besides."""
_SOUND = {
    ("agent", False, False), ("approval", False, False), ("command", True, False), ("command", True, True),
}  # fmt: skip
"""Kinds of tasks, and whether each has a command and a backup."""


def task_faults(task: Task, plan: Plan, tasks: Mapping[str, Task], is_group: bool) -> list[Fault]:
    """Everything wrong with one task of *plan*, among all *tasks*; ``loc`` begins at the task."""
    return [
        *_name_faults(task),
        *_reference_faults(task, plan, tasks),
        *_kind_faults(task, is_group),
        *(() if task.cwd is None else _cwd_faults(task.cwd)),
    ]


def _cwd_faults(cwd: str) -> list[Fault]:
    name, size = cwd if len(cwd) <= _SHOWN else f"{cwd[:_SHOWN]}...", len(cwd.encode("utf-8", "replace"))
    if not stays_inside(cwd):
        return [Fault(("cwd",), f'cwd "{name}" leads out of the workspace', "", cwd)]
    if "\0" in cwd:
        why = f'cwd "{cwd.partition(chr(0))[0]}" goes on with a null character, which no path can have'
        return [Fault(("cwd",), why, "take it out")]
    if size > _LONGEST_PATH or any(
        len(part.encode("utf-8", "replace")) > _LONGEST_NAME for part in cwd.split("/")
    ):
        cure = f"a directory's name has at most {_LONGEST_NAME} bytes, and all of it {_LONGEST_PATH}"
        return [Fault(("cwd",), f'cwd "{name}" is too long for a path', cure)]
    return []


def _name_faults(task: Task) -> list[Fault]:
    if not task.title.strip():
        cure = "say in a few words what is to be done"
        return [Fault(("title",), f'task "{task.id}" has a title of nothing but spaces', cure)]
    if _is_id(task.id) and len(task.id.encode()) <= MAX_ID_BYTES:
        return []
    cure = f"use letters, digits, - _ and ., at most {MAX_ID_BYTES} bytes, the first a letter or digit"
    return [Fault(("id",), f'"{task.id}" cannot be an id', cure, task.id)]


def _reference_faults(task: Task, plan: Plan, tasks: Mapping[str, Task]) -> list[Fault]:
    found = []
    for position, needed in enumerate(task.dependencies):
        if needed not in tasks:
            message = f'task "{task.id}" needs "{needed}", which is not in this plan'
            found.append(Fault(("dependencies", position), message, did_you_mean(needed, tasks), needed))
    if task.parent_id is not None and task.parent_id not in tasks:
        message = f'task "{task.id}" has the parent "{task.parent_id}", which is not in this plan'
        found.append(Fault(("parent_id",), message, did_you_mean(task.parent_id, tasks), task.parent_id))
    if fault := _conversation_fault(task, tasks):
        found.append(fault)
    if task.role is not None and task.role not in plan.roles:
        cure = did_you_mean(task.role, plan.roles) or f"describe it under roles.{task.role}"
        found.append(Fault(("role",), f'there is no role "{task.role}"', cure, task.role))
    return found


def _conversation_fault(task: Task, tasks: Mapping[str, Task]) -> Fault | None:
    """It takes two to share a conversation, and one goes on in that of a task which is done by then."""
    other = task.conversation
    if other is None:
        return None
    shares = {OWN: True, PARENT: task.parent_id, ROLE: task.role}
    if shares.get(other) or other in task.dependencies:
        return None
    if other in shares:
        message, cure = f'task "{task.id}" has no {other} to share a conversation with', f"give it a {other}"
    else:
        message = f'task "{task.id}" cannot go on in the conversation of "{other}", which it does not need'
        cure = f'let it need "{other}"' if other in tasks else did_you_mean(other, [PARENT, ROLE, *tasks])
    return Fault(("conversation",), message, cure, other)


def _kind_faults(task: Task, is_group: bool) -> list[Fault]:
    found = []
    if task.kind == "command" and not task.command:
        found.append(
            Fault(("command",), f'task "{task.id}" is a command without one', "say with run what it does")
        )
    if task.kind != "command" and task.command:
        cure = "leave kind out, or let it be command"
        found.append(Fault(("command",), f'task "{task.id}" has a command but is an {task.kind}', cure))
    if task.backup and task.kind != "command":
        found.append(Fault(("backup",), f'task "{task.id}" has a backup but is an {task.kind}', ""))
    if task.output_schema is not None and (is_group or task.kind != "agent"):
        what = "group" if is_group else task.kind
        cure = "give it to a task that an agent does"
        found.append(Fault(("output_schema",), f'task "{task.id}" is a {what} and gives no output', cure))
    if task.on_failure == "decompose" and (why := _unbreakable(task, is_group)):
        message = f'task "{task.id}" {why}, which on_failure = "decompose" does nothing for'
        found.append(Fault(("on_failure",), message, "leave on_failure out", "decompose"))
    if is_group and task.kind != "agent":
        cure = "make them tasks of their own that need it"
        found.append(Fault(("kind",), f'task "{task.id}" is a {task.kind} and cannot have subtasks', cure))
    return found


def _unbreakable(task: Task, is_group: bool) -> str:
    if task.kind == "approval":
        return "is an approval"
    if is_group and not task.checks:
        return "is a group without checks"
    return "" if task.output_schema is None else "gives its output itself"


def stays_inside(path: str) -> bool:
    """Whether the relative *path* cannot leave the directory it starts from."""
    pure = PurePath(path)
    if pure.is_absolute():
        return False
    depth = 0
    for part in pure.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True
