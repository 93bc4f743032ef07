"""What every tool is: its fields are the arguments, its docstring is what the model is told."""

from __future__ import annotations

import errno
import functools
import itertools
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from aca.core.events import FileChange
from aca.errors import MACHINE_ERRORS
from aca.plans.values import Model
from aca.safety.place import OutsideWorkspaceError, Place

_OF_ONE_FILE = {errno.EACCES, errno.EPERM}
"""Said of one file, and a reason for the model to leave it alone rather than for aca to stop."""


class ToolError(Exception):
    """A tool was used in a way that cannot work; the text is for the model."""


BROKEN = (ToolError, OutsideWorkspaceError, OSError)
"""What the use of a tool may raise; ``reason`` puts it into words."""


@dataclass(frozen=True)
class ToolResult:
    """What came of it: ``text`` for the model; ``error`` is one line where it went wrong."""

    text: str
    error: str = ""
    changes: tuple[FileChange, ...] = ()
    subtasks: tuple[dict[str, Any], ...] = ()
    note: str = ""
    """For those who work on other tasks."""
    proposal: dict[str, Any] | None = None
    """Work for a person to decide on."""
    final: bool = False
    """The agent says that the task is done; ``text`` is its result."""


@dataclass(frozen=True)
class Bench:
    """Where tools are used: the place, and a directory for what is to be kept of their output."""

    place: Place
    logs: Path

    def output(self, name: str) -> Path:
        """A file for output that is not there yet."""
        self.logs.mkdir(parents=True, exist_ok=True)
        paths = (self.logs / f"{name}-{number}.log" for number in itertools.count(1))
        return next(path for path in paths if not path.exists())


class Tool(Model):
    """One use of a tool."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: ClassVar[str]
    writes: ClassVar[bool] = False
    """Whether it may change anything; then it is not for tasks that are read-only."""

    @property
    def detail(self) -> str:
        """One short line for people: the path, the command."""
        return ""

    @abstractmethod
    async def use(self, bench: Bench) -> ToolResult:
        """Do it. Raises one of BROKEN when it cannot be done."""

    @classmethod
    def description(cls) -> str:
        """What the model is told of the tool."""
        return " ".join((cls.__doc__ or "").split())

    @classmethod
    @functools.cache
    def parameters(cls) -> dict[str, Any]:
        """The JSON schema of the arguments, in one piece: not every model's server follows references."""
        whole = cls.model_json_schema()
        plain: dict[str, Any] = _plain(whole, whole.get("$defs", {}))
        return {key: value for key, value in plain.items() if key not in ("$defs", "description")}


def reason(error: Exception) -> str:
    """Why a tool did not work. A disk that failed is nobody's fault here: it is raised again."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno in MACHINE_ERRORS - _OF_ONE_FILE:
        raise error
    return error.strerror or str(error)


def _plain(node: Any, definitions: dict[str, Any]) -> Any:
    """*node* with references replaced by what they mean, and without titles."""
    if isinstance(node, list):
        return [_plain(one, definitions) for one in node]
    if not isinstance(node, dict):
        return " ".join(node.split()) if isinstance(node, str) else node
    if "$ref" in node:
        node = {**definitions[node["$ref"].rpartition("/")[2]], **node}
    kept = {key: value for key, value in node.items() if key != "$ref" and not _is_title(key, value)}
    return {key: _plain(value, definitions) for key, value in kept.items()}


def _is_title(key: str, value: object) -> bool:
    return key == "title" and isinstance(value, str)  # a property of that name has a schema
