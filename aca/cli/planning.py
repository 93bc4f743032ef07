"""A model makes the plan: what the command line tells of that, and who looks at what it would have run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from aca.cli.options import Planning, on_command_line
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.app import Prepared, Request
    from aca.plan import Plan
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
    from aca.report.spending import spent_text
    from aca.report.words import lasting, one_line

    if not planned.provider:
        remark("this file says its tasks as data: no model was asked for a plan")
        return
    spent = planned.spent
    took = "from the cache"
    if spent is not None:
        used = spent_text(spent, reported=bool(spent.tokens or spent.cost_usd))
        took = f"{used}, {lasting(planned.seconds)}"
    remark(f"planned by {planned.provider}: {took}")
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


def what_is_left(planned: Planned, plan: Plan) -> dict[str, Any]:
    """The limits of *plan* less what planning has used, as a piece of plan. Raises PlanningError."""
    from aca.errors import Exit, PlanningError

    if planned.spent is None:
        return {}
    used = {"max_cost_usd": planned.spent.cost_usd, "max_tokens": planned.spent.tokens}
    set_now = {name: getattr(plan.limits, name) for name in used}
    left = {name: round(most - used[name], 6) for name, most in set_now.items() if most and used[name]}
    if any(amount <= 0 for amount in left.values()):
        message = "planning has used up the limit: the plan is kept, and nothing was run"
        raise PlanningError(message, Exit.LIMIT)
    return {"limits": left} if left else {}


def _agrees() -> bool:
    sys.stderr.write("run them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
