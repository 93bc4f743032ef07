"""Killed at any step of a worktree or a merge: the next start goes on, nothing is lost or merged twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aca import events as ev
from tests.crash.test_crash import Server
from tests.workspaces.checkout import IDENTITY

TASKS = """\
---
provider: replay
providers: {replay: {script: replay.toml}}
max_concurrent_tasks: 3
workspace: {checks: "test ! -e red"}
---
- [ ] One {#one check="test -f one.txt" env.F=shared.txt}
- [ ] Two {#two env.F=shared.txt}
- [ ] Three {#three needs=one retry_delay=0}
"""
SCRIPT = """
[tasks.one]
steps = [{write = "one.txt", content = "one"}, {run = "sed -i '/^[<=>]/d' $F; echo one >> $F"}]
[tasks.two]
steps = [{write = "two.txt", content = "two"}, {run = "sed -i '/^[<=>]/d' $F; echo two >> $F"}]
[tasks.three]
steps = [{write = "three.txt", content = "three"}, {fail = "not yet", attempt = 1}]
"""
EVERY = int(os.environ.get("ACA_TEST_KILL_EVERY", "11"))
"""Each so many calls of git there is a kill, before it and after it; 1 are all of them, which takes long."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


class Checkout:
    """A repository in which aca is run by the forking server, and what is left in it."""

    def __init__(self, path: Path, server: Server) -> None:
        self.path, self.server, self.runs = path, server, 0
        path.mkdir()
        (path / "shared.txt").write_text("start\n")
        (path / ".gitignore").write_text("*.log\n*.calls\n*.commits\ntasks.md\nreplay.toml\n.local\n")
        (path / "tasks.md").write_text(TASKS)
        (path / "replay.toml").write_text(SCRIPT)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "first")
        self.files = self.git("ls-files", "-s"), self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.path), **IDENTITY}
        done = subprocess.run(["git", *arguments], cwd=self.path, env=env, capture_output=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr.decode()}\n{self.log()}"
        return done.stdout.decode().strip()

    def aca(self, *argv: str, kill: dict[str, Any] | None = None) -> dict[str, int]:
        self.runs += 1
        env = {"PATH": os.environ["PATH"], "HOME": str(self.path), "LANG": "C.UTF-8"}
        request = {"argv": [*argv, "--quiet"], "cwd": str(self.path), "env": env, "kill": kill}
        return self.server.run({**request, "log": str(self.path / f"run-{self.runs}.log")})

    def start(self, kill: dict[str, Any] | None = None) -> dict[str, int]:
        return self.aca("run", "tasks.md", kill=kill)

    def go_on(self) -> dict[str, int]:
        has_begun = any((self.path / ".aca" / "sessions").glob("[0-9]*"))
        return self.aca("resume") if has_begun else self.start()

    def session(self) -> str:
        [one] = (path.name for path in (self.path / ".aca" / "sessions").glob("[0-9]*"))
        return one

    def log(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.path.glob("run-*.log")))

    def check(self) -> None:
        """All is merged once, nothing is left over, every attempt that did something is kept."""
        branch = f"aca/{self.session()}"
        assert sorted(self.git("log", "--format=%s", f"main..{branch}").split()) == ["One", "Three", "Two"]
        shown = {name: self.git("show", f"{branch}:{name}.txt") for name in ("one", "two", "three")}
        assert shown == {"one": "one", "two": "two", "three": "three"}
        assert {"one", "two"} <= set(self.git("show", f"{branch}:shared.txt").split()), self.log()
        assert len(self.git("worktree", "list").splitlines()) == 1, self.log()
        assert not list((self.path / ".local").rglob("*.txt"))
        assert (self.git("ls-files", "-s"), self.git("rev-parse", "HEAD")) == self.files
        assert self.git("status", "--porcelain") == ""
        self.git("fsck", "--no-dangling")
        for event in self.events():
            if isinstance(event, ev.AttemptEnded) and event.commit:
                self.git("cat-file", "-e", f"refs/aca/{self.session()}/{event.task}/{event.attempt}")

    def events(self) -> list[ev.AnyEvent]:
        from aca import journal

        return journal.read(self.path / ".aca" / "sessions" / self.session() / "journal.jsonl")


def test_killed_at_any_call_of_git_it_comes_to_the_same_end(
    server: Server, tmp_path: Path, record_property: Any
) -> None:
    """SIGKILL right before and right after every so many steps of worktrees and merges."""
    whole = Checkout(tmp_path / "whole", server)
    assert whole.start()["status"] == 0, whole.log()
    whole.check()
    calls = json.loads((whole.path / "run-1.calls").read_text())
    assert calls > 40
    points = [(number, when) for number in range(1, calls + 1, EVERY) for when in ("before", "after")]
    for number, when in points:
        one = Checkout(tmp_path / f"{number}-{when}", server)
        one.start(kill={"git": number, "when": when})
        assert one.go_on()["status"] == 0, f"{number} {when}\n{one.log()}"
        one.check()
        shutil.rmtree(one.path)
    record_property("crash points", len(points))


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_commit_of_the_journal_nothing_is_merged_twice(
    server: Server, tmp_path: Path, when: str
) -> None:
    """The journal decides: a merge that is not in it has not happened, one that is in it has."""
    whole = Checkout(tmp_path / "whole", server)
    commits = whole.start()["commits"]
    for number in range(1, commits + 1):
        one = Checkout(tmp_path / f"{number}", server)
        one.start(kill={"commit": number, "when": when})
        assert one.go_on()["status"] == 0, f"{number}\n{one.log()}"
        one.check()
        shutil.rmtree(one.path)
