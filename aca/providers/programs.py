"""Agents that are programs of their own: whether one is there, and what one is told that was interrupted."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from aca.providers.base import Availability, Errand
from aca.safety.place import Place

GO_ON = """\
You were interrupted while you worked on this task. What you did until then is above; a command that was
running may have been cut off. See where it stands and go on. The task was:

"""
"""Stands in front of the prompt when a conversation is continued."""


def _words(value: object) -> object:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


CommandLine = Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)]
"""A program and its first arguments, as a list or as one would type them."""


def in_containers(errands: Iterable[Errand]) -> bool:
    """Whether all of *errands*, of which there are some, are for containers: the program is one in there."""
    given = list(errands)
    return bool(given) and all(one.in_container for one in given)


def find(program: Sequence[str], install: str, workspace: Path = Path()) -> Availability:
    """Whether *program* is there, at a glance: nothing is started. *install* is the cure when it is not.

    A path to it begins in *workspace*, where it will be started.
    """
    if shutil.which(str(workspace / program[0]) if "/" in program[0] else program[0]) is None:
        return Availability(False, f"{program[0]} is not on the PATH", install)
    return Availability(True, f"{program[0]} is on the PATH")


def directories(names: Iterable[str], place: Place) -> tuple[Path, ...]:
    """The directories that *names* mean in *place*: ``~/.agent``, or ``$AGENT_HOME`` where that is set.

    Where the agent is enclosed on this machine they are made, as it could not.
    """
    found = []
    for name in names:
        first, _, rest = name.partition("/")
        start = place.env.get("HOME") if first == "~" else place.env.get(first.removeprefix("$"))
        if start:
            found.append(Path(start, rest))
    for path in () if place.enclosure is None or place.brings_programs else found:
        path.mkdir(parents=True, exist_ok=True)
    return tuple(found)


def look(program: Sequence[str], install: str, version: Sequence[str] = ("--version",)) -> Availability:
    """Whether *program* can be started and tells its version; *install* is the cure when it cannot."""
    return _look(tuple(program), install, tuple(version))


@cache
def _look(command: tuple[str, ...], install: str, version: tuple[str, ...]) -> Availability:
    program = shutil.which(command[0])
    if program is None:
        return find(command, install)
    asked = [program, *command[1:], *version]
    line = " ".join([program, *version])
    try:
        told = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Availability(False, f"{line} did not work: {error}", install)
    text = told.stdout.decode(errors="replace").strip()
    if told.returncode != 0 or not text:
        return Availability(False, f"{line} failed (exit code {told.returncode})", install)
    return Availability(True, text.splitlines()[0])
