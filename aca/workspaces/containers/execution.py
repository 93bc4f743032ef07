"""One program that runs in a container: started, heard and stopped through the engine.

It is no child of aca: what it prints comes over the engine's socket, in frames, and a signal is sent by
another program in the container. So it works the same with an engine in a virtual machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from signal import Signals
from typing import Any

from aca.workspaces.containers.engine import Engine, EngineError, naming

ANNOUNCED = 'echo $$ >&2; exec "$@"'
"""A program is started by a shell that first says its process id, which is that of its group, too."""
MINGLED = f"{ANNOUNCED} 2>&1"
"""The same for one whose output is all for one file, in the order in which it is printed."""
_STDERR = 2
_POLL = 0.2


class Execution:
    """A program in a container. ``over`` is called once, in the loop's thread, when it has been reaped."""

    def __init__(
        self, engine: Engine, container: str, over: Callable[[], None], sweep: Callable[[], None]
    ) -> None:
        self._engine, self._container, self._over, self._sweep = engine, container, over, sweep
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[float] = self._loop.create_future()
        self._code, self._trouble = -Signals.SIGKILL, ""
        self._pid = ""
        self._announced = threading.Event()

    # -- as a child -----------------------------------------------------------------------------------

    @property
    def exit_code(self) -> int:
        """As a shell would say it: 128 and more is a signal. Raises EngineError when nobody knows."""
        if self._trouble:
            raise EngineError(self._trouble)
        return self._code

    async def signal(self, number: Signals) -> None:
        if not self.exited.done():
            await asyncio.to_thread(self._kill, number)

    def reap_at_once(self) -> bool:
        """Only the engine knows what is left."""
        return False

    async def reap(self) -> None:
        """What it has left running is ended, once nothing else that aca started runs in the container."""
        self._over()
        with contextlib.suppress(EngineError):
            await asyncio.to_thread(self._sweep)

    # -- in threads -----------------------------------------------------------------------------------

    def start(
        self,
        argv: Sequence[str],
        directory: PurePosixPath,
        environment: Mapping[str, str],
        stdin: int | None,
        stdout: int,
        stderr: int,
    ) -> None:
        """Start it. Raises EngineError."""
        with naming(f"starting {argv[0]} in container {self._container}"):
            made = self._engine.api.exec_create(
                self._container,
                ["/bin/sh", "-c", MINGLED if stdout == stderr else ANNOUNCED, "sh", *argv],
                stdin=stdin is not None,
                environment=dict(environment),
                workdir=str(directory),
            )
            self._id = made["Id"]
            opened = self._engine.api.exec_start(self._id, socket=True)
        self._opened, self._wire = opened, getattr(opened, "_sock", opened)
        self._wire.settimeout(None)
        outputs = {_STDERR: os.dup(stderr)}
        outputs[1] = os.dup(stdout)
        threading.Thread(target=self._hear, args=(outputs,), daemon=True).start()
        if stdin is not None:
            threading.Thread(target=self._feed, args=(os.dup(stdin),), daemon=True).start()

    def _feed(self, stdin: int) -> None:
        with contextlib.suppress(OSError):  # it has ended, or reads nothing more
            while chunk := os.read(stdin, 1 << 16):
                self._wire.sendall(chunk)
            self._wire.shutdown(socket.SHUT_WR)
        os.close(stdin)

    def _hear(self, outputs: Mapping[int, int]) -> None:
        try:
            self._copy(outputs)
            self._code = self._asked()
        except EngineError as error:
            self._trouble = str(error)
        finally:
            self._announced.set()
            for descriptor in outputs.values():
                os.close(descriptor)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
                self._loop.call_soon_threadsafe(self._note)
            for one in (getattr(self._opened, "_response", self._opened), self._opened):
                one.close()

    def _note(self) -> None:
        if not self.exited.done():
            self.exited.set_result(time.monotonic())

    def _copy(self, outputs: Mapping[int, int]) -> None:
        """Everything it prints, to where that goes; its process id, which comes first, is kept."""
        said = b""
        while (header := self._read(8)) is not None:
            content = self._read(int.from_bytes(header[4:], "big")) or b""
            if header[0] == _STDERR and not self._announced.is_set():
                said, newline, content = (said + content).partition(b"\n")
                if not newline:
                    continue
                content = self._take_pid(said) + content
            _write(outputs[_STDERR if header[0] == _STDERR else 1], content)
        if not self._announced.is_set():
            _write(outputs[_STDERR], said)

    def _take_pid(self, line: bytes) -> bytes:
        """What is not the process id is said by the engine, which could not start the shell."""
        self._pid = line.decode() if line.isdigit() else ""
        self._announced.set()
        return b"" if self._pid else line + b"\n"

    def _read(self, size: int) -> bytes | None:
        """So many bytes of the stream; None at its end."""
        content = b""
        while len(content) < size:
            try:
                more = self._wire.recv(min(size - len(content), 1 << 16))
            except OSError:
                return None
            if not more:
                return None
            content += more
        return content

    def _asked(self) -> int:
        """Its exit code. A program may close its output and go on."""
        while True:
            with naming(f"container {self._container} is gone"):
                told = self._engine.api.exec_inspect(self._id)
            if not told["Running"] and told["ExitCode"] is not None:
                return int(told["ExitCode"])
            time.sleep(_POLL)

    def _kill(self, number: Signals) -> None:
        self._announced.wait(2.0)
        if self._pid:
            name = number.name.removeprefix("SIG")
            with contextlib.suppress(EngineError):
                run(self._engine, self._container, f"kill -s {name} -- -{self._pid}")


def run(engine: Engine, container: str, script: str) -> str:
    """What a line of shell prints, run in a container by itself. Raises EngineError."""
    with naming(f"in container {container}"):
        made = engine.api.exec_create(container, ["/bin/sh", "-c", script], stderr=False)
        printed: Any = engine.api.exec_start(made["Id"])
    return bytes(printed or b"").decode(errors="replace")


def _write(descriptor: int, content: bytes) -> None:
    """All of it, unless nobody reads it any more."""
    left = memoryview(content)
    with contextlib.suppress(OSError):
        while left:
            left = left[os.write(descriptor, left) :]
