"""From a path to text: every way in which that can fail, in the user's words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from aca.errors import InputError, Problem, did_you_mean

MAX_BYTES = 64 * 1024 * 1024


def read_text(path: Path) -> str:
    """The text of *path* with ``\\n`` line ends and without byte order mark. Raises InputError."""
    raw = _bytes(path)
    if len(raw) > MAX_BYTES:
        raise _refused(path, "this file is larger than 64 MB", "split it, or name the task file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, raw, error.start) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(Problem("this is not a text file: it contains a NUL byte", "", str(path), line))
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _bytes(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _refused(path, "there is no such file", nearest_file(path)) from None
    except IsADirectoryError:
        raise _refused(path, "this is a directory", "name a file in it") from None
    except PermissionError:
        raise _refused(path, "this file may not be read", "permission was denied") from None
    except OSError as error:
        raise _refused(path, f"this file cannot be read: {os.strerror(error.errno or errno.EIO)}") from None
    except ValueError:
        raise _refused(path, "this cannot be the name of a file") from None


def _refused(path: Path, message: str, cure: str = "") -> InputError:
    return InputError(Problem(message, cure, str(path)))


def _not_utf8(path: Path, raw: bytes, offset: int) -> InputError:
    line = raw.count(b"\n", 0, offset) + 1
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    cure = "it looks like UTF-16; " if utf16 else ""
    message = f"this is not UTF-8: byte {raw[offset]:#04x} at offset {offset}"
    return InputError(Problem(message, f"{cure}save it as UTF-8", str(path), line))


def nearest_file(path: Path) -> str:
    """``did you mean "tasks.md"?`` from what is in the directory *path* would be in."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return ""
    return did_you_mean(path.name, names[:2000])
