"""Makes the calls of ``prompts.json``, so many at once, in one of the ways in which people keep to limits."""

import asyncio
import json
import random
import sys
from pathlib import Path

import openai

REQUESTS, TOKENS, MINUTE = 600, 60_000, 60
RETRIES = {"sdk": 2, "backoff": 0}
"""Retries of the SDK itself; where the way is another one, as many as it takes."""


async def main(how: str, at_once: int, seconds: float) -> None:
    prompts = json.loads(Path("prompts.json").read_text())
    admit, room = ADMISSIONS.get(how, anybody)(), asyncio.Semaphore(at_once)
    async with openai.AsyncOpenAI(max_retries=RETRIES.get(how, 1000)) as client:

        async def call(prompt: str) -> None:
            async with room:
                await admit(len(prompt) // 4 + 20)
                await (backing_off if how == "backoff" else ask)(client, prompt)

        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*map(call, prompts), return_exceptions=True)
        except TimeoutError:
            pass  # what was not granted is lost


async def ask(client: openai.AsyncOpenAI, prompt: str) -> None:
    async for _ in await client.responses.create(model="gpt-5", input=prompt, stream=True):
        pass


async def backing_off(client: openai.AsyncOpenAI, prompt: str) -> None:
    """Again after 1, 2, 4 ... seconds and a bit, a minute at most."""
    for tried in range(1000):
        try:
            await ask(client, prompt)
            break
        except openai.RateLimitError:
            await asyncio.sleep(min(60, 2**tried) * random.uniform(0.5, 1.5))  # noqa: S311


def anybody():
    async def admit(tokens: int) -> None: ...

    return admit


def by_aiolimiter():
    from aiolimiter import AsyncLimiter

    requests, used = AsyncLimiter(REQUESTS, MINUTE), AsyncLimiter(TOKENS, MINUTE)

    async def admit(tokens: int) -> None:
        await requests.acquire()
        await used.acquire(min(tokens, TOKENS))

    return admit


def by_pyrate_limiter():
    from pyrate_limiter import Duration, Limiter, Rate

    requests, used = Limiter(Rate(REQUESTS, Duration.MINUTE)), Limiter(Rate(TOKENS, Duration.MINUTE))

    async def admit(tokens: int) -> None:
        await requests.try_acquire_async("requests")
        await used.try_acquire_async("tokens", weight=min(tokens, TOKENS))

    return admit


ADMISSIONS = {"aiolimiter": by_aiolimiter, "pyrate-limiter": by_pyrate_limiter}

asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
