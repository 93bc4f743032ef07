"""From a file and what was said on top of it to a plan that can run: settings, validation, selection."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from aca import parse, user_state
from aca.attempts import rights
from aca.errors import InputError, Problem, did_you_mean
from aca.garbage import here_to_stay
from aca.plans import contract
from aca.plans.plan import Plan
from aca.plans.task import Task
from aca.preparation import assigned, config, drift
from aca.providers import choice as choice_of_provider
from aca.safety import secrets
from aca.sessions import session
from aca.workspaces import choice as choice_of_place

N = TypeVar("N")


class Request(msgspec.Struct, frozen=True):
    """What is to be planned: a file, and what the command line says on top of it.

    ``flags`` is a piece of plan; ``only`` and ``skip`` are task ids; ``allow_drift`` names fields of a
    plan that may have moved since it was made.
    """

    file: Path
    workspace: Path
    flags: Mapping[str, Any] = msgspec.field(default_factory=dict)
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    allow_drift: tuple[str, ...] = ()
    must_be_plan: bool = False
    require_approved: bool = False


class Prepared(msgspec.Struct, frozen=True):
    """A plan that can run, and where each of its settings came from."""

    plan: Plan
    settings: config.Merged
    note: str = ""
    """What was decided that nobody has said, for people."""
    moved: Mapping[str, str] = msgspec.field(default_factory=dict)
    """What has moved since the plan was made and was allowed to: its field, and what to tell people."""


def prepare(request: Request, environ: Mapping[str, str], document: parse.Document | None = None) -> Prepared:
    """Read the file, lay settings over each other, validate. Writes nothing, calls nobody.

    A *document* that was read already is taken instead of the file. Raises InputError with every problem
    found, and DriftError when something has moved since a plan was made or approved.
    """
    with here_to_stay():
        document = document or parse.read(request.file, base=request.workspace)
        if request.must_be_plan and not (document.is_plan or document.is_rust_plan):
            cure = f"for a task file write: aca --task-file {request.file}"
            raise InputError(Problem("this is not a plan: it has no format_version", cure, document.path))
        merged = _merge(document, request, environ)
        plan = parse.validate(merged.data, merged.problem, document.problems, assigned.faults)
        refuse_secrets(merged.data, merged.problem, environ)
    moved = _moved(document, plan, request) if document.is_plan else {}
    note = "" if document.is_plan else config.unread(request.workspace)
    prepared = _with_provider(Prepared(_select(plan, request.only, request.skip), merged, note))
    prepared = _with_workspace(prepared, request.workspace)
    if request.require_approved:
        drift.refuse_unapproved(prepared.plan, request.file, document.is_plan)
    return msgspec.structs.replace(prepared, plan=contract.renewed(prepared.plan), moved=moved)


def _moved(document: parse.Document, plan: Plan, request: Request) -> Mapping[str, str]:
    """Approved was the file, not what flags made of it."""
    reviewed = parse.validate(document.data, document.problem) if plan.approval else plan
    return drift.refuse(reviewed, document, request.workspace, request.allow_drift)


def settled(prepared: Prepared, workspace: Path) -> Prepared:
    """*prepared* with a contract, where it has none: tree and tools as they are, and what each task gets."""
    plan = prepared.plan
    if plan.contract is None:
        now = drift.present(plan, workspace, assigned.used_providers(plan))
        plan = contract.settled(plan, now)
    return msgspec.structs.replace(prepared, plan=plan)


def _with_workspace(prepared: Prepared, workspace: Path) -> Prepared:
    """*prepared* with worktrees for agents that would share a repository, where nothing is said of that."""
    prepared = _with_image(prepared, workspace)
    plan, note = choice_of_place.choose(prepared.plan, workspace)
    if plan is not prepared.plan:
        prepared.settings.layers[("defaults", "workspace")] = config.Layer("found here: a git repository", {})
    notes = filter(None, (prepared.note, note, choice_of_place.unheeded(plan)))
    return msgspec.structs.replace(prepared, plan=plan, note="\n".join(notes))


def _with_image(prepared: Prepared, workspace: Path) -> Prepared:
    """*prepared* with the Dockerfile that is here, for containers that nothing names an image for."""
    plan = choice_of_place.built(prepared.plan, workspace)
    if plan is not prepared.plan:
        prepared.settings.layers[("docker", "build")] = config.Layer("found here: a Dockerfile", {})
    return msgspec.structs.replace(prepared, plan=plan)


def provider_problems(prepared: Prepared, workspace: Path, *, ask: bool = True) -> list[Problem]:
    """What keeps the providers of a plan from doing it, found out without calling a model."""
    return assigned.problems(prepared.plan, prepared.settings, workspace, ask=ask)


def workspace_problems(prepared: Prepared, workspace: Path) -> list[Problem]:
    """What keeps the tasks of a plan from being done where it says."""
    found = [*choice_of_place.faults(prepared.plan, workspace), *rights.faults(prepared.plan, workspace)]
    told = [prepared.settings.problem(one.loc, one.message, one.cure, one.word) for one in found]
    return [*filter(None, [user_state.problem(os.environ)]), *told]


def _merge(document: parse.Document, request: Request, environ: Mapping[str, str]) -> config.Merged:
    """A plan is what was reviewed: only flags and environment change it. A task file takes settings."""
    below = [] if document.is_plan else config.file_layers(request.workspace, environ)
    layers = [*below, config.Layer("task file", document.data, document)]
    above = [*config.environment_layers(environ), *config.flag_layers(request.flags)]
    merged = config.merge([*layers, *above])
    _let_flags_decide(merged, above)
    _let_model_decide(merged, [*layers, *above])
    _append_prompt(merged, config.merge(layers).data, above)
    if not document.is_plan:
        parse.imply_mode(merged.data)
        parse.share_checks(merged.data)
        document.problems += _terms_in(merged)
        if document.has_file:
            merged.data["source"] = _source(request)
    return merged


def _let_flags_decide(merged: config.Merged, above: Sequence[config.Layer]) -> None:
    """``-j 3`` on a sequential plan means: in parallel, then. And a mode brings its own number along."""
    said = {key: layer for layer in above for key in _MODE_AND_NUMBER if key in layer.data}
    data, number = merged.data, merged.data.get("max_concurrent_tasks")
    if list(said) == ["max_concurrent_tasks"] and isinstance(number, int) and number > 1:
        if data.get("execution_mode", "sequential") == "sequential":
            data["execution_mode"] = "parallel"
            merged.layers[("execution_mode",)] = said["max_concurrent_tasks"]
    elif list(said) == ["execution_mode"] and (data["execution_mode"] == "sequential" or number == 1):
        data.pop("max_concurrent_tasks", None)
        merged.layers.pop(("max_concurrent_tasks",), None)
        parse.imply_mode(data)


def _let_model_decide(merged: config.Merged, layers: Sequence[config.Layer]) -> None:
    """One model, named nearer than models by complexity, is meant for simple and complex tasks alike."""
    for layer in reversed(layers):
        defaults = layer.data.get("defaults")
        said = {key for key in ("model", "models") if isinstance(defaults, Mapping) and defaults.get(key)}
        if said == {"model"}:
            merged.data["defaults"].pop("models", None)
        if said:
            return


_MODE_AND_NUMBER = ("execution_mode", "max_concurrent_tasks")


def _append_prompt(merged: config.Merged, below: Mapping[str, Any], above: Sequence[config.Layer]) -> None:
    """``--append-system-prompt`` adds to what the file says; all else that flags say replaces it."""
    written, defaults = below.get("defaults"), merged.data.get("defaults")
    is_given = any("system_prompt" in layer.data.get("defaults", {}) for layer in above)
    if is_given and isinstance(written, Mapping) and isinstance(defaults, dict):
        texts = (written.get("system_prompt"), defaults["system_prompt"])
        defaults["system_prompt"] = "\n\n".join(str(text) for text in texts if text)


def _terms_in(merged: config.Merged) -> Iterator[Problem]:
    """What aca writes into a plan cannot be said by task files and settings."""
    for key in ("planning", "contract", "approval"):
        if key in merged.data:
            yield merged.problem((key,), f'only a plan has "{key}"', "leave it out: aca writes it", key)


def _source(request: Request) -> dict[str, str]:
    data = request.file.read_bytes()
    return {"path": parse.relative(request.file, request.workspace), "sha256": session.digest(data)}


def refuse_secrets(
    data: Mapping[str, Any], problem: Callable[[parse.Loc, str, str], Problem], environ: Mapping[str, str]
) -> None:
    """Raise InputError where *data* holds a secret: plans are written down, sent around and committed."""
    found = []
    for loc, name in secrets.places(data, environ):
        told = problem(loc, f"this is the value of {name}, and a plan keeps no secrets", _REFER.format(name))
        found.append(replace(told, source=""))  # which would show it
    for loc, owner in secrets.lookalikes(data):
        told = problem(loc, f"this looks like a key of {owner}, and a plan keeps no secrets", _HAND_OVER)
        found.append(replace(told, source=""))
    if found:
        raise InputError(found)


_HAND_OVER = "take it out, and hand it over in the environment: pass_env lets a command have it"
_REFER = "take it out; where a command needs it, write ${}"


def _select(plan: Plan, only: Sequence[str], skip: Sequence[str]) -> Plan:
    """*plan* with everything that ``--only`` and ``--skip`` leave out marked as skipped."""
    if not (only or skip):
        return plan
    tasks = {task.id: task for task in plan.tasks}
    problems = [
        Problem(f'there is no task "{name}" ({flag})', did_you_mean(name, tasks))
        for flag, names in (("--only", only), ("--skip", skip))
        for name in names
        if name not in tasks
    ]
    if problems:
        raise InputError(problems)
    wanted = _needed(plan, only) if only else set(tasks)
    wanted -= _with_subtasks(plan, skip)
    return plan.model_copy(update={"tasks": tuple(_wanted(task, wanted) for task in plan.tasks)})


def _wanted(task: Task, wanted: set[str]) -> Task:
    if task.id in wanted or task.status != "pending":
        return task
    return task.model_copy(update={"status": "skipped"})


def _with_subtasks(plan: Plan, names: Sequence[str]) -> set[str]:
    """*names* and every task below them."""
    children = _children(plan)
    return _reach(names, lambda name: children.get(name, ()))


def _needed(plan: Plan, names: Sequence[str]) -> set[str]:
    """*names*, what is below them, and what all of these need, groups around them included."""
    tasks = {task.id: task for task in plan.tasks}
    children = _children(plan)

    def step(part: tuple[str, bool]) -> Iterator[tuple[str, bool]]:
        """A task is needed whole, or only as the group around one that is: then not all that is in it."""
        name, is_whole = part
        yield from ((needed, True) for needed in tasks[name].dependencies)
        yield from ((child, True) for child in children.get(name, ()) if is_whole)
        if (parent := tasks[name].parent_id) is not None:
            yield parent, False

    return {name for name, _ in _reach([(name, True) for name in names], step)}


def _children(plan: Plan) -> dict[str | None, list[str]]:
    children: dict[str | None, list[str]] = {}
    for task in plan.tasks:
        children.setdefault(task.parent_id, []).append(task.id)
    return children


def _reach(start: Sequence[N], step: Callable[[N], Iterable[N]]) -> set[N]:
    """Everything that can be come to from *start* by *step* after step."""
    found, queue = set(start), list(start)
    while queue:
        for name in step(queue.pop()):
            if name not in found:
                found.add(name)
                queue.append(name)
    return found


def settings(workspace: Path, environ: Mapping[str, str], *, but_providers: bool = False) -> Prepared:
    """What a task file gets that says nothing itself, as a plan without tasks. Raises InputError.

    With *but_providers* not for what is said of these, which whoever lists them looks at one by one.
    """
    layers = [*config.file_layers(workspace, environ), *config.environment_layers(environ)]
    merged = config.merge(layers)
    parse.imply_mode(merged.data)
    parse.share_checks(merged.data)
    look = () if but_providers else (assigned.faults,)
    prepared = Prepared(parse.validate(merged.data, merged.problem, (), *look), merged)
    return prepared if prepared.plan.defaults.provider else _chosen(prepared)


def effective(plan: Plan, overrides: Mapping[str, Any]) -> Plan:
    """*plan* with a resume's overrides (a piece of plan) laid over it."""
    if not overrides:
        return plan
    data = plan.model_dump(mode="json", by_alias=True, exclude={"tasks"})
    above = [config.Layer("command line", overrides)]
    layers = [config.Layer("plan", data), *above]
    merged = config.merge(layers)
    _let_flags_decide(merged, above)
    _let_model_decide(merged, layers)
    _append_prompt(merged, data, above)
    return Plan.model_validate(merged.data).model_copy(update={"tasks": plan.tasks})


# -- providers ----------------------------------------------------------------------------------------


def _with_provider(prepared: Prepared) -> Prepared:
    """*prepared* with a provider for the tasks that need one and name none, where one is here."""
    return _chosen(prepared) if assigned.without_provider(prepared.plan) else prepared


def _chosen(prepared: Prepared) -> Prepared:
    plan, merged = prepared.plan, prepared.settings
    if (found := choice_of_provider.choose(plan.providers)) is None:
        return prepared
    name, sign = found
    merged.layers[("defaults", "provider")] = config.Layer(f"found here: {sign}", {})
    defaults = plan.defaults.model_copy(update={"provider": name})
    told = f"agent tasks are for {name} ({sign}), as nothing says who does them: see aca providers"
    note = "\n".join(filter(None, (prepared.note, told)))
    return Prepared(plan.model_copy(update={"defaults": defaults}), merged, note)
