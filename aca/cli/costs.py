"""``aca costs``: where tokens and money went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aca.cli.finding import SessionArgument, find_session
from aca.cli.options import Json, Workspace, one_of
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.core.charges import Charge
    from aca.sessions.session import Session

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
    from aca.sessions import session

    if everything and name is not None:
        raise typer.BadParameter("--all means every session: name none", param_hint="--all")
    by = by or ("session" if everything else "task")
    screen = Screen()
    chosen = session.listing(workspace) if everything else [find_session(workspace, name)]
    found = {one.id: told for one in chosen if (told := _charges(one, screen, everything)) is not None}
    made = costs.rows(costs.once(found), by)
    screen.document(costs.documents(made, by)) if json else screen.results(costs.table(made, by))
    return 0


def _charges(one: Session, screen: Screen, lenient: bool) -> list[Charge] | None:
    """Those of one session; with *lenient* None for one that cannot be read, and said so."""
    from aca.report.costs import charges
    from aca.sessions.session import UNSOUND

    try:
        return charges(one)
    except UNSOUND as error:
        if not lenient:
            raise
        screen.remark(f"session {one.id} is left out: {str(error).splitlines()[0]}")
        return None
