"""The files below a directory, one by one: what has changed there is found by looking at each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

Entry = tuple[str, os.stat_result]
"""A file's path from the root, and what is said of it; of a link, of the link itself."""


def walk(root: str, enters: Callable[[str, str], bool]) -> Iterator[Entry]:
    """Every file below *root*, links included and not followed.

    ``enters(path, name)`` decides about each directory. What is removed meanwhile, or not ours to read,
    is not among them.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        for entry in _entries(f"{root}/{folder}"):
            path = folder + entry.name
            try:
                if not entry.is_dir(follow_symlinks=False):
                    yield path, entry.stat(follow_symlinks=False)
                elif enters(path, entry.name):
                    folders.append(f"{path}/")
            except OSError:
                continue


def mark(file: Path) -> str:
    """What tells whether a file is as it was; empty where there is none."""
    try:
        found = file.lstat()
    except OSError:
        return ""
    return f"{found.st_mode:o}:{found.st_size}:{found.st_mtime_ns}"


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
