"""A project as its user has it: files in a directory, and ``aca`` run there in processes of its own."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from aca.core.events import AnyEvent
from aca.sessions import journal, session
from aca.sessions.session import Session
from tests.forking import Forked, clean_environment, forks, needs_a_start

SECONDS = 60.0
"""How long anything may take before a test gives up on it."""


@dataclass(frozen=True)
class Outcome:
    """What a finished ``aca`` printed, and its exit code."""

    stdout: str
    stderr: str
    code: int

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def jsonl(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.stdout.splitlines()]


Begin = Callable[[Sequence[int]], "subprocess.Popen[bytes] | Forked"]
"""Starts something, with the three streams it is given."""


class Running:
    """An ``aca`` that runs beside the test. Its output goes to files, so that no pipe can fill."""

    def __init__(self, begin: Begin) -> None:
        with contextlib.ExitStack() as stack, open(os.devnull) as nothing:
            self._files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(2)]
            self.process = begin([file.fileno() for file in (nothing, *self._files)])
            self._open = stack.pop_all()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._text(0)

    @property
    def stderr(self) -> str:
        return self._text(1)

    def until(self, reached: Callable[[], object], seconds: float = SECONDS) -> None:
        """Wait until *reached* is true; it is an error when aca ends or time runs out before."""
        deadline = time.monotonic() + seconds
        while not reached():
            alive = self.process.poll() is None
            assert alive or reached(), f"aca ended with {self.process.returncode}:\n{self.stderr}"
            assert time.monotonic() < deadline, f"it never came to that:\n{self.stdout}\n{self.stderr}"
            time.sleep(0.01)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to aca alone, not to its children."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """``kill -9``: aca gets no chance to do anything more."""
        self.signal(signal.SIGKILL)
        self.process.wait(SECONDS)

    def finish(self, expect: int | None = None, seconds: float = SECONDS) -> Outcome:
        """Wait for its end."""
        code = self.process.wait(seconds)
        return _checked(Outcome(self.stdout, self.stderr, code), expect)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._open.close()
        if isinstance(self.process, Forked):
            self.process.close()

    def _text(self, number: int) -> str:
        descriptor = self._files[number].fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()


def popen(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[int]
) -> subprocess.Popen[bytes]:
    """*argv* in a session of its own, with these three streams."""
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
    )


class Project:
    """Write files, run ``aca``, look at what it left behind."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home
        self._running: list[Running] = []
        root.mkdir()
        home.mkdir()

    # -- files --------------------------------------------------------------------------------------

    def write(self, files: Mapping[str, str]) -> None:
        """Write each file, dedented, its directories made."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def replay(self, script: str, name: str = "replay.toml") -> str:
        """Write a replay script; returns the front matter that makes a Markdown task file use it."""
        self.write({name: script})
        return f"---\nprovider: replay\nproviders: {{replay: {{script: {name}}}}}\n---\n"

    # -- running aca --------------------------------------------------------------------------------

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """A clean environment: nobody's keys, settings or home."""
        return {**clean_environment(), "HOME": str(self.home), **(more or {})}

    def sabotage(self, code: str) -> dict[str, str]:
        """An environment in which *code* has changed aca before it starts, as a bug or a chance would."""
        folder = self.home / "sabotage"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(textwrap.dedent(code))
        return {"PYTHONPATH": f"{folder}{os.pathsep}{self.env()['PYTHONPATH']}"}

    def run(self, *args: str, env: Mapping[str, str] | None = None, expect: int | None = 0) -> Outcome:
        """``aca ARGS`` in a process of its own, to its end; *expect* is its exit code, None for any."""
        if needs_a_start(env or {}):
            return self.start(*args, env=env).finish(expect)
        done = forks().run(args, self.root, self.env(env), SECONDS)
        return _checked(Outcome(done.stdout.decode(), done.stderr.decode(), done.returncode), expect)

    def start(self, *args: str, env: Mapping[str, str] | None = None, anew: bool = False) -> Running:
        """``aca ARGS`` beside the test; it is ended with the test at the latest.

        It is forked from a process that has imported aca, unless it is to be a Python that starts *anew*.
        """
        where = self.root, self.env(env)
        if anew or needs_a_start(env or {}):
            begin: Begin = functools.partial(popen, self.argv(*args), *where)
        else:
            begin = functools.partial(forks().start, args, *where, own_session=True)
        self._running.append(Running(begin))
        return self._running[-1]

    def argv(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "aca", *args]

    # -- what is left -------------------------------------------------------------------------------

    def sessions(self) -> list[Session]:
        """All sessions, oldest first."""
        return session.listing(self.root)

    def session(self) -> Session:
        """The only session."""
        [one] = self.sessions()
        return one

    def journal(self, one: Session | None = None) -> list[AnyEvent]:
        """The events of *one*, by default of the newest session."""
        return journal.read((one or self.sessions()[-1]).journal_path)

    def processes(self) -> list[psutil.Process]:
        """Every living process that was started from here, directly or not."""
        started = {one.pid for one in self._running if one.process.poll() is None}
        return [one for one in psutil.process_iter() if one.pid in started or self._is_ours(one)]

    def has_running(self, program: str) -> bool:
        """Whether *program* runs, and not only what aca starts before it gets to that."""
        return any(_name(process) == program for process in self.processes())

    def end(self) -> None:
        """End everything that was started here."""
        for one in self._running:
            one.close()
        if self._running:
            for process in self.processes():
                with contextlib.suppress(psutil.Error):
                    process.kill()

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.environ().get("HOME") == str(self.home)
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:  # it has just ended
        return ""


def _checked(outcome: Outcome, expect: int | None) -> Outcome:
    told = f"exit code {outcome.code}, not {expect}\n-- stdout\n{outcome.stdout}\n-- stderr\n{outcome.stderr}"
    assert expect in (None, outcome.code), told
    return outcome
