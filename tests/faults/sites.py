"""A workspace in which ``aca`` is run and killed, and what is to be seen of it from outside."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from aca.core import events as ev
from aca.sessions import journal
from aca.sessions.session import Session, listing
from tests.faults.deaths import count
from tests.faults.tally import Losses
from tests.forking import forks
from tests.project import SECONDS
from tests.workspaces.checkout import IDENTITY


@dataclass(frozen=True)
class Run:
    """How one ``aca`` ended: its exit code, or minus the signal; and how often it came to what."""

    status: int
    commits: int
    calls_of_git: int

    @property
    def is_killed(self) -> bool:
        """Not where it came to fewer moments than the run that was counted: two at once may share a write."""
        return self.status == -signal.SIGKILL


@dataclass
class Site:
    """One workspace. Tasks may leave a mark per time they are done, by ``printf x >> $MARKS/TASK``."""

    path: Path
    env: Mapping[str, str] = field(default_factory=dict)
    runs: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        for folder in ("work", "home", "marks"):
            (self.path / folder).mkdir(parents=True)

    @property
    def work(self) -> Path:
        """The workspace itself: logs, marks and the user's home lie beside it."""
        return self.path / "work"

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.work / name).write_text(text)

    def aca(self, *argv: str, kill: Mapping[str, Any] | None = None, seconds: float = SECONDS) -> Run:
        """``aca ARGV`` to its end, to its death (as ``deaths.py`` has it), or until it is killed in time."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path / "home"),
            "LANG": "C.UTF-8",
            "MARKS": str(self.path / "marks"),
            "ACA_PERMISSIONS": "full",  # agents may leave marks, too
            **self.env,
        }
        run = self.path / f"run-{next(self.runs)}"
        commits, calls = run.with_suffix(".commits"), run.with_suffix(".calls")
        death = {"commits": str(commits), "calls": str(calls), **(kill or {})}
        try:
            done = forks().run(argv, self.work, env, seconds, death=death)
        except subprocess.TimeoutExpired:
            return Run(-signal.SIGKILL, count(commits), count(calls))
        run.with_suffix(".log").write_bytes(done.stdout + done.stderr)
        return Run(done.returncode, count(commits), count(calls))

    def git(self, *arguments: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.path / "home"), **IDENTITY}
        done = subprocess.run(["git", *arguments], cwd=self.work, env=env, capture_output=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr.decode()}\n{self.log()}"
        return done.stdout.decode().strip()

    def make_repository(self) -> None:
        """One commit of all that is there."""
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "first")

    # -- what is to be seen -------------------------------------------------------------------------

    def session(self) -> Session | None:
        return next(iter(listing(self.work)), None)

    def events(self) -> list[ev.AnyEvent]:
        one = self.session()
        return journal.read(one.journal_path) if one else []

    def statuses(self) -> dict[str, str]:
        one = self.session()
        return {name: now.status for name, now in one.state().states.items()} if one else {}

    def marks(self) -> dict[str, int]:
        """How often each task's own work was really done."""
        return {mark.name: len(mark.read_text()) for mark in (self.path / "marks").iterdir()}

    def log(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.path.glob("run-*.log")))

    def left_over(self) -> Iterator[str]:
        """Processes, worktrees and locks that nobody needs any more."""
        sessions = listing(self.work)
        ids = {one.id for one in sessions}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("ACA_SESSION") in ids:
                    yield f"process {process.pid}"
        yield from (f"lock of {one.id}" for one in sessions if one.is_running())
        if (self.work / ".git").is_dir():
            yield from self.git("worktree", "list").splitlines()[1:]
        yield from (f"message {path}" for one in sessions for path in (one.path / "inbox").glob("*.json"))


@dataclass(frozen=True)
class Memory:
    """What was durable when aca was killed; all of it has to be there in the end, and no more often."""

    events: list[ev.AnyEvent]
    marks: dict[str, int]

    @classmethod
    def of(cls, site: Site) -> Memory:
        return cls(site.events(), site.marks())

    @property
    def finished(self) -> set[str]:
        return {event.task for event in self.events if isinstance(event, ev.TaskCompleted)}

    def compared(self, site: Site, expected: Mapping[str, str]) -> Losses:
        """What is wrong with *site* now that it was gone on with to its end, which is *expected*."""
        losses, now, marks = Losses(), site.events(), site.marks()
        if now[: len(self.events)] != self.events:
            losses.lost.append("events that were durable")
        for name in self.finished:
            done = marks.get(name, 0) - self.marks.get(name, 0)
            if done:
                (losses.repeated if done > 0 else losses.lost).append(f"the work of {name}")
        starts = Counter(event.task for event in now if isinstance(event, ev.TaskStarted))
        losses.repeated += [f"{name}, without a start" for name, n in marks.items() if n > starts[name]]
        ends = Counter(event.task for event in now if isinstance(event, ev.TaskCompleted))
        losses.repeated += [f"the end of {name}" for name, n in ends.items() if n > 1]
        losses.left_over += site.left_over()
        statuses = site.statuses()
        for name in statuses.keys() | expected.keys():
            if statuses.get(name) != expected.get(name):
                losses.wrong_states.append(f"{name} is {statuses.get(name)}, not {expected.get(name)}")
        return losses
