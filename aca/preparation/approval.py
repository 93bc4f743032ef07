"""A person approves a plan: it is renewed to the tree and tools at hand, sealed and written back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from aca import parse
from aca.errors import InputError, Problem
from aca.parse import toml
from aca.parse.written import TERMS, with_terms
from aca.plans import contract
from aca.plans.plan import Plan, dump
from aca.preparation import drift, schemas
from aca.preparation.assigned import faults, used_providers, without_provider
from aca.preparation.prepare import refuse_secrets
from aca.sessions import journal
from aca.workspaces import choice as choice_of_place


def approve(
    file: Path, workspace: Path, by: str, comment: str, environ: Mapping[str, str]
) -> tuple[Plan, str]:
    """Record in *file*, a plan, that *by* has approved it; returns it as it is written then, and a note.

    Where agents work is decided as a run would decide it, and written down: the note tells that.
    Its base commit, tools and references become those at hand, for it is with them that it was
    reviewed. Raises InputError where it cannot be used, and DriftError where its task file has changed.
    """
    document = parse.read(file, base=workspace)
    if not document.is_plan:
        cure = f"make a plan of it: aca --task-file {file} --dry-run --dump-plan plan.json"
        raise InputError(Problem("only a plan can be approved, and this is none", cure, document.path))
    plan = parse.validate(document.data, document.problem, document.problems, faults)
    refuse_secrets(document.data, document.problem, environ)
    _refuse_what_is_open(plan, document)
    drift.refuse(plan, document, workspace, ("approval", "base_commit", "tools", "references"))
    plan, note = choice_of_place.choose(plan, workspace)
    now = drift.present(plan, workspace, used_providers(plan))
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    made = contract.approved(contract.settled(plan, now), by, at, comment)
    named = schemas.for_editors(made, file, workspace, origin=file)
    journal.write_aside(file, _text(named, document).encode())
    return made, note


def _refuse_what_is_open(plan: Plan, document: parse.Document) -> None:
    """What is chosen only when the plan runs is nothing that anybody can approve."""
    if open_tasks := without_provider(plan):
        message = f'nothing says who does the task "{open_tasks[0].id}"'
        cure = "name a provider under defaults, such as claude-cli"
        raise InputError(document.problem(("defaults",), message, cure))


def _text(plan: Plan, document: parse.Document) -> str:
    """JSON as aca writes it. TOML stays as its author has it, with new tables at its end."""
    if document.format == "json":
        return parse.dump_text(plan, "json")
    kept = toml.without(document.text, TERMS)
    if plan.defaults.workspace and "workspace" not in document.data.get("defaults", {}):
        kept = toml.with_line(kept, "defaults", f'workspace = "{plan.defaults.workspace}"')
    text = with_terms(kept, plan)
    _check(text, plan, document)
    return text


def _check(text: str, plan: Plan, document: parse.Document) -> None:
    """Nothing is written that would read back as another plan: tables inside braces cannot be taken out."""
    again = parse.Document(document.path, text, "toml")
    try:
        data = toml.load(again, text)
    except InputError:
        data = {}
    wanted = dump(plan)
    place = wanted.get("defaults", {}).get("workspace")
    is_same = data.get("defaults", {}).get("workspace") == place
    if not is_same or any(data.get(key) != wanted[key] for key in TERMS):
        cure = "write contract, approval and defaults as tables: aca writes into them"
        raise InputError(document.problem(("contract",), "this plan cannot be written back as it is", cure))
