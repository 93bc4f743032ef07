"""The difference of two plans for a terminal, for a pull request, and for machines."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sized
from typing import Any

from aca.plans.difference import Change, Difference
from aca.plans.task import Task
from aca.plans.values import command_text
from aca.report import words


def headline(found: Difference) -> str:
    """``2 tasks added, 1 changed, 1 setting changed``."""
    counts: dict[str, Sized] = {"added": found.added, "removed": found.removed, "changed": found.changed}
    parts = [f"{words.counted(len(tasks), 'task')} {word}" for word, tasks in counts.items() if tasks]
    if found.settings:
        parts.append(f"{words.counted(len(found.settings), 'setting')} changed")
    return ", ".join(parts) or "no difference"


# -- for a terminal ---------------------------------------------------------------------------------------


def text(found: Difference) -> Iterator[str]:
    """One line for each thing that differs, texts of several lines as a diff."""
    yield headline(found)
    for change in found.settings:
        yield from _told(change, "")
    yield from (f"+ {_brief(task)}" for task in found.added)
    yield from (f"- {_brief(task)}" for task in found.removed)
    for task, changes in found.changed:
        yield f"~ {_named(task)}"
        for change in changes:
            yield from _told(change, "    ")


def _told(change: Change, indent: str) -> Iterator[str]:
    if lines := _lines(change):
        yield f"{indent}{change.field}:"
        yield from (f"{indent}  {line}" for line in lines)
    else:
        yield f"{indent}{change.field}: {_sides(change)}"


def _sides(change: Change) -> str:
    """Of lists what came and went, else before and after."""
    before, after = change.before, change.after
    if isinstance(before or after, list) and all(
        isinstance(one, str) for one in [*(before or ()), *(after or ())]
    ):
        gone = [f"-{one}" for one in before or () if one not in (after or ())]
        come = [f"+{one}" for one in after or () if one not in (before or ())]
        if gone or come:
            return words.one_line(" ".join([*gone, *come]))
    return f"{_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    if value is None:
        return "not said"
    return words.one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _lines(change: Change) -> list[str]:
    """A diff of texts of which one has several lines."""
    sides = [side if isinstance(side, str) else "" for side in (change.before, change.after)]
    if not any("\n" in side for side in sides):
        return []
    old, new = (words.plain(side).splitlines() for side in sides)
    return [
        line
        for line in difflib.unified_diff(old, new, lineterm="", n=1)
        if not line.startswith(("---", "+++"))
    ]


def _brief(task: Task) -> str:
    """A task on one line: what it is and what it needs."""
    work = words.one_line(command_text(task.command), 60) if task.command is not None else task.kind
    needs = f", needs {', '.join(task.dependencies)}" if task.dependencies else ""
    return f"{_named(task)} ({work}{needs})"


def _named(task: Task) -> str:
    return f"{task.id}: {words.one_line(task.title, 80)}"


# -- for a pull request -------------------------------------------------------------------------------------


def markdown(found: Difference) -> Iterator[str]:
    """The same as Markdown, which no text of a plan can break out of."""
    yield f"**Plan: {headline(found)}**"
    if found.settings:
        yield ""
    for change in found.settings:
        yield from _item(change, "")
    for word, tasks in (("added", found.added), ("removed", found.removed)):
        if tasks:
            yield f"\n{word.capitalize()}:\n"
        yield from (f"- {_code(_brief(task))}" for task in tasks)
    if found.changed:
        yield "\nChanged:\n"
    for task, changes in found.changed:
        yield f"- {_code(_named(task))}"
        for change in changes:
            yield from _item(change, "  ")


def _item(change: Change, indent: str) -> Iterator[str]:
    lines = _lines(change)
    if not lines:
        yield f"{indent}- {_code(words.one_line(change.field))}: {_code(_sides(change))}"
        return
    fence = "`" * max(3, _longest_run(lines) + 1)
    yield f"{indent}- {_code(words.one_line(change.field))}:\n"
    yield f"{indent}  {fence}diff"
    yield from (f"{indent}  {line}" for line in lines)
    yield f"{indent}  {fence}"


def _code(text: str) -> str:
    """Between more backticks than there are in it."""
    ticks = "`" * (_longest_run([text]) + 1)
    return f"{ticks} {text} {ticks}" if "`" in text else f"{ticks}{text}{ticks}"


def _longest_run(lines: list[str]) -> int:
    return max(
        (len(run) for line in lines for run in "".join(c if c == "`" else " " for c in line).split()),
        default=0,
    )


# -- for machines -------------------------------------------------------------------------------------------


def document(found: Difference) -> dict[str, Any]:
    """Every field with both its values; null where it is not said."""
    return {
        "settings": [_both(change) for change in found.settings],
        "added": [task.model_dump(mode="json", exclude_defaults=True) for task in found.added],
        "removed": [task.id for task in found.removed],
        "changed": [
            {"id": task.id, "changes": [_both(change) for change in changes]}
            for task, changes in found.changed
        ],
    }


def _both(change: Change) -> dict[str, Any]:
    return {"field": change.field, "before": change.before, "after": change.after}
