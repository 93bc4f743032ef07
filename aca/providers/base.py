"""The seam to whoever does an agent task: one method, a few values.

``work`` is cut at the task, not at the message: some providers are whole agents. It yields steps as they
happen and ends with exactly one ``Result``; a provider that cannot go on says so in the Result's ``stop``
and never raises for what the outside did.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from aca.core.events import Category, FileChange, Usage
from aca.plans.settings import Permissions
from aca.plans.task import Task
from aca.providers.account import Account, Unlimited
from aca.providers.messages import Messages, Silence
from aca.safety.place import Place


class Backoff(msgspec.Struct, frozen=True):
    """How the pause before a call is made again grows, and how long it is at most (in seconds)."""

    multiplier: float = 2.0
    longest: float = 60.0


class Errand(NamedTuple):
    """Tasks that get the same, as far as their provider looks at them before the run, to tell what would keep
    it from doing them."""

    model: str | None
    permissions: Permissions
    in_container: bool
    tasks: Mapping[int, Task]
    """By their places in the plan."""


class Assignment(msgspec.Struct, frozen=True):
    """What an agent is asked to do, ready to be handed over."""

    task_id: str
    title: str
    attempt: int
    prompt: str
    """The whole text for the agent: context, references, results of dependencies, the task."""
    system_prompt: str
    model: str | None
    permissions: Permissions
    """What it may do; a provider tells its agent in the agent's own terms."""
    conversation: str | None
    """Continue this conversation where the provider can; None starts a new one."""
    interrupted: bool
    """It was cut off at this very task. Otherwise it is that of tasks which are done."""
    follow_up: str
    """What to say in a conversation of tasks that are done: the prompt without what was told there before."""
    home: Path
    """The provider's own directory in the session: for what outlives an attempt."""
    logs: Path
    """Directory of this attempt's raw files; ``<name>`` in it belongs to the provider."""
    output_schema: Mapping[str, Any] | None = None
    """Besides doing the task, give a JSON object that fits this JSON Schema; the prompt says so, too."""
    account: Account = msgspec.field(default_factory=Unlimited)
    so_far: Callable[[Callable[[], Usage | None]], None] = lambda _used: None
    """Told by an agent that is a whole program how to ask what it has used until now: where it is cut off,
    that counts."""
    allowed_usd: float | None = None
    """What it may cost, for agents that can be told; None sets no limit."""
    messages: Messages = msgspec.field(default_factory=Silence)
    """What people say to the agent; the prompt has what they said before the attempt began."""
    workspace: Path | None = None
    """The user's own directory, from which paths in ``options`` start; None where the agent works in it."""
    backoff: Backoff = Backoff()
    trusts_project: bool = False
    """Whether settings and hooks that the repository brings for the agent are honoured."""
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """The plan's ``providers.<name>`` section, as validated by the provider."""

    def spoken(self, continued: bool, go_on: str) -> str:
        """What to say first: in the conversation that is to be *continued*, or in a new one.

        *go_on* stands in front of the prompt where the conversation was cut off.
        """
        if not continued:
            return self.prompt
        return go_on + self.prompt if self.interrupted else self.follow_up


class Said(msgspec.Struct, frozen=True, tag="said", tag_field="step"):
    """Text for people."""

    text: str


class Used(msgspec.Struct, frozen=True, tag="used", tag_field="step", omit_defaults=True):
    """A tool was used. ``detail`` is one short line: the path, the command."""

    tool: str
    detail: str = ""
    error: str = ""


class Changed(msgspec.Struct, frozen=True, tag="changed", tag_field="step"):
    """A file was changed."""

    change: FileChange


class Conversed(msgspec.Struct, frozen=True, tag="conversed", tag_field="step"):
    """The provider's own name for the conversation this is."""

    conversation: str


class Noted(msgspec.Struct, frozen=True, tag="noted", tag_field="step"):
    """A finding for whoever works later."""

    text: str


class Proposed(msgspec.Struct, frozen=True, tag="proposed", tag_field="step"):
    """Work that the agent found and that is no part of its task: what a subtask would say of itself."""

    task: dict[str, Any]


class Limited(msgspec.Struct, frozen=True, tag="limited", tag_field="step", omit_defaults=True):
    """What the provider told about its limits, as it told it."""

    info: dict[str, Any]


class Waiting(msgspec.Struct, frozen=True, tag="waiting", tag_field="step"):
    """It waits for about so many seconds, because of a limit; its own time limit stands still."""

    reason: str
    seconds: float


Stop = Literal["done", "failed", "denied", "quota", "spent", "interrupted", "cut_off"]


class Result(msgspec.Struct, frozen=True, tag="result", tag_field="step", omit_defaults=True):
    """How the work ended, in the provider's view: *claimed*, not yet verified.

    ``failed`` carries ``reason`` and ``category``; ``denied`` lists in ``denied`` the tools that were
    refused; ``quota`` has ``until`` (Unix time the window opens again) where known; ``spent`` is a budget
    that has no room for another call; ``cut_off`` is an interruption that is played again.
    """

    stop: Stop
    text: str = ""
    reason: str = ""
    category: Category = "task"
    usage: Usage | None = None
    denied: tuple[str, ...] = ()
    until: float | None = None
    subtasks: tuple[dict[str, Any], ...] = ()
    output: dict[str, Any] | None = None
    """What it gave where ``output_schema`` asked for it, if not as JSON in ``text``."""
    overflowed: bool = False
    """``failed``, because the conversation no longer fits into the model's context."""


Step = Said | Used | Changed | Conversed | Noted | Proposed | Limited | Waiting | Result


class Availability(msgspec.Struct, frozen=True):
    """Whether a provider can be used here; ``cure`` tells how to get it when it cannot."""

    ok: bool
    detail: str
    cure: str = ""
    is_wrong: bool = False
    """Its settings cannot be used, so that nothing else is known of it."""


class Provider(Protocol):
    """Does agent tasks."""

    name: str
    asks: bool
    """Whether it asks ``assignment.account`` before every call; otherwise one call is the whole attempt."""

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether it can be used, found out without running it at any cost."""
        ...

    def work(self, assignment: Assignment, place: Place) -> AsyncIterator[Step]:
        """Do *assignment* in *place*, yielding steps, last of all one Result."""
        ...
