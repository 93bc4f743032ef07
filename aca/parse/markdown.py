"""Markdown task files: a real parser finds the blocks, the text is taken from the lines as written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aca.parse.outline import BOX, Item, Outline, Section

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_BLOCKS = ["blockquote", "code", "fence", "heading", "hr", "html_block", "lheading", "list"]
_CODE = ("fence", "code_block", "html_block")
_MARKER = re.compile(r"[\s>]*(?:[-*+]|\d{1,9}[.)])(?:\s+|$)")
_DEEPEST = 200
"""Blocks inside blocks that are looked at: a hundred lists in each other."""


def read_outline(lines: list[str], first: int) -> Outline:
    """The outline of Markdown that begins in line *first* (from 0); what is above is front matter."""
    outline = Outline(lines, first)
    tokens = _parser().parse("\n" * first + "\n".join(lines[first:]))
    _Reading(outline).read(tokens)
    outline.too_deep = next((token.map[0] for token in tokens if _is_too_deep(token) and token.map), None)
    return outline


def _is_too_deep(token: Token) -> bool:
    return token.type == "list_item_open" and token.level > _DEEPEST


def _parser() -> MarkdownIt:
    """Block rules only: inline markup stays as the author wrote it."""
    from markdown_it import MarkdownIt  # not for plans, which are read more often

    parser = MarkdownIt("zero", {"maxNesting": _DEEPEST + 2, "html": True}).enable(_BLOCKS)
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


class _Reading:
    """A walk over the tokens that keeps the list item, list and section it is in."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._items: list[Item] = []
        self._lists: list[tuple[int, bool]] = []
        self._list_count = 0
        self._quotes = 0

    def read(self, tokens: Sequence[Token]) -> None:
        for index, token in enumerate(tokens):
            if token.type in _CODE and token.map:
                self._outline.code.update(range(*token.map))
            elif token.type == "heading_open" and not self._items and not self._quotes:
                self._heading(token, tokens[index + 1].content)
            elif token.type.startswith("blockquote"):
                self._quotes += token.nesting
            elif not self._quotes:
                self._list_token(token)

    def _heading(self, token: Token, title: str) -> None:
        level = int(token.tag[1:])
        above = self._outline.sections[-1]
        while above.above is not None and above.level >= level:
            above = above.above
        start = token.map[0] if token.map else 0
        self._outline.sections.append(Section(level, " ".join(title.split()), above, lines=[start]))

    def _list_token(self, token: Token) -> None:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            self._list_count += 1
            self._lists.append((self._list_count, token.type.startswith("ordered")))
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            self._lists.pop()
        elif token.type == "list_item_open":
            self._open_item(token)
        elif token.type == "list_item_close":
            self._items.pop()

    def _open_item(self, token: Token) -> None:
        start, end = token.map or [0, 0]
        above = self._items[-1] if self._items else None
        line = self._outline.lines[start]
        inside = above.margin if above is not None and above.start == start else 0
        marker = _MARKER.match(line, inside)
        siblings, ordered = self._lists[-1]
        column = marker.end() if marker else 0
        item = Item(start, end, column, column, siblings, ordered, above)
        item.section = self._outline.sections[-1]
        if box := BOX.match(line, item.column):
            item.box, item.column = box[1], box.end()
        self._items.append(item)
        self._outline.items.append(item)
