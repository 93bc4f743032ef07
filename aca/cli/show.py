"""``aca show``: the tasks of a session, or the story of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aca.cli.finding import SessionOption, find_session, find_task
from aca.cli.options import Json, Workspace
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.core.state import SessionState
    from aca.sessions.session import Session


def show(
    task: Annotated[str | None, typer.Argument(metavar="TASK", help="Its id, or its title.")] = None,
    diff: Annotated[bool, typer.Option("--diff", help="What the task changed, as a patch.")] = False,
    session: SessionOption = None,
    workspace: Workspace = Path(),
    json: Json = False,
) -> int:
    """Show every task, or why one waits, why it failed, and each attempt at it."""
    from aca.report import story, tree
    from aca.sessions import journal
    from aca.sessions.derived import snapshot

    screen = Screen()
    one = find_session(workspace, session)
    state = one.state()
    if diff:
        return _show_diff(one, state, task, screen)
    if task is None:
        screen.document(snapshot(state)["tasks"]) if json else screen.results(
            tree.progress(state, screen.marks, None)
        )
        return 0
    task_id = find_task(state, task)
    past = story.attempts(journal.read(one.journal_path), task_id)
    if json:
        screen.document(story.document(one, state, task_id, past))
    else:
        screen.results(story.told(one, state, task_id, past))
    return 0


def _show_diff(one: Session, state: SessionState, task: str | None, screen: Screen) -> int:
    from aca.workspaces import kept

    if task is None:
        raise typer.BadParameter("--diff is about one task: aca show TASK --diff")
    screen.result(kept.diff(kept.piece(one, find_task(state, task))).rstrip("\n"))
    return 0
