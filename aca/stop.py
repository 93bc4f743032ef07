"""A wish to end a run, from anywhere, and what the run then ends with."""

from __future__ import annotations

import asyncio

import msgspec

from aca.errors import Exit


class Stop(msgspec.Struct):
    """A wish to end the run, from anywhere: a signal, a limit, a closed quota window.

    ``interrupt`` cuts off what is running; otherwise it may finish, and only nothing new starts.
    """

    exit_code: Exit | None = None
    reason: str = ""
    interrupt: bool = False
    until: float | None = None
    wake: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    _when_idle: tuple[Exit, str, float] | None = None

    def request(self, code: Exit, reason: str, *, interrupt: bool, until: float | None = None) -> None:
        """The first wish decides the exit code; a later one may only make it more urgent.

        One that changes nothing wakes nobody: a limit is told of in every turn of the loop once it is
        reached, and a loop that is woken in every turn lets nothing else run.
        """
        if self.exit_code is not None and (self.interrupt or not interrupt):
            return
        if self.exit_code is None:
            self.exit_code, self.reason, self.until = code, reason, until
        self.interrupt = interrupt
        self.wake.set()

    def when_idle(self, code: Exit, reason: str, until: float) -> None:
        """The same, once nothing runs and nothing can be started. At *until* (Unix time) it is forgotten."""
        self._when_idle = (code, reason, until)

    def is_idle(self, now: float) -> None:
        """Nothing runs, and nothing can be started now: what was wished for that case is to happen."""
        if self._when_idle is not None and self._when_idle[2] > now:
            code, reason, until = self._when_idle
            self.request(code, reason, interrupt=False, until=until)
