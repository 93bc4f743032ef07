"""``aca run`` and the root options: make a plan of a file and carry it out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aca.cli import carrying, shortened
from aca.cli import planning as planner
from aca.cli.options import Output, Planning, Selection, Settings, Workspace, takes
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.app import Prepared


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
    import os

    from aca import app
    from aca.workspaces import lifecycle

    carrying.check(output)
    planner.check(ctx, planning)
    screen = Screen(output)
    if selection.pull:
        if selection.dry_run:
            ctx.fail("--pull and --dry-run are one too many: a dry run changes nothing")
        screen.remark(lifecycle.pull(workspace))
    request = app.Request(
        file=file,
        workspace=workspace,
        flags=settings.flags(ctx),
        only=tuple(selection.only or ()),
        skip=tuple(selection.skip or ()),
        allow_drift=tuple(selection.allow_drift or ()),
        must_be_plan=must_be_plan,
        require_approved=selection.require_approved,
    )
    spelling = spelled(selection.dump_plan, file)
    planned = None
    if planning.use_intelligent_parser:
        planned = planner.have_planned(planning.wish(ctx), request, screen)
    prepared = planned.prepared if planned else app.prepare(request, os.environ)
    if spelling is not None or (selection.dry_run and output.json):
        prepared = app.settled(prepared, workspace)
    if selection.dump_plan is not None and spelling is not None:
        dump(prepared, selection.dump_plan, spelling, workspace)
    if prepared.note and not (output.quiet or output.jsonl):
        screen.remark(prepared.note)
    _warn(prepared, workspace, screen)
    if selection.dry_run:
        return show(prepared, workspace, screen)
    if planned and not planning.accept_commands:
        planner.review(planned, prepared, screen)
    carrying.check_record(output)
    one = app.start(prepared, workspace, screen.remark)
    del prepared, planned  # the session reads its own, and two large plans take much memory
    return carrying.carry_out(one, one.state(), screen)


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


def _warn(prepared: Prepared, workspace: Path, screen: Screen) -> None:
    """Of limits that the run may come to, before it costs anything."""
    from aca import app
    from aca.plans.settings import Limits
    from aca.report import estimates

    if prepared.plan.limits == Limits() or screen.output.quiet or screen.output.jsonl:
        return
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
