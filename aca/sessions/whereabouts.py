"""Where a project is, for somebody who is in a directory further down: a workspace of its own to aca."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from aca.safety.place import PRIVATE


def around(workspace: Path, name: str) -> Path | None:
    """The nearest directory around *workspace* that has *name* in it, within the same git repository."""
    for place in (at := workspace.resolve(), *at.parents):
        if place != at and os.path.lexists(place / name):
            return place
        if os.path.lexists(place / ".git"):
            break
    return None


def sessions_elsewhere(workspace: Path) -> str:
    """What to tell of sessions around *workspace*; empty where there are none."""
    found = around(workspace, f"{PRIVATE}/sessions")
    return f"there are sessions in {found}: --workspace {shlex.quote(str(found))}" if found else ""
