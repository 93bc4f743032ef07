"""What the user asked for: the plan and its parts, as frozen values.

One model serves the Markdown, TOML and JSON spellings; ``schemas/plan.schema.json`` is generated from
it. Validation happens once, at the edge (``aca.parse``); everywhere else these types are trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema

from aca.plans import output
from aca.plans.container import Container, Docker
from aca.plans.values import (
    NUMBER,
    WHOLE,
    Command,
    Duration,
    Model,
    Priority,
    Variables,
    Words,
    band,
    command_text,
)

FORMAT_VERSION = 1
SCHEMA_ID = "urn:aca:schema:plan:1"

Kind = Literal["agent", "command", "approval"]
Mode = Literal["sequential", "parallel", "intelligent"]
Permissions = Literal["read-only", "workspace-write", "full"]
Place = Literal["inplace", "worktree"]
Enforcement = Literal["auto", "require", "off"]
GivenStatus = Literal["pending", "completed", "skipped"]
OWN = "own"
PARENT, ROLE = "parent", "role"
"""With whom a task shares its conversation, where that is not with a task that is named."""
TOP = "."
"""The workspace itself, as a place to work in."""
REPLAY = "replay"
"""The provider that calls no model."""


def _named_check(value: object) -> object:
    """``"pytest -q"`` is short for ``{run = "pytest -q"}``."""
    return {"run": value} if isinstance(value, str | list | tuple) else value


def _checks(value: object) -> object:
    return [value] if isinstance(value, str | dict) else value


class Check(Model):
    """A command that decides whether a task is done; it runs outside the agent."""

    name: str = ""
    run: Command
    timeout: Annotated[Duration, Field(gt=0)] | None = None

    @property
    def title(self) -> str:
        return self.name or command_text(self.run)


_AnyCheck = str | tuple[str, ...] | Check
_NamedCheck = Annotated[Check, BeforeValidator(_named_check, json_schema_input_type=_AnyCheck)]
Checks = Annotated[
    tuple[_NamedCheck, ...],
    BeforeValidator(_checks, json_schema_input_type=str | Check | tuple[_AnyCheck, ...]),
]


Schema = Annotated[
    dict[str, JsonValue],
    AfterValidator(output.usable),
    WithJsonSchema({"type": ["object", "string"], "description": "a JSON Schema, or the path of one"}),
]
"""A JSON Schema in which an output can be asked for."""


def _way(word: str) -> str:
    provider, colon, model = word.partition(":")
    if not provider.strip() or (colon and not model.strip()):
        raise ValueError(f'"{word}" names nobody; write "provider" or "provider:model"')
    return word


Ways = Annotated[Words, AfterValidator(lambda words: tuple(map(_way, words)))]
"""Who may do a task in the place of another: ``provider`` or ``provider:model``."""


class Source(Model):
    """The task file a plan was made from."""

    path: str
    sha256: str


class Budget(Model):
    """Caps for a task with all that is below it, or for all tasks of a role."""

    max_cost_usd: Annotated[float, Field(gt=0), NUMBER] | None = None
    max_tokens: Annotated[int, Field(gt=0), WHOLE] | None = None
    max_duration: Annotated[Duration, Field(gt=0)] | None = None
    """Time in attempts, all together."""

    @property
    def is_set(self) -> bool:
        """Whether it limits anything."""
        return (self.max_cost_usd, self.max_tokens, self.max_duration) != (None, None, None)


class Limits(Budget):
    """Caps for the whole session (tokens, cost) or for one run of it (duration, retries)."""

    max_retries: Annotated[int, Field(ge=0), WHOLE] | None = None
    """Failures of a run that are tried again; None leaves the number to ``retries.budget``."""
    max_added_tasks: Annotated[int, Field(ge=0), WHOLE] = 1000
    """Tasks that agents may add to the plan while it runs; what a person adds is not counted."""


class Price(Model):
    """Of a model, in dollars per million tokens. What is not said of cached tokens is as for others."""

    input: Annotated[float, Field(ge=0), NUMBER]
    output: Annotated[float, Field(ge=0), NUMBER]
    cache_read: Annotated[float, Field(ge=0), NUMBER] | None = None
    cache_write: Annotated[float, Field(ge=0), NUMBER] | None = None


class Workspace(Model):
    """What a fresh worktree needs, what must hold of everything that was merged, and what is kept."""

    copies: Words = Field(default=(), alias="copy")
    """Files that git does not have, such as ``.env``: paths or patterns in the workspace."""
    setup: Command | None = None
    """Run once in every fresh worktree."""
    checks: Checks = ()
    """Run on the merged result before it counts."""
    port: int = Field(default=20000, ge=1024, le=64000)
    """``ACA_PORT`` is this plus ``ACA_SLOT``, a number below the number of tasks that run at once."""
    merge: bool = False
    """Merge into the branch that is checked out once every task is completed."""
    snapshots: bool = True
    """Keep what tasks change in place, so that it can be shown, restored and rolled back."""


class Protect(Model):
    """What agents may not do, whatever their permissions. Adds to the defaults (the reference has them); an
    entry with ``!`` in front takes the default of that name out."""

    paths: Words = ()
    """Files and directories that are not written to: a name anywhere, or a path from the workspace."""
    commands: Words = ()
    """Commands that are not run: a program and words behind it."""


def _off(value: object) -> object:
    """YAML reads ``off`` as false."""
    return "off" if value is False else value


class Sandbox(Model):
    """How permissions are kept from outside, whatever an agent tries."""

    mode: Annotated[Enforcement, BeforeValidator(_off)] = "auto"
    """``auto``: where bubblewrap can be used; ``require``: nothing runs where it cannot; ``off``: never."""
    writable: Words = ()
    """Directories besides the workspace that agents may write to, such as ``~/.npm``."""


class Models(Model):
    """Which model for which task, by ``estimated_complexity``: simple is 1 to 3, complex 8 to 10; what lies
    between or is not said is medium."""

    simple: str | None = None
    medium: str | None = None
    complex: str | None = None

    def fitting(self, complexity: int | None) -> str | None:
        """The model for a task of this complexity, where one is named."""
        return {"simple": self.simple, "medium": self.medium, "complex": self.complex}[band(complexity)]


class Rates(Model):
    """How fast and how far one account of a provider may be used. What is None is not limited by us."""

    requests_per_minute: Annotated[float, Field(gt=0), NUMBER] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0), NUMBER] | None = None
    burst_allowance: Annotated[int, Field(ge=1), WHOLE] | None = None
    """Requests that may start at once; None means as many as a second's worth."""
    backoff_multiplier: Annotated[float, Field(ge=1), NUMBER] | None = None
    """The pause before a call is made again grows by this."""
    max_backoff_seconds: Annotated[float, Field(gt=0), NUMBER] | None = None
    session_duration_minutes: Annotated[float, Field(gt=0), NUMBER] | None = None
    """How long the window lasts in which ``max_tokens_per_session`` may be used."""
    max_tokens_per_session: Annotated[int, Field(gt=0), WHOLE] | None = None


class RateLimiting(Rates):
    """The rates of every account, what is different for single providers, and what a closed window means."""

    backoff_multiplier: Annotated[float, Field(ge=1), NUMBER] = 2
    max_backoff_seconds: Annotated[float, Field(gt=0), NUMBER] = 60
    session_duration_minutes: Annotated[float, Field(gt=0), NUMBER] = 300
    on_quota: Literal["wait", "exit"] = "wait"
    """While no provider may be called for what is left: wait for it, or end the run with 75."""
    providers: dict[str, Rates] = Field(default_factory=dict)

    def of(self, provider: str) -> RateLimiting:
        """What holds for an account of *provider*."""
        own = self.providers.get(provider, Rates())
        return self.model_copy(update=own.model_dump(exclude_none=True))


class Role(Model):
    """A named agent profile. What it leaves open falls back to the plan's defaults."""

    system_prompt: str = ""
    provider: str | None = None
    model: str | None = None
    models: Models = Models()
    """By complexity, for tasks that name none; after ``model``."""
    fallback: Ways = ()
    permissions: Permissions | None = None
    limits: Budget = Budget()
    """For all its tasks together."""


class Defaults(Model):
    """What a task gets where neither it nor its role says otherwise."""

    provider: str | None = None
    model: str | None = None
    models: Models = Models()
    """By complexity, before ``model``."""
    fallback: Ways = ()
    """Who does it while the provider cannot be called: ``provider`` or ``provider:model``, in this order."""
    permissions: Permissions = "workspace-write"
    workspace: Place | None = None
    """None: worktrees where agents would share a repository, otherwise in place."""
    system_prompt: str = ""
    retries: Annotated[int, Field(ge=0, le=100), WHOLE] = 2
    """How often an agent task is tried again after a failure. A command is not, unless it says so."""
    retry_delay: Duration = 1.0
    """Pause before the second try; doubles with each further one, with jitter, up to a minute."""
    timeout: Annotated[Duration, Field(gt=0)] = 1800.0
    """One attempt's wall clock."""
    pass_env: Words = ()
    """Keys of model providers that commands, checks and tools find in their environment all the same."""
    conversation: Literal["own", "parent", "role"] = "own"
    """``parent``: the tasks of a group share one; ``role``: those of a role."""


class Logging(Model):
    """The log of aca itself, in ``execution_logs/system_logs/`` of the session."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    structured: bool = False
    """JSON lines instead of text."""


class Task(Model):
    """One node of the plan: work for an agent, a command, or a question to a person.

    A task with children is a group: its text is context for them and its checks run when they are done.
    """

    id: str
    title: str = Field(min_length=1)
    kind: Kind = "agent"
    description: str = ""
    context: str = ""
    """What the task file says above this task (headings and their prose); part of its prompt."""
    status: GivenStatus = "pending"
    parent_id: str | None = None
    dependencies: Words = ()
    priority: Priority = 5
    estimated_complexity: Annotated[int, Field(ge=1, le=10), WHOLE] | None = None
    repository_refs: Words = ()
    file_refs: Words = ()
    tags: Words = ()
    touches: Words = ()
    role: str | None = None
    provider: str | None = None
    model: str | None = None
    fallback: Ways = ()
    permissions: Permissions | None = None
    workspace: Place | None = None
    docker: bool | None = None
    """Whether it works in a container, where that is not as for the others."""
    conversation: str | None = None
    """``own``, ``parent``, ``role``, or the id of a task it needs, in whose conversation it goes on."""
    checks: Checks = ()
    output_schema: Schema | None = None
    """The task gives, besides what it does, a JSON object that fits this."""
    retries: Annotated[int, Field(ge=0, le=100), WHOLE] | None = None
    retry_delay: Duration | None = None
    timeout: Annotated[Duration, Field(gt=0)] | None = None
    limits: Budget = Budget()
    """For it and all that is below it."""
    command: Command | None = None
    backup: Command | None = None
    """Run instead when ``command`` fails."""
    on_failure: Literal["fail", "skip", "decompose"] = "fail"
    """``skip``: a failure does not stop what depends on this task. ``decompose``: an agent breaks it into
    smaller ones, or mends what failed before a command, or the checks of a group, run again."""
    cwd: str | None = None
    env: Variables = Field(default_factory=dict)
    pass_env: Words = ()


class Terms(Model):
    """What one task comes down to, whatever says so: itself, its role, the plan's defaults."""

    definition: str
    """sha256 of all that decides what the task does; its status does not."""
    provider: str | None = None
    model: str | None = None
    permissions: Permissions | None = None
    retries: int = 0
    timeout: Duration | None = None


class Contract(Model):
    """What a plan was made on and with, and what each of its tasks comes down to. Written by aca."""

    base_commit: Annotated[str, Field(pattern="^[0-9a-f]{4,64}$")] | None = None
    """HEAD of the git repository that the workspace is in."""
    tools: dict[str, str] = Field(default_factory=dict)
    """Versions of aca and of the agents that are programs, and what the images of containers are."""
    references: dict[str, str] = Field(default_factory=dict)
    """sha256 of each file that a task refers to, by its path: their text is said to agents."""
    tasks: dict[str, Terms] = Field(default_factory=dict)


class Approval(Model):
    """That a person has reviewed the plan, and what it was then. Written by ``aca plan approve``."""

    digest: str
    """sha256 of the whole plan, statuses left out, and of who approved it and when."""
    by: str
    at: str
    """UTC, as ISO 8601 has it."""
    comment: str = ""
    seal: dict[str, str] = Field(default_factory=dict)
    """The beginning of each field's hash, so that what has changed since can be named."""


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f'"{text}" is no time; write it like 2026-01-31T12:00:00Z') from None
    return text


class TokenUse(Model):
    """Tokens that went through a model, and dollars where somebody told them."""

    input_tokens: Annotated[int, Field(ge=0), WHOLE] = 0
    output_tokens: Annotated[int, Field(ge=0), WHOLE] = 0
    cache_read_tokens: Annotated[int, Field(ge=0), WHOLE] = 0
    cache_write_tokens: Annotated[int, Field(ge=0), WHOLE] = 0
    cost_usd: Annotated[float, Field(ge=0), NUMBER] | None = None


class PlanningCall(Model):
    """One call of a model that helped to make the plan. Written by aca."""

    by: str
    """The provider, and the model where one was named."""
    at: Annotated[str, AfterValidator(_moment)]
    """UTC, as ISO 8601 has it."""
    usage: TokenUse | None = None
    """None where nobody told."""
    estimated: bool = False
    """It was cut off, and this is what was reserved for it."""


class Plan(Model):
    """What will be done: tasks, dependencies, limits, roles. Reviewable, editable, and what runs."""

    schema_id: str = Field(default=SCHEMA_ID, alias="$schema")
    """What kind of file this is, or where an editor finds its schema: no part of what is agreed on."""
    format_version: Literal[1] = 1
    name: str = ""
    description: str = ""
    """Prose that is context for every task."""
    source: Source | None = None
    execution_mode: Mode = "sequential"
    max_concurrent_tasks: Annotated[int, Field(ge=1, le=1000), WHOLE] = 1
    fail_fast: bool = False
    cwd: str = TOP
    """Where tasks work, inside the workspace; made when missing."""
    checkpoint_interval: Annotated[Duration, Field(gt=0)] = 1800.0
    limits: Limits = Limits()
    workspace: Workspace = Workspace()
    sandbox: Sandbox = Sandbox()
    protect: Protect = Protect()
    trust_project_config: bool = False
    """Whether agents honour the settings and hooks that the repository brings for them."""
    docker: Docker = Docker()
    rate_limiting: RateLimiting = RateLimiting()
    defaults: Defaults = Defaults()
    roles: dict[str, Role] = Field(default_factory=dict)
    providers: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    """Options per provider; each provider documents and validates its own."""
    prices: dict[str, Price] = Field(default_factory=dict)
    """By model; before those that aca knows."""
    logging: Logging = Logging()
    tasks: tuple[Task, ...] = ()
    planning: tuple[PlanningCall, ...] = ()
    """What it took to have a model make it; it counts against the limits."""
    contract: Contract | None = None
    approval: Approval | None = None

    @cached_property
    def profiles(self) -> dict[tuple[Any, ...], Profile]:
        """What tasks get, by all that they say of it: few say anything of their own. See ``profile``."""
        return {}

    def __copy__(self) -> Self:
        """Copies are made to be changed: what was found out of the original may not hold for them."""
        copied = super().__copy__()
        copied.__dict__.pop("profiles", None)
        return copied


@dataclass(frozen=True)
class Profile:
    """What one task really gets, after role and defaults."""

    provider: str | None
    model: str | None
    fallback: tuple[str, ...]
    permissions: Permissions
    workspace: Place
    docker: Container | None
    system_prompt: str
    retries: int
    retry_delay: float
    timeout: float
    pass_env: frozenset[str]
    conversation: str


_NO_ROLE = Role()
_said = itemgetter(
    *("kind", "parent_id", "role", "provider", "model", "fallback", "permissions", "workspace", "docker"),
    *("conversation", "retries", "retry_delay", "timeout", "estimated_complexity", "pass_env"),
)
"""All of a task, as a table, that decides on its profile."""


def profile(plan: Plan, task: Task) -> Profile:
    """*task*'s settings: its own, then its role's, then the plan's defaults. Asked often, resolved once."""
    said = _said(vars(task))
    found = plan.profiles.get(said)
    if found is None:
        found = plan.profiles[said] = _resolved(plan, task)
    return found


def _resolved(plan: Plan, task: Task) -> Profile:
    """Whoever looks at more of the task here adds it to ``_said``."""
    role = plan.roles.get(task.role or "", _NO_ROLE)
    base = plan.defaults
    automatic = base.retries if task.kind == "agent" else 0
    return Profile(
        provider=task.provider or role.provider or base.provider,
        model=task.model or role.model or _model(role, base, task.estimated_complexity),
        fallback=task.fallback or role.fallback or base.fallback,
        permissions=task.permissions or role.permissions or base.permissions,
        workspace=task.workspace or base.workspace or "inplace",
        docker=plan.docker.container(task.docker, task.estimated_complexity),
        system_prompt="\n\n".join(filter(None, (role.system_prompt, base.system_prompt))),
        retries=automatic if task.retries is None else task.retries,
        retry_delay=base.retry_delay if task.retry_delay is None else task.retry_delay,
        timeout=base.timeout if task.timeout is None else task.timeout,
        pass_env=frozenset((*base.pass_env, *task.pass_env)),
        conversation=talks_with(plan, task),
    )


def _model(role: Role, base: Defaults, complexity: int | None) -> str | None:
    """The model for tasks that name none, and have no role that does."""
    return role.models.fitting(complexity) or base.models.fitting(complexity) or base.model


def talks_with(plan: Plan, task: Task) -> str:
    """Whose conversation *task* is in: its own word, else the plan's, if it has a parent or role to share."""
    if task.conversation is not None:
        return task.conversation
    shares = {PARENT: task.parent_id, ROLE: task.role}
    return plan.defaults.conversation if shares.get(plan.defaults.conversation) else OWN


def dump(plan: Plan) -> dict[str, Any]:
    """The plan as plain data in file order: all that governs the run, and of each task what is said of it."""
    data: dict[str, Any] = plan.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"tasks"}
    )
    data.update(
        {"$schema": plan.schema_id, "format_version": plan.format_version},
        execution_mode=plan.execution_mode,
        max_concurrent_tasks=plan.max_concurrent_tasks,
        defaults=_dump_defaults(plan.defaults),
        tasks=[_dump_task(task) for task in plan.tasks],
    )
    order = [field.alias or name for name, field in Plan.model_fields.items()]
    return {key: data[key] for key in order if key in data}


def _dump_defaults(defaults: Defaults) -> dict[str, Any]:
    """All that a task gets where nobody says: what is none or empty it does not get."""
    data = defaults.model_dump(mode="json", exclude_none=True)
    return {key: value for key, value in data.items() if value not in ({}, [])}


def _dump_task(task: Task) -> dict[str, Any]:
    data = task.model_dump(mode="json", exclude_defaults=True)
    data["kind"] = task.kind
    return {key: data[key] for key in Task.model_fields if key in data}
