"""Variables called nearly as one of aca's: what is meant by them would be passed over in silence."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aca.cli import root
from aca.cli.options import Output, Planning, Selection, Settings

_GIVEN = ("SESSION", "TASK", "ATTEMPT", "SLOT", "PORT")
"""What aca tells those that it starts."""
_OTHERS = ("TASK_FILE", "EXECUTION_PLAN", "LIST_CHECKPOINTS", "WORKSPACE", "GOAL", *_GIVEN)
_NEAR = 0.75
"""So alike is a slip of the finger; other programs may have variables that begin like ours."""


def misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """What to tell of each variable that is none of aca's, and nearly one."""
    names = [name.removeprefix("ACA_") for name in environ if name.startswith("ACA_")]
    if not names:
        return
    known = [*_OTHERS, *_options()]
    for name in names:
        if name not in known:
            for near in _meant(name, known):
                yield f"ACA_{name} means nothing to aca; did you mean ACA_{near}?"


def _meant(name: str, known: Iterable[str]) -> Iterator[str]:
    """What *name* is nearly, or is written in another way; nothing where it is right, or like none."""
    upper = name.upper()
    command, _, option = upper.partition("_")
    variables = {one: one for one in known}
    if option and command == "RUN":  # it reads those that have no command in front
        upper = option
    elif option and command.lower() in (*root.COMMANDS, *root.GROUPS):
        variables = dict(_of_command(command, root.program().get_command(None, command.lower())))
    for near in difflib.get_close_matches(upper, variables, n=1, cutoff=_NEAR):
        if variables[near] != name:
            yield variables[near]


def _of_command(prefix: str, command: Any) -> Iterator[tuple[str, str]]:
    """The options of *command* as one expects them to be called, each with its variable."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from _of_command(f"{prefix}_{name.upper()}", inner)
    for option in command.params:
        if option.param_type_name == "option":
            called = max(option.opts, key=len).strip("-").replace("-", "_").upper()
            variable = option.envvar or f"ACA_{prefix}_{option.name.upper()}"
            yield f"{prefix}_{called}", variable.removeprefix("ACA_")


def _options() -> Iterator[str]:
    """Those that have no command in front."""
    for group in (Settings, Selection, Planning, Output):
        yield from (field.name.upper() for field in dataclasses.fields(group))
