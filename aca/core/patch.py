"""Changes to a running plan. Whoever hands one in, it passes the same validator as the plan did.

An agent says less of a task than a plan does: what decides where, as whom and with which rights the work
is done comes from the task that was split.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from aca.core import graph
from aca.core.events import TaskFailed, TaskSplit
from aca.core.state import SessionState
from aca.errors import did_you_mean
from aca.plans.check import Checks
from aca.plans.faults import Fault, faults
from aca.plans.plan import Plan, Profile, profile
from aca.plans.settings import Permissions
from aca.plans.task import Task
from aca.plans.values import Command, Model, Priority, Words, free_id, short_id, slug

MAX_DEPTH = 5
"""How deep subtasks of subtasks may go: an agent that only ever splits must come to an end."""
MAX_SUBTASKS = 100
"""How many subtasks one attempt may hand in."""

_RIGHTS: tuple[Permissions, ...] = ("read-only", "workspace-write", "full")
"""From the least to the most."""
_INHERITED = ("role", "provider", "model", "permissions", "workspace", "cwd", "env", "pass_env", "timeout")
_ARRANGED = {"id", "dependencies", "role", "permissions"}
"""What of a subtask is not taken over as it is said."""
_RUNS = ("command", "checks")
"""What a task can be made to run."""
_SHOWN = 40
"""How many characters of a wrong value are told."""

IsFile = Callable[[str], bool]


class Subtask(Model):
    """All that an agent may say of a task it hands in. The descriptions complete "should be"."""

    id: str | None = Field(None, description="text")
    title: str = Field(min_length=1, description="text, and not empty")
    description: str = Field("", description="text")
    dependencies: Words = Field((), description="a list of ids or titles")
    priority: Priority = Field(5, description="a number from 0 to 10")
    estimated_complexity: int | None = Field(None, ge=1, le=10, description="a number from 1 to 10")
    tags: Words = Field((), description="a list of words")
    touches: Words = Field((), description="a list of paths")
    file_refs: Words = Field((), description="a list of paths")
    kind: Literal["agent", "command"] = Field("agent", description='"agent" or "command"')
    command: Command | None = Field(None, description="a shell line or a list of words")
    checks: Checks = Field((), description="a list of commands")
    role: str | None = Field(None, description="the name of a role")
    permissions: Permissions | None = Field(None, description='"read-only", "workspace-write" or "full"')


def subtasks(
    state: SessionState, parent: Task, given: Sequence[Any], is_file: IsFile
) -> tuple[tuple[dict[str, Any], ...], list[Fault]]:
    """The tasks *given* for *parent* as complete plan data, and what is wrong with them.

    Ids may be left out and titles used in ``dependencies``. A task gets role, provider, model, permissions,
    place and time limit of its parent; it may ask for a role of the plan, and for fewer permissions than
    these. *is_file* tells whether a path is that of a file in the workspace.
    """
    if found := too_many(state, parent, len(given)):
        return (), found
    asked, found = _read(given)
    if found := found or list(_refused(state, parent, asked, is_file)):
        return (), found
    tasks, found = _complete(state, parent, asked)
    return tuple(_data(task) for task in tasks), found or _misfits(state, tasks)


def fitting(state: SessionState, split: TaskSplit) -> tuple[TaskSplit, list[Fault]]:
    """*split* as it fits the plan by now, and what keeps it from that.

    Its subtasks were sound when they were handed in; since then others may have added tasks with their ids.
    """
    ids: dict[str, str] = {}
    for said in split.tasks:
        ids[said["id"]] = free_id(said["id"], (state.tasks, ids.values()))
    tasks = tuple(_renamed(said, ids) for said in split.tasks)
    found = _over(state, len(tasks)) or _misfits(state, [Task.model_validate(said) for said in tasks])
    return msgspec.structs.replace(split, tasks=tasks), found


def _renamed(said: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    needs = [ids.get(needed, needed) for needed in said.get("dependencies", ())]
    return {**said, "id": ids[said["id"]]} | ({"dependencies": needs} if needs else {})


def proposal(
    state: SessionState, task: Task, given: Any, is_file: IsFile
) -> tuple[dict[str, Any] | None, list[Fault]]:
    """The work that the agent of *task* found, as a task beside the others; None where it is there already.

    It gets of *task* what subtasks get of theirs.
    """
    asked, found = _read([given])
    if found := found or _over(state, 1) or list(_refused(state, task, asked, is_file)):
        return None, found
    if any(state.tasks[one].title.casefold() == asked[0].title.casefold() for one in state.proposals):
        return None, []
    tasks, found = _complete(state, task, asked)
    beside = tasks[0].model_copy(update={"parent_id": None})
    return _data(beside), found or _misfits(state, [beside])


def _misfits(state: SessionState, tasks: Sequence[Task]) -> list[Fault]:
    added, known = Plan(tasks=tuple(tasks), roles=state.plan.roles), list(state.tasks.values())
    return faults(added, known) or graph.cycle_faults(added, known)


def is_there(state: SessionState, said: Mapping[str, Any]) -> bool:
    """Whether the task that *said* describes, with its id, is in the plan already."""
    return state.tasks.get(str(said.get("id"))) == Task.model_validate(said)


def addition(
    state: SessionState, said: Mapping[str, Any], *, keeps_id: bool = False
) -> tuple[dict[str, Any], list[Fault]]:
    """The task that a person wants to add as complete plan data, and what is wrong with it.

    A person may say all that a plan says of a task. An id that is taken by now becomes another one, unless
    it is to be kept.
    """
    wanted = str(said.get("id"))
    if keeps_id and wanted in state.tasks:
        return {}, [Fault(("id",), f'"{wanted}" is another task already', "give it another id")]
    try:
        task = Task.model_validate({**said, "id": free_id(wanted, [state.tasks])})
    except ValidationError as error:
        return {}, [Fault((*one["loc"],), f"{one['loc'][0]}: {one['msg']}") for one in error.errors()]
    found = _misfits(state, [task]) or [*_without_provider(state, task)]
    return _data(task), [*_closed(state, task), *found]


def _data(task: Task) -> dict[str, Any]:
    return task.model_dump(mode="json", exclude_defaults=True)


def _closed(state: SessionState, task: Task) -> Iterator[Fault]:
    """A group takes tasks until its checks run; what is no group has work of its own."""
    group = task.parent_id
    if group is None or group not in state.tasks:
        return
    now = state.states[group]
    if group not in state.children:
        yield Fault(("parent_id",), f'"{group}" is no group that a task could be part of')
    elif now.settled:
        yield Fault(("parent_id",), f'"{group}" is {now.status} already: add the task beside it')
    elif now.status == "in_progress":
        yield Fault(("parent_id",), f'the checks of "{group}" are running: add the task beside it')


def _without_provider(state: SessionState, task: Task) -> Iterator[Fault]:
    """A provider comes with the plan: what it needs was looked at when the plan was begun."""
    name = profile(state.plan, task).provider
    if task.kind != "agent" or name in (known := usable(state)):
        return
    if name is None:
        yield Fault(
            ("provider",), f'nothing says who does "{task.title}"', "name a provider that is in the plan"
        )
    else:
        cure = f"it uses {', '.join(sorted(known))}" if known else "it uses none"
        yield Fault(("provider",), f'this plan does not use the provider "{name}"', cure)


def usable(state: SessionState) -> set[str]:
    """The providers that an added task may have: those the plan names for some task, role, or all tasks."""
    named = {state.plan.defaults.provider, *(role.provider for role in state.plan.roles.values())}
    return {name for name in named | _providers(state) if name is not None}


def mending(state: SessionState, task: Task, failure: TaskFailed) -> dict[str, Any]:
    """The task that mends what failed in *task*, a command or a group, as plan data; with its rights."""
    is_group = task.id in state.children
    what = "The checks of this group" if is_group else "This command"
    outputs = [f"{check.name}:\n{check.output}" for check in failure.checks if not check.passed]
    told = "\n\n".join(
        [f"{what} failed. Mend the cause; it is run again after you.", failure.reason, *outputs]
    )
    mend = Task(
        **{key: getattr(task, key) for key in _INHERITED},
        id=free_id(short_id(f"{task.id}.mend"), [state.tasks]),
        title=f"Mend {task.title}",
        description=told,
        parent_id=task.id if is_group else task.parent_id,
        file_refs=task.file_refs,
        touches=task.touches,
    )
    return _data(mend)


def too_many(state: SessionState, parent: Task, number: int) -> list[Fault]:
    """Why *parent* cannot have so many more subtasks, if it cannot."""
    depth = 0
    while parent.parent_id is not None:
        parent, depth = state.tasks[parent.parent_id], depth + 1
    if depth >= MAX_DEPTH:
        return [Fault((), f"subtasks may be nested {MAX_DEPTH} deep, no deeper")]
    if not number:
        return [Fault((), "there are none")]
    if number > MAX_SUBTASKS:
        return [Fault((), f"{number} subtasks at once are too many, {MAX_SUBTASKS} is the limit")]
    return _over(state, number)


def _over(state: SessionState, number: int) -> list[Fault]:
    if state.grown + number > (most := state.plan.limits.max_added_tasks):
        told = (
            f"agents may add {most} tasks to this plan (limits.max_added_tasks), and {state.grown} are added"
        )
        return [Fault((), told)]
    return []


# -- what it says -------------------------------------------------------------------------------------


def _read(given: Sequence[Any]) -> tuple[list[Subtask], list[Fault]]:
    asked: list[Subtask] = []
    found: list[Fault] = []
    for index, data in enumerate(given):
        try:
            asked.append(Subtask.model_validate(data))
        except ValidationError as error:
            told = (_told(index, one) for one in error.errors(include_url=False))
            found += {fault.loc: fault for fault in told}.values()
    return asked, found


def _told(index: int, error: ErrorDetails) -> Fault:
    """In words for whoever wrote it; of a value that fits none of several types it is told once."""
    if not error["loc"]:
        return _fault(index, "", f"should be a table, not {_shown(error['input'])}")
    key = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        cure = did_you_mean(key, Subtask.model_fields)
        why = "cannot be set by an agent" if key in Task.model_fields else "is not a key of a task"
        return _fault(index, key, f"{key} {why}", cure)
    if error["type"] == "missing":
        return _fault(index, key, f"has no {key}")
    value = "" if len(error["loc"]) > 1 else f", not {_shown(error['input'])}"
    return _fault(index, key, f"{key} should be {Subtask.model_fields[key].description}{value}")


def _fault(index: int, key: str, message: str, cure: str = "") -> Fault:
    return Fault(("tasks", index, key), f"subtask {index + 1}: {message}", cure, key)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"{text[:_SHOWN]}…" if len(text) > _SHOWN else text


# -- what it may --------------------------------------------------------------------------------------


def _refused(state: SessionState, parent: Task, asked: Sequence[Subtask], is_file: IsFile) -> Iterator[Fault]:
    own = profile(state.plan, parent)
    for index, one in enumerate(asked):
        for key in _RUNS if own.permissions == "read-only" else ():
            if getattr(one, key):
                yield _fault(index, key, f"{key} cannot be given by a task that is read-only")
        for ref in one.file_refs:
            if not is_file(ref):
                yield _fault(index, "file_refs", f'file_refs: there is no file "{ref}" in the workspace')
        if one.role not in (None, parent.role):
            yield from _refused_role(state, own, index, one.role or "")


def _refused_role(state: SessionState, own: Profile, index: int, name: str) -> Iterator[Fault]:
    role = state.plan.roles.get(name)
    if role is None:
        cure = did_you_mean(name, state.plan.roles)
        yield _fault(index, "role", f'there is no role "{name}"', cure)
        return
    if role.permissions and _RIGHTS.index(role.permissions) > _RIGHTS.index(own.permissions):
        message = f'the role "{name}" has permissions {role.permissions}, more than {own.permissions}'
        yield _fault(index, "role", message)
    if role.provider not in (None, *_providers(state)):
        yield _fault(index, "role", f'the role "{name}" is for {role.provider}, which this plan does not use')


def _providers(state: SessionState) -> set[str | None]:
    """Those that do some task already, so that they are known to be here."""
    return {profile(state.plan, task).provider for task in state.tasks.values() if task.kind == "agent"}


# -- what becomes of it -------------------------------------------------------------------------------


def _complete(state: SessionState, parent: Task, asked: Sequence[Subtask]) -> tuple[list[Task], list[Fault]]:
    ids = _ids(state, parent, asked)
    needs, found = _needs(asked, ids)
    tasks = [
        Task(
            **{
                **_inherited(state.plan, parent, one),
                **{key: getattr(one, key) for key in one.model_fields_set - _ARRANGED},
                "id": task_id,
                "parent_id": parent.id,
                "dependencies": needed,
            }
        )
        for one, task_id, needed in zip(asked, ids, needs, strict=True)
    ]
    return tasks, found


def _inherited(plan: Plan, parent: Task, one: Subtask) -> dict[str, Any]:
    inherited = {key: getattr(parent, key) for key in _INHERITED}
    own = profile(plan, parent)
    role = None if one.role in (None, parent.role) else plan.roles[one.role or ""]
    if role is not None:
        provider = role.provider or own.provider
        model = role.model or (own.model if provider == own.provider else None)
        inherited |= {"role": one.role, "provider": provider, "model": model}
    if role is not None or one.permissions:
        rights = (one.permissions, role and role.permissions, own.permissions)
        inherited["permissions"] = min(filter(None, rights), key=_RIGHTS.index)
    return inherited


def _ids(state: SessionState, parent: Task, asked: Sequence[Subtask]) -> list[str]:
    ids: dict[str, None] = {}
    for one in asked:
        wanted = one.id or short_id(f"{parent.id}.{slug(one.title) or 'part'}")
        ids[free_id(wanted, (state.tasks, ids))] = None
    return list(ids)


def _needs(asked: Sequence[Subtask], ids: Sequence[str]) -> tuple[list[list[str]], list[Fault]]:
    """What each needs, as ids: one of its siblings by id or title, else a task there is already."""
    by_id: defaultdict[str, list[str]] = defaultdict(list)
    by_title: defaultdict[str, list[str]] = defaultdict(list)
    for one, task_id in zip(asked, ids, strict=True):
        by_id[one.id or task_id].append(task_id)
        by_title[one.title.casefold()].append(task_id)
    needs: list[list[str]] = []
    found = []
    for index, one in enumerate(asked):
        meant = {
            name: by_id.get(name) or by_title.get(name.casefold()) or [name] for name in one.dependencies
        }
        needs.append(list(dict.fromkeys(names[0] for names in meant.values())))
        for name, names in meant.items():
            if len(names) > 1:
                message = f'dependencies: "{name}" is the name of {len(names)} subtasks'
                found.append(_fault(index, "dependencies", message, "give each an id"))
    return needs, found
