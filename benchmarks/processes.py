"""Programs in process groups of their own: whoever is interrupted leaves none of them running."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

GRACE = 10.0
"""Seconds to end what it has started itself, for a program that is told to end."""
Command = list[str]
_running: set[subprocess.Popen[bytes]] = set()
_is_over = threading.Event()


@contextmanager
def started(
    command: Command, folder: Path, output: IO[bytes] | int = subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    """*command* in *folder*, which has ended when this has. Its group has the number of its process."""
    child = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        start_new_session=True,
    )  # fmt: skip
    _running.add(child)
    try:
        if _is_over.is_set():
            raise KeyboardInterrupt
        yield child
    finally:
        _end(child)
        _running.discard(child)


def run(command: Command, folder: Path) -> None:
    """*command* to its end. Raises subprocess.CalledProcessError."""
    with started(command, folder) as child:
        if code := child.wait():
            raise subprocess.CalledProcessError(code, command)


def end_all() -> None:
    """Whatever runs in some other thread, and what that would start next."""
    _is_over.set()
    for child in list(_running):
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):  # the other thread was quicker
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
