"""The files of a workspace at one moment, as a tree in git; nothing of the user's is touched for it.

git has an index of our own, and writes objects and refs, no more: the user's index, branch, stash and files
stay as they are. Whether there is anything to ask git about is seen by looking at the files themselves.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aca.safety.place import PRIVATE
from aca.walk import walk
from aca.workspaces.repository import Difference, Repository

LARGEST = 10 << 20
"""Bytes of the largest file that is kept where git does not have it already."""
MOST = 1 << 30
"""Bytes of all files, at most, that git does not have."""
MOST_FILES = 100_000
NOBODYS = frozenset({".git", PRIVATE})
REBUILT = frozenset(
    {"node_modules", ".venv", "venv", "__pycache__", ".tox", ".nox", ".mypy_cache", ".pytest_cache",
     ".ruff_cache"}
)  # fmt: skip
"""Directories that are not looked into: tools make them anew, and what is in them is theirs."""
LASTS = 7 * 86400.0
"""Seconds that an index can be gone on with: git's own cleaning up spares what it names for two weeks."""
_RECENT = 20_000_000
"""Nanoseconds: a file changed less than that before it was looked at may change again at the same time, as
clocks of file systems tell it (ticks of up to 10 ms on Linux)."""

Stamp = tuple[int, int, int]
"""Time of the last change (ns), size (bytes) and mode: as long as these are the same, the file is."""
_UNSURE = (-1, -1, -1)


class TooMuchError(Exception):
    """The workspace is too large to be kept; the message says what is too much."""


@dataclass
class Snapshots:
    """What git has of a workspace, in *index*, and how the files looked when that was so. Blocking."""

    repository: Repository
    index: Path
    besides: Path | None = None
    """A file that is aca's own to write, wherever it is."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Files that are not kept, and why."""
    _stamps: dict[str, Stamp] = field(default_factory=dict)
    _skipped: frozenset[str] = frozenset()
    """Files, and directories with a ``/`` behind them, that git ignores."""
    _outputs: frozenset[tuple[int, int]] = frozenset()
    """Device and number of the files our own output goes to: no task's work, and they change all the time."""
    _tree: str = ""
    _has_begun: bool = False

    # -- looking --------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start from what the index of an earlier run has, or the user's; a lock was left by a kill."""
        self._has_begun = True
        self._outputs = frozenset(_outputs())
        self.index.with_name(f"{self.index.name}.lock").unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            if time.time() - self.index.stat().st_mtime > LASTS:
                self.index.unlink()
        if not self.index.exists():
            with suppress(FileNotFoundError):
                shutil.copyfile(self._users_index(), self.index)

    def _users_index(self) -> Path:
        if self.repository.apart:
            return self.repository.common / "index"
        said = self.repository.here("rev-parse", "--path-format=absolute", "--git-path", "index")
        return Path(said.rstrip("\n"))

    def look(self) -> dict[str, Stamp]:
        """The files as they are now. Raises TooMuchError."""
        if not self._has_begun:
            self._begin()
        root, skipped = str(self.repository.workspace), self._skipped

        def enters(path: str, name: str) -> bool:
            if name in NOBODYS or f"{path}/" in skipped:
                return False
            if why := _closed(root, path, name):
                self.left_out[f"{path}/"] = why
            return not why

        found = {
            path: (said.st_ctime_ns, said.st_size, said.st_mode)
            for path, said in walk(root, enters)
            if path not in skipped
            and (stat.S_ISREG(said.st_mode) or stat.S_ISLNK(said.st_mode))
            and (said.st_dev, said.st_ino) not in self._outputs
        }
        if len(found) > MOST_FILES:
            raise TooMuchError(f"there are more than {MOST_FILES:,} files")
        return found

    def differs(self, now: Mapping[str, Stamp]) -> bool:
        """Whether anything may have changed since git was told."""
        return now != self._stamps

    def changes(self, now: Mapping[str, Stamp]) -> list[str]:
        """The files of which git knows better, of those that it would keep. Raises GitError, TooMuchError."""
        said = self.repository.here(
            "status", "--porcelain", "-z", "--untracked-files=normal", "--ignored=matching", "--no-renames",
            "--ignore-submodules=all", "--", ".", index=self.index,
        )  # fmt: skip
        entries = [(entry[:2], entry[3:]) for entry in said.split("\0") if entry]
        ours = [(how, path.removeprefix(self.repository.prefix)) for how, path in entries]
        self._skipped = frozenset(path for how, path in ours if how == "!!")
        found = [path for how, path in ours if how not in ("!!", "??") and how[1] != " "]
        new = {path for how, path in ours if how == "??"}
        new |= {f"{path}/" for path in found if (self.repository.workspace / path).is_dir()}  # was a file
        found += [path for path in now if path in new or _is_below(path, new)]
        return list(self._keepable(found, now))

    def _keepable(self, paths: Iterable[str], now: Mapping[str, Stamp]) -> Iterator[str]:
        """Those that are not there any more, and those that can be read and are not too large."""
        room = MOST
        for path in paths:
            full = self.repository.workspace / path
            if path not in now:
                if not os.path.lexists(full) or full.is_dir():
                    yield path
                continue
            size = now[path][1]
            if size > LARGEST:
                self.left_out[path] = f"{size:,} bytes are more than {LARGEST:,}"
            elif not (full.is_symlink() or os.access(full, os.R_OK)):
                self.left_out[path] = "it may not be read"
            elif full != self.besides:
                self.left_out.pop(path, None)
                room -= size
                yield path
        if room < 0:
            raise TooMuchError(f"the files that git does not have are more than {MOST:,} bytes")

    def take(self, now: Mapping[str, Stamp], paths: Collection[str]) -> None:
        """Have the index hold *paths* as they are, which is all that was different *now*. Raises GitError."""
        if paths:
            names = "".join(f"{path}\0" for path in paths)
            how = ("--add", "--remove", "--replace", "-z", "--stdin")
            self.repository.here("update-index", *how, stdin=names, index=self.index)
            self._tree = ""
        if self.repository.apart and not self._stamps:
            self._lend()
        self.note(now)

    def _lend(self) -> None:
        """Let later sessions begin with what is known of the files now: none of it need be read again."""
        aside = self.repository.common / f"index.{os.getpid()}"
        with suppress(FileNotFoundError):
            shutil.copyfile(self.index, aside)
            aside.replace(self.repository.common / "index")

    def note(self, now: Mapping[str, Stamp]) -> None:
        """Take it that git knows all there is *now*."""
        recent = time.time_ns() - _RECENT
        self._stamps = {
            path: stamp if stamp[0] < recent else _UNSURE
            for path, stamp in now.items()
            if path not in self._skipped and not _is_below(path, self._skipped)
        }

    def sees(self, path: str) -> bool:
        """Whether a change of *path*, from the workspace, would show here."""
        is_inside = not (path.startswith(("/", "../")) or path in self.left_out)
        is_ignored = path in self._skipped or _is_below(path, self._skipped)
        return is_inside and not is_ignored and REBUILT.isdisjoint(path.split("/"))

    # -- trees ----------------------------------------------------------------------------------------

    @property
    def tree(self) -> str:
        """What the index holds, as a tree."""
        if not self._tree:
            self._tree = self.repository.here("write-tree", index=self.index).strip()
        return self._tree

    def joined(self, base: str, now: str, paths: Collection[str]) -> tuple[str, Difference]:
        """The tree *base* with *paths*, from the workspace, as in the tree *now*; and what that changes."""
        all_of_it, prefix = self.repository.difference(base, now), self.repository.prefix
        mine = [one for one in all_of_it.entries if one[0].path.removeprefix(prefix) in paths]
        if len(mine) == len(all_of_it.entries):
            return now, all_of_it
        with self._scratch() as index:
            self.repository.here("read-tree", base, index=index)
            told = "".join(f"{held}\t{change.path}\0" for change, held in mine)
            self.repository.here("update-index", "-z", "--index-info", stdin=told, index=index)
            tree = self.repository.here("write-tree", index=index).strip()
        return tree, self.repository.difference(base, tree)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        index = self.index.with_name(f"{self.index.name}.joined")
        try:
            yield index
        finally:
            index.unlink(missing_ok=True)


def _closed(root: str, path: str, name: str) -> str:
    """Why a directory is not looked into; empty where it is."""
    if name in REBUILT:
        return "tools make it anew"
    is_repository = os.path.lexists(f"{root}/{path}/.git")
    return "it is a git repository of its own" if is_repository else ""


def _is_below(path: str, folders: Collection[str]) -> bool:
    """Whether *path* is in one of *folders*, which end in ``/``."""
    place = path.find("/")
    while place >= 0:
        if path[: place + 1] in folders:
            return True
        place = path.find("/", place + 1)
    return False


def _outputs() -> Iterator[tuple[int, int]]:
    """Where what we print goes, as files are told apart."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            found = os.fstat(stream.fileno())
            yield found.st_dev, found.st_ino
