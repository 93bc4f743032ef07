"""``aca run`` and the root options: make a plan of a file and carry it out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aca.cli import carrying, shortened
from aca.cli import planning as planner
from aca.cli.options import Output, Planning, Selection, Settings, Workspace, takes
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.app import Prepared, Request
    from aca.planner import Planned


@takes(Settings, Selection, Planning, Output)
def run(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A task file or a plan; its content tells which.")
    ],
    settings: Settings,
    selection: Selection,
    planning: Planning,
    output: Output,
    workspace: Workspace = Path(),
) -> int:
    """Run a task file or a plan."""
    return start(ctx, file, False, settings, selection, planning, workspace, output)


def start(
    ctx: typer.Context,
    file: Path,
    must_be_plan: bool,
    settings: Settings,
    selection: Selection,
    planning: Planning,
    workspace: Path,
    output: Output,
) -> int:
    """Plan *file*, then print the plan, write it or run it, as the options say."""
    from aca import app

    _refuse_contradictions(ctx, selection, planning, output)
    spelling = spelled(selection.dump_plan, file)
    screen = Screen(output)
    request = _request(ctx, file, must_be_plan, settings, selection, workspace)
    prepared, planned = _prepared(ctx, request, selection, planning, screen)
    if spelling is not None or (selection.dry_run and output.json):
        prepared = app.settled(prepared, workspace)
    if selection.dump_plan is not None and spelling is not None:
        dump(prepared, selection.dump_plan, spelling, workspace)
    _remark(prepared, workspace, screen)
    if selection.dry_run:
        return show(prepared, workspace, screen)
    if planned and not planning.accept_commands:
        planner.review(planned, prepared, screen)
    carrying.check_record(output)
    one = app.start(prepared, workspace, screen.remark)
    del prepared, planned  # the session reads its own, and two large plans take much memory
    return carrying.carry_out(one, one.state(), screen)


def _refuse_contradictions(
    ctx: typer.Context, selection: Selection, planning: Planning, output: Output
) -> None:
    carrying.check(output)
    planner.check(ctx, planning)
    if selection.pull and selection.dry_run:
        ctx.fail("--pull and --dry-run are one too many: a dry run changes nothing")


def _request(
    ctx: typer.Context,
    file: Path,
    must_be_plan: bool,
    settings: Settings,
    selection: Selection,
    workspace: Path,
) -> Request:
    from aca import app

    return app.Request(
        file=file,
        workspace=workspace,
        flags=settings.flags(ctx),
        only=tuple(selection.only or ()),
        skip=tuple(selection.skip or ()),
        allow_drift=tuple(selection.allow_drift or ()),
        must_be_plan=must_be_plan,
        require_approved=selection.require_approved,
    )


def _prepared(
    ctx: typer.Context, request: Request, selection: Selection, planning: Planning, screen: Screen
) -> tuple[Prepared, Planned | None]:
    """The plan, of the newest state of the branch where that is asked; and what a model did for it."""
    from aca import app
    from aca.workspaces import lifecycle

    if selection.pull:
        screen.remark(lifecycle.pull(request.workspace))
    if not planning.use_intelligent_parser:
        return app.prepare(request, os.environ), None
    planned = planner.have_planned(planning.wish(ctx), request, screen)
    return planned.prepared, planned


def spelled(path: Path | None, file: Path, option: str = "--dump-plan") -> Literal["json", "toml"] | None:
    """How the plan is to be written; everything that speaks against it is said before anything is done."""
    if path is None:
        return None
    if path.suffix not in (".json", ".toml"):
        raise typer.BadParameter(f"{path}: a plan is written to .json or .toml", param_hint=option)
    if path.exists() and file.exists() and path.samefile(file):
        raise typer.BadParameter(f"{path} is the file the plan is made from", param_hint=option)
    if not path.parent.is_dir():
        raise typer.BadParameter(f"the directory {path.parent} does not exist", param_hint=option)
    return "json" if path.suffix == ".json" else "toml"


def dump(prepared: Prepared, path: Path, spelling: Literal["json", "toml"], workspace: Path) -> None:
    """Write the plan to *path*, whole or not at all; the schema to which it refers is there before."""
    from aca import parse
    from aca.preparation import schemas
    from aca.sessions import journal

    plan = schemas.for_editors(prepared.plan, path, workspace)
    journal.write_aside(path, parse.dump_text(plan, spelling).encode())


def _remark(prepared: Prepared, workspace: Path, screen: Screen) -> None:
    """Say what was decided that nobody has said, and which limits the run may come to."""
    from aca import app
    from aca.plans.settings import Limits
    from aca.report import estimates

    if screen.output.quiet or screen.output.jsonl:
        return
    if prepared.note:
        screen.remark(prepared.note)
    if prepared.plan.limits != Limits():
        for warning in estimates.warnings(prepared.plan, app.estimated(prepared.plan, workspace)):
            screen.remark(warning)


def show(prepared: Prepared, workspace: Path, screen: Screen) -> int:
    """What would run, on stdout; what would keep it from running, on stderr."""
    from aca import app, parse
    from aca.report import tree

    for problem in app.problems(prepared, workspace):
        screen.remark(shortened(f"warning: {problem}"))
    if screen.output.json:
        screen.result(parse.dump_text(prepared.plan, "json").rstrip("\n"))
    else:
        found = app.estimated(prepared.plan, workspace)
        screen.results(tree.outline(prepared.plan, screen.marks, found))
    return 0
