"""A conversation with a model, in nobody's dialect, and kept on disk as it goes.

Each message is a line of its own, written when it is whole. A process that is killed leaves at most a torn
last line, which was never acted upon; the next attempt goes on from there.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from aca.core.events import Usage
from aca.errors import NOT_JSON
from aca.providers.base import Assignment
from aca.providers.messages import Messages, in_prompt, spoken
from aca.sessions.journal import write_aside
from aca.tools.base import Tool

GO_ON = """\
You were interrupted while you worked on this task. What you did until then is above; a tool that was in use
may have done its work or not. See where it stands and go on."""
CUT_OFF = "Your answer was longer than it may be and was cut off. Go on, in smaller steps."


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool the model wants to use. ``arguments`` is a table, or text that is not even JSON."""

    id: str
    tool: str
    arguments: Any


class Asked(msgspec.Struct, frozen=True, tag="asked", tag_field="message", omit_defaults=True):
    """What we say. ``task`` is that which it begins: what comes after is part of it. ``told`` numbers the
    messages of people that it passes on."""

    text: str
    task: str = ""
    told: tuple[int, ...] = ()


class Answered(msgspec.Struct, frozen=True, tag="answered", tag_field="message", omit_defaults=True):
    """What the model said. ``raw`` is that in its own dialect, for those who want it back unchanged."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    raw: Any = None


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a call; ``error`` is one line where it went wrong."""

    call: str
    tool: str
    text: str
    error: str = ""
    denied: bool = False
    final: bool = False
    subtasks: tuple[dict[str, Any], ...] = ()


class Outcomes(msgspec.Struct, frozen=True, tag="outcomes", tag_field="message"):
    """What came of all calls of one answer."""

    outcomes: tuple[Outcome, ...]


Message = Asked | Answered | Outcomes


class Reply(msgspec.Struct, frozen=True):
    """One whole answer. ``length``: it is cut off, because it was too long."""

    answer: Answered
    stop: str = "end"
    """``end``, ``length`` or ``refusal``."""
    usage: Usage | None = None
    headers: dict[str, str] = {}
    """Those of HTTP, their names in lower case."""

    def __post_init__(self) -> None:
        """Raises TypeError for what no API may say, but the SDKs let through."""
        used = self.usage or Usage()
        counts = (used.input_tokens, used.output_tokens, used.cache_read_tokens, used.cache_write_tokens)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise TypeError(f"{counts} are no numbers of tokens")
        if not all(isinstance(name, str) for call in self.answer.calls for name in (call.id, call.tool)):
            raise TypeError("a call of a tool without a name")


@dataclass(frozen=True)
class Request:
    """What a model is asked: the conversation, the tools it may use, and how long its answer may be."""

    messages: Sequence[Message]
    tools: Sequence[type[Tool]]
    longest: int | None = None
    """In tokens; None leaves it to the model."""
    schema: Mapping[str, Any] | None = None
    """The answer is to be JSON that fits this; tools are not to be used then."""


class Conversation:
    """The messages so far; ``add`` keeps one more."""

    def __init__(self, path: Path, messages: list[Message]) -> None:
        self._path, self.messages = path, messages
        self._size = sum(len(_line(message)) for message in messages)

    @property
    def id(self) -> str:
        return self._path.name.partition(".")[0]

    @classmethod
    def of(cls, assignment: Assignment) -> Conversation:
        """The one the assignment continues, where it is still there, or a new one, with the prompt in it."""
        if assignment.conversation:
            path = _path(assignment, assignment.conversation)
            if messages := _read(path):
                conversation = cls._taken_up(path, messages)
                begun = _beginning(assignment, assignment.follow_up)
                conversation.add(Asked(GO_ON) if assignment.interrupted else begun)
                return conversation
        conversation = cls(_path(assignment, str(uuid.uuid4())), [])
        conversation.add(_beginning(assignment, assignment.prompt))
        return conversation

    @classmethod
    def _taken_up(cls, path: Path, messages: list[Message]) -> Conversation:
        write_aside(path, b"".join(map(_line, messages)))  # without the torn line
        conversation = cls(path, messages)
        last = messages[-1]
        if isinstance(last, Answered) and last.calls:
            unknown = "you were interrupted: whether it was done is not known"
            missed = (Outcome(call.id, call.tool, unknown, error="interrupted") for call in last.calls)
            conversation.add(Outcomes(tuple(missed)))
        return conversation

    def add(self, message: Message) -> None:
        """Keep *message*, at once."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = _line(message)
        with self._path.open("ab") as file:
            file.write(line)
        self.messages.append(message)
        self._size += len(line)

    def pass_on(self, messages: Messages) -> bool:
        """Add what people have said and the model has not been told; whether there was anything.

        A message is in the conversation before it counts as delivered: an end in between loses nothing,
        and nothing is said twice.
        """
        known = {number for asked in self.messages if isinstance(asked, Asked) for number in asked.told}
        new = [message for message in messages.said if message.seq not in known]
        for message in new:
            self.add(Asked(spoken(message), told=(message.seq,)))
        for message in tuple(messages.waiting):
            messages.deliver(message)
        return bool(new)

    @property
    def size(self) -> int:
        """The bytes of all messages, more or less as they go over the wire."""
        return self._size

    @property
    def outcomes(self) -> list[Outcome]:
        """What came of all calls for this task so far, those before an interruption included."""
        found: list[Outcome] = []
        for message in self.messages:
            if isinstance(message, Asked) and message.task:
                found.clear()
            elif isinstance(message, Outcomes):
                found += message.outcomes
        return found

    @property
    def latest(self) -> list[Outcome]:
        """What came of the calls since we last said something."""
        since = itertools.takewhile(lambda one: not isinstance(one, Asked), reversed(self.messages))
        told = [message for message in since if isinstance(message, Outcomes)]
        return [outcome for message in reversed(told) for outcome in message.outcomes]


def _beginning(assignment: Assignment, text: str) -> Asked:
    """What a task begins with; what people said before is in it."""
    return Asked(text, assignment.task_id, in_prompt(assignment.messages))


def _path(assignment: Assignment, conversation: str) -> Path:
    """In the provider's directory: any later attempt may go on with it."""
    return assignment.home / f"{Path(conversation).name}.messages.jsonl"


def _line(message: Message) -> bytes:
    return msgspec.json.encode(message) + b"\n"


def _read(path: Path) -> list[Message]:
    if not path.is_file():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    try:
        return [msgspec.json.decode(line, type=Message) for line in whole]
    except NOT_JSON:  # somebody else wrote into it: there is no telling what was said
        return []
