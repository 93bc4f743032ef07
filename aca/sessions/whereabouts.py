"""Where sessions are: in the workspace, or for somebody who is in a directory further down, around it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from aca.errors import SessionError

HOME = ".aca"
"""Where aca keeps what is its own, in the workspace."""


def none_yet(workspace: Path) -> SessionError:
    """What to tell where there is no session, and one is needed."""
    told = f"there is no session in {workspace / HOME}: run a task file first"
    return SessionError(f"{told}\n   {hint}" if (hint := elsewhere(workspace)) else told)


def elsewhere(workspace: Path) -> str:
    """What to tell of sessions in a directory around *workspace*; empty where there are none."""
    found = around(workspace, f"{HOME}/sessions")
    return f"there are sessions in {found}: --workspace {shlex.quote(str(found))}" if found else ""


def around(workspace: Path, name: str) -> Path | None:
    """The nearest directory around *workspace* that has *name* in it, within the same git repository."""
    for place in (at := workspace.resolve(), *at.parents):
        if place != at and os.path.lexists(place / name):
            return place
        if os.path.lexists(place / ".git"):
            break
    return None
