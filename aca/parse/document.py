"""A file the user wrote, as plan-shaped data, and where each part of it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import msgspec

from aca.errors import InputError, Problem

Loc = tuple[str | int, ...]
"""A path into plan-shaped data, such as ``("tasks", 3, "dependencies", 0)``."""

Format = Literal["markdown", "toml", "json", "text"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_WINDOW = 160
"""How much of a very long line (a plan written on one) is shown around the caret."""


class Mark(msgspec.Struct, frozen=True):
    """A place in the file; line and column count from 1."""

    line: int
    column: int | None = None
    width: int = 1


Marks = dict[Loc, Mark]


class Written(msgspec.Struct, frozen=True):
    """A task of a text, and what its author says of it beyond words: by a box, or by an attribute list."""

    index: int
    """Its place among the tasks of the document."""
    lines: tuple[int, ...]
    """The lines that are its own, from 1; the first has its title."""
    keys: frozenset[str]
    """What is said of it so, in the plan's words."""


@dataclass
class Prose:
    """What a text says besides its tasks. ``begins`` is its first line below the settings, from 1."""

    settings: dict[str, Any]
    begins: int
    links: list[tuple[int, str]] = field(default_factory=list)
    """(line, plan's name of the file) of every reference that leads somewhere."""
    find_written: Callable[[], list[Written]] = list


@dataclass
class Document:
    """What one file says, in the plan's own keys, and what is wrong with it so far."""

    path: str
    text: str
    format: Format
    data: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    is_plan: bool = False
    """A plan of ours: complete, and taken as it is written."""
    is_rust_plan: bool = False
    """A plan of the Rust aca, which knows no providers or defaults: read like a task file."""
    prose: Prose | None = None
    """Of what is not data: Markdown, plain text, org."""
    has_file: bool = True
    """Whether it is a file; otherwise it was said on the command line."""
    _find_marks: Callable[[], Marks] = dict

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def _marks(self) -> Marks:
        return self._find_marks()

    def stands_at(self, find_marks: Callable[[], Marks]) -> None:
        """Tell where everything stands; *find_marks* is asked only when something is wrong."""
        self._find_marks = find_marks
        self.__dict__.pop("_marks", None)

    def tasks_with(self, key: str) -> list[tuple[int, dict[str, Any]]]:
        """The tasks that say *key*, and the place of each."""
        tasks = self.data.get("tasks")
        listed = enumerate(tasks if isinstance(tasks, list) else ())
        return [(index, task) for index, task in listed if isinstance(task, dict) and key in task]

    def marks_of_settings(self) -> Marks:
        """Where everything stands that is not a task's."""
        return {loc: mark for loc, mark in self._marks.items() if loc[:1] != ("tasks",)}

    def locate(self, loc: Loc) -> Mark | None:
        """Where *loc* stands, or else the nearest thing around it that has a known place."""
        for length in range(len(loc), 0, -1):
            if mark := self._marks.get(loc[:length]):
                return mark
        return None

    def problem(self, loc: Loc, message: str, cure: str = "", word: str = "") -> Problem:
        """What is wrong at *loc*; *word* is what to underline there."""
        return self.problem_at(self.locate(loc), message, cure, word)

    def problem_at(self, mark: Mark | None, message: str, cure: str = "", word: str = "") -> Problem:
        """What is wrong at *mark*, with the line it stands in."""
        if mark is None:
            return Problem(message, cure, self.path)
        source = self.lines[mark.line - 1] if mark.line <= len(self.lines) else ""
        column, width = _underlined(source, mark, word)
        source, column = _window(_harmless(source), column)
        return Problem(_harmless(message), cure, self.path, mark.line, column, width, source)

    def note(self, loc: Loc, message: str, cure: str = "", word: str = "") -> None:
        """Keep a problem at *loc* for later, when all of them are told at once."""
        self.problems.append(self.problem(loc, message, cure, word))

    def note_at(self, mark: Mark, message: str, cure: str = "") -> None:
        """Keep a problem at *mark*."""
        self.problems.append(self.problem_at(mark, message, cure))

    def refuse(self, mark: Mark | None, message: str, cure: str = "") -> InputError:
        """The error that ends reading: past *mark* nothing can be understood."""
        return InputError([*self.problems, self.problem_at(mark, message, cure)])


def too_large(text: str, first_line: int = 1) -> Mark | None:
    """Where the first number stands in *text* that has more digits than Python reads."""
    found = re.search(r"[0-9][0-9_]{4300}", text)
    if found is None:
        return None
    line = first_line + text.count("\n", 0, found.start())
    return Mark(line, found.start() - text.rfind("\n", 0, found.start()))


def _underlined(source: str, mark: Mark, word: str) -> tuple[int | None, int]:
    start = (mark.column or 1) - 1
    if word:
        whole = re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w.-])")
        hit = whole.search(source, start) or whole.search(source)
        at = hit.start() if hit else source.find(word)
        if at >= 0:
            return at + 1, len(word)
    return mark.column, mark.width


def _harmless(text: str) -> str:
    """Control characters of a file must not reach the terminal."""
    return _CONTROL.sub("\ufffd", text)


def _window(source: str, column: int | None) -> tuple[str, int | None]:
    if len(source) <= 2 * _WINDOW:
        return source, column
    start = max(0, (column or 1) - _WINDOW // 2)
    piece = source[start : start + _WINDOW]
    head, tail = "…" if start else "", "…" if start + _WINDOW < len(source) else ""
    return head + piece + tail, None if column is None else column - start + len(head)
