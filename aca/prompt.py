"""What an agent is told: the plan's and the parents' context, references, earlier results, the task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aca.plan import Task
from aca.state import SessionState

MAX_REFERENCE_BYTES = 256 * 1024
"""Of one referenced file."""
MAX_REFERENCES_BYTES = 1024 * 1024
"""Of all referenced files of one prompt."""


def build(state: SessionState, task: Task, workspace: Path) -> str:
    """The whole prompt for the next attempt at *task*. File references are read now, from *workspace*.

    Raises OSError when a referenced file cannot be read any more.
    """
    parts = [
        *_context(state, task),
        *_references(_file_refs(state, task), workspace),
        *_results(state, task),
        _heading(1, f"Your task: {task.title}") + task.description,
        *_lesson(state, task),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def lineage(state: SessionState, task: Task) -> list[Task]:
    """The groups *task* is in, outermost first."""
    above: list[Task] = []
    while task.parent_id is not None:
        task = state.tasks[task.parent_id]
        above.insert(0, task)
    return above


def _context(state: SessionState, task: Task) -> Iterator[str]:
    if state.plan.description:
        yield _heading(1, state.plan.name or "The project") + state.plan.description
    said: set[str] = set()
    for one in (*lineage(state, task), task):
        if one.context and one.context not in said:
            said.add(one.context)
            yield one.context
        if one is not task:
            yield _heading(1, f"Part of: {one.title}") + one.description


def _file_refs(state: SessionState, task: Task) -> list[str]:
    inherited = (ref for one in (*lineage(state, task), task) for ref in one.file_refs)
    return list(dict.fromkeys(inherited))


def _references(paths: list[str], workspace: Path) -> Iterator[str]:
    left = MAX_REFERENCES_BYTES
    for name in paths:
        text = _read(workspace / name, min(left, MAX_REFERENCE_BYTES))
        left -= len(text)
        yield _heading(2, f"File {name}") + text


def _read(path: Path, limit: int) -> str:
    """The file between fences; a binary one by name only, a long one up to *limit* bytes."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if b"\0" in data:
        return "(a binary file)"
    text = data[:limit].decode("utf-8", errors="replace")
    fence = "```"
    while fence in text:
        fence += "`"
    cut = f"\n(only the first {limit} bytes of it)" if len(data) > limit else ""
    return f"{fence}\n{text.rstrip()}\n{fence}{cut}"


def _results(state: SessionState, task: Task) -> Iterator[str]:
    needed = [(state.tasks[one], state.states[one].summary) for one in task.dependencies]
    told = [f"- {one.title}: {summary.strip()}" for one, summary in needed if summary.strip()]
    if told:
        yield _heading(1, "What was done before, for you to build on") + "\n".join(told)


def _lesson(state: SessionState, task: Task) -> Iterator[str]:
    """Why the last attempt failed, so that the next one need not fail the same way."""
    now = state.states[task.id]
    if not now.lesson:
        return
    outputs = [f"{check.name}:\n{check.output}" for check in now.checks if not check.passed]
    yield _heading(1, "An earlier attempt failed") + "\n\n".join([now.lesson, *outputs])


def _heading(level: int, text: str) -> str:
    return f"{'#' * level} {text}\n\n"
