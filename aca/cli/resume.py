"""``aca resume``: go on with a session, or from one of its checkpoints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aca.cli import carrying
from aca.cli.options import Output, Settings, Workspace, takes
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.sessions.resumption import Resumption


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
    roll_back: Annotated[
        bool | None,
        typer.Option(
            "--roll-back/--keep-files",
            show_default=False,
            help="From an older checkpoint on: have files be as they were then, or leave them as they are. "
            "Default: as they were then, unless you have changed them since.",
        ),
    ] = None,
    workspace: Workspace = Path(),
) -> int:
    """Go on where a session stopped. An older checkpoint becomes a session of its own."""
    from aca.sessions import resumption

    carrying.check(output)
    screen = Screen(output)
    found = resumption.to_resume(workspace, name, failed)
    if not found.state.unfinished():
        _remove_left_trees(workspace)
        return _nothing_to_do(found, screen, settings.flags().get("workspace", {}).get("merge", False))
    from aca import app  # last: with it comes all that carries a plan out

    carrying.check_record(output, "" if found.until is not None else found.origin.id)
    one = app.go_on(found, settings.flags(), screen.remark, roll_back)
    return carrying.carry_out(one, found.state, screen, settings.flags(), failed=failed)


def _remove_left_trees(workspace: Path) -> None:
    """Those of a run that was killed at its very end."""
    from aca import user_state

    if user_state.worktrees(workspace, os.environ).is_dir():
        from aca.workspaces import lifecycle  # here, for this is seldom so

        lifecycle.reap(workspace)


def _nothing_to_do(found: Resumption, screen: Screen, is_to_be_merged: bool) -> int:
    """Say so, with the exit code the session ended with, or that of the merge which is asked for."""
    from aca.core.events import RunEnded
    from aca.rules.verdict import verdict

    one, state = found.origin, found.state
    code, reason = verdict(state)
    ended = RunEnded(exit_code=int(code), reason=reason)
    is_to_be_merged = is_to_be_merged and code == 0
    if is_to_be_merged and screen.output.json:
        ended = carrying.land(one, state, ended, screen)
    if screen.output.jsonl:
        from aca.report.jsonl import JsonLines

        with JsonLines(screen.result, state, one, screen.remark) as lines:
            lines.ended = ended
    elif screen.output.json:
        from aca.report.summary import document

        screen.document(document(state, ended, one))
    else:
        cure = "\n   aca resume --failed tries the failed ones again" if state.failed() else ""
        screen.result(f"nothing to do in session {one.id}: {reason}{cure}")
    if is_to_be_merged and not screen.output.json:
        ended = carrying.land(one, state, ended, screen)
    return ended.exit_code
