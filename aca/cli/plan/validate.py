"""``aca plan validate``: whether a task file or plan could be run as it is."""

from __future__ import annotations

import os
from pathlib import Path

from aca.cli import shortened
from aca.cli.options import Json, Workspace
from aca.cli.plan.reading import FileArgument
from aca.cli.screen import Screen


def validate(file: FileArgument, workspace: Workspace = Path(), json: Json = False) -> int:
    """Check a task file or plan, and whether anything has moved since the plan was made."""
    from aca import app
    from aca.cli import refusal
    from aca.errors import Exit
    from aca.report import agreement
    from aca.report.words import counted

    prepared = app.prepare(app.Request(file=file, workspace=workspace), os.environ)
    screen = Screen()
    warnings = app.provider_problems(prepared, workspace, ask=False)
    reason = f"sound, {counted(len(prepared.plan.tasks), 'task')}"
    for problem in warnings:
        screen.remark(shortened(f"warning: {problem}"))
    if json:
        told = refusal.document(Exit.OK, reason, None)
        screen.document({**told, "warnings": [*map(refusal.fault, warnings)]})
    else:
        screen.results([f"{file}: {reason}", *agreement.told(prepared.plan)])
    return 0
