"""``aca plan --goal``: one sentence becomes a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aca.cli import planning
from aca.cli.options import Hints, Json, Output, Settings, Workspace, refuse_in_front, takes
from aca.cli.run import dump, show, spelled
from aca.cli.screen import Screen


@takes(Settings, Hints)
def goal(
    ctx: typer.Context,
    settings: Settings,
    hints: Hints,
    goal: Annotated[
        str | None,
        typer.Option("--goal", metavar="TEXT", help="What is to be done: a model makes a plan of it."),
    ] = None,
    dump_plan: Annotated[
        Path | None,
        typer.Option("--dump-plan", metavar="PATH", help="Write the plan, to .json or .toml."),
    ] = None,
    workspace: Workspace = Path(),
    json: Json = False,
) -> int:
    """Look at a plan, compare it with another, approve it; or have one made: aca plan --goal TEXT."""
    if ctx.invoked_subcommand is not None:
        refuse_in_front(ctx)
        return 0
    if not (goal or "").strip():
        ctx.fail("name a command, or say with --goal what is to be done")
    from aca import app

    screen = Screen(Output(json=json))
    spelling = spelled(dump_plan, Path("--goal"))
    request = app.Request(file=Path("--goal"), workspace=workspace, flags=settings.flags(ctx))
    planned = planning.have_planned(hints.wish(ctx, str(goal).strip()), request, screen)
    prepared = app.settled(planned.prepared, workspace)
    if prepared.note:
        screen.remark(prepared.note)
    if dump_plan is not None and spelling is not None:
        dump(prepared, dump_plan, spelling, workspace)
        screen.remark(f"run it with: aca --execution-plan {dump_plan}")
    return show(prepared, workspace, screen)
