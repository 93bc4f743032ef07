"""Structured output: the JSON object a task is to give, and the JSON Schema that says what it looks like.

Whatever a provider promises, aca looks itself whether an output fits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

MAX_SCHEMA = 64 * 1024
"""Characters of a schema as JSON: some programs take it as one argument."""
MAX_OUTPUT = 256 * 1024
"""Characters of an output as JSON: it is kept in the journal, and goes into the prompts of other tasks."""
MOST_TOLD = 5
"""How much of what does not fit is told at once."""
_LOOKS = 200
"""How many places of a text are looked at for an object."""
_FENCE = re.compile(r"^```(?:json)?[ \t]*\n(.*?)^```", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_SAYING = {"type", "enum", "const", "anyOf", "$ref"}
"""Without one of these a schema says nothing."""
_ENFORCED = _SAYING | {
    *("properties", "required", "additionalProperties", "items", "$defs", "title", "description"),
}
"""The keywords that every vendor can keep an answer to."""


def usable(schema: dict[str, Any]) -> dict[str, Any]:
    """*schema*, if an output can be asked for in it. Raises ValueError with what is wrong."""
    if schema.get("type") != "object":
        raise ValueError('the schema needs the type "object" at its top: an output is a JSON object')
    if len(json.dumps(schema)) > MAX_SCHEMA:
        raise ValueError(f"the schema is longer than {MAX_SCHEMA} characters")
    from jsonschema import SchemaError

    try:
        _refuse_unsound(schema)
    except SchemaError as error:
        raise ValueError(f"this is not a JSON Schema: {_told(error)}") from None
    except RecursionError:
        raise ValueError("the schema is nested too deeply") from None
    return schema


def wrong(value: object, schema: Mapping[str, Any]) -> str:
    """Why *value* is no output in *schema*, on one line; empty when it is one."""
    if value is None:
        return "there is no JSON object in the answer"
    if len(json.dumps(value)) > MAX_OUTPUT:
        return f"it is longer than {MAX_OUTPUT} characters"
    errors = islice(_validator(schema).iter_errors(value), MOST_TOLD)
    return "; ".join(_told(error) for error in errors)


def found(text: str) -> dict[str, Any] | None:
    """The last JSON object in *text*, be it all of it, in a fenced block, or among words."""
    blocks = _FENCE.findall(text)
    for piece in (text, *reversed(blocks)):
        if isinstance(whole := _parsed(piece), dict):
            return whole
    return next(iter(list(_objects(text))[-1:]), None)


def request(schema: Mapping[str, Any]) -> str:
    """What to tell an agent that is to give an output in *schema*."""
    words = (
        "The result of this task is a JSON object that fits this JSON Schema. When all else is done, give "
        "that object as your last word, with nothing before or after it."
    )
    return f"{words}\n\n```json\n{json.dumps(schema, indent=2)}\n```"


def again(why: str) -> str:
    """What to tell an agent whose output is wrong."""
    return f"This is not what was asked for: {why}. Give the whole JSON object again, and nothing else."


def is_enforced(schema: object) -> bool:
    """Whether every vendor can be held to all of *schema*: objects that are closed, with no key left open."""
    if not isinstance(schema, Mapping) or not schema.keys() & _SAYING or not schema.keys() <= _ENFORCED:
        return False
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]
    return _is_closed(schema) and all(map(is_enforced, inner))


def _is_closed(schema: Mapping[str, Any]) -> bool:
    if "object" not in schema.get("type", ()):
        return True
    complete = set(schema.get("required", ())) == set(schema.get("properties", {}))
    return complete and schema.get("additionalProperties") is False


# -- schemas ------------------------------------------------------------------------------------------------


def _validator(schema: Mapping[str, Any]) -> Any:
    """Reads no other documents: what a schema refers to must be in it."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from referencing import Registry

    return validator_for(schema, default=Draft202012Validator)(schema, registry=Registry())


def _refuse_unsound(schema: dict[str, Any]) -> None:
    kind = type(_validator(schema))
    kind.check_schema(schema, format_checker=kind.FORMAT_CHECKER)
    for reference in _references(schema):
        if not _leads_somewhere(reference, schema):
            raise ValueError(f'the schema refers to "{reference}", which is not in it')


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference
        for inner in node.values():
            yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)


def _leads_somewhere(reference: str, schema: dict[str, Any]) -> bool:
    from referencing import Registry, Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    root: Any = Resource.from_contents(schema, default_specification=DRAFT202012)
    try:
        Registry().resolver_with_root(root).lookup(reference)
    except Unresolvable:
        return False
    return True


def _told(error: Any) -> str:
    where = ".".join(map(str, error.absolute_path))
    message = " ".join(error.message.split())
    return f"{where + ': ' if where else ''}{message[:200]}"


# -- JSON in text -------------------------------------------------------------------------------------------


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _parsed(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Every object in *text* that is not inside of another one, as far as is looked."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    at = text.find("{")
    for _ in range(_LOOKS):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
            yield value
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)
