"""What has moved since a plan was made: approval, task file, tree, tools, and the files it refers to."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from aca import __version__, parse, providers
from aca.errors import DriftError
from aca.plans import contract
from aca.plans.plan import Plan
from aca.plans.provenance import Contract
from aca.providers.about import is_program
from aca.sessions import session
from aca.workspaces import git, images
from aca.workspaces.git import GitError

FIELDS = ("approval", "source", "base_commit", "tools", "references")
"""What may have moved; ``--allow-drift`` takes each of them."""
_NAMED = 5
"""How many changed fields or files are named; the rest is counted."""


def present(plan: Plan, workspace: Path, used: Collection[str]) -> Contract:
    """Tree, tools, references as they are now. The plan's providers, *used*, are asked for their version."""
    references = {name: _digest(workspace / name) for name in _references(plan)}
    return Contract(base_commit=head(workspace), tools=_tools(plan, used), references=references)


def _references(plan: Plan) -> list[str]:
    """The files that tasks refer to. What is done needs none any more."""
    open_tasks = [task for task in plan.tasks if task.status != "completed"]
    return list(dict.fromkeys(name for task in open_tasks for name in task.file_refs))


def _digest(path: Path) -> str:
    """Empty where the file is not there or cannot be read: running the plan says so."""
    try:
        return session.digest(path.read_bytes())
    except OSError:
        return ""


def _tools(plan: Plan, used: Collection[str]) -> dict[str, str]:
    found = {"aca": __version__}
    for name in sorted(used):
        if (version := _version(plan, name)) is not None:
            found[name] = version
    return found | images.digests(plan, os.environ)


def _version(plan: Plan, name: str) -> str | None:
    given = plan.providers.get(name, {})
    if not is_program(name, given):
        return None
    there = providers.check(name, given)
    return there.detail if there.ok else None


# -- refusing -------------------------------------------------------------------------------------------


def refuse(plan: Plan, document: parse.Document, workspace: Path, allowed: Collection[str]) -> dict[str, str]:
    """What has moved since *plan*, which *document* holds, was made or approved, by field, with what to do.

    Raises DriftError, naming the fields, unless all of it is *allowed*.
    """
    found = {field: told for field, told in _moved(plan, document, workspace) if told}
    refused = [field for field in found if field not in allowed]
    if refused:
        raise DriftError(refused[0], "\n".join(found[field] for field in refused))
    return found


def _moved(plan: Plan, document: parse.Document, workspace: Path) -> Iterator[tuple[str, str]]:
    """(field, what has happened to it and what to do, if anything) of each of FIELDS."""
    file = Path(document.path)
    yield "approval", _of_approval(plan, document)
    yield "source", _of_source(plan, file, workspace)
    yield "base_commit", _of_tree(plan, file, workspace)
    yield "tools", _of_tools(plan)
    yield "references", _of_references(plan, file, workspace)


def _of_approval(plan: Plan, document: parse.Document) -> str:
    changed = contract.changes(plan)
    told = [
        str(document.problem(contract.place(plan, name), f"{name} is not what was approved"))
        for name in changed[:_NAMED]
    ]
    if more := len(changed) - len(told):
        told.append(f"{document.path}: and {more} more fields")
    cure = (
        f"look at it and approve it (aca plan approve {document.path}), or run it with --allow-drift approval"
    )
    return "\n".join([*told, f"   {cure}"]) if told else ""


def _of_source(plan: Plan, file: Path, workspace: Path) -> str:
    """A plan whose task file has changed is not what anybody wants to run now."""
    if plan.source is None:
        return ""
    path = workspace / plan.source.path
    if not path.is_file() or session.digest(path.read_bytes()) == plan.source.sha256:
        return ""
    return (
        f"{plan.source.path} has changed since {file} was made from it\n"
        f"   make the plan again (aca --task-file {plan.source.path} --dry-run --dump-plan "
        f"{file}), or run it as it is with --allow-drift source"
    )


def _of_tree(plan: Plan, file: Path, workspace: Path) -> str:
    base = plan.contract.base_commit if plan.contract else None
    if base is None or not (moved := _since(base, plan, file, workspace)):
        return ""
    return (
        f"{file} was made on commit {base[:12]} (contract.base_commit): {moved}\n"
        "   make or approve the plan again, or run it on this tree with --allow-drift base_commit"
    )


def _since(base: str, plan: Plan, file: Path, workspace: Path) -> str:
    """How the workspace's HEAD differs from *base*. To commit the plan or its task file moves nothing."""
    now = head(workspace)
    if now is None:
        return "there is no commit here to compare with"
    if now == base:
        return ""
    said = _asked(workspace, "diff", "--name-only", "--no-renames", "-z", "--relative", base, now)
    if said is None:
        return f"HEAD is {now[:12]} now, and that commit is not in this clone"
    own = {parse.relative(file, workspace), plan.source.path if plan.source else ""}
    names = [name for name in said.split("\0") if name and name not in own]
    return f"HEAD is {now[:12]} now, which changes {_listed(names)}" if names else ""


def _of_tools(plan: Plan) -> str:
    said = dict(plan.contract.tools) if plan.contract else {}
    here = {"aca": __version__, **images.digests(plan, os.environ)}
    now = {name: here.get(name) or _version(plan, name) for name in said}
    moved = [
        f"{name} {now[name]} instead of {said[name]}" for name in said if now[name] not in (None, said[name])
    ]
    if not moved:
        return ""
    return (
        f"other tools are here than the plan was made with (contract.tools): {', '.join(moved)}\n"
        "   make or approve the plan again, or run it with these with --allow-drift tools"
    )


def _of_references(plan: Plan, file: Path, workspace: Path) -> str:
    """What a task refers to is said to its agent: with another text it is another task."""
    said = plan.contract.references if plan.contract else {}
    if not said:
        return ""
    here = [name for name in _references(plan) if name in said]
    changed = [name for name in here if _digest(workspace / name) != said[name]]
    if not changed:
        return ""
    return (
        f"files that tasks refer to are not what they were when {file} was made (contract.references): "
        f"{_listed(changed)}\n"
        "   make or approve the plan again, or run it with them as they are with --allow-drift references"
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def refuse_unapproved(plan: Plan, file: Path, is_plan: bool) -> None:
    """Raise DriftError unless *plan*, as it will run, is what somebody has approved."""
    if not is_plan:
        cure = f"make a plan of it: aca --task-file {file} --dry-run --dump-plan plan.json, and approve that"
        raise DriftError("approval", f"{file} is a task file, and only a plan can be approved\n   {cure}")
    if plan.approval is None:
        raise DriftError("approval", f"{file} is not approved\n   read it, then: aca plan approve {file}")
    if changed := contract.changes(plan):
        cure = "options and ACA_* variables count: leave them out, or write them into the plan and approve it"
        message = f"what would run is not what was approved in {file}: {_listed(changed)}"
        raise DriftError("approval", f"{message}\n   {cure}")


# -- git ------------------------------------------------------------------------------------------------


def head(workspace: Path) -> str | None:
    """The commit that *workspace* is on; None outside of a repository, and before the first commit."""
    said = _asked(workspace, "rev-parse", "--verify", "--quiet", "HEAD")
    return None if said is None else said.strip()


def _asked(workspace: Path, *words: str) -> str | None:
    try:
        return git.git(*words, cwd=workspace)[1]
    except GitError:
        return None
