"""``aca approve`` and ``aca reject``: a person answers a task that waits for one."""

from __future__ import annotations

import getpass
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aca.cli.finding import find_session, find_task
from aca.cli.options import Workspace
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.session import Session

TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="Its id, or its title.")]
CommentOption = Annotated[
    str, typer.Option("--comment", metavar="TEXT", show_default=False, help="Kept with the answer.")
]
SessionOption = Annotated[
    str | None,
    typer.Option("--session", metavar="SESSION", help="Default: the newest in which the task is still open."),
]


def approve(
    task: TaskArgument,
    comment: CommentOption = "",
    session: SessionOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Approve a task that waits for approval."""
    return _answer(workspace, session, task, True, comment)


def reject(
    task: TaskArgument,
    comment: CommentOption = "",
    session: SessionOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Reject it: the task fails, and what needs it is skipped."""
    return _answer(workspace, session, task, False, comment)


def _answer(workspace: Path, session: str | None, task: str, approved: bool, comment: str) -> int:
    from aca import app
    from aca.messages import Answer

    refuse_tasks()
    one = find_session(workspace, session) if session else _newest_open(workspace, task)
    task_id = find_task(one.state(), task)
    app.waiting(one, task_id)
    runner = one.runner()  # asked first: it may read the answer and be done before we look again
    is_read = app.tell(one, Answer(task_id, approved, who(), comment))
    word = "approved" if approved else "rejected"
    then = f"{runner} goes on with it" if is_read else "aca resume goes on"
    Screen().result(f"{task_id} is {word} in session {one.id}: {then}")
    return 0


def _newest_open(workspace: Path, task: str) -> Session:
    """The newest session in which *task* is not settled; the newest of all where there is none."""
    from aca import session
    from aca.errors import SessionError

    for one, state in session.sound(workspace, newest_must_be=True):
        with suppress(SessionError):
            if not state.states[find_task(state, task)].settled:
                return one
    return session.newest(workspace)


def refuse_tasks() -> None:
    """An approval is a person's word. This guards against a task that gives it to itself by mistake or
    zeal; it is no wall, for a task may change its own environment."""
    from aca.errors import SessionError

    if attempt := os.environ.get("ACA_ATTEMPT"):
        raise SessionError(
            "a task cannot answer what a person is asked, and this runs within one: "
            f"ACA_ATTEMPT is {attempt}\n   run it in a terminal of your own"
        )


def who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return f"user {os.getuid()}"
