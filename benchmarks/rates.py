"""How much of what a strict server allows is achieved, and how many calls it refuses for that."""

from __future__ import annotations

import json
import random
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Contender, Contest
from benchmarks.processes import Command
from tests.limits.strict_server import Pace, StrictServer, sizes
from tests.model_server import Drip, Failure, ModelServer, Request, Turn, text

AT_ONCE = 16
LIMITS = {"requests_per_minute": 600, "tokens_per_minute": 60_000}
PATIENCE = 220.0
"""Seconds that a peer may take; what is not granted by then is lost. The limit itself needs 150."""
CLIENT = Path(__file__).parent / "programs" / "rates_client.py"
PEERS = {
    "OpenAI's SDK, its 2 retries": "sdk",
    "OpenAI's SDK, retries without end": "patient-sdk",
    "backoff alone": "backoff",
}
"""What each is called here, and in ``programs/rates_client.py``."""
LIMITERS = ("aiolimiter", "pyrate-limiter")


def rates(counts: list[int], peered: bool) -> Iterator[Contest]:
    """Calls of very different sizes to a server that grants 600 of them and 60,000 tokens a minute."""
    for count in counts:
        with ExitStack() as open_now:
            served = partial(_served, open_now, count)
            contenders, missing = peers.to_be_had(
                partial(make, partial(served, is_strict), ", refusals count" if is_strict else "")
                for is_strict in (False, True)
                for make in _makers(peered)
            )
            yield Contest(f"{count} calls at a limit", contenders, count, missing, is_race=True)


def _served(open_now: ExitStack, count: int, is_strict: bool) -> Limited:
    return open_now.enter_context(Limited(count, is_strict))


def _makers(peered: bool) -> Iterator[Callable[[Callable[[], Limited], str], Contender]]:
    """Everyone who makes the calls: of a server, and with a word on what that is like."""
    yield partial(_aca, 1)
    yield partial(_aca, 2)
    for name, how in PEERS.items():
        yield partial(_peer, name, how, sys.executable)
    if peered:
        yield from (partial(_limiter, name) for name in LIMITERS)


class Limited(ModelServer):
    """A model that grants what a strict server grants. A call weighs a token per four letters asked."""

    def __init__(self, count: int, is_strict: bool) -> None:
        super().__init__()
        self.count = count
        self.weigh = lambda body: (len(json.dumps(body["input"])) // 4, 20)
        self._rules = StrictServer(Pace(1.0), counts_refused=is_strict)
        self._one_at_a_time = threading.Lock()
        self.script("work")

    def turn(self, request: Request) -> Turn:
        with self._one_at_a_time:
            status, headers = self._rules.judge(sum(self.weigh(request.body)))
        if status != 200:
            return Failure(status, "rate_limit_exceeded", "Rate limit reached", headers)
        return Drip([text("Done.")], 0.1 * random.random())  # noqa: S311 - some take longer than others

    def seen(self) -> Mapping[str, float]:
        granted, refused = len(self._rules.granted), self._rules.refused
        return {
            "% of the limit": round(100 * self._rules.share, 1) if granted else 0.0,
            "fullest minute, %": round(100 * self._rules.fullest, 1),
            "% refused": round(100 * refused / max(1, granted + refused), 1),
            "lost": self.count - granted,
        }

    def environment(self) -> dict[str, str]:
        return {"OPENAI_API_KEY": "none-is-needed", "OPENAI_BASE_URL": self.url("work")}


def _prompts(count: int) -> list[str]:
    """Each as long as its call is to weigh."""
    return ["word " * (tokens * 4 // 5) for tokens in sizes(count)]


def _aca(processes: int, served: Callable[[], Limited], word: str) -> Contender:
    """The calls as tasks of a plan, or of several that run at the same time in processes of their own."""
    server = served()

    def prepare(folder: Path) -> Command:
        runs, ends = "", ""
        for number in range(processes):
            place = folder / str(number)
            place.mkdir()
            plan = _plan(_prompts(server.count)[number::processes])
            (place / "plan.json").write_text(json.dumps(plan))
            runs += f"(cd {number} && {shlex.join(peers.ACA)} run plan.json --quiet) & p{number}=$!; "
            ends += f"wait $p{number} || exit 1; "
        return ["env", f"XDG_STATE_HOME={folder}/state", "/bin/sh", "-c", runs + ends]

    name = "aca" if processes == 1 else f"aca, {processes} processes"
    return Contender(name + word, prepare, server.environment(), server.seen)


def _plan(prompts: list[str]) -> dict[str, object]:
    tasks = [
        {"id": f"t{number}", "title": f"Call {number}", "description": text}
        for number, text in enumerate(prompts)
    ]
    return {
        "format_version": 1,
        "execution_mode": "parallel",
        "max_concurrent_tasks": AT_ONCE,
        "defaults": {"provider": "openai", "model": "gpt-5"},
        "providers": {"openai": {"api": "responses"}},
        "rate_limiting": LIMITS,
        "tasks": tasks,
    }


def _peer(name: str, how: str, interpreter: str, served: Callable[[], Limited], word: str) -> Contender:
    server = served()

    def prepare(folder: Path) -> Command:
        (folder / "prompts.json").write_text(json.dumps(_prompts(server.count)))
        return [interpreter, str(CLIENT), how, str(AT_ONCE), str(PATIENCE)]

    return Contender(name + word, prepare, server.environment(), server.seen)


def _limiter(name: str, served: Callable[[], Limited], word: str) -> Contender:
    return _peer(name, name, peers.python(name), served, word)
