"""How a child of our own is started, and how its end is noticed.

It leads a session of its own, and stays unreaped until it is asked for, so that its pid stays its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from aca.errors import MachineError
from aca.processes import orphans
from aca.safety.place import Place, Started

_LONGEST_LINE = 256
"""How much of a script's first line Linux looks at (BINPRM_BUF_SIZE)."""


class NotStartedError(MachineError):
    """A program could not be started; ``exit_status`` is what a shell would have returned."""

    def __init__(self, reason: str, exit_status: int) -> None:
        self.exit_status = exit_status
        super().__init__(reason)


async def start_here(
    argv: Sequence[str], place: Place, stdin: int | None, stdout: int, stderr: int
) -> Started:
    """Start *argv* on this machine, whatever encloses its place: what an enclosure's ``start`` may do."""
    return _Local(argv, place, stdin, stdout, stderr)


class _Local:
    """A child of our own, which leads a session."""

    def __init__(
        self, argv: Sequence[str], place: Place, stdin: int | None, stdout: int, stderr: int
    ) -> None:
        self._mark = place.mark
        self._popen = _spawn(argv, place, stdin, stdout, stderr)
        orphans.started_here.add(self._popen.pid)
        self.exited = _exit_of(self._popen)
        """It stays unreaped, so its pid stays its own."""

    @property
    def exit_code(self) -> int:
        return -signal.SIGKILL if self._popen.returncode is None else self._popen.returncode

    def _kill(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    async def signal(self, number: signal.Signals) -> None:
        self._kill(number)

    async def reap(self) -> None:
        if not self.reap_at_once():
            await orphans.end_leftovers(self._mark, self._popen.pid)

    def reap_at_once(self) -> bool:
        if self._popen.pid in orphans.started_here:
            self._kill(signal.SIGKILL)  # the rest of its group
            self._popen.poll()
            orphans.started_here.discard(self._popen.pid)
        return not orphans.are_left(self._mark, self._popen.pid)


def _spawn(
    argv: Sequence[str], place: Place, stdin: int | None, stdout: int, stderr: int
) -> subprocess.Popen[bytes] | _Spawned:
    are_kept = _are_ours_kept()
    try:
        streams = (_nothing() if stdin is None else stdin, stdout, stderr)
        if are_kept and _Spawned.can_be(argv[0], place.path):
            return _Spawned(argv, place.env, streams)
        return subprocess.Popen(
            argv,
            cwd=place.path,
            env=place.env,
            stdin=streams[0],
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            close_fds=not are_kept,
        )
    except (OSError, ValueError) as error:
        raise _not_started(argv[0], place, error) from None


class _Spawned:
    """What is needed of ``subprocess.Popen``, quicker."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], streams: Sequence[int]) -> None:
        """The program is a path, and works in our own directory: ``posix_spawn`` knows no other."""
        self.returncode: int | None = None
        self._waiting = threading.Lock()
        self.pid = os.posix_spawn(
            argv[0],
            list(argv),
            env,
            file_actions=[(os.POSIX_SPAWN_DUP2, given, number) for number, given in enumerate(streams)],
            setsid=True,
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # which Python ignores, and children should not
        )

    @staticmethod
    def can_be(program: str, directory: Path) -> bool:
        """Whether *program* may be started so in *directory*."""
        try:
            return sys.platform == "linux" and "/" in program and Path.cwd() == directory
        except OSError:  # our directory was removed
            return False

    def poll(self) -> int | None:
        """Its exit code, if it has ended; negative for the signal that killed it."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int | None:
        """The same, once it has ended."""
        return self._reap(0)

    def _reap(self, how: int) -> int | None:
        with self._waiting:  # a thread may, too
            if self.returncode is None:
                try:
                    pid, status = os.waitpid(self.pid, how)
                except ChildProcessError:  # somebody else did: nobody knows how it ended
                    self.returncode = -signal.SIGKILL
                else:
                    self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def _not_started(program: str, place: Place, error: OSError | ValueError) -> MachineError:
    if isinstance(error, ValueError):
        return NotStartedError(f"cannot start {program}: {error}", 126)
    if error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        return MachineError(f"cannot start {program}: {error.strerror}; the machine has no room for it now")
    if not place.path.is_dir():
        return NotStartedError(f"cannot start {program}: the directory {place.path} does not exist", 126)
    if error.errno == errno.ENOENT:
        return NotStartedError(without_interpreter(program, place) or f"{program}: command not found", 127)
    return NotStartedError(f"cannot start {program}: {error.strerror}", 126)


def _exit_of(popen: subprocess.Popen[bytes] | _Spawned) -> asyncio.Future[float]:
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[float] = loop.create_future()

    def readable(descriptor: int) -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        note(exited)

    def wait() -> None:
        popen.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(note, exited)

    try:
        descriptor = os.pidfd_open(popen.pid)
    except (AttributeError, OSError):  # not Linux, or a kernel that is old or forbids it
        threading.Thread(target=wait, daemon=True).start()
    else:
        loop.add_reader(descriptor, readable, descriptor)
    return exited


@cache
def _nothing() -> int:
    """What a child reads that is to read nothing."""
    return os.open(os.devnull, os.O_RDONLY)


@cache
def _are_ours_kept() -> bool:
    """See to it, once, that no child gets the files which this process was started with.

    Those that Python opens no child gets anyway (PEP 446). So the child need not look for files to close,
    for which this process would have to wait.
    """
    try:
        inherited = [int(path.name) for path in Path("/dev/fd").iterdir()]
    except OSError:
        return False
    for descriptor in inherited:
        with contextlib.suppress(OSError):  # that of the directory itself is closed by now
            os.set_inheritable(descriptor, descriptor in (0, 1, 2))
    return True


def note(happened: asyncio.Future[float]) -> None:
    """It has happened, now."""
    if not happened.done():
        happened.set_result(time.monotonic())


def without_interpreter(program: str, place: Place) -> str:
    """What to say of a script that names an interpreter which is not there; empty where that is not so.

    Systems and shells say that the script itself is not found.
    """
    first = _first_line(program, place)
    named = first.removeprefix(b"#!").strip(b" \t\n").partition(b" ")[0]
    if not first.startswith(b"#!") or (place.path / os.fsdecode(named)).exists():
        return ""
    name, carriage, _ = os.fsdecode(named).partition("\r")
    why = "which ends in a carriage return: save it with Unix line ends" if carriage else "which is not here"
    return f"{program}: its first line names the interpreter {name}, {why}"


def _first_line(program: str, place: Place) -> bytes:
    import shutil  # here, for little is not found

    found = program if "/" in program else shutil.which(program, path=place.env.get("PATH"))
    try:
        path = place.path / (found or program)
        if not path.is_file():  # to open what is none may never end
            return b""
        with path.open("rb") as script:
            return script.readline(_LONGEST_LINE)
    except (OSError, ValueError):
        return b""
