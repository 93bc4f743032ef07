"""Org files: headlines with a keyword, such as ``* TODO`` or ``* DONE``, are tasks, nested by stars."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aca.parse.outline import Item, Outline, Section

_HEADLINE = re.compile(r"(\*+)[ \t]+")
_WORD = re.compile(r"(\w+)(?:[ \t]+|$)")
_PRIORITY = re.compile(r"\[#([A-Z])\](?:[ \t]+|$)")
_DECLARED = re.compile(r"#\+(?:(?:seq|typ)_)?todo:(.*)", re.IGNORECASE)
_KEYS = re.compile(r"\([^()]*\)")
"""What stands behind a declared keyword: the key that chooses it, ``TODO(t)``."""
_BOXES = {
    **dict.fromkeys(("TODO", "NEXT", "STARTED"), " "),
    **dict.fromkeys(("WAITING", "HOLD", "CANCELLED", "CANCELED"), "-"),
    "DONE": "x",
}
"""The usual keywords as boxes: what waits is not worked at, nor what was called off."""
_PRIORITIES = {"A": "high", "B": "normal", "C": "low"}
"""Org's own; others come behind them."""
_TAGS = re.compile(r"[ \t]+:([\w@#%:]+):[ \t]*$")
_CODE = re.compile(r"\s*#\+(begin|end)_(?:src|example)\b", re.IGNORECASE)
_TASK = re.compile(r"\*+[ \t]+(?:TODO|DONE)(?:[ \t]|$)", re.MULTILINE)


def is_org(text: str) -> bool:
    """Whether *text* has headlines with TODO or DONE, or declares other keywords."""
    return any(_TASK.match(line) or _DECLARED.match(line) for line in text.split("\n"))


def read_outline(lines: list[str], first: int) -> Outline:
    """The outline of org text that begins in line *first* (from 0)."""
    outline = Outline(lines, first)
    _Reading(outline).read()
    return outline


def _boxes(lines: Iterable[str]) -> dict[str, str]:
    """Every keyword as a box: those that *lines* declare, done behind a ``|``, else the usual ones."""
    boxes: dict[str, str] = {}
    for declared in filter(None, map(_DECLARED.match, lines)):
        todo, bar, done = (part.split() for part in _KEYS.sub("", declared[1]).partition("|"))
        if not bar:  # the last one is done then
            todo, done = todo[:-1], todo[-1:]
        boxes = {**dict.fromkeys(todo, " "), **dict.fromkeys(done, "x"), **boxes}
    return {**_BOXES, **boxes}


class _Reading:
    """A walk over the headlines that keeps the tasks it is in, outermost first."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._boxes = _boxes(outline.lines)
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
        word = _WORD.match(self._outline.lines[number], match.end())
        if word and word[1] in self._boxes:
            self._task(number, word, level)
        elif not self._open:  # below a task it is text of that task
            self._section(number, match, level)

    def _section(self, number: int, match: re.Match[str], level: int) -> None:
        above = self._outline.sections[-1]
        while above.above is not None and above.level >= level:
            above = above.above
        title = self._outline.lines[number][match.end() :].strip()
        self._outline.sections.append(Section(level, title, above, lines=[number]))

    def _task(self, number: int, word: re.Match[str], level: int) -> None:
        above = self._open[-1][1] if self._open else None
        line = self._outline.lines[number]
        priority = _PRIORITY.match(line, word.end())
        start = (priority or word).end()
        item = Item(number, number + 1, start, 0, 0, above=above, section=self._outline.sections[-1])
        item.box = self._boxes[word[1]]
        item.priority = _PRIORITIES.get(priority[1], "background") if priority else ""
        if tags := _TAGS.search(line, start - 1):
            item.tags = tuple(filter(None, tags[1].split(":")))
            self._outline.lines[number] = line[: tags.start()]
        self._open.append((level, item))
        self._outline.items.append(item)

    def _close(self, number: int, level: int) -> None:
        while self._open and self._open[-1][0] >= level:
            self._open.pop()[1].end = number
