"""``aca send``: a person says something to the agent of a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aca.cli.finding import find_task
from aca.cli.options import Workspace
from aca.cli.person import SessionOption, TaskArgument, refuse_tasks, session_with, who
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.messaging.audience import Audience


def send(
    task: TaskArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say.")],
    session: SessionOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Say something to the agent of a task: while it works if it can be told then, else with its next try."""
    from aca.errors import SessionError
    from aca.messaging import audience, delivery
    from aca.safety import secrets
    from aca.sessions.messages import Remark

    refuse_tasks("say what its person would")
    if not text.strip():
        raise SessionError("there is nothing to say: write the text behind the task")
    one = session_with(workspace, session, task)
    task_id = find_task(one.state(), task)
    hears = audience.of(one, task_id)
    is_read = delivery.tell(one, Remark(task_id, secrets.struck_out(text), who()))
    Screen().result(f"sent to {task_id} in session {one.id}: {_when(hears, is_read)}")
    return 0


def _when(hears: Audience, is_read: bool) -> str:
    """When the agent hears it."""
    from aca.plans.plan import REPLAY

    played = "; a replay keeps to its script all the same" if hears.provider == REPLAY else ""
    if not is_read:
        return f"its agent is told when it works again: aca resume goes on{played}"
    if not hears.at_work:
        return f"its agent is told when it starts{played}"
    if hears.live:
        return f"{hears.provider} is at work and is told now"
    told = "cannot be told while it works: its attempt ends first, and another one follows with it"
    return f"{hears.provider} {told}{played}"
