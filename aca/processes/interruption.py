"""What people and systems send to have a program end: Ctrl-C, and the signals that terminate."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from aca.errors import Exit


class Interruption(msgspec.Struct, frozen=True):
    """What came, as people call it, and what a program ends with that heeds it."""

    name: str
    code: Exit


_SIGNALS = {
    signal.SIGINT: Interruption("Ctrl-C", Exit.INTERRUPTED),
    signal.SIGTERM: Interruption("SIGTERM", Exit.TERMINATED),
    signal.SIGHUP: Interruption("SIGHUP", Exit.TERMINATED),
    signal.SIGQUIT: Interruption("SIGQUIT", Exit.TERMINATED),
}
_OF_TERMINALS = (signal.SIGHUP, signal.SIGQUIT)
Heed = Callable[[Interruption], None]


@contextmanager
def heeded(first: Heed, again: Heed) -> Iterator[None]:
    """Have *first* called by the running loop when one comes, and *again* for each that comes after it.

    What the terminal does stays ignored where the process was started so (``nohup``, a background job).
    """
    loop = asyncio.get_running_loop()
    came: list[Interruption] = []

    def heed(one: Interruption) -> None:
        came.append(one)
        (first if len(came) == 1 else again)(one)

    wanted = [
        number
        for number in _SIGNALS
        if number not in _OF_TERMINALS or signal.getsignal(number) is not signal.SIG_IGN
    ]
    for number in wanted:
        loop.add_signal_handler(number, heed, _SIGNALS[number])
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
