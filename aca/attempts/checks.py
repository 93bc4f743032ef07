"""Checks: commands that decide whether a task is done. They run after the agent and outside it."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import replace

from aca.core.events import CheckResult
from aca.plans.check import Check
from aca.plans.values import format_duration
from aca.processes import process
from aca.safety import secrets
from aca.safety.place import Place

TIMEOUT = 600.0
"""For a check that names none: one that hangs must not hold the run for ever."""
KEPT = 4000
"""How many characters of a failed check's output are kept: the end, where the failure is told."""

_ESCAPES = re.compile(
    r"\x1b (?: \[ [0-?]* [ -/]* [@-~]  |  \] [^\x07\x1b]* (?: \x07 | \x1b\\ )?  |  [ -/]* [0-~] )", re.VERBOSE
)


async def run_check(check: Check, place: Place, output: Path) -> CheckResult:
    """Run *check* in *place*; it passed when it exits with 0. What it prints is appended to *output*."""
    place = replace(place, env=secrets.without(place.env, place.passed))
    before = output.stat().st_size if output.exists() else 0
    timeout = TIMEOUT if check.timeout is None else check.timeout
    ended = await process.run(check.run, place, output=output, timeout=timeout)
    passed = ended.exit_code == 0 and not ended.timed_out
    told = "" if passed else tail(output, place, KEPT, before)
    if ended.timed_out:
        told = f"{told}\nstopped: not done after {format_duration(timeout)}".lstrip()
    return CheckResult(check.title, passed, round(ended.seconds, 3), ended.exit_code, told)


def tail(output: Path, place: Place, longest: int, start: int = 0) -> str:
    """The end of what was printed in *place* since *start*, as plain text in which secrets are struck out."""
    with output.open("rb") as file:
        # Colours and wide characters take bytes that are not kept: read more than is needed.
        end = file.seek(0, 2)
        file.seek(max(start, end - 8 * longest))
        text = file.read().decode("utf-8", errors="replace")
    plain = _ESCAPES.sub("", text).replace("\r\n", "\n").strip()
    return secrets.struck_out(plain, place.env)[-longest:]
