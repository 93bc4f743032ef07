"""Killed at any commit around calls of a model: every call counts once, and the work is done in the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aca import events as ev
from aca import journal
from aca.session import listing
from tests.crash.test_crash import Server
from tests.model_server import ModelServer, text, tool

SETTINGS = """\
provider = "ollama"
model = "small"
[providers.ollama]
max_tokens = 50
[prices.small]
input = 10
output = 100
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as one:
        yield one


def aca(
    server: Server, site: Path, url: str, *argv: str, kill: dict[str, Any] | None = None
) -> dict[str, int]:
    env = {"PATH": os.environ["PATH"], "HOME": str(site), "LANG": "C.UTF-8", "OLLAMA_HOST": url}
    request = {"argv": [*argv, "--quiet"], "cwd": str(site), "env": env, "log": str(site / "run.log")}
    return server.run({**request, "kill": kill})


def make(tmp_path: Path, name: str, model: ModelServer) -> Path:
    """A workspace with a task of two calls and one that follows it."""
    site = tmp_path / name
    site.mkdir()
    (site / "tasks.md").write_text("1. The ant\n2. The bee\n")
    (site / "aca.toml").write_text(SETTINGS)
    for task in ("The bee", "The ant"):
        model.script(name, [tool("write", path=f"{task}.txt", content="x")], when=f"# {task}")
    model.script(name, *[[text("Done.")]] * 9)
    return site


def events(site: Path) -> list[ev.AnyEvent]:
    found = listing(site)
    return journal.read(found[0].journal_path) if found else []


def check_accounts(site: Path) -> None:
    """Each call that began has ended or counts with its reserve, once; and so do the totals."""
    [one] = listing(site)
    happened = events(site)
    started = {(e.task, e.attempt, e.call): e for e in happened if isinstance(e, ev.CallStarted)}
    ended = {(e.task, e.attempt, e.call): e for e in happened if isinstance(e, ev.CallEnded)}
    lost = [started[key] for key in started.keys() - ended.keys()]
    told = [event.usage for event in ended.values() if event.usage is not None]
    state = one.state()
    assert state.calls == {}
    assert state.spent.estimated == len(lost)
    assert state.spent.tokens == sum(call.reserved.tokens for call in lost) + sum(u.tokens for u in told)
    assert state.spent.unknown_costs == 0


def test_killed_at_every_commit_each_call_counts_once(
    server: Server, model: ModelServer, tmp_path: Path
) -> None:
    """SIGKILL right before, in the middle of, and right after each write of the journal."""
    whole = make(tmp_path, "whole", model)
    ended = aca(server, whole, model.url("whole"), "--task-file", "tasks.md")
    assert ended["status"] == 0, (whole / "run.log").read_text()
    kinds = {type(event) for event in events(whole)}
    assert {ev.CallStarted, ev.CallEnded} <= kinds
    for commit in range(1, ended["commits"] + 1):
        for when in ("before", "torn", "after"):
            name = f"{commit}-{when}"
            site, url = make(tmp_path, name, model), model.url(name)
            aca(server, site, url, "--task-file", "tasks.md", kill={"commit": commit, "when": when})
            again = ("resume",) if listing(site) else ("--task-file", "tasks.md")
            assert aca(server, site, url, *again)["status"] == 0, (site / "run.log").read_text()
            check_accounts(site)
            asked = sum(request.scenario == name for request in model.requests)
            assert asked <= sum(isinstance(event, ev.CallStarted) for event in events(site)) + 1
