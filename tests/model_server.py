"""A model to talk to: an HTTP server on the loopback that plays a script.

    with ModelServer() as server:
        server.script("greet", [tool("Write", file_path="a.txt", content="a")], [text("done")])
        run_agent(ANTHROPIC_BASE_URL=server.url("greet"))
        assert len(server.requests) == 2

Each request to a scenario is answered with its next turn; when there is none left, with "Done.". A turn
is a list of content blocks, or a ``Failure``, a ``Hang``, a ``Cut``, a ``Drip``, ``Stopped``, ``Altered`` or
``Raw``. Where one scenario serves several conversations, ``when`` names words that the conversation's first
message contains.
The path that is asked for decides which language it speaks (``tests.dialects``).
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, Self

from tests.dialects import DIALECTS, Block, Dialect, said_by, spoken_at

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
    """The connection is closed in the middle of a reply, if ``told`` after an error of that kind."""

    told: str = ""


@dataclass(frozen=True)
class Drip:
    """A reply that comes slowly, so many seconds between its events."""

    blocks: Sequence[Block]
    pause: float


@dataclass(frozen=True)
class Stopped:
    """A reply that ends for a reason of its own: ``length``, ``refusal`` or ``filtered``."""

    blocks: Sequence[Block]
    reason: str


@dataclass(frozen=True)
class Altered:
    """A reply in whose bytes every ``pattern`` is replaced, event by event."""

    blocks: Sequence[Block]
    pattern: bytes
    replacement: bytes

    def alter(self, event: bytes) -> bytes:
        return re.sub(self.pattern, self.replacement, event)


@dataclass(frozen=True)
class Raw:
    """Bytes in the place of a reply, after which the connection is closed."""

    content: bytes
    kind: str = "text/event-stream"


Turn = Sequence[Block] | Raw | Failure | Hang | Cut | Drip | Stopped | Altered
Reply = Sequence[Block] | Cut | Drip | Stopped | Altered


def text(words: str) -> Block:
    """Something the model says."""
    return {"type": "text", "text": words}


def tool(name: str, /, **arguments: object) -> Block:
    """A tool the model uses."""
    return {"type": "tool_use", "id": f"toolu_{next(_numbers):08d}", "name": name, "input": arguments}


@dataclass(frozen=True)
class Request:
    """What a client asked: the scenario and the body of the call."""

    scenario: str
    body: dict[str, Any]
    dialect: Dialect = DIALECTS[0]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def first_words(self) -> str:
        """How the conversation began, as JSON text."""
        return json.dumps(self.dialect.first_words(self.body), ensure_ascii=False)


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

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.requests: list[Request] = []
        self.models: list[str] = ["small:latest"]
        self.listed = 0  # how often somebody asked for these
        self._scripts: dict[str, list[_Script]] = {}
        self._lock = threading.Lock()
        self.weigh: Callable[[dict[str, Any]], tuple[int, int]] = lambda _body: (100, 20)
        """How many tokens in and out a streamed reply of Anthropic's is told to have used."""
        self.closing = threading.Event()
        self._http = _Server((address, 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
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
        return f"http://{self.host}/{scenario}"

    @property
    def host(self) -> str:
        """Address and port."""
        address, port = self._http.server_address[:2]
        return f"{address!s}:{port}"

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


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away needs no telling: clients are killed here."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    model: ModelServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._send(200, b"", {})

    def do_GET(self) -> None:
        """What Ollama has."""
        self.model.listed += 1
        models = [{"model": name, "name": name} for name in self.model.models]
        self._send(200, json.dumps({"models": models}).encode(), {})

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = {**said_by(self.path), **said}
        dialect = spoken_at(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        turn = self.model.turn(Request(self.path.split("/")[1], body, dialect, headers))
        if isinstance(turn, Hang):
            self.model.closing.wait()
            self.close_connection = True
        elif isinstance(turn, Failure):
            error = json.dumps(dialect.error(turn.kind, turn.message))
            self._send(turn.status, error.encode(), turn.headers)
        elif isinstance(turn, Raw):
            self._begin(turn.kind)
            self.wfile.write(turn.content)
        elif body.get("stream"):
            self._stream(turn, dialect, body["model"], self.model.weigh(said))
        else:
            self._whole(turn, dialect, body["model"])

    def _send(self, status: int, content: bytes, headers: Mapping[str, str], missing: int = 0) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) + missing))
        self.end_headers()
        self.wfile.write(content)

    def _whole(self, turn: Reply, dialect: Dialect, model: str) -> None:
        is_cut = isinstance(turn, Cut) and not dialect.half
        blocks, stop, pause = _parts([text("Done.")] if isinstance(turn, Cut) else turn)
        self.model.closing.wait(pause)
        content = _altered(turn, json.dumps(dialect.whole(blocks, model, stop)).encode())
        self._send(200, content, {}, missing=10 if is_cut else 0)
        self.close_connection = self.close_connection or is_cut

    def _begin(self, kind: str) -> None:
        """Announce a reply that lasts until the connection is closed."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def _stream(self, turn: Reply, dialect: Dialect, model: str, weight: tuple[int, int]) -> None:
        self._begin("text/event-stream")
        blocks, stop, pause = _parts([text("half of a sen")] if isinstance(turn, Cut) else turn)
        events = [_weighed(event, weight) for event in dialect.stream(blocks, model, stop)]
        for event in events[: dialect.half] if isinstance(turn, Cut) else events:
            self.model.closing.wait(pause)
            self.wfile.write(_altered(turn, event))
            self.wfile.flush()
        if isinstance(turn, Cut) and turn.told:
            self.wfile.write(dialect.event(dialect.error(turn.told, "it broke in the middle")))

    def log_message(self, *_: object) -> None:
        """Say nothing: the test that fails will show the requests."""


def _weighed(event: bytes, weight: tuple[int, int]) -> bytes:
    given, made = (str(tokens).encode() for tokens in weight)
    event = event.replace(b'"input_tokens": 100', b'"input_tokens": ' + given)
    return event.replace(b'"output_tokens": 20', b'"output_tokens": ' + made)


def _altered(turn: Reply, event: bytes) -> bytes:
    return turn.alter(event) if isinstance(turn, Altered) else event


def _parts(turn: Sequence[Block] | Drip | Stopped | Altered) -> tuple[Sequence[Block], str, float]:
    """The blocks of a reply, why it ends, and how slow it is."""
    if isinstance(turn, Drip):
        return turn.blocks, "", turn.pause
    if isinstance(turn, Stopped):
        return turn.blocks, turn.reason, 0.0
    if isinstance(turn, Altered):
        return turn.blocks, "", 0.0
    return turn, "", 0.0
