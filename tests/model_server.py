"""A model to talk to: an HTTP server on the loopback that plays a script.

    with ModelServer() as server:
        server.script("greet", [tool("Write", file_path="a.txt", content="a")], [text("done")])
        run_agent(ANTHROPIC_BASE_URL=server.url("greet"))
        assert len(server.requests) == 2

Each request to a scenario is answered with its next turn; when there is none left, with "Done.". A turn
is a list of content blocks, or a ``Failure``, a ``Hang`` or a ``Cut``. Where one scenario serves several
conversations, ``when`` names words that the conversation's first message contains. The path that is asked
for decides which language it speaks: Anthropic Messages, or OpenAI Responses (``tests.responses_wire``).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any

from tests import responses_wire

Block = dict[str, Any]

_numbers = count(1)


@dataclass(frozen=True)
class Failure:
    """An HTTP error instead of a reply."""

    status: int
    kind: str = "api_error"
    message: str = "scripted failure"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hang:
    """No answer until the server is closed."""


@dataclass(frozen=True)
class Cut:
    """The connection is closed in the middle of a streamed reply."""


Turn = Sequence[Block] | Failure | Hang | Cut


def text(words: str) -> Block:
    """Something the model says."""
    return {"type": "text", "text": words}


def tool(name: str, **arguments: object) -> Block:
    """A tool the model uses."""
    return {"type": "tool_use", "id": f"toolu_{next(_numbers):08d}", "name": name, "input": arguments}


@dataclass(frozen=True)
class Request:
    """What a client asked: the scenario and the body of the call."""

    scenario: str
    body: dict[str, Any]

    @property
    def first_words(self) -> str:
        """The conversation's first message, as JSON text."""
        if "input" in self.body:
            return responses_wire.first_words(self.body)
        return json.dumps(self.body["messages"][:1], ensure_ascii=False)


@dataclass
class _Script:
    when: str
    turns: list[Turn]
    played: int = 0

    def next(self) -> Turn:
        self.played += 1
        return self.turns[self.played - 1] if self.played <= len(self.turns) else [text("Done.")]


class ModelServer:
    """Answers model calls from scripts, one per scenario and conversation."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._scripts: dict[str, list[_Script]] = {}
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def script(self, scenario: str, *turns: Turn, when: str = "") -> None:
        """The turns that *scenario* plays in conversations whose first message contains *when*."""
        self._scripts.setdefault(scenario, []).append(_Script(when, list(turns)))

    def url(self, scenario: str) -> str:
        """The base URL at which *scenario* is played."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/{scenario}"

    def wait_for(self, requests: int, seconds: float = 30.0) -> None:
        """Until so many requests have arrived in all."""
        deadline = time.monotonic() + seconds
        while len(self.requests) < requests:
            assert time.monotonic() < deadline, f"{len(self.requests)} requests arrived, not {requests}"
            time.sleep(0.01)

    def turn(self, request: Request) -> Turn:
        """Note *request* and choose its answer."""
        with self._lock:
            self.requests.append(request)
            for script in self._scripts.get(request.scenario, []):
                if script.when in request.first_words:
                    return script.next()
        return Failure(404, "not_found_error", f"no script for {request.scenario}")

    def _handler(self) -> type[_Handler]:
        return type("Handler", (_Handler,), {"model": self})


class _Handler(BaseHTTPRequestHandler):
    model: ModelServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._send(200, b"", {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        turn = self.model.turn(Request(self.path.split("/")[1], body))
        if isinstance(turn, Hang):
            self.model.closing.wait()
            self.close_connection = True
        elif isinstance(turn, Failure):
            error = {"type": "error", "error": {"type": turn.kind, "message": turn.message}}
            self._send(turn.status, json.dumps(error).encode(), turn.headers)
        elif body.get("stream"):
            self._stream(turn, body["model"])
        else:
            blocks = [text("Done.")] if isinstance(turn, Cut) else turn
            self._send(200, json.dumps(_message(blocks, body["model"])).encode(), {})

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, turn: Sequence[Block] | Cut, model: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        told = responses_wire.events if self.path.endswith("/responses") else _events
        events = told([text("half of a sen")] if isinstance(turn, Cut) else turn, model)
        for number, event in enumerate(events):
            if isinstance(turn, Cut) and number == 3:
                return
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing: the test that fails will show the requests."""


def _message(blocks: Sequence[Block], model: str) -> dict[str, Any]:
    """A whole reply; every one costs 100 tokens in and 20 out."""
    uses_tools = any(block["type"] == "tool_use" for block in blocks)
    return {
        "id": f"msg_{next(_numbers):08d}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(blocks),
        "stop_reason": "tool_use" if uses_tools else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 100,
            "output_tokens": 20,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def _events(blocks: Sequence[Block], model: str) -> Iterator[dict[str, Any]]:
    """The same reply as a stream of events."""
    message = _message(blocks, model)
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_start", "message": message | {"content": [], "stop_reason": None}}
    for index, block in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": _hollow(block)}
        yield {"type": "content_block_delta", "index": index, "delta": _delta(block)}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 20}}
    yield {"type": "message_stop"}


def _hollow(block: Block) -> Block:
    empty: Block = {"text": ""} if block["type"] == "text" else {"input": {}}
    return block | empty


def _delta(block: Block) -> Block:
    if block["type"] == "text":
        return {"type": "text_delta", "text": block["text"]}
    return {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
