"""Who can do an agent task. A provider is imported when it is asked for, its SDK when it works."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

from aca.errors import InputError, Problem, did_you_mean
from aca.plan import Model
from aca.providers.base import Provider

KINDS = {
    "claude-cli": "aca.providers.claude_cli:ClaudeCli",
    "replay": "aca.providers.replay:Replay",
}


def names() -> list[str]:
    """Every provider that can be named in a plan."""
    return list(KINDS)


def get(name: str) -> Provider:
    """A provider of the kind *name*. Raises InputError when there is none."""
    return cast(Provider, getattr(_module(name), KINDS[name].partition(":")[2])())


def options(name: str, data: Mapping[str, Any]) -> Model:
    """The plan's ``providers.<name>`` section, checked. Raises pydantic's ValidationError."""
    return cast(Model, _module(name).Options.model_validate(data))


def _module(name: str) -> ModuleType:
    if name not in KINDS:
        cure = did_you_mean(name, KINDS) or f"use one of {', '.join(KINDS)}"
        raise InputError(Problem(f'there is no provider "{name}"', cure))
    return importlib.import_module(KINDS[name].partition(":")[0])
