"""``aca costs``: where tokens and money went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aca.cli.finding import SessionArgument, find_session, in_each_session
from aca.cli.options import Json, Workspace, one_of
from aca.cli.screen import Screen

By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="WHAT",
        callback=one_of("task", "role", "model", "day", "session"),
        help="task (the default), role, model, day or session (the default with --all).",
    ),
]


def costs(
    name: SessionArgument = None,
    by: By = None,
    everything: Annotated[
        bool, typer.Option("--all", envvar="ACA_COSTS_ALL", help="All sessions of the workspace together.")
    ] = False,
    workspace: Workspace = Path(),
    json: Json = False,
) -> int:
    """Show what a session has used of models, and what that cost: by task, role, model or day."""
    from aca.report import costs

    if everything and name is not None:
        raise typer.BadParameter("--all means every session: name none", param_hint="--all")
    by = by or ("session" if everything else "task")
    screen = Screen()
    if everything:
        found, code = in_each_session(workspace, costs.charges, screen)
    else:
        one = find_session(workspace, name)
        found, code = {one: costs.charges(one)}, 0
    made = costs.rows(costs.once({one.id: charges for one, charges in found.items()}), by)
    screen.document(costs.documents(made, by)) if json else screen.results(costs.table(made, by))
    return code
