"""Reading files, with line numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from aca.tools.base import Bench, Tool, ToolError, ToolResult
from aca.tools.files import regular

MAX_CHARS = 100_000
"""Of one answer."""
MAX_LINE = 2000
"""Characters of one line."""
MAX_BYTES = 64 * 1024 * 1024
"""Of a file that can be read at all."""


class Read(Tool):
    """Read a text file. Each line comes with its number and a tab in front, which are not in the file."""

    name: ClassVar[str] = "read"

    path: str
    """Relative to the working directory."""
    first: int = Field(default=1, ge=1)
    """The first line to read; lines count from 1."""
    count: int = Field(default=2000, ge=1)
    """How many lines to read at most."""

    @property
    def detail(self) -> str:
        return self.path

    async def use(self, bench: Bench) -> ToolResult:
        path = regular(bench.place, self.path)
        _refuse_unreadable(path)
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            numbered = enumerate(islice(file, self.first - 1, None), self.first)
            text = "".join(self._shown(numbered))
        return ToolResult(text or self._nothing(path))

    def _shown(self, numbered: Iterator[tuple[int, str]]) -> Iterator[str]:
        left = MAX_CHARS
        for number, line in numbered:
            shown = f"{number:6d}\t{_cut(line.rstrip())}\n"
            left -= len(shown)
            if left < 0 or number >= self.first + self.count:
                yield f"(there is more: read on with first = {number})\n"
                return
            yield shown

    def _nothing(self, path: Path) -> str:
        return f"(it has no line {self.first})" if path.stat().st_size else "(an empty file)"


def _refuse_unreadable(path: Path) -> None:
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise ToolError(f"it has {path.stat().st_size} bytes, too many to read: use search or a command")
    with path.open("rb") as file:
        if b"\0" in file.read(8192):
            raise ToolError("it is a binary file")


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}… ({len(line)} characters in all)"
