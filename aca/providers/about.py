"""What each provider can do, and how it shows who you are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from aca.providers import declared, is_declared

if TYPE_CHECKING:
    from aca.providers.agent_clis.declaration import Declaration


class Capabilities(msgspec.Struct, frozen=True):
    """What aca can do with a provider."""

    streaming: bool = False
    """Its steps are seen while it works."""
    resume: bool = False
    """An interrupted conversation goes on."""
    structured_output: bool = False
    """It can be held to the schema of an output; the others are asked in words."""
    turn_limit: bool = False
    """The number of a model's answers in one attempt can be limited."""
    cost: bool = False
    """It tells what an attempt cost, not only its tokens."""
    tool_gate: bool = False
    """It keeps to the task's permissions, with tools it does not offer or a sandbox."""
    live: bool = False
    """It is told while it works what a person says with ``aca send``; others are with their next attempt."""

    tools: bool = False
    """It works with tools of aca, and hands things in by them; others write a block at the end."""


class About(msgspec.Struct, frozen=True):
    """A provider as ``aca providers`` shows it."""

    authenticates: str
    can: Capabilities


_API = Capabilities(
    streaming=True,
    resume=True,
    structured_output=True,
    turn_limit=True,
    tool_gate=True,
    live=True,
    tools=True,
)
BUILT_IN: dict[str, About] = {
    "anthropic": About("ANTHROPIC_API_KEY", _API),
    "claude-cli": About(
        "the program's own login, or ANTHROPIC_API_KEY",
        Capabilities(
            streaming=True, resume=True, structured_output=True, turn_limit=True, cost=True, tool_gate=True
        ),
    ),
    "claude-sdk": About(
        "the program's own login, or ANTHROPIC_API_KEY",
        Capabilities(
            streaming=True,
            resume=True,
            structured_output=True,
            turn_limit=True,
            cost=True,
            tool_gate=True,
            live=True,
        ),
    ),
    "codex-cli": About(
        "the program's own login, or the key that its configuration names",
        Capabilities(streaming=True, resume=True, structured_output=True, tool_gate=True),
    ),
    "ollama": About("nothing, or OLLAMA_API_KEY", _API),
    "openai": About("OPENAI_API_KEY; with base_url, nothing if the server wants none", _API),
    "replay": About(
        "nothing", Capabilities(streaming=True, structured_output=True, cost=True, tool_gate=True, tools=True)
    ),
}


def is_program(name: str, given: Mapping[str, Any]) -> bool:
    """Whether the provider is a program of its own, which has a version."""
    return is_declared(given) or name in ("claude-cli", "codex-cli")


def about(name: str, given: Mapping[str, Any]) -> About:
    """What the provider *name* is like, whose section in the plan is *given*.

    Raises pydantic's ValidationError when it is declared and its declaration cannot be used.
    """
    return _declared(declared(given)) if is_declared(given) else BUILT_IN[name]


def _declared(declaration: Declaration) -> About:
    usage = declaration.usage
    can = Capabilities(
        streaming=declaration.output == "jsonl",
        resume=declaration.takes("conversation") and bool(declaration.conversation),
        structured_output=declaration.takes("output_schema"),
        cost=usage is not None and bool(usage.cost_usd),
        tool_gate=len({rights.model_dump_json() for rights in declaration.permissions.values()}) > 1,
    )
    return About(" and ".join(declaration.needs_env) or "the program's own login", can)
