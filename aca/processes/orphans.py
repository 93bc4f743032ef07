"""Processes that outlive who started them: found, ended and reaped.

A child may start a session of its own and then no signal to its process group reaches it. On Linux aca
becomes the reaper of all that descends from it, so that what an attempt leaves behind turns up among
aca's own children; whose it was is written in its environment. Elsewhere all processes are looked
through for that mark.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator

started_here: set[int] = set()
"""Children that aca started itself and has not reaped: whoever waits for them needs their exit code."""

_adopting = False
_PR_SET_CHILD_SUBREAPER = 36
_PAUSES = (0.0, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512)


def become_subreaper() -> None:
    """Let the ends of children be told, and on Linux orphaned descendants become children of this process."""
    global _adopting
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who starts us may have it ignored, and so all of them
    if sys.platform != "linux":
        return
    import ctypes

    _adopting = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def are_left(mark: str, group: int) -> bool:
    """Whether the attempt *mark*, whose process group was *group*, left any process behind that lives."""
    return any(not _gone(pid) for pid in _leftovers(mark, group))


async def end_leftovers(mark: str, group: int) -> None:
    """Kill what the attempt *mark*, whose process group was *group*, left behind, and reap it.

    Other attempts' processes are not touched. One that also emptied its environment cannot be told
    apart from theirs and is ended by ``end_everything`` at the latest.
    """
    import asyncio  # here, for whoever only looks at a session needs ``boot_id``

    doomed: set[int] = set()
    for pause in _PAUSES:
        doomed = {pid for pid in doomed | _leftovers(mark, group) if not _gone(pid)}
        if not doomed:
            return
        _signal(doomed, signal.SIGKILL)
        await asyncio.sleep(pause)


def end_everything() -> int:
    """Kill every process that descends from this one; returns how many there were."""
    ended: set[int] = set()
    for pause in _PAUSES:
        living = {pid for pid in _tree(os.getpid()) if not _gone(pid)}
        if not living:
            break
        _signal(living, signal.SIGKILL)
        ended |= living
        time.sleep(pause)
    return len(ended)


def end_orphans(sessions: Collection[str]) -> list[int]:
    """End the processes that the dead runners of *sessions* left behind; returns their pids.

    They are asked to terminate and killed two seconds later.
    """
    found = orphans(sessions)
    _signal(found, signal.SIGTERM)
    ended, left = set(found), _wait(found, 2.0)
    while found:  # again: what is told to end may start something on its way out
        _signal(left, signal.SIGKILL)
        _wait(left, 1.0)
        found = left = orphans(sessions) - ended
        ended |= found
    return sorted(ended)


def orphans(sessions: Collection[str]) -> set[int]:
    """The processes that the dead runners of *sessions* left behind; not this one or its ancestors."""
    marks = {f"ACA_SESSION={session}".encode() for session in sessions}
    return _marked(lambda entries: not marks.isdisjoint(entries)) if marks else set()


def _wait(pids: set[int], seconds: float) -> set[int]:
    """Those of *pids* that are still there when all are gone or *seconds* have passed."""
    deadline = time.monotonic() + seconds
    while (pids := {pid for pid in pids if not _gone(pid)}) and time.monotonic() < deadline:
        time.sleep(0.01)
    return pids


def boot_id() -> str:
    """Names the machine's current uptime; a pid means nothing beyond it."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
    import psutil

    return str(int(psutil.boot_time()))


def started(pid: int) -> float | None:
    """When the process began, on a clock that only moves on; None when there is none, or a dead one.

    Together with the pid and ``boot_id`` this names a process for good.
    """
    if sys.platform == "linux":
        fields = _stat(pid)
        return None if not fields or fields[0] in (b"Z", b"X") else float(fields[19])
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


# -- whose is it? ---------------------------------------------------------------------------------------


def _leftovers(mark: str, group: int) -> set[int]:
    entry = f"ACA_ATTEMPT={mark}".encode()
    if not _adopting:
        return _marked(lambda entries: entry in entries) - _still_at_work()
    found: set[int] = set()
    for pid in _adopted():
        if _session(pid) == group or entry in _environment(pid):
            found |= {pid, *_tree(pid)}
    return found


def _still_at_work() -> set[int]:
    return started_here.union(*(_tree(pid) for pid in started_here))


def _adopted() -> list[int]:
    """Living children that aca did not start. The dead ones are reaped on the way.

    Only children in a session of their own: what runs in aca's own session was started by ordinary
    means, and whoever did that waits for it. Linux makes orphans children of the reaper's main thread
    (``find_new_reaper`` in its ``kernel/exit.c``), so those of other threads are not looked for.
    """
    pid = os.getpid()
    others = [child for child in _children_of_thread(pid, pid) if child not in started_here]
    return [child for child in others if _session(child) != os.getsid(0) and not _gone(child)]


def _marked(belongs: Callable[[Collection[bytes]], bool]) -> set[int]:
    """Processes anywhere whose environment *belongs*, and their descendants."""
    spared = {os.getpid(), *_ancestors()}
    roots = {pid for pid in _pids() if pid not in spared and belongs(_environment(pid))}
    return roots.union(*(_tree(pid) for pid in roots)) - spared


def _environment(pid: int) -> Collection[bytes]:
    """``NAME=value`` entries of a process; none where it may not be read."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
        return ()
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return [os.fsencode(f"{name}={value}") for name, value in psutil.Process(pid).environ().items()]
    return ()


# -- the process table ----------------------------------------------------------------------------------


def _pids() -> Iterable[int]:
    """Every process that can be seen."""
    if sys.platform == "linux":
        with os.scandir("/proc") as entries:
            return [int(entry.name) for entry in entries if entry.name.isdigit()]
    import psutil

    return psutil.pids()


def _ancestors() -> Iterator[int]:
    """Who started this process, who started that, and so on."""
    if sys.platform == "linux":
        pid = os.getppid()
        while pid:
            yield pid
            pid = int((_stat(pid)[1:2] or [b"0"])[0])
        return
    import psutil

    yield from (parent.pid for parent in psutil.Process().parents())


def _tree(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _tree(child)


def _children(pid: int) -> Iterable[int]:
    if sys.platform == "linux":
        return [child for thread in _threads(pid) for child in _children_of_thread(pid, thread)]
    import psutil

    with contextlib.suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children()]
    return ()


def _threads(pid: int) -> list[str]:
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/task") as threads:
        return [thread.name for thread in threads]
    return []


def _children_of_thread(pid: int, thread: int | str) -> Iterable[int]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
        return [int(child) for child in file.read().split()]
    return ()


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _stat(pid: int) -> list[bytes]:
    """The fields of ``/proc/<pid>/stat`` from the state on: the name before it may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _gone(pid: int) -> bool:
    """Whether the process is dead; a child of ours is reaped unless someone waits for it."""
    if pid not in started_here:
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(pid, os.WNOHANG)[0] == pid
    return started(pid) is None


def _signal(pids: Iterable[int], signum: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)
