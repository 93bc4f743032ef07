"""From a draft to a document like any other: what the author has written by hand wins, no line is lost.

What comes out is plan-shaped data with the lines it stands on, and goes through the validator that
everybody's plans go through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from aca.errors import did_you_mean
from aca.parse import Document, Mark, Written, names
from aca.planner.coverage import Coverage, cover, named, runs
from aca.planner.draft import Draft, DraftTask

_JOINED = ("dependencies", "file_refs", "tags", "touches")
"""Lists in which the author's words come first, and the model's after them."""
_NEEDED = ("id", "title")
"""What no task is without: where it is empty, the validator says so."""
_TOLD_CHARS = 80


class Bounds(msgspec.Struct, frozen=True):
    """What a draft may name, and what it may decide."""

    files: Collection[str]
    roles: Collection[str]
    may_choose_mode: bool


class Composed(msgspec.Struct, frozen=True):
    """A plan-shaped document, the lines that are in no task, and what the model would have run."""

    document: Document
    left: list[str]
    commands: list[tuple[str, str]]
    """(task id, shell line) of all that nobody but the model has thought of."""


def compose(source: Document, draft: Draft, bounds: Bounds) -> Composed:
    """What *draft* makes of *source*. What is wrong with it is noted in the document."""
    return _Composer(source, draft, bounds).composed()


class _Entry(msgspec.Struct, eq=False):
    """A task on its way: its data, the lines it is made of, and those that are its own words."""

    data: dict[str, Any]
    lines: set[int] = msgspec.field(default_factory=set)
    own: set[int] = msgspec.field(default_factory=set)
    drafted: DraftTask | None = None
    keys: frozenset[str] = frozenset()
    """What its author has written by hand."""


class _Composer:
    def __init__(self, source: Document, draft: Draft, bounds: Bounds) -> None:
        self.source, self.draft, self.bounds = source, draft, bounds
        self.document = Document(
            source.path, source.text, source.format, prose=source.prose, has_file=source.has_file
        )
        self.entries = [_entry(one, len(source.lines)) for one in draft.tasks]

    def composed(self) -> Composed:
        renamed = dict(self.take_over())
        for entry in self.entries:
            _rename(entry.data, renamed)
        coverage = self.covered()
        self.document.data = self.data(coverage)
        self.document.stands_at(lambda: self.source.marks_of_settings() | self.marks())
        names.resolve(self.document)
        self.note_what_is_not_allowed()
        return Composed(self.document, [] if self.is_said else self.told(coverage), list(self.commands()))

    @property
    def is_said(self) -> bool:
        """A goal is the plan's description, whole."""
        return not self.source.has_file

    # -- what is written by hand --------------------------------------------------------------------

    def take_over(self) -> Iterator[tuple[str, str]]:
        """Lay what is written by hand over the draft; yields (draft's id, author's id) where they differ.

        What the draft has left out is added as it was written.
        """
        written = written_by_hand(self.source)
        ids = {data["id"] for _, data in written}
        free = [entry for entry in self.entries if entry.data["id"] not in ids]
        by_id = {entry.data["id"]: entry for entry in reversed(self.entries)}
        for one, data in written:
            entry = by_id.get(data["id"]) or _made_of(one, free)
            if entry is None:
                entry = _Entry({"id": data["id"], "title": data["title"]})
                self.entries.insert(self.place(one), entry)
            elif entry in free:
                free.remove(entry)
                yield entry.data["id"], data["id"]
            _lay_over(entry, one, data, ids)

    def place(self, written: Written) -> int:
        """Where a task that the draft has left out belongs: before what comes later in the text."""
        starts = (min(entry.lines, default=0) for entry in self.entries)
        later = (index for index, start in enumerate(starts) if start > written.lines[0])
        return next(later, len(self.entries))

    # -- the parts of the document ------------------------------------------------------------------

    def covered(self) -> Coverage:
        places = {entry.data["id"]: index for index, entry in enumerate(self.entries)}
        parents = [places.get(entry.data.get("parent_id", "")) for entry in self.entries]
        owners = [entry.lines for entry in self.entries]
        return cover(self.wanted(), owners, parents, [entry.own for entry in self.entries])

    def wanted(self) -> list[int]:
        """The lines that are not empty; a heading that is the plan's name is told as that."""
        begins = self.source.prose.begins if self.source.prose else 1
        lines = range(begins, len(self.source.lines) + 1)
        return [n for n in lines if self.line(n).strip() not in ("", f"# {self.name}")]

    @cached_property
    def name(self) -> str:
        """As the author says it; a file that does not say it is named after itself."""
        said = str(self.source.data.get("name", ""))
        return said if said != Path(self.source.path).stem else self.draft.name or said

    def line(self, number: int) -> str:
        return self.source.lines[number - 1]

    def data(self, coverage: Coverage) -> dict[str, Any]:
        prose = self.source.prose
        data = dict(prose.settings) if prose else {}
        data["name"] = self.name or self.draft.name
        if self.bounds.may_choose_mode:
            data["execution_mode"] = self.draft.execution_mode
        for entry, lines in zip(self.entries, coverage.quoted, strict=True):
            self.finish(entry, lines, coverage)
        told = self.source.text.strip() if self.is_said else self.text(coverage.general)
        description = "\n\n".join(filter(None, (data.get("description", ""), told)))
        if description:
            data["description"] = description
        data["tasks"] = [entry.data for entry in self.entries]
        return data

    def finish(self, entry: _Entry, lines: list[int], coverage: Coverage) -> None:
        """The author's lines for the task, and the files that these refer to."""
        if lines and not self.is_said:
            entry.data["context"] = self.quoted(lines)
        mine = {*lines, *entry.own, *(coverage.general if entry.data.get("parent_id") is None else ())}
        links = self.source.prose.links if self.source.prose else []
        linked = [name for line, name in links if line in mine]
        if refs := list(dict.fromkeys([*linked, *entry.data.get("file_refs", ())])):
            entry.data["file_refs"] = refs

    def quoted(self, lines: list[int]) -> str:
        quotes = []
        for first, last in runs(lines):
            text = "\n".join(f"> {self.line(number)}".rstrip() for number in range(first, last + 1))
            quotes.append(f"From {Path(self.source.path).name}, {named(first, last)}:\n\n{text}")
        return "\n\n".join(quotes)

    def text(self, lines: list[int]) -> str:
        stretches = runs(lines)
        return "\n\n".join(
            "\n".join(map(self.line, range(first, last + 1))).strip("\n") for first, last in stretches
        )

    def marks(self) -> dict[tuple[str | int, ...], Mark]:
        found: dict[tuple[str | int, ...], Mark] = {}
        for index, entry in enumerate(self.entries):
            known = [line for line in (*entry.own, *entry.lines) if 1 <= line <= len(self.source.lines)]
            if known:
                line = min(known)
                found["tasks", index] = Mark(line, None, max(1, len(self.line(line))))
        return found

    # -- what is wrong, and what is told ------------------------------------------------------------

    def note_what_is_not_allowed(self) -> None:
        for index, entry in enumerate(self.entries):
            if entry.drafted is None:
                continue
            for wrong, cure in self.wrongs(entry.drafted, entry.keys):
                self.document.note(("tasks", index), f'task "{entry.data["id"]}": {wrong}', cure)

    def wrongs(self, one: DraftTask, keys: Collection[str]) -> Iterator[tuple[str, str]]:
        """(what is wrong, cure) of what no other plan could get wrong."""
        for lines in () if self.is_said else one.source:
            if not 1 <= lines.first <= lines.last <= len(self.source.lines):
                message = f"there are no lines {lines.first} to {lines.last} in the text"
                yield message, f"its last line is {max(self.wanted(), default=0)}"
        for name in one.file_refs:
            if name not in self.bounds.files:
                yield f'there is no file "{name}" that it may refer to', did_you_mean(name, self.bounds.files)
        for command in (one.command or "", *one.checks):
            if not all(char.isprintable() or char in "\n\t" for char in command):
                yield "a command has characters in it that cannot be shown", "a person is to read it"
        if one.role is not None and one.role not in self.bounds.roles and "role" not in keys:
            cure = did_you_mean(one.role, self.bounds.roles) or "leave it out"
            yield f'there is no role "{one.role}" that a planner may give', cure

    def told(self, coverage: Coverage) -> list[str]:
        """The lines that are in no task, for people; a heading or a rule says nothing by itself."""
        lines = [n for n in coverage.left if self.says_something(n)]
        return [
            f"{self.source.path}:{first if first == last else f'{first}-{last}'}: in no task, "
            f"so every agent is told: {self.line(first).strip()[:_TOLD_CHARS]}"
            for first, last in runs(lines)
        ]

    def says_something(self, number: int) -> bool:
        line = self.line(number).strip()
        return not line.startswith("#") and any(char.isalnum() for char in line)

    def commands(self) -> Iterator[tuple[str, str]]:
        for entry in self.entries:
            if entry.drafted is None:
                continue
            if "command" not in entry.keys and entry.data.get("command"):
                yield entry.data["id"], entry.data["command"]
            if "checks" not in entry.keys:
                yield from ((entry.data["id"], check) for check in entry.data.get("checks", ()))


# -- tasks ------------------------------------------------------------------------------------------------


def written_by_hand(source: Document) -> list[tuple[Written, Mapping[str, Any]]]:
    """The tasks whose author said more than words, and those that such a task needs by name."""
    if source.prose is None:
        return []
    every = [(one, source.data["tasks"][one.index]) for one in source.prose.find_written()]
    needed = {name for one, data in every if "dependencies" in one.keys for name in data["dependencies"]}
    return [(one, data) for one, data in every if one.keys or data["id"] in needed]


def _entry(one: DraftTask, most: int) -> _Entry:
    said = one.model_dump(exclude={"parent", "source"})
    data = {key: value for key, value in said.items() if key in _NEEDED or value not in (None, "", [])}
    if one.parent is not None:
        data["parent_id"] = one.parent
    lines = {n for each in one.source for n in range(max(1, each.first), min(each.last, most) + 1)}
    return _Entry(data, lines, drafted=one)


def _made_of(written: Written, free: list[_Entry]) -> _Entry | None:
    """The task of the draft that begins with the very line."""
    title = written.lines[0]
    return next((entry for entry in free if entry.lines and min(entry.lines) == title), None)


def _lay_over(entry: _Entry, written: Written, data: Mapping[str, Any], ids: Collection[str]) -> None:
    """What the author has said of the task, laid over what the model says of it."""
    drafted, keys = entry.data, written.keys
    if keys & {"kind", "command"}:
        drafted = {key: value for key, value in drafted.items() if key not in ("kind", "command")}
        keys = keys | {"kind", "command"}
    said = {key: data[key] for key in (*keys, "id", "title") if key in data}
    joined = {key: list(dict.fromkeys([*said[key], *drafted.get(key, ())])) for key in _JOINED if key in said}
    texts = (data.get("description"), drafted.get("description"))
    entry.data = {**drafted, **said, **joined}
    if any(texts):
        entry.data["description"] = "\n\n".join(filter(None, texts))
    if data.get("parent_id") in ids:
        entry.data["parent_id"] = data["parent_id"]
    entry.keys = keys
    entry.own = set(written.lines)
    entry.lines |= entry.own


def _rename(data: dict[str, Any], renamed: Mapping[str, str]) -> None:
    if "parent_id" in data:
        data["parent_id"] = renamed.get(data["parent_id"], data["parent_id"])
    if "dependencies" in data:
        data["dependencies"] = [renamed.get(name, name) for name in data["dependencies"]]
