"""A plan's file is changed: read, changed, and written back only where it reads back as what it is to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from aca import parse
from aca.errors import InputError, Problem, did_you_mean
from aca.parse.written import with_schema, with_tasks, with_terms
from aca.plans.faults import Fault
from aca.plans.plan import Plan, dump
from aca.preparation import schemas
from aca.preparation.prepare import refuse_secrets
from aca.sessions import journal

Change = Callable[[Plan], tuple[Plan, list[Fault]]]


def rewrite(file: Path, target: Path, workspace: Path, change: Change, environ: Mapping[str, str]) -> Plan:
    """Write the plan in *file*, changed, to *target*. Raises InputError with all that is wrong."""
    document = parse.read(file, base=workspace)
    if not document.is_plan:
        cure = f"make a plan of it: aca --task-file {file} --dry-run --dump-plan plan.json"
        raise InputError(Problem("only a plan can be changed so, and this is none", cure, document.path))
    before = parse.validate(document.data, document.problem, document.problems)
    refuse_secrets(document.data, document.problem, environ)
    plan, found = change(before)
    if found:
        raise InputError([document.problem(one.loc, one.message, one.cure, one.word) for one in found])
    named = schemas.for_editors(plan, target, workspace, origin=file)
    if document.format == "toml" and target.suffix == file.suffix:
        text = with_terms(with_tasks(document, before, plan), plan)
        _check(text, plan, document, workspace)
        text = text if target == file else with_schema(text, named.schema_id)
    else:
        text = parse.dump_text(named, "toml" if target.suffix == ".toml" else "json")
    journal.write_aside(target, text.encode())
    return plan


def index(plan: Plan, name: str) -> int:
    """The number of the task with that id, or with that title if it is the only one. Raises InputError."""
    found = [n for n, task in enumerate(plan.tasks) if task.id == name]
    found = found or [n for n, task in enumerate(plan.tasks) if task.title.casefold() == name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(plan.tasks[n].id for n in found)
        raise InputError(Problem(f'several tasks are called "{name}": {names}'))
    cure = did_you_mean(name, [word for task in plan.tasks for word in (task.id, task.title)])
    raise InputError(Problem(f'there is no task "{name}" in this plan', cure))


def _check(text: str, plan: Plan, document: parse.Document, workspace: Path) -> None:
    """Nothing is written that would read back as another plan: tables inside braces cannot be changed."""
    with suppress(InputError):
        again = parse.read_as(Path(document.path), text, base=workspace)
        if dump(parse.validate(again.data, again.problem, again.problems)) == dump(plan):
            return
    cure = "write each task as a table of its own, [[tasks]], and contract and approval as tables"
    raise InputError(document.problem(("tasks",), "this plan cannot be written back as it is", cure))
