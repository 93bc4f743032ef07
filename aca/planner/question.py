"""What the model is asked: how to plan, the text by lines, what belongs to it, a map of the repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

from aca.attempts import prompt
from aca.parse import Document
from aca.planner.compose import written_by_hand
from aca.planner.repository import Repository, is_secretive

MOST_CHARS = 400_000
"""Of a text: about 100,000 tokens, which leaves room for the answer."""
MOST_QUOTED = 256 * 1024
"""Bytes of all the files that a text links to."""


class Material(msgspec.Struct, frozen=True):
    """What a plan is to be made from."""

    source: Document
    repository: Repository
    hints: Sequence[str]
    roles: Sequence[str]

    @property
    def links(self) -> list[str]:
        """The files that the text links to."""
        links = self.source.prose.links if self.source.prose else []
        return list(dict.fromkeys(name for _, name in links))

    def question(self) -> str:
        """All of it as one text."""
        return "\n\n".join([_instructions(), *self._parts()])

    def _parts(self) -> Iterator[str]:
        what = f"The text: {Path(self.source.path).name}" if self.source.has_file else "The goal"
        yield f"# {what}\n\n{_numbered(self.source)}"
        if by_hand := list(_written(self.source)):
            words = (
                "These lines are tasks already. Give each of them as a task with exactly this id; what is "
                "written there (status, attributes) stays as it is."
            )
            yield f"# Tasks that are written by hand\n\n{words}\n\n{_list(by_hand)}"
        if self.roles:
            yield f"# Roles\n\n{_list(self.roles)}"
        if self.hints:
            yield f"# Hints of the author\n\n{_list(self.hints)}"
        if self.links:
            yield "# Files that the text links to"
            yield from self._quoted()
        yield f"# The repository\n\n{self.repository.map()}"

    def _quoted(self) -> Iterator[str]:
        root = self.repository.root
        told = (name for name in self.links if not is_secretive(name))
        shown = [name for name in told if not is_secretive((root / name).resolve().name)]
        yield from prompt.references(shown, [root], MOST_QUOTED)


@cache
def _instructions() -> str:
    return Path(__file__).with_name("instructions.md").read_text(encoding="utf-8").rstrip()


def _numbered(source: Document) -> str:
    """The text with the numbers that its lines have in the file."""
    begins = source.prose.begins if source.prose else 1
    lines = enumerate(source.lines[begins - 1 :], begins)
    return "\n".join(f"{number:5d} | {line}".rstrip() for number, line in lines)


def _written(source: Document) -> Iterator[str]:
    for one, data in written_by_hand(source):
        yield f"line {one.lines[0]}: {data['id']} ({data.get('status', 'pending')})"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
