"""Any agent CLI, as a plan or ``aca.toml`` declares it (``aca.providers.agent_clis.declaration``)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path, PurePath
from typing import Any

import msgspec
from msgspec.structs import replace

from aca.core.events import Usage
from aca.errors import NOT_JSON, Problem
from aca.plans import output
from aca.processes import process
from aca.processes.process import NotStartedError
from aca.providers.agent_clis.declaration import Declaration, Rights
from aca.providers.agent_clis.stream import Reading
from aca.providers.base import Assignment, Availability, Errand, Result, Step
from aca.providers.programs import GO_ON, directories, find, in_containers, look
from aca.safety.place import Needs, Place
from aca.sessions.journal import write_aside

Options = Declaration
_READ_ONLY = re.compile(r"read-only file system|EROFS", re.IGNORECASE)


def problems(options: Declaration, errands: Iterable[Errand], workspace: Path) -> list[Problem]:
    """What keeps the program from doing *errands* here: what is missing."""
    found = _available(options, workspace)
    return [] if found.ok or in_containers(errands) else [Problem(found.detail, found.cure)]


def faults(options: Declaration, errands: Iterable[Errand]) -> list[Problem]:
    """What the program cannot be told: rights, or a model."""
    name, given, found = _program(options), list(errands), []
    for permissions in {one.permissions for one in given} - options.permissions.keys():
        cure = f'declare under permissions the arguments it needs for "{permissions}": a list, empty for none'
        found.append(Problem(f"it is not declared how {name} works with {permissions} permissions", cure))
    if not options.takes("model") and any(one.model or options.model for one in given):
        cure = 'put ["--model", "{model}"] in its command, or name no model'
        found.append(Problem(f"{name} is not told a model", cure))
    return found


def program(options: Declaration) -> str:
    """What is started."""
    first = options.command[0]
    return first if isinstance(first, str) else first[0]


class DeclaredCli:
    """Runs the program of a declaration in the task's directory."""

    asks = False

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether the program and the variables it needs are there, and its version."""
        return _available(Declaration.model_validate(options))

    def work(self, assignment: Assignment, place: Place) -> AsyncIterator[Step]:
        """Run the program on the assignment, in its earlier conversation where it can."""
        return work(self.name, Declaration.model_validate(assignment.options), assignment, place)


async def work(
    name: str, declaration: Declaration, assignment: Assignment, place: Place
) -> AsyncIterator[Step]:
    """Run the program that *declaration* declares; what it prints becomes steps."""
    if assignment.permissions not in declaration.permissions:
        reason = f"it is not declared how {name} works with {assignment.permissions} permissions"
        yield Result("failed", reason=reason, category="input")
        return
    assignment.logs.mkdir(parents=True, exist_ok=True)
    known = assignment.conversation if declaration.takes("conversation") else None
    for conversation in (known, None) if known else (None,):
        run = _Run(name, declaration, assignment, place, conversation)
        try:
            async with run.start() as child:
                async for line in child.lines():
                    for step in run.reading.take(line):
                        yield step
                    child.idle = run.patience()
        except NotStartedError as error:
            yield Result("failed", reason=_not_started(error, declaration), category="system")
            return
        for step in run.reading.close():
            yield step
        if conversation and run.reading.lost(run.stderr()):
            continue
        run.note_usage()
        yield run.explained(run.reading.verdict(child.ended, run.stderr()))
        return


class _Run:
    """One start of the program: in the conversation there was, or in a new one."""

    def __init__(
        self, name: str, declaration: Declaration, assignment: Assignment, place: Place, known: str | None
    ) -> None:
        self.declaration, self.assignment, self.place = declaration, assignment, place
        self.conversation = known
        self._lively = time.monotonic()
        counted = _told_before(assignment, known) if self._counts_on else None
        self.reading = Reading(name, declaration, place, counted)

    @property
    def _rights(self) -> Rights:
        return self.declaration.permissions[self.assignment.permissions]

    @property
    def _counts_on(self) -> bool:
        usage = self.declaration.usage
        return usage is not None and usage.counts == "conversation"

    def start(self) -> AbstractAsyncContextManager[process.Child]:
        logs, declaration = self.assignment.logs, self.declaration
        text = self._prompt()
        (logs / "prompt.md").write_text(text, encoding="utf-8")
        # Each run has a stderr of its own: it may tell that a conversation was not found.
        self._stderr.unlink(missing_ok=True)
        on_stdin = not (declaration.takes("prompt") or declaration.takes("prompt_file"))
        return process.stream(
            declaration.argv(self.assignment.permissions, self._values(text), self.assignment.trusts_project),
            self._place(),
            stdin=logs / "prompt.md" if on_stdin else None,
            stderr=self._stderr,
            copy=logs / "stream.jsonl",
            idle=declaration.idle_timeout,
        )

    def _place(self) -> Place:
        """The place with what the program needs there, and without what it is not to heed."""
        place, declaration, is_trusted = self.place, self.declaration, self.assignment.trusts_project
        heeded = {} if is_trusted else declaration.project_config.env
        own = directories(declaration.state, place)
        fixed = tuple(path / name for path in own for name in declaration.settings)
        above = () if is_trusted else dict.fromkeys((place.path, *place.path.parents))
        hidden = tuple(
            path / name
            for path in above if path.is_relative_to(place.root) for name in declaration.project_config.files
        )  # fmt: skip
        env = {**place.env, **heeded, **self._rights.env}
        return replace(place, env=env, needs=Needs(own, fixed, hidden, declaration.is_sandboxed))

    def patience(self) -> float:
        """How long the next sign of life may take. That it still waits is none."""
        if self.reading.finished:
            return process.LINGER
        if not self.reading.waits:
            self._lively = time.monotonic()
        return max(0.0, self._lively + self.declaration.idle_timeout - time.monotonic())

    def _prompt(self) -> str:
        system = "" if self.declaration.takes("system_prompt") else self.assignment.system_prompt
        spoken = self.assignment.spoken(self.conversation is not None, GO_ON)
        return (f"{system}\n\n" if system else "") + spoken

    def _values(self, prompt: str) -> dict[str, str | None]:
        return {
            "model": self.assignment.model or self.declaration.model,
            "system_prompt": self.assignment.system_prompt or None,
            "conversation": self.conversation,
            "prompt": prompt,
            "prompt_file": self.place.seen(self.assignment.logs / "prompt.md"),
            "output_schema": self._schema_file(),
        }

    def _schema_file(self) -> str | None:
        """The schema of the output in a file, for programs that take one and can keep to all of it."""
        schema = self.assignment.output_schema
        if schema is None or not (self.declaration.takes("output_schema") and output.is_enforced(schema)):
            return None
        path = self.assignment.logs / "output_schema.json"
        path.write_text(json.dumps(schema), encoding="utf-8")
        return self.place.seen(path)

    def stderr(self) -> str:
        """The end of what it wrote to stderr."""
        return self._stderr.read_bytes()[-4000:].decode(errors="replace") if self._stderr.exists() else ""

    def explained(self, result: Result) -> Result:
        """A program that may not write where it keeps its own files seldom says that so that it helps."""
        is_held = self.place.enclosure is not None and not self.declaration.state
        if not (is_held and result.stop == "failed" and _READ_ONLY.search(result.reason + self.stderr())):
            return result
        cure = 'a sandbox lets it write to its own directories where they are declared: state = ["~/.agent"]'
        return msgspec.structs.replace(result, reason=f"{result.reason}; {cure}")

    @property
    def _stderr(self) -> Path:
        return self.assignment.logs / "stderr.log"

    def note_usage(self) -> None:
        """Where the program counts on from run to run, the next one has to know what is counted already."""
        conversation = self.reading.conversation
        if self._counts_on and self.reading.told and conversation:
            told = msgspec.json.encode(self.reading.told)
            self.assignment.home.mkdir(parents=True, exist_ok=True)
            write_aside(_kept(self.assignment, conversation), told)


def _told_before(assignment: Assignment, conversation: str | None) -> Usage | None:
    """What the program said last, in an earlier attempt, of what this conversation had used."""
    if conversation is None:
        return None
    with contextlib.suppress(FileNotFoundError, *NOT_JSON):
        return msgspec.json.decode(_kept(assignment, conversation).read_bytes(), type=Usage)
    return None


def _kept(assignment: Assignment, conversation: str) -> Path:
    return assignment.home / f"{Path(conversation).name}.usage.json"


def _program(declaration: Declaration) -> str:
    return PurePath(program(declaration)).name


def _available(declaration: Declaration, workspace: Path | None = None) -> Availability:
    """Whether it is there for work in *workspace*; for none it is started, too, to tell its version."""
    first, install = declaration.command[0], _install(declaration)
    program = (first,) if isinstance(first, str) else first
    found = (
        look(program, install, declaration.version)
        if workspace is None
        else find(program, install, workspace)
    )
    missing = [name for name in declaration.needs_env if not os.environ.get(name)]
    if found.ok and missing:
        return Availability(False, f"{' and '.join(missing)} not set", f"set {' and '.join(missing)}")
    return found


def _install(declaration: Declaration) -> str:
    return declaration.install or "install it, or say in its command where it is"


def _not_started(error: NotStartedError, declaration: Declaration) -> str:
    return f"{error}; {_install(declaration)}" if error.exit_status == 127 else str(error)
