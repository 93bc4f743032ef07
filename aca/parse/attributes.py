"""The first line of a task: its title, its attribute list ``{#id key=value .tag}``, its arrows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aca.parse.keys import TASK_KEYS
from aca.parse.references import is_elsewhere, looks_like_path, mask, targets
from aca.plans.task import Task

_OPENING = re.compile(r"(?:(?<=\s)|^)\{(?=\s*(?:[#.][^\s{}]|[\w.-]+=))")
_ATTRIBUTE = re.compile(
    r"""[\s,]*(?:\#(?P<id>[^\s{}"'=,]+)|\.(?P<tag>[^\s{}"'=,]+)
    |(?P<key>[\w.-]+)=(?:"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>[^']*)'|(?P<bare>[^\s{}"']+)))
    (?=[\s},])""",
    re.VERBOSE,
)
_ORDINARY = {"id", "name", "title", "description", "context", "status"}
"""Keys that data in a text has, too: ``answer {"status": "ok"}`` is no list of attributes."""


def _one_of(keys: Iterable[str]) -> str:
    """A pattern for one of *keys*, in quotes or not, and its colon."""
    return rf"""(?<=[\s{{,"'])(?:{"|".join(sorted(keys))})["']?\s*:"""


_KEYS = TASK_KEYS.keys() | Task.model_fields.keys()
_COLONS = re.compile(rf"""(?:(?<=\s)|^)\{{(?=\s*["']?{_one_of(_KEYS)})(?:[^{{}}]|\{{[^{{}}]*\}})*\}}\s*$""")
"""What YAML and JSON would have in the place of an attribute list."""
_PECULIAR = re.compile(_one_of(_KEYS - _ORDINARY))
_CLOSING = re.compile(r"[\s,]*\}")
_UNCLOSED_QUOTE = re.compile(r"""\s*[\w.-]+=(?:"(?:\\.|[^"\\])*|'[^']*)$""")
_ARROW = re.compile(r"(?:^|(?<=\s))->\s+")

_BETWEEN = re.compile(r"[,\s]+(?![^{]*\})")
"""What separates the words of a list; not inside of ``{a,b}``."""
_SPLIT = ("tags", "touches", "file_refs", "repository_refs", "pass_env")
_TABLES = ("env.", "limits.")
"""Keys that are tables: their entries are written one by one."""
_NOT_HERE = {
    "title": "the item's own text is the title",
    "description": "the lines below the item are its description",
    "context": "the text under the heading is its context",
}


class Attribute(NamedTuple):
    """One entry of an attribute list; ``start`` is where it stands in the text, from 0."""

    key: str
    value: str
    start: int
    width: int


@dataclass(frozen=True)
class Mistake:
    """Something wrong in the text, at ``start`` (from 0)."""

    start: int
    width: int
    message: str
    cure: str = ""


@dataclass
class Headline:
    """What the first line of a task says."""

    title: str
    attributes: list[Attribute] = field(default_factory=list)
    arrows: list[tuple[int, str]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """The attributes as a part of a task, in the plan's keys."""
        made: dict[str, Any] = {}
        for attribute in self.attributes:
            self._add(made, attribute)
        return made

    def _add(self, made: dict[str, Any], attribute: Attribute) -> None:
        key, value = TASK_KEYS.get(attribute.key, attribute.key), attribute.value
        if key in _NOT_HERE:
            self._mistake(attribute, f"{attribute.key} is not an attribute", _NOT_HERE[key])
        elif key in _SPLIT:
            made.setdefault(key, []).extend(_BETWEEN.split(value.strip(", ")))
        elif key == "checks":
            made.setdefault(key, []).append(value)
        elif key.startswith(_TABLES):
            table, _, name = key.partition(".")
            made.setdefault(table, {})[name] = value
        elif key == "dependencies" and key in made:
            made[key] += f", {value}"
        elif key in made:
            self._mistake(attribute, f"{attribute.key} is given twice", "")
        else:
            made[key] = value

    def _mistake(self, attribute: Attribute, message: str, cure: str) -> None:
        self.mistakes.append(Mistake(attribute.start, attribute.width, message, cure))


def read_headline(text: str, is_file: Callable[[str], bool]) -> Headline:
    """Take the first line of a task apart; *is_file* decides where an arrow may be prose."""
    headline = Headline(text)
    if "{" in text or "->" in text:
        plain = mask(text)
        rest = _without_arrows(text, plain, headline, is_file)
        shorter = _without_attributes(rest, plain[: len(rest)], headline)
        if len(shorter) < len(rest):
            shorter = _without_arrows(shorter, plain[: len(shorter)], headline, is_file)
        headline.title = shorter
    headline.title = headline.title.strip()
    headline.arrows.sort()
    return headline


def _without_arrows(text: str, plain: str, headline: Headline, is_file: Callable[[str], bool]) -> str:
    """Cut the arrows at the end of *text*, as far as what they point to can be files."""
    while arrows := list(_ARROW.finditer(plain[: len(text)])) if "->" in plain else []:
        start, end = arrows[-1].span()
        named = [(end + at, target) for at, target in targets(text[end:])]
        if "`" in text[end:] or not named or not all(_may_be_file(target, is_file) for _, target in named):
            break
        headline.arrows += [(at, target.strip("<>")) for at, target in named]
        text = text[:start].rstrip()
    return text


def _may_be_file(target: str, is_file: Callable[[str], bool]) -> bool:
    if target.startswith("<"):
        return True
    return not is_elsewhere(target) and (looks_like_path(target) or is_file(target))


def _without_attributes(text: str, plain: str, headline: Headline) -> str:
    """Cut the attribute list at the end of *text*; other braces are text."""
    astray: list[Mistake] = []
    for opening in _OPENING.finditer(plain):
        is_open = "}" not in text[opening.end() :]
        attributes, mistakes, end = _entries(f"{text}}}" if is_open else text, opening.end())
        if is_open and not mistakes:
            unclosed = Mistake(opening.end() - 1, 1, "this attribute list is not closed", "end it with }")
            mistakes.append(unclosed)
        if is_open or (text.rstrip().endswith("}") if mistakes else not text[end:].strip()):
            headline.attributes = attributes
            headline.mistakes = [*_with_colons(plain[: opening.start()]), *astray, *mistakes]
            return text[: opening.start()]
        if not mistakes and any(_is_meant(entry) for entry in attributes):
            cure = "move them to the end, or put them in `backticks` where they are text"
            width = end - opening.start()
            astray.append(Mistake(opening.start(), width, "attributes stand at the end of the line", cure))
            headline.attributes = attributes  # what refers to them is not to be told, too
    headline.mistakes = [*_with_colons(plain), *astray]
    return text


def _is_meant(entry: Attribute) -> bool:
    """Whether it says something of a task: a key that is ours; an id, a class or a title may be text."""
    return entry.key in _KEYS - _ORDINARY - {"tags"} or entry.key.startswith(_TABLES)


def _with_colons(plain: str) -> list[Mistake]:
    """What is meant as attributes at the end of *plain*, and is not written as such."""
    meant = _COLONS.search(plain)
    if meant is None or not _PECULIAR.search(meant.group()):
        return []
    cure = "write key=value, or put it in `backticks` where it is text"
    width = len(meant.group().rstrip())
    return [Mistake(meant.start(), width, "attributes are not written with colons", cure)]


def _entries(text: str, position: int) -> tuple[list[Attribute], list[Mistake], int]:
    """The entries after ``{`` up to its ``}``, what is none between them, and where the list ends."""
    entries: list[Attribute] = []
    mistakes: list[Mistake] = []
    while (closing := _CLOSING.match(text, position)) is None and text[position:].strip(" \t,"):
        if match := _ATTRIBUTE.match(text, position):
            entries.append(_attribute(match))
            position = match.end()
        else:
            mistakes.append(_mistake(text, position))
            position = mistakes[-1].start + mistakes[-1].width
    return entries, mistakes, closing.end() if closing else len(text)


def _attribute(match: re.Match[str]) -> Attribute:
    start = match.end() - len(match.group().lstrip(" \t,"))
    width = match.end() - start
    if match["id"]:
        return Attribute("id", match["id"], start, width)
    if match["tag"]:
        return Attribute("tags", match["tag"], start, width)
    if (quoted := match["double"]) is not None:
        value = re.sub(r'\\(["\\])', r"\1", quoted) if "\\" in quoted else quoted
        return Attribute(match["key"], value, start, width)
    return Attribute(match["key"], match["single"] or (match["bare"] or "").rstrip(","), start, width)


def _mistake(text: str, position: int) -> Mistake:
    """What stands at *position*, where an entry should."""
    start = len(text) - len(text[position:].lstrip(" \t,"))
    if _UNCLOSED_QUOTE.match(text, start):
        return Mistake(start, len(text) - start, "this quote is not closed", "")
    word = re.compile(r"[^\s}]+|.").match(text, start)
    width = len(word.group()) if word else 1
    cure = 'write #id, .tag, key=value or key="two words"'
    return Mistake(start, width, f"`{text[start : start + width]}` is not an attribute", cure)
