"""A loop in which nobody waits: where there is nothing to do until some time, it is that time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
ZERO = 1_800_000_000.0


class _Jumping(selectors.SelectSelector):
    """Never waits, and tells how long it would have."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found:
            assert timeout is not None, "everybody waits for somebody else"
            self.passed += max(0.0, timeout)
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed


def clock() -> float:
    """The time of day in the running loop."""
    return ZERO + asyncio.get_running_loop().time()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* to its end in no time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)
