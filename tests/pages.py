"""The pages of the documentation, taken apart: blocks with the notes above them, headings, links, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

_NOTE = re.compile(r"<!-- ([\w ]+?)(?:: (.*))? -->$")
_FENCE = re.compile(r"```(\w*)$")
_HEADING = re.compile(r"(#+) (.*)$")
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_COLUMN = re.compile(r"\s*\|\s*")
_CHANGING = [
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "SESSION"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\s+\d+\.\ds$", re.MULTILINE), ""),  # a tree leaves out what took no time
    (re.compile(r"\b\d+\.\ds\b"), "DURATION"),
    (re.compile(r"\bkept as [0-9a-f]{10}\b"), "kept as COMMIT"),
    (re.compile(r" and bubblewrap\b"), ""),  # where it is installed
]
"""What differs from run to run, and what to compare in its place."""


@dataclass(frozen=True)
class Block:
    """A fenced block. ``notes`` are the comments above it: ``<!-- exit: 4 -->`` is ``exit`` -> ``4``."""

    place: str
    language: str
    text: str
    notes: dict[str, str]


@dataclass(frozen=True)
class Page:
    """One page, by its path in the repository."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()

    def blocks(self) -> Iterator[Block]:
        """Every fenced block, in order."""
        notes: dict[str, str] = {}
        opened: re.Match[str] | None = None
        start, inside = 0, list[str]()
        for number, line in enumerate(self.lines, 1):
            if opened and line == "```":
                yield Block(f"{self.name}:{start}", opened[1], "\n".join(inside) + "\n", notes)
                opened, inside, notes = None, [], {}
            elif opened:
                inside.append(line)
            elif note := _NOTE.match(line):
                notes[note[1]] = note[2] or ""
            elif opened := _FENCE.match(line):
                start = number + 1
            elif line.strip():
                notes = {}

    def prose(self) -> Iterator[str]:
        """The lines outside fenced blocks."""
        fenced = False
        for line in self.lines:
            if line.startswith("```"):
                fenced = not fenced
            elif not fenced:
                yield line

    def code(self) -> Iterator[str]:
        """What stands in backticks in the prose."""
        for line in self.prose():
            yield from _CODE.findall(line)

    def links(self) -> list[str]:
        """What the prose links to."""
        return [target for line in self.prose() for target in _LINK.findall(_CODE.sub("", line))]

    def anchors(self) -> list[str]:
        """What ``#...`` may name here, as GitHub makes it of headings."""
        return [_anchor(heading[2]) for line in self.prose() if (heading := _HEADING.match(line))]

    def section(self, title: str) -> list[str]:
        """The lines below the heading *title*, as far as the next heading."""
        lines = list(self.prose())
        [start] = [n for n, line in enumerate(lines, 1) if (m := _HEADING.match(line)) and m[2] == title]
        rest = (n for n, line in enumerate(lines[start:], start) if _HEADING.match(line))
        return lines[start : next(rest, None)]

    def table(self, title: str, number: int = 0) -> list[list[str]]:
        """The rows of table *number* in the section *title*, heads left out."""
        tables: list[list[list[str]]] = []
        before = ""
        for line in self.section(title):
            if line.startswith("|---"):
                tables.append([])
            elif line.startswith("|") and before.startswith("|"):
                tables[-1].append(_COLUMN.split(line.strip().strip("|").strip()))
            before = line
        return tables[number]


def named(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return _CODE.findall(cell)


def constant(text: str) -> str:
    """What aca printed, as it does every time."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return text


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
