"""Killed at any step of keeping what tasks do in place: nothing is lost, and it is known whose it was."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aca import events as ev
from aca import kept
from aca.session import Session, listing
from tests.crash.test_crash import Server
from tests.crash.test_worktrees import EVERY
from tests.workspaces.checkout import IDENTITY

TASKS = """\
---
provider: replay
providers: {replay: {script: replay.toml}}
---
1. One {#one}
2. Two {#two run="echo two > b.txt; echo two >> a.txt"}
3. Three {#three retry_delay=0}
"""
SCRIPT = """
[tasks.one]
steps = [{write = "a.txt", content = "one\\n"}, {run = "echo one > new.txt"}]
[tasks.three]
steps = [{write = "a.txt", content = "bad\\n", attempt = 1}, {fail = "not yet", attempt = 1},
         {write = "a.txt", content = "three\\n"}, {delete = "new.txt"}]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


class Directory:
    """A directory in which aca is run by the forking server, with a repository or without."""

    def __init__(self, path: Path, server: Server, *, is_repository: bool) -> None:
        self.path, self.home, self.server = path / "work", path, server
        self.is_repository, self.runs = is_repository, itertools.count()
        self.path.mkdir(parents=True)
        (path / "tasks.md").write_text(TASKS)
        (path / "replay.toml").write_text(SCRIPT)
        (self.path / "a.txt").write_text("zero\n")
        (self.path / "mine.txt").write_text("not committed\n")
        if is_repository:
            self.git("init", "--quiet", "--initial-branch=main")
            self.git("add", "a.txt")
            self.git("commit", "--quiet", "--message", "first")
        self.users = self.of_user()

    def git(self, *arguments: str) -> str:
        where = () if self.is_repository else (f"--git-dir={self.path / '.aca/files.git'}",)
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), **IDENTITY}
        done = subprocess.run(
            ["git", *where, *arguments], cwd=self.path, env=env, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr.decode()}\n{self.log()}"
        return done.stdout.decode().strip()

    def of_user(self) -> dict[str, bytes]:
        ours = (".git/objects", ".git/refs/aca")
        files = (path for path in (self.path / ".git").rglob("*") if path.is_file())
        named = ((str(path.relative_to(self.path)), path) for path in files)
        return {name: path.read_bytes() for name, path in named if not name.startswith(ours)}

    def aca(self, *argv: str, kill: dict[str, Any] | None = None) -> int:
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8"}
        log = str(self.home / f"run-{next(self.runs)}.log")
        request = {"argv": [*argv, "--quiet"], "cwd": str(self.path), "env": env, "kill": kill, "log": log}
        return self.server.run(request)["status"]

    def start(self, kill: dict[str, Any] | None = None) -> int:
        return self.aca("run", "../tasks.md", kill=kill)

    def go_on(self) -> int:
        return self.aca("resume") if listing(self.path) else self.start()

    def log(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.home.glob("run-*.log")))

    def check(self) -> None:
        """What attempts left, one after the other, leads from what was there to what is there."""
        [one] = listing(self.path)
        assert {path.name: path.read_text() for path in self.path.glob("*.txt")} == {
            "a.txt": "three\n",
            "b.txt": "two\n",
            "mine.txt": "not committed\n",
        }, self.log()
        past = list(_pieces(one))
        trees = [
            [self.git("rev-parse", f"{name}^{{tree}}") for name in (made.base, made.commit)] for made in past
        ]
        for (_, after), (before, _) in itertools.pairwise(trees):
            assert after == before, self.log()
        assert self.git("show", f"{past[0].base}:a.txt") == "zero"
        names = self.git("ls-tree", "--name-only", past[-1].commit).split()
        assert names == ["a.txt", "b.txt", "mine.txt"], self.log()
        assert self.git("show", f"{past[-1].commit}:a.txt") == "three"
        self.git("fsck", "--no-dangling")
        assert self.of_user() == self.users
        left = {path.name for path in (one.path / "file_changes").iterdir()}
        assert left == {"change_log.json", "index", "snapshots"}, self.log()


def _pieces(one: Session) -> Iterator[kept.Piece]:
    """What every attempt left, in the order in which they began."""
    state = one.state()
    for event in one.events():
        if isinstance(event, ev.TaskStarted):
            for made in kept.pieces(one, state, [event.task]):
                if made.number == event.attempt:
                    yield made


@pytest.mark.parametrize("is_repository", [True, False])
def test_killed_at_any_call_of_git_nothing_is_lost(
    server: Server, tmp_path: Path, record_property: Any, is_repository: bool
) -> None:
    """SIGKILL right before and right after every so many steps."""
    whole = Directory(tmp_path / "whole", server, is_repository=is_repository)
    assert whole.start() == 0, whole.log()
    whole.check()
    calls = json.loads((whole.home / "run-0.calls").read_text())
    assert calls > 20
    numbers = range(1, calls + 1, EVERY if is_repository else 2 * EVERY - 1)  # the calls are the same
    points = [(number, when) for number in numbers for when in ("before", "after")]
    for number, when in points:
        one = Directory(tmp_path / f"{number}-{when}", server, is_repository=is_repository)
        one.start(kill={"git": number, "when": when})
        assert one.go_on() == 0, f"{number} {when}\n{one.log()}"
        one.check()
        shutil.rmtree(one.home)
    record_property("crash points", len(points))
