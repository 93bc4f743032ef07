"""What is used and left of providers' limits, as a session last knew it, or as is known by now."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from aca.report import words
from aca.sessions.session import LIMITS_FILE, Session


def allowances(one: Session, environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Provider -> what is known of its account now; as the session wrote it where nobody knows more."""
    found = {}
    for path in sorted(one.path.glob(f"*/{LIMITS_FILE}")):
        name = path.parent.name
        try:
            written = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        from aca import limits  # most sessions have called nobody who has any

        rates = one.plan.rate_limiting.of(name)
        found[name] = limits.look_up(str(written.get("account")), rates, environ) or written
    return found


def told(known: Mapping[str, Any]) -> str:
    """``12/600 requests/min, 45% of five_hour (begins anew at ...); 2 calls, 3 waiting``."""
    calls = [words.counted(known["calls"], "call")] if known["calls"] else []
    waiting = [f"{known['waiting']} waiting"] if known["waiting"] else []
    parts = [*_rates(known["per_minute"]), *_windows(known["windows"]), *calls, *waiting, *_state(known)]
    return ", ".join(parts) or "no limit known"


def _rates(pools: Mapping[str, Any]) -> Iterator[str]:
    for name, pool in pools.items():
        yield f"{pool['used']:,}/{pool['allowed']:,} {name.removeprefix('told ')}/min"


def _windows(windows: Mapping[str, Any]) -> Iterator[str]:
    for name, window in windows.items():
        runs_out = f"used up at {words.moment(window['runs_out'])}, " if window["runs_out"] else ""
        ends = f"new at {words.moment(window['ends'])}" if window["ends"] else "its end is not known"
        yield f"{window['share']:.0%} of the {name} window ({runs_out}{ends})"


def _state(known: Mapping[str, Any]) -> Iterator[str]:
    if known["at_once"]:
        yield f"{words.counted(known['at_once'], 'call')} at once for now"
    if closed := known["closed"]:
        left = words.lasting(max(0.0, closed["next_try"] - time.time()))
        yield f"closed: {words.first_line(closed['reason'])} (next try in {left})"
