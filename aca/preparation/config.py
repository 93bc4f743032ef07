"""Settings: flags > environment > task file > project > user > defaults, with the origin of every value.

A setting is a piece of plan. Each layer is plan-shaped data; laid over each other they are the plan.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from aca.errors import InputError, Problem
from aca.parse import Document, Loc, read_settings
from aca.parse.explain import value_at
from aca.plans.plan import Plan
from aca.sessions.whereabouts import around

PROJECT_FILE = "aca.toml"

ENVIRONMENT: dict[str, str] = {
    "ACA_PROVIDER": "defaults.provider",
    "ACA_MODEL": "defaults.model",
    "ACA_PERMISSIONS": "defaults.permissions",
    "ACA_SANDBOX": "sandbox.mode",
    "ACA_TRUST_PROJECT_CONFIG": "trust_project_config",
    "ACA_WORKSPACE_MODE": "defaults.workspace",
    "ACA_MERGE": "workspace.merge",
    "ACA_DOCKER": "docker.enabled",
    "ACA_APPEND_SYSTEM_PROMPT": "defaults.system_prompt",
    "ACA_RETRIES": "defaults.retries",
    "ACA_TIMEOUT": "defaults.timeout",
    "ACA_JOBS": "max_concurrent_tasks",
    "ACA_EXECUTION_MODE": "execution_mode",
    "ACA_FAIL_FAST": "fail_fast",
    "ACA_MAX_COST": "limits.max_cost_usd",
    "ACA_MAX_TOKENS": "limits.max_tokens",
    "ACA_MAX_DURATION": "limits.max_duration",
    "ACA_ON_QUOTA": "rate_limiting.on_quota",
}
"""Environment variable -> the setting it gives, as the option does that is called like it."""

TEXTS = ("defaults.provider", "defaults.model", "defaults.system_prompt")
"""Settings whose value is text even where it looks like a number."""

NOT_SETTINGS = (
    "tasks", "source", "schema_id", "format_version", "name", "description", "planning", "contract",
    "approval",
)  # fmt: skip
"""Parts of a plan that belong to one plan and are not settings."""


class Layer(msgspec.Struct, frozen=True):
    """One source of settings: plan-shaped ``data``, and where it comes from."""

    name: str
    data: Mapping[str, Any]
    document: Document | None = None

    def origin(self, loc: Loc) -> str:
        """Where a value stands, for people: ``aca.toml:3``, ``ACA_MODEL``, ``--model``."""
        if self.document is not None:
            mark = self.document.locate(loc)
            return f"{self.document.path}:{mark.line}" if mark else self.document.path
        return self.name

    def problem(self, loc: Loc, message: str, cure: str, word: str) -> Problem:
        if self.document is not None:
            return self.document.problem(loc, message, cure, word)
        return Problem(message, cure, path=self.name)


class Merged(msgspec.Struct):
    """All layers as one: ``data`` is plan-shaped, and each leaf knows the layer it came from."""

    data: dict[str, Any] = msgspec.field(default_factory=dict)
    layers: dict[Loc, Layer] = msgspec.field(default_factory=dict)
    base: Layer = msgspec.field(default_factory=lambda: Layer("default", {}))

    def layer(self, loc: Loc) -> Layer:
        """The layer that says what stands at *loc*, or at the nearest place above it."""
        for length in range(len(loc), 0, -1):
            if loc[:length] in self.layers:
                return self.layers[loc[:length]]
        return self.base

    def problem(self, loc: Loc, message: str, cure: str = "", word: str = "") -> Problem:
        """A Problem that names file and line of the layer that is to blame."""
        return self.layer(loc).problem(loc, message, cure, word)

    def origin(self, loc: Loc) -> str:
        return self.layer(loc).origin(loc)


def merge(layers: Sequence[Layer]) -> Merged:
    """Lay *layers* over each other, the last one on top. The task file's is the base for problems."""
    merged = Merged()
    for layer in layers:
        _lay(merged, merged.data, layer, layer.data, ())
        if layer.document is not None:
            merged.base = layer
    return merged


def _lay(merged: Merged, below: dict[str, Any], layer: Layer, data: Mapping[str, Any], at: Loc) -> None:
    for key, value in data.items():
        loc = (*at, key)
        merged.layers[loc] = layer
        if isinstance(value, Mapping):
            inner = below.get(key)
            below[key] = inner if isinstance(inner, dict) else {}
            _lay(merged, below[key], layer, value, loc)
        else:
            below[key] = value


def user_file(environ: Mapping[str, str]) -> Path:
    """``$XDG_CONFIG_HOME/aca/config.toml``, by default in ``~/.config``."""
    base = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config"
    return Path(base) / "aca" / "config.toml"


def file_layers(workspace: Path, environ: Mapping[str, str]) -> list[Layer]:
    """The user's and the project's settings, where they exist. Raises InputError."""
    layers, problems = [], []
    for name, path in (("user", user_file(environ)), ("project", workspace / PROJECT_FILE)):
        if path.is_file():
            document = read_settings(path, base=workspace)
            problems += document.problems
            layers.append(Layer(name, document.data, document))
    if problems:
        raise InputError(problems)
    return layers


def unread(workspace: Path) -> str:
    """What to tell where the settings lie in a directory around the workspace: nobody goes by them here."""
    place = None if (workspace / PROJECT_FILE).exists() else around(workspace, PROJECT_FILE)
    if place is None:
        return ""
    return f"{place / PROJECT_FILE} is not read here\n   --workspace {shlex.quote(str(place))} works there"


def environment_layers(environ: Mapping[str, str]) -> list[Layer]:
    """One layer per ``ACA_*`` variable that is a setting, so that each value can name its own."""
    return [
        Layer(name, nested(setting, environ[name] if setting in TEXTS else _plain(environ[name])))
        for name, setting in ENVIRONMENT.items()
        if environ.get(name)
    ]


def flag_layers(flags: Mapping[str, Any]) -> list[Layer]:
    """One layer per option that was given, called as it is written; *flags* are a piece of plan."""
    said = {name: value_at(flags, tuple(setting.split("."))) for name, setting in ENVIRONMENT.items()}
    return [
        Layer(f"--{name.removeprefix('ACA_').lower().replace('_', '-')}", nested(ENVIRONMENT[name], value))
        for name, value in said.items()
        if value is not None
    ]


def nested(setting: str, value: object) -> dict[str, Any]:
    """``{"limits": {"max_tokens": 5}}`` from ``"limits.max_tokens"`` and 5."""
    *tables, key = setting.split(".")
    data: dict[str, Any] = {key: value}
    for table in reversed(tables):
        data = {table: data}
    return data


def _plain(text: str) -> object:
    """Numbers and booleans as such; pydantic is strict about neither, but messages read better."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def rows(plan: Plan, merged: Merged) -> Iterator[tuple[str, Any, str]]:
    """(setting, value, origin) of everything that can be set, in the plan's order."""
    data = plan.model_dump(mode="json", by_alias=True, exclude=set(NOT_SETTINGS))
    yield from _rows(data, merged, ())
    if ("checks",) in merged.layers:  # of the file, not of the plan: its tasks have them
        yield "checks", merged.layers[("checks",)].data["checks"], merged.origin(("checks",))


def _rows(data: Mapping[str, Any], merged: Merged, at: Loc) -> Iterator[tuple[str, Any, str]]:
    for key, value in data.items():
        loc = (*at, key)
        if isinstance(value, Mapping) and value:
            yield from _rows(value, merged, loc)
        else:
            known = loc in merged.layers
            yield ".".join(map(str, loc)), value, merged.origin(loc) if known else "default"
