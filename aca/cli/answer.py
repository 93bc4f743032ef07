"""``aca approve`` and ``aca reject``: a person answers a task that waits for one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aca.cli.finding import find_task
from aca.cli.options import Workspace
from aca.cli.person import SessionOption, TaskArgument, refuse_tasks, session_with, who
from aca.cli.screen import Screen

CommentOption = Annotated[
    str, typer.Option("--comment", metavar="TEXT", show_default=False, help="Kept with the answer.")
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
    from aca.messaging import audience, delivery
    from aca.sessions.messages import Answer

    refuse_tasks("answer what a person is asked")
    one = session_with(workspace, session, task)
    task_id = find_task(one.state(), task)
    runner = one.runner()  # asked first: it may read the answer and be done before we look again
    answer = Answer(task_id, approved, who(), comment)
    is_read = delivery.tell_in_time(one, answer, lambda: audience.refuse_unasked(one.state(), task_id))
    word = "approved" if approved else "rejected"
    then = f"{runner} goes on with it" if is_read else "aca resume goes on"
    Screen().result(f"{task_id} is {word} in session {one.id}: {then}")
    return 0
