"""``aca resume``: go on with a session, or from one of its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aca.cli import carrying
from aca.cli.options import Output, Settings, Workspace, takes
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.session import Session
    from aca.state import SessionState


@takes(Settings, Output)
def resume(
    settings: Settings,
    output: Output,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="SESSION|CHECKPOINT",
            help="A session, a checkpoint's name, or SESSION:NUMBER; default: the newest unfinished session.",
        ),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Try again what failed, and what was skipped because of that.")
    ] = False,
    workspace: Workspace = Path(),
) -> int:
    """Go on where a session stopped. An older checkpoint becomes a session of its own."""
    from aca import app

    carrying.check(output)
    screen = Screen(output)
    one = app.to_resume(workspace, name, failed)
    if failed:
        app.reopen_failed(one)
    state = one.state()
    if not state.unfinished():
        return _nothing_to_do(one, state, screen)
    app.refuse_unfit(one, state, settings.flags())
    return carrying.carry_out(one, screen, settings.flags())


def _nothing_to_do(one: Session, state: SessionState, screen: Screen) -> int:
    """Say so, with the exit code the session ended with."""
    from aca.state import verdict

    code, reason = verdict(state)
    cure = "\n   aca resume --failed tries the failed ones again" if state.failed() else ""
    if screen.output.json or screen.output.jsonl:
        screen.result(_as_json(one, code, reason))
    else:
        screen.result(f"nothing to do in session {one.id}: {reason}{cure}")
    return code


def _as_json(one: Session, code: int, reason: str) -> str:
    import json

    done: dict[str, Any] = {"type": "done", "exit_code": code, "reason": reason, "session": one.id}
    return json.dumps(done)
