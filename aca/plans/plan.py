"""What the user asked for: the plan, as a frozen value, and what each of its tasks gets by it.

One model serves the Markdown, TOML and JSON spellings; ``schemas/plan.schema.json`` is generated from
it. Validation happens once, at the edge (``aca.parse``); everywhere else these types are trusted.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from operator import itemgetter
from typing import Annotated, Any, Literal, Self

import msgspec
from pydantic import Field, JsonValue

from aca.plans.container import Container, Docker
from aca.plans.provenance import Approval, Contract, PlanningCall, Source
from aca.plans.settings import (
    Defaults,
    Limits,
    Logging,
    Permissions,
    Place,
    Price,
    Protect,
    RateLimiting,
    Role,
    Sandbox,
    Workspace,
)
from aca.plans.task import OWN, PARENT, ROLE, Task
from aca.plans.values import WHOLE, Duration, Model

FORMAT_VERSION = 1
SCHEMA_ID = "urn:aca:schema:plan:1"

Mode = Literal["sequential", "parallel", "intelligent"]
TOP = "."
"""The workspace itself, as a place to work in."""
REPLAY = "replay"
"""The provider that calls no model."""


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
    def profiles(self) -> "dict[tuple[Any, ...], Profile]":
        """What tasks get, by all that they say of it: few say anything of their own. See ``profile``."""
        return {}

    @cached_property
    def alike(self) -> "list[Alike]":
        """The tasks, those together of which the same is said and to be done."""
        found: defaultdict[tuple[Any, ...], dict[int, Task]] = defaultdict(dict)
        for place, task in enumerate(self.tasks):
            found[_said_and_done(vars(task))][place] = task
        firsts = [next(iter(tasks.values())) for tasks in found.values()]
        return [
            Alike(one, profile(self, one), tasks) for one, tasks in zip(firsts, found.values(), strict=True)
        ]

    @cached_property
    def groups(self) -> frozenset[str]:
        """The ids of tasks that have others in them."""
        return frozenset(task.parent_id for task in self.tasks if task.parent_id is not None)

    def __copy__(self) -> Self:
        """Copies are made to be changed: what was found out of the original may not hold for them."""
        copied = super().__copy__()
        for found in ("profiles", "alike", "groups"):
            copied.__dict__.pop(found, None)
        return copied


class Profile(msgspec.Struct, frozen=True):
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


class Alike(msgspec.Struct, frozen=True):
    """Tasks that get the same, are of one kind and equally far: what is asked of one is asked of all."""

    one: Task
    """The first of them."""
    gets: Profile
    tasks: Mapping[int, Task]
    """By their places in the plan."""


_NO_ROLE = Role()
_DECISIVE = (
    *("kind", "parent_id", "role", "provider", "model", "fallback", "permissions", "workspace", "docker"),
    *("conversation", "retries", "retry_delay", "timeout", "estimated_complexity", "pass_env"),
)
_said = itemgetter(*_DECISIVE)
"""All of a task, as a table, that decides on its profile."""
_said_and_done = itemgetter(*_DECISIVE, "status", "on_failure")
"""The same, with what decides on whether anybody has to do it."""


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
