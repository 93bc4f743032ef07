"""``aca gc``: remove sessions nobody needs any more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aca.cli.options import Workspace, duration
from aca.cli.screen import Screen


def gc(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="TIME", callback=duration, help="Spare sessions younger than this."
        ),
    ] = "7d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also what could be resumed, failed, is not merged, or is damaged."),
    ] = False,
    workspace: Workspace = Path(),
) -> int:
    """Remove old sessions. One that runs is never removed, one that could be resumed only with --force."""
    from aca import app
    from aca.plans.values import parse_duration

    screen = Screen()
    report = app.collect(workspace, parse_duration(older_than), force, dry_run)
    for one, fate in report:
        screen.result(f"{one.id}  {'would be removed' if dry_run and fate == 'removed' else fate}")
    if not report:
        screen.result("no session yet")
    for name in app.left_containers(workspace, remove=not dry_run):
        screen.result(f"{name}  {'would be removed' if dry_run else 'removed'}")
    return 0
