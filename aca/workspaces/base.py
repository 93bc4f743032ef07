"""The seam to where a task is done: a workspace opens a ground for an attempt and keeps what it left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

import msgspec

from aca.core.events import ContainerUse, FileChange
from aca.safety.place import Enclosure

T = TypeVar("T")
QUICK = 0.05
"""Seconds: what takes no longer holds nobody up, on a machine that is busy with other things neither."""


class TreeError(Exception):
    """What an attempt left cannot be kept, through what the task did; the message says why."""


class Beside(msgspec.Struct, frozen=True):
    """What git keeps for a tree outside of it."""

    own: Path
    """For this tree alone: its index, its HEAD."""
    common: Path
    """For all trees of the repository."""


class Ground(msgspec.Struct, frozen=True):
    """Where one attempt works."""

    root: Path
    """What is the workspace to the task; nothing of its tools reaches outside it."""
    top: Path
    """The directory that is a tree of its own, with ``root`` in it."""
    is_fresh: bool = False
    """It was just made: what the plan's ``workspace.setup`` does has not been done in it yet."""
    start: str = ""
    """The commit the attempt started from; empty where there are no commits."""
    conflicts: tuple[str, ...] = ()
    """Files that hold both sides of a conflict between the task's own work and what was merged since."""
    beside: Beside | None = None
    """What belongs to a worktree and is not in it; None for other kinds."""
    enclosure: Enclosure | None = None
    """What holds in whatever is started there."""


class Kept(msgspec.Struct, frozen=True):
    """What an attempt left, as a commit that stays; empty where it changed nothing in place.

    ``base`` is what it differs from by the task's work: in a worktree, the newest of the session's merged
    commits that is in it.
    """

    commit: str
    base: str
    files: tuple[FileChange, ...]
    """What the task has changed, seen from the workspace."""
    lost: tuple[str, ...] = ()
    """What it has written besides, in a tree of its own, that git ignores: it is not kept."""
    unkept: str = ""
    """A submodule of such a tree with work in it that is in no commit: as it is, the task cannot be done."""


class Workspace(Protocol):
    """A kind of place to work in."""

    async def open(self, task_id: str, attempt: int) -> Ground:
        """The ground for this attempt: a new one, or where an interrupted one stopped. It is not enclosed."""
        ...

    async def settle(self, ground: Ground) -> None:
        """Take it that a fresh *ground* is set up: what is there now is nobody's work."""
        ...

    async def keep(
        self, ground: Ground, task_id: str, attempt: int, told: Collection[FileChange] = ()
    ) -> Kept | None:
        """Keep what is there now; None where nothing is kept. Raises TreeError.

        *told* is what the agent says it changed, by paths from the workspace.
        """
        ...

    async def enclose(
        self, ground: Ground, task_id: str, attempt: int, fixed: Collection[Path] = ()
    ) -> Ground:
        """*ground* with what this kind holds programs in, where *fixed* cannot be written to."""
        ...

    async def close(self, ground: Ground) -> ContainerUse | None:
        """Take down what *ground* is enclosed in; tells what that has used."""
        ...


class Open:
    """What kinds of workspace have in common that hold nothing in."""

    async def enclose(
        self, ground: Ground, task_id: str, attempt: int, fixed: Collection[Path] = ()
    ) -> Ground:
        """As it is."""
        return ground

    async def close(self, ground: Ground) -> ContainerUse | None:
        """There is nothing to take down."""
        return None


async def finished(work: Callable[[], T]) -> T:
    """*work* done in a thread, to its end even when the attempt is cancelled meanwhile."""
    future = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.gather(future, return_exceptions=True)
        raise


class Looking:
    """Work that is done again and again, such as looking at all files: in a thread, unless it is quick."""

    def __init__(self) -> None:
        self._took = 0.0

    async def __call__(self, look: Callable[[], T]) -> T:
        """*look*, here where the last one was quick. One that is slow all of a sudden is so only once."""
        if self._took <= QUICK:
            return self._timed(look, time.monotonic)
        # Its own time alone: a thread waits for its turn, and whether it is still needed is to be seen.
        return await finished(lambda: self._timed(look, time.thread_time))

    def _timed(self, look: Callable[[], T], clock: Callable[[], float]) -> T:
        began = clock()
        try:
            return look()
        finally:
            self._took = clock() - began


def kept_ref(session: str, task_id: str, attempt: int) -> str:
    """The name under which an attempt's tree is kept. git does not take every id in a name."""
    is_plain = ".." not in task_id and not task_id.endswith((".", ".lock"))
    return f"refs/aca/{session}/{task_id if is_plain else task_id.replace('.', '%2E')}/{attempt}"


def about(session: str, title: str, task_id: str, attempt: int) -> str:
    """The message of the commit of what an attempt left."""
    return f"{title}\n\nAca-Task: {task_id}\nAca-Session: {session}\nAca-Attempt: {attempt}\n"


def seen_from(prefix: str, changes: Iterable[FileChange]) -> tuple[FileChange, ...]:
    """*changes* as they are told: by paths from the workspace, and as text whatever bytes are in a name."""
    above = "../" * len(PurePosixPath(prefix).parts)
    told = []
    for change in changes:
        is_inside = change.path.startswith(prefix)
        path = change.path.removeprefix(prefix) if is_inside else above + change.path
        told.append(FileChange(path.encode("utf-8", "replace").decode(), change.action))
    return tuple(told)
