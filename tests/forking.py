"""``aca`` in processes of its own that need not import it: each is forked from one that has.

Nine tenths of what a short run of aca takes are the start of Python, its end, and the import of pydantic,
typer and the vendors' packages. A test that runs many commands need not wait for that each time. What a
forked process is given is what a fresh one gets: arguments, directory, environment, files for what it
prints. What it does not do is to take the interpreter apart at its end.

As a program: the process that forks. It reads requests from the socket whose descriptor is its argument.
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
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import aca

IMPORTED = (
    *("aca.app", "aca.cli.root", "aca.planner", "aca.report.tree", "aca.schemas", "anthropic", "diskcache"),
    *("docker", "jsonschema", "markdown_it", "networkx", "ollama", "openai", "psutil", "tomlkit"),
)
"""Of the modules only those that some commands import; whether others do not is for ``test_startup``."""
AT_START = ("PYTHON", "LC_", "LANG", "FORCE_COLOR", "TERMINAL_WIDTH", "GITHUB_ACTIONS", "PY_COLORS")
"""How the variables begin that are heeded when Python starts, or while it imports."""
_LENGTH = 8
_HANDED = 3  # stdout, stderr, and where to tell the pid and then the status


class Forks:
    """The process that forks, started when it is first needed. It ends with this one."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._channel, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forking", str(its.fileno())],
                cwd=Path(aca.__file__).parents[1],
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )

    def close(self) -> None:
        """Let it end; what it forked goes on."""
        self._channel.close()
        self._process.wait()

    def run(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[bytes]:
        """``aca ARGV`` to its end. Raises TimeoutExpired after *seconds*, when it has been killed."""
        told, tell = os.pipe()
        request = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(env)}).encode()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(told, "rb") as answers:
            try:
                with self._one_at_a_time:
                    handed = [out.fileno(), err.fileno(), tell]
                    socket.send_fds(self._channel, [len(request).to_bytes(_LENGTH)], handed)
                    self._channel.sendall(request)
            finally:
                os.close(tell)
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


def _end(answers: IO[bytes], argv: Sequence[str], seconds: float) -> int:
    pid = int(answers.readline())
    if not select.select([answers], [], [], seconds)[0]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        raise subprocess.TimeoutExpired(list(argv), seconds)
    return int(answers.readline())


def _all_of(file: IO[bytes]) -> bytes:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


# -- the process that forks -----------------------------------------------------------------------------


def serve(channel: socket.socket) -> None:
    """Fork for each request, until there are no more."""
    while True:
        length, handed, _, _ = socket.recv_fds(channel, _LENGTH, _HANDED)
        if not length:
            return
        request = json.loads(channel.recv(int.from_bytes(length), socket.MSG_WAITALL))
        if os.fork() == 0:
            channel.close()
            os._exit(become(request, handed) if _is_aca(handed[2]) else 0)
        for descriptor in handed:
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _is_aca(tell: int) -> bool:
    """Fork once more: the child is to be aca, the parent tells of it until its end."""
    pid = os.fork()
    if pid == 0:
        return True
    os.write(tell, f"{pid}\n".encode())
    status = os.waitpid(pid, 0)[1]
    os.write(tell, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    return False


def become(request: dict[str, Any], handed: Sequence[int]) -> int:
    """Be ``aca ARGV`` to its end; returns what the process is to exit with."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    for target, descriptor in enumerate(handed[:2], start=1):
        os.dup2(descriptor, target)
    for descriptor in handed:
        os.close(descriptor)
    sys.argv[1:] = request["argv"]
    return _ended(importlib.import_module("aca.cli").run_main)


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
