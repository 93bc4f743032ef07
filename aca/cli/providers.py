"""``aca providers``: who could do agent tasks here, what each can, and whether it answers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aca.cli.options import Json, Workspace
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.plans.plan import Plan


def providers(
    check: Annotated[
        bool, typer.Option("--check", help="Make one tiny real call of each that is here.")
    ] = False,
    workspace: Workspace = Path(),
    json: Json = False,
) -> int:
    """Show who could do agent tasks here, what each can do, and how to get the others."""
    from aca import app
    from aca.errors import Exit

    rows = list(_rows(app.settings(workspace, os.environ, but_providers=True).plan, check))
    if json:
        Screen().document(rows)
    else:
        Screen().results(line for row in rows for line in _told(row))
    silent = any(row.get("answer") and not row["answer"]["ok"] for row in rows)
    return Exit.TASK_FAILED if silent else Exit.OK


def _rows(plan: Plan, check: bool) -> Iterator[dict[str, Any]]:
    from msgspec.structs import asdict

    from aca import providers
    from aca.providers.about import about

    for name in providers.names(plan.providers):
        given = plan.providers.get(name, {})
        is_default = name == plan.defaults.provider
        there = providers.check(name, given, plan.defaults.model if is_default else None)
        row = {"name": name, "default": is_default, **asdict(there)}
        if not there.is_wrong:
            known = about(name, given)
            row |= {"authenticates": known.authenticates, "capabilities": asdict(known.can)}
        if check and there.ok and name != "replay":  # which has nobody to call
            row["answer"] = _answer(name, given)
        yield row


def _answer(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    from msgspec.structs import asdict

    from aca.providers import trial

    Screen().remark(f"asking {name} ...")
    return asdict(trial.try_out(name, given))


def _told(row: Mapping[str, Any]) -> Iterable[str]:
    """A provider on a few lines."""
    mark = "here   " if row["ok"] else "absent "
    note = "   (does the tasks that name nobody)" if row["default"] else ""
    yield f"{mark} {row['name']}: {row['detail']}{note}"
    if not row["ok"] and row["cure"]:
        yield f"         {row['cure']}"
    if "capabilities" in row:
        can = [name.replace("_", " ") for name, able in row["capabilities"].items() if able]
        yield f"         can: {', '.join(can) or 'nothing of note'}"
        yield f"         signs in with: {row['authenticates']}"
    if answer := row.get("answer"):
        how = "answered" if answer["ok"] else "did not answer"
        yield f"         {how} ({answer['seconds']:.1f} s): {answer['told']}"
