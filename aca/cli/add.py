"""``aca add``: a person gives a session one more task, running or not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aca.cli.finding import SessionOption, find_session, find_task
from aca.cli.options import Workspace, takes
from aca.cli.person import refuse_tasks, who
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.core.state import SessionState

Texts = list[str] | None
_OF_AGENTS = ("ref", "provider", "model")
"""What would change nothing for a command."""


@dataclass(frozen=True)
class Said:
    """All that may be said of the task besides its title."""

    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="All there is to know.")
    ] = None
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Its id: what is there already is not added twice."),
    ] = None
    needs: Annotated[
        Texts, typer.Option("--needs", metavar="TASK", help="What must be done before it; repeatable.")
    ] = None
    under: Annotated[
        str | None, typer.Option("--under", metavar="GROUP", help="The group it becomes a part of.")
    ] = None
    check: Annotated[
        Texts, typer.Option("--check", metavar="COMMAND", help="Decides whether it is done; repeatable.")
    ] = None
    run: Annotated[
        str | None, typer.Option("--run", metavar="COMMAND", help="A command does it, and no agent.")
    ] = None
    priority: Annotated[
        str | None, typer.Option("--priority", metavar="N", help="0 to 10, or low, normal, high, critical.")
    ] = None
    ref: Annotated[
        Texts, typer.Option("--ref", metavar="FILE", help="A file its agent is to read; repeatable.")
    ] = None
    touches: Annotated[
        Texts, typer.Option("--touches", metavar="PATTERN", help="Files it will change; repeatable.")
    ] = None
    role: Annotated[str | None, typer.Option("--role", metavar="ROLE", help="A role of the plan.")] = None
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="P", help="Who does it, of those the plan uses.")
    ] = None
    model: Annotated[str | None, typer.Option("--model", metavar="M", help="The provider's model.")] = None

    def check_use(self, title: str) -> None:
        """Refuse options that would change nothing, and in a title what only task files say there."""
        from aca.parse.attributes import read_headline

        if written := read_headline(title, lambda _name: False).attributes:
            cure = "say it with options (--run, --check, --needs ...), or write `code` around what is none"
            told = ", ".join(attribute.key for attribute in written)
            raise typer.BadParameter(
                f"attributes are for task files, and this has {told}: {cure}", param_hint="TITLE"
            )
        for name in _OF_AGENTS if self.run is not None else ():
            if getattr(self, name):
                raise typer.BadParameter(f"--{name} is for an agent, and with --run a command does it")

    def data(self, title: str, state: SessionState) -> dict[str, Any]:
        """The task as a plan would say it; what is not said is left out."""
        said = {
            "title": title,
            "id": self.id,
            "description": self.description,
            "dependencies": [find_task(state, name) for name in self.needs or ()] or None,
            "parent_id": None if self.under is None else find_task(state, self.under),
            "checks": self.check or None,
            "kind": None if self.run is None else "command",
            "command": self.run,
            "priority": self.priority,
            "file_refs": self.ref or None,
            "touches": self.touches or None,
            "role": self.role,
            "provider": self.provider,
            "model": self.model,
        }
        return {key: value for key, value in said.items() if value is not None}


@takes(Said)
def add(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is to be done, in one line.")],
    said: Said,
    session: SessionOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Add a task to a session: a running one takes it up at once, others when they go on."""
    from aca.messaging import addition, delivery
    from aca.sessions.messages import Addition

    refuse_tasks("add tasks as its person would")
    said.check_use(title)
    one = find_session(workspace, session)
    task = addition.complete(one, said.data(title, one.state()), os.environ)
    if task is None:
        Screen().result(f"{said.id} is in session {one.id} already")
        return 0
    runner = one.runner()  # asked first: it may read this and be done before we look again
    is_read = delivery.tell(one, Addition(task, who(), keeps_id=said.id is not None))
    then = f"{runner} does it with the others" if is_read else "aca resume does it"
    Screen().result(f"{task['id']} is added to session {one.id}: {then}")
    return 0
