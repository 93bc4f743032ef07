"""What a plan of tasks with much in common sends to its model, and what that comes to by the price list."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aca.core.events import Usage
from aca.core.spent import add_usage
from aca.providers.prices import Tariff
from benchmarks import peers
from benchmarks.measure import Contender, Contest
from benchmarks.processes import Command
from tests.dialects import Block
from tests.model_server import Altered, ModelServer, Request, Turn, text, tool

MODEL = "claude-sonnet-4-5"
SHORTEST = 1024
"""Tokens; less than that Anthropic does not cache (docs.claude.com, prompt caching)."""
CONTEXT = "".join(
    f"{number}. A rule that every one of these tasks has to keep to.\n" for number in range(300)
)
_TOLD = (
    b'"input_tokens": 100, "output_tokens": 20, '
    b'"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0'
)
"""What the model would say each call has used."""


def tokens(counts: list[int], _peered: bool) -> Iterator[Contest]:
    """A group of tasks that know the same file; each looks at it once more before it is done."""
    for count in counts:
        with ExitStack() as servers:
            contenders = [
                _contender(servers.enter_context(Caching(caches)), count, conversation)
                for conversation in ("own", "parent")
                for caches in (False, True)
            ]
            yield Contest(f"{count} tasks that share {len(CONTEXT):,} letters", contenders, count)


class Caching(ModelServer):
    """A model whose prompts are cached up to the marks in them, as Anthropic does it."""

    def __init__(self, caches: bool) -> None:
        super().__init__()
        self.caches = caches
        self.used = Usage()
        self.calls = 0
        self._known: set[str] = set()
        self._one_at_a_time = threading.Lock()

    def turn(self, request: Request) -> Turn:
        with self._one_at_a_time:
            usage = self._weighed(request.body)
            self.used = add_usage(self.used, usage)
            self.calls += 1
        told = (
            f'"input_tokens": {usage.input_tokens}, "output_tokens": {usage.output_tokens}, '
            f'"cache_creation_input_tokens": {usage.cache_write_tokens}, '
            f'"cache_read_input_tokens": {usage.cache_read_tokens}'
        )
        return Altered(_answer(request.body), _TOLD, told.encode())

    def _weighed(self, body: Mapping[str, Any]) -> Usage:
        """Up to a mark what is known is read and what is new is written; the rest is input."""
        prefix, whole, read, written = "", 0, 0, 0
        for block in _blocks(body):
            is_marked = block.pop("cache_control", None) is not None
            prefix += json.dumps(block)
            whole = len(prefix) // 4
            if not (is_marked and self.caches and whole >= SHORTEST):
                continue
            if prefix in self._known:
                read = whole
            self._known.add(prefix)
            written = whole - read
        return Usage(whole - read - written, 20, read, written)

    def seen(self) -> Mapping[str, float]:
        """Of the run that has just ended; the next one finds nothing in the cache."""
        used, calls = self.used, self.calls
        self.used, self.calls = Usage(), 0
        self._known.clear()
        sent = used.input_tokens + used.cache_read_tokens + used.cache_write_tokens
        dollars = Tariff("anthropic", MODEL).cost(used)
        return {
            "calls": calls,
            "tokens sent": sent,
            "cached, %": round(100 * used.cache_read_tokens / max(1, sent), 1),
            "dollars": round(dollars or 0.0, 4),
        }


def _blocks(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that is sent, in the order in which it is cached."""
    yield from (dict(one) for one in body["tools"])
    yield from (dict(one) for one in body["system"])
    for message in body["messages"]:
        content = message["content"]
        yield from (dict(one) for one in content)


def _answer(body: Mapping[str, Any]) -> list[Block]:
    """First a look at the rules, then the end."""
    last = body["messages"][-1]["content"][-1]
    return [text("Done.")] if last["type"] == "tool_result" else [tool("read", path="rules.md", lines=20)]


def _contender(server: Caching, count: int, conversation: str) -> Contender:
    tasks = [{"id": f"t{number}", "title": f"Task {number}", "parent_id": "all"} for number in range(count)]
    group = {"id": "all", "title": "All of them", "file_refs": ["rules.md"]}
    plan = {
        "format_version": 1,
        "defaults": {"provider": "anthropic", "model": MODEL, "conversation": conversation},
        "tasks": [group, *tasks],
    }

    def prepare(folder: Path) -> Command:
        (folder / "plan.json").write_text(json.dumps(plan))
        (folder / "rules.md").write_text(CONTEXT)
        return ["env", f"XDG_STATE_HOME={folder}/state", *peers.ACA, "run", "plan.json", "--quiet"]

    name = "one conversation" if conversation == "parent" else "a conversation each"
    environment = {"ANTHROPIC_API_KEY": "none-is-needed", "ANTHROPIC_BASE_URL": server.url("work")}
    return Contender(
        f"{name}, {'cached' if server.caches else 'not cached'}", prepare, environment, server.seen
    )
