"""Writing and editing files, inside the workspace and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from aca.core.events import FileChange
from aca.plans.values import Model
from aca.safety.place import Place
from aca.tools.base import Bench, Tool, ToolError, ToolResult

LEFT_ALONE = (".git", ".aca")
"""Directories that tools never write to: the history, and our own record of what happened."""


class Replacement(Model):
    """One exact text for another."""

    path: str
    old: str = Field(min_length=1)
    new: str


class Write(Tool):
    """Write a text file, its directories made. What was in the file before is gone; to change a part of a
    file use edit."""

    name: ClassVar[str] = "write"
    writes: ClassVar[bool] = True

    path: str
    """Relative to the working directory."""
    content: str

    @property
    def detail(self) -> str:
        return self.path

    async def use(self, bench: Bench) -> ToolResult:
        change = write(bench.place, self.path, self.content)
        return ToolResult(f"{change.path} was {change.action}", changes=(change,))


class Edit(Tool):
    """Replace a text in a file. It must be there exactly once, to the last space: take enough lines around
    it along, without line numbers."""

    name: ClassVar[str] = "edit"
    writes: ClassVar[bool] = True

    path: str
    """Relative to the working directory."""
    old: str = Field(min_length=1)
    """The text to replace."""
    new: str
    """What is to be there instead."""

    @property
    def detail(self) -> str:
        return self.path

    async def use(self, bench: Bench) -> ToolResult:
        changes = edit(bench.place, [Replacement(path=self.path, old=self.old, new=self.new)])
        return ToolResult(f"{changes[0].path} was modified", changes=changes)


class Edits(Tool):
    """Replace several texts, in one file or in many, one after the other. Either all are replaced or, when
    one cannot be, none."""

    name: ClassVar[str] = "edits"
    writes: ClassVar[bool] = True

    edits: tuple[Replacement, ...] = Field(min_length=1)
    """Each as for edit: the path, the text that is there exactly once, and what is to be there instead."""

    @property
    def detail(self) -> str:
        return ", ".join(dict.fromkeys(one.path for one in self.edits))

    async def use(self, bench: Bench) -> ToolResult:
        changes = edit(bench.place, self.edits)
        return ToolResult(f"modified: {', '.join(change.path for change in changes)}", changes=changes)


# -- what they do, for whoever else does it -----------------------------------------------------------------


def write(place: Place, name: str, content: str | bytes) -> FileChange:
    """Write the file *name*, and its directories. Raises one of BROKEN."""
    path = writable(place, name)
    is_there = path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return FileChange(place.name_of(path), "modified" if is_there else "created")


def delete(place: Place, name: str) -> FileChange | None:
    """Delete the file *name*; None when it is gone already. Raises one of BROKEN."""
    path = writable(place, name)
    if not path.exists():
        return None
    path.unlink()
    return FileChange(place.name_of(path), "deleted")


def edit(place: Place, edits: Sequence[Replacement]) -> tuple[FileChange, ...]:
    """Make all *edits*, or none of them. Raises one of BROKEN."""
    before: dict[Path, bytes] = {}
    after: dict[Path, bytes] = {}
    for number, one in enumerate(edits, 1):
        path = writable(place, one.path)
        if path not in after:
            before[path] = after[path] = path.read_bytes()
        try:
            after[path] = _replaced(after[path], one)
        except ToolError as error:
            raise error if len(edits) == 1 else ToolError(f"edit {number}, {one.path}: {error}") from None
    _write_all(before, after)
    return tuple(FileChange(place.name_of(path), "modified") for path in after)


def writable(place: Place, name: str) -> Path:
    """The file that *name* means, where it may be written to. Raises one of BROKEN."""
    path = regular(place, name)
    inside = path.relative_to(place.root.resolve())
    for part in inside.parts:
        if part.lower() in LEFT_ALONE:
            raise ToolError(f"{name} is in {part}, which tools leave alone")
    if why := place.protection.path_refusal(inside.as_posix()):
        raise ToolError(why)
    return path


def regular(place: Place, name: str) -> Path:
    """The file that *name* means. Raises ToolError where opening it could wait for ever."""
    path = place.inside(name)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ToolError(f"{name} is not a regular file")
    return path


def _replaced(text: bytes, one: Replacement) -> bytes:
    old, new = one.old.encode(), one.new.encode()
    count = text.count(old)
    if count == 0 and b"\r\n" in text:  # models see and write the ends of lines as \n
        old, new = (_with_carriage_returns(side) for side in (old, new))
        count = text.count(old)
    if count != 1:
        where = "is not in the file" if count == 0 else f"is in the file {count} times, not once"
        raise ToolError(f"the text to replace {where}")
    return text.replace(old, new)


def _with_carriage_returns(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _write_all(before: Mapping[Path, bytes], after: Mapping[Path, bytes]) -> None:
    try:
        for path, content in after.items():
            path.write_bytes(content)
    except OSError:
        for path, content in before.items():
            with contextlib.suppress(OSError):  # one of them is why we are here
                path.write_bytes(content)
        raise
