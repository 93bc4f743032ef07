"""A plan as text: the same plan gives the same bytes, and the text loads to the same plan."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import tomli_w

from aca.errors import InputError
from aca.plans.plan import SCHEMA_ID, Plan, dump


def dump_text(plan: Plan, spelling: Literal["json", "toml"]) -> str:
    """*plan* in one of its two spellings. Raises InputError for what TOML cannot say.

    In TOML a comment names the schema, where there is more to say than its id: editors look for it there.
    """
    data = dump(plan)
    if "providers" in data:
        data["providers"] = _sorted(data["providers"])
    if spelling == "toml":
        schema = data.pop("$schema")
        line = "" if schema == SCHEMA_ID else f"#:schema {schema}\n\n"
        return line + _toml(data)
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n"


def _sorted(options: Any) -> Any:
    """Tables in order of their keys: TOML puts values before tables, whatever order they came in."""
    if isinstance(options, dict):
        return {key: _sorted(options[key]) for key in sorted(options)}
    return [_sorted(one) for one in options] if isinstance(options, list) else options


def _toml(data: dict[str, Any]) -> str:
    schemas = {task["id"]: task["output_schema"] for task in data["tasks"] if "output_schema" in task}
    places = (_empty_place(data.get("providers", {}), "providers"), _empty_place(schemas, "output_schema"))
    if place := next(filter(None, places), ""):
        raise InputError(f"TOML has no word for null, which is at {place}: write the plan as JSON")
    plain = not _has_carriage_return(data)  # which a text of several lines would lose
    return tomli_w.dumps(data, multiline_strings=plain, indent=2)


def _empty_place(value: object, path: str) -> str:
    if value is None:
        return path
    inner: list[tuple[str, object]] = []
    if isinstance(value, dict):
        inner = [(f"{path}.{key}", one) for key, one in value.items()]
    elif isinstance(value, list):
        inner = [(f"{path}[{index}]", one) for index, one in enumerate(value)]
    return next(filter(None, (_empty_place(one, at) for at, one in inner)), "")


def _has_carriage_return(value: object) -> bool:
    if isinstance(value, str):
        return "\r" in value
    if isinstance(value, dict):
        return any(map(_has_carriage_return, value.values()))
    return isinstance(value, list) and any(map(_has_carriage_return, value))
