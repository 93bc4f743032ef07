"""The one gate into the core: plan-shaped data becomes a Plan, or every problem is told at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec
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

Cuts = dict[str | int, Any]
"""What is to be taken out of data, as a tree: at its ends is None, or the text that is put in instead."""

_KEPT: Cuts = {}
"""Nothing is cut."""

Report = Callable[[Loc, str, str, str], Problem]

_ALIASES = {Plan: TOP_KEYS, Task: tuple(TASK_KEYS)}


def _nothing_more(_plan: Plan) -> Iterable[Fault]:
    return ()


def validate(
    data: dict[str, Any],
    problem: Report,
    earlier: Sequence[Problem] = (),
    look: Callable[[Plan], Iterable[Fault]] = _nothing_more,
) -> Plan:
    """The plan *data* describes. Raises InputError with all problems, the *earlier* ones too.

    *problem* makes a Problem of a place in the data, a message, a cure and a word to underline. *look* finds
    what else is wrong with a plan.
    """
    with uncollected():
        plan, complaints, cuts = _shape(data)
        found = [*earlier, *(problem(one.loc, one.message, one.cure, one.word) for one in complaints)]
        if plan is not None:
            known = {one.loc for one in complaints}
            nameless = _nameless(data, known)
            told = (_placed(one, plan, problem, cuts) for one in (*_faults(plan), *look(plan)))
            news = (one for one in told if _is_news(one, known) and not _names(one, nameless))
            found += [problem(one.loc, one.message, one.cure, one.word) for one in news]
        if found or plan is None:
            raise InputError(sorted(dict.fromkeys(found), key=_by_place))
    return plan


def _shape(data: dict[str, Any]) -> tuple[Plan | None, list[Complaint], Cuts]:
    """The plan; with what does not fit cut out, if need be, so that the rest can be looked at.

    What shows only after a cut is cut out as well. Around what was cut it is no news: it may come of that.
    """
    told: list[Complaint] = []
    locs: set[Loc] = set()
    cuts, left = _KEPT, data
    while True:
        try:
            return Plan.model_validate(left), told, cuts
        except ValidationError as error:
            found = [
                _of_version(msgspec.structs.replace(one, loc=_written(one.loc, cuts)), data)
                for one in explain(error, Plan, left, _ALIASES)
            ]
        told += [one for one in found if not any(loc[: len(one.loc)] == one.loc for loc in locs)]
        news = {one.loc for one in found} - locs - {()}
        if not news:
            return None, told, cuts
        locs |= news
        cuts = _cuts(data, locs)
        left = _without(data, cuts)


def _of_version(complaint: Complaint, data: dict[str, Any]) -> Complaint:
    if complaint.loc != ("format_version",):
        return complaint
    message = (
        f"this plan has format version {data['format_version']}, and this aca reads {model.FORMAT_VERSION}"
    )
    return Complaint(complaint.loc, message, "make it again from its task file", complaint.word)


def _without(data: Any, cuts: Cuts) -> Any:
    """A copy of *data* without what is cut out of it."""
    if isinstance(data, dict):
        kept = {key: value for key, value in data.items() if key not in cuts}
        return kept | {key: _cut(data.get(key), cut) for key, cut in cuts.items() if cut is not None}
    if isinstance(data, list):
        kept_of = ((value, cuts.get(index, _KEPT)) for index, value in enumerate(data))
        return [_cut(value, cut) for value, cut in kept_of if cut is not None]
    return data


def _cut(value: Any, cut: Cuts | str) -> Any:
    return cut if isinstance(cut, str) else _without(value, cut)


def _cuts(data: Any, locs: Iterable[Loc]) -> Cuts:
    """What is wrong at *locs*, as a tree; one end of it may lie inside of another."""
    tree: Cuts = {}
    for loc, text in sorted((_end(data, loc) for loc in locs), key=lambda end: len(end[0])):
        node: Any = tree
        for part in loc[:-1]:
            node = node.setdefault(part, {}) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node[loc[-1]] = text
    return tree


def _end(data: Any, loc: Loc) -> tuple[Loc, str | None]:
    """What is cut, and what is put in instead; of what is missing, the thing that lacks it is cut."""
    text = _stand_in(loc)
    is_there = text is not None or value_at(data, loc, _KEPT) is not _KEPT
    return (loc if is_there else loc[:-1]), text


def _stand_in(loc: Loc) -> str | None:
    """What a task is called that does not say so as it should."""
    match loc:
        case ("tasks", int(), "title"):
            return "?"
        case ("tasks", int(index), "id"):
            return f"task {index + 1}"
    return None


def _nameless(data: Any, locs: Iterable[Loc]) -> set[str]:
    """What others may call the tasks that do not say their name as they should."""
    entries = (value_at(data, loc[:2]) for loc in locs if loc[:1] == ("tasks",) and loc[2:] in ((), ("id",)))
    names = ((one.get("id"), one.get("title")) if isinstance(one, dict) else (one,) for one in entries)
    return {str(name).casefold() for some in names for name in some if name}


def _names(fault: Fault, tasks: Collection[str]) -> bool:
    """Whether it is about the name of one of *tasks*, where another task says it."""
    is_name = fault.loc[2:3] in (("dependencies",), ("parent_id",), ("conversation",))
    return is_name and fault.word.casefold() in tasks


def _written(loc: Loc, cuts: Cuts) -> Loc:
    """Where the data has what stands at *loc* once *cuts* are made: what was cut out of lists is counted."""
    found: Loc = ()
    here = cuts
    for part in loc:
        gone = sorted(index for index, cut in here.items() if cut is None and isinstance(index, int))
        if isinstance(part, int):
            for index in gone:
                part += index <= part
        found, inner = (*found, part), here.get(part)
        here = inner if isinstance(inner, dict) else _KEPT
    return found


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
        cure = "run them in parallel mode, or leave the number out"
        yield Fault(("max_concurrent_tasks",), message, cure, str(plan.max_concurrent_tasks))


def _placed(fault: Fault, plan: Plan, problem: Report, cuts: Cuts) -> Fault:
    """*fault* where the file has it. Two things with one name are both named by their lines."""
    loc, message = _written(fault.loc, cuts), fault.message
    match fault.loc:
        case ("tasks", int(index), "id") if fault.message.startswith("two tasks"):
            first = next(n for n, task in enumerate(plan.tasks) if task.id == plan.tasks[index].id)
            other = problem(_written(("tasks", first, "id"), cuts), "", "", "").line
            message += f": lines {other} and {problem(loc, '', '', '').line}" if other else ""
    return Fault(loc, message, fault.cure, fault.word)


def _by_place(problem: Problem) -> tuple[str, int, int]:
    return problem.path, problem.line or 0, problem.column or 0
