"""Who is at the keyboard, and which session is meant when a person speaks of a task."""

from __future__ import annotations

import getpass
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aca.cli.finding import find_session, find_task

if TYPE_CHECKING:
    from aca.sessions.session import Session

TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="Its id, or its title.")]
SessionOption = Annotated[
    str | None,
    typer.Option("--session", metavar="SESSION", help="Default: the newest in which the task is still open."),
]


def session_with(workspace: Path, session: str | None, task: str) -> Session:
    """The session that was named, else the newest in which *task* is not settled, else the newest."""
    return find_session(workspace, session) if session else _newest_open(workspace, task)


def _newest_open(workspace: Path, task: str) -> Session:
    from aca.errors import SessionError
    from aca.sessions import session

    for one, state in session.sound(workspace, newest_must_be=True):
        with suppress(SessionError):
            if not state.states[find_task(state, task)].settled:
                return one
    return session.newest(workspace)


def refuse_tasks(deed: str) -> None:
    """A person's word is a person's. This guards against a task that gives it to itself by mistake or
    zeal; it is no wall, for a task may change its own environment."""
    from aca.errors import SessionError

    if attempt := os.environ.get("ACA_ATTEMPT"):
        raise SessionError(
            f"a task cannot {deed}, and this runs within one: "
            f"ACA_ATTEMPT is {attempt}\n   run it in a terminal of your own"
        )


def who() -> str:
    """The name of whoever runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return f"user {os.getuid()}"
