"""Windows of hours or days in which only so much may be used: how full they are, and when they open again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from aca.limits.headers import LENGTHS, WindowTold

WARN = 0.8
"""The share of a window at which people are warned."""
OWN = "session"
"""The window that the plan sets itself (``max_tokens_per_session``)."""
UNKNOWN_FIRST, SOON, LONGEST = 120.0, 5.0, 3600.0
"""Seconds between tries of a closed window: at first where nobody knows when it opens, at first where it
should have opened by now, and at most. They double."""
BELIEVED = 30 * 86_400.0
"""No window is closed for longer, whatever a text seems to say."""


class Window(msgspec.Struct):
    """One window: ``share`` of it is used, it ends at ``ends`` and lasts ``length`` seconds, where known."""

    share: float = 0.0
    ends: float | None = None
    length: float | None = None
    tokens: float = 0.0
    """Used of the plan's own window."""
    warned: bool = False

    def is_over(self, now: float) -> bool:
        return self.ends is not None and now >= self.ends

    def runs_out(self, now: float) -> float | None:
        """When all of it is used, if things go on like this; None when it ends before, or nobody knows."""
        if self.ends is None or self.length is None or self.share <= 0:
            return None
        began = self.ends - self.length
        at = began + max(1.0, now - began) / self.share
        return max(now, at) if at < self.ends else None

    def is_news(self) -> bool:
        """Whether people should be warned, which is once per window."""
        is_due = self.share >= WARN and not self.warned
        self.warned = self.warned or is_due
        return is_due


class Closure(msgspec.Struct):
    """No calls are taken. ``until`` is told by the provider or unknown; ``again`` is when one call tries."""

    reason: str
    until: float | None
    again: float
    at: float = 0.0
    """Since when that is known; what was begun before is no proof of the contrary."""
    tries: int = 0

    @classmethod
    def of(cls, reason: str, until: float | None, before: Closure | None, now: float) -> Closure:
        """Closed now; *before* is what was known until now, where one has just tried."""
        tries = before.tries + 1 if before and now >= before.again else before.tries if before else 0
        if until is not None and now < until:
            return cls(reason, until, until, now, tries)
        was_known = until is not None or (before is not None and before.until is not None)
        first = SOON if was_known else UNKNOWN_FIRST
        again = now + min(LONGEST, first * 2.0**tries)
        return cls(reason, None, again, now, tries)


def noted(windows: dict[str, Window], told: WindowTold, now: float) -> Window:
    """What is known of a window after something was *told* of it."""
    window = windows.setdefault(told.name, Window())
    if window.is_over(now) or (told.ends and window.ends and told.ends > window.ends + 60):
        window = windows[told.name] = Window()  # a new one
    window.ends = told.ends or window.ends
    window.length = next((secs for name, secs in LENGTHS.items() if told.name.startswith(name)), None)
    if told.share is not None:
        window.share = told.share
    if told.closed:
        window.share = max(1.0, window.share)
    return window


# -- when it opens, as texts say it ------------------------------------------------------------------------

_AT = re.compile(
    r"(?:resets?|again|available|until|at)\s+(?:(?:at|on|after)\s+)?"
    r"(?:(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+(?P<day>\d{1,2})"
    r"(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{4}))?,?\s+(?:at\s+)?)?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d))?\s*(?P<half>[ap]\.?m\b\.?)?"
    r"\s*(?:\((?P<zone>[A-Za-z][A-Za-z0-9_+/-]*)\)|(?P<utc>utc|gmt|z)\b)?",
    re.IGNORECASE,
)
_IN = re.compile(
    r"(?:\bin|after)\s+(?=\d)(?P<parts>(?:[\s,]*(?:and\s+)?\d+(?:\.\d+)?\s*[a-z]+)+)", re.IGNORECASE
)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SECONDS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def opens(text: str, now: float, here: tzinfo | None = None) -> float | None:
    """The Unix time that *text* names as when a limit is reset; None where it names none.

    It reads ``resets 3pm (Europe/Berlin)``, ``resets at 15:04 UTC``, ``resets Nov 22, 3:30pm``, ``try again
    in 2 hours 5 minutes`` and ISO 8601. A time of day without a date is the next one. *here* is the time zone
    where the text names none, by default this machine's.
    """
    here = here or datetime.now().astimezone().tzinfo or UTC
    for found in (_iso(text, here), _lasting(text, now), _of_day(text, now, here)):
        if found is not None and now < found <= now + BELIEVED:
            return found
    return None


def _iso(text: str, here: tzinfo) -> float | None:
    found = _ISO.search(text)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found[0])
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=here)).timestamp()


def _lasting(text: str, now: float) -> float | None:
    found = _IN.search(text)
    if found is None:
        return None
    seconds = 0.0
    for amount, unit in _AMOUNT.findall(found["parts"]):
        known = re.fullmatch(r"(d)ays?|(h)(?:ou)?rs?|(m)in(?:ute)?s?|(s)ec(?:ond)?s?|([dhms])", unit, re.I)
        if known is None:
            return None
        letter = next(group for group in known.groups() if group)
        seconds += float(amount) * _SECONDS[letter.lower()]
    return now + seconds


def _of_day(text: str, now: float, here: tzinfo) -> float | None:
    for found in _AT.finditer(text):
        if found["half"] or found["minute"]:
            return _next(found, now, here)
    return None


def _next(found: re.Match[str], now: float, here: tzinfo) -> float | None:
    """The time that was found, or the first such time from *now* on where it has no date."""
    zone = UTC if found["utc"] else _zone(found["zone"]) or here
    today = datetime.fromtimestamp(now, zone)
    try:
        at = today.replace(hour=_hour(found), minute=int(found["minute"] or 0), second=0, microsecond=0)
        if found["month"]:
            month = _MONTHS.index(found["month"].lower()) + 1
            at = at.replace(year=int(found["year"] or today.year), month=month, day=int(found["day"]))
            is_past = at.timestamp() <= now and not found["year"]
            at = at.replace(year=at.year + 1) if is_past else at
        elif at.timestamp() <= now:
            at += timedelta(days=1)  # in its zone: the time of day stays, though a day may have 23 hours
    except ValueError:
        return None
    return at.timestamp()


def _hour(found: re.Match[str]) -> int:
    hour, half = int(found["hour"]), (found["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        raise ValueError("there is no such hour")
    return hour % 12 + 12 * half.startswith("p") if half else hour


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return UTC if name.upper() in ("UTC", "GMT", "Z") else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
