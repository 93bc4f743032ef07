"""Ids for tasks that have none, and ids for what is called by its title."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from aca.parse.document import Document
from aca.plans.values import slug

_LONGEST_JOINED = 100

Task = dict[str, Any]


def are_words(values: Sequence[object]) -> bool:
    """Whether all of *values* are text, as parsers give it: exactly ``str``."""
    return {*map(type, values)} <= {str}


def give_ids(tasks: Sequence[Task], above: Callable[[int], str]) -> None:
    """Give an id to every task of *tasks* that has none.

    Titles that are alike all get what ``above(index)`` says is above them in front, so that their order
    does not matter; what is still alike is numbered.
    """
    slugs = {index: slug(str(task.get("title", ""))) for index, task in enumerate(tasks) if "id" not in task}
    if not slugs:
        return
    wanted = Counter(slugs.values())
    taken = {task["id"] for task in tasks if isinstance(task.get("id"), str)}
    numbers: Counter[str] = Counter()
    for index, short in slugs.items():
        name = short or f"task-{index + 1}"
        if wanted[short] > 1 or name in taken:
            name = _joined(above(index), name)
        tasks[index]["id"] = free = _free(name, taken, numbers)
        taken.add(free)


def _joined(above: str, name: str) -> str:
    return slug(f"{above} {name}", _LONGEST_JOINED) if above else name


def _free(name: str, taken: set[str], numbers: Counter[str]) -> str:
    """*name*, numbered when it is taken; *numbers* remembers how far, or very many would take long."""
    free = name
    while free in taken:
        numbers[name] += 1
        free = f"{name}-{numbers[name] + 1}"
    return free


def resolve(document: Document) -> None:
    """Replace titles by ids wherever a task names another one."""
    tasks = document.data.get("tasks")
    if not isinstance(tasks, list):
        return
    known = _Known(document, [task for task in tasks if isinstance(task, dict)])
    if known.are_all_ids():
        return
    for index, task in enumerate(tasks):
        if isinstance(task, dict):
            known.resolve(index, task)


class _Known:
    """The tasks of a document by id and by title."""

    def __init__(self, document: Document, tasks: Sequence[Task]) -> None:
        self._document = document
        self._tasks = tasks
        self._ids = {task["id"] for task in tasks if isinstance(task.get("id"), str)}

    @cached_property
    def _titles(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for task in self._tasks:
            title, task_id = task.get("title"), task.get("id")
            if isinstance(title, str) and isinstance(task_id, str):
                found.setdefault(title.casefold(), []).append(task_id)
        return found

    def are_all_ids(self) -> bool:
        """Whether tasks name others by ids alone, and none of them twice, as nearly always."""
        parents = [task["parent_id"] for task in self._tasks if "parent_id" in task]
        needs = [task["dependencies"] for task in self._tasks if "dependencies" in task]
        if not {*map(type, needs)} <= {list}:
            return False
        try:
            once = sum(map(len, map(set, needs))) == sum(map(len, needs))
            return once and self._ids.issuperset(chain(parents, *needs))
        except TypeError:  # a table or a list is among them
            return False

    def resolve(self, index: int, task: Task) -> None:
        parent = task.get("parent_id")
        if isinstance(parent, str):
            task["parent_id"] = self._id(index, task, "parent_id", parent)
        needs = task.get("dependencies")
        if isinstance(needs, str):
            needs = task["dependencies"] = list(self._split(needs))
        if isinstance(needs, list) and are_words(needs):
            found = (self._id(index, task, "dependencies", need) for need in needs)
            task["dependencies"] = list(dict.fromkeys(found))

    def _split(self, text: str) -> Iterator[str]:
        """One id or title, or several with commas or spaces between them."""
        if self._has(text):
            yield text
            return
        for piece in filter(None, (piece.strip() for piece in text.split(","))):
            yield from [piece] if self._has(piece) else piece.split()

    def _has(self, name: str) -> bool:
        return name in self._ids or name.casefold() in self._titles

    def _id(self, index: int, task: Task, key: str, name: str) -> str:
        if name in self._ids:
            return name
        candidates = self._titles.get(name.casefold(), [name])
        if len(candidates) > 1:
            verb = "needs" if key == "dependencies" else "has the parent"
            message = f'task "{task.get("id")}" {verb} "{name}", the title of {len(candidates)} tasks'
            cure = "write the id: " + " or ".join(f'"{one}"' for one in candidates[:4])
            self._document.note(("tasks", index, key), message, cure, name)
        return candidates[0]
