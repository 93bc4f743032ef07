"""The languages that model APIs speak, as the scripted server answers in them.

Every reply costs 100 tokens in and 20 out; at OpenAI 30 of the 100 come from the cache.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from tests import responses_wire

Block = dict[str, Any]
Table = dict[str, Any]

_numbers = count(1)


class Messages:
    """Anthropic's Messages API."""

    path = "v1/messages"
    half = 3
    """How many events of a short answer come before it is cut."""

    def event(self, event: Table) -> bytes:
        return f"event: {event.get('type', 'error')}\ndata: {json.dumps(event)}\n\n".encode()

    def first_words(self, body: Table) -> Any:
        return body["messages"][:1]

    def error(self, kind: str, message: str) -> Table:
        return {"type": "error", "error": {"type": kind, "message": message}}

    def whole(self, blocks: Sequence[Block], model: str, stop: str) -> Table:
        stops = {"length": "max_tokens", "refusal": "refusal"}
        usual = "tool_use" if _uses(blocks) else "end_turn"
        return {
            "id": f"msg_{next(_numbers):08d}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": list(blocks),
            "stop_reason": stops.get(stop, usual),
            "stop_sequence": None,
            "usage": {
                "input_tokens": 100,
                "output_tokens": 20,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
            },
        }

    def stream(self, blocks: Sequence[Block], model: str, stop: str) -> Iterator[bytes]:
        message = self.whole(blocks, model, stop)
        yield self.event({"type": "message_start", "message": message | {"content": [], "stop_reason": None}})
        for index, block in enumerate(blocks):
            empty: Block = {"text": ""} if block["type"] == "text" else {"input": {}}
            hollow = block | empty
            yield self.event({"type": "content_block_start", "index": index, "content_block": hollow})
            yield self.event({"type": "content_block_delta", "index": index, "delta": self._delta(block)})
            yield self.event({"type": "content_block_stop", "index": index})
        ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        yield self.event({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 20}})
        yield self.event({"type": "message_stop"})

    def _delta(self, block: Block) -> Block:
        if block["type"] == "text":
            return {"type": "text_delta", "text": block["text"]}
        return {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}


class Responses:
    """OpenAI's Responses API."""

    path = "responses"
    half = 3

    def event(self, event: Table) -> bytes:
        return f"event: {event.get('type', 'error')}\ndata: {json.dumps(event)}\n\n".encode()

    def first_words(self, body: Table) -> Any:
        return responses_wire.first_words(body)

    def error(self, kind: str, message: str) -> Table:
        return {"error": {"type": kind, "code": kind, "message": message, "param": None}}

    def whole(self, blocks: Sequence[Block], model: str, stop: str) -> Table:
        raise NotImplementedError("nobody has asked for it")

    def stream(self, blocks: Sequence[Block], model: str, stop: str) -> Iterator[bytes]:
        return map(self.event, responses_wire.events(blocks, model, stop))


class Completions:
    """The Chat Completions that everybody speaks."""

    path = "chat/completions"
    half = 1

    def event(self, event: Table) -> bytes:
        return f"data: {json.dumps(event)}\n\n".encode()

    def first_words(self, body: Table) -> Any:
        return body["messages"][:2]  # the first is the system prompt

    def error(self, kind: str, message: str) -> Table:
        return {"error": {"type": kind, "code": kind, "message": message}}

    def whole(self, blocks: Sequence[Block], model: str, stop: str) -> Table:
        raise NotImplementedError("nobody has asked for it")

    def stream(self, blocks: Sequence[Block], model: str, stop: str) -> Iterator[bytes]:
        stops = {"length": "length", "filtered": "content_filter"}
        uses = 0
        for block in blocks:
            if block["type"] == "text":
                said = {"refusal" if stop == "refusal" else "content": block["text"]}
                yield self._chunk(model, [self._choice(said)])
                continue
            for delta in self._deltas(block, uses):
                yield self._chunk(model, [self._choice({"tool_calls": [delta]})])
            uses += 1
        end = stops.get(stop, "tool_calls" if uses else "stop")
        yield self._chunk(model, [self._choice({}, end)])
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        yield self._chunk(model, [], usage | {"prompt_tokens_details": {"cached_tokens": 30}})
        yield b"data: [DONE]\n\n"

    def _deltas(self, block: Block, index: int) -> Iterator[Table]:
        """The arguments come in two halves."""
        arguments = responses_wire.arguments(block)
        half = len(arguments) // 2
        function = {"name": block["name"], "arguments": arguments[:half]}
        yield {"index": index, "id": block["id"], "type": "function", "function": function}
        yield {"index": index, "function": {"arguments": arguments[half:]}}

    def _choice(self, delta: Table, end: str | None = None) -> Table:
        return {"index": 0, "delta": delta, "finish_reason": end}

    def _chunk(self, model: str, choices: list[Table], usage: Table | None = None) -> bytes:
        known = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": model}
        return self.event({**known, "choices": choices, "usage": usage})


class Ollama:
    """Ollama's own API, not streamed."""

    path = "api/chat"
    half = 0

    def event(self, event: Table) -> bytes:
        raise NotImplementedError("it is not streamed")

    def first_words(self, body: Table) -> Any:
        return body["messages"][:2]  # the first is the system prompt

    def error(self, kind: str, message: str) -> Table:
        return {"error": f"{kind}: {message}"}

    def whole(self, blocks: Sequence[Block], model: str, stop: str) -> Table:
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        calls = [
            {"function": {"name": block["name"], "arguments": block["input"]}} for block in _uses(blocks)
        ]
        return {
            "model": model,
            "created_at": "2030-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": text, "tool_calls": calls or None},
            "done": True,
            "done_reason": "length" if stop == "length" else "stop",
            "prompt_eval_count": 100,
            "eval_count": 20,
        }

    def stream(self, blocks: Sequence[Block], model: str, stop: str) -> Iterator[bytes]:
        raise NotImplementedError("it does not go together with tools")


class Gemini:
    """Google's: one event has the whole reply."""

    path = ":streamGenerateContent"
    half = 0

    def event(self, event: Table) -> bytes:
        return f"data: {json.dumps(event)}\r\n\r\n".encode()

    def first_words(self, body: Table) -> Any:
        return body["contents"][:1]

    def error(self, kind: str, message: str) -> Table:
        return {"error": {"code": 400, "status": kind, "message": message}}

    def whole(self, blocks: Sequence[Block], model: str, stop: str) -> Table:
        content = {"role": "model", "parts": [self._part(block) for block in blocks]}
        usage = {"promptTokenCount": 100, "candidatesTokenCount": 20, "cachedContentTokenCount": 30}
        return {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {**usage, "totalTokenCount": 120},
            "modelVersion": model,
        }

    def stream(self, blocks: Sequence[Block], model: str, stop: str) -> Iterator[bytes]:
        yield self.event(self.whole(blocks, model, stop))

    def _part(self, block: Block) -> Block:
        if block["type"] == "text":
            return {"text": block["text"]}
        return {"functionCall": {"name": block["name"], "args": block["input"]}}


Dialect = Messages | Responses | Completions | Ollama | Gemini
DIALECTS: tuple[Dialect, ...] = (Messages(), Responses(), Completions(), Ollama(), Gemini())


def said_by(path: str) -> Table:
    """What the address itself asks for: Gemini's names the model, and whether to stream."""
    name, _, wanted = path.partition("?")[0].rpartition("/")[2].partition(":")
    return {"model": name, "stream": wanted.startswith("stream")} if wanted else {}


def spoken_at(path: str) -> Dialect:
    """The dialect of the address a client calls."""
    fits = (dialect for dialect in DIALECTS if path.partition("?")[0].endswith(dialect.path))
    return next(fits, DIALECTS[0])


def _uses(blocks: Sequence[Block]) -> list[Block]:
    return [block for block in blocks if block["type"] == "tool_use"]
