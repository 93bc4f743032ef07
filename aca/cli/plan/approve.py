"""``aca plan approve``: record in a plan that a person has reviewed it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from aca.cli.answer import CommentOption
from aca.cli.options import Workspace
from aca.cli.person import refuse_tasks, who
from aca.cli.screen import Screen


def approve(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan, JSON or TOML.")],
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who approves it; default: your user name.")
    ] = None,
    comment: CommentOption = "",
    workspace: Workspace = Path(),
) -> int:
    """Approve a plan as it is: --require-approved runs nothing else."""
    from aca.preparation.approval import approve as record
    from aca.report.words import counted, one_line

    refuse_tasks("approve plans")
    plan, note = record(file, workspace, by or who(), comment, os.environ)
    assert plan.contract is not None  # it was written just now
    assert plan.approval is not None
    on = f" on commit {plan.contract.base_commit[:12]}" if plan.contract.base_commit else ""
    if note:
        Screen().remark(note)
    by_whom = one_line(plan.approval.by)
    Screen().result(f"{file}: {counted(len(plan.tasks), 'task')} approved by {by_whom}{on}")
    return 0
