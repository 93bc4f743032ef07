"""Windows: when they open, as texts and headers say it, and when they will be used up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.limits import headers
from aca.limits.outage import FIRST, Outage
from aca.limits.windows import LONGEST, UNKNOWN_FIRST, Closure, Window, noted, opens

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC).timestamp()
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You've hit your session limit - resets 11:29am (UTC)", "2026-11-21 11:29"),
        ("resets 3pm", "2026-11-21 15:00"),
        ("resets 9am", "2026-11-22 09:00"),
        ("Your limit will reset at 3pm (America/New_York)", "2026-11-21 20:00"),
        ("resets at 15:04 UTC", "2026-11-21 15:04"),
        ("resets Nov 22, 3:30pm", "2026-11-22 15:30"),
        ("try again at Nov 25th, 2026 4:05 PM.", "2026-11-25 16:05"),
        ("Try again in 2 hours 5 minutes.", "2026-11-21 12:05"),
        ("try again in 3 days, 2 hours and 1 minute", "2026-11-24 12:01"),
        ("resets in 1h30m", "2026-11-21 11:30"),
        ("available again 2026-11-22T00:00:00Z", "2026-11-22 00:00"),
        ("try again at 2026-11-21T12:00:00+01:00", "2026-11-21 11:00"),
    ],
)
def test_a_text_says_when_it_opens(text: str, expected: str) -> None:
    """In the words of the programs there are."""
    at = opens(text, NOW, UTC)
    assert at is not None
    assert datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") == expected


@pytest.mark.parametrize(
    "text", ["limit reached", "at 25:00", "resets 13pm", "in 3 apples", "resets 1990-01-01T00:00:00Z", ""]
)
def test_what_names_no_time_names_none(text: str) -> None:
    """Nobody waits for a time that was made up."""
    assert opens(text, NOW, UTC) is None


@given(st.integers(0, 2**31), st.integers(0, 23), st.integers(0, 59), st.sampled_from(ZONES), st.booleans())
def test_a_time_of_day_is_the_next_one_there(
    now: int, hour: int, minute: int, zone: str, with_half: bool
) -> None:
    """In every zone, on every day, in either way to write it."""
    half = f"{(hour - 1) % 12 + 1}:{minute:02d}{'am' if hour < 12 else 'pm'}"
    written = half if with_half else f"{hour}:{minute:02d}"
    at = opens(f"limit reached, resets {written} ({zone})", now, UTC)
    assert at is not None
    assert now < at <= now + 25 * 3600 + 60
    there = datetime.fromtimestamp(at, ZoneInfo(zone))
    skipped = there.utcoffset() != (there - timedelta(hours=2)).utcoffset()
    assert (there.hour, there.minute) == (hour, minute) or skipped


@given(st.integers(1, 20), st.integers(0, 23), st.integers(0, 59))
def test_a_duration_counts_from_now(days: int, hours: int, minutes: int) -> None:
    """In full words and in short."""
    seconds = timedelta(days=days, hours=hours, minutes=minutes).total_seconds()
    assert opens(f"Try again in {days} days {hours} hours {minutes} minutes", NOW) == NOW + seconds
    assert opens(f"try again in {days}d{hours}h{minutes}m", NOW) == NOW + seconds


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    """Whatever a program prints, nothing breaks, and a time is in the future."""
    at = opens(text, NOW, timezone(timedelta(hours=5)))
    assert at is None or at > NOW


# -- what is told in headers ------------------------------------------------------------------------------


def test_headers_of_both_kinds_are_read() -> None:
    """Limits per minute; one of a day is not taken for one of a minute."""
    told = {
        "anthropic-ratelimit-input-tokens-limit": "50000",
        "anthropic-ratelimit-input-tokens-remaining": "40000",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-21T10:00:12Z",
        "x-ratelimit-limit-requests": "200",
        "x-ratelimit-remaining-requests": "199",
        "x-ratelimit-reset-requests": "7m12s",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
        "x-ratelimit-reset-tokens": "2s",
    }
    found = [(pool.kind, pool.limit, pool.left) for pool in headers.pools(told)]
    assert found == [("tokens", 30_000, 29_000), ("input-tokens", 50_000, 40_000)]


def test_windows_are_read_from_headers_and_from_the_claude_cli() -> None:
    """With their share, their end, and whether they are closed."""
    told = {
        "anthropic-ratelimit-unified-status": "allowed",
        "anthropic-ratelimit-unified-5h-status": "allowed",
        "anthropic-ratelimit-unified-5h-utilization": "0.83",
        "anthropic-ratelimit-unified-5h-reset": str(int(NOW) + 600),
    }
    [five] = [one for one in headers.windows(told) if one.name == "five_hour"]
    assert (five.share, five.ends, five.closed) == (0.83, NOW + 600, False)
    info = {"status": "rejected", "resetsAt": NOW + 60, "rateLimitType": "five_hour"}
    [closed] = headers.windows(info)
    assert (closed.name, closed.ends, closed.closed) == ("five_hour", NOW + 60, True)


def test_a_window_is_projected_and_warned_of_once() -> None:
    """Half of the time gone and nine tenths used: it will be used up before it ends."""
    windows: dict[str, Window] = {}
    ends = NOW + 2.5 * 3600
    noted(windows, headers.WindowTold("five_hour", 0.9, ends, False), NOW)
    [window] = windows.values()
    assert window.runs_out(NOW) == pytest.approx(ends - 5 * 3600 + 2.5 * 3600 / 0.9)
    assert [window.is_news(), window.is_news()] == [True, False]
    noted(windows, headers.WindowTold("five_hour", 0.01, ends + 5 * 3600, False), ends + 1)
    assert windows["five_hour"].runs_out(ends + 600) is None


# -- closed, and out of order -----------------------------------------------------------------------------


def test_tries_of_a_closed_window_are_ever_further_apart() -> None:
    """From minutes to an hour, where nobody knows when it opens."""
    now, closure, gaps = NOW, None, []
    for _ in range(8):
        closure = Closure.of("closed", None, closure, now)
        gaps.append(closure.again - now)
        now = closure.again
    assert gaps[0] == UNKNOWN_FIRST
    assert gaps == sorted(gaps)
    assert gaps[-1] == LONGEST


def test_a_window_that_should_be_open_is_tried_soon() -> None:
    """Clocks differ."""
    closure = Closure.of("closed", NOW + 600, None, NOW)
    assert closure.again == NOW + 600
    again = Closure.of("closed", NOW + 600, closure, NOW + 601)
    assert again.again - (NOW + 601) <= 10


def test_one_task_alone_does_not_make_an_outage() -> None:
    """It may have itself to blame; two, or a provider that says it is too much, are another matter."""
    alone, together, blameless = Outage(), Outage(), Outage()
    for number in range(6):
        alone.failed("a", False, NOW + number, "HTTP 500", NOW + number + 0.5)
        together.failed("ab"[number % 2], False, NOW + number, "HTTP 500", NOW + number + 0.5)
        blameless.failed("a", True, NOW + number, "HTTP 529", NOW + number + 0.5)
    assert (alone.is_on, together.is_on, blameless.is_on) == (False, True, True)
    together.over()
    assert not together.is_on


def test_calls_that_fail_side_by_side_are_one_round() -> None:
    """Sixteen refused at once are no outage yet; with each try that fails it takes twice as long."""
    outage = Outage()
    for _ in range(16):
        outage.failed("a", True, NOW, "HTTP 529", NOW + 1)
    assert not outage.is_on
    now, gaps = NOW + 1, list[float]()
    for _ in range(4):
        outage.failed("a", True, now, "HTTP 529", now)
        if outage.is_on:
            gaps.append(outage.until - now)
            now = outage.until
    assert gaps == [FIRST, 2 * FIRST, 4 * FIRST]
