"""``aca checkpoint``: give the place a session has reached a name, and list such places."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aca.cli.commands import Group
from aca.cli.finding import SessionOption, find_session, in_each_session
from aca.cli.options import Json, Workspace
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.core.progress import Checkpoint
    from aca.sessions.session import Session

SECONDS = 5.0
"""How long a running aca may take to make the checkpoint before it is no longer waited for."""


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    session: SessionOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Name the place a session has reached, whether it runs or not."""
    from aca.messaging import delivery
    from aca.sessions.messages import CheckpointRequest

    one = find_session(workspace, session)
    _refuse_name(one, name)
    is_running = delivery.tell(one, CheckpointRequest(name))
    made = _made(one, name, SECONDS if is_running else 0.0)
    told = f"checkpoint {one.id}:{made.seq}" if made else "the checkpoint will be made by the running aca"
    Screen().result(f"{told}; aca resume {name} comes back to it")
    return 0


def list_(workspace: Workspace = Path(), json: Json = False) -> int:
    """List every checkpoint with its time and progress."""
    return show_list(workspace, json)


def show_list(workspace: Path, json: bool) -> int:
    """The checkpoints of all sessions, oldest first."""
    screen = Screen()
    found, code = in_each_session(workspace, _rows, screen)
    rows = [row for rows in found.values() for row in rows]
    if json:
        screen.document(rows)
    elif rows:
        screen.results(map(_line, rows))
    else:
        screen.result("no checkpoint yet")
    return code


def _rows(one: Session) -> list[dict[str, Any]]:
    state = one.state()
    return [
        {"id": f"{one.id}:{point.seq}", "name": point.name, "at": point.at,
         "completed": point.completed, "total": len(state.tasks) - len(state.children),
         "commit": point.commit or None}
        for point in state.checkpoints
    ]  # fmt: skip


def _line(row: dict[str, Any]) -> str:
    from aca.report.words import moment, one_line

    progress = f"{row['completed']}/{row['total']}"
    return f"{row['id']:<28}  {moment(row['at'])}  {progress:>9}  {one_line(row['name'])}"


def _refuse_name(one: Session, name: str) -> None:
    from aca.errors import SessionError

    if not name.strip() or ":" in name or name.isdigit() or not name.isprintable():
        raise SessionError(f'"{name}" cannot name a checkpoint: use a word, not a number, without ":"')
    if taken := [point for point in one.state().checkpoints if point.name == name]:
        raise SessionError(f'"{name}" is checkpoint {one.id}:{taken[-1].seq} already: choose another name')


def _made(one: Session, name: str, patience: float) -> Checkpoint | None:
    deadline = time.monotonic() + patience
    while True:
        for point in reversed(one.state().checkpoints):
            if point.name == name:
                return point
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.05)


group = typer.Typer(
    cls=Group, rich_markup_mode=None, help="Name the place a session has reached; list such places."
)
group.command("create")(create)
group.command("list")(list_)
