"""The one gate into the core: plan-shaped data becomes a Plan, or every problem is told at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from aca.core import graph
from aca.errors import InputError, Problem
from aca.garbage import uncollected
from aca.parse.document import Loc
from aca.parse.explain import Complaint, explain, value_at
from aca.parse.keys import TASK_KEYS, TOP_KEYS
from aca.plans import plan as model
from aca.plans.faults import Fault, faults
from aca.plans.plan import Plan
from aca.plans.task import Task

_KEPT: dict[str | int, Any] = {}
"""Nothing is cut."""

Report = Callable[[Loc, str, str, str], Problem]

_ALIASES = {Plan: TOP_KEYS, Task: tuple(TASK_KEYS)}


def validate(data: dict[str, Any], problem: Report, earlier: Sequence[Problem] = ()) -> Plan:
    """The plan *data* describes. Raises InputError with all problems, the *earlier* ones too.

    *problem* makes a Problem of a place in the data, a message, a cure and a word to underline.
    """
    with uncollected():
        plan, complaints = _shape(data)
        found = [*earlier, *(problem(one.loc, one.message, one.cure, one.word) for one in complaints)]
        if plan is not None:
            known = {one.loc for one in complaints}
            found += [_told(fault, plan, problem) for fault in _faults(plan) if _is_news(fault, known)]
        if found or plan is None:
            raise InputError(sorted(dict.fromkeys(found), key=_by_place))
    return plan


def _shape(data: dict[str, Any]) -> tuple[Plan | None, list[Complaint]]:
    """The plan; with what does not fit taken out, if need be, so that the rest can be looked at."""
    try:
        return Plan.model_validate(data), []
    except ValidationError as error:
        complaints = [_of_version(one, data) for one in explain(error, Plan, data, _ALIASES)]
    if any(_hides_tasks(one.loc) for one in complaints):
        return None, complaints
    try:
        return Plan.model_validate(_without(data, _cuts(data, [one.loc for one in complaints]))), complaints
    except ValidationError:
        return None, complaints


def _of_version(complaint: Complaint, data: dict[str, Any]) -> Complaint:
    if complaint.loc != ("format_version",):
        return complaint
    message = (
        f"this plan has format version {data['format_version']}, and this aca reads {model.FORMAT_VERSION}"
    )
    return Complaint(complaint.loc, message, "make it again from its task file", complaint.word)


def _hides_tasks(loc: Loc) -> bool:
    """Whether what is wrong at *loc* leaves open which tasks there are."""
    return loc == ("tasks",) or (loc[0] == "tasks" and (len(loc) == 2 or loc[2] in ("id", "title")))


def _without(data: Any, cuts: Mapping[str | int, Any]) -> Any:
    """A copy of *data* without what is cut out of it."""
    if isinstance(data, dict):
        kept = {key: value for key, value in data.items() if cuts.get(key, _KEPT) is not None}
        return kept | {key: _without(kept[key], cuts[key]) for key in cuts.keys() & kept.keys()}
    if isinstance(data, list):
        numbered = [(index, value) for index, value in enumerate(data) if cuts.get(index, _KEPT) is not None]
        return [_without(value, cuts.get(index, _KEPT)) for index, value in numbered]
    return data


def _cuts(data: Any, locs: Iterable[Loc]) -> dict[str | int, Any]:
    """*locs* as a tree with None at its ends; of what is missing, the thing that lacks it is cut."""
    tree: dict[str | int, Any] = {}
    ends = {loc if value_at(data, loc, _KEPT) is not _KEPT else loc[:-1] for loc in locs}
    for loc in sorted(ends, key=len):
        node: dict[str | int, Any] | None = tree
        for part in loc[:-1]:
            node = node.setdefault(part, {}) if node is not None else None
        if node is not None:
            node[loc[-1]] = None
    return tree


def _is_news(fault: Fault, known: Collection[Loc]) -> bool:
    """Not what comes of something that is told already: without its kind a task is an agent, say."""
    if fault.loc[2:3] in (("kind",), ("command",), ("backup",)):
        return not any((*fault.loc[:2], key) in known for key in ("kind", "command", "backup"))
    if fault.loc == ("max_concurrent_tasks",):
        return fault.loc not in known and ("execution_mode",) not in known
    return fault.loc not in known


def _faults(plan: Plan) -> Iterator[Fault]:
    yield from faults(plan)
    yield from graph.cycle_faults(plan)
    if plan.execution_mode == "sequential" and plan.max_concurrent_tasks > 1:
        message = f"sequential runs one task at a time, not {plan.max_concurrent_tasks}"
        cure = "write execution_mode = parallel, or leave max_concurrent_tasks out"
        yield Fault(("max_concurrent_tasks",), message, cure, str(plan.max_concurrent_tasks))


def _told(fault: Fault, plan: Plan, problem: Report) -> Problem:
    """A fault as a problem. Two things with one name are both named by their lines."""
    told = problem(fault.loc, fault.message, fault.cure, fault.word)
    match fault.loc:
        case ("tasks", int(index), "id") if fault.message.startswith("two tasks"):
            first = next(n for n, task in enumerate(plan.tasks) if task.id == plan.tasks[index].id)
            other = problem(("tasks", first, "id"), "", "", "").line
            message = f"{fault.message}: lines {other} and {told.line}" if other else fault.message
            return problem(fault.loc, message, fault.cure, fault.word)
    return told


def _by_place(problem: Problem) -> tuple[str, int, int]:
    return problem.path, problem.line or 0, problem.column or 0
