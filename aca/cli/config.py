"""``aca config``: every setting, its value, and where that value comes from."""

from __future__ import annotations

import json as text
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from aca.cli import shortened
from aca.cli.options import Json, Workspace
from aca.cli.screen import Screen


def config(
    task_file: Annotated[
        Path | None,
        typer.Option("--task-file", metavar="FILE", help="With the settings of this task file or plan."),
    ] = None,
    workspace: Workspace = Path(),
    json: Json = False,
) -> int:
    """Show every setting, its value, and where that value comes from."""
    from aca import app
    from aca.preparation.config import rows

    if task_file is None:
        prepared = app.settings(workspace, os.environ)
    else:
        prepared = app.prepare(app.Request(task_file, workspace), os.environ)
    found = [
        (name, value, shortened(origin)) for name, value, origin in rows(prepared.plan, prepared.settings)
    ]
    if json:
        Screen().document(
            [{"setting": name, "value": value, "origin": origin} for name, value, origin in found]
        )
    else:
        Screen().results(_table(found))
    return 0


def _table(rows: list[tuple[str, Any, str]]) -> list[str]:
    values = {name: text.dumps(value, ensure_ascii=False) for name, value, _ in rows}
    names = max(map(len, values))
    width = min(40, max(map(len, values.values())))
    return [f"{name:<{names}}  {values[name]:<{width}}  {origin}" for name, _, origin in rows]
