"""``aca plan show``: a plan as a tree, with levels, critical path and estimate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aca.cli.options import Json, Workspace
from aca.cli.plan.reading import FileArgument, read
from aca.cli.screen import Screen


def show(
    file: FileArgument,
    everything: Annotated[
        bool, typer.Option("--all", envvar="ACA_PLAN_SHOW_ALL", help="Every task, however many there are.")
    ] = False,
    workspace: Workspace = Path(),
    json: Json = False,
) -> int:
    """Show what a plan would do, how long that may take, and whether it is approved."""
    from aca import app
    from aca.report import agreement, estimates, keepers, tree

    screen = Screen()
    prepared = read(file, workspace)
    found = app.estimated(prepared.plan, workspace)
    for told in (*prepared.moved.values(), *estimates.warnings(prepared.plan, found)):
        screen.remark(told)
    if json:
        data = agreement.document(prepared.plan, found, list(prepared.moved))
        screen.document({**data, "permissions": keepers.document(prepared.plan)})
    else:
        limit = None if everything else tree.SHOWN
        screen.results(tree.outline(prepared.plan, screen.marks, found, each=True, limit=limit))
        assumed = estimates.assumptions(prepared.plan, found)
        kept = keepers.told(prepared.plan)
        screen.results([*kept, *assumed, *agreement.told(prepared.plan)])
    return 0
