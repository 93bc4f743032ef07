"""The scripted model's replies in the words of OpenAI Responses, as codex asks for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

Block = dict[str, Any]

USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 30},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}
"""What every reply costs. Unlike Anthropic's, the input includes what was cached."""
_numbers = count(1)


def events(blocks: Sequence[Block], model: str, stop: str = "") -> Iterator[dict[str, Any]]:
    """A reply as a stream of events; *stop* is why it ends, where it does not end by itself."""
    items = [_item(block, stop) for block in blocks]
    response = {"id": f"resp_{next(_numbers):08d}", "object": "response", "model": model, "output": items}
    hollow = {**response, "status": "in_progress", "output": []}
    yield {"type": "response.created", "response": hollow}
    for index, (block, item) in enumerate(zip(blocks, items, strict=True)):
        where = {"output_index": index, "item_id": item["id"]}
        yield {"type": "response.output_item.added", **where, "item": _hollow(item)}
        yield {**_delta(block), **where}
        yield {"type": "response.output_item.done", **where, "item": item}
    ending = {**response, **_ending(stop), "usage": USAGE}
    yield {"type": f"response.{ending['status']}", "response": ending}


def first_words(body: dict[str, Any]) -> list[Any]:
    """What the person has said before the model first answered."""
    said = []
    for item in body["input"]:
        if item.get("role") == "assistant" or item.get("type", "message") != "message":
            break
        said.append(item)
    return said


def _ending(stop: str) -> dict[str, Any]:
    reasons = {"length": "max_output_tokens", "filtered": "content_filter"}
    if stop in reasons:
        return {"status": "incomplete", "incomplete_details": {"reason": reasons[stop]}}
    return {"status": "completed", "incomplete_details": None}


def _item(block: Block, stop: str) -> dict[str, Any]:
    if block["type"] == "reasoning":
        return {"id": f"rs_{next(_numbers):08d}", "summary": [], **block}
    if block["type"] == "text":
        content = [{"type": "output_text", "text": block["text"], "annotations": []}]
        if stop == "refusal":
            content = [{"type": "refusal", "refusal": block["text"]}]
        return {"type": "message", "id": f"msg_{next(_numbers):08d}", "role": "assistant",
                "status": "completed", "content": content}  # fmt: skip
    return {"type": "function_call", "id": f"fc_{next(_numbers):08d}", "call_id": block["id"],
            "name": block["name"], "arguments": arguments(block), "status": "completed"}  # fmt: skip


def arguments(block: Block) -> str:
    """What a tool is called with; text stands for what a model wrote that is no JSON."""
    return block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])


def _hollow(item: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"content": []} if item["type"] != "function_call" else {"arguments": ""}
    return {**item, **empty, "status": "in_progress"}


def _delta(block: Block) -> dict[str, Any]:
    if block["type"] == "text":
        return {"type": "response.output_text.delta", "content_index": 0, "delta": block["text"]}
    if block["type"] == "reasoning":
        return {"type": "response.reasoning_text.delta", "content_index": 0, "delta": ""}
    return {"type": "response.function_call_arguments.delta", "delta": arguments(block)}
