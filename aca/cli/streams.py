"""The standard streams and what comes from outside with them, fit to be used before a command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence


def open_closed() -> None:
    """Let streams that are closed (``>&-``) lead nowhere, lest a file of ours takes the place of one."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def be_readable() -> None:
    """Print what a stream's encoding lacks in another way, rather than fail over it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def unreadable(arguments: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    """What was said in another encoding than the one that is set: no file of ours could hold it."""
    said = [("the argument", text) for text in arguments]
    said += [(f"the variable {name}:", text) for name, text in environ.items() if name.startswith("ACA_")]
    for what, text in said:
        try:
            text.encode()
        except UnicodeEncodeError:
            encoding = sys.getfilesystemencoding().upper()
            yield f"{what} {text!a} is not {encoding}: set LANG to what it is in, or write it in UTF-8"
