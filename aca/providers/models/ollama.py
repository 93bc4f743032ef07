"""Models on one's own machine, through Ollama."""

from __future__ import annotations

import asyncio
import importlib
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from aca.core.events import Usage
from aca.errors import Problem, did_you_mean
from aca.plans.values import Duration
from aca.providers.base import Availability, Errand
from aca.providers.models import address, chat
from aca.providers.models.chat import Wire
from aca.providers.models.conversation import Answered, Asked, Call, Message, Outcomes, Reply, Request
from aca.providers.models.trouble import ModelError, understanding
from aca.safety import keys
from aca.tools.base import Tool

PATIENCE = 3.0
"""Seconds within which a server that is there says so."""


class Options(chat.Options):
    """``providers.ollama`` of a plan."""

    idle_timeout: Duration = Field(default=1800.0, gt=0)
    """How long an answer may take: it comes in one piece."""
    host: address.Host | None = None
    """Where it listens; else OLLAMA_HOST, else this machine."""
    num_ctx: int = Field(default=32_768, ge=1024)
    """The context window in tokens. Ollama's own default is small, and it forgets what does not fit."""


def problems(options: Options, errands: Iterable[Errand], workspace: Path) -> list[Problem]:
    """What keeps it from being used here, as far as that shows without its server: where that is."""
    _where(options)
    return []


def lacks(options: Options, errands: Iterable[Errand]) -> list[Problem]:
    """What its server says: it does not answer, or does not have the models of *errands*."""
    models, found = _look(options)
    if not found.ok:
        return [Problem(found.detail, found.cure)]
    wanted = dict.fromkeys(filter(None, (one.model or options.model for one in errands)))
    return [problem for model in wanted if (problem := _missing(model, models))]


def faults(options: Options, errands: Iterable[Errand]) -> list[Problem]:
    """What it cannot do anywhere: a task for which no model is named. Its server is not asked."""
    if all(one.model or options.model for one in errands):
        return []
    return [
        Problem("no model is named for Ollama", "name one of those it has as its model: see `ollama list`")
    ]


class Ollama(chat.Chat):
    """A local model that uses aca's tools."""

    name = "ollama"
    key = "OLLAMA_API_KEY"
    options: ClassVar[type[chat.Options]] = Options

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether its server answers, and has the model that is named; how many it has."""
        checked = Options.model_validate(options)
        models, found = _look(checked)
        lack = _missing(checked.model, models) if found.ok and checked.model else None
        return Availability(False, lack.message, lack.cure) if lack else found

    @asynccontextmanager
    async def connect(self, options: Options, model: str, system: str) -> AsyncIterator[Wire]:
        sdk: Any = await asyncio.to_thread(importlib.import_module, "ollama")
        client = sdk.AsyncClient(
            host=options.host, timeout=options.idle_timeout, headers=_signed(), verify=chat.trusted()
        )
        async with client:
            yield _Native(sdk, client, model, system, options)


class _Native:
    """Ollama's own API. It is not streamed: with tools that does not work for every model."""

    def __init__(self, sdk: Any, client: Any, model: str, system: str, options: Options) -> None:
        self._sdk, self._client, self._model, self._system = sdk, client, model, system
        self._options = {"num_ctx": options.num_ctx}

    async def complete(self, request: Request) -> AsyncIterator[str | Reply]:
        import httpx

        system = {"role": "system", "content": self._system}
        longest = {"num_predict": request.longest} if request.longest else {}
        asked = {
            "model": self._model,
            "messages": [system, *(turn for message in request.messages for turn in _turns(message))],
            # An answer in a schema and tools do not go together.
            "tools": [] if request.schema else [_tool(tool) for tool in request.tools],
            "format": request.schema,
            "options": {**self._options, **longest},
        }
        try:
            with understanding():
                response = await self._client.chat(**asked)
                yield response.message.content or ""
                yield _reply(response, request)
        except (self._sdk.ResponseError, ConnectionError, httpx.HTTPError, ValueError) as error:
            raise ModelError.of(error) from error


def _reply(response: Any, request: Request) -> Reply:
    text = response.message.content or ""
    usage = Usage(response.prompt_eval_count or 0, response.eval_count or 0)
    if response.done_reason == "length":
        if request.longest is None:
            cure = "raise providers.ollama.num_ctx"
            raise ModelError(f"the conversation fills the context window: {cure}", known="context")
        return Reply(Answered(text), "length", usage)
    calls = tuple(
        Call(f"call-{uuid.uuid4().hex[:8]}", call.function.name, dict(call.function.arguments))
        for call in response.message.tool_calls or ()
    )
    return Reply(Answered(text, calls), "end", usage)


def _tool(tool: type[Tool]) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description(), "parameters": tool.parameters()}
    return {"type": "function", "function": function}


def _turns(message: Message) -> list[dict[str, Any]]:
    match message:
        case Asked():
            return [{"role": "user", "content": message.text}]
        case Answered():
            calls = [
                {"function": {"name": call.tool, "arguments": _table(call.arguments)}}
                for call in message.calls
            ]
            return [{"role": "assistant", "content": message.text, "tool_calls": calls}]
        case Outcomes():
            return [
                {"role": "tool", "tool_name": outcome.tool, "content": outcome.text}
                for outcome in message.outcomes
            ]


def _table(arguments: object) -> dict[str, Any]:
    return arguments if isinstance(arguments, dict) else {}


# -- the server ---------------------------------------------------------------------------------------------


def _where(options: Options) -> str:
    return address.given(options.host, "OLLAMA_HOST", address.host) or "http://127.0.0.1:11434"


def _look(options: Options) -> tuple[list[str], Availability]:
    """The models it has, and whether it is there at all."""
    where = _where(options)
    import httpx
    import ollama  # which makes a client for OLLAMA_HOST as it is imported

    client = ollama.Client(host=where, timeout=PATIENCE, headers=_signed())
    try:
        with client:
            models = [str(model.model) for model in client.list().models]
    except (ollama.ResponseError, ConnectionError, httpx.HTTPError, ValueError) as error:
        cure = "start it with `ollama serve` (https://ollama.com/download), or set OLLAMA_HOST"
        return [], Availability(False, f"no Ollama answers at {where}: {_first_line(error)}", cure)
    return models, Availability(True, f"at {where}, {len(models)} model{'s' if len(models) != 1 else ''}")


def _signed() -> dict[str, str]:
    """The key as a header, for servers that want one. Most are on this machine and want none."""
    key = keys.key(Ollama.key)
    return {"authorization": f"Bearer {key}"} if key else {}


def _first_line(error: Exception) -> str:
    return str(error).partition(". ")[0]


def _missing(model: str, models: Sequence[str]) -> Problem | None:
    names = {*models, *(name.removesuffix(":latest") for name in models)}
    if model in names:
        return None
    cure = f"get it with `ollama pull {model}`"
    near = did_you_mean(model, names)
    return Problem(f"Ollama has no model {model}", f"{near} Or {cure}" if near else cure)
