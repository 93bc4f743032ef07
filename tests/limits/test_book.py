"""What is known of an account, and what follows from it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from aca.core.events import Usage
from aca.limits import identity, shared
from aca.limits.account import Keeper, LimitedAccount, Living, owner
from aca.limits.book import FORGOTTEN, Asking, Book, Failure, Go, Hold, Shut
from aca.limits.shared import Private, SharedFile
from aca.plans.settings import RateLimiting
from tests.limits.strict_server import Nobody

NOW = 1_800_000_000.0
OPEN = RateLimiting()
OVERLOADED = Failure("transient", None, True, "HTTP 529")


def asking(name: str, task: str = "task", who: str = "here") -> Asking:
    return Asking(name, who, task, "model", 350, None)


def ask(book: Book, name: str, limits: RateLimiting = OPEN, now: float = NOW, who: str = "here") -> object:
    return book.ask(asking(name, name, who), limits, now, lambda one: one == "here")


def test_who_came_first_goes_first() -> None:
    """Whoever asks later waits behind, also when it asks at the better moment."""
    book, limits = Book(provider="openai"), RateLimiting(requests_per_minute=6, burst_allowance=1)
    assert ask(book, "a", limits) == Go(probe=False)
    assert isinstance(ask(book, "b", limits, NOW + 1), Hold)
    assert isinstance(ask(book, "c", limits, NOW + 2), Hold)
    assert isinstance(ask(book, "c", limits, NOW + 10), Hold)
    assert ask(book, "b", limits, NOW + 10) == Go(probe=False)


def test_nobody_waits_for_the_dead() -> None:
    """Who stopped asking loses its place; a call of a process that is gone is none."""
    book, limits = Book(provider="openai", width=1.0, narrowed=NOW), RateLimiting()
    assert ask(book, "killed", limits, who="here") == Go(probe=False)
    book.flights["killed"].owner = "gone"
    assert isinstance(book.ask(asking("b"), limits, NOW, lambda _: True), Hold)
    assert ask(book, "c", limits, NOW + 2 * FORGOTTEN) == Go(probe=False)


def test_a_reservation_of_a_dead_process_counts_as_used() -> None:
    """For a minute; nobody knows what became of it."""
    book, limits = Book(provider="openai"), RateLimiting(tokens_per_minute=700)
    assert ask(book, "killed", limits, who="gone") == Go(probe=False)
    assert isinstance(ask(book, "b", limits, NOW + 30), Hold)
    assert ask(book, "b", limits, NOW + 61) == Go(probe=False)


def test_after_a_closed_window_one_call_tries_and_more_follow() -> None:
    """One, then two, then three: not all that have waited at once."""
    book = Book(provider="openai")
    book.close("closed", NOW + 3600, NOW)
    assert ask(book, "early", now=NOW + 10) == Shut("closed", NOW + 3600, NOW + 3600)
    now = NOW + 3600
    assert ask(book, "a", now=now) == Go(probe=True)
    assert isinstance(ask(book, "b", now=now), Hold)
    book.succeeded("a")
    book.end("a", None, None, OPEN, now + 1)
    now += 20
    widths = []
    for number in range(6):
        name = f"next {number}"
        assert ask(book, name, now=now) == Go(probe=False)
        book.succeeded(name)
        book.end(name, None, None, OPEN, now)
        widths.append(int(book.width or 0))
    assert widths == sorted(widths)
    assert widths[0] <= 3
    assert not book.is_trying


def test_after_a_closing_long_calls_are_soon_as_many_as_before() -> None:
    """Twice as many in every half minute, though none of them has ended; a clock set back does no harm."""
    book = Book(provider="claude-cli")
    book.close("closed", NOW + 60, NOW)
    now = NOW + 60
    assert ask(book, "first", now=now) == Go(probe=True)
    book.succeeded("first")
    begun = [0] * 5
    for interval in range(5):
        for number in range(100):
            name = f"{interval}-{number}"
            begun[interval] += isinstance(ask(book, name, now=now + 30 * interval), Go)
            book.leave(name)
    assert [sum(begun[: interval + 1]) + 1 for interval in range(5)] == [2, 2, 4, 8, 16]
    assert isinstance(ask(book, "back", now=NOW - 1000), Hold)


def test_nobody_is_held_for_an_overload_of_long_ago() -> None:
    """After an hour it says nothing any more."""
    book = Book(provider="openai")
    ask(book, "a")
    book.end("a", None, OVERLOADED, OPEN, NOW)
    assert ask(book, "b", now=NOW + 10) == Go(probe=False)
    assert isinstance(ask(book, "c", now=NOW + 20), Hold)
    assert ask(book, "c", now=NOW + 3601) == Go(probe=False)
    assert book.width is None


def test_a_call_from_before_a_closing_keeps_nobody_from_trying() -> None:
    """It may take hours, and proves nothing; a try of a process that is gone is none."""
    book = Book(provider="openai")
    assert ask(book, "long", now=NOW - 10) == Go(probe=False)
    book.close("closed", NOW + 60, NOW)
    assert ask(book, "a", now=NOW + 60) == Go(probe=True)
    assert isinstance(ask(book, "b", now=NOW + 60), Hold)
    assert book.is_probed(lambda _: True)
    assert not book.is_probed(lambda _: False)


def test_an_answer_to_an_earlier_call_opens_nothing() -> None:
    """It was begun before the window was closed."""
    book = Book(provider="openai")
    assert ask(book, "earlier") == Go(probe=False)
    book.close("closed", NOW + 3600, NOW + 1)
    book.succeeded("earlier")
    assert isinstance(ask(book, "later", now=NOW + 2), Shut)


def test_too_much_halves_once_for_all_who_met_it() -> None:
    """And each answered round brings one more back."""
    book = Book(provider="openai")
    for number in range(8):
        ask(book, f"{number}")
    for number in range(8):
        book.end(f"{number}", None, OVERLOADED, OPEN, NOW + 1)
    assert book.width == 4.0
    now = NOW + 100
    for number in range(4):
        assert ask(book, f"good {number}", now=now) == Go(probe=False)
    for number in range(4):
        book.succeeded(f"good {number}")
        book.end(f"good {number}", None, None, OPEN, now)
    assert round(book.width or 0) == 5


def test_no_pause_keeps_everybody_away_for_longer_than_a_minute() -> None:
    """Whoever wants more than that is closed, which is shown, tried and has fallbacks."""
    book = Book(provider="openai")
    ask(book, "a")
    book.end("a", None, Failure("transient", NOW + 86_400, True, "HTTP 503"), OPEN, NOW)
    assert isinstance(ask(book, "b", now=NOW + 59), Hold)
    assert ask(book, "b", now=NOW + 61) == Go(probe=False)


def test_cached_input_counts_where_the_provider_counts_it() -> None:
    """Anthropic does not, OpenAI does."""
    used = {}
    for provider in ("anthropic", "openai"):
        book, limits = Book(provider=provider), RateLimiting(tokens_per_minute=100_000)
        ask(book, "a", limits)
        book.end("a", Usage(10, 20, cache_read_tokens=5000), None, limits, NOW)
        used[provider] = book.pools["tokens"].used(NOW)
    assert (round(used["anthropic"]), round(used["openai"])) == (30, 5030)


def test_a_call_that_was_not_made_teaches_nothing() -> None:
    """What the next one will use is guessed as before."""
    book = Book(provider="openai")
    for number, usage in enumerate([Usage(1000, 50), Usage(), Usage()]):
        ask(book, f"{number}")
        book.end(f"{number}", usage, None, OPEN, NOW)
    assert book.models["model"].sent(350) == 1000


def test_a_window_is_warned_of_while_the_call_goes_on() -> None:
    """An agent is one call for hours: once it has told, nobody waits for its end."""
    attempt = Nobody()
    keeper = Keeper("claude-cli", "claude-cli", OPEN, Private(), lambda: NOW)
    told = {
        "status": "allowed_warning",
        "rateLimitType": "five_hour",
        "utilization": 0.9,
        "resetsAt": NOW + 60,
    }

    async def story() -> None:
        async with LimitedAccount(keeper, attempt, "task", "model").call(10) as call:
            call.heard(told)
            assert attempt.warned == ["five_hour"]

    asyncio.run(story())
    assert attempt.warned == ["five_hour"]


# -- who, and where ---------------------------------------------------------------------------------------


def test_an_account_is_named_without_its_key() -> None:
    """Another key is another account, so is another address."""
    key, other = {"OPENAI_API_KEY": "canary-1"}, {"OPENAI_API_KEY": "canary-2"}
    names = {
        identity.account("openai", {}, key),
        identity.account("openai", {}, other),
        identity.account("openai", {"base_url": "http://127.0.0.1:9/v1"}, key),
        identity.account("anthropic", {}, key),
    }
    assert len(names) == 4
    assert not any("canary" in name for name in names)


def test_two_ways_to_the_same_account_are_one() -> None:
    """What the SDK of claude uses counts for its command line, too."""
    login = {"CLAUDE_CODE_OAUTH_TOKEN": "canary"}
    assert identity.account("claude-sdk", {}, login) == identity.account("claude-cli", {}, login)


@pytest.mark.parametrize("url", ["https://me:canary@proxy.example/v1", "https://proxy.example/v1?key=canary"])
def test_no_secret_of_an_address_is_in_the_name_of_an_account(url: str) -> None:
    """It makes another account of it, and that is all."""
    name = identity.account("openai", {"base_url": url}, {})
    assert name.startswith("openai@proxy.example/v1#")
    assert "canary" not in name
    assert name != identity.account("openai", {"base_url": url.replace("canary", "other")}, {})
    assert "canary" not in identity.account("openai", {"base_url": "https://canary@[::1"}, {})
    assert identity.account("ollama", {"host": "localhost:11434"}, {}) == "ollama@localhost:11434"


def test_a_process_is_told_apart_from_others_of_its_number() -> None:
    """Numbers are given again."""
    living = Living(0.0)
    pid = owner().partition(":")[0]
    assert living.alive(owner())
    assert not living.alive(f"{pid}:1.0")
    assert not living.alive("no number")


def test_a_book_is_kept_as_it_was(tmp_path: Path) -> None:
    """For the next process; a book of another version is begun anew."""
    one, other = SharedFile(tmp_path / "limits"), SharedFile(tmp_path / "limits")
    with one.change("a") as book:
        book.provider = "openai"
        ask(book, "x", RateLimiting(requests_per_minute=5))
    assert other.read("a") == one.read("a")
    assert other.read("a").pools["requests"].used(NOW) == 1
    assert other.read("b") == Book()
    for each in (one, other):
        each.close()


def test_a_file_that_others_keep_locked_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that comes too late is this process's own; what was known is known afterwards."""
    path = tmp_path / "limits.sqlite"
    monkeypatch.setattr(shared, "PATIENCE", 0.05)
    shelf = SharedFile(path)
    with shelf.change("a") as book:
        book.close("the weekly window is closed", None, NOW)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert shelf.read("a") == Book()
    with shelf.change("a") as book:
        book.provider = "openai"
    other.execute("ROLLBACK")
    other.close()
    with shelf.change("a") as book:
        assert book.closure is not None
        assert book.provider == ""
    shelf.close()
