"""One task, as the user says it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from aca.plans import output
from aca.plans.check import Checks
from aca.plans.settings import Budget, Permissions, Place, Ways
from aca.plans.values import WHOLE, Command, Duration, Model, Priority, Variables, Words

Kind = Literal["agent", "command", "approval"]
GivenStatus = Literal["pending", "completed", "skipped"]
OWN = "own"
PARENT, ROLE = "parent", "role"
"""With whom a task shares its conversation, where that is not with a task that is named."""
Schema = Annotated[
    dict[str, JsonValue],
    AfterValidator(output.usable),
    WithJsonSchema({"type": ["object", "string"], "description": "a JSON Schema, or the path of one"}),
]
"""A JSON Schema in which an output can be asked for."""


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
