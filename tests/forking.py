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
import pkgutil
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO, cast

import aca
from tests.forked import LENGTH, ask, number

PACKAGES = (
    *("anthropic", "ctypes", "diskcache", "docker", "genai_prices", "jsonschema", "markdown_it", "networkx"),
    *("ollama", "openai.resources.chat", "openai.resources.responses", "tomlkit"),
)
"""Of those that only some commands import; whether the others do not is for ``test_startup``."""
AT_START = ("PYTHON", "LD_", "LC_", "LANG", "FORCE_COLOR", "TERMINAL_WIDTH", "GITHUB_ACTIONS", "PY_COLORS")
"""How the variables begin that are heeded when Python starts, or while it imports."""
LATER = "PYTHON_KEYRING_BACKEND"
"""That one is not: it is for a package which nothing imports at its start."""


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

    def start(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[int], **more: Any
    ) -> Forked:
        """``aca ARGV``, with these three streams. *more* is what ``become`` takes beside."""
        return Forked(argv, ask(self.address, argv, str(cwd), env, streams, **more))

    def run(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float, **more: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """``aca ARGV`` to its end, and what it printed.

        Raises TimeoutExpired after *seconds*, when it has been killed.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull) as nothing:
            streams = [nothing.fileno(), out.fileno(), err.fileno()]
            with contextlib.closing(self.start(argv, cwd, env, streams, **more)) as one:
                code = one.wait(seconds)
            return subprocess.CompletedProcess(list(argv), code, _all_of(out), _all_of(err))


class Forked:
    """One that was forked: what is needed of ``subprocess.Popen``."""

    def __init__(self, argv: Sequence[str], answers: socket.socket) -> None:
        self._argv, self._answers = argv, answers
        self.pid = number(answers)
        self.returncode: int | None = None

    def poll(self, seconds: float | None = 0) -> int | None:
        """What it ended with, if it has or does within *seconds*."""
        if self.returncode is None and select.select([self._answers], [], [], seconds)[0]:
            self.returncode = number(self._answers)
        return self.returncode

    def wait(self, seconds: float) -> int:
        """What it ends with. It is killed, and TimeoutExpired raised, where it has not after *seconds*."""
        code = self.poll(seconds)
        if code is None:
            self.send_signal(signal.SIGKILL)
            self.poll(None)
            raise subprocess.TimeoutExpired(list(self._argv), seconds)
        return code

    def send_signal(self, which: int) -> None:
        """As long as it lives."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, which)

    def close(self) -> None:
        """Hear no more of it."""
        self._answers.close()


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
    return any(name.startswith(AT_START) and name != LATER for name in env)


def _all_of(file: IO[bytes]) -> bytes:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


# -- the process that forks -----------------------------------------------------------------------------


def serve(listener: socket.socket) -> None:
    """Fork for each request, and tell of each end, until nobody is there to ask any more."""
    running: dict[int, socket.socket] = {}
    with ends_of_children() as (ended, signals):
        while sys.stdin not in (ready := select.select([listener, ended, sys.stdin], [], [])[0]):
            if ended in ready:
                ended.recv(LENGTH)
                tell_of_ends(running)
            if listener in ready:
                channel, _ = listener.accept()
                pid = answer(channel, [listener, ended, signals, *running.values()])
                running[pid] = channel
                tell(channel, pid)


@contextlib.contextmanager
def ends_of_children() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket from which something can be read when a child has ended, and its other end."""
    ended, signals = socket.socketpair()
    signals.setblocking(False)
    with ended, signals:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(signals.fileno())
        yield ended, signals


def answer(channel: socket.socket, others: Sequence[socket.socket]) -> int:
    """Fork the one that is asked for, which closes *others*; returns its pid."""
    length, streams, _, _ = socket.recv_fds(channel, LENGTH, 3)
    request = json.loads(channel.recv(int.from_bytes(length), socket.MSG_WAITALL))
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for one in (channel, *others):
            one.close()
        os._exit(become(streams, **request))
    for descriptor in streams:
        os.close(descriptor)
    return pid


def tell_of_ends(running: dict[int, socket.socket]) -> None:
    """Tell whoever asked for them of those of *running* that have ended."""
    while running and (end := os.waitpid(-1, os.WNOHANG))[0]:
        with running.pop(end[0]) as channel:
            tell(channel, os.waitstatus_to_exitcode(end[1]))


def tell(channel: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # who asked may be gone
        channel.sendall(number.to_bytes(LENGTH, signed=True))


def become(
    streams: Sequence[int],
    argv: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    own_session: bool = False,
    death: Mapping[str, Any] | None = None,
) -> int:
    """Be ``aca ARGV`` to its end, or to its *death* (``tests/faults/deaths.py``).

    Returns what the process is to exit with.
    """
    if own_session:
        os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    for target, (name, descriptor) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
        os.dup2(descriptor, target)
        os.close(descriptor)
        setattr(sys, name, _opened(getattr(sys, name), target))
    sys.argv[1:] = argv
    if death:
        importlib.import_module("tests.faults.deaths").await_death(**death)
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


def prepare() -> None:
    """Import all there is of aca, and make what each start of it would make alike: models and commands."""
    modules = [one.name for one in pkgutil.walk_packages(aca.__path__, "aca.")]
    for name in (*PACKAGES, *(one for one in modules if one != "aca.__main__")):
        importlib.import_module(name)
    for model in _below(importlib.import_module("aca.plans.values").Model):
        model.model_rebuild()
    events = importlib.import_module("openai.types.responses").ResponseStreamEvent
    importlib.import_module("openai._models").construct_type(type_=events, value={})  # a second's work
    program = importlib.import_module("aca.cli.root").program("")
    for name in program.list_commands(None):
        program.get_command(None, name)
    gc.collect()
    gc.freeze()


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


if __name__ == "__main__":
    prepare()
    with socket.socket(fileno=int(sys.argv[1])) as given:
        serve(given)
