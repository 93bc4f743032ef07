"""The command line: one file per command; a command reads options, calls ``app``, prints, returns a code.

root      all the commands                    commands   groups of them, like plan
options   what several of them take           variables  of the environment, misspelt
screen    where they print                    streams    what that goes to, fit to be used
carrying  a session, carried out              planning   a plan, made by a model
finding   which session, which task           person     who is at the keyboard
answer    ``aca approve`` and ``reject``      cancel     and ``aca pause``
bug       what is left where aca is at fault  refusal    what scripts are told of an error

``main`` is the one boundary at which errors become words and exit codes. Nothing heavy is imported before
a command runs.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from aca.errors import Exit, MachineError, did_you_mean, exit_code

_VARIABLE = re.compile(r" \(env var: '[^']*'\)")
"""What Typer says of every option, whether the variable is set or not."""


def run_main() -> None:
    """The program ``aca``."""
    from aca import garbage
    from aca.cli import streams

    garbage.look_seldom()
    streams.open_closed()
    sys.exit(main())


def main(argv: list[str] | None = None) -> int:
    """Run ``aca ARGV``; returns what the process is to exit with, whatever happens."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        return _run(arguments)
    except (KeyboardInterrupt, Exception) as error:  # the last boundary
        code = exit_code(error)
        told = _report_bug(error, arguments) if code == Exit.BUG else _told(error)
        return _refuse(arguments, code, told, error)


def _run(arguments: list[str]) -> int:
    import typer

    from aca.cli import streams, variables
    from aca.cli.root import program

    streams.be_readable()
    if unreadable := list(streams.unreadable(arguments, os.environ)):
        return _refuse(arguments, Exit.USAGE, "\n".join(f"aca: {one}" for one in unreadable))
    for told in variables.misspelt(os.environ):
        _complain(f"warning: {told}")
    try:
        return int(program(*arguments[:1]).main(arguments, prog_name="aca", standalone_mode=False) or 0)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        more = f"\n   `{context.command_path} --help` tells more" if context is not None else ""
        return _refuse(arguments, Exit.USAGE, f"aca: {_in_our_words(error)}{more}", error)


def _refuse(arguments: list[str], code: Exit, told: str, error: object = None) -> int:
    """Say it to people, and to the script that asked for JSON; of Ctrl-C people know."""
    from aca.cli import refusal

    if not isinstance(error, KeyboardInterrupt):
        _complain(told)
    try:
        refusal.tell(arguments, os.environ, code, told, error)
    except MachineError as lost:
        _complain(str(lost))
    return code


def _in_our_words(error: Any) -> str:
    """The message, and the variable a wrong value comes from when it is not from the command line."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if option := getattr(error, "option_name", ""):
        cure = did_you_mean(option, getattr(error, "possibilities", None) or ())
        return f"{error.message}{'; ' if cure else ''}{cure}"
    error.message = _plainly(error)
    message = _VARIABLE.sub("", error.format_message())
    if context is None or parameter is None:
        return message
    source = context.get_parameter_source(parameter.name)
    if source is None or source.name != "ENVIRONMENT":
        return message
    variable = parameter.envvar or f"{context.auto_envvar_prefix}_{parameter.name.upper()}"
    return f"{message} (from {variable})"


def _plainly(error: Any) -> str:
    """What Typer found wrong with a value, in the words that are used of files."""
    if error.__cause__ is None:
        return str(error.message)
    from pydantic import ValidationError

    from aca.plans.wording import words

    if not isinstance(error.__cause__, ValidationError):
        return str(error.message)

    first = error.__cause__.errors(include_url=False)[0]
    told, _ = words([first], first["input"])
    return f"this{told}"


def _told(error: BaseException) -> str:
    """In words; a disk that is full or must not be written is nobody's bug."""
    if isinstance(error, OSError):
        return f"{error.filename or 'aca'}: {error.strerror or error}"
    return "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)


def _report_bug(error: BaseException, arguments: list[str]) -> str:
    from aca.cli import bug

    path = bug.report(error, arguments)
    return f"this is a bug in aca: {bug.masked(repr(error))}\n   a report to paste is in {path}"


def _complain(text: str) -> None:
    from aca.cli.screen import Screen
    from aca.report.words import plain

    Screen().remark(plain(shortened(text)))


def shortened(text: str) -> str:
    """*text* with paths below the current directory written from there."""
    from pathlib import Path

    try:
        here = f"{Path.cwd()}/"
    except OSError:  # the current directory was removed
        return text
    return text.replace(here, "") if len(here) > 2 else text
