"""The names people may use in files, and what the plan calls the same things."""

from __future__ import annotations

import re
from typing import Any

from aca.parse.document import Document, Loc

TASK_KEYS = {
    "needs": "dependencies",
    "depends_on": "dependencies",
    "name": "title",
    "run": "command",
    "check": "checks",
    "complexity": "estimated_complexity",
    "parent": "parent_id",
}
"""What may be written in a task, and the plan's word for it."""

FILE_KEYS: dict[str, Loc] = {
    **{
        key: ("defaults", key)
        for key in (
            "provider",
            "model",
            "models",
            "permissions",
            "system_prompt",
            "retries",
            "retry_delay",
            "timeout",
            "pass_env",
        )
    },
    "claude_code": ("providers", "claude-cli"),
}
"""What may be written at the top of a task file or in settings, and where it is in a plan."""

_SESSION: dict[str, tuple[Loc, str]] = {
    "max_duration_hours": (("limits", "max_duration"), "h"),
    "checkpoint_interval_minutes": (("checkpoint_interval",), "m"),
    "max_concurrent_tasks": (("max_concurrent_tasks",), ""),
}

_RATES = ("rate_limiting", "max_requests_per_minute")
"""As the Rust aca calls ``requests_per_minute``."""

TOP_KEYS = (*FILE_KEYS, "session", "checks")
"""All that is understood at the top of a file and is not a key of the plan."""

DEFAULT_PARALLEL = 3


def canonical(loc: Loc) -> Loc:
    """Where the plan has what a file says at *loc*."""
    match loc:
        case ("tasks", int(), str(key), *rest) if key in TASK_KEYS:
            return (*loc[:2], TASK_KEYS[key], *rest)
        case ("session", str(key), *rest) if key in _SESSION:
            return (*_SESSION[key][0], *rest)
        case ("rate_limiting", "max_requests_per_minute"):
            return ("rate_limiting", "requests_per_minute")
        case ("workspace",):
            return ("defaults", "workspace")  # where it is a word; as a table it stays where it is
        case (str(key), *rest) if key in FILE_KEYS:
            return (*FILE_KEYS[key], *rest)
    return loc


def expand_file(document: Document) -> None:
    """Move what stands at the top of a task file, or in settings, to its place in a plan."""
    data = document.data
    for key in [key for key in data if key in FILE_KEYS]:
        _put(document, FILE_KEYS[key], data.pop(key), (key,))
    if isinstance(data.get("workspace"), str):
        _put(document, ("defaults", "workspace"), data.pop("workspace"), ("workspace",))
    rates = data.get("rate_limiting")
    if isinstance(rates, dict) and _RATES[1] in rates:
        _put(document, (_RATES[0], "requests_per_minute"), rates.pop(_RATES[1]), _RATES)
    session = data.pop("session", None)
    if isinstance(session, dict):
        _expand_session(document, session)
    elif session is not None:
        document.note(("session",), "session should be a table", "write its keys below it")


def _expand_session(document: Document, session: dict[str, Any]) -> None:
    for key, value in session.items():
        if key not in _SESSION:
            cure = f"known keys: {', '.join(_SESSION)}"
            document.note(("session", key), f'unknown key "{key}" in session', cure, key)
            continue
        place, unit = _SESSION[key]
        if unit and isinstance(value, int | float) and not isinstance(value, bool):
            value = f"{value}{unit}"
        _put(document, place, value, ("session", key))


def _put(document: Document, place: Loc, value: object, written: Loc) -> None:
    *tables, last = place
    target: Any = document.data
    for table in tables:
        target = target.setdefault(table, {})
    if not isinstance(target, dict):
        return  # its type is wrong, which validation says
    if isinstance(target.get(last), dict) and isinstance(value, dict):
        target[last] = {**target[last], **value}
    elif last in target:
        names = ".".join(map(str, written)), ".".join(map(str, place))
        document.note(written, f"{names[0]} is written twice, here and as {names[1]}", "", str(written[-1]))
    else:
        target[last] = value


def expand_tasks(document: Document) -> None:
    """Give the keys of every task the plan's names; a task with a command is one of kind command."""
    tasks = document.data.get("tasks")
    if not isinstance(tasks, list):
        return
    for index, task in enumerate(tasks):
        if not isinstance(task, dict):
            continue
        if not TASK_KEYS.keys().isdisjoint(task):
            tasks[index] = task = _renamed(document, index, task)
        if "command" in task and "kind" not in task:
            task["kind"] = "command"


def _renamed(document: Document, index: int, task: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    written: dict[str, str] = {}
    for key, value in task.items():
        name = TASK_KEYS.get(key, key)
        if name in made:
            message = f"{written[name]} and {key} are the same thing"
            document.note(("tasks", index, key), message, "write only one of them", key)
        made[name], written[name] = value, key
    return made


def share_checks(data: dict[str, Any]) -> None:
    """Give the ``checks`` at the top of *data* to every agent task without children or own checks."""
    checks = data.pop("checks", None)
    tasks = data.get("tasks")
    if not checks or not isinstance(tasks, list):
        return
    tables = [task for task in tasks if isinstance(task, dict)]
    groups = {str(task.get("parent_id")) for task in tables}
    for task in tables:
        is_leaf = str(task.get("id")) not in groups
        if is_leaf and task.get("kind", "agent") == "agent" and not task.get("checks"):
            task["checks"] = checks


def imply_mode(data: dict[str, Any]) -> None:
    """What a number of tasks at a time says about the mode, and the mode about the number."""
    number = data.get("max_concurrent_tasks")
    mode = data.get("execution_mode")
    if mode is None and _more_than_one(number):
        data["execution_mode"] = "parallel"
    if mode in ("parallel", "intelligent") and number is None:
        data["max_concurrent_tasks"] = DEFAULT_PARALLEL


def _more_than_one(number: object) -> bool:
    """Numbers may come as text, from the environment."""
    return re.fullmatch(r"[2-9]|[1-9]\d+", str(number)) is not None
