"""Claude through its SDK: a live conversation, in which the agent hears what people say while it works.

Otherwise it is the agent that ``claude-cli`` is: the same program, the same stream, the same verdict. Here
its stdin stays open, and a tool that the permissions do not cover is asked for instead of just denied.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aca.core.events import MessageSent
from aca.errors import Problem
from aca.processes import process
from aca.processes.process import NotStartedError
from aca.providers.base import Assignment, Availability, Conversed, Errand, Result, Step
from aca.providers.claude import cli as claude_cli
from aca.providers.claude.wire import Wire
from aca.providers.messages import spoken
from aca.providers.programs import CommandLine, find, in_containers, look
from aca.safety.place import Place

if TYPE_CHECKING:
    from claude_agent_sdk import PermissionResultDeny, ToolPermissionContext

log = logging.getLogger(__name__)

INSTALL = "install it with `pip install 'aca[claude-sdk]'`"
MODES = {**claude_cli.MODES, "read-only": "default"}
"""In these claude asks for what they do not cover; nothing is allowed that ``claude-cli`` would not allow."""
DENIED = (
    "The permissions of this task do not allow that. Do without it, or say in the end what was not possible."
)


class Options(claude_cli.Options):
    """``providers.claude-sdk`` of a plan: as for ``claude-cli``, the program aside."""

    command: CommandLine = ()
    """How claude is called; empty is the one that comes with the SDK."""


def problems(options: Options, errands: Iterable[Errand], workspace: Path) -> list[Problem]:
    """What keeps it from being used here: the SDK or its claude is not installed."""
    if in_containers(errands) and _package() is None:
        return []
    found = _package() or find(_command(options), INSTALL, workspace)
    return [] if found.ok else [Problem(found.detail, found.cure)]


def program(options: Options) -> str:
    """What is started where the SDK's own claude is not."""
    return (*options.command, "claude")[0]


class ClaudeSdk:
    """Talks with a claude that it runs in the task's directory."""

    name = "claude-sdk"
    asks = False

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether the SDK is installed, and the version of its claude."""
        return _package() or look(_command(Options.model_validate(options)), INSTALL)

    async def work(self, assignment: Assignment, place: Place) -> AsyncIterator[Step]:
        """Let claude do the assignment, in its earlier conversation where there is one."""
        options = Options.model_validate(assignment.options)
        if absent := _package():
            yield Result("failed", reason=f"{absent.detail}; {absent.cure}", category="system")
            return
        command = options.command or ("claude",) if place.brings_programs else _command(options)
        options = options.model_copy(update={"command": command})
        assignment.logs.mkdir(parents=True, exist_ok=True)
        for continued in (True, False) if assignment.conversation else (False,):
            run = _Run(options, assignment, place, continued)
            yield Conversed(run.conversation)
            wire = Wire()
            try:
                async with (
                    run.start(wire.stdin) as child,
                    aclosing(cast(Any, _Talk(run, wire).steps(child))) as steps,
                ):
                    async for step in steps:
                        yield step
            except NotStartedError as error:
                yield Result("failed", reason=f"{error}; {INSTALL}", category="system")
                return
            finally:
                await wire.close()
            if continued and run.reading.lost(run.stderr()):
                continue
            yield run.reading.verdict(child.ended, run.stderr())
            return


class _Run(claude_cli.Run):
    """A start of the program that goes on listening."""

    section = "claude-sdk"
    modes = MODES

    def argv(self) -> list[str]:
        listening = ["--input-format", "stream-json", "--replay-user-messages"]
        return [*super().argv(), *listening, "--permission-prompt-tool", "stdio"]


class _Talk:
    """What is said to claude during one run."""

    def __init__(self, run: _Run, wire: Wire) -> None:
        from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

        self.run, self.wire = run, wire
        self.messages = run.assignment.messages
        self.unheard: dict[str, MessageSent] = {}
        """By its number in the stream what was sent and is not in the conversation yet."""
        self.heard, self.greeted = asyncio.Event(), asyncio.Event()
        options = ClaudeAgentOptions(can_use_tool=self.gate)
        self.client = ClaudeSDKClient(options, cast(Any, wire))

    async def gate(
        self, tool: str, given: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResultDeny:
        """Nobody is there to say yes; the result lists what was denied."""
        from claude_agent_sdk import PermissionResultDeny

        return PermissionResultDeny(message=DENIED)

    async def steps(self, child: process.Child) -> AsyncIterator[Step]:
        """Hand the task over and tell what comes of it, until claude has nothing more to say."""
        passing_on = asyncio.create_task(self.pass_on_what_comes())
        try:
            await self.greet(child)
            while (told := await self.wire.next()) is not None:
                line, event = told
                for step in self.run.reading.take(line):
                    yield step
                await self.follow(event)
                is_over = self.run.reading.finished and not self.wire.is_open
                child.idle = process.LINGER if is_over else self.run.options.idle_timeout
        finally:
            passing_on.cancel()
            await asyncio.wait({passing_on})  # it may be about to write
            await self.client.disconnect()

    async def greet(self, child: process.Child) -> None:
        """Begin to listen, and say what the task is. A claude that does not answer has told why, or not."""
        self.wire.listen_to(child)
        try:
            await self.client.connect()
        except Exception as error:  # the SDK has no class of its own for one that ends or says nothing
            log.warning("claude did not answer: %s", error)
        else:
            await self.say(self.run.prompt, str(uuid.uuid4()))
            self.greeted.set()

    async def follow(self, event: Mapping[str, Any]) -> None:
        """Note what has been heard; at the end of a turn say what there is to say, or that that is all."""
        if event.get("isReplay"):
            self.note_heard(str(event.get("uuid")))
        if event.get("type") == "result" and (event.get("is_error") or not await self.pass_on()):
            await self.wire.end_input()

    def note_heard(self, number: str) -> None:
        message = self.unheard.pop(number, None)
        if message is not None:
            self.messages.deliver(message)
        if not self.unheard:
            self.heard.set()

    async def pass_on_what_comes(self) -> None:
        """Say what people say, as they say it. Claude takes it up between two steps of its work."""
        await self.greeted.wait()
        while True:
            await self.messages.arrival()
            await self.pass_on()
            await self.heard.wait()

    async def pass_on(self) -> bool:
        """Say what was not said yet; whether there was anything."""
        said = {message.seq for message in self.unheard.values()}
        new = [message for message in self.messages.waiting if message.seq not in said]
        numbered = {str(uuid.uuid4()): message for message in new}
        self.unheard |= numbered  # all of them at once: whoever asks meanwhile says none of them again
        if new:
            self.heard.clear()
        for number, message in numbered.items():
            await self.say(spoken(message), number)
        return bool(new)

    async def say(self, text: str, number: str) -> None:
        message = {"role": "user", "content": text}
        whose = {"parent_tool_use_id": None, "session_id": "default", "uuid": number}
        await self.wire.write(json.dumps({"type": "user", "message": message, **whose}) + "\n")


def _package() -> Availability | None:
    """What is wrong with the SDK, None where it is installed."""
    if importlib.util.find_spec("claude_agent_sdk") is None:
        return Availability(False, "the package claude-agent-sdk is not installed", INSTALL)
    return None


def _command(options: Options) -> CommandLine:
    """The program that was named, else the SDK's own, else the one on the PATH."""
    if options.command:
        return options.command
    package = importlib.util.find_spec("claude_agent_sdk")
    if package is not None and package.origin is not None:
        own = Path(package.origin).parent / "_bundled" / "claude"
        if own.is_file():
            return (str(own),)
    return ("claude",)
