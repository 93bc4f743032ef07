"""A model makes the plan: what the command line tells of that, and who looks at what it would have run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from aca.cli.options import Planning, on_command_line
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.app import Prepared, Request
    from aca.planner import Planned, Wish

OF_PLANNER = ("context", "refresh", "accept_commands")


def check(ctx: typer.Context, planning: Planning) -> None:
    """Refuse options that would change nothing."""
    if planning.use_intelligent_parser:
        return
    for name in OF_PLANNER:
        if on_command_line(ctx, name):
            flag = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(f"{flag} is for --use-intelligent-parser, which is not given")


def have_planned(wish: Wish, request: Request, screen: Screen) -> Planned:
    """Let a model make the plan, and tell how that goes."""
    from aca import planner

    planned = planner.plan(wish, request, os.environ, _remark(screen))
    _tell(planned, _remark(screen))
    return planned


def _remark(screen: Screen) -> Callable[[str], None]:
    """Where it is told how the planning goes: nowhere, where only results are wanted."""
    return (lambda _text: None) if screen.output.quiet or screen.output.jsonl else screen.remark


def _tell(planned: Planned, remark: Callable[[str], None]) -> None:
    """Who made the plan, what that cost, and what its author should know."""
    from aca.report.spending import planning_text
    from aca.report.words import lasting, one_line

    if not planned.provider:
        remark("this file says its tasks as data: no model was asked for a plan")
        return
    if planned.was_kept:
        remark(f"planned by {planned.provider}: from the cache")
    else:
        remark(f"{planning_text(planned.prepared.plan, by=planned.provider)}, {lasting(planned.seconds)}")
    for line in planned.left:
        remark(one_line(line, 200))
    for said in planned.remarks:
        remark(f"the planner says: {one_line(said, 500)}")


def review(planned: Planned, prepared: Prepared, screen: Screen) -> None:
    """Let a person look at the commands that only a model has thought of. Raises InputError if nobody does.

    They would run outside of any agent, with the rights of whoever runs aca.
    """
    from aca.errors import InputError, Problem
    from aca.report.words import indented

    is_open = {task.id: task.status == "pending" for task in prepared.plan.tasks}
    open_now = [f"{task}: {command}" for task, command in planned.commands if is_open[task]]
    lines = [line for told in open_now for line in indented(told, "   ")]
    if not lines:
        return
    told = "\n".join(["the planner would have these commands run, outside of any agent:", *lines])
    if sys.stdin.isatty() and sys.stderr.isatty():
        screen.remark(told)
        if _agrees():
            return
        raise InputError("its commands were not accepted")
    cure = (
        "look at the plan and run that: add --dry-run --dump-plan plan.json, then aca --execution-plan "
        "plan.json\n   or run them without a look at them: --accept-commands"
    )
    raise InputError(Problem(told, cure))


def _agrees() -> bool:
    sys.stderr.write("run them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
