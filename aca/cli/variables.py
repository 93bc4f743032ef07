"""Variables called nearly as one of aca's: what is meant by them would be passed over in silence."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping

from aca.cli import root
from aca.cli.options import Output, Planning, Selection, Settings

_GIVEN = ("SESSION", "TASK", "ATTEMPT", "SLOT", "PORT")
"""What aca tells those that it starts."""
_OTHERS = ("TASK_FILE", "EXECUTION_PLAN", "LIST_CHECKPOINTS", "WORKSPACE", "GOAL", *_GIVEN)
_NEAR = 0.8
"""So alike is a slip of the finger; other programs may have variables that begin like ours."""


def misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """What to tell of each variable that is none of aca's, and nearly one."""
    names = [name.removeprefix("ACA_") for name in environ if name.startswith("ACA_")]
    if not names:
        return
    known = [*_OTHERS, *_options()]
    prefixes = tuple(f"{name.upper()}_" for name in (*root.COMMANDS, *root.GROUPS))
    for name in names:
        if name not in known and not name.startswith(prefixes):
            for near in difflib.get_close_matches(name, known, n=1, cutoff=_NEAR):
                yield f"ACA_{name} means nothing to aca; did you mean ACA_{near}?"


def _options() -> Iterator[str]:
    """Those that have no command in front."""
    for group in (Settings, Selection, Planning, Output):
        yield from (field.name.upper() for field in dataclasses.fields(group))
