"""Models of OpenAI through the Responses API, and of everybody who speaks Chat Completions."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from aca.core.events import Usage
from aca.errors import Problem
from aca.plans import output
from aca.providers.base import Availability, Errand
from aca.providers.models import address, chat
from aca.providers.models.chat import Wire
from aca.providers.models.conversation import Answered, Asked, Call, Message, Outcomes, Reply, Request
from aca.providers.models.trouble import ModelError, cut, lowered, understanding
from aca.safety import keys
from aca.tools.base import Tool

KEY = "OPENAI_API_KEY"
URL = "OPENAI_BASE_URL"
CURE = f"make one at https://platform.openai.com and {keys.cure(KEY)}; or set providers.openai.base_url"


class Options(chat.Options):
    """``providers.openai`` of a plan."""

    model: str | None = "gpt-6-sol"
    base_url: address.BaseUrl | None = None
    """Of another server that speaks OpenAI's language; else OPENAI_BASE_URL, else OpenAI's own."""
    api: Literal["responses", "chat"] | None = None
    """Which of its APIs: by default ``responses`` at OpenAI and ``chat`` elsewhere."""


def problems(options: Options, errands: Iterable[Errand], workspace: Path) -> list[Problem]:
    """What keeps it from being used here: there is no key, and no server that needs none."""
    found = _look(options)
    return [] if found.ok else [Problem(found.detail, found.cure)]


class OpenAI(chat.Chat):
    """A model behind an API like OpenAI's that uses aca's tools."""

    name = "openai"
    key = KEY
    options: ClassVar[type[chat.Options]] = Options

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether there is a key, or a server that may need none. What they are good for shows later."""
        return _look(Options.model_validate(options))

    @asynccontextmanager
    async def connect(self, options: Options, model: str, system: str) -> AsyncIterator[Wire]:
        # Importing the SDK takes long, and others should not stand still meanwhile.
        sdk: Any = await asyncio.to_thread(importlib.import_module, "openai")
        url = _url(options)
        client = sdk.AsyncOpenAI(
            api_key=keys.key(KEY) or "none",
            base_url=url,
            max_retries=0,  # the loop tries again
            timeout=sdk.Timeout(options.idle_timeout, connect=30.0),
            http_client=sdk.DefaultAsyncHttpxClient(verify=chat.trusted()),
        )
        api = options.api or ("chat" if url else "responses")
        wire = _Responses if api == "responses" else _Completions
        async with client:
            yield wire(sdk, client, model, system)


def _url(options: Options) -> str | None:
    return address.given(options.base_url, URL, address.base_url)


def _look(options: Options) -> Availability:
    url = _url(options)
    if found := keys.where(KEY):
        return Availability(True, found)
    if url:
        return Availability(True, f"without a key, at {url}")
    return Availability(False, f"{KEY} is not set", CURE)


def _arguments(text: str) -> Any:
    """A table, or what the model wrote in its place."""
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError):
        return text


class _Dialect:
    """What both have in common."""

    def __init__(self, sdk: Any, client: Any, model: str, system: str) -> None:
        self._sdk, self._client = sdk, client
        self._model, self._system = model, system

    async def complete(self, request: Request) -> AsyncIterator[str | Reply]:
        import httpx2

        try:
            async with await self.call(request) as stream:
                with understanding():
                    async for piece in self.pieces(stream):
                        if isinstance(piece, Reply):
                            headers = lowered(stream.response.headers)
                            piece = msgspec.structs.replace(piece, headers=headers)
                        yield piece
        except (self._sdk.APIError, httpx2.HTTPError, ValueError) as error:
            raise ModelError.of(error) from error

    async def call(self, request: Request) -> Any:
        raise NotImplementedError

    def pieces(self, stream: Any) -> AsyncIterator[str | Reply]:
        raise NotImplementedError


def _in_json(tools: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The tools for the body as it is sent: as an argument, the SDK would look at each piece of each schema,
    which takes it longer than all the rest of a call."""
    return {"tools": [{"type": "function", **tool} for tool in tools]}


def _in_schema(key: Literal["text", "response_format"], schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The answer is to be in *schema*, strictly where the model can be held to all of it, and no tool."""
    if schema is None:
        return {}
    known = {"name": "output", "schema": schema, "strict": output.is_enforced(schema)}
    kind = {"type": "json_schema"}
    wanted = {"format": {**kind, **known}} if key == "text" else {**kind, "json_schema": known}
    return {"tool_choice": "none", key: wanted}


# -- Responses ----------------------------------------------------------------------------------------------


class _Responses(_Dialect):
    """OpenAI's own. Nothing is left on its side (``store``), so reasoning comes along, encrypted."""

    async def call(self, request: Request) -> Any:
        return await self._client.responses.create(
            model=self._model,
            instructions=self._system,
            input=[item for message in request.messages for item in _items(message)],
            extra_body=_in_json({"strict": False, **_function(tool)} for tool in request.tools),
            max_output_tokens=request.longest or self._sdk.omit,
            **_in_schema("text", request.schema),
            include=["reasoning.encrypted_content"] if _reasons(self._model) else self._sdk.omit,
            store=False,
            stream=True,
        )

    async def pieces(self, stream: Any) -> AsyncIterator[str | Reply]:
        async for event in stream:
            match event.type:
                case "response.output_text.delta":
                    yield event.delta
                case "response.completed" | "response.incomplete":
                    yield _response(event.response)
                    return
                case "response.failed":
                    error = event.response.error
                    raise ModelError(error.message, code=str(error.code))
                case "error":
                    raise ModelError(event.message, code=str(event.code))
        raise cut()


def _reasons(model: str) -> bool:
    """Whether the model may be asked for its encrypted reasoning; older ones call that an error."""
    return not model.startswith(("gpt-3", "gpt-4", "chatgpt"))


def _function(tool: type[Tool]) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description(), "parameters": tool.parameters()}


def _items(message: Message) -> list[dict[str, Any]]:
    match message:
        case Asked():
            return [{"role": "user", "content": message.text}]
        case Answered(raw=None):  # said through the other API
            said = [{"role": "assistant", "content": message.text}] if message.text else []
            return [*said, *map(_called, message.calls)]
        case Answered():
            return list(message.raw)
        case Outcomes():
            return [
                {"type": "function_call_output", "call_id": outcome.call, "output": outcome.text}
                for outcome in message.outcomes
            ]


def _called(call: Call) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call.id, **_made(call)["function"]}


def _response(response: Any) -> Reply:
    items = [item.to_dict(warnings=False) for item in response.output]
    details = response.incomplete_details
    stop = "end" if details is None else "refusal" if details.reason == "content_filter" else "length"
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    refusals = [part["refusal"] for part in parts if part["type"] == "refusal"]
    text = "".join(part["text"] for part in parts if part["type"] == "output_text")
    if refusals:
        return Reply(Answered(refusals[0], raw=[]), "refusal", _used(response.usage))
    uses = [item for item in items if item["type"] == "function_call" and stop == "end"]
    calls = tuple(Call(item["call_id"], item["name"], _arguments(item["arguments"])) for item in uses)
    return Reply(Answered(text, calls, _echo(items, stop)), stop, _used(response.usage))


def _echo(items: list[dict[str, Any]], stop: str) -> list[dict[str, Any]]:
    """What goes back with the next call: not reasoning it cannot read, nor a call that was never made."""
    if stop != "end":
        return [item for item in items if item["type"] == "message"]
    return [item for item in items if item["type"] != "reasoning" or item.get("encrypted_content")]


def _used(usage: Any) -> Usage | None:
    if usage is None:
        return None
    return _counted(usage.input_tokens, usage.output_tokens, usage.input_tokens_details)


def _counted(given: int, made: int, details: Any) -> Usage:
    """OpenAI counts cached tokens among the others; we do not."""
    read = getattr(details, "cached_tokens", None) or 0
    written = getattr(details, "cache_write_tokens", None) or 0
    return Usage(max(0, given - read - written), made, read, written)


# -- Chat Completions ---------------------------------------------------------------------------------------


class _Completions(_Dialect):
    """What llama.cpp, vLLM, OpenRouter and all the others speak."""

    async def call(self, request: Request) -> Any:
        system = {"role": "system", "content": self._system}
        return await self._client.chat.completions.create(
            model=self._model,
            messages=[system, *(turn for message in request.messages for turn in _turns(message))],
            extra_body=_in_json({"function": _function(tool)} for tool in request.tools),
            max_tokens=request.longest or self._sdk.omit,
            **_in_schema("response_format", request.schema),
            stream=True,
            stream_options={"include_usage": True},
        )

    async def pieces(self, stream: Any) -> AsyncIterator[str | Reply]:
        heard = _Heard()
        async for chunk in stream:
            for text in heard.take(chunk):
                yield text
        yield heard.reply()


class _Heard:
    """An answer that comes in pieces, as far as it has come."""

    def __init__(self) -> None:
        self._text = self._refusal = ""
        self._calls: dict[int, dict[str, str]] = {}
        self._end: str | None = None
        self._usage: Usage | None = None

    def take(self, chunk: Any) -> Iterable[str]:
        """One piece; its text, if it has any."""
        if chunk.usage is not None:
            usage = chunk.usage
            self._usage = _counted(usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details)
        for choice in chunk.choices:
            self._end = choice.finish_reason or self._end
            self._refusal += getattr(choice.delta, "refusal", None) or ""
            for part in choice.delta.tool_calls or ():
                self._call(part)
            if text := choice.delta.content:
                self._text += text
                yield text

    def _call(self, part: Any) -> None:
        call = self._calls.setdefault(part.index or 0, {"id": "", "name": "", "arguments": ""})
        call["id"] = part.id or call["id"]
        if part.function is not None:
            call["name"] += part.function.name or ""
            call["arguments"] += part.function.arguments or ""

    def reply(self) -> Reply:
        """The whole answer. Raises ModelError when it never came to an end."""
        if self._end is None:
            raise cut()
        if self._refusal or self._end == "content_filter":
            return Reply(Answered(self._refusal or self._text), "refusal", self._usage)
        if self._end == "length":
            return Reply(Answered(self._text), "length", self._usage)
        calls = tuple(
            Call(call["id"] or f"call-{number}", call["name"], _arguments(call["arguments"]))
            for number, call in self._calls.items()
        )
        return Reply(Answered(self._text, calls), "end", self._usage)


def _turns(message: Message) -> list[dict[str, Any]]:
    match message:
        case Asked():
            return [{"role": "user", "content": message.text}]
        case Answered():
            turn = {"role": "assistant", "content": message.text or (None if message.calls else "(nothing)")}
            return [{**turn, "tool_calls": list(map(_made, message.calls))} if message.calls else turn]
        case Outcomes():
            return [
                {"role": "tool", "tool_call_id": outcome.call, "content": outcome.text}
                for outcome in message.outcomes
            ]


def _made(call: Call) -> dict[str, Any]:
    """A call as it was made; arguments that were no JSON would break the next one too."""
    arguments = json.dumps(call.arguments) if isinstance(call.arguments, dict) else "{}"
    return {"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": arguments}}
