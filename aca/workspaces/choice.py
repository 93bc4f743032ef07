"""Which workspace a plan gets that names none, and what speaks against the one it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aca.plans.faults import Fault, stays_inside
from aca.plans.plan import Plan, profile
from aca.plans.settings import Place
from aca.plans.task import Task
from aca.workspaces import git, repository
from aca.workspaces.repository import Repository

_TAKEN = "refs/heads/aca"
DOCKERFILE = "Dockerfile"
_COMMIT = "`git init && git add -A && git commit`"


def choose(plan: Plan, workspace: Path) -> tuple[Plan, str]:
    """*plan* with worktrees where agents would share a repository, and what to tell of that.

    Where git ignores the directory the plan works in, nothing done there could be merged: it stays in place.
    """
    if plan.defaults.workspace is not None or _at_once(plan) < 2:
        return plan, ""
    if sum(task.workspace is None for task in _agents(plan)) < 2:
        return plan, ""
    here = repository.find(workspace)
    if here is None or not git.is_new_enough() or here.ignores(plan.cwd):
        return plan, _told_of_refusal(sharing(plan), workspace)
    defaults = plan.defaults.model_copy(update={"workspace": "worktree"})
    return plan.model_copy(update={"defaults": defaults}), _told(here)


def built(plan: Plan, workspace: Path) -> Plan:
    """*plan* with the workspace's own Dockerfile for containers of which it names no image."""
    docker = plan.docker
    if docker.image or docker.build or not uses_containers(plan) or not (workspace / DOCKERFILE).is_file():
        return plan
    return plan.model_copy(update={"docker": docker.model_copy(update={"build": DOCKERFILE})})


def _told_of_refusal(note: str, workspace: Path) -> str:
    """*note*, and why the repository that is there was not used where git refuses it."""
    why, cure = repository.refusal(workspace)
    return f"{note}\n   git refuses the repository that is here: {why}\n   {cure}".rstrip() if why else note


def _told(here: Repository) -> str:
    note = "each task works in a git worktree of its own, as several agents run at once"
    return f"{note}\n   what you have not committed is not in them" if here.is_dirty() else note


def sharing(plan: Plan) -> str:
    """What to tell where agents work in one directory at once and not all of them say what they touch."""
    agents = [task for task in _agents(plan) if profile(plan, task).workspace == "inplace"]
    if _at_once(plan) < 2 or len(agents) < 2 or all(task.touches for task in agents):
        return ""
    cure = (
        "-j 1 runs one at a time, touches keeps apart what meets, and in a git repository each has a worktree"
    )
    return f"several agents work in this directory at once and may change the same files\n   {cure}"


def unheeded(plan: Plan) -> str:
    """What to tell where the plan says something of worktrees and no task works in one."""
    said = plan.workspace
    parts = {"workspace.copy": said.copies, "workspace.setup": said.setup, "workspace.checks": said.checks}
    names = ", ".join(name for name, value in parts.items() if value)
    if not names or uses(plan, "worktree") or not uses(plan, "inplace"):
        return ""
    return f'{names}: without effect, as all tasks work in place\n   with workspace = "worktree" it has one'


def uses(plan: Plan, kind: Place) -> bool:
    """Whether some task that is to be done works in such a place."""
    return any(some.gets.workspace == kind for some in plan.alike if _is_to_do(some.one))


def uses_containers(plan: Plan) -> bool:
    """Whether some task that is to be done works in a container, or may come to."""
    return plan.docker.is_on or any(some.one.docker for some in plan.alike if _is_to_do(some.one))


def lacking(workspace: Path) -> tuple[str, str] | None:
    """What keeps worktrees from being made here, and its cure; None where nothing does."""
    if not git.is_new_enough():
        return git.TOO_OLD, "install it"
    if (here := repository.find(workspace)) is None:
        why, cure = repository.refusal(workspace)
        if why:
            return f"git refuses the repository that {workspace} is in: {why}", cure
        return f"{workspace} is in no git repository with a commit", f"{_COMMIT} makes one"
    if _TAKEN in here.refs(_TAKEN):
        why = "a branch is called aca, and there can be no branch aca/<session> beside it"
        return why, "rename it: git branch -m aca another-name"
    return None


def faults(plan: Plan, workspace: Path) -> Iterator[Fault]:
    """What keeps *plan* from being done in the places it names."""
    where = workspace / plan.cwd
    if any(part.exists() and not part.is_dir() for part in (where, *where.parents)):
        why = f'cwd "{plan.cwd}" leads to a file'
        yield Fault(("cwd",), why, "name a directory: it is made where it is missing", plan.cwd)
    if uses(plan, "worktree"):
        if lack := lacking(workspace):
            why, cure = lack
            cure = f"{cure}; or let workspace be inplace".removeprefix("; or ")
            yield Fault(("defaults", "workspace"), f"worktrees cannot be made: {why}", cure)
        yield from _copies(plan, workspace)
    yield from _sharing(plan)
    yield from _crossings(plan)
    wanted = (some.gets.docker for some in plan.alike if _is_to_do(some.one))
    if any(docker is not None and docker.image is None and docker.build is None for docker in wanted):
        cure = "name one as docker.image, or write a Dockerfile"
        yield Fault(("docker",), "containers need an image, and none is named", cure)


def moved(before: Plan, after: Plan, workspace: Path) -> Iterator[Fault]:
    """The tasks of a session that has begun stay where they are: their work would be left behind.

    So those that took turns in a repository cannot begin to work there at once: a new session would give
    them worktrees.
    """
    if _at_once(before) < 2 and sharing(after) and repository.find(workspace) is not None:
        why = "agents would change the same files at once: the tasks of this session work in place"
        yield Fault(("max_concurrent_tasks",), why, "leave -j out, or begin a new session")
    for old, new in zip(_to_do(before), _to_do(after), strict=True):
        kinds = profile(before, old).workspace, profile(after, new).workspace
        if (profile(before, old).docker is None) != (profile(after, new).docker is None):
            why = (
                f'task "{old.id}" of this session works where it began, in a container or not; that stays so'
            )
            yield Fault(("docker",), why, "leave --docker out, or begin a new session")
            return
        if kinds[0] != kinds[1]:
            why = f'task "{old.id}" of this session works {_WORDS[kinds[0]]}; that stays so'
            yield Fault(("defaults", "workspace"), why, "leave --workspace-mode out, or begin a new session")
            return


_WORDS = {"inplace": "in place", "worktree": "in a worktree"}


def _copies(plan: Plan, workspace: Path) -> Iterator[Fault]:
    for index, pattern in enumerate(plan.workspace.copies):
        if not pattern or not stays_inside(pattern):
            why = f'workspace.copy: "{pattern}" is not inside the workspace'
            yield Fault(("workspace", "copy", index), why, "name it by its path from there", pattern)
        elif not any(workspace.glob(pattern)):
            yield Fault(("workspace", "copy", index), f'workspace.copy: there is no "{pattern}"', "", pattern)


def _sharing(plan: Plan) -> Iterator[Fault]:
    """Agents that share a directory because somebody says so must at least say what each of them touches."""
    agents = [task for task in _agents(plan) if (task.workspace or plan.defaults.workspace) == "inplace"]
    unsaid = [task for task in agents if not task.touches]
    if _at_once(plan) < 2 or len(agents) < 2 or not unsaid:
        return
    why = (
        f'agents would change the same files at once: task "{unsaid[0].id}" works in place and may touch any'
    )
    cure = "let workspace be worktree, or say for every such task what it touches, or run one at a time: -j 1"
    yield Fault(("defaults", "workspace"), why, cure)


def _crossings(plan: Plan) -> Iterator[Fault]:
    """What is made in one kind of place is not in the other before it is merged and committed."""
    if not (uses(plan, "worktree") and uses(plan, "inplace")):
        return
    places = {task.id: profile(plan, task).workspace for task in _leaves(plan)}
    for index, task in enumerate(plan.tasks):
        for name in task.dependencies if task.id in places else ():
            if places.get(name, places[task.id]) != places[task.id]:
                why = (
                    f'task "{task.id}" works {_WORDS[places[task.id]]} and would not see '
                    f'what "{name}" makes, which works {_WORDS[places[name]]}'
                )
                yield Fault(("tasks", index, "workspace"), why, "give both the same workspace")


def _leaves(plan: Plan) -> list[Task]:
    return [task for task in _to_do(plan) if task.id not in plan.groups]


def _at_once(plan: Plan) -> int:
    return 1 if plan.execution_mode == "sequential" else plan.max_concurrent_tasks


def _agents(plan: Plan) -> list[Task]:
    """The agent tasks that are to be done; groups are none."""
    return [task for task in _leaves(plan) if task.kind == "agent"]


def _to_do(plan: Plan) -> list[Task]:
    return [task for task in plan.tasks if _is_to_do(task)]


def _is_to_do(task: Task) -> bool:
    return task.status == "pending" and task.kind != "approval"
