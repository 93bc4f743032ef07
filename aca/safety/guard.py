"""What is protected in a workspace, before and after: what could not be prevented is at least seen."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import translate
from functools import cache
from operator import attrgetter
from pathlib import Path

import msgspec

from aca.safety.place import PRIVATE
from aca.safety.protection import Protection

INSTALLED = frozenset({"node_modules", "site-packages", "__pycache__"})
"""What programs install is not looked through: packages bring keys and certificates for their tests."""
LARGEST = 1 << 20
"""Bytes of the largest file that is compared, and put back, by its content."""
GIT = ".git"

OF_GIT = frozenset({"modules"})
"""Of git's own directory what is looked through; of the rest only what is named is looked at."""
_LARGE = frozenset({"objects", "refs", "logs", "lfs"})
"""What is in a submodule's and holds no settings."""


class File(msgspec.Struct, frozen=True):
    """A file small enough to be put back."""

    content: bytes
    mode: int


Content = File | tuple[object, ...]
"""What is in a file; of a link, a large file or anything else what tells whether it is the same."""


class Guard(msgspec.Struct, frozen=True):
    """Looks at a workspace when it is made, and again when it is asked what has changed."""

    protection: Protection
    root: Path
    common: Path | None = None
    """git's directory, where it is not in the workspace: what is protected in there is looked at, too."""
    paths: list[Path] = msgspec.field(default_factory=list)
    """What is protected and there: files, and directories with all that is in them."""
    _before: dict[str, Content] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, path in found(self.protection, self.root, self.common):
            self.paths.append(path)
            self._before.update(_contents(name, path))
        private = self.root / PRIVATE
        if _matcher(self.protection)(PRIVATE, PRIVATE) and os.path.lexists(private):
            self.paths.append(private)

    def changed(self) -> list[str]:
        """The protected files that are not as they were, by their names in the workspace."""
        now: dict[str, Content] = {}
        for name, path in found(self.protection, self.root, self.common):
            now.update(_contents(name, path))
        names = now.keys() | self._before.keys()
        return sorted(name for name in names if now.get(name) != self._before.get(name))

    def put_back(self, name: str) -> bool:
        """Have *name* as it was. False where that cannot be done."""
        path, before = self.root / name, self._before.get(name)
        if isinstance(before, tuple) or not self._is_inside(path):
            return False
        try:
            path.unlink(missing_ok=True)
            if before is not None:
                path.touch(0o600)
                path.write_bytes(before.content)
                path.chmod(before.mode)
        except OSError:
            return False
        return True

    def _is_inside(self, path: Path) -> bool:
        """Whether it is in the workspace, and not in what a link on its way leads to."""
        return path.parent.resolve() == self.root.resolve() / path.parent.relative_to(self.root)


def found(protection: Protection, root: Path, common: Path | None = None) -> Iterator[tuple[str, Path]]:
    """What is protected, with its name in the workspace *root*; of a directory that is, not what is in it."""
    yield from _below(root, "", protection)
    if common is not None:
        yield from _below(common, f"{GIT}/", protection)


def _below(folder: Path, prefix: str, protection: Protection) -> Iterator[tuple[str, Path]]:
    is_meant, folders = _matcher(protection), [(str(folder), prefix)]
    while folders:
        directory, above = folders.pop()
        for entry in _entries(directory):
            name, is_folder = f"{above}{entry.name}", entry.is_dir(follow_symlinks=False)
            if name == PRIVATE or (is_folder and entry.name in INSTALLED):
                continue
            if is_meant(name, entry.name):
                yield name, Path(entry.path)
            elif is_folder and _is_looked_into(above, entry.name):
                folders.append((entry.path, f"{name}/"))


def _is_looked_into(above: str, name: str) -> bool:
    """Whether a directory that is not protected may hold something that is; *above* ends in ``/``."""
    if above.endswith(f"{GIT}/"):
        return name in OF_GIT
    return name not in _LARGE or f"{GIT}/" not in above


class _Matcher:
    """``protection.path_rule`` for paths whose directories are not protected: every file is asked about."""

    def __init__(self, protection: Protection) -> None:
        names = [translate(rule.lower()) for rule in protection.paths if "/" not in rule.strip("/")]
        self._name = re.compile("|".join(names) or r"(?!)")
        self._deep = Protection(tuple(rule for rule in protection.paths if "/" in rule.strip("/")), ())
        self._known: dict[str, bool] = {}

    def __call__(self, path: str, name: str) -> bool:
        if (known := self._known.get(path)) is None:
            is_meant = bool(self._name.match(name.lower())) or self._deep.path_rule(path) is not None
            known = self._known[path] = is_meant
        return known


_matcher = cache(_Matcher)
"""Every attempt asks for the same one."""


def _entries(directory: str) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(directory) as entries:
        return sorted(entries, key=attrgetter("name"))
    return []


def _contents(name: str, path: Path) -> Iterator[tuple[str, Content]]:
    """The file *path*, which is called *name*, or all files below it, with what is in them."""
    if path.is_symlink() or not path.is_dir():
        yield name, _content(path)
        return
    for folder, _, files in os.walk(path):
        for file in files:
            one = Path(folder, file)
            yield f"{name}/{one.relative_to(path).as_posix()}", _content(one)


def _content(path: Path) -> Content:
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            return "link", str(path.readlink())
        if stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST:
            return File(path.read_bytes(), stat.S_IMODE(found.st_mode))
        return found.st_mode, found.st_size, found.st_mtime_ns
    except OSError as error:
        return (error.errno,)
