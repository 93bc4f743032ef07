"""``aca gc``: remove sessions nobody needs any more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aca.cli.finding import find_session
from aca.cli.options import Workspace, duration
from aca.cli.screen import Screen


def gc(
    session: Annotated[
        str | None,
        typer.Argument(metavar="[SESSION]", help="Its id, or how it begins; default: all that are old."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="TIME",
            callback=duration,
            help="Spare sessions younger than this; default: 7d, or 0s for one that is named.",
        ),
    ] = None,
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
    from aca.workspaces.collection import REMOVED

    screen = Screen()
    age = parse_duration(older_than or ("7d" if session is None else "0s"))
    only = None if session is None else find_session(workspace, session)
    report = app.collect(workspace, age, force, dry_run, only)
    for one, fate in report:
        screen.result(f"{one.id}  {f'would be {fate}' if dry_run and fate in REMOVED else fate}")
    if not report:
        screen.result("no session yet")
    for name in app.left_containers(workspace, remove=not dry_run):
        screen.result(f"{name}  {'would be removed' if dry_run else 'removed'}")
    return 0
