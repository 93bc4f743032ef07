"""Where a command prints: results to stdout, everything else to stderr."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from aca.cli.options import Output
from aca.errors import MachineError

if TYPE_CHECKING:
    from rich.console import Console

    from aca.core.progress import Status


class Screen:
    """One command's way to print. A reader that went away (``| head``) is no error."""

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()

    def result(self, text: str) -> None:
        """A line of what was asked for. Raises MachineError when it cannot be printed."""
        _print(sys.stdout, text, "standard output")

    def results(self, lines: Iterable[str]) -> None:
        self.result("\n".join(lines))

    def document(self, value: Any) -> None:
        """What was asked for, as one JSON document."""
        self.result(json.dumps(value, indent=2, ensure_ascii=False))

    def line(self, value: Any) -> None:
        """The same on one line."""
        self.result(json.dumps(value, ensure_ascii=False))

    def remark(self, text: str) -> None:
        """A line about how it goes. Work does not end because nobody can be told of it."""
        with suppress(MachineError):
            _print(sys.stderr, text, "standard error")

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

        unheard = cast(TextIO, _Unheard(sys.stderr))
        return Console(file=unheard, stderr=True, no_color=self.output.no_color or None, highlight=False)


_printed: set[TextIO] = set()


def has_printed() -> bool:
    """Whether this process has printed a result."""
    return sys.stdout in _printed


def _print(stream: TextIO, text: str, called: str) -> None:
    _printed.add(stream)
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except OSError as error:
        has_gone = _has_gone(stream, error)
        _lead_nowhere(stream)
        if not has_gone:
            raise MachineError(f"{called}: {error.strerror}") from error


def _has_gone(stream: TextIO, error: OSError) -> bool:
    """Whether the one who would have read it went away: a closed pipe, or a terminal that hung up."""
    is_device = stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    return isinstance(error, BrokenPipeError) or (error.errno == errno.EIO and is_device)


def _lead_nowhere(stream: TextIO) -> None:
    """Let what cannot be printed go nowhere: the interpreter flushes once more at its exit."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


class _Unheard:
    """A stream that leads nowhere once it cannot be written: work goes on when nobody can be told of it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._whatever_happens():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._whatever_happens():
            self._stream.flush()

    @contextmanager
    def _whatever_happens(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            _lead_nowhere(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
