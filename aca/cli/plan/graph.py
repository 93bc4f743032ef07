"""``aca plan graph``: a plan as a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aca.cli.options import Workspace, one_of
from aca.cli.plan.reading import FileArgument, read
from aca.cli.screen import Screen

LARGE = 80
"""A drawing of more boxes than this is one that nobody reads."""


def graph(
    file: FileArgument,
    spelling: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            envvar="ACA_PLAN_GRAPH_FORMAT",
            callback=one_of("mermaid", "dot", "svg", "text"),
            help="mermaid, dot, svg or text.",
        ),
    ] = "text",
    everything: Annotated[
        bool, typer.Option("--all", envvar="ACA_PLAN_GRAPH_ALL", help="Every task, however many there are.")
    ] = False,
    workspace: Workspace = Path(),
) -> int:
    """Draw a plan: what comes after what. A large one is drawn by its groups or levels."""
    from aca.report import drawing

    prepared = read(file, workspace)
    Screen().result(drawing.render(prepared.plan, spelling, None if everything else LARGE))
    return 0
