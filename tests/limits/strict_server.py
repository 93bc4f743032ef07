"""A strict server on the loopback, so many times faster than life: so much per minute, and 429 for the rest.

It keeps a log of the last minute and refuses whatever would make it more than is allowed. ``counts_refused``
makes refused calls count, too; ``tells`` makes it tell its limits in headers, as OpenAI's API does.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aca.core.events import Usage
from aca.limits.account import Keeper, LimitedAccount
from aca.limits.shared import SharedFile
from aca.limits.windows import Window
from aca.plans.settings import RateLimiting
from aca.providers.account import Account

MINUTE = 60.0


@dataclass
class Pace:
    """A clock that runs *scale* times as fast as life, and sleeps that are as much shorter."""

    scale: float
    began: float = field(default_factory=time.monotonic)
    zero: float = 1_800_000_000.0

    def clock(self) -> float:
        return self.zero + (time.monotonic() - self.began) * self.scale

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.scale)


@dataclass
class StrictServer:
    """Grants ``requests`` and ``tokens`` per minute; ``granted`` and ``refused`` are what became of calls."""

    pace: Pace
    requests: float = 600
    tokens: float = 60_000
    latency: float = 0.5
    counts_refused: bool = False
    tells: bool = False
    granted: list[tuple[float, int]] = field(default_factory=list)
    refused: int = 0
    _log: deque[tuple[float, int]] = field(default_factory=deque)

    async def __aenter__(self) -> StrictServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        wanted = int(head.split()[1].strip("/"))
        status, headers = self.judge(wanted)
        if status == 200:
            await self.pace.sleep(self.latency * random.random())
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {status} .\r\n{lines}\r\n".encode())
        await writer.drain()
        writer.close()

    async def call(self, tokens: int) -> tuple[int, dict[str, str]]:
        """One call that uses so many tokens: status and headers."""
        return await post(self.port, tokens)

    def judge(self, wanted: int) -> tuple[int, dict[str, str]]:
        now = self.pace.clock()
        while self._log and self._log[0][0] <= now - MINUTE:
            self._log.popleft()
        calls, tokens = len(self._log), sum(one for _, one in self._log)
        is_fine = calls < self.requests and tokens + wanted <= self.tokens
        if is_fine or self.counts_refused:
            self._log.append((now, wanted))
        if is_fine:
            self.granted.append((now, wanted))
            return 200, self._limits(calls + 1, tokens + wanted)
        self.refused += 1
        return 429, {"retry-after": f"{self._log[0][0] + MINUTE - now:.3f}", **self._limits(calls, tokens)}

    def _limits(self, calls: int, tokens: int) -> dict[str, str]:
        if not self.tells:
            return {}
        return {
            "x-ratelimit-limit-requests": f"{self.requests:g}",
            "x-ratelimit-limit-tokens": f"{self.tokens:g}",
            "x-ratelimit-remaining-requests": f"{max(0.0, self.requests - calls):g}",
            "x-ratelimit-remaining-tokens": f"{max(0.0, self.tokens - tokens):g}",
        }

    @property
    def share(self) -> float:
        """The tokens granted, as a share of what was allowed from the first call to the last."""
        first, last = self.granted[0][0], self.granted[-1][0]
        return sum(one for _, one in self.granted) / (self.tokens / MINUTE * max(last - first, MINUTE))

    @property
    def fullest(self) -> float:
        """The most that was granted within a minute, as a share of the limit."""
        most = 0.0
        for at, _ in self.granted:
            within = [one for when, one in self.granted if at <= when < at + MINUTE]
            most = max(most, len(within) / self.requests, sum(within) / self.tokens)
        return most


async def post(port: int, tokens: int) -> tuple[int, dict[str, str]]:
    """One call that uses so many tokens: status and headers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST /{tokens} HTTP/1.1\r\n\r\n".encode())
    head = (await reader.read()).decode()
    writer.close()
    first, *lines = head.strip().splitlines()
    pairs = (line.partition(": ") for line in lines if line)
    return int(first.split()[1]), {name: value for name, _, value in pairs}


@dataclass
class Nobody:
    """An attempt without a time limit that notes what it is told."""

    waited: list[tuple[str, float]] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def waits(self, reason: str, seconds: float) -> None:
        self.waited.append((reason, seconds))

    def off_the_clock(self) -> Any:
        return nullcontext()

    def neared(self, name: str, window: Window) -> None:
        self.warned.append(name)


def keeper(path: Path, limits: RateLimiting, pace: Pace, **more: Any) -> Keeper:
    """An account on a shared file of its own."""
    shelf = SharedFile(path / "limits.sqlite")
    return Keeper("openai", "openai#test", limits, shelf, pace.clock, pace.sleep, **more)


def account(one: Keeper, task: str = "task") -> LimitedAccount:
    return LimitedAccount(one, Nobody(), task, "model")


def sizes(count: int, seed: int = 7) -> list[int]:
    """Tokens of calls of very different sizes."""
    rng = random.Random(seed)
    return [round(min(6000.0, 40 + rng.paretovariate(1.2) * 130)) for _ in range(count)]


async def push(server: StrictServer, paid_by: Account, calls: Iterable[int], side_by_side: int = 16) -> int:
    """Make *calls*, several side by side, each again until it is granted; returns how many were lost."""
    left = deque(calls)

    async def work() -> None:
        while left:
            tokens = left.popleft()
            while not await grant(server, paid_by, tokens):
                pass

    await asyncio.gather(*(work() for _ in range(side_by_side)))
    return len(left)


async def grant(server: StrictServer, paid_by: Account, tokens: int) -> bool:
    async with paid_by.call(round(tokens * 3.0)) as call:
        status, headers = await server.call(tokens)
        call.heard({"status": status, **headers})
        if status == 200:
            call.used(Usage(round(tokens * 0.8), tokens - round(tokens * 0.8)))
            return True
        call.failed("transient", server.pace.clock() + float(headers["retry-after"]))
        return False
