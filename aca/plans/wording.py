"""What pydantic finds wrong, in plain words."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

from pydantic_core import ErrorDetails

from aca.errors import did_you_mean

_NOUNS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "finite_number": "a finite number",
}
_PLAIN = {
    "missing": (" is missing", ""),
    "string_too_short": (" should not be empty", ""),
    "too_short": (" should not be empty", ""),
    "timezone_aware": (" should have a time zone", "put a Z behind it for UTC"),
    "datetime_type": (" should be a time such as 2026-11-21T15:00:00Z", ""),
    "datetime_parsing": (" should be a time such as 2026-11-21T15:00:00Z", ""),
    "datetime_from_date_parsing": (" should be a time such as 2026-11-21T15:00:00Z", ""),
    "recursion_depth_exceeded": (" is nested too deeply", ""),
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def words(errors: Sequence[ErrorDetails], value: object) -> tuple[str, str]:
    """What is wrong with *value*, to be put behind its name, and the cure. *errors* are of the same place."""
    first = errors[0]
    kind, context = first["type"], first.get("ctx", {})
    if kind in _NOUNS:
        nouns = dict.fromkeys(_NOUNS.get(one["type"], "something else") for one in errors)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        cure = "put it in quotes" if is_number and [*nouns] == ["text"] else ""
        return f" should be {' or '.join(nouns)}, not {shown(value)}", cure
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "literal_error":
        return _literal(str(context["expected"]), value)
    if kind in _BOUNDS:
        words, limit = _BOUNDS[kind]
        return f" should be {words} {_number(context[limit])}, not {value}", ""
    if kind == "string_pattern_mismatch":
        return f" is not of the form {context['pattern']}", ""
    if kind == "value_error":
        return f": {context['error']}", ""
    if kind == "invalid-json-value":
        return f" cannot be {shown(value)}", "put it in quotes"
    return f": {first['msg']}", ""


def _number(value: object) -> str:
    """As people write it: pydantic makes 0.0 of a 0."""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _literal(expected: str, value: object) -> tuple[str, str]:
    options = re.findall(r"'([^']*)'", expected)
    listed = ", ".join(options[:-1]) + f" or {options[-1]}" if len(options) > 1 else expected.lower()
    return f" should be {listed}, not {shown(value)}", did_you_mean(str(value), options)


def shown(value: object) -> str:
    """*value* in a message: as written when short, by its kind otherwise."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value[:40]}…"' if len(value) > 40 else f'"{value}"'
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        return "empty"
    kinds = {dict: "a table", list: "a list", datetime.date: "a date", datetime.time: "a time of day"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "this")
