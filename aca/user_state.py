"""The user's own directory for state, where aca keeps what belongs to no single workspace."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from aca.errors import Problem

VARIABLE = "XDG_STATE_HOME"


def directory(environ: Mapping[str, str]) -> Path:
    """``$XDG_STATE_HOME/aca``, by default ``~/.local/state/aca``."""
    base = environ.get(VARIABLE) or Path(environ.get("HOME") or "/tmp") / ".local" / "state"  # noqa: S108
    # Links resolved, because git tells its worktrees apart by their real paths.
    return Path(os.path.realpath(base)) / "aca"


def worktrees(workspace: Path, environ: Mapping[str, str]) -> Path:
    """Where the worktrees of all sessions of *workspace* are.

    Not in the workspace, whose tools would look through it, nor in ``.aca`` for the same reason.
    """
    mark = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:8]
    return directory(environ) / "worktrees" / f"{workspace.name}-{mark}"


def problem(environ: Mapping[str, str]) -> Problem | None:
    """What is wrong with the directory that the environment names, found out without making it."""
    named = environ.get(VARIABLE, "")
    if not named:
        return None
    cure = "unset it, or give the full path of a directory that you may write to"
    if not Path(named).is_absolute():
        return Problem(f'{VARIABLE} is "{named}", which is no full path', cure)
    here = Path(named)
    while not os.path.lexists(here):
        here = here.parent
    if not here.is_dir():
        return Problem(f"{VARIABLE} is {named}, but {here} is no directory", cure)
    if not os.access(here, os.W_OK | os.X_OK):
        return Problem(f"{VARIABLE} is {named}, but {here} must not be written to", cure)
    return None
