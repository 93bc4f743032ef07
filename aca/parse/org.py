"""Org files: headlines with a keyword, such as ``* TODO`` or ``* DONE``, are tasks, nested by stars."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aca.parse.outline import Item, Outline, Section, Slip

_HEADLINE = re.compile(r"(\*+)[ \t]+")
_WORD = re.compile(r"(\w+)(?:[ \t]+|$)")
_PRIORITY = re.compile(r"\[#([A-C])\](?:[ \t]+|$)")
_NO_PRIORITY = re.compile(r"\[#\w{0,2}\](?=[\s\[]|$)")
"""One that means nothing here, or does not stand alone."""
_NEARLY_TASK = re.compile(r"(?:\[#\w\][ \t]+(\w+)|(\w+):)(?=[ \t])")
"""A keyword behind its priority, or with a colon."""
_SMALL = re.compile(r"(?!TODO|DONE)(?i:todo|done)(?=[ \t]+\S)")
"""What org takes for the beginning of a title."""
_COMMENT = re.compile(r"(?:\[#\w\][ \t]+)?COMMENT(?=[ \t]|$)")
"""In front of a title, behind keyword and priority: the headline and all below it are not there for org."""
_DECLARED = re.compile(r"#\+(?:(?:seq|typ)_)?todo:(.*)", re.IGNORECASE)
_KEYS = re.compile(r"\([^()]*\)")
"""What stands behind a declared keyword: the key that chooses it, ``TODO(t)``."""
_WAITING = ("WAITING", "HOLD")
_CALLED_OFF = ("CANCELLED", "CANCELED")
_BOXES = {
    **dict.fromkeys(("TODO", "NEXT", "STARTED"), " "),
    **dict.fromkeys((*_WAITING, *_CALLED_OFF), "-"),
    "DONE": "x",
}
"""The usual keywords as boxes: what waits is not worked at, nor what was called off."""
_PRIORITIES = {"A": "high", "B": "normal", "C": "low"}
"""Those that org has unless it is told otherwise."""
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
    """Every keyword as a box: those that *lines* declare, done behind a ``|``, else the usual ones.

    What waits is declared among those that are not done, and what was called off among the others.
    """
    boxes: dict[str, str] = {}
    for declared in filter(None, map(_DECLARED.match, lines)):
        todo, bar, done = (part.split() for part in _KEYS.sub("", declared[1]).partition("|"))
        if not bar:  # the last one is done then
            todo, done = todo[:-1], todo[-1:]
        open_ones = {word: "-" if word in _WAITING else " " for word in todo}
        boxes = {**open_ones, **{word: "-" if word in _CALLED_OFF else "x" for word in done}, **boxes}
    return {**_BOXES, **boxes}


class _Reading:
    """A walk over the headlines that keeps the tasks it is in, outermost first."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._boxes = _boxes(outline.lines)
        self._open: list[tuple[int, Item]] = []
        self._comment = 0
        """The level of the headline that makes all below it a comment; 0 outside of any."""
        self._small: tuple[int, int, re.Match[str]] | None = None
        """Line, level and word of the last headline, where it begins with a keyword in small letters."""

    def read(self) -> None:
        in_code = False
        for number in range(self._outline.first, len(self._outline.lines)):
            code = _CODE.match(self._outline.lines[number])
            if code or in_code:
                self._outline.code.add(number)
                in_code = code[1].lower() == "begin" if code else in_code
            elif match := _HEADLINE.match(self._outline.lines[number]):
                self._headline(number, match)
            if self._comment:
                self._outline.lines[number] = ""
        self._tell_small(1)
        self._close(len(self._outline.lines), 1)

    def _headline(self, number: int, match: re.Match[str]) -> None:
        level, line = len(match[1]), self._outline.lines[number]
        if self._comment and level > self._comment:
            return
        self._tell_small(level)
        self._close(number, level)
        word = _WORD.match(line, match.end())
        keyword = word if word and word[1] in self._boxes else None
        self._comment = level if _COMMENT.match(line, (keyword or match).end()) else 0
        if self._comment:
            return
        if keyword:
            self._task(number, keyword, level)
            return
        nearly = _NEARLY_TASK.match(line, match.end())
        if nearly and (nearly[1] or nearly[2]) in self._boxes:
            cure = "write the keyword first, then the priority: * TODO [#A] Title"
            self._slip(number, nearly, "this headline is not quite a task", cure)
        if small := _SMALL.match(line, match.end()):
            self._small = number, level, small
        if not self._open:  # below a task it is text of that task
            self._section(number, match, level)

    def _tell_small(self, level: int) -> None:
        """What has headlines below it is the heading of these; else it was to be a task."""
        if self._small is not None and self._small[1] >= level:
            number, _, word = self._small
            cure = f"write {word[0].upper()} in capitals, or another word where it is a heading"
            self._slip(number, word, "this headline is not quite a task", cure)
        self._small = None

    def _section(self, number: int, match: re.Match[str], level: int) -> None:
        above = self._outline.sections[-1]
        while above.above is not None and above.level >= level:
            above = above.above
        title = self._outline.lines[number][match.end() :].strip()
        self._outline.sections.append(Section(level, title, above, lines=[number]))

    def _slip(self, number: int, found: re.Match[str], message: str, cure: str) -> None:
        width = found.end() - found.start()
        self._outline.slips.append(Slip(number, found.start(), width, message, cure))

    def _task(self, number: int, word: re.Match[str], level: int) -> None:
        above = self._open[-1][1] if self._open else None
        line = self._outline.lines[number]
        priority = _PRIORITY.match(line, word.end())
        start = (priority or word).end()
        if wrong := _NO_PRIORITY.match(line, start):
            cure = "write one of [#A], [#B] and [#C] and a space behind it, or {priority=9} at the end"
            self._slip(number, wrong, "this is not quite a priority", cure)
        item = Item(number, number + 1, start, 0, 0, above=above, section=self._outline.sections[-1])
        item.box = self._boxes[word[1]]
        item.waits = word[1] in _WAITING and item.box == "-"
        item.priority = _PRIORITIES[priority[1]] if priority else ""
        if tags := _TAGS.search(line, start - 1):
            item.tags = tuple(filter(None, tags[1].split(":")))
            self._outline.lines[number] = line[: tags.start()]
        self._open.append((level, item))
        self._outline.items.append(item)

    def _close(self, number: int, level: int) -> None:
        while self._open and self._open[-1][0] >= level:
            self._open.pop()[1].end = number
