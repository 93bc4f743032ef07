"""TOML with positions: ``tomli`` decides what it means; a scan of the tokens tells where it stands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import tomli

from aca.parse.document import Document, Loc, Mark, Marks, too_large

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}'
    r"|'''.*?''''{0,2}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|\[\[|\]\]|[\[\]{}=,\n]"
    r"""|[^\s\[\]{}=,\#"']+""",
    re.DOTALL,
)
_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

_END = ("", Mark(0))


def load(document: Document, text: str, first_line: int = 1) -> dict[str, Any]:
    """The data of *text*, which starts on *first_line* of the document. Raises InputError."""
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        message, mark = _explained(str(error), text, first_line)
        raise document.refuse(mark, f"this is not TOML: {message}") from None
    except RecursionError:
        raise document.refuse(Mark(first_line), "this is nested too deeply") from None
    except ValueError:
        raise document.refuse(too_large(text, first_line), "this holds a number that is too large") from None


def _explained(message: str, text: str, first_line: int) -> tuple[str, Mark]:
    where = _WHERE.search(message)
    plain = _WHERE.sub("", message)
    plain = plain[:1].lower() + plain[1:]
    if where and where[1]:
        return plain, Mark(first_line + int(where[1]) - 1, int(where[2]))
    lines = text.rstrip("\n").split("\n")
    return f"{plain}, at the end of it", Mark(first_line + len(lines) - 1, len(lines[-1]) + 1)


def marks(text: str, first_line: int = 1) -> Marks:
    """Where every key, table and list item of *text*, which is TOML, stands."""
    return _Scan(text, first_line).marks


def without(text: str, tables: Collection[str]) -> str:
    """*text*, which is TOML, without the outermost *tables* and all in them; the rest as it was written."""
    lines, headers = text.split("\n"), _Scan(text, 1).headers
    ends = [*(line - 1 for line, _ in headers[1:]), len(lines)]
    for (line, name), end in reversed(list(zip(headers, ends, strict=False))):
        if name in tables:
            while end < len(lines) and lines[end - 1].startswith("#"):
                end -= 1  # what is remarked above the next table is about that
            del lines[line - 1 : end]
    return "\n".join(lines)


def entries(text: str, table: str) -> list[tuple[bool, str]]:
    """*text*, which is TOML, in pieces: whether it is one ``[[table]]`` with all in and remarked above it."""
    lines, cuts = text.split("\n"), [(0, False)]
    for number, name in _Scan(text, 1).headers:
        header = re.sub(r"\s", "", lines[number - 1].partition("#")[0])
        if (is_entry := header == f"[[{table}]]") or name != table:
            start = number - 1
            while start and lines[start - 1].startswith("#"):
                start -= 1
            cuts.append((start, is_entry))
    ends = [*(start for start, _ in cuts[1:]), len(lines)]
    return [
        (is_entry, "\n".join(lines[start:end])) for (start, is_entry), end in zip(cuts, ends, strict=True)
    ]


def with_line(text: str, table: str, line: str) -> str:
    """*text*, which is TOML, with *line* first in its outermost *table*, made where there is none."""
    lines = text.split("\n")
    for number, name in _Scan(text, 1).headers:
        header = lines[number - 1].partition("#")[0]
        if name == table and header.strip(" \t[]") == table:
            return "\n".join([*lines[:number], line, *lines[number:]])
    return text.rstrip("\n") + f"\n\n[{table}]\n{line}\n"


class _Scan:
    """One walk over the tokens of text that is known to be TOML."""

    def __init__(self, text: str, first_line: int) -> None:
        self.marks: Marks = {}
        self.headers: list[tuple[int, str]] = []
        """(line, outermost key) of each table that has a line of its own."""
        self._sizes: dict[Loc, int] = {}
        self._tokens = _tokens(text, first_line)
        self._next = next(self._tokens, _END)
        self._document()

    def _take(self) -> tuple[str, Mark]:
        taken, self._next = self._next, next(self._tokens, _END)
        return taken

    def _document(self) -> None:
        table: Loc = ()
        while self._next[0]:
            if self._next[0] in ("[", "[["):
                table = self._header()
            elif self._next[0] == "\n":
                self._take()
            else:
                self._pair(table)

    def _header(self) -> Loc:
        opening, mark = self._take()
        parts, _ = self._key()
        self._take()
        loc: Loc = ()
        for part in parts[:-1]:
            loc = self._inside((*loc, part))
        loc = (*loc, parts[-1])
        self.headers.append((mark.line, parts[0]))
        self._add(loc, mark)
        if opening == "[[":
            self._sizes[loc] = self._sizes.get(loc, 0) + 1
            loc = self._inside(loc)
            self._add(loc, mark)
        return loc

    def _inside(self, loc: Loc) -> Loc:
        return (*loc, self._sizes[loc] - 1) if loc in self._sizes else loc

    def _key(self) -> tuple[list[str], Mark]:
        parts: list[str] = []
        first = self._next[1]
        while self._next[0] not in ("=", "]", "]]", ""):
            parts += _parts(self._take()[0])
        return parts, first

    def _pair(self, table: Loc) -> None:
        parts, mark = self._key()
        self._take()
        for length in range(1, len(parts) + 1):
            self._add((*table, *parts[:length]), mark)
        self._value((*table, *parts))

    def _value(self, loc: Loc) -> None:
        if self._next[0] in ("[", "[["):
            self._list(loc)
        elif self._next[0] == "{":
            self._inline(loc)
        else:
            while self._next[0] not in (",", "]", "]]", "}", "\n", ""):
                self._take()

    def _list(self, loc: Loc) -> None:
        self._split_next()
        self._take()
        index = 0
        while not self._next[0].startswith("]"):
            if self._next[0] in (",", "\n"):
                self._take()
                continue
            self._add((*loc, index), self._next[1])
            self._value((*loc, index))
            index += 1
        self._split_next()
        self._take()

    def _split_next(self) -> None:
        """Inside values ``[[`` and ``]]`` are two brackets, not a table's."""
        token, mark = self._next
        if token in ("[[", "]]"):
            self._tokens = _chain((token[1], Mark(mark.line, (mark.column or 1) + 1)), self._tokens)
            self._next = (token[0], mark)

    def _inline(self, loc: Loc) -> None:
        self._take()
        while self._next[0] != "}":
            if self._next[0] in (",", "\n"):
                self._take()
            else:
                self._pair(loc)
        self._take()

    def _add(self, loc: Loc, mark: Mark) -> None:
        self.marks.setdefault(loc, mark)


def _chain(first: tuple[str, Mark], rest: Iterator[tuple[str, Mark]]) -> Iterator[tuple[str, Mark]]:
    yield first
    yield from rest


def _tokens(text: str, first_line: int) -> Iterator[tuple[str, Mark]]:
    line, start = first_line, 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not token.startswith("#"):
            yield token, Mark(line, match.start() - start + 1, max(1, len(token.split("\n", 1)[0])))
        if "\n" in token:
            line += token.count("\n")
            start = match.start() + token.rindex("\n") + 1


def _parts(token: str) -> list[str]:
    """The keys in one token: ``a.b`` has two, ``"a.b"`` one, the dot between quoted ones none."""
    if token[0] in "\"'":
        return [str(tomli.loads(f"key = {token}")["key"])]
    return [part for part in token.split(".") if part]
