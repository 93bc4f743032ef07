"""The books of this user's accounts, on disk: one SQLite file that all aca processes change in turn.

What is in it may be lost at any time: limits are learned anew. So nothing is synced to the disk, and a file
that cannot be used is made anew. What a killed process left half written, SQLite's rollback journal takes
back.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import msgspec

from aca import user_state
from aca.errors import NOT_JSON
from aca.limits.book import Book

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds to wait for other processes, each of which needs a thousandth of one."""
_TABLE = "CREATE TABLE IF NOT EXISTS books_1 (account TEXT PRIMARY KEY, book BLOB NOT NULL) WITHOUT ROWID"
_READ = "SELECT book FROM books_1 WHERE account = ?"
_WRITE = "INSERT OR REPLACE INTO books_1 VALUES (?, ?)"
_decode = msgspec.json.Decoder(Book).decode
_encode = msgspec.json.Encoder().encode


def path(environ: Mapping[str, str]) -> Path:
    """``$XDG_STATE_HOME/aca/limits.sqlite``, by default in ``~/.local/state``."""
    return user_state.directory(environ) / "limits.sqlite"


class Shelf(Protocol):
    """Where books are kept."""

    def read(self, account: str) -> Book:
        """The book as it is now; a new one where there is none."""
        ...

    def change(self, account: str) -> AbstractContextManager[Book]:
        """The book, to be changed by nobody else meanwhile, and kept at the end."""
        ...


class Private:
    """Books of this process alone: for who calls no model, and where no file can be kept."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}

    def read(self, account: str) -> Book:
        return self._books.setdefault(account, Book())

    @contextmanager
    def change(self, account: str) -> Iterator[Book]:
        yield self.read(account)


class SharedFile:
    """The file at *path*, made where it is missing; where it cannot be, the books are this process's own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = Private()
        """For a change while others keep the file locked."""
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError as error:
            self._connection = self._anew(error)

    def read(self, account: str) -> Book:
        try:
            return self._read(account)
        except sqlite3.DatabaseError as error:
            if not _is_busy(error):
                self._connection = self._anew(error)
                return Book()
        return self._own.read(account)

    @contextmanager
    def change(self, account: str) -> Iterator[Book]:
        book = self._begin(account)
        try:
            yield book
        finally:  # what was said before something went wrong counts, too
            self._keep(account, book)

    def close(self) -> None:
        """Let go of the file; it is done without asking when nobody has the shelf any more."""
        self._connection.close()

    def __del__(self) -> None:
        if hasattr(self, "_connection"):
            self.close()

    def _begin(self, account: str) -> Book:
        """The book, for nobody else to change; one of this process's own where it cannot be had."""
        try:
            return self._take(account)
        except sqlite3.DatabaseError as error:
            if _is_busy(error):
                log.warning("%s is locked by others for too long: one change is not kept in it", self.path)
            else:
                self._connection = self._anew(error)
                with suppress(sqlite3.DatabaseError):
                    return self._take(account)
        return self._own.read(account)

    def _take(self, account: str) -> Book:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            return self._read(account)
        except sqlite3.DatabaseError:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _read(self, account: str) -> Book:
        return _decoded(self._connection.execute(_READ, (account,)).fetchone())

    def _keep(self, account: str, book: Book) -> None:
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute(_WRITE, (account, _encode(book)))
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:  # a full disk, a file that was removed: it is learned again
            log.warning("%s cannot be written: %s", self.path, error)
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _open(self, place: str = "") -> sqlite3.Connection:
        # The rollback journal, not WAL: several processes write, and some versions of SQLite lose data so.
        connection = sqlite3.connect(place or self.path, timeout=PATIENCE, isolation_level=None)
        try:
            for command in ("PRAGMA journal_mode = DELETE", "PRAGMA synchronous = OFF", _TABLE):
                connection.execute(command)
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    def _anew(self, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        """A new file in place of a damaged one; where that cannot be, one in memory.

        Who has the old one open goes on with it alone.
        """
        log.warning("%s cannot be used (%s): limits are learned again", self.path, error)
        try:
            if not isinstance(error, sqlite3.OperationalError):  # which is said of a sound file, too
                for name in (self.path, Path(f"{self.path}-journal")):
                    name.unlink(missing_ok=True)
            return self._open()
        except (sqlite3.Error, OSError):
            return self._open(":memory:")


def _is_busy(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is sound and others have it locked."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _decoded(row: tuple[bytes] | None) -> Book:
    if row is None:
        return Book()
    try:
        return _decode(row[0])
    except NOT_JSON:  # of another aca, which knew other things
        return Book()
