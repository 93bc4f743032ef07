"""``aca plan merge``: several tasks of a plan become one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aca.cli.options import Workspace
from aca.cli.plan.split import OutputOption, PlanArgument, target
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.plans.faults import Fault
    from aca.plans.plan import Plan


def merge(
    file: PlanArgument,
    tasks: Annotated[list[str], typer.Argument(metavar="TASK...", help="Their ids or titles, two at least.")],
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", show_default=False, help="Default: all their titles.")
    ] = "",
    output: OutputOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Merge tasks into one: it needs and is checked by all that they were, and has the first one's id."""
    from aca.core import reshape
    from aca.preparation import rewriting

    merged: list[str] = []

    def change(plan: Plan) -> tuple[Plan, list[Fault]]:
        indexes = [*dict.fromkeys(rewriting.index(plan, name) for name in tasks)]
        if len(indexes) < 2:
            raise typer.BadParameter("name two tasks at least, each once")
        merged.extend(plan.tasks[index].id for index in indexes)
        return reshape.merged(plan, indexes, title)

    into = target(file, output)
    rewriting.rewrite(file, into, workspace, change, os.environ)
    Screen().result(f"{into}: {', '.join(merged)} are one task now: {merged[0]}")
    return 0
