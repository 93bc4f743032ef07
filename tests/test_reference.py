"""The reference is whole: its tables and the program name the same things, both ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import msgspec
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aca import tools
from aca.cli.options import DRIFT
from aca.cli.root import program
from aca.core import events as ev
from aca.core.estimate import ASSUMED, Spread
from aca.errors import Exit
from aca.parse.keys import FILE_KEYS, TASK_KEYS, TOP_KEYS
from aca.plans import container, values
from aca.plans.check import Check
from aca.plans.plan import Plan
from aca.plans.provenance import Approval, Contract, PlanningCall, Source, Terms, TokenUse
from aca.plans.settings import (
    Budget,
    Defaults,
    Limits,
    Logging,
    Models,
    Price,
    Protect,
    RateLimiting,
    Role,
    Sandbox,
    Workspace,
)
from aca.plans.task import Task
from aca.preparation.config import ENVIRONMENT
from aca.preparation.drift import FIELDS
from aca.providers import base
from aca.providers.agent_clis import codex as codex_cli
from aca.providers.agent_clis.declaration import Declaration
from aca.providers.claude import cli as claude_cli
from aca.providers.claude import sdk as claude_sdk
from aca.providers.models import anthropic, ollama, openai
from aca.providers.replaying import replay
from aca.providers.replaying.script import VERBS, Step
from tests.pages import Page, named

REFERENCE = Page("docs/reference.md")
MODELS: dict[str, type[BaseModel]] = {
    "Plan": Plan,
    "Task": Task,
    "Check": Check,
    "Defaults": Defaults,
    "Role": Role,
    "Models": Models,
    "Limits": Limits,
    "Limits of a task or a role": Budget,
    "Price": Price,
    "Workspace": Workspace,
    "Sandbox": Sandbox,
    "Protect": Protect,
    "Docker": container.Docker,
    "Sizes": container.Sizes,
    "Size": container.Size,
    "Rate limiting": RateLimiting,
    "Logging": Logging,
    "Source": Source,
    "Planning call": PlanningCall,
    "Token use": TokenUse,
    "Contract": Contract,
    "Terms": Terms,
    "Approval": Approval,
    "claude-cli": claude_cli.Options,
    "claude-sdk": claude_sdk.Options,
    "codex-cli": codex_cli.Options,
    "Agent CLIs of your own": Declaration,
    "anthropic": anthropic.Options,
    "openai": openai.Options,
    "ollama": ollama.Options,
    "replay": replay.Options,
}
SHARED = ("Options of a plan", "Options of selection", "Options of planning", "Options of output")


# -- keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", MODELS)
def test_every_key_is_told_with_its_default(title: str) -> None:
    """A table per model: its keys in order, with the defaults they really have."""
    fields = MODELS[title].model_fields
    told = [(named(row[0])[0], row[2].strip("`")) for row in REFERENCE.table(title)]
    assert told == [(field.alias or name, _default(field)) for name, field in fields.items()]


def _default(field: FieldInfo) -> str:
    if field is Task.model_fields["id"]:  # reading a plan gives it to tasks that have none
        return "of the title"
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel) or value in ((), {}):
        return "empty"
    if isinstance(value, float):  # a duration
        value = values.format_duration(value)
    return "none" if value is None else msgspec.json.encode(value).decode()


def test_every_key_at_the_top_is_told() -> None:
    """What may stand in settings and is not in a plan."""
    told = {name for row in REFERENCE.table("Keys at the top of a task file") for name in named(row[0])}
    assert {name.partition(".")[0] for name in told} == set(TOP_KEYS)
    assert {"session.max_duration_hours", "session.checkpoint_interval_minutes"} <= told
    assert FILE_KEYS.keys() <= told


def test_every_other_name_of_a_key_is_told() -> None:
    """``needs`` is ``dependencies``, and so on."""
    rows = REFERENCE.table("Markdown", 1)
    assert {name: named(row[1])[0] for row in rows for name in named(row[0])} == TASK_KEYS


def test_every_assumption_is_told() -> None:
    """The table of what is assumed where nothing is known."""
    told = {named(row[0])[0]: row[1:] for row in REFERENCE.table("Estimates")}
    assert told.keys() == ASSUMED.keys()
    for name, row in ASSUMED.items():
        amounts = [_percentiles(row.seconds, values.format_duration), _percentiles(row.tokens, _count)]
        assert told[name] == amounts


def _percentiles(spread: Spread, shown: Callable[[float], str]) -> str:
    return f"{shown(spread.p50)} (P90 {shown(spread.p90)})"


def _count(number: float) -> str:
    return f"{number:,.0f}"


def test_everything_that_may_move_is_told() -> None:
    """As ``--allow-drift`` takes it."""
    assert [named(row[0])[0] for row in REFERENCE.table("Contract", 1)] == list(FIELDS) == list(DRIFT)


# -- the command line -------------------------------------------------------------------------------------


def commands(group: Any, path: str = "aca") -> Iterator[tuple[str, Any]]:
    """(how it is called, command) of everything that can be called; what only holds others is left out."""
    if path == "aca" or not hasattr(group, "commands"):
        yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{path} {name}")


COMMANDS = dict(commands(program()))


def options(command: Any) -> dict[str, Any]:
    """``--name`` -> the option, help aside."""
    known = [param for param in command.params if param.param_type_name == "option"]
    return {_long(param.opts): param for param in known}


def told_options(title: str) -> dict[str, list[str]]:
    """``--name`` -> the row of a table of options."""
    if not any(line.startswith("|") for line in REFERENCE.section(title)):
        return {}
    return {_long(_flags(row[0])): row for row in REFERENCE.table(title)}


def _long(names: list[str]) -> str:
    return next(name for name in names if name.startswith("--"))


def _flags(cell: str) -> list[str]:
    return re.findall(r"`(-[-\w]+)", cell)


@pytest.mark.parametrize("call", COMMANDS)
def test_every_option_is_told(call: str) -> None:
    """In the command's own table, or in a shared one that its section links to; short names too."""
    text = " ".join(REFERENCE.section(f"`{call}`"))
    rows = told_options(f"`{call}`")
    for title in SHARED:
        rows |= told_options(title) if f"(#{title.lower().replace(' ', '-')})" in text else {}
    expected = options(COMMANDS[call])
    assert rows.keys() == expected.keys()
    for name, param in expected.items():
        assert {*param.opts, *param.secondary_opts} == set(_flags(rows[name][0]))


@pytest.mark.parametrize("title", [*(f"`{call}`" for call in COMMANDS), *SHARED])
def test_every_variable_is_told(title: str) -> None:
    """As ``--help`` has it; the shared tables have those of ``aca run``."""
    call = title.strip("`") if title.startswith("`") else "aca"
    prefix = "ACA" if call in ("aca run", "aca plan") else call.upper().replace(" ", "_")
    for name, row in told_options(title).items():
        param = options(COMMANDS[call])[name]
        automatic = f"{prefix}_{param.name.upper()}" if param.allow_from_autoenv else None
        assert named(row[1]) == [variable for variable in [param.envvar or automatic] if variable]


def test_every_variable_that_is_a_setting_is_told() -> None:
    """With the setting it gives."""
    rows = REFERENCE.table("Environment variables")
    assert {named(row[0])[0]: named(row[1])[0] for row in rows} == ENVIRONMENT


def test_every_exit_code_is_told() -> None:
    """One row each, in order."""
    assert [int(row[0]) for row in REFERENCE.table("Exit codes")] == [int(code) for code in Exit]


# -- what is written and printed --------------------------------------------------------------------------


def _kind(struct: Any) -> str:
    return str(struct.__struct_config__.tag)


def _told_structs(title: str) -> dict[str, list[str]]:
    return {named(row[0])[0]: named(row[1]) for row in REFERENCE.table(title)}


def test_every_event_is_told_with_its_keys() -> None:
    """What all events or all endings have is told once, above the table."""
    expected = {}
    for event in get_args(ev.AnyEvent):
        shared: Any = ev.AttemptEnded if issubclass(event, ev.AttemptEnded) else ev.Event
        own = [name for name in event.__struct_fields__ if name not in shared.__struct_fields__]
        expected[_kind(event)] = own
        above = " ".join(REFERENCE.section("Events"))
        assert all(f"`{name}`" in above for name in shared.__struct_fields__)
    assert _told_structs("Events") == expected


def test_every_step_is_told_with_its_keys() -> None:
    """The steps of agents, as ``--jsonl`` and the transcripts have them."""
    expected = {_kind(step): list(step.__struct_fields__) for step in get_args(base.Step)}
    assert _told_structs("JSON lines") == expected


def test_every_step_of_a_replay_script_is_told() -> None:
    """With the keys it takes besides ``attempt``."""
    expected = {verb: [key for key in kind.model_fields if key not in (verb, *Step.model_fields)]
                for verb, kind in VERBS.items()}  # fmt: skip
    assert _told_structs("Replay scripts") == expected


def test_every_tool_is_told_and_whether_it_writes() -> None:
    """In order, with a mark at those that read-only tasks do not get."""
    told = {named(row[0])[0]: bool(row[1]) for row in REFERENCE.table("Tools")}
    assert list(told.items()) == [(name, kind.writes) for name, kind in tools.KINDS.items()]
