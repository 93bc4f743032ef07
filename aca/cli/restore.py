"""``aca restore``: write the files of an attempt into the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aca.cli.finding import SessionOption, find_session, find_task
from aca.cli.options import Workspace
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.workspaces.kept import Restored


def restore(
    task: Annotated[str | None, typer.Argument(metavar="TASK", help="Its id, or its title.")] = None,
    attempt: Annotated[
        int | None, typer.Argument(metavar="ATTEMPT", min=1, help="Its number; default: the latest.")
    ] = None,
    before: Annotated[bool, typer.Option("--before", help="As they were before the task.")] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back the last restore, or the roll-back to a checkpoint.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where changes are replaced that are not committed.")
    ] = False,
    session: SessionOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Write the files a task changed into the workspace, as one of its attempts left them."""
    from aca.workspaces import kept

    one = find_session(workspace, session)
    if undo:
        if task is not None or before:
            raise typer.BadParameter("--undo is about the last restore, and takes no task")
        return _tell(kept.undo(one), "as before that", session)
    if task is None:
        raise typer.BadParameter("say whose files: aca restore TASK, or --undo")
    made = kept.piece(one, find_task(one.state(), task), attempt)
    when = f"{'before' if before else 'as left by'} attempt {made.number}"
    return _tell(kept.restore(one, made, before=before, force=force), when, session)


def _tell(done: Restored, when: str, session: str | None) -> int:
    from aca.report.words import counted

    screen = Screen()
    if not done.paths:
        screen.result(f"all files are {when} already")
        return 0
    screen.results([*done.paths, f"{counted(len(done.paths), 'file')} {when}"])
    back = "aca restore --undo" + (f" --session {session}" if session else "")
    screen.remark(f"what was there is kept: {back} brings it back")
    return 0
