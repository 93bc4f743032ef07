"""The tool loop that all model APIs share: ask, use the tools the model wants, ask again, until it is done.

A vendor's file supplies a ``Wire``: it translates a conversation into the vendor's dialect and the answer
back, and its errors into ``ModelError``. All else is here.
"""

from __future__ import annotations

import functools
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import msgspec
from pydantic import Field, ValidationError

from aca.core.events import Usage
from aca.core.spent import add_usage
from aca.plans import output
from aca.plans.values import Duration, Model
from aca.providers.account import ClosedError, SpentError
from aca.providers.base import (
    Assignment,
    Availability,
    Backoff,
    Changed,
    Conversed,
    Limited,
    Noted,
    Proposed,
    Result,
    Said,
    Step,
    Stop,
    Used,
)
from aca.providers.models.conversation import (
    CUT_OFF,
    Answered,
    Asked,
    Call,
    Conversation,
    Outcome,
    Outcomes,
    Reply,
    Request,
)
from aca.providers.models.trouble import CATEGORIES, LONGEST_PAUSE, UNREACHED, ModelError
from aca.safety import secrets
from aca.safety.place import Place
from aca.tools import KINDS, offered
from aca.tools.base import BROKEN, Bench, Tool, ToolResult, reason

if TYPE_CHECKING:
    import ssl

# SDKs write out again what they have read, and warn where it is not of their types: that is none of a user's.
warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)

TRIES = 4
"""How often a call is made before its trouble becomes that of the attempt."""
ANSWERS = 3
"""How often a model is asked for an output until it fits its schema."""
PAUSE = 0.5
"""Seconds before the second try, where the model names none; grows with each further one (``Backoff``)."""
INSTRUCTIONS = """\
You are a coding agent. You work alone, in the directory that your tools work in; nobody answers questions.
Look at what is there before you change it, keep to what the task asks for, and check what you have done.
When the task is done, call finish and say what you did; if it cannot be done, say that there, and why."""


class Options(Model):
    """What all model APIs can be told."""

    model: str | None = None
    """For tasks that name none."""
    max_turns: int = Field(default=100, ge=1)
    """Answers of the model in one attempt."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The longest answer of the model, in tokens."""
    idle_timeout: Duration = Field(default=600.0, gt=0)
    """How long the model may send nothing before the call is tried again."""


@functools.cache
def trusted() -> ssl.SSLContext:
    """The authorities that a server is trusted by. They are read once: that takes long, and a client is made
    for each attempt."""
    import httpx2

    return httpx2.create_ssl_context()


class Wire(Protocol):
    """A connection to a model."""

    def complete(self, request: Request) -> AsyncIterator[str | Reply]:
        """The answer's text, in pieces as it comes, and last of all one Reply. Raises ModelError."""
        ...


class Chat(ABC):
    """A provider that is a model behind an API."""

    name: ClassVar[str]
    key: ClassVar[str]
    """The environment variable that has the key."""
    options: ClassVar[type[Options]]
    longest: ClassVar[int | None] = None
    """The longest answer that is asked for where nobody says, in tokens; None leaves it to the model."""
    asks = True

    @abstractmethod
    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether it can be used, found out without calling the model."""

    @abstractmethod
    def connect(self, options: Any, model: str, system: str) -> AbstractAsyncContextManager[Wire]:
        """A connection to *model* that tells it *system* with every call."""

    async def work(self, assignment: Assignment, place: Place) -> AsyncIterator[Step]:
        """Let the model do the assignment, in its earlier conversation where there is one."""
        options = self.options.model_validate(assignment.options)
        model = assignment.model or options.model
        if model is None:
            cure = f"name one: model in the plan, or providers.{self.name}.model"
            yield Result("failed", reason=f"no model is named; {cure}", category="input")
            return
        conversation = Conversation.of(assignment)
        yield Conversed(conversation.id)
        system = "\n\n".join(filter(None, (INSTRUCTIONS, assignment.system_prompt)))
        talk = _Talk(self, conversation, assignment, Bench(place, assignment.logs), options.max_tokens)
        try:
            async with AsyncExitStack() as open_now:
                wire = await open_now.enter_async_context(self.connect(options, model, system))
                talking = aclosing(cast(Any, talk.steps(wire, options.max_turns)))
                async for step in await open_now.enter_async_context(talking):
                    yield step
        except ModelError as trouble:
            yield talk.failed(trouble)
        except ClosedError as closed:
            yield talk.result("quota", reason=closed.reason, until=closed.until)
        except SpentError as spent:
            yield talk.result("spent", reason=str(spent))


class _Talk:
    """One attempt."""

    def __init__(
        self,
        provider: Chat,
        conversation: Conversation,
        assignment: Assignment,
        bench: Bench,
        longest: int | None,
    ) -> None:
        self.provider, self.conversation, self.assignment = provider, conversation, assignment
        self.bench, self.longest = bench, longest or provider.longest
        self.tools = offered(assignment.permissions)
        told = [(tool.description(), tool.parameters()) for tool in self.tools.values()]
        self.fixed = len(f"{INSTRUCTIONS}{assignment.system_prompt}{told}")
        """About the bytes that every call sends besides the conversation."""
        self.schema: Mapping[str, Any] | None = None
        """What the next answer has to fit."""
        self.usage: Usage | None = None
        self.reply = Reply(Answered())

    async def steps(self, wire: Wire, turns: int) -> AsyncIterator[Step]:
        """Ask and answer until one side has had enough."""
        for _ in range(turns):
            self.conversation.pass_on(self.assignment.messages)
            async with aclosing(cast(Any, self.ask(wire))) as heard:
                async for step in heard:
                    yield step
            answer = self.reply.answer
            if self.reply.stop == "length":
                self.conversation.add(Asked(CUT_OFF))
                continue
            async for step in self.use(answer.calls):
                yield step
            is_over = not answer.calls or self.finished
            if is_over and not self.assignment.messages.waiting:
                async with aclosing(cast(Any, self.give(wire, self.ended(answer.text)))) as given:
                    async for step in given:
                        yield step
                return
        cure = f"raise providers.{self.provider.name}.max_turns, or split the task"
        yield self.result("failed", reason=f"not done after {turns} turns; {cure}")

    # -- asking -------------------------------------------------------------------------------------

    async def ask(self, wire: Wire) -> AsyncIterator[Step]:
        """Call the model, again when the trouble is one of the moment, and keep its answer."""
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        again = retry_if_exception(lambda error: isinstance(error, ModelError) and error.kind == "transient")
        wait = functools.partial(_pause, self.assignment.backoff)
        pause = self.assignment.account.pause
        tries = AsyncRetrying(
            stop=stop_after_attempt(TRIES), wait=wait, retry=again, sleep=pause, reraise=True
        )
        async for attempt in tries:
            with attempt:
                async with aclosing(cast(Any, self.hear(wire))) as heard:
                    async for step in heard:
                        yield step
        self.conversation.add(self.reply.answer)
        if self.reply.usage is not None:
            self.usage = add_usage(self.usage, self.reply.usage)
        if self.reply.stop == "refusal":
            why = self.reply.answer.text or "it gave no reason"
            raise ModelError(f"the model refused: {why}", known="refusal")

    async def hear(self, wire: Wire) -> AsyncIterator[Step]:
        """One call: what is said as it is said, by paragraphs, and what is told of limits."""
        account, longest = self.assignment.account, self.longest
        async with account.call(self.fixed + self.conversation.size, longest) as call:
            tools = list(self.tools.values())
            request = Request(self.conversation.messages, tools, call.longest, self.schema)
            try:
                async with aclosing(cast(Any, _paragraphs(wire.complete(request)))) as heard:
                    async for piece in heard:
                        if isinstance(piece, Reply):
                            self.reply = piece
                        else:
                            yield Said(piece)
            except ModelError as trouble:
                call.heard({"status": UNREACHED if trouble.unreached else trouble.status, **trouble.headers})
                call.failed(trouble.kind, trouble.until)
                if trouble.limits:
                    yield Limited(trouble.limits)
                raise
            call.heard(self.reply.headers)
            if self.reply.usage is not None:
                call.used(self.reply.usage)

    # -- using tools --------------------------------------------------------------------------------

    async def use(self, calls: Sequence[Call]) -> AsyncIterator[Step]:
        """Use the tools that the model wants, one after the other, and keep what came of it."""
        outcomes: list[Outcome] = []
        for call in calls:
            tool = self.understood(call)
            detail = " ".join(tool.detail.split()) if isinstance(tool, Tool) else ""
            yield Used(call.tool, detail)
            done = await self.done(tool) if isinstance(tool, Tool) else tool
            for change in done.changes:
                yield Changed(change)
            if done.note:
                yield Noted(secrets.struck_out(done.note))
            if done.proposal is not None:
                yield Proposed(done.proposal)
            if done.error:
                yield Used(call.tool, detail, error=secrets.struck_out(done.error))
            outcomes.append(self.outcome(call, done))
        if outcomes:
            self.conversation.add(Outcomes(tuple(outcomes)))

    def understood(self, call: Call) -> Tool | ToolResult:
        """The call as a tool that can be used, or what is wrong with it."""
        kind = self.tools.get(call.tool)
        if kind is None:
            known = f"there is no tool {call.tool}: use one of {', '.join(self.tools)}"
            return _wrong("denied: this task is read-only" if call.tool in KINDS else known)
        try:
            return kind.model_validate(call.arguments)
        except ValidationError as error:
            faults = ("".join((".".join(map(str, one["loc"])), ": ", one["msg"])) for one in error.errors())
            return _wrong(f"these arguments cannot be used: {'; '.join(faults)}")

    async def done(self, tool: Tool) -> ToolResult:
        try:
            return await tool.use(self.bench)
        except BROKEN as error:
            return _wrong(reason(error))

    def outcome(self, call: Call, done: ToolResult) -> Outcome:
        return Outcome(
            call=call.id,
            tool=call.tool,
            text=secrets.struck_out(done.text),
            error=secrets.struck_out(done.error),
            denied=call.tool in KINDS and call.tool not in self.tools,
            final=done.final,
            subtasks=done.subtasks,
        )

    # -- the output ---------------------------------------------------------------------------------

    async def give(self, wire: Wire, ended: Result) -> AsyncIterator[Step]:
        """*ended*, with the output that was asked for: from its text, or else the model is asked for it."""
        schema = self.assignment.output_schema
        if schema is None or ended.stop != "done":
            yield ended
            return
        given = output.found(ended.text)
        words = output.request(schema)
        for _ in range(ANSWERS if output.wrong(given, schema) else 0):
            self.conversation.add(Asked(words))
            async with aclosing(cast(Any, self.answer(wire, schema))) as heard:
                async for step in heard:
                    yield step
            given = output.found(self.reply.answer.text)
            if not (why := output.wrong(given, schema)):
                break
            words = output.again(why)
        yield msgspec.structs.replace(ended, output=given, usage=self.usage)

    async def answer(self, wire: Wire, schema: Mapping[str, Any]) -> AsyncIterator[Step]:
        """Ask for an answer in *schema*; in words alone, where the vendor does not take the schema."""
        for self.schema in (schema, None):
            try:
                async with aclosing(cast(Any, self.ask(wire))) as heard:
                    async for step in heard:
                        yield step
                break
            except ModelError as trouble:
                if self.schema is None or trouble.kind != "request":
                    raise
        self.schema = None
        async for step in self.use(self.reply.answer.calls):
            yield step

    # -- the end ------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        return any(outcome.final for outcome in self.conversation.latest)

    def ended(self, text: str) -> Result:
        """It says it is done. What was denied makes that a claim nobody believes."""
        outcomes = self.conversation.outcomes
        last = next((one for one in reversed(self.conversation.latest) if one.final), None)
        text = last.text if last else text
        # What was denied before an interruption may be allowed by now.
        denied = tuple(
            dict.fromkeys(one.tool for one in outcomes if one.denied and one.tool not in self.tools)
        )
        if denied:
            cure = 'permissions = "workspace-write" would allow it'
            return self.result("denied", text=text, denied=denied, reason=cure)
        if last and last.error:
            return self.result("failed", reason=f"the agent gave up: {text}")
        if not text.strip():
            return self.result("failed", reason="the agent ended without a word")
        subtasks = tuple(task for one in outcomes for task in one.subtasks)
        return self.result("done", text=text, subtasks=subtasks)

    def failed(self, trouble: ModelError) -> Result:
        """What a call that went wrong means for the attempt."""
        told = trouble.reason(self.provider.name, self.provider.key)
        if trouble.kind == "quota" and trouble.pause is not None:
            return self.result("quota", reason=told, until=time.time() + trouble.pause)
        too_long = trouble.kind == "context"
        return self.result("failed", reason=told, category=CATEGORIES[trouble.kind], overflowed=too_long)

    def result(self, stop: Stop, **known: Any) -> Result:
        return Result(stop, usage=self.usage, **known)


async def _paragraphs(pieces: AsyncIterator[str | Reply]) -> AsyncIterator[str | Reply]:
    """*pieces* of text put together to paragraphs, as each is whole; anything else as it comes."""
    said = ""
    async with aclosing(cast(Any, pieces)) as heard:
        async for piece in heard:
            if isinstance(piece, Reply):
                yield piece
                continue
            *whole, said = f"{said}{piece}".split("\n\n")
            for text in filter(str.strip, whole):
                yield text
    if said.strip():
        yield said


def _wrong(text: str) -> ToolResult:
    return ToolResult(text, error=text.partition("\n")[0])


def _pause(backoff: Backoff, state: Any) -> float:
    """As long as the model asks for, else longer each time, never in step with others."""
    from tenacity import wait_exponential, wait_random

    trouble = state.outcome.exception()
    if isinstance(trouble, ModelError) and trouble.pause is not None:
        return min(trouble.pause, LONGEST_PAUSE)
    longer = wait_exponential(multiplier=PAUSE, exp_base=backoff.multiplier, max=backoff.longest)
    return longer(state) + wait_random(0, min(PAUSE, backoff.longest))(state)
