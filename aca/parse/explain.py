"""What pydantic found, in plain words: where, what is wrong, what would be right."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from aca.errors import did_you_mean
from aca.parse.document import Loc

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
    "recursion_depth_exceeded": (" is nested too deeply", ""),
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_DEEPEST = 12
_NOWHERE = object()
_FEW = 8
"""So many known keys are listed when none is near."""


@dataclass(frozen=True)
class Complaint:
    """One thing that does not fit the model, at ``loc`` of the data."""

    loc: Loc
    message: str
    cure: str = ""
    word: str = ""


def explain(
    error: ValidationError, root: Any, data: object, extra: Mapping[Any, Iterable[str]]
) -> Iterator[Complaint]:
    """Every error once. *extra* are keys that are understood besides those a model has."""
    alternatives: dict[Loc, list[ErrorDetails]] = {}
    for one in error.errors(include_url=False):
        alternatives.setdefault(_real(data, one), []).append(one)
    for loc, errors in alternatives.items():
        if not _is_other_branch(loc, errors, alternatives):
            yield _complaint(loc, errors, root, data, extra)


def _real(data: object, error: ErrorDetails) -> Loc:
    """Where the error is in *data*, without what pydantic adds for unions; a missing key stays."""
    here = data
    found: Loc = ()
    for part in error["loc"]:
        inner = value_at(here, (part,), _NOWHERE)
        if inner is not _NOWHERE:
            here, found = inner, (*found, part)
    return (*found, error["loc"][-1]) if error["type"] == "missing" else found


def _is_other_branch(loc: Loc, errors: Sequence[ErrorDetails], all_locs: Iterable[Loc]) -> bool:
    """A union complains of each of its branches: the one that got furthest is meant."""
    in_union = any(len(one["loc"]) > len(loc) for one in errors)
    return in_union and any(len(other) > len(loc) and other[: len(loc)] == loc for other in all_locs)


def _complaint(
    loc: Loc, errors: Sequence[ErrorDetails], root: Any, data: object, extra: Mapping[Any, Iterable[str]]
) -> Complaint:
    first = errors[0]
    if first["type"] == "extra_forbidden":
        return _unknown_key(loc, root, data, extra)
    value = value_at(data, loc)
    what, cure = _words(errors, value)
    subject = path_text(data, loc)
    return Complaint(loc, f"{subject}{what}", cure, _word(value))


def _unknown_key(loc: Loc, root: Any, data: object, extra: Mapping[Any, Iterable[str]]) -> Complaint:
    key = str(loc[-1])
    model = _annotation_at(root, loc[:-1])
    fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
    known = [field.alias or name for name, field in fields.items()]
    near = _near(key, (*known, *extra.get(model, ())))
    cure = near or (f"known keys: {', '.join(known)}" if len(known) <= _FEW else "")
    task, inner = _split_task(data, loc)
    place = f" in {_dotted(inner[:-1])}" if len(inner) > 1 else ""
    return Complaint(loc, f'{task}unknown key "{key}"{place}', cure, key)


@lru_cache
def _near(key: str, known: tuple[str, ...]) -> str:
    """The same slip of the finger is often made in many tasks."""
    return did_you_mean(key, known)


def _words(errors: Sequence[ErrorDetails], value: object) -> tuple[str, str]:
    first = errors[0]
    kind, context = first["type"], first.get("ctx", {})
    if kind in _NOUNS:
        nouns = dict.fromkeys(_NOUNS.get(one["type"], "something else") for one in errors)
        return f" should be {' or '.join(nouns)}, not {shown(value)}", ""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "literal_error":
        return _literal(str(context["expected"]), value)
    if kind in _BOUNDS:
        words, limit = _BOUNDS[kind]
        return f" should be {words} {context[limit]}, not {value}", ""
    if kind == "value_error":
        return f": {context['error']}", ""
    if kind == "invalid-json-value":
        return f" cannot be {shown(value)}", "put it in quotes"
    return f": {first['msg']}", ""


def _literal(expected: str, value: object) -> tuple[str, str]:
    options = re.findall(r"'([^']*)'", expected)
    listed = ", ".join(options[:-1]) + f" or {options[-1]}" if len(options) > 1 else expected
    return f" should be {listed}, not {shown(value)}", did_you_mean(str(value), options)


def path_text(data: object, loc: Loc) -> str:
    """``task "deploy": limits.max_tokens``: what *loc* is, for people."""
    task, inner = _split_task(data, loc)
    return f"{task}{_dotted(inner)}" if inner else task.removesuffix(": ")


def _split_task(data: object, loc: Loc) -> tuple[str, Loc]:
    if len(loc) < 2 or loc[0] not in ("tasks", "task_specs", "setup_commands"):
        return "", loc
    task = value_at(data, loc[:2])
    name = (task.get("id") or task.get("title") or task.get("name")) if isinstance(task, dict) else None
    return (f'task "{name}": ' if isinstance(name, str) else f"task {int(loc[1]) + 1}: "), loc[2:]


def _dotted(loc: Loc) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc]
    return "".join([*parts[:_DEEPEST], "…" if len(parts) > _DEEPEST else ""]).lstrip(".")


def value_at(data: object, loc: Loc, nothing: object = None) -> object:
    """What stands at *loc* of tables and lists, *nothing* where nothing does."""
    here: Any = data
    for part in loc:
        is_there = (
            part in here
            if isinstance(here, dict)
            else isinstance(here, list | tuple) and part in range(len(here))
        )
        if not is_there:
            return nothing
        here = here[part]
    return here


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


def _word(value: object) -> str:
    """What to look for in the line, to underline it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) and "\n" not in str(value) else ""


def _annotation_at(annotation: Any, loc: Loc) -> Any:
    """The type the model has at *loc*."""
    here = _bare(annotation)
    for part in loc:
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {field.alias or name: field for name, field in here.model_fields.items()}
            here = _bare(fields[str(part)].annotation) if str(part) in fields else None
        elif get_origin(here) in (dict, tuple, list):
            here = _bare(get_args(here)[-1 if get_origin(here) is dict else 0])
    return here


def _bare(annotation: Any) -> Any:
    """Without Annotated; of a union, its first member that holds something."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, type(int | str)):
        members = [_bare(member) for member in get_args(annotation)]
        return next(
            (one for one in members if isinstance(one, type) and issubclass(one, BaseModel)), members[0]
        )
    return annotation
