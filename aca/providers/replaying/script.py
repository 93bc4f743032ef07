"""The replay script: what a model does in each task, as a file that is written by hand or recorded.

TOML, by task id or title (``"*"`` is every task without an entry of its own):

    [tasks.greet]
    steps = [
      {say = "I write a greeting."},
      {write = "hello.py", content = "print('hello')"},
      {edit = "hello.py", old = "'hello'", new = "'hello, world'"},
      {run = "python hello.py", must = true},
      {usage = {input_tokens = 900, output_tokens = 120, cost_usd = 0.01}},
      {fail = "the network is gone", category = "transient", attempt = 1},
    ]

or JSON lines, each a step that also names its ``task``. ``attempt`` limits a step to that attempt. A script
that ``--record`` wrote has the session it is of at its top, as ``recorded``.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    Base64Bytes,
    BeforeValidator,
    Field,
    JsonValue,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails

from aca.core.events import Category
from aca.errors import InputError, Problem, did_you_mean
from aca.parse import Document, Loc, Mark, toml
from aca.parse.explain import place_in
from aca.plans.values import Command, Duration, Model
from aca.plans.wording import words


class Step(Model):
    """One thing the replayed model does."""

    attempt: Annotated[int, Field(ge=1)] | None = None
    """Only in this attempt."""


class Quiet(Step):
    """What can be done without telling it."""

    quiet: bool = False


class Say(Step):
    say: str


def _sound_base64(value: object) -> object:
    """Python's decoder passes over what is no base64, down to nothing at all."""
    try:
        b64decode("".join(str(value).split()), validate=True)
    except ValueError:
        raise ValueError("this is not base64") from None
    return value


class Write(Quiet):
    """Write a file, and its directories: text, or any bytes in base64."""

    write: str
    content: str | None = None
    base64: Annotated[Base64Bytes, BeforeValidator(_sound_base64)] | None = None
    executable: bool = False

    @model_validator(mode="after")
    def _has_one_content(self) -> Write:
        if (self.content is None) == (self.base64 is None):
            raise ValueError('needs "content" or "base64", and not both')
        return self

    @property
    def data(self) -> bytes:
        return (self.content or "").encode() if self.base64 is None else self.base64


class Delete(Quiet):
    """Delete a file; it may be gone already."""

    delete: str


class Edit(Step):
    """Replace ``old``, which must be in the file exactly once."""

    edit: str
    old: str = Field(min_length=1)
    new: str


class Run(Step):
    run: Command
    must: bool = False
    """Fail the attempt when the command fails."""


class Tokens(Model):
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    cache_read_tokens: int = Field(default=0, ge=0)
    cache_write_tokens: int = Field(default=0, ge=0)
    cost_usd: float | None = Field(default=None, ge=0)


class Use(Step):
    """What the steps cost; several add up."""

    usage: Tokens


class Split(Step):
    """Hand in subtasks, as a plan would write them."""

    subtasks: tuple[dict[str, JsonValue], ...] = Field(min_length=1)


class Note(Step):
    """Leave a note for those who work on other tasks."""

    note: str = Field(min_length=1)


class Propose(Step):
    """Propose work that is no part of the task, as a plan would write it."""

    propose: dict[str, JsonValue]


class Give(Step):
    """Give the output that the task's ``output_schema`` asks for."""

    output: dict[str, JsonValue]


class Show(Step):
    """Tell that a tool was used, without using one."""

    used: str
    detail: str = ""
    error: str = ""


class ShowChange(Step):
    """Tell that a file was changed, without changing one."""

    changed: str
    action: Literal["created", "modified", "deleted"] = "modified"


class Claim(Step):
    """Say in the end something else than what was said last."""

    result: str


class Wait(Step):
    wait: Duration


class Hang(Step):
    """Do nothing for ever."""

    hang: Literal[True]


class Fail(Step):
    """End with an error."""

    fail: str
    category: Category = "task"


class Interrupt(Step):
    """Be cut off here; the task goes on in its next attempt. Only in one attempt: else it would for ever."""

    attempt: Annotated[int, Field(ge=1)]
    interrupt: str


class Deny(Quiet):
    """Have the use of a tool refused."""

    deny: str
    cure: str = ""


class Quota(Step):
    """Run into a closed quota window that opens again at this time, where that is known."""

    quota: Annotated[
        AwareDatetime | None,
        BeforeValidator(lambda value: None if value == "unknown" else value),
        WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"const": "unknown"}]}),
    ]
    reason: str = ""


class Converse(Step):
    """Name the conversation this is."""

    conversation: str


VERBS: dict[str, type[Step]] = {
    "say": Say,
    "write": Write,
    "edit": Edit,
    "delete": Delete,
    "run": Run,
    "usage": Use,
    "subtasks": Split,
    "note": Note,
    "propose": Propose,
    "output": Give,
    "used": Show,
    "changed": ShowChange,
    "result": Claim,
    "wait": Wait,
    "hang": Hang,
    "fail": Fail,
    "interrupt": Interrupt,
    "deny": Deny,
    "quota": Quota,
    "conversation": Converse,
}
EVERY = "*"


@dataclass(frozen=True)
class Script:
    """A script that was read: the steps of each task it has an entry for."""

    path: Path
    tasks: dict[str, list[Step]] = field(default_factory=dict)
    is_record: bool = False
    """Whether ``--record`` wrote it, so that it has every attempt there was."""

    def steps(self, task_id: str, title: str) -> list[Step] | None:
        """What to do in this task; None when the script does not say."""
        for name in (task_id, title, EVERY):
            if name in self.tasks:
                return self.tasks[name]
        return None

    def missing(self, task_id: str, title: str) -> Problem | None:
        """What is wrong when the script does not say what to do in this task."""
        if self.steps(task_id, title) is not None:
            return None
        cure = (
            did_you_mean(task_id, self.tasks)
            or f'add one for "{task_id}", or for "{EVERY}", which is every task'
        )
        return Problem(f'the replay script has no entry for the task "{task_id}"', cure, str(self.path))


def load(path: Path) -> Script:
    """Read a script, TOML or (``.jsonl``) JSON lines. Raises InputError with every problem in it."""
    script, problems = look(path)
    if problems:
        raise InputError(problems)
    return script


def look(path: Path) -> tuple[Script, list[Problem]]:
    """What can be read of a script, and what is wrong with the rest, from its first line to its last.

    Raises InputError where nothing can be read of it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = _unreadable(error)
        cure = "providers.replay.script names it, relative to the workspace"
        raise InputError(Problem(f"cannot read the replay script: {why}", cure, str(path))) from None
    reading = _Reading(path, text)
    script = reading.json_lines() if path.suffix == ".jsonl" else reading.toml()
    return script, sorted(reading.document.problems, key=lambda one: one.line or 0)


def _unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "no file has such a name"


class _Reading:
    """One pass over a script, in which problems add up."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.document = Document(str(path), text, "toml")

    def json_lines(self) -> Script:
        script = Script(self.path)
        lines = self.document.lines
        self.document.stands_at(lambda: {(number,): Mark(number) for number in range(1, len(lines) + 1)})
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                raw = json.loads(line)
            except json.JSONDecodeError as error:
                self.document.note_at(Mark(number, error.colno), f"this line is not JSON: {error.msg}")
                continue
            except (ValueError, RecursionError) as error:
                self.document.note((number,), f"this line cannot be read: {error}")
                continue
            task = raw.pop("task", None) if isinstance(raw, dict) else None
            if isinstance(task, str):
                script.tasks.setdefault(task, []).extend(self.step(raw, (number,)))
            else:
                cure = 'write {"task": "<id or title>", ...}'
                self.document.note((number,), "this line does not name its task", cure)
        return script

    def toml(self) -> Script:
        text = self.document.text
        data = toml.load(self.document, text)
        self.document.stands_at(lambda: toml.marks(text))
        for key in data.keys() - {"tasks", "recorded"}:
            cure = "a script has [tasks.<id or title>] and nothing else"
            self.document.note((key,), f'unknown key "{key}"', cure, key)
        entries = data.get("tasks", {})
        if not isinstance(entries, dict):
            self.document.note(("tasks",), "tasks is not a table", "write [tasks.<id or title>]", "tasks")
            entries = {}
        tasks = {name: list(self.entry(name, entry)) for name, entry in entries.items()}
        return Script(self.path, tasks, is_record="recorded" in data)

    def entry(self, name: str, entry: object) -> Iterator[Step]:
        loc = ("tasks", name)
        if not isinstance(entry, dict) or not isinstance(steps := entry.get("steps"), list):
            told = f'the entry "{name}" has no list of steps'
            self.document.note(loc, told, "write steps = [{say = ...}]", name)
            return
        for key in entry.keys() - {"steps"}:
            told = f'unknown key "{key}" in the entry "{name}"'
            self.document.note((*loc, key), told, "an entry has steps", key)
        for number, raw in enumerate(steps):
            yield from self.step(raw, (*loc, "steps", number))

    def step(self, raw: object, loc: Loc) -> Iterable[Step]:
        verbs = [verb for verb in VERBS if verb in raw] if isinstance(raw, dict) else []
        if not isinstance(raw, dict) or len(verbs) != 1:
            told, word = _not_one(raw, verbs)
            self.document.note(loc, told, f"a step is one of {', '.join(VERBS)}", word)
            return []
        kind = VERBS[verbs[0]]
        try:
            return [kind.model_validate(raw)]
        except ValidationError as error:
            faults = {_explain(verbs[0], kind, fault): fault for fault in error.errors()}
        for (message, cure), fault in faults.items():
            is_missing = fault["type"] == "missing" or not fault["loc"]
            at = (verbs[0],) if is_missing else place_in(raw, fault)
            self.document.note((*loc, *at), message, cure, str(at[-1]))
        return []


def _not_one(raw: object, verbs: list[str]) -> tuple[str, str]:
    """What is wrong with a step, and the word to underline."""
    if not isinstance(raw, dict):
        return "a step is a table", ""
    if verbs:
        return f"a step does one thing, this one has {' and '.join(verbs)}", verbs[-1]
    return f"a step with {', '.join(raw) or 'nothing in it'} does nothing", next(iter(raw), "")


def _explain(verb: str, kind: type[Step], fault: ErrorDetails) -> tuple[str, str]:
    """A problem and its cure, from what pydantic found in a step."""
    loc = fault["loc"]
    if not loc:
        return f"a step with {verb} {fault['msg'].removeprefix('Value error, ')}", ""
    key = ".".join(str(part) for part in loc)
    if fault["type"] == "extra_forbidden":
        known = ", ".join(name for name in kind.model_fields if name != verb)
        cure = did_you_mean(str(loc[-1]), kind.model_fields) if len(loc) == 1 else ""
        return f'unknown key "{key}" in a step that has {verb}', cure or f"it may also have {known}"
    if fault["type"] == "missing":
        return f'a step with {verb} needs "{key}"', ""
    if loc[0] == "run":
        return "run: neither a shell line nor a list of words", 'write "pytest -q" or ["pytest", "-q"]'
    what, cure = words([fault], fault["input"])
    return f"{key}{what}", cure
