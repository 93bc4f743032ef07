"""Garbage collection, out of the way of large plans: to look through them costs more than to make them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = 50_000
"""New objects until garbage is looked for, in place of Python's own hundreds: what a start makes stays."""
_OWN = gc.get_threshold()


def look_seldom() -> None:
    """Look for garbage seldom, until what is there is ``here_to_stay``."""
    gc.set_threshold(SELDOM)


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is collected inside, where nearly all that is made stays."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def here_to_stay() -> Iterator[None]:
    """The same; and what is there at the end is not looked at any more, for a run needs it until it ends."""
    with uncollected():
        yield
        gc.freeze()
        gc.set_threshold(*_OWN)
