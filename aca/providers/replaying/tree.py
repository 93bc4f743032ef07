"""The files of a workspace at one moment, and what has become of them since.

Agents do not tell every change (a command makes what it makes), so a record of their work looks for itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from aca.safety.place import Place
from aca.tools.files import LEFT_ALONE
from aca.walk import walk

LARGEST = 1 << 20
"""Bytes of the largest file whose content is kept."""
MOST = 16 << 20
"""Bytes of all that is kept of one attempt."""

Stamp = tuple[int, int, int]
"""Time of the last change (ns), size (bytes) and mode: as long as these are the same, the file is."""


class Tree(msgspec.Struct):
    """The files below ``root`` by their names there; ``path`` is the directory in which the work is done."""

    root: str
    path: str
    files: dict[str, Stamp]

    @classmethod
    def of(cls, place: Place, besides: Path) -> Tree:
        """How *place* looks now. The file *besides* is not looked at."""
        root = os.path.realpath(place.root)
        return cls(root, os.path.realpath(place.path), dict(_scan(root, str(besides))))

    def learn(self, found: Difference) -> None:
        """Take what was *found* as having been so before."""
        for name, stamp in found.stamps.items():
            if stamp is None:
                self.files.pop(name, None)
            else:
                self.files[name] = stamp


class Content(msgspec.Struct, frozen=True):
    """A file as it is now, ``name`` being relative to where the work is done."""

    name: str
    data: bytes
    is_executable: bool


class Difference(msgspec.Struct):
    """What has become of a tree: files written and deleted, and those too large to keep."""

    stamps: dict[str, Stamp | None] = msgspec.field(default_factory=dict)
    """The changed files by their names in the tree; None is one that is gone."""
    written: list[Content] = msgspec.field(default_factory=list)
    deleted: list[str] = msgspec.field(default_factory=list)
    left_out: list[str] = msgspec.field(default_factory=list)
    """A line for each, for people."""


def difference(before: Tree, besides: Path, others: Collection[str] = ()) -> Difference:
    """What is not as it was in *before*; *others* are names in the tree that are not to be looked at."""
    now = dict(_scan(before.root, str(besides)))
    found, room = Difference(), MOST
    for name in sorted((now.keys() | before.files.keys()) - set(others)):
        stamp = now.get(name)
        if stamp == before.files.get(name):
            continue
        found.stamps[name] = stamp
        called = Path(os.path.relpath(Path(before.root, name), before.path)).as_posix()
        if stamp is None:
            found.deleted.append(called)
        elif not _is_text(name) or stamp[1] > min(LARGEST, room):
            found.left_out.append(f"{called!a} ({stamp[1]:,} bytes)")
        elif (content := _content(Path(before.root, name), called)) is not None:
            found.written.append(content)
            room -= len(content.data)
    return found


def _scan(root: str, besides: str) -> Iterator[tuple[str, Stamp]]:
    """Regular files; links are neither followed nor looked at."""
    for name, found in walk(root, lambda _, name: name.lower() not in LEFT_ALONE):
        if stat.S_ISREG(found.st_mode) and f"{root}/{name}" != besides:
            yield name, (found.st_mtime_ns, found.st_size, found.st_mode)


def _content(path: Path, name: str) -> Content | None:
    try:
        return Content(name, path.read_bytes(), bool(path.stat().st_mode & 0o100))
    except OSError:
        return None


def _is_text(name: str) -> bool:
    """Whether *name* can be written down: names of files are bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
