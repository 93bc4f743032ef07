"""``aca schema``: the JSON schemas of the files aca reads."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aca.cli.screen import Screen

NAMES = ("plan", "replay")


def schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(NAMES)}.")] = "plan",
) -> int:
    """Print a JSON schema."""
    from aca.errors import did_you_mean

    if name not in NAMES:
        cure = did_you_mean(name, NAMES) or f"there are {', '.join(NAMES)}"
        raise typer.BadParameter(f'there is no schema "{name}"; {cure}', param_hint="NAME")
    Screen().document(document(name))
    return 0


def document(name: str) -> dict[str, Any]:
    """The schema called *name*, as published in ``schemas/``."""
    from aca.plan import SCHEMA_ID, Plan

    if name == "plan":
        made = Plan.model_json_schema(by_alias=True)
        identity = SCHEMA_ID
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": identity}
    return {**head, **made}
