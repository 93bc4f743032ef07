"""``aca plan validate``: whether a task file or plan could be run as it is."""

from __future__ import annotations

import os
from pathlib import Path

from aca.cli import shortened
from aca.cli.options import Workspace
from aca.cli.plan.reading import FileArgument
from aca.cli.screen import Screen


def validate(file: FileArgument, workspace: Workspace = Path()) -> int:
    """Check a task file or plan, and whether anything has moved since the plan was made."""
    from aca import app
    from aca.report import agreement
    from aca.report.words import counted

    prepared = app.prepare(app.Request(file=file, workspace=workspace), os.environ)
    screen = Screen()
    for problem in app.provider_problems(prepared, workspace):
        screen.remark(shortened(f"warning: {problem}"))
    screen.results(
        [f"{file}: sound, {counted(len(prepared.plan.tasks), 'task')}", *agreement.told(prepared.plan)]
    )
    return 0
