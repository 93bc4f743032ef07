"""Finding files, and text in them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace

from aca.plans.values import format_duration
from aca.processes import process
from aca.safety import secrets
from aca.tools.base import Bench, Tool, ToolError, ToolResult

SCAN = Path(__file__).with_name("scan.py")
MOST_FILES = 1000
MOST_LINES = 200
TIMEOUT = 60.0


class List(Tool):
    """List the files below a directory, without those that git ignores."""

    name: ClassVar[str] = "list"

    path: str = "."
    """A directory, relative to the working directory."""
    glob: str = "*"
    """Which files: "*.py" is a name in any directory, "src/**/*.py" a path below the directory."""

    @property
    def detail(self) -> str:
        return f"{self.path} {self.glob}"

    async def use(self, bench: Bench) -> ToolResult:
        return await _scan(bench, "list", self.path, self.glob, str(MOST_FILES))


class Search(Tool):
    """Search files for lines that match a regular expression (as Python has them), without the files that
    git ignores. Answers with path:line:text."""

    name: ClassVar[str] = "search"

    regex: str
    path: str = "."
    """A directory or a file, relative to the working directory."""
    glob: str = "*"
    """In which files: "*.py" is a name in any directory, "src/**/*.py" a path below the directory."""

    @property
    def detail(self) -> str:
        return self.regex

    async def use(self, bench: Bench) -> ToolResult:
        try:
            re.compile(self.regex)
        except re.error as error:
            raise ToolError(f"this is not a regular expression: {error}") from None
        return await _scan(bench, "search", self.path, self.glob, str(MOST_LINES), self.regex)


async def _scan(bench: Bench, kind: str, path: str, *wanted: str) -> ToolResult:
    """In a child: what it takes, it takes from nobody else, and it can be stopped."""
    place = bench.place
    found = place.name_of(place.inside(path))
    if not (place.path / found).exists():
        raise ToolError(f"there is no {path}")
    argv = (sys.executable, "-I", "-S", str(SCAN), kind, str(place.root), found, *wanted)
    output = bench.output(kind)
    apart = replace(place, env=secrets.without(place.env), enclosure=None)
    ended = await process.run(argv, apart, output=output, timeout=TIMEOUT)
    text = output.read_text(errors="replace")
    output.unlink()
    if ended.timed_out:
        raise ToolError(f"not done after {format_duration(TIMEOUT)}: narrow it down")
    if ended.exit_code != 0:
        raise ToolError(text.strip().rpartition("\n")[2] or f"exit code {ended.exit_code}")
    return ToolResult(text or "(nothing was found)")
