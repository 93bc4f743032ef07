"""What a strict server grants: nearly all that is allowed, and hardly a call is refused."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from pathlib import Path

import pytest

from aca.limits.account import LimitedAccount
from aca.limits.book import Book
from aca.plans.settings import RateLimiting
from aca.providers.account import ClosedError
from tests.limits import virtual
from tests.limits.strict_server import Nobody, Pace, StrictServer, account, keeper, push, sizes

STRICT = RateLimiting(requests_per_minute=600, tokens_per_minute=60_000)
OPEN = RateLimiting()


class VirtualPace(Pace):
    """The clock of a loop in which nobody waits."""

    def __init__(self) -> None:
        super().__init__(1.0)

    def clock(self) -> float:
        return virtual.clock()


class VirtualServer(StrictServer):
    """The same judgement, reached by calls that take up to ten seconds and arrive more or less in order."""

    async def call(self, tokens: int) -> tuple[int, dict[str, str]]:
        await asyncio.sleep(0.2 * random.random())
        status, headers = self.judge(tokens)
        await asyncio.sleep(10 * random.random() if status == 200 else 0)
        return status, headers


@pytest.mark.parametrize("counts_refused", [False, True], ids=["refused for nothing", "refused calls count"])
@pytest.mark.parametrize(
    ("tells", "limits", "side_by_side"),
    [(False, STRICT, 16), (True, OPEN, 16), (True, STRICT, 16), (True, STRICT, 48)],
    ids=["set", "told", "both", "both, with more at once"],
)
def test_nearly_all_that_is_allowed_is_granted(
    tmp_path: Path, counts_refused: bool, tells: bool, limits: RateLimiting, side_by_side: int
) -> None:
    """300 calls of very different sizes: 98 % of the limit or more, at most 1 % refused, none lost."""
    random.seed(side_by_side)

    async def story() -> StrictServer:
        server = VirtualServer(VirtualPace(), counts_refused=counts_refused, tells=tells)
        calls = sizes(300)
        assert await push(server, account(keeper(tmp_path, limits, server.pace)), calls, side_by_side) == 0
        assert sorted(tokens for _, tokens in server.granted) == sorted(calls)
        return server

    server = virtual.run(story())
    assert server.refused <= 3
    assert server.fullest <= 1
    assert server.share >= 0.98


def test_a_real_server_grants_as_much(tmp_path: Path) -> None:
    """Over HTTP on the loopback, fifteen times as fast as life."""

    async def story() -> StrictServer:
        pace = Pace(15)
        async with StrictServer(pace, tokens=30_000, counts_refused=True) as server:
            limits = RateLimiting(requests_per_minute=600, tokens_per_minute=30_000)
            await push(server, account(keeper(tmp_path, limits, pace)), [200] * 150)
        return server

    server = asyncio.run(story())
    assert len(server.granted) == 150
    assert server.refused <= 2
    assert server.share >= 0.98


def _one_of_two(path: Path, zero: float, began: float, port: int, count: int) -> None:
    async def story() -> None:
        pace = Pace(15, began, zero)
        server = StrictServer(pace)
        server.port = port
        await push(server, account(keeper(path, RateLimiting(requests_per_minute=600), pace)), [1] * count, 8)

    asyncio.run(story())


def test_two_processes_keep_to_the_limit_together(tmp_path: Path) -> None:
    """Each knows what the other one uses."""

    async def story() -> StrictServer:
        pace = Pace(15)
        async with StrictServer(pace) as server:
            more = (tmp_path, pace.zero, pace.began, server.port, 300)
            spawn = multiprocessing.get_context("spawn")
            both = [spawn.Process(target=_one_of_two, args=more) for _ in range(2)]
            for one in both:
                one.start()
            for one in both:
                await asyncio.to_thread(one.join)
            assert [one.exitcode for one in both] == [0, 0]
        return server

    server = asyncio.run(story())
    assert len(server.granted) == 600
    assert server.refused <= 6
    assert server.fullest <= 1


def test_without_limits_too_much_at_once_is_learned(tmp_path: Path) -> None:
    """A server that takes four at once gets about four at once, after a few refusals; nothing is lost."""

    async def story() -> tuple[int, int, Book]:
        pace, at_once, granted, refused = VirtualPace(), 0, 0, 0
        one = keeper(tmp_path, OPEN, pace)

        async def work(number: int) -> None:
            nonlocal at_once, granted, refused
            done = 0
            while done < 20:
                try:
                    async with LimitedAccount(one, Nobody(), f"task {number}", "model").call(100) as call:
                        at_once += 1
                        is_fine = at_once <= 4
                        await asyncio.sleep(1.0 if is_fine else 0.05)
                        at_once -= 1
                        if not is_fine:
                            refused += 1
                            call.heard({"status": 529})
                            call.failed("transient")
                        done += is_fine
                        granted += is_fine
                except ClosedError:
                    shut = one.shut()
                    await asyncio.sleep(max(0.0, shut.again - pace.clock()) if shut else 0.0)

        await asyncio.gather(*(work(number) for number in range(12)))
        return granted, refused, one.read()

    granted, refused, book = virtual.run(story())
    assert granted == 240
    assert refused <= 0.2 * granted
    assert book.width is not None
