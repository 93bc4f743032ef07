"""One tiny call of a provider, to see whether it answers."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import msgspec

from aca import providers
from aca.plans.settings import Permissions
from aca.processes import process
from aca.providers.base import Assignment, Result
from aca.safety.place import Patience, Place

PROMPT = "This is a test of the connection. Reply with the one word: ready"
LONGEST = 120.0


class Answer(msgspec.Struct, frozen=True):
    """What came back: the provider's words, or why there are none."""

    ok: bool
    told: str
    seconds: float


def try_out(name: str, given: Mapping[str, Any]) -> Answer:
    """Call the provider *name* once, for one word. No process of its is left when this returns."""
    process.become_subreaper()
    try:
        return process.in_loop(lambda: ask(name, given))
    finally:
        process.end_everything()


async def ask(name: str, given: Mapping[str, Any], seconds: float = LONGEST) -> Answer:
    """Ask the provider *name* for one word, in an empty directory that is removed again."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aca-") as folder:
        try:
            async with asyncio.timeout(seconds):
                result = await _result(name, given, Path(folder))
        except TimeoutError:
            result = Result("failed", reason=f"no answer within {seconds:g} s")
    told = result.text.strip() if result.stop == "done" else result.reason or result.stop
    return Answer(result.stop == "done", told, round(time.monotonic() - began, 3))


async def _result(name: str, given: Mapping[str, Any], folder: Path) -> Result:
    """The end of one attempt. Everything before it is passed over."""
    (work := folder / "work").mkdir()
    mark = f"{folder.name}/trial/1"
    env = {**os.environ, "ACA_SESSION": folder.name, "ACA_TASK": "trial", "ACA_ATTEMPT": mark}
    place = Place(work, work, env, mark, Patience(interrupt=2.0, terminate=2.0))
    steps = providers.get(name, given).work(_assignment(given, folder / "logs" / "1"), place)
    async with aclosing(cast(Any, steps)) as told:
        return [step async for step in told if isinstance(step, Result)][-1]


def _assignment(given: Mapping[str, Any], logs: Path) -> Assignment:
    return Assignment(
        task_id="trial",
        title="Answer",
        attempt=1,
        prompt=PROMPT,
        system_prompt="",
        model=None,
        permissions=_least(given),
        conversation=None,
        interrupted=False,
        follow_up="",
        home=logs.parent,
        logs=logs,
        options=given,
    )


def _least(given: Mapping[str, Any]) -> Permissions:
    """The least permissions there are. A declared agent may not have all of them."""
    every: tuple[Permissions, ...] = ("read-only", "workspace-write", "full")
    declared = given.get("permissions", every) if providers.is_declared(given) else every
    return next((one for one in every if one in declared), "read-only")
