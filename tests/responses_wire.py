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


def events(blocks: Sequence[Block], model: str) -> Iterator[dict[str, Any]]:
    """A reply as a stream of events."""
    items = [_item(block) for block in blocks]
    response = {"id": f"resp_{next(_numbers):08d}", "object": "response", "model": model, "output": items}
    hollow = {**response, "status": "in_progress", "output": []}
    yield {"type": "response.created", "response": hollow}
    for index, (block, item) in enumerate(zip(blocks, items, strict=True)):
        where = {"output_index": index, "item_id": item["id"]}
        yield {"type": "response.output_item.added", **where, "item": _hollow(item)}
        yield {**_delta(block), **where}
        yield {"type": "response.output_item.done", **where, "item": item}
    yield {"type": "response.completed", "response": {**response, "status": "completed", "usage": USAGE}}


def first_words(body: dict[str, Any]) -> str:
    """What the person has said before the model first answered, as JSON text."""
    said = []
    for item in body["input"]:
        if item.get("role") == "assistant" or item.get("type", "message") != "message":
            break
        said.append(item)
    return json.dumps(said, ensure_ascii=False)


def _item(block: Block) -> dict[str, Any]:
    if block["type"] == "text":
        content = [{"type": "output_text", "text": block["text"], "annotations": []}]
        return {"type": "message", "id": f"msg_{next(_numbers):08d}", "role": "assistant",
                "status": "completed", "content": content}  # fmt: skip
    return {"type": "function_call", "id": f"fc_{next(_numbers):08d}", "call_id": block["id"],
            "name": block["name"], "arguments": json.dumps(block["input"]), "status": "completed"}  # fmt: skip


def _hollow(item: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
    return {**item, **empty, "status": "in_progress"}


def _delta(block: Block) -> dict[str, Any]:
    if block["type"] == "text":
        return {"type": "response.output_text.delta", "content_index": 0, "delta": block["text"]}
    return {"type": "response.function_call_arguments.delta", "delta": json.dumps(block["input"])}
