"""Everything that can go wrong, and the number the process ends with.

    AcaError
    ├── InputError        2   something the user wrote must change; carries every problem found
    ├── DriftError        6   what would run is not what was reviewed
    ├── PlanningError     *   a model was to make a plan and did not; it says what the process returns
    ├── MachineError      7   disk full, no permission, a tool gone; the session can be resumed
    └── SessionError      2   a session, task or checkpoint that is named wrongly or in use
        ├── DamagedJournalError    a line in the middle of a journal cannot be trusted
        └── SessionInUseError      another process is running it

A run that ends is not an error: its exit code is in the ``RunEnded`` event (see ``aca.rules.verdict``).
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import PurePath


class Exit(IntEnum):
    """What the process's exit code means (the table in ``docs/reference.md``)."""

    OK = 0
    TASK_FAILED = 1
    USAGE = 2
    BUG = 3
    WAITING = 4
    LIMIT = 5
    DRIFT = 6
    MACHINE = 7
    QUOTA = 75
    INTERRUPTED = 130
    TERMINATED = 143


MACHINE_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOLCK, errno.ESTALE),
}
"""What the operating system says when the machine, not the task, is at fault: its disk, or its limits."""


@dataclass(frozen=True)
class Problem:
    """One thing the user can mend: what is wrong, where in their file, and the cure.

    ``line`` and ``column`` count from 1; ``source`` is the text of that line and ``width`` how many
    characters of it the caret underlines. Without a line, only the file is named.
    """

    message: str
    cure: str = ""
    path: str = ""
    line: int | None = None
    column: int | None = None
    width: int = 1
    source: str = ""

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line) if part)
        head = f"{where}: {self.message}" if where else self.message
        if self.line is None or not self.source.strip():
            return f"{head}\n   {self.cure}" if self.cure else head
        number = f"{self.line:5d} | "
        if self.column is None:
            lines = [head, number + self.source]
            return "\n".join([*lines, " " * len(number) + self.cure] if self.cure else lines)
        indent = "".join("\t" if char == "\t" else " " for char in self.source[: self.column - 1])
        caret = " " * len(number) + indent + "^" * max(1, self.width)
        return "\n".join([head, number + self.source, f"{caret} {self.cure}".rstrip()])


class AcaError(Exception):
    """Base of everything aca raises on purpose; ``exit_code`` is what the process returns."""

    exit_code: Exit = Exit.USAGE


class InputError(AcaError):
    """The user's input cannot be used. Carries every problem, not only the first."""

    exit_code = Exit.USAGE

    def __init__(self, problems: Problem | str | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: list[Problem] = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join([*map(str, self.problems), self.tally])

    @property
    def tally(self) -> str:
        count = len(self.problems)
        return f"{count} problem{'s' if count != 1 else ''}, nothing was run"


class DriftError(AcaError):
    """The plan no longer matches what it was made from; ``field`` names what moved."""

    exit_code = Exit.DRIFT

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class PlanningError(AcaError):
    """No plan came of asking a model for one. Nothing was run."""

    def __init__(self, message: str, code: Exit) -> None:
        self.exit_code = code
        super().__init__(message)


class MachineError(AcaError):
    """The machine failed us. Nothing that was finished is lost; the session can be resumed."""

    exit_code = Exit.MACHINE


class SessionError(AcaError):
    """A session, task or checkpoint cannot be used as asked."""


def lost(session: str) -> str:
    """The cure where no event of a *session* can be read."""
    branch = f"what it had merged is on the branch aca/{session}, if there is one"
    return f"it cannot go on: `aca gc {session} --force` removes it; {branch}"


class DamagedJournalError(SessionError):
    """A line inside a journal cannot be trusted. ``good`` events before it can be saved."""

    exit_code = Exit.MACHINE

    def __init__(self, path: str, line: int, why: str, good: int) -> None:
        self.path, self.line, self.why, self.good = path, line, why, good
        saved = f"the {good} events before it are sound; `aca doctor SESSION` shows what they hold"
        cure = saved if good else lost(PurePath(path).parent.name)
        super().__init__(f"{path}:{line}: this journal is damaged here: {why}\n   {cure}")


class SessionInUseError(SessionError):
    """Another process holds the session's lock."""

    def __init__(self, session: str, holder: str) -> None:
        self.session, self.holder = session, holder
        super().__init__(f"session {session} is being run by {holder}; a second runner is refused")


def exit_code(error: BaseException) -> Exit:
    """What the process ends with when *error* ends it."""
    if isinstance(error, AcaError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    is_machine = isinstance(error, OSError) and (error.errno in MACHINE_ERRORS or error.filename is not None)
    return Exit.MACHINE if is_machine else Exit.BUG


NOT_JSON = (ValueError, RecursionError)
"""What readers of JSON raise: of what is none, is not UTF-8, does not fit its type, or is nested too deep."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean "build"?`` for the nearest of *known*, or an empty string."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.6)
    best = max(near, key=lambda name: (_likeness(word, name), -names.index(name)), default="")
    return f'did you mean "{best}"?' if best else ""


def _likeness(word: str, name: str) -> float:
    return difflib.SequenceMatcher(None, name, word).ratio()
