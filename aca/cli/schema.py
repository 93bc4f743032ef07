"""``aca schema``: the JSON schemas of the files aca reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union

import typer

from aca.cli.screen import Screen

if TYPE_CHECKING:
    from pydantic import BaseModel

NAMES = ("plan", "replay", "provider")


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

    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    if name == "plan":
        return {**head, "$id": SCHEMA_ID, **Plan.model_json_schema()}
    if name == "provider":
        return {**head, "$id": "urn:aca:schema:provider:1", **_declaration().model_json_schema()}
    return {**head, "$id": "urn:aca:schema:replay:1", **_replay_script().model_json_schema()}


def _declaration() -> type[BaseModel]:
    from aca.providers.declaration import Declaration

    return Declaration


def _replay_script() -> type[BaseModel]:
    """What a replay script in TOML is: task -> steps, each of one of the kinds there are."""
    from pydantic import create_model

    from aca.providers.script import VERBS
    from aca.values import Model

    step: Any = Union[tuple(VERBS.values())]  # noqa: UP007 - which kinds there are is a value here
    entry = create_model("Entry", __base__=Model, steps=(list[step], ...))
    tasks: Any = dict[str, entry]  # type: ignore[valid-type]
    return create_model("ReplayScript", __base__=Model, tasks=(tasks, ...), recorded=(str, ""))
