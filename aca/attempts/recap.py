"""What an agent has done so far, told by its steps: for a new conversation when the old one grew too long."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from aca.providers.base import Changed, Said, Step, Used

REBUILDS = 2
"""How often one attempt may go on in a new conversation."""
SAID_CHARS = 6_000
"""Of what was said last."""
USES = 100
"""Tools used last, each on one line."""
LINE_CHARS = 200
FILES = 200
"""Files that were changed."""
GREW = "the conversation grew too long for the model: going on in a new one"

WHY = """\
# Where you stand

You have worked on this task already, in a conversation that grew too long. This is what is known of it.
Look at the files for the rest, and go on; do not begin anew."""


class Recap:
    """Takes in every step of an attempt, and keeps no more than it will tell."""

    def __init__(self) -> None:
        self._said: deque[str] = deque(maxlen=50)
        self._used: deque[str] = deque(maxlen=USES)
        self._files: dict[str, str] = {}
        self.uses = 0
        """Tools used so far."""
        self.told = 0
        """How many of them were told already, to the conversation that began then."""

    def note(self, step: Step) -> None:
        """Take in one more step."""
        if isinstance(step, Said):
            self._said.append(step.text.strip())
        elif isinstance(step, Used):
            self._use(step)
        elif isinstance(step, Changed):
            self._files[step.change.path] = step.change.action

    def _use(self, step: Used) -> None:
        """Some tools are told when they begin, and again when they failed; of others only the end is told."""
        begun = _line(f"{step.tool} {step.detail}")
        if step.error and begun in self._used:
            self._used.remove(begun)
        else:
            self.uses += 1
        self._used.append(_line(f"{begun}: {step.error}") if step.error else begun)

    def prompt(self, original: str) -> str:
        """*original*, and where the work on it stands, if it was begun at all."""
        if self.uses == 0:
            return original
        self.told = self.uses
        files = [f"{path} ({action})" for path, action in list(self._files.items())[:FILES]]
        parts = [
            *_part("Files you changed", files, len(self._files) - len(files)),
            *_part("Tools you used last", self._used, self.uses - len(self._used)),
            *_part("What you said last", [self._last()], 0),
        ]
        return "\n\n".join([original.rstrip(), WHY, *parts]) + "\n"

    def _last(self) -> str:
        return "\n\n".join(self._said)[-SAID_CHARS:]


def _part(title: str, lines: Iterable[str], left_out: int) -> list[str]:
    kept = [line for line in lines if line]
    more = [f"(and {left_out} more)"] if left_out > 0 else []
    return ["\n".join([f"## {title}", "", *(f"- {line}" for line in [*more, *kept])])] if kept else []


def _line(text: str) -> str:
    short = " ".join(text.split())
    return short if len(short) <= LINE_CHARS else f"{short[:LINE_CHARS]}…"
