"""What providers tell of their limits, each in its own way, made one: pools of a minute and longer windows.

Sources: the API documentation of Anthropic (``anthropic-ratelimit-*``, with times as RFC 3339) and OpenAI
(``x-ratelimit-*``, with times such as ``6m0s``), and what the claude CLI prints (``rate_limit_event``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from aca.plans.values import LATEST

KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
CLAIMS = {"5h": "five_hour", "7d": "seven_day"}
LENGTHS = {"five_hour": 5 * 3600.0, "seven_day": 7 * 86_400.0}
"""Seconds that a window lasts whose name begins so."""
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class PoolTold(msgspec.Struct, frozen=True):
    """So much per minute, and so much of it left."""

    kind: str
    limit: float
    left: float


class WindowTold(msgspec.Struct, frozen=True):
    """A longer window: which share of it is used (None: not told), when it ends, and whether it is closed."""

    name: str
    share: float | None
    ends: float | None
    closed: bool | None


def pools(told: Mapping[str, Any]) -> Iterator[PoolTold]:
    """The limits per minute that are told."""
    for kind in KINDS:
        limit = number(told.get(f"anthropic-ratelimit-{kind}-limit", told.get(f"x-ratelimit-limit-{kind}")))
        left = number(
            told.get(f"anthropic-ratelimit-{kind}-remaining", told.get(f"x-ratelimit-remaining-{kind}"))
        )
        reset = told.get(f"x-ratelimit-reset-{kind}")
        if limit and left is not None and not _is_longer(reset):
            yield PoolTold(kind, limit, left)


def _is_longer(reset: object) -> bool:
    """Whether a limit is one of a day or so: what was used of it takes more than a minute to come back."""
    seconds = lasting(str(reset)) if reset is not None else None
    return seconds is not None and seconds > 90.0


def windows(told: Mapping[str, Any]) -> Iterator[WindowTold]:
    """The longer windows that are told, in HTTP headers or by the claude CLI."""
    if "status" in told and "rateLimitType" in told:
        yield _event(told)
    prefix = "anthropic-ratelimit-unified-"
    named = told.get(f"{prefix}representative-claim")
    status = told.get(f"{prefix}status")
    for short, name in CLAIMS.items():
        share = number(told.get(f"{prefix}{short}-utilization"))
        if share is not None:
            closed = told.get(f"{prefix}{short}-status") == "rejected"
            yield WindowTold(name, share, moment(told.get(f"{prefix}{short}-reset")), closed)
    if status is not None and (named is None or f"{prefix}5h-utilization" not in told):
        ends = moment(told.get(f"{prefix}reset"))
        yield WindowTold(str(named or "usage"), None, ends, status == "rejected")


def _event(told: Mapping[str, Any]) -> WindowTold:
    name, status = str(told["rateLimitType"]), told["status"]
    return WindowTold(
        name, number(told.get("utilization")), moment(told.get("resetsAt")), status == "rejected"
    )


# -- values ---------------------------------------------------------------------------------------------


def number(value: object) -> float | None:
    """A number, which may be written as text."""
    with suppress(TypeError, ValueError):
        found = float(value)  # type: ignore[arg-type]
        return found if 0 <= found < float("inf") else None
    return None


def lasting(text: str) -> float | None:
    """Seconds from ``1s``, ``6m0s``, ``120ms``, or a plain number of seconds."""
    pieces = _PART.findall(text)
    if pieces and "".join(amount + unit for amount, unit in pieces) == text:
        return sum(float(amount) * _UNITS[unit] for amount, unit in pieces)
    return number(text)


def moment(value: object) -> float | None:
    """Unix time from such a number, or from RFC 3339."""
    if (at := number(value)) is not None:
        return at if at < LATEST else None
    with suppress(TypeError, ValueError):
        return datetime.fromisoformat(str(value)).timestamp()
    return None
