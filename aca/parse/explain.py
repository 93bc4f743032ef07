"""What pydantic found, in plain words: where, what is wrong, what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from aca.errors import did_you_mean
from aca.parse.document import Loc
from aca.plans.wording import words

_DEEPEST = 12
_NOWHERE = object()
_FEW = 8
"""So many known keys are listed when none is near."""


class Complaint(msgspec.Struct, frozen=True):
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
        alternatives.setdefault(place_in(data, one), []).append(one)
    for loc, errors in alternatives.items():
        if not _is_other_branch(loc, errors, alternatives):
            yield _complaint(loc, errors, root, data, extra)


def place_in(data: object, error: ErrorDetails) -> Loc:
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
    what, cure = words(errors, value)
    subject = path_text(data, loc)
    return Complaint(loc, f"{subject}{what}", cure, _word(value))


def _unknown_key(loc: Loc, root: Any, data: object, extra: Mapping[Any, Iterable[str]]) -> Complaint:
    key = str(loc[-1])
    model = _annotation_at(root, loc[:-1])
    fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
    known = [field.alias or name for name, field in fields.items()]
    near = _near(key, (*known, *extra.get(model, ())))
    cure = near or (f"known keys: {', '.join(known)}" if 0 < len(known) <= _FEW else "")
    task, inner = _split_task(data, loc)
    place = f" in {_dotted(inner[:-1])}" if len(inner) > 1 else ""
    return Complaint(loc, f'{task}unknown key "{key}"{place}', cure, key)


@lru_cache
def _near(key: str, known: tuple[str, ...]) -> str:
    """The same slip of the finger is often made in many tasks."""
    return did_you_mean(key, known)


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
