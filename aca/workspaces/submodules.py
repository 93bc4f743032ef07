"""What tasks do in a submodule, of which the commit that is made of a tree holds nothing but a link.

git is asked in there only what makes it run nothing: an agent may have written its settings and attributes.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from aca.walk import mark, walk
from aca.workspaces.git import GitError, git
from aca.workspaces.snapshots import REBUILT


class Submodule(msgspec.Struct, frozen=True):
    """The submodule *name* of the tree at *top*, whether somebody has filled it or not."""

    top: Path
    name: str
    env: Mapping[str, str]

    def files(self) -> dict[str, str]:
        """The files in it that are somebody's work, by their names from *top*, and their marks.

        None where git refuses to look.
        """
        try:
            inside = list(self._names())
        except GitError:
            return {}
        names = (f"{self.name}/{name}" for name in inside if REBUILT.isdisjoint(name.split("/")))
        return {name: found for name in names if (found := mark(self.top / name)) and not _is_folder(found)}

    def has_unkept(self, before: Mapping[str, str]) -> bool:
        """Whether there is work in it that was not there *before* and is not in the commit that it shows.

        It counts as such where git cannot tell.
        """
        now = self.files()
        changed = {name for name in {*now, *before} if now.get(name) != before.get(name)}
        try:
            committed = self._committed() if changed else {}
        except GitError:
            return True
        return any(_blob(self.top / name, committed.get(name, "")) != committed.get(name) for name in changed)

    def is_elsewhere(self) -> bool:
        """Whether what it shows is at its origin too; its repository goes with the tree."""
        with suppress(GitError, OSError):
            return bool(self._git("for-each-ref", "--contains=HEAD", "refs/remotes"))
        return False

    def _names(self) -> Iterator[str]:
        if self._is_filled:
            yield from self._git("ls-files", "-coz", "--exclude-standard").split("\0")[:-1]
        else:
            yield from (name for name, _ in walk(str(self._path), lambda _path, _name: True))

    def _committed(self) -> dict[str, str]:
        """The files of the commit that it shows, by their names from *top*, and what git calls each."""
        if not self._is_filled:
            return {}
        entries = self._git("ls-tree", "-rz", "HEAD").split("\0")[:-1]
        parts = (entry.partition("\t") for entry in entries)
        return {f"{self.name}/{name}": what.split(" ")[2] for what, _, name in parts}

    @property
    def _path(self) -> Path:
        return self.top / self.name

    @property
    def _is_filled(self) -> bool:
        """Without one of its own git would answer for the repository around it."""
        return os.path.lexists(self._path / ".git")

    def _git(self, *arguments: str) -> str:
        return git(*arguments, cwd=self._path, env=self.env)[1]


def _is_folder(marked: str) -> bool:
    """A submodule in the submodule is no file."""
    return stat.S_ISDIR(int(marked.partition(":")[0], 8))


def _blob(file: Path, like: str) -> str | None:
    """What git calls the content of *file*, by the kind of hash that *like* is; None where there is none."""
    with suppress(OSError):
        content = os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
        kind = "sha256" if len(like) == 64 else "sha1"
        return hashlib.new(kind, b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()
    return None
