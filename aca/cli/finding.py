"""What people call a session or a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from aca.cli import shortened
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.core.state import SessionState
    from aca.sessions.session import Session

T = TypeVar("T")
SessionArgument = Annotated[
    str | None, typer.Argument(metavar="SESSION", help="Its id, or how the id begins; default: the newest.")
]
SessionOption = Annotated[
    str | None,
    typer.Option("--session", metavar="SESSION", help="Its id, or how it begins; default: the newest."),
]


def find_session(workspace: Path, name: str | None) -> Session:
    """The session called *name*, by default the newest. Raises SessionError."""
    from aca.sessions import session

    return session.newest(workspace) if name is None else session.find(workspace, name)


def in_each_session(
    workspace: Path, look: Callable[[Session], T], screen: Screen
) -> tuple[dict[Session, T], int]:
    """What *look* finds in each session, oldest first, and the exit code: 7 where one had to be left out."""
    from aca.errors import Exit
    from aca.sessions import session

    found, code = {}, Exit.OK
    for one in session.listing(workspace):
        try:
            found[one] = look(one)
        except session.UNSOUND as error:
            screen.remark(shortened(f"session {one.id} is left out: {str(error).splitlines()[0]}"))
            code = Exit.MACHINE
    return found, code


def find_task(state: SessionState, name: str) -> str:
    """The id of the task with that id, or with that title if it is the only one. Raises SessionError."""
    from aca.errors import SessionError, did_you_mean

    if name in state.tasks:
        return name
    titled = [task_id for task_id, task in state.tasks.items() if task.title.casefold() == name.casefold()]
    if len(titled) == 1:
        return titled[0]
    if titled:
        raise SessionError(f'several tasks are called "{name}": {", ".join(titled)}')
    titles = {task.title: task_id for task_id, task in state.tasks.items()}
    cure = did_you_mean(name, [*state.tasks, *titles]) or "`aca show` lists the tasks"
    raise SessionError(f'session {state.session} has no task "{name}"\n   {cure}')
