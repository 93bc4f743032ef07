"""``aca cancel`` and ``aca pause``: a person stops a task, or a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aca.cli.finding import SessionArgument, find_session, find_task
from aca.cli.options import Workspace
from aca.cli.person import SessionOption, TaskArgument, refuse_tasks, session_with, who
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.sessions.session import Session


def cancel(task: TaskArgument, session: SessionOption = None, workspace: Workspace = Path()) -> int:
    """Stop a task, running or not: it fails, and what needs it is skipped."""
    from aca.messaging import audience, delivery
    from aca.sessions.messages import Cancellation

    refuse_tasks("cancel tasks")
    one = session_with(workspace, session, task)
    task_id = find_task(one.state(), task)
    runner = one.runner()  # asked first: it may read this and be done before we look again
    is_read = delivery.tell_in_time(
        one, Cancellation(task_id, who()), lambda: audience.refuse_settled(one.state(), task_id)
    )
    then = f"{runner} goes on without it" if is_read else "aca resume goes on without it"
    Screen().result(f"{task_id} is cancelled in session {one.id}: {then}")
    return 0


def pause(name: SessionArgument = None, workspace: Workspace = Path()) -> int:
    """Ask a running session to end when what runs now has ended; `aca resume` goes on."""
    from aca.errors import SessionError
    from aca.messaging import delivery
    from aca.sessions.messages import Pause

    refuse_tasks("pause its session")
    one = find_session(workspace, name) if name else _running(workspace)
    runner = one.runner()
    if not one.is_running():
        raise SessionError(f"session {one.id} is not running: there is nothing to pause")
    delivery.tell(one, Pause(who()))
    told = f"{runner} starts nothing more and ends when what runs has ended; aca resume goes on"
    Screen().result(f"session {one.id} is paused: {told}")
    return 0


def _running(workspace: Path) -> Session:
    """The newest session that runs."""
    from aca.errors import SessionError
    from aca.sessions import session

    running = [one for one in session.listing(workspace) if one.is_running()]
    if not running:
        raise SessionError("no session is running here: there is nothing to pause")
    return running[-1]
