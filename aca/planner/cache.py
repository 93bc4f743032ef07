"""Answers that were paid for once: on disk, by a hash of everything that was asked.

diskcache unpickles whatever a row of its database says is a pickle (CVE-2025-69872). Here only bytes are
kept, a row that says otherwise is refused, and the directory is the user's own and nobody else's.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

LARGEST = 64 * 1024 * 1024
"""Bytes on disk; what was used longest ago goes first."""


def folder(environ: Mapping[str, str]) -> Path:
    """``$XDG_CACHE_HOME/aca/planner``, by default in ``~/.cache``; XDG says to heed no relative path."""
    named = Path(environ.get("XDG_CACHE_HOME", ""))
    base = named if named.is_absolute() else Path(environ.get("HOME", "~")).expanduser() / ".cache"
    return base / "aca" / "planner"


def own(path: Path) -> Path:
    """*path* as a directory that is this user's alone. Raises OSError when it is somebody else's."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(1, "this directory belongs to somebody else", str(path))
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
    return path


class RefusedRowError(ValueError):
    """A row of the cache that is no plain bytes."""


def get(path: Path, key: str) -> bytes | None:
    """What was kept under *key*; None where there is nothing, or nothing that can be used."""
    with _open(path) as kept:
        found = None if kept is None else _unless_broken(lambda: kept.get(key))
        return found if isinstance(found, bytes) else None


def put(path: Path, key: str, value: bytes) -> None:
    """Keep *value* under *key*, if that can be done: a cache that cannot be used costs a call, no plan."""
    with _open(path) as kept:
        if kept is not None:
            _unless_broken(lambda: kept.set(key, value))


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """The cache; None where it cannot be opened."""
    cache = _unless_broken(lambda: _made(path))
    try:
        yield cache
    finally:
        if cache is not None:
            cache.close()


def _unless_broken(ask: Callable[[], Any]) -> Any:
    import diskcache

    try:
        return ask()
    except (OSError, sqlite3.Error, diskcache.Timeout, RefusedRowError) as error:
        log.warning("the planner's cache cannot be used: %s", error)
        return None


def _made(path: Path) -> Any:
    import diskcache

    class Bytes(diskcache.Disk):  # type: ignore[misc]
        """Keeps bytes under text, and reads nothing else."""

        def get(self, key: Any, raw: bool) -> Any:
            if not raw:
                raise RefusedRowError("a key that is a pickle")
            return super().get(key, raw)

        def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
            if mode != diskcache.core.MODE_RAW:
                raise RefusedRowError("a value that is not plain bytes")
            return super().fetch(mode, filename, value, read)

    settings = {"size_limit": LARGEST, "eviction_policy": "least-recently-used"}
    # Bytes of any length stay in the database: a file's name in a row could lead anywhere.
    return diskcache.Cache(str(own(path)), disk=Bytes, disk_min_file_size=LARGEST, **settings)
