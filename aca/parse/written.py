"""A plan in TOML is changed as its author has it: every line that says the same stays, comments too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import tomli_w

from aca.parse import toml
from aca.parse.document import Document
from aca.parse.keys import TASK_KEYS
from aca.plans.plan import Plan, dump

Data = dict[str, Any]
_SCHEMA = re.compile(r"\A((?:[ \t]*(?:#.*)?\n)*?)#:schema .*")
"""The line that names a schema to editors, among the comments above everything else."""
TERMS = ("contract", "approval")
"""The tables of a plan that aca writes, and puts at its end."""


def with_schema(text: str, schema: str) -> str:
    """*text*, a plan in TOML, with *schema* in the line that names one to editors, if it has such a line."""
    return _SCHEMA.sub(lambda old: f"{old[1]}#:schema {schema}", text)


def with_terms(text: str, plan: Plan) -> str:
    """*text*, a plan in TOML, with the contract and the approval of *plan* in place of its own."""
    data = dump(plan)
    terms = {key: data[key] for key in TERMS if key in data}
    kept = toml.without(text, TERMS).rstrip()
    return f"{kept}\n\n{tomli_w.dumps(terms)}" if terms else f"{kept}\n"


def with_tasks(document: Document, before: Plan, plan: Plan) -> str:
    """*document*, in TOML, whose plan was *before*, with the tasks of *plan*; each ``[[tasks]]`` of its own.

    A task that is gone leaves its comments behind. What cannot be written so is not: whoever keeps the text
    has to read it first.
    """
    old, new = dump(before)["tasks"], dump(plan)["tasks"]
    wanted, rest = {task["id"]: task for task in new}, iter(old)
    comes_after = _newcomers(old, new)
    pieces = []
    for is_task, piece in toml.entries(document.text, "tasks"):
        task = next(rest, None) if is_task else None
        if task is None:
            pieces.append(piece)
            continue
        kept = wanted.get(task["id"])
        pieces.append(_comments(piece) if kept is None else _edited(piece, task, kept))
        pieces += map(_entry, comes_after.get(task["id"], ()))
    return "\n".join(pieces)


def _newcomers(old: Sequence[Data], new: Sequence[Data]) -> dict[str, list[Data]]:
    """What is new, by the task it comes after."""
    known, after = {task["id"] for task in old}, ""
    found: dict[str, list[Data]] = {}
    for task in new:
        if task["id"] in known:
            after = task["id"]
        else:
            found.setdefault(after, []).append(task)
    return found


def _edited(piece: str, old: Data, new: Data) -> str:
    """The entry of one task with what is different in it, and nothing else touched."""
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if not changed:
        return piece
    import tomlkit

    entry = tomlkit.parse(piece)
    [table] = entry["tasks"]
    for key in changed:
        for spelling in [one for one in table if TASK_KEYS.get(one, one) == key]:
            if spelling != key or key not in new:
                table.remove(spelling)
        if key in new:
            table[key] = _value(new[key])
    return tomlkit.dumps(entry)


def _entry(task: Data) -> str:
    """A task that is new."""
    import tomlkit

    entry, tables, table = tomlkit.document(), tomlkit.aot(), tomlkit.table()
    for key, value in task.items():
        table[key] = _value(value)
    tables.append(table)
    entry["tasks"] = tables
    return tomlkit.dumps(entry)


def _value(value: Any) -> Any:
    """Text of several lines is written so."""
    import tomlkit

    is_long = isinstance(value, str) and "\n" in value
    return tomlkit.string(value, multiline=True) if is_long else value


def _comments(piece: str) -> str:
    import tomlkit
    from tomlkit.items import Comment

    entry = tomlkit.parse(piece)
    [table] = entry["tasks"]
    items: Iterator[Any] = (item for _, item in (*entry.body, *table.value.body))
    return "".join(item.as_string() for item in items if isinstance(item, Comment))
