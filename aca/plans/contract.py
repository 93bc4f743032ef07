"""The plan as a contract: what each task comes down to, and whether a plan is still what was approved.

A plan's *leaves* are its fields, each with its path. Statuses are no part of what is agreed on, and neither
are key order and white space, which the model does not know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import asdict

from aca.plans.plan import Plan, Profile, profile
from aca.plans.provenance import Approval, Contract, Terms
from aca.plans.task import Task

Path = tuple[str, ...]
"""Where a field of a plan is, such as ``("tasks", "login", "title")``: tasks go by their ids."""

_MARK = 8
"""Hexadecimal digits that tell one value of a field from another in a seal."""


# -- what is agreed on ----------------------------------------------------------------------------------


def leaves(plan: Plan) -> dict[Path, Any]:
    """Every field of *plan* that differs from its default; contract, approval and statuses left out."""
    found = dict(_leaves(_agreed(plan, without=("tasks", "contract", "approval")), ()))
    found[("tasks",)] = [task.id for task in plan.tasks]
    for task in plan.tasks:
        found.update(_leaves(_defining(task), ("tasks", task.id)))
    return found


def _agreed(plan: Plan, without: Iterable[str]) -> dict[str, Any]:
    """What *plan* says, and not where editors find its schema."""
    leave_out = {"schema_id", *without}
    return plan.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=leave_out)


def _defining(task: Task) -> dict[str, Any]:
    """What is said of *task*: neither how far it is nor what it is called."""
    return task.model_dump(mode="json", exclude_defaults=True, exclude={"status", "id"})


def _leaves(data: Mapping[str, Any], at: Path) -> Iterator[tuple[Path, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*at, key))
        else:
            yield (*at, key), value


def written(path: Path) -> str:
    """A path as people write it: ``tasks.login.title``."""
    return ".".join(path)


def digest_of(value: object) -> str:
    """sha256 of *value* as canonical JSON; a set counts as the sorted list of what is in it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=sorted)
    return hashlib.sha256(text.encode()).hexdigest()


# -- the contract ---------------------------------------------------------------------------------------


def terms(plan: Plan) -> dict[str, Terms]:
    """What each task of *plan* comes down to; of groups and approvals that is their definition alone."""
    return {task.id: _terms(plan, task, task.id in plan.groups) for task in plan.tasks}


def _terms(plan: Plan, task: Task, is_group: bool) -> Terms:
    gets = profile(plan, task)
    definition = digest_of({"task": _defining(task), "gets": _plain(gets)})
    if is_group or task.kind == "approval":
        return Terms(definition=definition)
    limits = Terms(definition=definition, retries=gets.retries, timeout=gets.timeout)
    if task.kind == "command":
        return limits
    agent = {"provider": gets.provider, "model": gets.model, "permissions": gets.permissions}
    return limits.model_copy(update=agent)


def _plain(gets: Profile) -> dict[str, Any]:
    container = None if gets.docker is None else asdict(gets.docker)
    return {**asdict(gets), "docker": container}


def settled(plan: Plan, now: Contract) -> Plan:
    """*plan* with its contract, made on and with what is here *now*, without an approval of another one."""
    made = now.model_copy(update={"tasks": terms(plan)})
    return _with_what_holds(plan.model_copy(update={"contract": made}))


def renewed(plan: Plan) -> Plan:
    """*plan* as it will run: where it has a contract, that of the tasks as they are by now."""
    if plan.contract is not None:
        now = plan.contract.model_copy(update={"tasks": terms(plan)})
        plan = plan.model_copy(update={"contract": now})
    return _with_what_holds(plan)


def _with_what_holds(plan: Plan) -> Plan:
    return plan.model_copy(update={"approval": None}) if changes(plan) else plan


# -- the approval ---------------------------------------------------------------------------------------


def approved(plan: Plan, by: str, at: str, comment: str = "") -> Plan:
    """*plan* as *by* has approved it; *at* is when (ISO 8601)."""
    approval = Approval(digest="", by=by, at=at, comment=comment, seal=_seal(plan))
    digest = _digest(plan, approval)
    return plan.model_copy(update={"approval": approval.model_copy(update={"digest": digest})})


def changes(plan: Plan) -> list[str]:
    """The fields in which *plan* is not what was approved. Empty too where nobody has approved it."""
    approval = plan.approval
    if approval is None or (approval.digest == _digest(plan, approval) and approval.seal == _seal(plan)):
        return []
    return _broken_seals(plan, approval) or _stale_terms(plan) or ["approval"]


def place(plan: Plan, name: str) -> tuple[str | int, ...]:
    """Where in a plan's data the field stands that ``changes`` calls *name*."""
    longest_first = sorted(enumerate(plan.tasks), key=lambda one: -len(one[1].id))
    for index, task in longest_first:  # an id may be the beginning of another
        if name == f"tasks.{task.id}" or name.startswith(f"tasks.{task.id}."):
            field = name[len(f"tasks.{task.id}.") :]
            return ("tasks", index, *field.split("."))
    return tuple(name.split("."))


def _digest(plan: Plan, approval: Approval) -> str:
    data = _agreed(plan, without=("approval",))
    tasks = [{"id": task.id, **_defining(task)} for task in plan.tasks]
    said = {"by": approval.by, "at": approval.at, "comment": approval.comment}
    return digest_of({"plan": {**data, "tasks": tasks}, "approval": said})


def _seal(plan: Plan) -> dict[str, str]:
    """Owner -> ``field=mark field=mark``: one line for the plan, for its contract, and for each task."""
    marks: dict[str, list[str]] = {"plan": []}
    for path, value in leaves(plan).items():
        owner, field = _owned(path)
        marks.setdefault(owner, []).append(f"{field}={digest_of(value)[:_MARK]}")
    if plan.contract is not None:
        own = plan.contract.model_dump(mode="json", exclude={"tasks"})
        marks["contract"] = [f"{key}={digest_of(value)[:_MARK]}" for key, value in own.items()]
    return {owner: " ".join(sorted(fields)) for owner, fields in marks.items()}


def _owned(path: Path) -> tuple[str, str]:
    if path[0] == "tasks" and len(path) > 1:
        return written(path[:2]), written(path[2:])
    return "plan", written(path)


def _broken_seals(plan: Plan, approval: Approval) -> list[str]:
    now, then = _seal(plan), approval.seal
    found = []
    for owner in dict.fromkeys([*then, *now]):
        if owner not in now or owner not in then:
            found.append(owner)
            continue
        before, after = set(then[owner].split(" ")), set(now[owner].split(" "))
        names = sorted({mark.partition("=")[0] for mark in before ^ after})
        found += [name if owner == "plan" else f"{owner}.{name}" for name in names]
    return found


def _stale_terms(plan: Plan) -> list[str]:
    """Where the contract says something else of a task than the plan."""
    said = plan.contract.tasks if plan.contract else {}
    now = terms(plan)
    found = []
    for name in dict.fromkeys([*said, *now]):
        if name not in said or name not in now:
            found.append(f"contract.tasks.{name}")
            continue
        ours, theirs = now[name].model_dump(), said[name].model_dump()
        found += [f"contract.tasks.{name}.{key}" for key in ours if ours[key] != theirs[key]]
    return found
