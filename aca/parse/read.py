"""Reading any file: find its format, read it, and bring what it says to the plan's shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from aca.errors import InputError, Problem
from aca.garbage import uncollected
from aca.parse import json, keys, names, schemas
from aca.parse.document import Document, Loc, Mark, Marks, Prose
from aca.parse.explain import explain
from aca.parse.references import Shelf, Unfound
from aca.parse.source import read_text
from aca.plans.check import Checks

Kind = Literal["markdown", "toml", "json", "text", "org"]

_BY_SUFFIX: dict[str, Kind] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".toml": "toml",
    ".json": "json",
    ".txt": "text",
    ".text": "text",
    ".org": "org",
}
_MARKDOWN = re.compile(r"#{1,6} |```|~~~|\s*[-*+] \[[ xX-]\](?: |$)|---$|\+\+\+$")
_TOML = re.compile(r"""\[\[?[\w."' -]+\]\]?\s*(?:#.*)?$|[\w."'-]+\s*=\s*\S""")
_JSON = re.compile(r'\s*\{\s*["}]')
_SUSPECT = [re.compile(one) for one in (r"\\[uU]0*[dD][89a-fA-F]", r"0[xob]?[0-9a-fA-F_]{500}")]
"""One by one, because together they take twice as long."""
_STEP = 250
_DIGITS = re.compile(rf"[0-9_:]{{{_STEP}}}")
_HALF = re.compile("[\ud800-\udfff]")
_MOST_BITS = 1024
_SHARED = TypeAdapter(dict[str, Checks], config=ConfigDict(defer_build=True))
_PLAN_SCHEMA = "urn:aca:schema:plan"


def read(path: Path, *, base: Path) -> Document:
    """The task file or plan at *path*; *base* is the workspace, to which a plan's paths are relative.

    What is wrong but leaves the rest readable is in the document's ``problems``; InputError otherwise.
    """
    return read_as(path, read_text(path), base=base)


def read_as(path: Path, content: str, *, base: Path) -> Document:
    """The same of *content*, as if it stood at *path*."""
    with uncollected():
        if not content.strip():
            raise InputError(Problem("this file is empty, it has no tasks", "", str(path)))
        kind = _kind(path, content)
        document = Document(str(path), content, "text" if kind == "org" else kind)
        shelf = Shelf(path.parent, base)
        if kind in ("toml", "json"):
            _read_data(document, shelf)
        else:
            _read_prose(document, kind, shelf)
        if document.data.get("tasks") in (None, []):
            document.problems.append(Problem("this file has no tasks", "", str(path)))
    return document


def read_settings(path: Path, *, base: Path) -> Document:
    """Settings (``aca.toml``): what may stand at the top of a task file, and no tasks."""
    document = Document(str(path), read_text(path), "toml")
    document.stands_at(lambda: _both(_toml().marks(document.text), keys.canonical))
    document.data = _toml().load(document, document.text)
    _refuse_unusable(document)
    if document.data.pop("tasks", None) is not None:
        document.note(("tasks",), "settings have no tasks", "write them to a task file", "tasks")
    _expand_settings(document, Shelf(path.parent, base))
    return document


def _kind(path: Path, content: str) -> Kind:
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        cure = "write Markdown, TOML, JSON or plain text"
        raise InputError(Problem("YAML task files are not read", cure, str(path)))
    return _BY_SUFFIX.get(suffix) or _kind_of_text(content)


def _kind_of_text(content: str) -> Kind:
    if _JSON.match(content):
        return "json"
    lines = content.split("\n")
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if _TOML.match(first):
        return "toml"
    from aca.parse import org

    if org.is_org(content):
        return "org"
    return "markdown" if any(map(_MARKDOWN.match, lines)) else "text"


# -- prose: Markdown, plain text, org -------------------------------------------------------------------


def _read_prose(document: Document, kind: Kind, shelf: Shelf) -> None:
    from aca.parse import frontmatter, markdown, org, text  # here, for a plan in JSON needs none of it
    from aca.parse.compose import compose

    document.data, above, first = frontmatter.take(document)
    settings = _both(above, keys.canonical)
    document.stands_at(lambda: settings)
    _refuse_unusable(document)
    if document.data.pop("tasks", None) is not None:
        document.note(("tasks",), "front matter has no tasks", "write them below it, as a list", "tasks")
    _expand_settings(document, shelf)
    document.prose = Prose(dict(document.data), first + 1)
    is_org = kind != "markdown" and org.is_org(document.text)
    prose = markdown.read_outline if kind == "markdown" else text.read_outline
    outline = (org.read_outline if is_org else prose)(list(document.lines), first)
    if outline.too_deep is not None:
        raise document.refuse(Mark(outline.too_deep + 1), "lists are nested more than 100 deep here")
    compose(outline, document, shelf, settings)
    schemas.insert(document, shelf)
    _finish(document)


# -- data: TOML and JSON ----------------------------------------------------------------------------------


def _read_data(document: Document, shelf: Shelf) -> None:
    scan = json.marks if document.format == "json" else _toml().marks
    document.stands_at(lambda: _both(scan(document.text), keys.canonical))
    data = json.load(document) if document.format == "json" else _toml().load(document, document.text)
    if not isinstance(data, dict):
        raise document.refuse(Mark(1), "a plan is a table of keys, with a list of tasks", "")
    document.data = data
    _refuse_unusable(document)
    if "task_specs" in data:
        from aca.parse import rust  # here, for such a plan is rare

        canonical = rust.locator(data.get("setup_commands"))
        document.stands_at(lambda: _both(scan(document.text), canonical))
        rust.convert(document)
        document.is_rust_plan = True
    elif "format_version" in data or str(data.get("$schema", "")).startswith(_PLAN_SCHEMA):
        document.is_plan = True
        shelf = shelf.of_workspace()
    _expand_data(document, shelf)
    _name_tasks(document)
    _find_files(document, shelf)
    schemas.insert(document, shelf)
    if not document.is_plan:
        _finish(document)


def _toml() -> ModuleType:
    """Imported when there is any: nothing of it is needed for a plan in JSON."""
    from aca.parse import toml

    return toml


def _refuse_unusable(document: Document) -> None:
    """Text and numbers that can be read, but not written again: half characters, endless numbers."""
    if not (any(one.search(document.text) for one in _SUSPECT) or _has_long_number(document.text)):
        return
    waiting: list[tuple[Loc, Any]] = [((), document.data)]
    while waiting:
        loc, value = waiting.pop()
        if isinstance(value, dict | list):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += (
                [(loc, key) for key in value if isinstance(key, str)] if isinstance(value, dict) else []
            )
            waiting += [((*loc, key), one) for key, one in inner]
        elif isinstance(value, str) and _HALF.search(value):
            raise document.refuse(document.locate(loc), "this text holds half a character (a lone surrogate)")
        elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise document.refuse(document.locate(loc), "this number is too large")


def _has_long_number(text: str) -> bool:
    """Whether there may be 500 digits in a row: among any 500 characters one step is whole."""
    return any(map(_DIGITS.match, repeat(text), range(0, len(text), _STEP)))


def _expand_data(document: Document, shelf: Shelf) -> None:
    if not document.is_plan:
        _expand_settings(document, shelf)
    keys.expand_tasks(document)


def _name_tasks(document: Document) -> None:
    tasks = _tables(document)
    names.give_ids(tasks, lambda index: str(tasks[index].get("parent_id") or ""))
    names.resolve(document)


def _find_files(document: Document, shelf: Shelf) -> None:
    """Give the referenced files the names they have in a plan."""
    for index, task in document.tasks_with("file_refs"):
        refs = task["file_refs"]
        if isinstance(refs, str):
            refs = [refs]
        if isinstance(refs, list) and names.are_words(refs):
            task["file_refs"] = [_found(document, shelf, ("tasks", index, "file_refs", n), ref)
                                 for n, ref in enumerate(refs)]  # fmt: skip


def _found(document: Document, shelf: Shelf, loc: Loc, ref: str) -> str:
    found = shelf.find(ref)
    if isinstance(found, Unfound):
        document.note(loc, found.message, found.cure, ref)
        return ref
    return found


# -- both ---------------------------------------------------------------------------------------------------


def _expand_settings(document: Document, shelf: Shelf) -> None:
    keys.expand_file(document)
    _check_checks(document)
    providers = document.data.get("providers")
    replay = providers.get("replay") if isinstance(providers, dict) else None
    if isinstance(replay, dict) and isinstance(replay.get("script"), str):
        replay["script"] = shelf.name(replay["script"])


def _check_checks(document: Document) -> None:
    """``checks`` at the top are for many tasks: what is wrong with them is said once."""
    if "checks" not in document.data:
        return
    given = document.data["checks"]
    try:
        _SHARED.validate_python({"checks": given})
        document.data["checks"] = [given] if isinstance(given, str | dict) else given
    except ValidationError as error:
        for one in explain(error, dict[str, Checks], {"checks": given}, {}):
            document.note(one.loc, one.message, one.cure, one.word)
        del document.data["checks"]


def _finish(document: Document) -> None:
    document.data.setdefault("name", Path(document.path).stem)
    keys.share_checks(document.data)


def _tables(document: Document) -> list[dict[str, Any]]:
    tasks = document.data.get("tasks")
    return [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []


def _both(marks: Marks, canonical: Callable[[Loc], Loc]) -> Marks:
    """Places by what the file calls them and by what the plan does."""
    return {canonical(loc): mark for loc, mark in marks.items()} | marks
