"""Models behind APIs, made to act out the same scenes in the dialect of each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aca import providers
from aca.providers.base import Result, Step, Used
from tests.contracts.agents import Agent, ending, workspace
from tests.model_server import ModelServer, Turn, text, tool

KEY = "canary-key-0123456789abcdef"


@dataclass(frozen=True)
class Kind:
    """A provider and the dialect in which it is to speak."""

    provider: str
    path: str
    """The end of the address it calls."""
    address: str
    """The option that says where the model is."""
    options: dict[str, Any]
    key: str
    streams: bool = True


KINDS = {
    "anthropic": Kind("anthropic", "v1/messages", "base_url", {}, "ANTHROPIC_API_KEY"),
    "responses": Kind("openai", "responses", "base_url", {"api": "responses"}, "OPENAI_API_KEY"),
    "chat": Kind("openai", "chat/completions", "base_url", {}, "OPENAI_API_KEY"),
    "ollama": Kind("ollama", "api/chat", "host", {"model": "small"}, "OLLAMA_API_KEY", streams=False),
}


every_kind = pytest.mark.parametrize("kind", KINDS)

EDIT: list[Turn] = [
    [text("I write."), tool("write", path="hello.txt", content="hello\n")],
    [tool("edit", path="hello.txt", old="hello", new="goodbye")],
    [text("done")],
]
"""A scene in which a file is written, edited, and the work told as done."""


@dataclass
class Scene(Agent):
    """A model that is ready to act, and the server that plays it."""

    kind: Kind = KINDS["anthropic"]

    @property
    def server(self) -> ModelServer:
        assert self.model is not None
        return self.model

    def told(self, number: int = -1) -> str:
        """One of the calls of the model, as text."""
        return str(self.server.requests[number].body)


@contextmanager
def acting(kind: str, tmp_path: Path, *turns: Turn, **options: Any) -> Iterator[Scene]:
    """A model that plays *turns*, with every key in the environment that there is."""
    one = KINDS[kind]
    keys = {each.key: KEY for each in KINDS.values()}
    before = dict(os.environ)
    os.environ.update(keys)
    try:
        with ModelServer() as server:
            server.script("scene", *turns)
            given = {**one.options, one.address: server.url("scene"), **options}
            where = workspace(tmp_path)
            yield Scene(providers.get(one.provider), given, where, model=server, kind=one)
            assert all(request.dialect.path == one.path for request in server.requests)
    finally:
        os.environ.clear()
        os.environ.update(before)


def act(scene: Scene) -> tuple[list[Step], Result]:
    """Let the model work; the steps and the result."""
    steps = asyncio.run(scene.steps())
    return steps, ending(steps)


def used(steps: list[Step]) -> list[tuple[str, str, str]]:
    """Tool, detail and error of every use that was told."""
    return [(step.tool, step.detail, step.error) for step in steps if isinstance(step, Used)]
