"""``aca`` in processes of its own that need not import it: each is forked from one that has.

Nine tenths of what a short run of aca takes are the start of Python, its end, and the import of pydantic,
typer and the vendors' packages. A test that runs many commands need not wait for that each time. What a
forked process is given is what a fresh one gets: arguments, directory, environment, files for what it
prints. What it does not do is to take the interpreter apart at its end.

As a program: the process that forks. It takes requests at the socket whose descriptor is its argument.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO, cast

import aca
from tests.forked import LENGTH, ask

IMPORTED = (
    *(
        "aca.app",
        "aca.cli.root",
        "aca.planner",
        "aca.report.tree",
        "aca.preparation.schemas",
        "anthropic",
        "diskcache",
    ),
    *("docker", "jsonschema", "markdown_it", "networkx", "ollama", "openai", "psutil", "tomlkit"),
)
"""Of the modules only those that some commands import; whether others do not is for ``test_startup``."""
AT_START = ("PYTHON", "LC_", "LANG", "FORCE_COLOR", "TERMINAL_WIDTH", "GITHUB_ACTIONS", "PY_COLORS")
"""How the variables begin that are heeded when Python starts, or while it imports."""


class Forks:
    """The process that forks, started when it is first needed. It ends with this one."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="aca-forks-")
        self.address = f"{self._folder}/socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forking", str(listener.fileno())],
                cwd=Path(aca.__file__).parents[1],
                env=clean_environment(),
                stdin=subprocess.PIPE,  # which ends with this process, however that ends
                pass_fds=[listener.fileno()],
            )

    def close(self) -> None:
        """Let it end; what it forked goes on."""
        self._process.communicate()
        shutil.rmtree(self._folder)

    def run(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        seconds: float,
        death: Mapping[str, Any] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """``aca ARGV`` to its end, or to its *death* (``tests/faults/deaths.py``).

        Raises TimeoutExpired after *seconds*, when it has been killed.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull) as nothing:
            streams = [nothing.fileno(), out.fileno(), err.fileno()]
            with ask(self.address, argv, str(cwd), env, streams, death=death) as answers:
                code = _end(answers, argv, seconds)
            return subprocess.CompletedProcess(list(argv), code, _all_of(out), _all_of(err))


@functools.cache
def forks() -> Forks:
    """The one of this process."""
    one = Forks()
    atexit.register(one.close)
    return one


def clean_environment() -> dict[str, str]:
    """Nobody's keys, settings or home."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(aca.__file__).parents[1]),
        "PYTHONWARNINGS": "error",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


def needs_a_start(env: Mapping[str, str]) -> bool:
    """Whether something of *env* would come too late for a process that is forked."""
    return any(name.startswith(AT_START) for name in env)


def _end(answers: socket.socket, argv: Sequence[str], seconds: float) -> int:
    with answers.makefile() as lines:
        pid = int(lines.readline())
        in_time = bool(select.select([answers], [], [], seconds)[0])
        if not in_time:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = int(lines.readline())
    if not in_time:
        raise subprocess.TimeoutExpired(list(argv), seconds)
    return status


def _all_of(file: IO[bytes]) -> bytes:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


# -- the process that forks -----------------------------------------------------------------------------


def serve(listener: socket.socket) -> None:
    """Fork for each request, until nobody is there to ask any more."""
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        channel, _ = listener.accept()
        with channel:
            if os.fork() == 0:
                listener.close()
                os._exit(answer(channel))
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def answer(channel: socket.socket) -> int:
    """Fork once more: the child is to be aca, the parent tells of it until its end."""
    length, streams, _, _ = socket.recv_fds(channel, LENGTH, 3)
    request = json.loads(channel.recv(int.from_bytes(length), socket.MSG_WAITALL))
    pid = os.fork()
    if pid == 0:
        channel.close()
        return become(request, streams)
    channel.sendall(f"{pid}\n".encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError):  # who asked may be gone
        channel.sendall(f"{status}\n".encode())
    return 0


def become(request: dict[str, Any], streams: Sequence[int]) -> int:
    """Be ``aca ARGV`` to its end; returns what the process is to exit with."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    for target, (name, descriptor) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
        os.dup2(descriptor, target)
        os.close(descriptor)
        setattr(sys, name, _opened(getattr(sys, name), target))
    sys.argv[1:] = request["argv"]
    if request.get("death"):
        importlib.import_module("tests.faults.deaths").await_death(**request["death"])
    return _ended(importlib.import_module("aca.cli").run_main)


def _opened(stream: TextIO, descriptor: int) -> TextIO:
    """What Python makes of *descriptor* when it starts: whether one can seek in it, say, is asked then."""
    buffering = 1 if stream is sys.stderr else -1
    mode, encoding, errors = stream.mode, stream.encoding, stream.errors
    return cast("TextIO", open(descriptor, mode, buffering, encoding, errors, closefd=False))


def _ended(program: Callable[[], None]) -> int:
    """What *program* exits with, after all that a program does before the interpreter is taken apart."""
    try:
        program()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120
    return code


if __name__ == "__main__":
    for module in IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as given:
        serve(given)
