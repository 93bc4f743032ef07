"""``aca add``: a person gives a session one more task, running or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aca.cli.finding import SessionOption, find_session, find_task
from aca.cli.options import Workspace
from aca.cli.person import refuse_tasks, who
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.state import SessionState

Texts = list[str] | None


def add(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is to be done, in one line.")],
    description: Annotated[
        str, typer.Option("--description", metavar="TEXT", show_default=False, help="All there is to know.")
    ] = "",
    needs: Annotated[
        Texts, typer.Option("--needs", metavar="TASK", help="What must be done before it; repeatable.")
    ] = None,
    under: Annotated[
        str | None, typer.Option("--under", metavar="GROUP", help="The group it becomes a part of.")
    ] = None,
    check: Annotated[
        Texts, typer.Option("--check", metavar="COMMAND", help="Decides whether it is done; repeatable.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="COMMAND", help="A command does it, and no agent.")
    ] = None,
    priority: Annotated[
        str | None, typer.Option("--priority", metavar="N", help="0 to 10, or low, normal, high, critical.")
    ] = None,
    ref: Annotated[
        Texts, typer.Option("--ref", metavar="FILE", help="A file its agent is to read; repeatable.")
    ] = None,
    touches: Annotated[
        Texts, typer.Option("--touches", metavar="PATTERN", help="Files it will change; repeatable.")
    ] = None,
    role: Annotated[str | None, typer.Option("--role", metavar="ROLE", help="A role of the plan.")] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="P", help="Who does it, of those the plan uses.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="M", help="The provider's model.")] = None,
    session: SessionOption = None,
    workspace: Workspace = Path(),
) -> int:
    """Add a task to a session: a running one takes it up at once, others when they go on."""
    from aca import addition, telling
    from aca.messages import Addition

    refuse_tasks("add tasks as its person would")
    one = find_session(workspace, session)
    state = one.state()
    said: dict[str, Any] = {
        "title": title,
        "description": description,
        "dependencies": [find_task(state, name) for name in needs or ()],
        "parent_id": _group(state, under),
        "checks": check,
        "kind": "command" if run else None,
        "command": run,
        "priority": priority,
        "file_refs": ref,
        "touches": touches,
        "role": role,
        "provider": provider,
        "model": model,
    }
    task = addition.complete(one, {key: value for key, value in said.items() if value}, os.environ)
    runner = one.runner()  # asked first: it may read this and be done before we look again
    is_read = telling.tell(one, Addition(task, who()))
    then = f"{runner} does it with the others" if is_read else "aca resume does it"
    Screen().result(f"{task['id']} is added to session {one.id}: {then}")
    return 0


def _group(state: SessionState, name: str | None) -> str | None:
    return find_task(state, name) if name else None
