"""What holds for all tasks of a plan: limits, permissions, roles, defaults. ``aca.toml`` says the same."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from aca.plans.check import Checks
from aca.plans.values import NUMBER, WHOLE, Command, Duration, Model, Words, band

Permissions = Literal["read-only", "workspace-write", "full"]
Place = Literal["inplace", "worktree"]
Enforcement = Literal["auto", "require", "off"]


def _way(word: str) -> str:
    provider, colon, model = word.partition(":")
    if not provider.strip() or (colon and not model.strip()):
        raise ValueError(f'"{word}" names nobody; write "provider" or "provider:model"')
    return word


Ways = Annotated[Words, AfterValidator(lambda words: tuple(map(_way, words)))]
"""Who may do a task in the place of another: ``provider`` or ``provider:model``."""


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

    def of(self, provider: str) -> "RateLimiting":
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
