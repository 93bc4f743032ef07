"""What an agent is told: the plan's and the parents' context, references, earlier results, the task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import attrgetter
from pathlib import Path

from aca.attempts import last_word
from aca.core.events import CheckResult, MessageSent
from aca.core.state import SessionState
from aca.plans import output
from aca.plans.task import Task

MAX_REFERENCE_BYTES = 256 * 1024
"""Of one referenced file."""
MAX_REFERENCES_BYTES = 1024 * 1024
"""Of all referenced files of one prompt."""
MAX_RESULTS_CHARS = 64 * 1024
"""Of the results of earlier tasks: a group may have very many."""
MAX_NOTES_CHARS = 16 * 1024
MOST_NOTES = 200
"""Of the notes of earlier tasks; the newest are kept."""


_MEND = """\
While you worked, other tasks were finished. What they changed has been merged into the files you work on.
Where both of you changed the same lines, both sides are in the file, yours first, between lines that begin
with <<<<<<<, ======= and >>>>>>>. Make it work together, keep what both wanted, leave no such line behind."""
_BREAK = """\
This task was tried, and it failed every time. Do not try it again: break it into smaller tasks, which
others will do after you, each knowing only its own text and what this task says. What was done already is
still there; look at it, and let each task say all there is to know. Together they do this task, and its
checks are run after them."""
TOLD_ABOVE = "What was said above about the project, and the files quoted there, still hold."


def parts(
    state: SessionState, task: Task, *places: Path, conflicts: Sequence[str] = (), by_tools: bool = True
) -> list[str]:
    """What the next attempt at *task* is told, piece by piece.

    How to hand something in is told where it is not done *by_tools*. References are read now, from the
    first of *places* that has them; *conflicts* as with ``refusal``. Raises OSError, with the file's name,
    when one cannot be read any more.
    """
    told = [
        *_context(state, task),
        *references(_file_refs(state, task), places),
        *_results(state, task),
        *_notes(state),
        _heading(1, f"Your task: {task.title}") + task.description,
        *_said(state, task),
        *_lesson(state, task),
        *_breaking(state, task),
        refusal(state, task, conflicts),
        *_output(task),
        "" if by_tools or task.output_schema is not None else last_word.REQUEST,
    ]
    return [part.strip() for part in told if part.strip()]


def joined(told: Iterable[str]) -> str:
    """The prompt that is made of these pieces."""
    return "\n\n".join(told) + "\n"


def follow_up(told: Sequence[str], before: str) -> str:
    """The prompt for a conversation that has been told *before* already: only what is new there."""
    new = [part for part in told if part not in before]
    return joined(new if len(new) == len(told) else [TOLD_ABOVE, *new])


def lineage(state: SessionState, task: Task) -> list[Task]:
    """The groups *task* is in, outermost first."""
    above: list[Task] = []
    while task.parent_id is not None:
        task = state.tasks[task.parent_id]
        above.insert(0, task)
    return above


def said(state: SessionState, task: Task) -> list[MessageSent]:
    """What people have said to whoever does *task*, or does the groups it is in, oldest first."""
    found = (one for each in (*lineage(state, task), task) for one in state.states[each.id].said)
    return sorted(found, key=attrgetter("seq"))


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


def references(paths: list[str], places: Sequence[Path], most: int = MAX_REFERENCES_BYTES) -> Iterator[str]:
    """The text of the files *paths*, each from the first of *places* that has it, up to *most* bytes."""
    left, left_out = most, []
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
    lines = [f"{state.tasks[name].title}: {_result(state, name)}" for name in told]
    kept = sum(size <= MAX_RESULTS_CHARS for size in accumulate(map(len, lines)))
    if kept < len(lines):
        lines[kept:] = [f"… {len(lines) - kept} more tasks, for which there was no room here"]
    if lines:
        yield _heading(1, "What was done before, for you to build on") + _list(lines)


def _result(state: SessionState, name: str) -> str:
    """The last word of a finished task and the output it gave, once where they are the same."""
    now = state.states[name]
    if now.output is None:
        return now.summary.strip()
    words = "" if output.found(now.summary) == now.output else now.summary.strip()
    given = f"`{json.dumps(now.output, ensure_ascii=False)}`"
    return f"{words}\n  Its output: {given}" if words else given


def _finished(state: SessionState, name: str) -> list[str]:
    """The tasks that have the results of *name*: of a group those in it, or else the group itself."""
    found, queue = [], [name]
    while queue:
        one = queue.pop()
        children = state.children.get(one, [])
        queue += reversed(children)
        if not children and _result(state, one):
            found.append(one)
    return found or ([name] if state.states[name].summary.strip() else [])


def _notes(state: SessionState) -> Iterator[str]:
    """What agents have left for others, as far as there is room; the newest last."""
    newest = [f"{text} ({state.tasks[name].title})" for name, text in reversed(state.notes[-MOST_NOTES:])]
    kept = sum(size <= MAX_NOTES_CHARS for size in accumulate(map(len, newest)))
    if kept:
        yield _heading(1, "Notes of those who worked before you") + _list(reversed(newest[:kept]))


def _output(task: Task) -> Iterator[str]:
    if task.output_schema is not None:
        yield _heading(1, f"The output of your task: {task.title}") + output.request(task.output_schema)


def _said(state: SessionState, task: Task) -> Iterator[str]:
    if told := said(state, task):
        yield _heading(1, "A person said about this") + "\n\n".join(one.text.strip() for one in told)


def _lesson(state: SessionState, task: Task) -> Iterator[str]:
    """Why the last attempt failed, so that the next one need not fail the same way."""
    now = state.states[task.id]
    if not now.lesson:
        return
    yield _heading(1, "An earlier attempt failed") + _why(now.lesson, now.checks)


def _breaking(state: SessionState, task: Task) -> Iterator[str]:
    """What an agent is told that is to break the task up, and why, where that is not its latest failure."""
    now = state.states[task.id]
    if (failed := now.breaking) is None:
        return
    yield _heading(1, "Break this task into smaller ones") + _BREAK
    if now.failures:
        yield _heading(1, "Why the task itself failed") + _why(failed.reason, failed.checks)


def _why(reason: str, checks: Iterable[CheckResult]) -> str:
    outputs = [f"{check.name}:\n{check.output}" for check in checks if not check.passed]
    return "\n\n".join([reason, *outputs])


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _heading(level: int, text: str) -> str:
    return f"{'#' * level} {text}\n\n"
