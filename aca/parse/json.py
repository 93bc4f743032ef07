"""JSON with positions: loading is fast and blind; marks are found only when a problem must be shown."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from aca.parse.document import Document, Loc, Mark, Marks, too_large

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)


def load(document: Document) -> Any:
    """The data in the document's text. Raises InputError where it is not JSON."""
    repeated = False

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        made = dict(pairs)
        repeated = repeated or len(made) != len(pairs)
        return made

    try:
        data = json.loads(document.text, object_pairs_hook=table)
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise document.refuse(_place(document.text, error.pos), message) from None
    except RecursionError:
        raise document.refuse(None, "this is nested too deeply") from None
    except ValueError:
        raise document.refuse(too_large(document.text), "this holds a number that is too large") from None
    if repeated:
        _note_repeated(document)
    return data


def _place(text: str, position: int) -> Mark:
    """What is missing at the end is missing after the last character that is there."""
    before = text[: min(position, len(text.rstrip()))]
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _note_repeated(document: Document) -> None:
    seen: Marks = {}
    for loc, mark, is_key in _scan(document.text):
        if is_key and loc in seen:
            document.note_at(mark, f'"{loc[-1]}" is written twice', f"the first is on line {seen[loc].line}")
        seen.setdefault(loc, mark)


def marks(text: str) -> Marks:
    """Where every key and every list item of *text*, which is JSON, stands."""
    found: Marks = {}
    for loc, mark, _ in _scan(text):
        found.setdefault(loc, mark)
    return found


def _scan(text: str) -> Iterator[tuple[Loc, Mark, bool]]:
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    open_locs: list[Loc] = []
    counts: list[int] = []
    loc: Loc = ()
    for match, following in _with_next(text):
        sign = match.group()
        if counts and sign not in "]},:" and (counts[-1] >= 0 or following == ":"):
            is_key = counts[-1] < 0
            step = json.loads(sign, strict=False) if is_key else counts[-1]
            loc = (*open_locs[-1], step)
            yield loc, _mark(match, starts), is_key
        if sign in "[{":
            open_locs.append(loc)
            counts.append(0 if sign == "[" else -1)
        elif sign in "]}":
            loc = open_locs.pop()
            counts.pop()
        elif sign == "," and counts[-1] >= 0:
            counts[-1] += 1


def _with_next(text: str) -> Iterator[tuple[re.Match[str], str]]:
    held: re.Match[str] | None = None
    for match in _TOKEN.finditer(text):
        if held is not None:
            yield held, match.group()
        held = match
    if held is not None:
        yield held, ""


def _mark(match: re.Match[str], starts: list[int]) -> Mark:
    line = bisect_right(starts, match.start())
    width = match.end() - match.start()
    return Mark(line, match.start() - starts[line - 1] + 1, width if width > 1 else 1)
