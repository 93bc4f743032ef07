"""What Markdown and plain text have in common: items under headings, which become tasks.

A reader finds the items, the headings and the code in a text and gives them here as an ``Outline``.
Every line belongs to exactly one of them, so that nothing the author wrote is lost.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

BOX = re.compile(r"\[([ xX-])\](?:\s+|$)")
_NEARLY_BOX = re.compile(
    r"""\[(?:[ \t]+[xX-]?[ \t]*|[xX-][ \t]+)\](?![(\[:])  # [  ], [x ], [ ]Title
    |\[[xX-]\](?=\w)  # [x]Title, but not [X]-ray
    |\[\](?=\s|$)  # [] Title, but not []string""",
    re.VERBOSE,
)
_OTHER_BOX = re.compile(r"\[[^\w\s\[\]…]\ufe0f?\](?=\s|$)")
"""A box with a sign in it that says nothing here: ``[✓]``, ``[*]``; but not the ``[…]`` of a quotation."""
_STRAY_BOX = re.compile(r"\s*((?:[-*+]|\d{1,9}[.)])?\[[ xX-]\])\s+\S")
"""A box that is in no item, at the beginning of a line: ``-[ ] Title``, ``[ ] Title``."""
_KEYWORD = re.compile(r"(TODO|DONE)\s+")


class Slip(NamedTuple):
    """What is nearly a task or a part of one, and would be passed over. Lines and columns count from 0."""

    line: int
    column: int
    width: int
    message: str
    cure: str


@dataclass(eq=False)
class Section:
    """A heading and the text under it; the first of an outline has no heading."""

    level: int = 0
    title: str = ""
    above: Section | None = None
    holds_tasks: bool = False
    lines: list[int] = field(default_factory=list)

    def up(self) -> Iterator[Section]:
        """This section and those it is in."""
        section: Section | None = self
        while section is not None:
            yield section
            section = section.above


@dataclass(eq=False)
class Item:
    """A list item. Lines count from 0, ``end`` is not in it.

    ``column`` is where its title starts, after a box; ``margin`` how far its other lines are indented.
    """

    start: int
    end: int
    column: int
    margin: int
    siblings: int
    ordered: bool = False
    above: Item | None = None
    section: Section = field(default_factory=Section)
    box: str | None = None
    waits: bool = False
    """Skipped for now, and not to be gone on without."""
    tags: tuple[str, ...] = ()
    priority: str = ""
    lines: list[int] = field(default_factory=list)


@dataclass
class Outline:
    """A text as its reader found it.

    It begins in line ``first`` (from 0); ``code`` are the lines in which nothing is a reference.
    """

    lines: list[str]
    first: int = 0
    items: list[Item] = field(default_factory=list)
    sections: list[Section] = field(default_factory=lambda: [Section()])
    code: set[int] = field(default_factory=set)
    slips: list[Slip] = field(default_factory=list)
    """What its reader found; see ``near_boxes`` for what all have in common."""
    too_deep: int | None = None
    """The line from which on lists are nested too deep to be read."""

    def tasks(self) -> list[Item]:
        """The items that are tasks: those with a box where there are any, else the outermost ones.

        Without any list the whole text is one task, its title the first heading or line.
        """
        if marked := [item for item in self.items if item.box is not None]:
            return marked
        outermost = [self._with_keyword(item) for item in self.items if item.above is None]
        return outermost or self._one_task()

    def near_boxes(self) -> Iterator[Slip]:
        """What is nearly a box, so that there would be no task."""
        cure = "write [ ], [x] or [-] and a space behind it, or `code` around what is none"
        for item in self.items:
            if item.box is None and (width := self._near_box(item)):
                yield Slip(item.start, item.column, width, "this is not quite a box", cure)
        starts = {item.start for item in self.items}
        cure = "write `- [ ] Title`, or `code` around what is none"
        for number in range(self.first, len(self.lines)):
            stray = _STRAY_BOX.match(self.lines[number])
            if stray and number not in starts and number not in self.code:
                start, end = stray.span(1)
                yield Slip(number, start, end - start, "this box is in no list", cure)

    def _near_box(self, item: Item) -> int:
        """How wide what is nearly a box is; 0 where there is none."""
        line = self.lines[item.start]
        nearly = _NEARLY_BOX.match(line, item.column) or _OTHER_BOX.match(line, item.column)
        return len(nearly.group()) if nearly else 0

    @property
    def has_title(self) -> bool:
        """Whether there is a heading of the first level."""
        return any(section.level == 1 for section in self.sections)

    def _one_task(self) -> list[Item]:
        text = [n for n in range(self.first, len(self.lines)) if self.lines[n].strip()]
        headings = [section.lines[0] for section in self.sections if section.level == 1]
        places = headings or [n for n in text if n not in self.code] or text
        if not places:
            return []
        start = places[0]
        if headings and re.fullmatch(r" {0,3}=+\s*", "".join(self.lines[start + 1 : start + 2])):
            self.lines[start + 1] = ""  # it underlines the title and says nothing
        mark = re.match(r"\s*(?:#{1,6}\s+)?", self.lines[start])
        return [Item(start, len(self.lines), mark.end() if mark else 0, 0, 0, section=self.sections[0])]

    def _with_keyword(self, item: Item) -> Item:
        if match := _KEYWORD.match(self.lines[item.start], item.column):
            item.box = "x" if match[1] == "DONE" else " "
            item.column = match.end()
        return item

    def own(self, numbers: Iterable[int], margin: int = 0) -> str:
        """The text of some lines, up to *margin* columns of indentation taken away."""
        pieces = (self._piece(run, margin) for run in _runs(numbers))
        return "\n\n".join(piece for piece in pieces if piece)

    def _piece(self, run: list[int], margin: int) -> str:
        lines = [_dedented(self.lines[number], margin) for number in run]
        return textwrap.dedent("\n".join(lines)).strip("\n").rstrip()

    def prose(self, numbers: Iterable[int]) -> list[tuple[int, str]]:
        """Some lines with their numbers from 1, code left out, for a search of references."""
        return [(n + 1, "" if n in self.code else self.lines[n]) for n in numbers]


def _runs(numbers: Iterable[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for number in numbers:
        if run and number != run[-1] + 1:
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def _dedented(line: str, margin: int) -> str:
    column = position = 0
    while position < len(line) and column < margin and line[position] in " \t":
        column += 4 - column % 4 if line[position] == "\t" else 1
        position += 1
    return line[position:]


def give_lines(outline: Outline, tasks: Sequence[Item]) -> None:
    """Let each line belong to the innermost task around it, or else to its section.

    Text under a heading that has no tasks belongs to the section around it.
    """
    owners: list[Item | Section] = list(_sections_by_line(outline))
    for item in tasks:
        owners[item.start : item.end] = [item] * (item.end - item.start)
        for section in item.section.up():
            section.holds_tasks = True
    outline.sections[0].holds_tasks = True
    for section in outline.sections:
        section.lines = []
    for number in range(outline.first, len(owners)):
        _holder(owners[number]).lines.append(number)


def _sections_by_line(outline: Outline) -> Iterator[Section]:
    starts = {section.lines[0]: section for section in outline.sections[1:]}
    current = outline.sections[0]
    for number in range(len(outline.lines)):
        current = starts.get(number, current)
        yield current


def _holder(owner: Item | Section) -> Item | Section:
    if isinstance(owner, Item):
        return owner
    return next(section for section in owner.up() if section.holds_tasks)


def plan_section(outline: Outline, tasks: Sequence[Item]) -> Section:
    """The section that speaks for the whole file: the only top heading, if all tasks are under it."""
    root, *others = outline.sections
    tops = [section for section in others if section.level == 1]
    if len(tops) != 1 or others[0] is not tops[0]:
        return root
    is_above_all = tops[0].holds_tasks and all(item.section is not root for item in tasks)
    return tops[0] if is_above_all else root
