"""Who can do an agent task. A provider is imported when it is asked for, its SDK when it works.

base         the seam                         claude, agent_clis, models, replaying   the kinds
about        what each can do                 choice      who does it where nobody says
account      who is asked before a call       budgeted    one that keeps to budgets
prices       what calls cost                  messages    what people say meanwhile
programs     agents that are programs         trial       whether one answers
clean        what they say, fit to be kept
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from aca.errors import InputError, Problem, did_you_mean
from aca.plans.values import Model
from aca.plans.wording import words
from aca.providers.base import Availability, Errand, Provider

if TYPE_CHECKING:
    from aca.providers.agent_clis.declaration import Declaration

KINDS = {
    "anthropic": "aca.providers.models.anthropic:Anthropic",
    "claude-cli": "aca.providers.claude.cli:ClaudeCli",
    "claude-sdk": "aca.providers.claude.sdk:ClaudeSdk",
    "codex-cli": "aca.providers.agent_clis.codex:CodexCli",
    "ollama": "aca.providers.models.ollama:Ollama",
    "openai": "aca.providers.models.openai:OpenAI",
    "replay": "aca.providers.replaying.replay:Replay",
}
"""Name -> the class. Its module also has ``Options``, the model of the plan's ``providers.<name>``, and
``problems(options, errands, workspace)``; some have ``faults(options, errands)``, and where a
server has to be asked ``lacks(options, errands)``."""
NOTHING: Mapping[str, Any] = {}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.IGNORECASE)
_TAKEN = ("meta", "inbox", "file_changes", "execution_logs")
"""What a session's directory has already: a provider keeps its files beside these, under its name."""


def names(sections: Mapping[str, Mapping[str, Any]] = NOTHING) -> list[str]:
    """Every provider that can be named in a plan with these *sections* of providers."""
    declared = [name for name, given in sections.items() if name not in KINDS and is_declared(given)]
    return [*KINDS, *declared]


def is_declared(given: Mapping[str, Any]) -> bool:
    """Whether a section of a plan's providers declares an agent CLI. There is no other kind to declare."""
    return "kind" in given


def declared(given: Mapping[str, Any]) -> Declaration:
    """The agent CLI that a section declares. Raises pydantic's ValidationError where that cannot be used."""
    from aca.providers.agent_clis.declaration import Declaration  # here, for few plans declare any

    return Declaration.model_validate(given)


def unknown(name: str, known: Collection[str]) -> Problem:
    """What to say to a name that is no provider's."""
    cure = did_you_mean(name, known) or f"use one of {', '.join(known)}"
    return Problem(f'there is no provider "{name}"', cure)


def get(name: str, given: Mapping[str, Any] = NOTHING) -> Provider:
    """The provider *name*, whose section in the plan is *given*. Raises InputError when there is none."""
    module = _module(name, given)
    if name in KINDS:
        return cast(Provider, getattr(module, KINDS[name].partition(":")[2])())
    return cast(Provider, module.DeclaredCli(name))


def check(name: str, given: Mapping[str, Any] = NOTHING, named: str | None = None) -> Availability:
    """Whether it can be used here, for tasks that name the model *named*; found out without running it at any
    cost."""
    try:
        if named is not None and "model" in model(name, given).model_fields:
            given = {**given, "model": named}
        return get(name, given).check(given)
    except InputError as error:
        [wrong, *_] = error.problems
        return Availability(False, wrong.message, wrong.cure, is_wrong=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, ("providers", name, *first["loc"])))
        what, cure = words([first], first["input"])
        return Availability(False, f"its settings are wrong: {where}{what}", cure, is_wrong=True)


def model(name: str, given: Mapping[str, Any] = NOTHING) -> type[Model]:
    """The model of the plan's ``providers.<name>`` section. Raises InputError."""
    return cast(type[Model], _module(name, given).Options)


def model_of(name: str, given: Mapping[str, Any], named: str | None) -> str | None:
    """The model that does a task for which the plan names *named*; None where only the provider knows."""
    return named or getattr(model(name, given).model_validate(given), "model", None)


def faults(name: str, given: Mapping[str, Any], errands: Callable[[], Iterable[Errand]]) -> list[Problem]:
    """What the provider *name* cannot be told with these options and *errands*, on whatever machine.

    Raises pydantic's ValidationError when the options *given* cannot be used.
    """
    try:
        checked, module = model(name, given).model_validate(given), _module(name, given)
        return cast(list[Problem], module.faults(checked, errands())) if hasattr(module, "faults") else []
    except InputError as error:
        return error.problems


def problems(
    name: str, given: Mapping[str, Any], errands: Collection[Errand], workspace: Path, *, ask: bool = True
) -> list[Problem]:
    """What keeps the provider *name* from doing *errands* here, found out without calling a model.

    Only where it is to *ask* is anybody else called: a server for the models it has. Raises pydantic's
    ValidationError when the options *given* cannot be used.
    """
    try:
        checked, module = model(name, given).model_validate(given), _module(name, given)
        found = cast(list[Problem], module.problems(checked, errands, workspace))
        if ask and not found and hasattr(module, "lacks"):
            found = cast(list[Problem], module.lacks(checked, errands))
        return found
    except InputError as error:
        return error.problems


def program(name: str, given: Mapping[str, Any]) -> str | None:
    """The program that does the work, as it is started; None where aca itself does."""
    module = _module(name, given)
    return (
        cast(str, module.program(module.Options.model_validate(given)))
        if hasattr(module, "program")
        else None
    )


def _module(name: str, given: Mapping[str, Any]) -> ModuleType:
    if name in KINDS:
        return importlib.import_module(KINDS[name].partition(":")[0])
    if not is_declared(given):
        raise InputError(unknown(name, KINDS))
    if not _NAME.fullmatch(name) or name in _TAKEN:
        cure = f"letters, digits, - and _, and none of {', '.join(_TAKEN)}"
        raise InputError(Problem(f'"{name}" cannot be the name of a provider', cure))
    return importlib.import_module("aca.providers.agent_clis.declared")
