"""The claude command line, as the agent it is: one run per attempt, its own tools, its own login."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from pydantic import Field

from aca.errors import Problem
from aca.plans.values import Duration, Model, Words
from aca.processes import process
from aca.processes.process import NotStartedError
from aca.providers.base import Assignment, Availability, Conversed, Errand, Result, Step
from aca.providers.claude import rights as claude_rights
from aca.providers.claude.stream import Reading
from aca.providers.programs import GO_ON, CommandLine, find, in_containers, look
from aca.safety.place import Place

INSTALL = "install it with `npm install -g @anthropic-ai/claude-code` and run it once to log in"
MODES = {"read-only": "dontAsk", "workspace-write": "acceptEdits", "full": "bypassPermissions"}
READ_ONLY_WITHOUT = ("Write", "Edit", "NotebookEdit", "Bash")


class Options(Model):
    """``providers.claude-cli`` of a plan."""

    command: CommandLine = ("claude",)
    """How claude is called: a program on the PATH, and arguments that come first."""
    model: str | None = None
    """For tasks that name none."""
    allowed_tools: Words = ()
    """Tools that need no permission, such as ``Bash(pytest:*)``."""
    disallowed_tools: Words = ()
    max_turns: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    """The longest answer of the model, in tokens."""
    idle_timeout: Duration = Field(default=600.0, gt=0)
    """How long claude may print nothing before it is stopped and tried again."""


def problems(options: Options, errands: Iterable[Errand], workspace: Path) -> list[Problem]:
    """What keeps claude from being used here: it is not installed."""
    found = find(options.command, INSTALL, workspace)
    return [] if found.ok or in_containers(errands) else [Problem(found.detail, found.cure)]


def program(options: Options) -> str:
    """What is started."""
    return options.command[0]


class ClaudeCli:
    """Runs ``claude -p`` in the task's directory."""

    name = "claude-cli"
    asks = False

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether the program is there, and its version. Whether it is logged in shows when it works."""
        return look(Options.model_validate(options).command, INSTALL)

    async def work(self, assignment: Assignment, place: Place) -> AsyncIterator[Step]:
        """Run claude on the assignment, in its earlier conversation where there is one."""
        options = Options.model_validate(assignment.options)
        assignment.logs.mkdir(parents=True, exist_ok=True)
        for continued in (True, False) if assignment.conversation else (False,):
            run = Run(options, assignment, place, continued)
            yield Conversed(run.conversation)
            try:
                async with run.start() as child:
                    async for line in child.lines():
                        for step in run.reading.take(line):
                            yield step
                        child.idle = process.LINGER if run.reading.finished else options.idle_timeout
            except NotStartedError as error:
                yield Result("failed", reason=f"{error}; {INSTALL}", category="system")
                return
            if continued and run.reading.lost(run.stderr()):
                continue
            yield run.reading.verdict(child.ended, run.stderr())
            return


class Run:
    """One start of the program: with the conversation there was, or with a new one."""

    section = "claude-cli"
    """Of a plan's providers, where its options are."""
    modes: Mapping[str, str] = MODES

    def __init__(self, options: Options, assignment: Assignment, place: Place, continued: bool) -> None:
        self.options, self.assignment, self.continued = options, assignment, continued
        self.place = claude_rights.prepared(place, assignment.trusts_project, self._settings())
        known = assignment.conversation if continued else None
        self.conversation = known or str(uuid.uuid4())
        read_only = assignment.permissions == "read-only"
        self.forbidden = READ_ONLY_WITHOUT if read_only else ()
        gives_output = assignment.output_schema is not None
        self.reading = Reading(place, self.conversation, self.forbidden, self.section, gives_output)

    def start(self, stdin: process.Source | None = None) -> AbstractAsyncContextManager[process.Child]:
        """Start it; it reads the prompt where *stdin* is nothing else."""
        logs = self.assignment.logs
        self.assignment.so_far(self.reading.used)
        prompt = logs / "prompt.md"
        prompt.write_text(self.prompt, encoding="utf-8")
        # Each run has a stderr of its own: it may tell that a conversation was not found.
        self._stderr.unlink(missing_ok=True)
        return process.stream(
            self.argv(),
            self.place,
            stdin=prompt if stdin is None else stdin,
            stderr=self._stderr,
            copy=logs / "stream.jsonl",
            idle=self.options.idle_timeout,
        )

    @property
    def prompt(self) -> str:
        return self.assignment.spoken(self.continued, GO_ON)

    def argv(self) -> list[str]:
        options, assignment = self.options, self.assignment
        how = "--resume" if self.continued else "--session-id"
        model = assignment.model or options.model
        argv = [*options.command, "-p", "--output-format", "stream-json", "--verbose"]
        argv += [how, self.conversation, "--permission-mode", self.modes[assignment.permissions]]
        argv += claude_rights.arguments(self.place, assignment.trusts_project)
        argv += ["--model", model] if model else []
        argv += ["--append-system-prompt", assignment.system_prompt] if assignment.system_prompt else []
        allowed = assignment.allowed_usd
        argv += ["--max-budget-usd", f"{allowed:.4f}"] if allowed is not None else []
        argv += ["--max-turns", str(options.max_turns)] if options.max_turns else []
        schema = assignment.output_schema
        argv += ["--json-schema", json.dumps(schema)] if schema is not None else []
        argv += ["--allowedTools", *options.allowed_tools] if options.allowed_tools else []
        denied = (*self.forbidden, *options.disallowed_tools)
        return argv + (["--disallowedTools", *denied] if denied else [])

    def stderr(self) -> str:
        """The end of what it wrote to stderr."""
        return self._stderr.read_bytes()[-4000:].decode(errors="replace") if self._stderr.exists() else ""

    @property
    def _stderr(self) -> Path:
        return self.assignment.logs / "stderr.log"

    def _settings(self) -> dict[str, str]:
        longest = self.options.max_tokens
        return {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(longest)} if longest else {}
