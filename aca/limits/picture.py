"""A book as plain data, for files and for ``aca status``."""

from __future__ import annotations

from typing import Any

from aca.limits.book import Book, Shut
from aca.limits.windows import Window
from aca.plans.settings import RateLimiting


def picture(book: Book, limits: RateLimiting, now: float) -> dict[str, Any]:
    """What is used and allowed, how full each window is and when it will be used up. Times are Unix times."""
    shut, rates = book.shut(limits, now), book.rates(limits, now)
    used = {name: round(pool.used(now)) for name, pool in book.pools.items()}
    return {
        "per_minute": {
            name: {"used": used.get(name, 0), "allowed": round(rate.per_minute)}
            for name, rate in rates.items()
        },
        "windows": {name: _window(one, now) for name, one in book.windows.items() if not one.is_over(now)},
        "closed": None if shut is None else _shut(shut),
        "at_once": None if book.width is None else max(1, int(book.width)),
        "calls": len(book.flights),
        "waiting": len(book.line),
    }


def _shut(shut: Shut) -> dict[str, Any]:
    return {"reason": shut.reason, "until": shut.until, "next_try": shut.again}


def _window(window: Window, now: float) -> dict[str, Any]:
    return {"share": round(window.share, 4), "ends": window.ends, "runs_out": window.runs_out(now)}
