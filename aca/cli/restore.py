"""``aca restore``: write the files of an attempt into the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aca.cli.finding import SessionOption, find_session, find_task
from aca.cli.options import Workspace
from aca.cli.screen import Screen


def restore(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Its id, or its title.")],
    attempt: Annotated[
        int | None, typer.Argument(metavar="ATTEMPT", min=1, help="Its number; default: the latest.")
    ] = None,
    before: Annotated[bool, typer.Option("--before", help="As they were before the task.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where changes are replaced that are not committed.")
    ] = False,
    session: SessionOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Write the files a task changed into the workspace, as one of its attempts left them."""
    from aca import work
    from aca.report.words import counted

    one = find_session(workspace, session)
    made = work.piece(one, find_task(one.state(), task), attempt)
    paths = work.restore(one, made, before=before, force=force)
    when = "before" if before else "as left by"
    Screen().results([*paths, f"{counted(len(paths), 'file')} {when} attempt {made.number}"])
    return 0
