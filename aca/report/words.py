"""How amounts, marks and foreign text read to people."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from aca.core.progress import Status, TaskState
from aca.core.spent import money as money
from aca.plans.container import Container
from aca.plans.plan import Plan
from aca.plans.values import format_memory

GLYPHS: dict[Status, str] = {
    "pending": "·",
    "in_progress": "▶",
    "blocked": "◆",
    "completed": "✔",
    "failed": "✘",
    "skipped": "–",
}
PLAIN: dict[Status, str] = {
    "pending": ".",
    "in_progress": ">",
    "blocked": "?",
    "completed": "x",
    "failed": "!",
    "skipped": "-",
}
"""For terminals that cannot show the others."""

STATUS_WORDS: dict[Status, str] = {
    "pending": "pending",
    "in_progress": "running",
    "blocked": "waiting for a person",
    "completed": "completed",
    "failed": "failed",
    "skipped": "skipped",
}

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def marks(encoding: str | None) -> Mapping[Status, str]:
    """One character per status, such as a stream of *encoding* can show it."""
    try:
        "".join(GLYPHS.values()).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return GLYPHS


def why(now: TaskState) -> str:
    """Why a task is where it is; a question that has been answered is not asked again."""
    if now.status != "blocked" or now.answer is None:
        return now.reason
    answer = "approved" if now.answer.approved else "rejected"
    return f"answered ({answer} by {now.answer.by}); aca resume goes on"


def plain(text: str) -> str:
    """*text* without anything that would move a terminal's cursor or colour what follows."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def plan_name(plan: Plan) -> str:
    """What to call *plan* on one line."""
    return one_line(plan.name) or "Plan"


def one_line(text: str, width: int = 100) -> str:
    """*text* on one line, cut after *width* characters."""
    line = " ".join(plain(text).split())
    return line if len(line) <= width else line[: max(0, width - 3)] + "..."


def first_line(text: str, width: int = 200) -> str:
    """The first line of *text* that says something."""
    lines = (line for line in text.splitlines() if line.strip())
    return one_line(next(lines, ""), width)


def indented(text: str, indent: str) -> list[str]:
    """The lines of *text*, each behind *indent*."""
    return [f"{indent}{line}".rstrip() for line in plain(text).splitlines()]


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 task``, ``3 tasks``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def lasting(seconds: float) -> str:
    """``0.4s``, ``12.3s``, ``3m05s``, ``1h02m``, ``2d03h``."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def container(wanted: Container) -> str:
    """A container as a plan asks for it: ``python:3.12-slim, 2 cpus, 512 MB, network none, read-only``."""
    sizes = [f"{wanted.cpu_limit:g} cpus"] if wanted.cpu_limit is not None else []
    sizes += [format_memory(wanted.memory_limit)] if wanted.memory_limit is not None else []
    hosts = f"only {', '.join(wanted.allow_hosts)}" if wanted.allow_hosts else wanted.network_mode
    image = wanted.image or f"built from {wanted.build}"
    return ", ".join([image, *sizes, f"network {hosts}", *(["read-only"] if wanted.read_only else [])])


def moment(at: float) -> str:
    """Unix time as local date and time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
