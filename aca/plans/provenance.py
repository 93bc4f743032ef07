"""Where a plan comes from: its task file, what it was made on, who approved it. Written by aca."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from aca.plans.settings import Permissions
from aca.plans.values import NUMBER, WHOLE, Duration, Model


class Source(Model):
    """The task file a plan was made from."""

    path: str
    sha256: str


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
