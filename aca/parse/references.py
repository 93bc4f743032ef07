"""Files a text refers to: ``-> path`` and ``[text](path)``, found, checked and named as the plan does."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

import msgspec

from aca.parse.document import Document, Mark
from aca.parse.source import nearest_file

_SPAN = re.compile(r"`+")
_LINK = re.compile(
    r"\]\(\s*(<[^<>\n]*>|[^\s()<>]*(?:\([^\s()]*\)[^\s()]*)*)"
    r"""(?:\s+(?:"[^"\n]*"|'[^'\n]*'))?\s*\)"""
)
_ARROW_LINE = re.compile(r"^[ \t]*->[ \t]+(.*)$", re.MULTILINE)
_TARGET = re.compile(r"\s*(?:->\s+|,\s*)?(<[^<>]*>|(?:(?!\s+->\s|,).)+)")
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|#|$")
_PATH_LIKE = re.compile(r"[^\s/]*/\S*|\S*\.[A-Za-z]\w*")

_MOST_HINTS = 20
"""Names are compared to give a hint, which takes time: not for every one of very many."""


class Reference(msgspec.Struct, frozen=True):
    """What stands in the text, and where."""

    target: str
    mark: Mark


class Unfound(msgspec.Struct, frozen=True):
    """Why a reference leads nowhere."""

    message: str
    cure: str


class Shelf:
    """Finds the files that a file at *home* refers to, and names them relative to *base*."""

    def __init__(self, home: Path, base: Path) -> None:
        self._home = home
        self._base = base
        self._found: dict[str, str | Unfound] = {}
        self._hints = 0

    def of_workspace(self) -> Shelf:
        """What a plan refers to, wherever it lies."""
        return Shelf(self._base, self._base)

    def name(self, target: str) -> str:
        """The plan's name of *target*, whether it is there or not."""
        return target if "\0" in target else relative(self._home / target, self._base)

    def path(self, name: str) -> Path:
        """Where the file is that the plan calls *name*."""
        return self._base / name

    def find(self, target: str) -> str | Unfound:
        """The plan's name of the file *target*, or why there is none."""
        if target not in self._found:
            self._found[target] = self._look(target)
        return self._found[target]

    def has(self, target: str) -> bool:
        """Whether *target* is a file, asked where something may as well be plain text."""
        return any(stat.S_ISREG(_mode(path)) for path in self._candidates(target))

    def _candidates(self, target: str) -> Iterator[Path]:
        """As written; then with escapes decoded, without the place inside the file."""
        bare = target.partition("#")[0]
        for text in dict.fromkeys((target, unquote(target), bare, unquote(bare))):
            if "\0" not in text:
                yield self._home / text

    def _look(self, target: str) -> str | Unfound:
        candidates = list(self._candidates(target))
        for path in candidates:
            if stat.S_ISREG(_mode(path)):
                return relative(path, self._base)
        if any(stat.S_ISDIR(_mode(path)) for path in candidates):
            return Unfound(f'"{target}" is a directory', "refer to the files in it")
        return Unfound(f'there is no file "{target}"', self._hint(candidates))

    def _hint(self, candidates: list[Path]) -> str:
        self._hints += 1
        near = nearest_file(candidates[-1]) if candidates and self._hints <= _MOST_HINTS else ""
        return near or "write `code` around it if it is not a file"

    def add(self, document: Document, references: Iterable[Reference], into: list[str]) -> None:
        """Append the files of *references* to *into*, once each; note what leads nowhere."""
        for reference in references:
            found = self.find(reference.target)
            if isinstance(found, Unfound):
                document.note_at(reference.mark, found.message, found.cure)
                continue
            if document.prose is not None:
                document.prose.links.append((reference.mark.line, found))
            if found not in into:
                into.append(found)


def _mode(path: Path) -> int:
    """0 where nothing can be: names may be too long, or hold what no file system takes."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - takes ".." out without following links


def relative(path: Path, base: Path) -> str:
    """*path* as a plan writes it: relative to *base* where it is inside, else absolute."""
    absolute = _absolute(path)
    for inner, outer in ((absolute, _absolute(base)), (os.path.realpath(path), os.path.realpath(base))):
        if inner == outer or inner.startswith(outer.rstrip(os.sep) + os.sep):
            return Path(os.path.relpath(inner, outer)).as_posix()
    return Path(absolute).as_posix()


def is_elsewhere(target: str) -> bool:
    """Whether *target* is a URL or a place in the same file, which are left alone."""
    return _ELSEWHERE.match(target) is not None


def looks_like_path(text: str) -> bool:
    """A word with a slash or an extension. ``2.7 -> 3.8`` and ``foo -> bar`` are prose."""
    return _PATH_LIKE.fullmatch(text) is not None


def mask(text: str) -> str:
    """*text* with the inside of code spans blanked out, every other character in its place."""
    if "`" not in text:
        return text
    pieces, done = [], 0
    runs = list(_SPAN.finditer(text))
    alike: dict[int, deque[re.Match[str]]] = {}
    for run in runs:
        alike.setdefault(len(run.group()), deque()).append(run)
    for run in runs:
        closing = alike[len(run.group())]
        closing.popleft()
        if run.start() < done or not closing:
            continue
        end = closing[0].end()
        pieces += [text[done : run.start()], re.sub(r"[^\n]", " ", text[run.start() : end])]
        done = end
    return "".join([*pieces, text[done:]])


def in_text(lines: list[tuple[int, str]]) -> Iterator[Reference]:
    """The references in *lines*, numbered from 1; code blocks must be left out already."""
    if not any("](" in line or "->" in line for _, line in lines):
        return  # as nearly always
    for paragraph in _paragraphs(lines):
        text = "\n".join(line for _, line in paragraph)
        if "](" in text or "->" in text:
            yield from _in_paragraph(text, [number for number, _ in paragraph])


def _paragraphs(lines: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Code spans end with their paragraph."""
    paragraph: list[tuple[int, str]] = []
    for number, line in lines:
        if line.strip():
            paragraph.append((number, line))
        elif paragraph:
            yield paragraph
            paragraph = []
    if paragraph:
        yield paragraph


def _in_paragraph(text: str, numbers: list[int]) -> Iterator[Reference]:
    plain = mask(text)
    found = [(match.start(1), match[1]) for match in _LINK.finditer(plain)]
    for match in _ARROW_LINE.finditer(plain):
        if "](" not in match[1]:
            found += [(match.start(1) + at, target) for at, target in targets(match[1])]
    for start, target in sorted(found):
        above = text.count("\n", 0, start)
        column = start - (text.rfind("\n", 0, start) + 1)
        bare = target.strip("<>")
        if not is_elsewhere(bare):
            yield Reference(bare, Mark(numbers[above], column + 1, max(1, len(target))))


def targets(text: str) -> Iterator[tuple[int, str]]:
    """The paths after an arrow, with commas or further arrows between them, and where each starts."""
    for match in _TARGET.finditer(text):
        if target := match[1].rstrip():
            yield match.start(1), target
