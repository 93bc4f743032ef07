"""Child processes that end when they should, with all that they started.

Each child leads a session and process group of its own. To stop it is to interrupt, wait, terminate,
wait, and kill; whatever way it ends, nothing it started is left running (``orphans``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from aca.errors import MachineError
from aca.plans.values import Command
from aca.processes.orphans import become_subreaper, boot_id, end_everything, end_orphans, orphans, started
from aca.processes.spawn import NotStartedError, note, start_here, without_interpreter
from aca.safety.place import Patience, Place, Started

__all__ = [
    "Child",
    "Ended",
    "NotStartedError",
    "Source",
    "become_subreaper",
    "boot_id",
    "end_everything",
    "end_orphans",
    "in_loop",
    "orphans",
    "run",
    "started",
    "stream",
]

T = TypeVar("T")
LINGER = 10.0
"""How long a child may go on after its output is no longer wanted."""
_DRAIN = 0.5
"""How long output is awaited from what still holds the pipe of a child that has ended."""
_CHUNK = 1 << 16
_LOOP_FILES = 3
"""What an event loop opens for itself: one to wait with, and two to be woken by."""
_NOT_FOUND = 127
"""What a shell ends with that did not find a command."""
Source = Path | int
"""What a child reads: a file, or the reading end of a pipe, which is the child's from then on."""


class Ended(msgspec.Struct, frozen=True):
    """How a child ended. A negative exit code is the signal that killed it."""

    exit_code: int
    seconds: float
    timed_out: bool = False
    silent: bool = False
    """It was stopped because it printed nothing for too long."""

    @property
    def how(self) -> str:
        """The same for people: ``exit code 1``, ``killed by signal 9``."""
        return f"killed by signal {-self.exit_code}" if self.exit_code < 0 else f"exit code {self.exit_code}"


def in_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What comes of *work* in an event loop of its own. Raises MachineError where there are no files for one.

    That is looked at first: asyncio leaves half a loop behind, which complains when it is collected.
    """
    with contextlib.ExitStack() as held:
        try:
            for _ in range(_LOOP_FILES):
                held.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            raise MachineError(f"{error.strerror}\n   allow more of them: ulimit -n") from error
    return asyncio.run(work())


async def run(
    command: Command, place: Place, *, output: Path, stdin: Path | None = None, timeout: float | None = None
) -> Ended:
    """Run *command* to its end, or to its stop after *timeout* seconds or when cancelled.

    All that it prints is appended to the file *output*, never to a pipe that could fill. What cannot be
    started ends as it would in a shell (127 not found, 126 not executable), the reason in *output*.
    """
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    with _append(output) as out:
        try:
            child = await _begin(argv, place, stdin, out.fileno(), out.fileno())
        except NotStartedError as error:
            out.write(f"{error}\n".encode())
            return Ended(error.exit_status, 0.0)
    try:
        await asyncio.wait({child.exited}, timeout=timeout)
        timed_out = not child.exited.done()
    finally:
        await child.end()
    if child.exit_code == _NOT_FOUND:
        _explain(command.split() if isinstance(command, str) else command[:1], place, output)
    return Ended(child.exit_code, child.seconds, timed_out)


def _explain(words: Sequence[str], place: Place, output: Path) -> None:
    """Say what shells and ``env`` do not: a script of *words* is there, and what is to run it is not."""
    scripts = () if place.brings_programs else (word for word in words if "/" in word)
    with _append(output) as out:
        for told in filter(None, (without_interpreter(word, place) for word in scripts)):
            out.write(f"{told}\n".encode())


@asynccontextmanager
async def stream(
    argv: Sequence[str],
    place: Place,
    *,
    stdin: Source | None = None,
    stderr: Path,
    copy: Path,
    timeout: float | None = None,
    idle: float | None = None,
    linger: float = LINGER,
) -> AsyncIterator[Child]:
    """Run *argv* and read what it prints; all of that goes to the file *copy* too.

    It is stopped after *timeout* seconds, or *idle* seconds without a byte. When the block is left in good
    order it has *linger* seconds to exit by itself, otherwise none. Raises NotStartedError.
    """
    with contextlib.ExitStack() as files:
        errors = files.enter_context(_append(stderr))
        copied = files.enter_context(_append(copy))
        pipe, write_end = os.pipe()
        files.callback(os.close, pipe)
        try:
            process = await _begin(argv, place, stdin, write_end, errors.fileno())
        finally:
            os.close(write_end)
        child = Child(process, pipe, copied, timeout, idle)
        try:
            yield child
            await child.leave(linger)
        finally:
            await _undisturbed(child.end())
        if child.ended.exit_code == _NOT_FOUND:
            _explain(argv[:1], place, stderr)


class Child:
    """A running child whose output is read line by line."""

    idle: float | None
    """Seconds without a byte after which it is stopped; may be changed while it runs."""

    def __init__(
        self, process: _Process, pipe: int, copy: IO[bytes], timeout: float | None, idle: float | None
    ) -> None:
        self._process, self._pipe, self._copy, self.idle = process, pipe, copy, idle
        os.set_blocking(pipe, False)
        self._heard = time.monotonic()
        self._deadline = None if timeout is None else self._heard + timeout
        self._stopping: asyncio.Task[None] | None = None
        self._timed_out = self._silent = False

    @property
    def ended(self) -> Ended:
        """How it ended; known when the ``async with`` block of ``stream`` has been left."""
        return Ended(self._process.exit_code, self._process.seconds, self._timed_out, self._silent)

    async def lines(self) -> AsyncIterator[bytes]:
        """Its output as lines of any length, without their ends, until it exits."""
        pieces: list[bytes] = []
        while chunk := await self._chunk():
            first, *more = chunk.split(b"\n")
            pieces.append(first)
            for piece in more:
                yield b"".join(pieces)
                pieces = [piece]
        if last := b"".join(pieces):
            yield last

    async def leave(self, linger: float) -> None:
        """Let it exit by itself within *linger* seconds, its output read so that it is not held up."""
        self.idle = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(linger):
                await self._read_on()
                await asyncio.wait({self._process.exited})

    async def end(self) -> None:
        """Stop it if it still runs, keep the rest of its output, and end what it started."""
        self.idle = self._deadline = None
        rest = asyncio.create_task(self._read_on())
        if self._stopping:
            await self._stopping
        await self._process.end()
        await rest

    async def _read_on(self) -> None:
        while await self._chunk():
            pass

    async def _chunk(self) -> bytes:
        """The next bytes it printed; none when it has ended or closed its output."""
        while True:
            try:
                chunk = os.read(self._pipe, _CHUNK)
            except BlockingIOError:
                if self._drained():
                    return b""
                await self._news()
            else:
                self._heard = time.monotonic()
                self._copy.write(chunk)
                return chunk

    def _drained(self) -> bool:
        exited = self._process.exited
        return exited.done() and time.monotonic() >= exited.result() + _DRAIN

    async def _news(self) -> None:
        """Wait until there is something to read, it exits, or a time limit passes."""
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[float] = loop.create_future()
        loop.add_reader(self._pipe, note, readable)
        waits = {readable} if self._process.exited.done() else {readable, self._process.exited}
        try:
            await asyncio.wait(waits, timeout=self._time_left(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(self._pipe)
        self._keep_limits()

    def _time_left(self) -> float | None:
        """Seconds until the next time limit."""
        if self._process.exited.done():
            limits = [self._process.exited.result() + _DRAIN]
        elif self._stopping:
            return None
        else:
            idle = None if self.idle is None else self._heard + self.idle
            limits = [limit for limit in (self._deadline, idle) if limit is not None]
        return max(0.0, min(limits) - time.monotonic()) if limits else None

    def _keep_limits(self) -> None:
        if self._stopping or self._process.exited.done():
            return
        now = time.monotonic()
        self._timed_out = self._deadline is not None and now >= self._deadline
        self._silent = self.idle is not None and now >= self._heard + self.idle
        if self._timed_out or self._silent:
            # In the background: what it says on being stopped is still read.
            self._stopping = asyncio.create_task(self._process.stop())


class _Process:
    """A child from its start until it is reaped."""

    def __init__(self, started: Started, patience: Patience) -> None:
        self._started, self._patience, self._began = started, patience, time.monotonic()
        self.exited = started.exited

    @property
    def seconds(self) -> float:
        return (self.exited.result() if self.exited.done() else time.monotonic()) - self._began

    @property
    def exit_code(self) -> int:
        return self._started.exit_code

    async def stop(self) -> None:
        """Interrupt, terminate, kill; each time wait for it as long as patience lasts."""
        patience = self._patience
        for signum, seconds in ((signal.SIGINT, patience.interrupt), (signal.SIGTERM, patience.terminate)):
            await self._started.signal(signum)
            await patience.wait(self.exited, seconds)
            if self.exited.done():
                return
        await self._started.signal(signal.SIGKILL)
        # Not for ever: a child of another user, or one stuck in the kernel, may not die.
        await asyncio.wait({self.exited}, timeout=5.0)

    async def end(self) -> None:
        """Stop it if it still runs, reap it and end whatever it has left behind; nothing cuts that short."""
        if not (self.exited.done() and self._started.reap_at_once()):
            await _undisturbed(self._end())

    async def _end(self) -> None:
        if not self.exited.done():
            await self.stop()
        await self._started.reap()


async def _begin(
    argv: Sequence[str], place: Place, stdin: Source | None, stdout: int, stderr: int
) -> _Process:
    """Start *argv* where its place says. Raises NotStartedError or MachineError."""
    start = start_here if place.enclosure is None else place.enclosure.start
    if stdin is None:
        return _Process(await start(argv, place, None, stdout, stderr), place.patience)
    with open(stdin, "rb") as source:
        return _Process(await start(argv, place, source.fileno(), stdout, stderr), place.patience)


def _append(path: Path) -> IO[bytes]:
    return open(path, "ab", buffering=0)


async def _undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Finish *work* before anything else, a cancellation included."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError
