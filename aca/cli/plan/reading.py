"""How the commands that look at a plan read one: nothing is refused that is only to be looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aca.app import Prepared

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A task file or a plan.")]


def read(file: Path, workspace: Path) -> Prepared:
    """The plan in *file* as it would run; what has moved since it was made is in ``moved``."""
    from aca import app
    from aca.preparation import drift

    request = app.Request(file=file, workspace=workspace, allow_drift=drift.FIELDS)
    return app.prepare(request, os.environ)
