"""YAML front matter as data, with the line of everything in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from aca.parse.document import Document, Loc, Mark, Marks


def load(document: Document, text: str) -> tuple[dict[str, Any], Marks]:
    """The data of *text* and where each piece of it stands. Raises InputError."""
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        raise _not_yaml(document, error) from None
    except RecursionError:
        raise document.refuse(Mark(1), "this is nested too deeply") from None
    if root is None:
        return {}, {}
    if not isinstance(root, yaml.MappingNode):
        raise document.refuse(_mark(root), "this front matter has no keys", "write key: value")
    reading = _Reading(document, loader)
    return reading.table(root, ()), reading.marks


class _Reading:
    """Turns YAML nodes into data; keys are text as written, and each node's place is kept."""

    def __init__(self, document: Document, loader: yaml.SafeLoader) -> None:
        self.marks: Marks = {}
        self._document = document
        self._loader = loader
        self._seen: set[int] = set()

    def table(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._document.refuse(_mark(key), "a key in front matter is one word")
            if key.value in made:
                first = self.marks[(*loc, key.value)].line
                message = f'"{key.value}" is written twice'
                self._document.note_at(_mark(key), message, f"the first is on line {first}")
            self.marks.setdefault((*loc, key.value), _mark(key))
            made[key.value] = self._value(value, (*loc, key.value))
        return made

    def _value(self, node: yaml.Node, loc: Loc) -> Any:
        # A node that is met twice is an alias, which could be endless or explode.
        if id(node) in self._seen:
            raise self._document.refuse(_mark(node), "anchors and aliases are not read in front matter")
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self.table(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return list(self._items(node, loc))
        return self._scalar(node)

    def _items(self, node: yaml.SequenceNode, loc: Loc) -> Iterator[Any]:
        for index, item in enumerate(node.value):
            self.marks[(*loc, index)] = _mark(item)
            yield self._value(item, (*loc, index))

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError, LookupError, AttributeError):  # each of PyYAML's
            message = f'"{node.value}" cannot be read'
            raise self._document.refuse(_mark(node), message, "put it in quotes") from None


def _mark(node: yaml.Node) -> Mark:
    start, end = node.start_mark, node.end_mark
    width = end.column - start.column if end.line == start.line else 1
    return Mark(start.line + 2, start.column + 1, max(1, width))


def _not_yaml(document: Document, error: yaml.YAMLError) -> Exception:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be understood"
    where = Mark(mark.line + 2, mark.column + 1) if mark else Mark(1)
    return document.refuse(where, f"this front matter is not YAML: {what}")
