"""Commands given again and again, and judged: a complaint is fine, a bug of aca is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.faults.tally import Losses, Tally
from tests.forking import forks
from tests.project import SECONDS


def aca(*argv: str) -> tuple[int, str]:
    """``aca ARGV``; its exit code, and all it printed."""
    done = forks().run(argv, Path.cwd(), os.environ, SECONDS)
    return done.returncode, (done.stdout + done.stderr).decode()


def judged(point: object, tally: Tally, *commands: tuple[str, ...]) -> None:
    """Give *commands*, and count a bug of aca as a wrong state."""
    losses = Losses()
    for command in commands:
        code, printed = aca(*command)
        if code == 3 or "Traceback" in printed:
            losses.wrong_states.append(f"aca {' '.join(command)}: {printed}{_report(printed)}")
    tally.of += 1
    tally.add(point, losses)


def _report(printed: str) -> str:
    _, told, path = printed.partition("a report to paste is in ")
    return Path(path.strip()).read_text() if told else ""


def fuzz(tally: Tally, given_: st.SearchStrategy[Any], example: Callable[[Any], None], most: int) -> None:
    """Let *example* try *most* examples, or thirty times as many; the same ones each time."""
    number = most * 30 if tally.everything else most
    health = list(HealthCheck)
    wanted = settings(
        max_examples=number, derandomize=True, phases=[Phase.generate], suppress_health_check=health
    )
    wanted(given(given_)(example))()
