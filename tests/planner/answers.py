"""Answers of a planner, written in short, and the scripts that give them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aca.planner.draft import Draft
from tests.project import Project

TEXTS = Path(__file__).parent / "texts"
SETTINGS = 'provider = "replay"\n[providers.replay]\nscript = "answers.jsonl"\n'
Answer = dict[str, Any] | str
"""An object, or words where one was asked for."""


def task(id: str, lines: tuple[int, int] | None = None, **more: Any) -> dict[str, Any]:  # noqa: A002
    """A task of a draft, made of the *lines* from the first to the last."""
    usual: dict[str, Any] = {
        "id": id,
        "title": f"Do {id}",
        "kind": "agent",
        "description": "",
        "parent": None,
        "dependencies": [],
        "priority": 5,
        "estimated_complexity": 3,
        "role": None,
        "touches": [],
        "file_refs": [],
        "checks": [],
        "command": None,
        "tags": [],
        "source": [{"first": lines[0], "last": lines[1]}] if lines else [],
    }
    return usual | more


def draft(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole answer."""
    made = {"name": "Drafted", "execution_mode": "sequential", "remarks": [], "tasks": list(tasks)} | more
    Draft.model_validate(made)
    return made


def say(project: Project, *answers: Answer) -> None:
    """Let the planner of *project* give *answers*, one per try; every other task is said to be done."""
    project.write({"aca.toml": SETTINGS, "answers.jsonl": "".join(_lines(answers))})


def _lines(answers: Sequence[Answer]) -> list[str]:
    used = {"usage": {"input_tokens": 1000, "output_tokens": 200, "cost_usd": 0.02}}
    steps: list[dict[str, Any]] = [{"task": "*", "say": "done"}, {"task": "planner", **used}]
    for attempt, answer in enumerate(answers, 1):
        given = {"say": answer} if isinstance(answer, str) else {"output": answer}
        steps.append({"task": "planner", "attempt": attempt, **given})
    return [f"{json.dumps(step)}\n" for step in steps]


def copy(project: Project, *names: str) -> None:
    """Put texts of the fixed set into *project*."""
    for name in names:
        shutil.copy(TEXTS / name, project.root / name)
