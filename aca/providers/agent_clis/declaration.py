"""The declaration of an agent CLI: how it is called, and what its output means.

    [providers.gemini]
    kind = "cli"
    command = ["gemini", "-o", "stream-json", ["--model", "{model}"], ["--resume", "{conversation}"]]
    text = {when = {type = "message", role = "assistant"}, take = "content"}
    done = {when = {type = "result", status = "success"}}

``when`` says which events are meant: each path has one of the values given, ``"*"`` is any value. A path
is keys and numbers with dots between them, ``item.changes.*.path``; ``*`` is every element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from aca.core.events import Category
from aca.plans.settings import Permissions
from aca.plans.values import Duration, Model

Scalar = str | int | float | bool
Meaning = Category | Literal["denied", "quota", "lost"]
ANY = "*"
PLACEHOLDERS = (
    *("model", "system_prompt", "conversation", "prompt", "prompt_file", "output_schema", "permissions"),
)
_PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_NAME = re.compile(r"\{([a-z_]+)\}")


def _list(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _rights(value: object) -> object:
    return {"arguments": value} if isinstance(value, list | tuple) else value


Values = Annotated[tuple[Scalar, ...], BeforeValidator(_list)]
Regex = Annotated[str, Field(min_length=1)]


class Pattern(Model):
    """Which events are meant. Without ``when``, all that have what is to be taken."""

    when: dict[str, Values] = Field(default_factory=dict)

    def fits(self, event: object) -> bool:
        return all(_is_one_of(find(event, path), values) for path, values in self.when.items())


class Taking(Pattern):
    """``take`` is the path of what is wanted."""

    take: str


class Text(Taking):
    """What the agent says; its last word is its result."""

    pieces: bool = False
    """The events have pieces of one text, not a text each."""


class Tool(Pattern):
    """The use of a tool: paths of its name, of a detail (the first there is), and of what went wrong."""

    name: str
    detail: Annotated[tuple[str, ...], BeforeValidator(_list)] = ()
    error: str = ""


class Changes(Taking):
    """Files that were changed: ``take`` their paths, ``kind`` what was done to each."""

    kind: str = ""


class Tokens(Pattern):
    """What was used of a model: paths of numbers."""

    input: str
    output: str
    cache_read: str = ""
    cache_write: str = ""
    cost_usd: str = ""
    input_includes_cached: bool = False
    counts: Literal["run", "step", "conversation"] = "run"
    """What a number counts: the whole run, a step of it (they add up), or all of the conversation."""


class Rights(Model):
    """How the program is told what it may do."""

    arguments: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)


class ProjectConfig(Rights):
    """How the program is kept from settings that a repository brings for it."""

    files: Annotated[tuple[str, ...], BeforeValidator(_list)] = ()
    """Files and directories of the repository that a sandbox shows as empty, where nothing else helps."""


class Sign(Model):
    """What a text means that stands in the reason of a failure or on stderr."""

    text: Regex
    """A regular expression; upper and lower case are the same."""
    means: Meaning
    tool: str = "a tool"
    """Which tool, where it means that one was denied; ``\\1`` is the first group of ``text``."""
    cure: str = ""

    @model_validator(mode="after")
    def _is_sound(self) -> Sign:
        try:
            empty = re.compile(f"{self.text}|").match("")
            assert empty is not None
            empty.expand(self.tool)
        except re.error as error:
            raise ValueError(f"not a regular expression, or no such group in it: {error}") from None
        return self

    def fits(self, text: str) -> bool:
        return re.search(self.text, text, re.IGNORECASE) is not None

    def tools(self, text: str) -> list[str]:
        """The tools that were denied, as *text* tells it."""
        return [found.expand(self.tool) for found in re.finditer(self.text, text, re.IGNORECASE)]


Texts = Annotated[tuple[Text, ...], BeforeValidator(_list)]
Takings = Annotated[tuple[Taking, ...], BeforeValidator(_list)]
Tools = Annotated[tuple[Tool, ...], BeforeValidator(_list)]
READERS = ("text", "conversation", "tool", "changed", "usage", "done", "failure", "denied", "waiting")
Word = str | tuple[str, ...]


class Declaration(Model):
    """``providers.<name>`` of a plan, for an agent CLI that aca does not know by itself."""

    kind: Literal["cli"] = "cli"
    command: Annotated[tuple[Word, ...], Field(min_length=1)]
    """The program and its arguments. What stands in a list of its own is left out as a whole where one of
    its placeholders has no value."""
    permissions: dict[Permissions, Annotated[Rights, BeforeValidator(_rights)]] = Field(default_factory=dict)
    """Arguments for each kind of permission; they go where ``{permissions}`` is, or to the end."""
    state: Annotated[tuple[str, ...], BeforeValidator(_list)] = ()
    """Its own directories, ``~/.agent`` or ``$AGENT_HOME``: in a sandbox it may write there, too."""
    settings: Annotated[tuple[str, ...], BeforeValidator(_list)] = ()
    """What in these it may not write to: settings that would hold for whoever runs it next."""
    is_sandboxed: bool = False
    """It puts a sandbox of its own around what it runs, so that it needs, and bears, none of aca's."""
    project_config: ProjectConfig = ProjectConfig()
    model: str | None = None
    """For tasks that name none."""
    needs_env: Annotated[tuple[str, ...], BeforeValidator(_list)] = ()
    """Variables that must be set."""
    install: str = ""
    """How to get the program, for people who lack it."""
    version: tuple[str, ...] = ("--version",)
    """Arguments that make the program print its version and do nothing else."""
    idle_timeout: Duration = Field(default=600.0, gt=0)
    """How long it may print nothing before it is stopped and tried again."""
    output: Literal["jsonl", "json", "text"] = "jsonl"
    exit_codes: dict[str, Meaning] = Field(default_factory=dict)
    """What an exit code means; of others all but 0 are failures where no ``done`` was seen."""
    text: Texts = ()
    conversation: Takings = ()
    tool: Tools = ()
    changed: Changes | None = None
    usage: Tokens | None = None
    done: Pattern | None = None
    """The event that says that all went well. Where it is declared, nothing is a success without it."""
    failure: Takings = ()
    denied: Takings = ()
    waiting: Takings = ()
    """Events that are no sign of life: it only says that it waits for something."""
    signs: tuple[Sign, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> Declaration:
        given = [name for name in READERS if getattr(self, name)]
        if self.output == "text" and given:
            raise ValueError(f'{given[0]} reads JSON, and output is "text"')
        if self.output != "text" and not self.text:
            raise ValueError("text is missing: where in its output is what the agent says?")
        for word in self._words():
            if (name := _NAME.fullmatch(word)) and name[1] not in PLACEHOLDERS:
                near = get_close_matches(name[1], PLACEHOLDERS, n=1)
                raise ValueError(f"there is no {word}; there are {{{'}, {'.join(near or PLACEHOLDERS)}}}")
        return self

    def takes(self, placeholder: str) -> bool:
        """Whether the command has a place for it."""
        return any(f"{{{placeholder}}}" in word for word in self._words())

    def argv(
        self, permissions: Permissions, values: Mapping[str, str | None], trusted: bool = False
    ) -> list[str]:
        """The command with *values* in place of placeholders; the repository's settings may be *trusted*."""
        more = self.permissions[permissions].arguments
        more = more if trusted else (*more, *self.project_config.arguments)
        command = self.command if self.takes("permissions") else (*self.command, "{permissions}")
        argv: list[str] = []
        for part in command:
            words = _filled((part,) if isinstance(part, str) else part, {**values, "permissions": ""})
            argv += [one for word in words for one in (more if word is None else (word,))]
        return argv

    def _words(self) -> Iterable[str]:
        for part in self.command:
            yield from (part,) if isinstance(part, str) else part


def _filled(words: Iterable[str], values: Mapping[str, str | None]) -> list[str | None]:
    """*words* with their placeholders filled, none of them where one has no value.

    None stands for the arguments of the permissions, which are several.
    """
    names = {name for word in words for name in _PLACEHOLDER.findall(word)}
    if any(values.get(name) is None for name in names):
        return []
    return [
        None if word == "{permissions}" else _PLACEHOLDER.sub(lambda found: str(values[found[1]]), word)
        for word in words
    ]


def find(event: object, path: str) -> list[Any]:
    """All that stands at *path* of *event*; null is nothing."""
    found = [event]
    for part in path.split("."):
        found = [inner for one in found for inner in _inner(one, part)]
    return [one for one in found if one is not None]


def _inner(value: object, part: str) -> Iterable[object]:
    if isinstance(value, list):
        if part == ANY:
            return value
        return value[int(part) : int(part) + 1] if part.isdigit() else ()
    return (value[part],) if isinstance(value, dict) and part in value else ()


def _is_one_of(found: list[Any], values: Values) -> bool:
    return any(one in values or ANY in values for one in found)
