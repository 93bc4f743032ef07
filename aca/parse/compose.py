"""From an outline to the tasks of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aca.parse import names
from aca.parse.attributes import Headline, read_headline
from aca.parse.document import Document, Mark, Marks, Written
from aca.parse.keys import TASK_KEYS
from aca.parse.outline import Item, Outline, Section, give_lines, plan_section
from aca.parse.references import Reference, Shelf, in_text

_STATUS = {" ": "pending", "x": "completed", "X": "completed", "-": "skipped"}


def compose(outline: Outline, document: Document, shelf: Shelf, settings: Marks) -> None:
    """Put the tasks and the prose of *outline* into *document*, whose *settings* stand above them."""
    composer = _Composer(outline, document, shelf)
    composer.describe_plan()
    document.data["tasks"] = composer.make_tasks()
    document.stands_at(lambda: settings | composer.marks())
    composer.connect()
    if document.prose is not None:
        document.prose.find_written = composer.written


@dataclass(eq=False)
class _Entry:
    """A task on its way: its item, the line with its title taken apart, and what it is a part of."""

    item: Item
    line: int
    column: int
    head: Headline
    group: int | None
    task: dict[str, Any] = field(default_factory=dict)

    def mark(self, start: int, width: int) -> Mark:
        """A place in the title line, *start* counted from where the title begins."""
        return Mark(self.line + 1, self.column + start + 1, max(1, width))


class _Composer:
    """One outline on its way to becoming plan data, in file order."""

    def __init__(self, outline: Outline, document: Document, shelf: Shelf) -> None:
        self._outline = outline
        self._document = document
        self._shelf = shelf
        self._items = outline.tasks()
        self._entries: list[_Entry] = []
        self._contexts: dict[Section | None, tuple[str, list[str]]] = {None: ("", [])}
        give_lines(outline, self._items)
        self._for_all = (outline.sections[0], plan_section(outline, self._items))

    # -- the plan and the headings ----------------------------------------------------------------------

    def describe_plan(self) -> None:
        """Name and description of the plan, and what each heading says to the tasks under it."""
        data = self._document.data
        if self._for_all[1].title:
            data.setdefault("name", self._for_all[1].title)
        given = data.get("description", "")
        held = [section for section in self._outline.sections if section.holds_tasks]
        texts = [self._introduce(section) for section in held]
        prose = [text for section, text in zip(held, texts, strict=True) if section in self._for_all]
        if any(prose) and isinstance(given, str):
            data["description"] = _paragraphs(given, *prose)

    def _introduce(self, section: Section) -> str:
        """Note what *section* hands down to its tasks; return its own text."""
        context, refs = self._contexts[section.above]
        refs = list(refs)
        self._shelf.add(self._document, in_text(self._outline.prose(section.lines)), refs)
        is_name = section is self._for_all[1] and self._document.data.get("name") == section.title
        own = self._outline.own(section.lines[1:] if is_name and section.title else section.lines)
        self._contexts[section] = ("" if section in self._for_all else _paragraphs(context, own)), refs
        return own

    # -- the tasks ----------------------------------------------------------------------------------------

    def make_tasks(self) -> list[dict[str, Any]]:
        """One task for each item, as it stands."""
        for slip in (*self._outline.slips, *self._outline.near_boxes()):
            place = Mark(slip.line + 1, slip.column + 1, slip.width)
            self._document.note_at(place, slip.message, slip.cure)
        places: dict[Item, int] = {}
        for index, item in enumerate(self._items):
            line, column = self._title_place(item)
            head = read_headline(self._outline.lines[line][column:], self._shelf.has)
            entry = _Entry(item, line, column, head, _group(item, places))
            self._fill(entry)
            self._entries.append(entry)
            places[item] = index
        if self._entries and not self._outline.items and self._outline.has_title:
            self._document.data.setdefault("name", self._entries[0].head.title)
        return [entry.task for entry in self._entries]

    def _title_place(self, item: Item) -> tuple[int, int]:
        """Line and column of the first text in the item."""
        lines = self._outline.lines
        if not lines[item.start][item.column :].strip():
            for number in item.lines[1:]:
                if text := lines[number].strip():
                    return number, lines[number].index(text)
        return item.start, item.column

    def _fill(self, entry: _Entry) -> None:
        item, attributes = entry.item, entry.head.data()
        for mistake in entry.head.mistakes:
            self._document.note_at(entry.mark(mistake.start, mistake.width), mistake.message, mistake.cure)
        if not entry.head.title:
            self._document.note_at(entry.mark(0, 1), "this task has no text", "say what is to be done")
        own: dict[str, Any] = {
            "description": self._description(entry),
            "context": self._contexts[item.section][0] if entry.group is None else "",
            "status": _STATUS[item.box or " "],
            "priority": item.priority,
            "tags": [*item.tags, *attributes.pop("tags", [])],
            "file_refs": self._file_refs(entry, attributes.pop("file_refs", [])),
        }
        entry.task |= {"title": entry.head.title or "?"} | {key: value for key, value in own.items() if value}
        entry.task |= ({"kind": "command"} if "command" in attributes else {}) | attributes

    def _description(self, entry: _Entry) -> str:
        below = [n for n in entry.item.lines if n not in (entry.line, entry.item.start)]
        return self._outline.own(below, entry.item.margin)

    def _file_refs(self, entry: _Entry, named: list[str]) -> list[str]:
        """What the task names itself, then what its heading does (a part of a group gets that from it)."""
        found: list[str] = []
        listed = [Reference(name, self._place_of(entry, name)) for name in named]
        arrows = [Reference(target, entry.mark(at, len(target))) for at, target in entry.head.arrows]
        self._shelf.add(self._document, [*listed, *arrows, *in_text(self._prose(entry))], found)
        inherited = self._contexts[entry.item.section][1] if entry.group is None else []
        return list(dict.fromkeys([*found, *inherited]))

    def _place_of(self, entry: _Entry, name: str) -> Mark:
        return entry.mark(self._outline.lines[entry.line].find(name, entry.column) - entry.column, len(name))

    def _prose(self, entry: _Entry) -> list[tuple[int, str]]:
        """The title and the body without attributes and arrows; columns stay what they are."""
        line = self._outline.lines[entry.line]
        end = line.find(entry.head.title, entry.column) + len(entry.head.title)
        title = " " * entry.column + line[entry.column : end]
        prose = self._outline.prose(entry.item.lines)
        return [(number, title if number == entry.line + 1 else text) for number, text in prose]

    # -- what holds between tasks ---------------------------------------------------------------------------

    def connect(self) -> None:
        """Ids, parents, the order of ordered lists, and what the box of a group means for its parts."""
        names.give_ids([entry.task for entry in self._entries], self._above)
        for entry in self._entries:
            if entry.group is not None:
                entry.task.setdefault("parent_id", self._entries[entry.group].task["id"])
        names.resolve(self._document)
        self._skip_parts()
        self._refuse_impatient()
        self._reopen_groups()
        self._order_lists()

    def _above(self, index: int) -> str:
        entry = self._entries[index]
        if entry.group is None:
            return entry.item.section.title
        group = self._entries[entry.group].task
        return str(group.get("id") or group["title"])

    def _skip_parts(self) -> None:
        """What is left of a skipped group is skipped; groups stand before their parts."""
        for entry in self._entries:
            is_open = entry.group is not None and entry.task["status"] == "pending"
            if is_open and self._entries[entry.group or 0].task["status"] == "skipped":
                entry.task["status"] = "skipped"

    def _refuse_impatient(self) -> None:
        """What is to be done now cannot need what waits, a part of that, or the group it is a part of."""
        waiting = self._waiting()
        for index, entry in enumerate(self._entries if waiting else ()):
            needs = entry.task.get("dependencies", ()) if entry.task["status"] == "pending" else ()
            for need in filter(waiting.__contains__, needs):
                message = f'task "{entry.task["id"]}" needs "{need}", which waits'
                cure = "let this one wait, too, or write TODO, DONE or CANCELLED there"
                self._document.note(("tasks", index, "dependencies"), message, cure, need)

    def _waiting(self) -> set[str]:
        """The ids of all that waits, from each down to its parts and up to its groups."""
        found = set[int]()
        for index, entry in enumerate(self._entries):
            if entry.item.waits or (entry.group in found and entry.task["status"] == "skipped"):
                found.add(index)
        for index in sorted(found, reverse=True):
            while (group := self._entries[index].group) is not None and group not in found:
                found.add(index := group)
        return {self._entries[index].task["id"] for index in found}

    def _reopen_groups(self) -> None:
        """A ticked group with an open part is not done."""
        for entry in reversed(self._entries):
            if entry.group is not None and entry.task["status"] == "pending":
                group = self._entries[entry.group].task
                group["status"] = "pending" if group["status"] == "completed" else group["status"]

    def _order_lists(self) -> None:
        """Items of an ordered list follow each other; one that is skipped keeps nobody waiting."""
        previous: dict[int, str] = {}
        for entry in self._entries:
            item, task = entry.item, entry.task
            if not item.ordered:
                continue
            if item.siblings in previous:
                needs = [previous[item.siblings], *task.get("dependencies", [])]
                task["dependencies"] = list(dict.fromkeys(needs))
            if task["status"] != "skipped":
                previous[item.siblings] = task["id"]

    # -- what is said of tasks, and where ------------------------------------------------------------------

    def written(self) -> list[Written]:
        """Every task, with what its author has said of it by a box or an attribute list."""
        found = []
        for index, entry in enumerate(self._entries):
            names = (TASK_KEYS.get(one.key, one.key) for one in entry.head.attributes)
            keys = {name.partition(".")[0] for name in names}
            keys |= {"status"} if entry.item.box is not None else set()
            found.append(Written(index, tuple(n + 1 for n in entry.item.lines), frozenset(keys)))
        return found

    def marks(self) -> Marks:
        """The place of each task, and of what its attribute list says."""
        found: Marks = {}
        for index, entry in enumerate(self._entries):
            text = self._outline.lines[entry.line][entry.column :].rstrip()
            found["tasks", index] = entry.mark(0, len(text))
            for attribute in entry.head.attributes:
                key = TASK_KEYS.get(attribute.key, attribute.key)
                found.setdefault(("tasks", index, key), entry.mark(attribute.start, attribute.width))
        return found


def _group(item: Item, places: Mapping[Item, int]) -> int | None:
    """The index of the task that *item* is a part of; tasks stand before their parts."""
    above = item.above
    while above is not None and above not in places:
        above = above.above
    return None if above is None else places[above]


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))
