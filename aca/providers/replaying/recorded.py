"""A provider that holds a provider, and records what it does (``--record``)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from aca.providers.base import Assignment, Availability, Provider, Step
from aca.providers.replaying.recording import Recording
from aca.safety.place import Place


class Recorded:
    """Works as *provider* does, and under its name."""

    def __init__(self, provider: Provider, recording: Recording) -> None:
        self._provider, self._recording = provider, recording
        self.name, self.asks = provider.name, provider.asks

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether the provider can be used."""
        return self._provider.check(options)

    async def work(self, assignment: Assignment, place: Place) -> AsyncIterator[Step]:
        """Let it work; when it has ended, however it did, that is written down."""
        take = self._recording.begin(assignment, place)
        try:
            async with aclosing(self._provider.work(assignment, place)) as steps:  # type: ignore[type-var]
                async for step in steps:
                    take.told.append(step)
                    yield step
        finally:
            self._recording.end(take)
