"""``aca merge``: bring what a session's worktrees made into the branch that is checked out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aca.cli.finding import SessionArgument, find_session
from aca.cli.options import Workspace
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.sessions.session import Session


def merge(session: SessionArgument = None, workspace: Workspace = Path()) -> int:
    """Merge what a session has finished into your branch: all of it, or nothing."""
    Screen().result(merged(find_session(workspace, session)))
    return 0


def merged(one: Session) -> str:
    """Merge it, and say what became of it. Raises SessionError."""
    from aca.workspaces import lifecycle

    landed = lifecycle.merge(one)
    if landed.how == "nothing":
        return f"{landed.branch} has all of session {one.id} already"
    return f"{landed.branch} has the work of session {one.id} now ({landed.how}, {landed.commit[:10]})"
