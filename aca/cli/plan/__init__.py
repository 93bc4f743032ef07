"""``aca plan``: look at a plan, compare it, approve it. One file per command."""

from __future__ import annotations

import typer

from aca.cli.plan.approve import approve

group = typer.Typer(rich_markup_mode=None, help="Look at a plan, compare it with another, approve it.")
group.command("approve")(approve)
