"""``aca plan``: look at a plan, compare it, approve it. One file per command."""

from __future__ import annotations

import typer

from aca.cli.plan.approve import approve
from aca.cli.plan.diff import diff
from aca.cli.plan.graph import graph
from aca.cli.plan.show import show
from aca.cli.plan.validate import validate

group = typer.Typer(rich_markup_mode=None, help="Look at a plan, compare it with another, approve it.")
group.command("show")(show)
group.command("validate")(validate)
group.command("graph")(graph)
group.command("diff")(diff)
group.command("approve")(approve)
