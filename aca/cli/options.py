"""The options that commands share, as groups: each is a frozen value that a command takes whole.

``takes`` spreads a group's fields into the command's own parameters, which is what Typer reads.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

if TYPE_CHECKING:
    from aca.planner import Wish

T = TypeVar("T")
Command = Callable[..., int]


def takes(*groups: type[Any]) -> Callable[[Command], Command]:
    """Let a command take each of *groups* as its last arguments, in that order, by name of the group.

    The parameter that receives a group has the group's name in lower case.
    """
    return lambda command: _Taking(command, groups)


class _Taking:
    """A command that takes groups. What its parameters are is looked up when it is called, or its help is."""

    def __init__(self, command: Command, groups: tuple[type[Any], ...]) -> None:
        functools.update_wrapper(self, command)
        self._command, self._groups = command, groups

    @functools.cached_property
    def __signature__(self) -> inspect.Signature:
        own = inspect.signature(self._command, eval_str=True).parameters.values()
        kept = [parameter for parameter in own if parameter.annotation not in self._groups]
        spreads = [field for group in self._groups for field in _parameters(group)]
        return inspect.Signature([*kept, *spreads])

    def __call__(self, **given: Any) -> int:
        made = {group.__name__.lower(): _gather(group, given) for group in self._groups}
        return self._command(**given, **made)


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(group)
    ]


def _gather(group: type[T], given: dict[str, Any]) -> T:
    """The group's value, its fields taken out of what was *given*."""
    return group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})  # type: ignore[arg-type]


def on_command_line(ctx: typer.Context, name: str) -> bool:
    """Whether the option was written on the command line, and is not from the environment."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def refuse_in_front(ctx: typer.Context) -> None:
    """Options in front of a command would change nothing."""
    for name in ctx.params:
        if on_command_line(ctx, name):
            flag = f"--{name.replace('_', '-')}"
            where = f'stands before the command "{ctx.invoked_subcommand}"'
            ctx.fail(f"{flag} {where}, which does not see it there")


# -- values that need a closer look -----------------------------------------------------------------------


def duration(text: str | None) -> str | None:
    """A duration as the plan's own parser takes it."""
    from aca.plans.values import parse_duration

    try:
        if text is not None:
            parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def dollars(amount: float | None) -> float | None:
    """An amount that can be spent."""
    if amount is not None and not 0 < amount < float("inf"):
        raise typer.BadParameter("this must be more than 0")
    return amount


def directory(path: Path) -> Path:
    """A directory that exists, as an absolute path. Raises InputError where the current one was removed."""
    from aca.errors import InputError, Problem

    try:
        if not path.is_absolute():
            Path.cwd()
    except FileNotFoundError:
        told = Problem("the directory you are in has been removed", "go to another one: cd")
        raise InputError(told) from None
    try:
        if path.is_dir():
            return path.resolve()
        what = "is not a directory" if path.exists() else "does not exist"
    except (OSError, ValueError) as error:
        what = f"cannot be a directory: {getattr(error, 'strerror', error)}"
    raise typer.BadParameter(f"{path} {what}")


def one_of(*words: str) -> Callable[[str | None], str | None]:
    """A word out of *words*."""

    def chosen(text: str | None) -> str | None:
        if text is not None and text not in words:
            from aca.errors import did_you_mean

            cure = did_you_mean(text, words) or f"use one of {', '.join(words)}"
            raise typer.BadParameter(f'"{text}" is unknown here; {cure}')
        return text

    return chosen


def each_of(*words: str) -> Callable[[list[str] | None], list[str] | None]:
    """A list of words out of *words*."""
    check = one_of(*words)

    def chosen(texts: list[str] | None) -> list[str] | None:
        for text in texts or ():
            check(text)
        return texts

    return chosen


DRIFT = ("approval", "source", "base_commit", "tools", "references")
"""What may have moved since a plan was made."""

Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace",
        metavar="DIR",
        envvar="ACA_WORKSPACE",
        callback=directory,
        show_default=False,
        help="Directory to work in; default: the current one.",
    ),
]
Json = Annotated[bool, typer.Option("--json", envvar="ACA_JSON", help="One JSON document on stdout.")]


# -- the groups -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Output:
    """What is printed, and how; and where all of it is recorded."""

    json: Annotated[
        bool, typer.Option("--json", envvar="ACA_JSON", help="One JSON document on stdout at the end.")
    ] = False
    jsonl: Annotated[
        bool, typer.Option("--jsonl", envvar="ACA_JSONL", help="Every event as a JSON line on stdout.")
    ] = False
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", envvar="ACA_QUIET", help="Only the result, on one line, and errors."),
    ] = False
    verbose: Annotated[
        bool,
        typer.Option(
            "-v", "--verbose", envvar="ACA_VERBOSE", help="What agents say and commands print, too."
        ),
    ] = False
    no_color: Annotated[
        bool, typer.Option("--no-color", envvar="ACA_NO_COLOR", help="No colours; NO_COLOR does the same.")
    ] = False
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", envvar="ACA_RECORD", help="Record the run as a script for replay."
        ),
    ] = None


@dataclass(frozen=True)
class Settings:
    """Settings of the plan that the command line may decide."""

    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", metavar="N", min=1, max=1000, help="How many tasks may run at once."),
    ] = None
    fail_fast: Annotated[
        bool | None,
        typer.Option(
            "--fail-fast/--keep-going", help="Stop at the first failed task, or do all that is possible."
        ),
    ] = None
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="NAME", help="Who does agent tasks that name nobody.")
    ] = None
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Model for tasks that name none.")
    ] = None
    permissions: Annotated[
        str | None,
        typer.Option(
            "--permissions",
            metavar="RIGHTS",
            callback=one_of("read-only", "workspace-write", "full"),
            help="read-only, workspace-write or full, for tasks that say nothing.",
        ),
    ] = None
    sandbox: Annotated[
        str | None,
        typer.Option(
            "--sandbox",
            metavar="MODE",
            callback=one_of("auto", "require", "off"),
            help="Keep permissions from outside: auto where bubblewrap is there, require it, or off.",
        ),
    ] = None
    trust_project_config: Annotated[
        bool | None,
        typer.Option(
            "--trust-project-config",
            help="Let agents honour the settings and hooks that the repository brings for them.",
        ),
    ] = None
    workspace_mode: Annotated[
        str | None,
        typer.Option(
            "--workspace-mode",
            metavar="KIND",
            callback=one_of("inplace", "worktree"),
            help="Where tasks work that say nothing: inplace, or each in a worktree of its own.",
        ),
    ] = None
    merge: Annotated[
        bool | None,
        typer.Option("--merge", help="Merge what the worktrees made into your branch once all is done."),
    ] = None
    docker: Annotated[
        bool | None,
        typer.Option("--docker/--no-docker", help="Let tasks work in containers, as [docker] says, or not."),
    ] = None
    retries: Annotated[
        int | None,
        typer.Option(
            "--retries", metavar="N", min=0, max=100, help="How often a failed agent task is tried again."
        ),
    ] = None
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout", metavar="TIME", callback=duration, help='For one attempt, such as "90s" or "30m".'
        ),
    ] = None
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", metavar="USD", callback=dollars, help="Stop when this much is spent."),
    ] = None
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", metavar="N", min=1, help="Stop when so many tokens are used."),
    ] = None
    max_duration: Annotated[
        str | None,
        typer.Option(
            "--max-duration", metavar="TIME", callback=duration, help='Stop this run after, say, "8h".'
        ),
    ] = None
    on_quota: Annotated[
        str | None,
        typer.Option(
            "--on-quota",
            metavar="WHAT",
            callback=one_of("wait", "exit"),
            help="While a quota window is closed: wait until it opens, or exit with 75.",
        ),
    ] = None
    append_system_prompt: Annotated[
        str | None,
        typer.Option("--append-system-prompt", metavar="TEXT", help="Told to every agent as system prompt."),
    ] = None
    execution_mode: Annotated[
        str | None,
        typer.Option(
            "--execution-mode",
            metavar="MODE",
            callback=one_of("sequential", "parallel", "intelligent"),
            help="sequential, parallel or intelligent.",
        ),
    ] = None

    def flags(self, ctx: typer.Context | None = None) -> dict[str, Any]:
        """A piece of plan. With *ctx*, only what was written on the command line."""
        given: dict[str, Any] = {}
        for name, setting in SETTINGS.items():
            value = getattr(self, name)
            if value is not None and (ctx is None or on_command_line(ctx, name)):
                table, _, key = setting.rpartition(".")
                (given.setdefault(table, {}) if table else given)[key] = value
        return given


SETTINGS = {
    "jobs": "max_concurrent_tasks",
    "fail_fast": "fail_fast",
    "provider": "defaults.provider",
    "model": "defaults.model",
    "permissions": "defaults.permissions",
    "sandbox": "sandbox.mode",
    "trust_project_config": "trust_project_config",
    "workspace_mode": "defaults.workspace",
    "merge": "workspace.merge",
    "docker": "docker.enabled",
    "retries": "defaults.retries",
    "timeout": "defaults.timeout",
    "max_cost": "limits.max_cost_usd",
    "max_tokens": "limits.max_tokens",
    "max_duration": "limits.max_duration",
    "on_quota": "rate_limiting.on_quota",
    "append_system_prompt": "defaults.system_prompt",
    "execution_mode": "execution_mode",
}
"""Option -> the part of the plan it decides."""


@dataclass(frozen=True)
class Hints:
    """What a model is told that makes a plan."""

    context: Annotated[
        list[str] | None,
        typer.Option(
            "--context",
            metavar="TEXT",
            envvar="ACA_CONTEXT",
            help='A hint for the planner, such as "FastAPI, 3 services"; may be repeated.',
        ),
    ] = None
    refresh: Annotated[
        bool,
        typer.Option("--refresh", envvar="ACA_REFRESH", help="Ask anew, though the same was asked before."),
    ] = False

    def wish(self, ctx: typer.Context, goal: str = "") -> Wish:
        """What a planner is to be told. The variable of the hints is one hint, and not one for each word."""
        from aca.planner import Wish

        given = tuple(self.context or ())
        hints = given if on_command_line(ctx, "context") else tuple(filter(None, [" ".join(given)]))
        return Wish(hints, self.refresh, goal)


@dataclass(frozen=True)
class Planning(Hints):
    """Whether a model makes the plan, and whether what it would have run is run."""

    use_intelligent_parser: Annotated[
        bool,
        typer.Option("--use-intelligent-parser", help="Let a model make a plan of any text: one call."),
    ] = False
    accept_commands: Annotated[
        bool,
        typer.Option(
            "--accept-commands", help="Run the commands and checks that such a plan has, without a review."
        ),
    ] = False


@dataclass(frozen=True)
class Selection:
    """Which part of a plan is run, and whether it is run at all."""

    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run; call nothing, write nothing.")
    ] = False
    dump_plan: Annotated[
        Path | None,
        typer.Option("--dump-plan", metavar="PATH", help="Write the plan, to .json or .toml."),
    ] = None
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="Run this task, and what it needs; may be repeated."),
    ] = None
    skip: Annotated[
        list[str] | None, typer.Option("--skip", metavar="ID", help="Leave this task out; may be repeated.")
    ] = None
    allow_drift: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-drift",
            metavar="FIELD",
            callback=each_of(*DRIFT),
            help="Run a plan though this has changed: approval, source, base_commit, tools or references.",
        ),
    ] = None
    require_approved: Annotated[
        bool, typer.Option("--require-approved", help="Refuse whatever is not a plan that was approved.")
    ] = False
    pull: Annotated[
        bool,
        typer.Option("--pull", help="First bring your branch up to date: git pull --ff-only."),
    ] = False
