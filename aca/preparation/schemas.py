"""The JSON schemas of the files that aca reads, and where editors find that of a plan."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union
from urllib.parse import quote

from aca.errors import MachineError
from aca.parse.keys import TASK_KEYS
from aca.plans.plan import SCHEMA_ID, Plan
from aca.sessions import journal, session
from aca.sessions.whereabouts import HOME

if TYPE_CHECKING:
    from pydantic import BaseModel

FILE = "plan.schema.json"
"""In ``.aca`` of a workspace: the schema to which its plans refer."""
_DIALECT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def document(name: str) -> dict[str, Any]:
    """The schema called *name*, as published in ``schemas/``."""
    if name == "plan":
        return {**_DIALECT, "$id": SCHEMA_ID, **_as_people_write(Plan.model_json_schema())}
    if name == "provider":
        return {**_DIALECT, "$id": "urn:aca:schema:provider:1", **_declaration().model_json_schema()}
    return {**_DIALECT, "$id": "urn:aca:schema:replay:1", **_replay_script().model_json_schema()}


def text(name: str) -> str:
    """The same as it stands in a file."""
    return json.dumps(document(name), indent=2, ensure_ascii=False) + "\n"


# -- for editors ------------------------------------------------------------------------------------------


def for_editors(plan: Plan, path: Path, workspace: Path, origin: Path | None = None) -> Plan:
    """*plan* as it is to be written to *path*: it names its schema so that editors find it, offline too.

    What its author has said of that stays, where *path* is its *origin*. Where the schema cannot be kept in
    the workspace, the plan names its kind only: none is lost for that.
    """
    if path == origin and plan.schema_id != SCHEMA_ID:
        return plan
    try:
        keep(workspace)
    except MachineError:
        return plan.model_copy(update={"schema_id": SCHEMA_ID})
    there = os.path.relpath((workspace / HOME / FILE).resolve(), path.parent.resolve())
    # Editors take a name without a dot in front as one from the root of what is open in them.
    return plan.model_copy(update={"schema_id": quote(there if there.startswith("..") else f"./{there}")})


def keep(workspace: Path) -> bool:
    """Have the schema of this aca's plans in ``.aca``; whether it had to be written. Raises MachineError."""
    path, wanted = session.home(workspace) / FILE, text("plan").encode()
    with suppress(OSError):
        if path.read_bytes() == wanted:
            return False
    journal.write_aside(path, wanted)
    return True


# -- how they are made ------------------------------------------------------------------------------------


def _as_people_write(schema: dict[str, Any]) -> dict[str, Any]:
    """*schema* with the other names that keys of tasks may have; an id that is missing is the title's."""
    task = schema["$defs"]["Task"]
    also = {
        name: {**task["properties"][key], "title": f"The same as {key}"} for name, key in TASK_KEYS.items()
    }
    task["properties"] |= also
    del task["required"]
    task["anyOf"] = [{"required": [key]} for key in ("title", "name")]
    return schema


def _declaration() -> type[BaseModel]:
    from aca.providers.agent_clis.declaration import Declaration

    return Declaration


def _replay_script() -> type[BaseModel]:
    """What a replay script in TOML is: task -> steps, each of one of the kinds there are."""
    from pydantic import create_model

    from aca.plans.values import Model
    from aca.providers.replaying.script import VERBS

    step: Any = Union[tuple(VERBS.values())]  # noqa: UP007 - which kinds there are is a value here
    entry = create_model("Entry", __base__=Model, steps=(list[step], ...))
    tasks: Any = dict[str, entry]  # type: ignore[valid-type]
    return create_model("ReplayScript", __base__=Model, tasks=(tasks, ...), recorded=(str, ""))
