"""What an agent is told: the plan's and the parents' context, references, earlier results, the task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from aca.plan import Task
from aca.state import SessionState

MAX_REFERENCE_BYTES = 256 * 1024
"""Of one referenced file."""
MAX_REFERENCES_BYTES = 1024 * 1024
"""Of all referenced files of one prompt."""
MAX_RESULTS_CHARS = 64 * 1024
"""Of the results of earlier tasks: a group may have very many."""

_MEND = """\
While you worked, other tasks were finished. What they changed has been merged into the files you work on.
Where both of you changed the same lines, both sides are in the file, yours first, between lines that begin
with <<<<<<<, ======= and >>>>>>>. Make it work together, keep what both wanted, leave no such line behind."""


def build(state: SessionState, task: Task, *places: Path, conflicts: Sequence[str] = ()) -> str:
    """The whole prompt for the next attempt at *task*.

    File references are read now, from the first of *places* that has them.
    Raises OSError, with the file's name, when one cannot be read any more.
    """
    parts = [
        *_context(state, task),
        *_references(_file_refs(state, task), places),
        *_results(state, task),
        _heading(1, f"Your task: {task.title}") + task.description,
        *_lesson(state, task),
        refusal(state, task, conflicts),
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


def refusal(state: SessionState, task: Task, conflicts: Sequence[str]) -> str:
    """What the agent is to mend where its work did not fit what others had finished; empty where it did.

    *conflicts* are the files that hold both sides now.
    """
    told = state.states[task.id].refusal
    if conflicts:
        told = f"{told}\n\nFiles with both sides in them:\n\n{_list(conflicts)}".strip()
    if not told:
        return ""
    return f"{_heading(1, 'Your work does not fit in yet')}{_MEND}\n\n{told}\n"


def _references(paths: list[str], places: Sequence[Path]) -> Iterator[str]:
    left, left_out = MAX_REFERENCES_BYTES, []
    for name in paths:
        if left == 0:
            left_out.append(name)
            continue
        has_it = (place / name for place in places if (place / name).exists())
        text, size = _read(next(has_it, places[0] / name), min(left, MAX_REFERENCE_BYTES))
        left -= size
        yield _heading(2, f"File {name}") + text
    if left_out:
        yield _heading(2, "More files, for which there was no room here") + _list(left_out)


def _read(path: Path, limit: int) -> tuple[str, int]:
    """The file between fences, and how many bytes of it; a binary one by name, a long one up to *limit*."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if b"\0" in data:
        return "(a binary file)", 0
    text = data[:limit].decode("utf-8", errors="replace")
    fence = "```"
    while fence in text:
        fence += "`"
    cut = f"\n(only the first {limit} bytes of it)" if len(data) > limit else ""
    return f"{fence}\n{text.rstrip()}\n{fence}{cut}", min(len(data), limit)


def _results(state: SessionState, task: Task) -> Iterator[str]:
    """What came of all that *task* and the groups around it need."""
    needed = [name for one in (*lineage(state, task), task) for name in one.dependencies]
    told = dict.fromkeys(finished for name in needed for finished in _finished(state, name))
    lines = [f"{state.tasks[name].title}: {state.states[name].summary.strip()}" for name in told]
    kept = sum(size <= MAX_RESULTS_CHARS for size in accumulate(map(len, lines)))
    if kept < len(lines):
        lines[kept:] = [f"… {len(lines) - kept} more tasks, for which there was no room here"]
    if lines:
        yield _heading(1, "What was done before, for you to build on") + _list(lines)


def _finished(state: SessionState, name: str) -> list[str]:
    """The tasks that have the results of *name*: of a group those in it, or else the group itself."""
    found, queue = [], [name]
    while queue:
        one = queue.pop()
        children = state.children.get(one, [])
        queue += reversed(children)
        if not children and state.states[one].summary.strip():
            found.append(one)
    return found or ([name] if state.states[name].summary.strip() else [])


def _lesson(state: SessionState, task: Task) -> Iterator[str]:
    """Why the last attempt failed, so that the next one need not fail the same way."""
    now = state.states[task.id]
    if not now.lesson:
        return
    outputs = [f"{check.name}:\n{check.output}" for check in now.checks if not check.passed]
    yield _heading(1, "An earlier attempt failed") + "\n\n".join([now.lesson, *outputs])


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _heading(level: int, text: str) -> str:
    return f"{'#' * level} {text}\n\n"
