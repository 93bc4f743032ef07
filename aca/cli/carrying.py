"""Carry a session out, with the reporter that fits the terminal and the options."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from aca.cli.merge import merged
from aca.cli.options import Output
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.core.events import RunEnded
    from aca.core.state import SessionState
    from aca.report.base import Reporter
    from aca.sessions.session import Session


def check(output: Output) -> None:
    """Refuse options that exclude each other."""
    for one, other in (("json", "jsonl"), ("quiet", "verbose")):
        if getattr(output, one) and getattr(output, other):
            raise typer.BadParameter(f"--{one} and --{other} exclude each other")


def check_record(output: Output, session: str = "") -> None:
    """Refuse a file to record in that is not the record of *session*, "" being a new one."""
    if output.record is not None:
        from aca.providers.replaying.recording import refuse_other

        refuse_other(output.record, session)


def carry_out(
    one: Session,
    state: SessionState,
    screen: Screen,
    overrides: Mapping[str, Any] | None = None,
    *,
    failed: bool = False,
) -> int:
    """Run *one*, which stands at *state*, to its end, tell how it goes; returns the exit code."""
    from aca import app
    from aca.report.summary import start_line

    began = time.monotonic()
    if not (screen.output.jsonl or screen.output.quiet):
        screen.remark(start_line(state.plan, one))
    with reporter(one, state, screen) as watching:
        watchers = app.Watchers([watching], watching.step, watching.notice)
        ended = app.carry_out(one, watchers, overrides, failed=failed, record=screen.output.record)
    took, is_to_land = time.monotonic() - began, ended.exit_code == 0 and watching.state.plan.workspace.merge
    if is_to_land and screen.output.json:  # what a machine is told is how all of it ended
        ended = land(one, watching.state, ended, screen)
    _conclude(one, watching.state, ended, took, screen)
    if is_to_land and not screen.output.json:
        ended = land(one, watching.state, ended, screen)
    return ended.exit_code


def land(one: Session, state: SessionState, ended: RunEnded, screen: Screen) -> RunEnded:
    """Merge the work of a finished session; where that cannot be done it waits for a person to do it."""
    import msgspec

    from aca.errors import Exit, SessionError

    try:
        screen.remark(merged(one))
    except SessionError as error:
        screen.remark(str(error))
        if state.integrated:
            return msgspec.structs.replace(ended, exit_code=int(Exit.WAITING), reason=str(error))
    return ended


def reporter(one: Session, state: SessionState, screen: Screen) -> Reporter:
    """JSON lines where asked for, a live tree where there is a terminal, plain lines elsewhere."""
    from aca.report.base import Reporter
    from aca.report.jsonl import JsonLines
    from aca.report.lines import Lines

    output = screen.output
    if output.jsonl:
        return JsonLines(screen.result, state, one, screen.remark)
    if output.quiet:
        return Reporter(screen.remark, state)
    if screen.is_live and not output.verbose:
        from aca.report.live import LiveTree

        return LiveTree(screen.console(), state)
    return Lines(screen.remark, state, one.task_logs, verbose=output.verbose)


def _conclude(one: Session, state: SessionState, ended: RunEnded, took: float, screen: Screen) -> None:
    from aca.report import summary

    if screen.output.json:
        screen.document(summary.document(state, ended, one))
    elif screen.output.quiet:
        screen.result(summary.headline(state, ended, screen.marks))
    elif not screen.output.jsonl:
        screen.results(summary.summary(state, ended, one, took, screen.marks))
