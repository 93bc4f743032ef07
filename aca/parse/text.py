"""Plain text: numbered and bulleted lists, nested by indentation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aca.parse.outline import BOX, Item, Outline

_ITEM = re.compile(r"(\s*)(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+|$)")
_FENCE = re.compile(r"\s*(```|~~~)")


def read_outline(lines: list[str], first: int) -> Outline:
    """The outline of plain text that begins in line *first* (from 0)."""
    outline = Outline(lines, first)
    outline.code = set(_fenced(lines, first))
    _Reading(outline).read()
    return outline


def _fenced(lines: list[str], first: int) -> Iterator[int]:
    fence = ""
    for number in range(first, len(lines)):
        match = _FENCE.match(lines[number])
        if fence or match:
            yield number
        if match and fence in ("", match[1]):
            fence = "" if fence else match[1]


class _Reading:
    """A walk over the lines that keeps the items it is in, outermost first."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._open: list[tuple[int, Item]] = []
        self._lists = 0

    def read(self) -> None:
        for number in range(self._outline.first, len(self._outline.lines)):
            if number in self._outline.code:
                continue
            if match := _ITEM.match(self._outline.lines[number]):
                self._add(number, match)
            elif self._ends_list(number):
                self._close(number, 0)
        self._close(len(self._outline.lines), 0)

    def _ends_list(self, number: int) -> bool:
        """Text that is not indented, after an empty line, is no longer part of the list."""
        line, before = self._outline.lines[number], self._outline.lines[number - 1]
        return bool(line.strip()) and not line[0].isspace() and not before.strip()

    def _add(self, number: int, match: re.Match[str]) -> None:
        indent = len(match[1].expandtabs(4))
        before = self._close(number, indent)
        ordered = match[2] is not None
        if before is None or before.ordered != ordered:
            self._lists += 1
        siblings = before.siblings if before and before.ordered == ordered else self._lists
        above = self._open[-1][1] if self._open else None
        item = Item(
            number, number + 1, match.end(), match.end(), siblings, ordered, above, self._outline.sections[0]
        )
        if box := BOX.match(self._outline.lines[number], item.column):
            item.box, item.column = box[1], box.end()
        self._open.append((indent, item))
        self._outline.items.append(item)

    def _close(self, number: int, indent: int) -> Item | None:
        """End every item that is not left of *indent*; the last of them is a sibling of what follows."""
        closed: Item | None = None
        while self._open and self._open[-1][0] >= indent:
            closed = self._open.pop()[1]
            closed.end = number
        return closed
