"""Models of Anthropic, through the Messages API."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from aca.core.events import Usage
from aca.errors import Problem
from aca.plans import output
from aca.providers.base import Availability, Errand
from aca.providers.models import address, chat
from aca.providers.models.chat import Wire
from aca.providers.models.conversation import (
    Answered,
    Asked,
    Call,
    Message,
    Outcome,
    Outcomes,
    Reply,
    Request,
)
from aca.providers.models.trouble import ModelError, cut, lowered, understanding
from aca.safety import keys
from aca.tools.base import Tool

KEY = "ANTHROPIC_API_KEY"
URL = "ANTHROPIC_BASE_URL"
CURE = f"make one at https://platform.claude.com and {keys.cure(KEY)}"
MAX_TOKENS = 32_000
"""Of an answer, where the plan says nothing: the API wants a number."""
_STOPS = {"max_tokens": "length", "refusal": "refusal"}
_CACHED = {"cache_control": {"type": "ephemeral"}}


class Options(chat.Options):
    """``providers.anthropic`` of a plan."""

    model: str | None = "claude-opus-5-5"
    base_url: address.BaseUrl | None = None
    """Of another server that speaks the Messages API; else ANTHROPIC_BASE_URL, else Anthropic's own."""


def problems(options: Options, errands: Iterable[Errand], workspace: Path) -> list[Problem]:
    """What keeps it from being used here: there is no key."""
    found = _look(options)
    return [] if found.ok else [Problem(found.detail, found.cure)]


class Anthropic(chat.Chat):
    """A Claude model that uses aca's tools."""

    name = "anthropic"
    key = KEY
    options: ClassVar[type[chat.Options]] = Options
    longest = MAX_TOKENS

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether there is a key. Whether it is valid shows with the first call."""
        return _look(Options.model_validate(options))

    @asynccontextmanager
    async def connect(self, options: Options, model: str, system: str) -> AsyncIterator[Wire]:
        # Importing the SDK takes most of a second, in which others should not stand still.
        sdk: Any = await asyncio.to_thread(importlib.import_module, "anthropic")
        key, url = keys.key(KEY), _url(options)
        client = sdk.AsyncAnthropic(
            api_key=key,
            base_url=url,
            max_retries=0,  # the loop tries again
            timeout=sdk.Timeout(options.idle_timeout, connect=30.0),
            # The API takes the key as a bearer token now; servers in its place may know only the old header.
            default_headers={"x-api-key": key} if url else None,
            open_telemetry=False,
            http_client=sdk.DefaultAsyncHttpxClient(verify=chat.trusted()),
        )
        async with client:
            yield _Messages(sdk, client, model, system)


class _Messages:
    def __init__(self, sdk: Any, client: Any, model: str, system: str) -> None:
        self._sdk, self._client = sdk, client
        self._known = {
            "model": model,
            "system": [{"type": "text", "text": system, **_CACHED}],
        }

    async def complete(self, request: Request) -> AsyncIterator[str | Reply]:
        import httpx2

        asked = {
            "messages": _spoken(request.messages),
            "tools": [_tool(tool) for tool in request.tools],
            **_in_schema(request.schema),
        }
        longest = request.longest or MAX_TOKENS
        is_whole = False
        try:
            async with self._client.messages.stream(**self._known, **asked, max_tokens=longest) as stream:
                with understanding():
                    async for event in stream:
                        if event.type == "text":
                            yield event.text
                        is_whole = is_whole or event.type == "message_stop"
                    if not is_whole:
                        raise cut()
                    reply = _reply(await stream.get_final_message())
                    yield msgspec.structs.replace(reply, headers=lowered(stream.response.headers))
        except (self._sdk.APIError, httpx2.HTTPError, ValueError) as error:
            raise ModelError.of(error) from error


def _url(options: Options) -> str | None:
    return address.given(options.base_url, URL, address.base_url)


def _look(options: Options) -> Availability:
    _url(options)
    if found := keys.where(KEY):
        return Availability(True, found)
    return Availability(False, f"{KEY} is not set", CURE)


# -- to the model -------------------------------------------------------------------------------------------


def _tool(tool: type[Tool]) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description(), "input_schema": tool.parameters()}


def _in_schema(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The answer is to be in *schema*, where Anthropic can hold it to that, and no tool."""
    if schema is None:
        return {}
    known = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    return {"tool_choice": {"type": "none"}, **(known if output.is_enforced(schema) else {})}


def _spoken(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages, with marks up to where they need not be read anew: the prompt, and all until now."""
    spoken: list[dict[str, Any]] = [
        {"role": _role(message), "content": _content(message)} for message in messages
    ]
    for one in (spoken[0], spoken[-1]):
        if one["role"] == "user":
            one["content"][-1] |= _CACHED
    return spoken


def _role(message: Message) -> str:
    return "assistant" if isinstance(message, Answered) else "user"


def _content(message: Message) -> list[dict[str, Any]]:
    match message:
        case Asked():
            return [{"type": "text", "text": message.text}]
        case Answered():
            return list(message.raw)
        case Outcomes():
            return [_result(outcome) for outcome in message.outcomes]


def _result(outcome: Outcome) -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": outcome.call, "content": outcome.text}
    return {**result, "is_error": True} if outcome.error else result


# -- from the model -----------------------------------------------------------------------------------------


def _reply(message: Any) -> Reply:
    if message.stop_reason == "model_context_window_exceeded":
        raise ModelError("the conversation fills the context window", known="context")
    stop = _STOPS.get(message.stop_reason, "end")
    blocks = [block.to_dict(warnings=False) for block in message.content]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    uses = [block for block in blocks if block["type"] == "tool_use" and stop == "end"]
    calls = tuple(Call(block["id"], block["name"], block["input"]) for block in uses)
    return Reply(Answered(text, calls, _echo(blocks, stop)), stop, _usage(message.usage))


def _echo(blocks: list[dict[str, Any]], stop: str) -> list[dict[str, Any]]:
    """What goes back with the next call: no empty text, and no tool that was never used."""
    kept = [block for block in blocks if not (block["type"] == "text" and not block["text"].strip())]
    if stop != "end":
        kept = [block for block in kept if block["type"] == "text"]
    return kept or [{"type": "text", "text": "(nothing)"}]


def _usage(usage: Any) -> Usage:
    """Anthropic counts cached tokens apart from the others."""
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Usage(usage.input_tokens, usage.output_tokens, read, written)
