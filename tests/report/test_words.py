"""How amounts and foreign text read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.report import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (12.34, "12.3s"), (59.96, "1m00s"), (185, "3m05s"), (3599.6, "1h00m"), (3720, "1h02m"),
     (86400, "1d00h"), (183600, "2d03h")],
)  # fmt: skip
def test_a_duration_is_as_exact_as_it_is_short(seconds: float, text: str) -> None:
    """Never 60 of anything."""
    assert words.lasting(seconds) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(0, "$0.00"), (0.5, "$0.50"), (0.0123, "$0.0123"), (0.25, "$0.25"), (1234.5, "$1,234.50")],
)
def test_money_shows_what_there_is_to_see(dollars: float, text: str) -> None:
    """Fractions of a cent only where they matter."""
    assert words.money(dollars) == text


def test_marks_fit_the_encoding() -> None:
    """Every status has one, and what cannot be shown is replaced."""
    assert words.marks("utf-8") == words.GLYPHS
    assert words.marks("ascii") == words.marks(None) == words.marks("no such encoding") == words.PLAIN
    assert len(set(words.PLAIN.values())) == len(words.PLAIN) == len(words.STATUS_WORDS)


@given(st.text(alphabet="\x1b[]0;31mKabc\x07\x9b\n\r\t\u202e"))
def test_nothing_that_moves_a_cursor_is_left(text: str) -> None:
    """Whatever an agent prints, a terminal shows it and does nothing else."""
    left = words.plain(text)
    assert all(char.isprintable() or char in "\n\t" for char in left)
    assert "\n" not in words.one_line(text)


def test_a_line_is_cut_where_it_is_too_long() -> None:
    """And says so."""
    assert words.one_line("a  b\n c", 5) == "a b c"
    assert words.one_line("abcdefgh", 6) == "abc..."
    assert words.first_line("\n  \n the reason\n more") == "the reason"


def test_one_is_not_many() -> None:
    """Counts agree with their nouns."""
    assert [words.counted(n, "task") for n in (0, 1, 1000)] == ["0 tasks", "1 task", "1,000 tasks"]
