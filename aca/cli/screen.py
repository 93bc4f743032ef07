"""Where a command prints: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from aca.cli.options import Output

if TYPE_CHECKING:
    from rich.console import Console

    from aca.progress import Status


class Screen:
    """One command's way to print. A reader that went away (``| head``) is no error."""

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()

    def result(self, text: str) -> None:
        """A line of what was asked for."""
        _print(sys.stdout, text)

    def results(self, lines: Iterable[str]) -> None:
        self.result("\n".join(lines))

    def document(self, value: Any) -> None:
        """What was asked for, as one JSON document."""
        self.result(json.dumps(value, indent=2, ensure_ascii=False))

    def remark(self, text: str) -> None:
        """A line about how it goes."""
        _print(sys.stderr, text)

    @property
    def marks(self) -> Mapping[Status, str]:
        """One character per status that stdout can show."""
        from aca.report.words import marks

        return marks(sys.stdout.encoding)

    @property
    def is_live(self) -> bool:
        """Whether stderr is a terminal on which a tree can be drawn again and again."""
        return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")

    def console(self) -> Console:
        """stderr for rich. NO_COLOR is heeded by rich itself."""
        from rich.console import Console

        return Console(stderr=True, no_color=self.output.no_color or None, highlight=False)


def _print(stream: TextIO, text: str) -> None:
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except OSError as error:
        # The interpreter flushes once more at its exit: what cannot be printed goes nowhere then.
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        if not isinstance(error, BrokenPipeError):
            raise


def be_readable() -> None:
    """Print what a stream's encoding lacks in another way, rather than fail over it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
