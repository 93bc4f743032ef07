"""``aca plan``: make a plan of a sentence, look at one, compare it, cut it anew, approve it.

goal      of one sentence                     reading         how all others come to a plan
show      as a tree                           graph           as a drawing
validate  whether it could run                diff            against another
approve   for good                            split, merge    tasks of it
"""

from __future__ import annotations

from collections.abc import Callable

import typer

from aca.cli.commands import PlanGroup
from aca.cli.plan.approve import approve
from aca.cli.plan.diff import diff
from aca.cli.plan.goal import goal
from aca.cli.plan.graph import graph
from aca.cli.plan.merge import merge
from aca.cli.plan.show import show
from aca.cli.plan.split import split
from aca.cli.plan.validate import validate

COMMANDS: dict[str, Callable[..., int]] = {
    "show": show,
    "validate": validate,
    "graph": graph,
    "diff": diff,
    "split": split,
    "merge": merge,
    "approve": approve,
}
group = typer.Typer(cls=PlanGroup, rich_markup_mode=None, context_settings={"auto_envvar_prefix": "ACA"})
group.callback(invoke_without_command=True)(goal)
for name, command in COMMANDS.items():
    # ``aca plan --goal`` reads the variables of the root options; the commands have their own.
    group.command(name, context_settings={"auto_envvar_prefix": f"ACA_PLAN_{name.upper()}"})(command)
