"""``aca plan split``: one task of a plan becomes several."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from aca.cli.options import Workspace
from aca.cli.run import spelled
from aca.cli.screen import Screen

PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="A plan, JSON or TOML.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write the plan there, and leave this one as it is."),
]


def target(file: Path, output: Path | None) -> Path:
    """Where the changed plan goes. Raises BadParameter where none can be written there."""
    spelled(output, file, "--output")
    return output or file


def split(
    file: PlanArgument,
    task: Annotated[str, typer.Argument(metavar="TASK", help="Its id, or its title.")],
    output: OutputOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Split a task into what its description lists, or into its paragraphs; it becomes their group."""
    from aca.core import reshape
    from aca.preparation import rewriting

    into = target(file, output)
    plan = rewriting.rewrite(
        file, into, workspace, lambda plan: reshape.split(plan, rewriting.index(plan, task)), os.environ
    )
    group = plan.tasks[rewriting.index(plan, task)].id
    parts = [one.id for one in plan.tasks if one.parent_id == group]
    Screen().result(f"{into}: {group} is {len(parts)} tasks now: {', '.join(parts)}")
    return 0
