"""Where a project is, for somebody who is in a directory further down: a workspace of its own to aca."""

from __future__ import annotations

import os
from pathlib import Path


def around(workspace: Path, name: str) -> Path | None:
    """The nearest directory around *workspace* that has *name* in it, within the same git repository."""
    for place in (at := workspace.resolve(), *at.parents):
        if place != at and os.path.lexists(place / name):
            return place
        if os.path.lexists(place / ".git"):
            break
    return None
