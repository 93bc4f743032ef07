"""A real llama.cpp server in place of OpenAI's and Anthropic's: streams, counts, and answers cut off."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aca.core.events import Usage
from tests.llama_server import CONTEXT
from tests.project import SECONDS, Project

SAYS = 'root ::= "All done."'
SAYS_MUCH = "root ::= [a-z]{300}"
NEVER_ENDS = 'root ::= "x" root'
every_api = pytest.mark.parametrize("provider", ["openai", "anthropic"])


class Llama:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def slots(self) -> list[dict[str, Any]]:
        """What it works on: a slot for each request that it can answer at a time."""
        with urllib.request.urlopen(f"{self.url}/slots", timeout=SECONDS) as answer:
            return list(json.load(answer))

    def busy(self) -> int:
        return sum(slot["is_processing"] for slot in self.slots())

    def settings(self, provider: str, *options: str) -> str:
        """What is written into ``aca.toml`` to work with it."""
        base = f"{self.url}/v1" if provider == "openai" else self.url
        lines = [
            f'provider = "{provider}"',
            f"[providers.{provider}]",
            f'base_url = "{base}"',
            'model = "toy"',
        ]
        return "\n".join([*lines, *options, ""])


@contextmanager
def llama(folder: Path, grammar: str, slots: int = 1) -> Iterator[Llama]:
    """A server whose model says what *grammar* lets it."""
    pytest.importorskip("xllamacpp")
    argv = [sys.executable, "-m", "tests.llama_server", str(folder), grammar, str(slots)]
    with (folder / "llama.log").open("wb") as log:
        server = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url, (folder / "llama.log").read_text()
        yield Llama(url)
    finally:
        server.kill()
        server.communicate()


KEYS = {"ANTHROPIC_API_KEY": "none-is-needed"}


@every_api
def test_a_task_is_done_and_what_it_used_is_counted(project: Project, tmp_path: Path, provider: str) -> None:
    """The answer comes as a stream; of the second prompt, what is the same as in the first is cached."""
    with llama(tmp_path, SAYS) as server:
        project.write({"aca.toml": server.settings(provider), "tasks.md": "1. One {#one}\n2. Two {#two}\n"})
        project.run("--task-file", "tasks.md", env=KEYS)
    one, two = (project.session().state().states[name] for name in ("one", "two"))
    assert (one.summary, two.summary) == ("All done.", "All done.")
    assert isinstance(one.usage, Usage)
    assert isinstance(two.usage, Usage)
    tokens = len(SAYS) - len('root ::= ""') + 1  # a byte each, and the end
    assert (one.usage.output_tokens, two.usage.output_tokens) == (tokens, tokens)
    assert one.usage.input_tokens > 100
    assert two.usage.cache_read_tokens > 0
    assert one.usage.cost_usd is None


@every_api
def test_several_are_answered_at_once(project: Project, tmp_path: Path, provider: str) -> None:
    """Four tasks side by side keep more than one slot of the server busy, and each has its own answer."""
    tasks = "".join(f"- [ ] Task {name} {{#{name}}}\n" for name in "abcd")
    with llama(tmp_path, SAYS_MUCH, slots=4) as server:
        project.write({"aca.toml": server.settings(provider), "tasks.md": tasks})
        running = project.start("--task-file", "tasks.md", "-j", "4", env=KEYS)
        running.until(lambda: server.busy() > 1)
        running.finish(0)
    answers = {now.summary for now in project.session().state().states.values()}
    assert len(answers) == 4
    assert {len(answer) for answer in answers} == {300}


@every_api
def test_a_cancelled_answer_frees_the_server(project: Project, tmp_path: Path, provider: str) -> None:
    """Ctrl-C in the middle of a stream: the server stops thinking, long before it would have by itself."""
    with llama(tmp_path, NEVER_ENDS) as server:
        options = [f"max_tokens = {CONTEXT - 10_000}"]
        project.write({"aca.toml": server.settings(provider, *options), "tasks.md": "- [ ] One {#one}\n"})
        running = project.start("--task-file", "tasks.md", env=KEYS)
        running.until(lambda: server.slots()[0].get("next_token", [{}])[0].get("n_decoded", 0) > 10)
        running.signal(signal.SIGINT)
        running.finish(130)
        deadline = time.monotonic() + SECONDS
        while server.busy() and time.monotonic() < deadline:
            time.sleep(0.01)
        [slot] = server.slots()
        assert not slot["is_processing"]
        assert slot["next_token"][0]["n_decoded"] < CONTEXT - 10_000
        assert _answers(server)
    assert project.session().state().states["one"].status == "pending"


def _answers(server: Llama) -> bool:
    """Whether somebody else is answered now."""
    asked = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
    request = urllib.request.Request(f"{server.url}/v1/chat/completions", json.dumps(asked).encode())
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return bool(json.load(answer)["choices"][0]["message"]["content"] == "xxx")
