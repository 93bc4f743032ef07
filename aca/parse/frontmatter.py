"""The settings above the text of a task file: YAML between ``---``, TOML between ``+++``."""

from __future__ import annotations

import re
from typing import Any

from aca.parse import toml
from aca.parse.document import Document, Mark, Marks

_CLOSING = {"---": ("---", "..."), "+++": ("+++",)}
_KEY = re.compile(r"""["']?[\w.-]+["']?\s*[:=]""")


def take(document: Document) -> tuple[dict[str, Any], Marks, int]:
    """Front matter's data, where it stands, and how many lines it takes. Raises InputError."""
    fence = document.lines[0].rstrip()
    end = _closing_line(document.lines, _CLOSING.get(fence, ()))
    inside = document.lines[1:end]
    if fence not in _CLOSING or (any(inside) and not any(map(_KEY.match, inside[:200]))):
        return {}, {}, 0  # a thematic break also is ---
    if end is None:
        raise document.refuse(Mark(1, 1, 3), "this front matter is not closed", f"end it with {fence}")
    text = "\n".join(inside) + "\n"
    if fence == "+++":
        return toml.load(document, text, 2), toml.marks(text, 2), end + 1
    from aca.parse import yaml  # PyYAML takes its time, and most files have no front matter

    return *yaml.load(document, text), end + 1


def _closing_line(lines: list[str], closings: tuple[str, ...]) -> int | None:
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() in closings:
            return number
    return None
