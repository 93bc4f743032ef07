"""SIGKILL at a chosen moment, as if the power went: how a process forked for that is made to die."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any, Literal

from aca.sessions import journal
from aca.sessions.journal import Journal
from aca.workspaces import git

When = Literal["before", "torn", "after"]


class Moments:
    """Moments of one kind: each leaves a byte in the file *counted*; at number *last* the process dies."""

    def __init__(self, counted: str, last: int | None) -> None:
        self._file = os.open(counted, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._last = last
        self._count = 0
        self._turn = threading.Lock()

    def is_last(self) -> bool:
        with self._turn:
            os.write(self._file, b".")
            self._count += 1
            return self._count == self._last


def await_death(
    commits: str, calls: str, commit: int | None = None, git: int | None = None, when: When = "after"
) -> None:
    """Count commits of the journal and calls of git in these files; die at that one of them."""
    _at_commits(Moments(commits, commit), when)
    _at_calls_of_git(Moments(calls, git), when)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at_commits(moments: Moments, when: When) -> None:
    commit = Journal.commit

    def commit_or_die(one: Journal) -> None:
        is_last = bool(one._lines) and moments.is_last()
        if is_last and when == "torn":
            data = b"".join(one._lines)
            journal._write_all(one._file, data[: len(data) * 2 // 3])
        if is_last and when != "after":
            _die()
        commit(one)
        if is_last:
            _die()

    Journal.commit = commit_or_die  # type: ignore[method-assign, assignment]


def _at_calls_of_git(moments: Moments, when: When) -> None:
    call = git.call

    def call_or_die(*arguments: Any) -> Any:
        is_last = moments.is_last()
        if is_last and when == "before":
            _die()
        done = call(*arguments)
        if is_last:
            _die()
        return done

    git.call = call_or_die  # type: ignore[assignment]


def count(counted: Path) -> int:
    """How many moments a process came to."""
    return counted.stat().st_size if counted.exists() else 0
