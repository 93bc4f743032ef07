"""The journal: append-only JSON lines that are the whole truth of a session, and the lock on it.

``append`` stamps and buffers, ``commit`` makes everything buffered durable with one fsync. Nobody may act
on an event before its commit. Each line ends in a CRC-32 of itself, so that damage is found, not believed.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from aca.core.events import FORMAT_VERSION, AnyEvent, Event, SessionCreated
from aca.errors import NOT_JSON, DamagedJournalError, MachineError, SessionError, SessionInUseError
from aca.processes import orphans

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_SEAL = len(b',"crc":"00000000"}')


class Journal:
    """The writing end of one session's journal. Open it only while holding the session's ``Lock``."""

    def __init__(self, path: Path, seq: int, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._seq = seq
        self._clock = clock
        self._lines: list[bytes] = []
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._length = os.fstat(self._file).st_size
        self._broken: MachineError | None = None

    def append(self, event: Event) -> Event:
        """Stamp *event* with its number and the time, and put it in line for the next ``commit``."""
        self._seq += 1
        stamped = msgspec.structs.replace(event, seq=self._seq, at=round(self._clock(), 6))
        self._lines.append(_seal(_encode(stamped)))
        return stamped

    def commit(self) -> None:
        """Make all appended events durable. Raises MachineError when the disk does not take them.

        After that every further commit raises it too: what was appended since is lost, and with a hole
        in it a journal would be worthless.
        """
        if not self._lines:
            return
        data, self._lines = b"".join(self._lines), []
        if self._broken is None:
            self._broken = self._write(data)
        if self._broken is not None:
            raise self._broken

    def _write(self, data: bytes) -> MachineError | None:
        """What went wrong, if anything; then the file is as it was before, or as somebody else left it."""
        try:
            now = os.fstat(self._file)
            if not _is_file_at(self._file, self.path):  # what is written would be found by nobody
                return MachineError(f"{self.path} is gone: something has removed it, or replaced it")
            if now.st_size != self._length:
                return MachineError(f"{self.path}: somebody else has written to this journal")
            _write_all(self._file, data)
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._length)
            cure = "once that is mended, `aca resume` goes on"
            return MachineError(f"{self.path}: cannot write the journal: {error.strerror}\n   {cure}")
        self._length += len(data)
        return None

    def close(self) -> None:
        os.close(self._file)


def read(path: Path, until: int | None = None) -> list[AnyEvent]:
    """All events of the journal at *path*, or those up to number *until*. Never writes.

    A torn last line (a crash in the middle of writing) is left out. Raises DamagedJournalError where a line
    inside cannot be trusted, with the number of sound events before it; and where there is no journal.
    """
    lines = whole_lines(_content(path))[:until]
    events = _at_once(lines)
    if events is not None:
        return events
    return [_parse(path, number, line) for number, line in enumerate(lines, start=1)]


def _at_once(lines: list[bytes]) -> list[AnyEvent] | None:
    """The events of *lines*, all of which are sound, as nearly always; None where one is not."""
    if not all(map(_sound, lines)):
        return None
    try:
        events = _decoder.decode_lines(b"\n".join(lines))
    except NOT_JSON:
        return None
    is_newer = any(isinstance(one, SessionCreated) and one.format_version > FORMAT_VERSION for one in events)
    numbers = [event.seq for event in events]
    return None if is_newer or numbers != [*range(1, len(lines) + 1)] else events


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DamagedJournalError(str(path), 1, "the file is gone", 0) from None


def whole_lines(data: bytes) -> list[bytes]:
    """The lines of a journal without a torn last one."""
    lines = data.split(b"\n")
    tail = lines.pop().rstrip(b"\0")
    if _sound(tail[:-1]):
        lines.append(tail)  # whole but for its newline, which was changed: damage, not a torn write
    return lines


def drop_torn_tail(path: Path) -> None:
    """Cut off what a crash left of a line, before appending again."""
    data = path.read_bytes()
    sound = data.rfind(b"\n") + 1
    if sound < len(data):
        os.truncate(path, sound)


def _seal(body: bytes) -> bytes:
    return b'%s,"crc":"%08x"}\n' % (body[:-1], zlib.crc32(body))


def _sound(line: bytes) -> bool:
    crc = zlib.crc32(b"}", zlib.crc32(line[:-_SEAL]))  # the seal stands where the brace was
    return len(line) > _SEAL and line[-_SEAL:] == b',"crc":"%08x"}' % crc


def _parse(path: Path, number: int, line: bytes) -> AnyEvent:
    def damaged(why: str) -> DamagedJournalError:
        return DamagedJournalError(str(path), number, why, number - 1)

    if not _sound(line):
        raise damaged("its checksum does not match")
    try:
        event = _decoder.decode(line)
    except NOT_JSON as error:
        raise damaged(f"not an event this aca knows ({error})") from None
    if event.seq != number:
        raise damaged(f"event {event.seq} stands where {number} belongs: lines are missing or repeated")
    if isinstance(event, SessionCreated) and event.format_version > FORMAT_VERSION:
        why = f"a newer aca has written it (format {event.format_version}, this one reads {FORMAT_VERSION})"
        raise SessionError(f"{path}: {why}\n   use that one for this session")
    return event


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def sync_directory(path: Path) -> None:
    """Make the entries of the directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_aside(path: Path, *pieces: bytes) -> None:
    """Replace the file at *path* by *pieces* so that a reader or a crash sees the old or the new, whole."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise MachineError(f"{path}: cannot be written: {error.strerror}") from error


class Lock:
    """One runner per session. The kernel lets go of it when its holder dies, however it dies.

    The file also says who holds it (process id, boot id, start), for the message to a second runner.
    """

    def __init__(self, path: Path, session: str) -> None:
        self._path, self._session = path, session
        self._file: int | None = None

    def __enter__(self) -> Lock:
        """Raises SessionInUseError with the holder's process id."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _try_lock(file):
            os.close(file)
            raise SessionInUseError(self._session, holder(self._path))
        if not _is_file_at(file, self._path):
            os.close(file)
            raise SessionError(f"session {self._session} was removed just now")
        owner = {"pid": os.getpid(), "boot_id": orphans.boot_id(), "since": time.time()}
        os.truncate(file, 0)
        os.pwrite(file, json.dumps(owner).encode(), 0)
        self._file = file
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.truncate(self._file, 0)
            os.close(self._file)
            self._file = None


def _is_file_at(file: int, path: Path) -> bool:
    """Whether the open *file* is still the one at *path*: a session may be removed while we wait."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False


def _try_lock(file: int) -> bool:
    for _ in range(10):  # ``is_locked`` in another process holds it for an instant
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def holder(path: Path) -> str:
    """Who the lock file says holds it: ``process 4242``."""
    try:
        return f"process {json.loads(path.read_bytes())['pid']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def is_locked(path: Path) -> bool:
    """Whether a live process holds the lock. Never creates or changes the file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def lines(events: Iterable[Event]) -> bytes:
    """*events*, stamped already, as journal lines: for a journal that starts as a copy of another."""
    return b"".join(_seal(_encode(event)) for event in events)
