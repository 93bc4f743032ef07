"""Org files: ``* TODO`` and ``* DONE`` headlines are tasks, nested by their stars."""

from __future__ import annotations

import re

from aca.parse.outline import Item, Outline, Section

_HEADLINE = re.compile(r"(\*+)[ \t]+(?:(TODO|DONE)(?:[ \t]+|$))?")
_TAGS = re.compile(r"[ \t]+:([\w@#%:]+):[ \t]*$")
_CODE = re.compile(r"\s*#\+(begin|end)_(?:src|example)\b", re.IGNORECASE)
_TASK = re.compile(r"\*+[ \t]+(?:TODO|DONE)(?:[ \t]|$)", re.MULTILINE)


def is_org(text: str) -> bool:
    """Whether *text* has headlines with TODO or DONE."""
    return any(_TASK.match(line) for line in text.split("\n"))


def read_outline(lines: list[str], first: int) -> Outline:
    """The outline of org text that begins in line *first* (from 0)."""
    outline = Outline(lines, first)
    _Reading(outline).read()
    return outline


class _Reading:
    """A walk over the headlines that keeps the tasks it is in, outermost first."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._open: list[tuple[int, Item]] = []

    def read(self) -> None:
        in_code = False
        for number in range(self._outline.first, len(self._outline.lines)):
            code = _CODE.match(self._outline.lines[number])
            if code or in_code:
                self._outline.code.add(number)
                in_code = code[1].lower() == "begin" if code else in_code
            elif match := _HEADLINE.match(self._outline.lines[number]):
                self._headline(number, match)
        self._close(len(self._outline.lines), 1)

    def _headline(self, number: int, match: re.Match[str]) -> None:
        level = len(match[1])
        self._close(number, level)
        if match[2]:
            self._task(number, match, level)
        elif not self._open:  # below a task it is text of that task
            self._section(number, match, level)

    def _section(self, number: int, match: re.Match[str], level: int) -> None:
        above = self._outline.sections[-1]
        while above.above is not None and above.level >= level:
            above = above.above
        title = self._outline.lines[number][match.end() :].strip()
        self._outline.sections.append(Section(level, title, above, lines=[number]))

    def _task(self, number: int, match: re.Match[str], level: int) -> None:
        above = self._open[-1][1] if self._open else None
        item = Item(number, number + 1, match.end(), 0, 0, above=above, section=self._outline.sections[-1])
        item.box = "x" if match[2] == "DONE" else " "
        line = self._outline.lines[number]
        if tags := _TAGS.search(line, match.end() - 1):
            item.tags = tuple(filter(None, tags[1].split(":")))
            self._outline.lines[number] = line[: tags.start()]
        self._open.append((level, item))
        self._outline.items.append(item)

    def _close(self, number: int, level: int) -> None:
        while self._open and self._open[-1][0] >= level:
            self._open.pop()[1].end = number
