"""What a script is told on stdout that asked for JSON, where a command ends with an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aca.cli.screen import Screen, has_printed
from aca.errors import Exit, InputError, Problem

_YES = ("1", "true", "t", "yes", "y", "on")
"""What a variable says that turns an option on."""


def tell(arguments: Sequence[str], environ: Mapping[str, str], code: Exit, why: str, error: object) -> None:
    """Print how it ended as JSON, where *arguments* or variables ask for that and nothing is printed yet."""
    if has_printed() or not (kind := _asked_for(arguments, environ)):
        return
    told = document(code, why, error)
    if kind == "jsonl":
        Screen().line({"type": "done", "session": None, **told})
    else:
        Screen().document(told)


def _asked_for(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Looked at by itself: what was refused may be the command line."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for kind in ("jsonl", "json"):
        if f"--{kind}" in options or environ.get(f"ACA_{kind.upper()}", "").lower() in _YES:
            return kind
    return ""


def document(code: Exit, why: str, error: object) -> dict[str, Any]:
    """The keys of every ending, and each problem of an input that cannot be used."""
    problems = error.problems if isinstance(error, InputError) else []
    reason = error.tally if isinstance(error, InputError) else why
    return {"exit_code": int(code), "reason": reason, "problems": [*map(fault, problems)]}


def fault(problem: Problem) -> dict[str, Any]:
    """One problem. Line and column count from 1, and are null where there is none."""
    from aca.cli import shortened

    return {
        "path": shortened(problem.path) or None,
        "line": problem.line,
        "column": problem.column,
        "width": problem.width if problem.column else None,
        "message": problem.message,
        "cure": problem.cure or None,
    }
