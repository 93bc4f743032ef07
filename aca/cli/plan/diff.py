"""``aca plan diff``: what differs between two plans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aca.cli.options import Workspace, one_of
from aca.cli.plan.reading import read
from aca.cli.screen import Screen


def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A task file or a plan.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="Another one.")],
    spelling: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            envvar="ACA_PLAN_DIFF_FORMAT",
            callback=one_of("text", "markdown", "json"),
            help="text, markdown (for a pull request) or json.",
        ),
    ] = "text",
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 where there is a difference.")
    ] = False,
    workspace: Workspace = Path(),
) -> int:
    """Compare two plans or task files: settings, tasks, what they need, what is said to agents."""
    from aca.plans.difference import difference
    from aca.report import differences

    found = difference(read(before, workspace).plan, read(after, workspace).plan)
    screen = Screen()
    if spelling == "json":
        screen.document(differences.document(found))
    else:
        screen.results(differences.markdown(found) if spelling == "markdown" else differences.text(found))
    return int(exit_code and bool(found))
