"""Who can do an agent task. A provider is imported when it is asked for, its SDK when it works."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from aca.errors import InputError, Problem, did_you_mean
from aca.plan import Model, Task
from aca.providers.base import Provider

KINDS = {
    "claude-cli": "aca.providers.claude_cli:ClaudeCli",
    "replay": "aca.providers.replay:Replay",
}
"""Name -> the class. Its module also has ``Options``, the model of the plan's ``providers.<name>``, and
``problems(options, tasks, workspace)``."""


def names() -> list[str]:
    """Every provider that can be named in a plan."""
    return list(KINDS)


def get(name: str) -> Provider:
    """A provider of the kind *name*. Raises InputError when there is none."""
    return cast(Provider, getattr(_module(name), KINDS[name].partition(":")[2])())


def options(name: str, given: Mapping[str, Any]) -> Model:
    """The plan's ``providers.<name>`` section, checked. Raises pydantic's ValidationError."""
    return cast(Model, _module(name).Options.model_validate(given))


def problems(name: str, given: Mapping[str, Any], tasks: Iterable[Task], workspace: Path) -> list[Problem]:
    """What keeps the provider *name* from doing *tasks*, found out without calling a model.

    Raises pydantic's ValidationError when the options *given* cannot be used.
    """
    try:
        checked = options(name, given)
        return cast(list[Problem], _module(name).problems(checked, tasks, workspace))
    except InputError as error:
        return error.problems


def _module(name: str) -> ModuleType:
    if name not in KINDS:
        cure = did_you_mean(name, KINDS) or f"use one of {', '.join(KINDS)}"
        raise InputError(Problem(f'there is no provider "{name}"', cure))
    return importlib.import_module(KINDS[name].partition(":")[0])
