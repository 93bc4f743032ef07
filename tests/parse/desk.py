"""A directory with files in it, and what aca reads in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aca import parse
from aca.errors import InputError
from aca.plans.plan import Plan
from aca.plans.task import Task


class Desk:
    """Files under ``root``, which is the workspace. Text is dedented by nobody: it is what is written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, name: str) -> parse.Document:
        return parse.read(self.root / name, base=self.root)

    def plan(self, content: str | bytes, name: str = "tasks.md") -> Plan:
        """The plan that *content* makes, the way ``aca`` comes to it."""
        self.write(name, content)
        document = self.read(name)
        if not document.is_plan:
            parse.imply_mode(document.data)
        return parse.validate(document.data, document.problem, document.problems)

    def tasks(self, content: str | bytes, name: str = "tasks.md") -> list[Task]:
        return list(self.plan(content, name).tasks)

    def task(self, content: str | bytes, name: str = "tasks.md") -> Task:
        """The only task of *content*."""
        (only,) = self.tasks(content, name)
        return only

    def complaint(self, content: str | bytes, name: str = "tasks.md") -> str:
        """What the user is told about *content*, with the directory's name taken out."""
        with pytest.raises(InputError) as caught:
            self.plan(content, name)
        return str(caught.value).replace(f"{self.root}/", "")
