"""Garbage collection, out of the way of large plans: to look through them costs more than to make them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
