"""The program: its commands, and the root options, which are those of ``run``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from aca import __version__
from aca.cli.commands import Group
from aca.cli.options import (
    Output,
    Planning,
    Selection,
    Settings,
    Workspace,
    on_command_line,
    refuse_in_front,
    takes,
)

EPILOG = """\
Exit codes:

\b
  0    every task is completed and verified, or there was nothing to do
  1    some task failed, or was skipped because of a failure
  2    input or usage: you must change something; nothing was run
  3    a bug in aca; a report to paste is written, its path printed
  4    waiting for a person
  5    a budget or time limit was reached; resumable
  6    the plan is not what was reviewed any more
  7    the machine failed us (disk full, no permission); resumable
  75   a provider's quota window is closed; try again later
  130  interrupted (143: terminated); `aca resume` goes on
"""


class Commands(Group):
    """All commands, each imported and made when it is asked for: that takes longer than most of them work."""

    taker = "run"

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            one = typer.Typer(**PLAIN)
            command = getattr(import_module(f"aca.cli.{COMMANDS[cmd_name]}"), cmd_name)
            one.command(cmd_name, context_settings=CONTEXTS.get(cmd_name))(command)
            self.commands[cmd_name] = typer.main.get_command(one)
        elif cmd_name in GROUPS and cmd_name not in self.commands:
            self.commands[cmd_name] = typer.main.get_group(import_module(f"aca.cli.{cmd_name}").group)
            self.commands[cmd_name].name = cmd_name
        return self.commands.get(cmd_name)


def program(first: str = "") -> Any:
    """The command line, ready to be run. Where *first*, its first word, is a command, no option is in front
    of it, and the root's are not made."""
    app = typer.Typer(
        cls=Commands,
        context_settings={
            "auto_envvar_prefix": "ACA",
            "help_option_names": ["-h", "--help"],
            "max_content_width": 110,
        },
        **PLAIN,
    )
    if first not in COMMANDS and first not in GROUPS:
        app.callback(invoke_without_command=True, epilog=EPILOG)(root)
    return typer.main.get_group(app)


PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}
COMMANDS = {
    "run": "run",
    "resume": "resume",
    "status": "status",
    "show": "show",
    "costs": "costs",
    "approve": "answer",
    "reject": "answer",
    "merge": "merge",
    "restore": "restore",
    "add": "add",
    "send": "send",
    "cancel": "cancel",
    "pause": "cancel",
    "init": "init",
    "doctor": "doctor",
    "config": "config",
    "providers": "providers",
    "schema": "schema",
    "gc": "gc",
}
"""Each with the file beside this one in which it is the function of its name."""
GROUPS = ("checkpoint", "plan")
"""What has commands of its own: ``group`` in its file."""
CONTEXTS = {"run": {"auto_envvar_prefix": "ACA"}}
"""``aca run`` reads the variables of the root options, for it is the same command."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aca {__version__}")
        raise typer.Exit


@takes(Settings, Selection, Planning, Output)
def root(
    ctx: typer.Context,
    settings: Settings,
    selection: Selection,
    planning: Planning,
    output: Output,
    task_file: Annotated[
        str | None,
        typer.Option(
            "--task-file", metavar="FILE", help="Markdown, TOML, JSON or text: make a plan of it and run it."
        ),
    ] = None,
    execution_plan: Annotated[
        str | None,
        typer.Option("--execution-plan", metavar="PLAN", help="Run a plan (JSON or TOML) as it is."),
    ] = None,
    workspace: Workspace = Path(),
    list_checkpoints: Annotated[
        bool, typer.Option("--list-checkpoints", help="The same as `aca checkpoint list`.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, allow_from_autoenv=False, callback=_version, help="Print the version."
        ),
    ] = False,
) -> int:
    """aca, the Automatic Coding Agent: runs a file of coding tasks with coding agents.

    The options below belong to `aca --task-file FILE` and `aca --execution-plan PLAN`;
    `aca run FILE` takes them too.
    """
    if ctx.invoked_subcommand is not None:
        refuse_in_front(ctx)
        return 0
    if list_checkpoints:
        from aca.cli import checkpoint

        return checkpoint.show_list(workspace, output.json)
    if task_file is not None and execution_plan is not None:
        task_file, execution_plan = _the_one_meant(ctx, task_file, execution_plan)
    file = task_file or execution_plan
    if file is None:
        if any(on_command_line(ctx, name) for name in ctx.params):
            ctx.fail("there is nothing to run: name a file with --task-file or --execution-plan")
        typer.echo(ctx.get_help())
        return 0
    from aca.cli import run

    is_plan = execution_plan is not None
    return run.start(ctx, Path(file), is_plan, settings, selection, planning, workspace, output)


def _the_one_meant(ctx: typer.Context, task_file: str, plan: str) -> tuple[str | None, str | None]:
    """The command line wins over the environment; both at once are one too many."""
    if on_command_line(ctx, "task_file") == on_command_line(ctx, "execution_plan"):
        ctx.fail("--task-file and --execution-plan are one too many: name one file")
    return (task_file, None) if on_command_line(ctx, "task_file") else (None, plan)
