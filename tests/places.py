"""A place to work in, for tests of whatever works in one."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from aca.safety.place import Patience, Place


def place(
    root: Path,
    task: str = "task",
    patience: Patience | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Place:
    """*root* as a workspace, with the *environment* that the first attempt at *task* gives its children.

    Each workspace is a session of its own: tests that run side by side do not end each other's processes.
    """
    session = hashlib.sha256(str(root).encode()).hexdigest()[:12]
    mark = f"{session}/{task}/1"
    marks = {"ACA_SESSION": session, "ACA_TASK": task, "ACA_ATTEMPT": mark}
    return Place(root, root, {**environment, **marks}, mark, patience or Patience(0.3, 0.3))


def processes_of(where: Place) -> list[int]:
    """Every living process that carries the place's mark."""
    return [process.pid for process in psutil.process_iter() if _mark(process) == where.mark]


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("ACA_ATTEMPT")
    except (psutil.Error, OSError):
        return None


def running(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pid_in(file: Path, seconds: float = 10.0) -> int:
    """The process id that a child writes into *file*, as soon as it has."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.005)
    raise AssertionError(f"nothing was written to {file}")
