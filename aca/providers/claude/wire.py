"""The two ends of a claude that listens while it works: what is written to it, and what it says.

Claude's SDK speaks the control protocol over this (who may use which tool); what the agent does goes past
the SDK, as it is, to whoever reads the stream. The process is ours (``aca.processes.process``), not
the SDK's, whose own would be in no process group and would leave behind what the agent started.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any

from aca.processes.process import Child

Told = tuple[bytes, dict[str, Any]]
"""A line, and the JSON object in it; empty where there is none."""


class Wire:
    """What the SDK calls a transport, and the pipe in it."""

    def __init__(self) -> None:
        self.stdin, self._input = os.pipe()
        os.set_blocking(self._input, False)
        self._child: Child | None = None
        self._writing = asyncio.Lock()
        self._told: asyncio.Queue[Told | None] = asyncio.Queue()
        self.is_open = True
        """More can be written."""

    def listen_to(self, child: Child) -> None:
        """*child* is the program whose stdin this is."""
        self._child = child

    async def next(self) -> Told | None:
        """The next line that is not the SDK's business; None when there will be none."""
        return await self._told.get()

    # -- as the SDK calls it --------------------------------------------------------------------------

    async def connect(self) -> None:
        """The program runs already."""

    def is_ready(self) -> bool:
        return self.is_open

    async def write(self, data: str) -> None:
        """Write, however much it is and however slowly it is read. What has ended reads nothing more."""
        left = memoryview(data.encode())
        async with self._writing:
            while left and self.is_open:
                try:
                    left = left[os.write(self._input, left) :]
                except BlockingIOError:
                    await self._room()
                except BrokenPipeError:
                    return

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """What is for the SDK. Raises EOFError where the end comes before an answer to its greeting."""
        assert self._child is not None  # the program runs before the SDK is called
        is_answered = False
        try:
            async for line in self._child.lines():
                told = _object(line)
                if str(told.get("type")).startswith("control_"):
                    is_answered = True
                    yield told
                else:
                    self._told.put_nowait((line, told))
            if not is_answered:
                raise EOFError("claude has ended")
        finally:
            self._told.put_nowait(None)

    async def end_input(self) -> None:
        if self.is_open:
            self.is_open = False
            os.close(self._input)

    async def close(self) -> None:
        await self.end_input()

    async def _room(self) -> None:
        """Until the pipe takes more, or nobody reads it."""
        loop = asyncio.get_running_loop()
        room = loop.create_future()
        loop.add_writer(self._input, _note, room)
        try:
            await room
        finally:
            with contextlib.suppress(ValueError):  # it was closed in the meantime
                loop.remove_writer(self._input)


def _note(happened: asyncio.Future[None]) -> None:
    if not happened.done():
        happened.set_result(None)


def _object(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
