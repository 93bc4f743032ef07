"""``aca schema``: the JSON schemas of the files aca reads."""

from __future__ import annotations

from typing import Annotated

import typer

from aca.cli.screen import Screen

NAMES = ("plan", "replay", "provider")


def schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(NAMES)}.")] = "plan",
) -> int:
    """Print a JSON schema."""
    from aca.errors import did_you_mean
    from aca.preparation import schemas

    if name not in NAMES:
        cure = did_you_mean(name, NAMES) or f"there are {', '.join(NAMES)}"
        raise typer.BadParameter(f'there is no schema "{name}"; {cure}', param_hint="NAME")
    Screen().result(schemas.text(name).rstrip("\n"))
    return 0
