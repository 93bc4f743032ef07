"""Plans and states as trees of text, and the counts that go with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping

from aca.core import graph
from aca.core.estimate import Estimate, Guess
from aca.core.progress import STATUSES, Status
from aca.core.state import SessionState
from aca.plans.plan import Plan, profile
from aca.plans.settings import Budget
from aca.plans.task import Task
from aca.plans.values import command_text, format_duration
from aca.report import estimates, rehearsal, words
from aca.report.spending import replayed

SHOWN = 60
"""How many tasks of a large plan are shown, unless all are asked for."""
_URGENCY: dict[Status, int] = {
    "in_progress": 0, "blocked": 1, "failed": 2, "pending": 3, "skipped": 4, "completed": 5,
}  # fmt: skip


def walk(state: SessionState) -> Iterator[tuple[str, int]]:
    """(task id, depth) of all tasks, each group before its children."""
    open_ids = [(task_id, 0) for task_id, task in state.tasks.items() if task.parent_id is None]
    open_ids.reverse()
    while open_ids:
        task_id, depth = open_ids.pop()
        yield task_id, depth
        open_ids += [(child, depth + 1) for child in reversed(state.children.get(task_id, ()))]


def leaf_counts(state: SessionState) -> Counter[Status]:
    """How many tasks, groups aside, have each status."""
    return Counter(state.states[task_id].status for task_id in state.leaves())


def counts_text(counts: Mapping[Status, int]) -> str:
    """``3 completed, 1 failed``."""
    told = (f"{counts[status]:,} {words.STATUS_WORDS[status]}" for status in STATUSES if counts.get(status))
    return ", ".join(told) or "no tasks"


# -- what has happened ------------------------------------------------------------------------------------


def progress(state: SessionState, marks: Mapping[Status, str], limit: int | None = SHOWN) -> list[str]:
    """One line per task with its status; a group shows how many of its children are done."""
    shown = _chosen(state, limit)
    lines = [_progress_line(state, task_id, depth, marks)
             for task_id, depth in walk(state) if task_id in shown]  # fmt: skip
    left = len(state.tasks) - len(shown)
    return [*lines, f"  ... and {words.counted(left, 'more task')} (--all shows them)"] if left else lines


def _chosen(state: SessionState, limit: int | None) -> set[str]:
    """The tasks worth showing: what runs, waits or failed first, with the groups around them."""
    if limit is None or len(state.tasks) <= limit:
        return set(state.tasks)
    by_urgency = sorted(state.leaves(), key=lambda one: _URGENCY[state.states[one].status])
    chosen = set(by_urgency[:limit])
    for task_id in list(chosen):
        parent = state.tasks[task_id].parent_id
        while parent is not None and parent not in chosen:
            chosen.add(parent)
            parent = state.tasks[parent].parent_id
    return chosen


def _progress_line(state: SessionState, task_id: str, depth: int, marks: Mapping[Status, str]) -> str:
    now = state.states[task_id]
    told = [f"{'  ' * depth}{marks[now.status]} {label(state.tasks[task_id])}"]
    if task_id in state.children:
        told.append(roll_up(state, task_id))
    if now.seconds >= 0.05:
        told.append(words.lasting(now.seconds))
    if now.origin:
        told.append(words.one_line(now.origin))
    if now.reason and now.status in ("blocked", "failed", "skipped"):
        told.append(words.first_line(words.why(now), 120))
    return "  " + "  ".join(told)


def label(task: Task) -> str:
    """The title, and the id where it does not follow from it."""
    title = words.one_line(task.title, 80)
    return title if title == task.id else f"{title} ({task.id})"


def roll_up(state: SessionState, task_id: str) -> str:
    """``2/3``: completed children of a group."""
    children = state.children[task_id]
    return f"{sum(state.states[child].status == 'completed' for child in children)}/{len(children)}"


# -- what would happen ------------------------------------------------------------------------------------


def outline(
    plan: Plan,
    marks: Mapping[Status, str],
    estimate: Estimate | None = None,
    *,
    each: bool = False,
    limit: int | None = None,
) -> list[str]:
    """The plan as a tree: in which order, what runs where, what it needs and how it is checked.

    The *estimate* is told for the whole, with *each* for every task too, and what a task has changed before
    in any case. A plan of more than *limit* tasks is cut to its uppermost ones, without details.
    """
    state = SessionState(plan)
    shown = _uppermost(state, limit)
    guesses = estimate.tasks if estimate else {}
    places = {task_id: number for number, task_id in enumerate(rehearsal.order(plan), start=1)}
    width = len(str(len(places)))
    lines = [_head(plan, state), ""]
    for task_id, depth in walk(state):
        if task_id not in shown:
            continue
        task = state.tasks[task_id]
        mark = str(places[task_id]) if task_id in places else _mark(state, task, marks)
        lines.append(f"  {mark:>{width}}  {'  ' * depth}{label(task)}{_aside(state, task, shown)}")
        if len(shown) == len(state.tasks):
            inner = " " * (width + 6) + "  " * depth
            details = [*_details(plan, state, task), *_guessed(guesses.get(task_id), each)]
            lines += [f"{inner}{detail}" for detail in details]
    if left := len(state.tasks) - len(shown):
        lines.append(f"  ... and {words.counted(left, 'more task')} (--all shows them)")
    return [*lines, "", *_foot(plan), *(estimates.total(estimate) if estimate else ())]


def _guessed(guess: Guess | None, each: bool) -> Iterator[str]:
    if guess is not None and guess.touches:
        patterns = words.one_line(" ".join(guess.touches), 200)
        yield f'has changed more before than it says: touches="{patterns}" would say so'
    if guess is not None and each and (text := estimates.guess_text(guess)):
        yield text


def _uppermost(state: SessionState, limit: int | None) -> set[str]:
    """As many tasks as fit, those outside of groups first, then what is in these, and so on."""
    everything = walk(state)
    if limit is None or len(state.tasks) <= limit:
        return {task_id for task_id, _ in everything}
    by_depth = sorted(everything, key=lambda one: one[1])  # stable: in file order within a depth
    return {task_id for task_id, _ in by_depth[:limit]}


def _head(plan: Plan, state: SessionState) -> str:
    leaves = words.counted(len(state.tasks) - len(state.children), "task")
    at_once = f", up to {plan.max_concurrent_tasks} at once" if plan.execution_mode != "sequential" else ""
    source = f" (from {plan.source.path})" if plan.source else ""
    return f"{words.plan_name(plan)}: {leaves}, {plan.execution_mode}{at_once}{source}"


def _mark(state: SessionState, task: Task, marks: Mapping[Status, str]) -> str:
    return "" if task.id in state.children and task.status == "pending" else marks[task.status]


def _aside(state: SessionState, task: Task, shown: Container[str]) -> str:
    if task.status != "pending":
        return f": {task.status} already" if task.status == "completed" else ": skipped"
    children = state.children.get(task.id, [])
    if children and children[0] not in shown:
        return f": {words.counted(len(children), 'task')}"
    return ":" if children else ""


def _details(plan: Plan, state: SessionState, task: Task) -> Iterator[str]:
    if task.status != "pending":
        return
    if task.id not in state.children:
        yield _work(plan, task)
        container = profile(plan, task).docker
        if container is not None and task.kind != "approval":
            yield f"docker: {words.container(container)}"
    if task.dependencies:
        yield f"needs {', '.join(task.dependencies)}"
    for check in task.checks:
        yield f"check {words.one_line(check.title)}"
    yield from (f"limit: {limit}" for limit in _limits(task.limits))
    if task.priority != 5:
        yield f"priority {task.priority}"


def _work(plan: Plan, task: Task) -> str:
    cwd = "/".join(part for part in (plan.cwd, task.cwd or "") if part not in ("", "."))
    where = f" in {cwd}" if cwd else ""
    if task.kind == "approval":
        return "approval: waits for a person"
    if task.command is not None:
        return f"command{where}: {words.one_line(command_text(task.command))}"
    settings = profile(plan, task)
    who = ", ".join(filter(None, (settings.provider, settings.model, settings.permissions)))
    return f"agent{where}: {who}"


def _foot(plan: Plan) -> Iterator[str]:
    steps = graph.levels(plan)
    path = graph.critical_path(plan)
    if len(steps) > 1:
        yield f"{len(steps)} levels, at most {words.counted(max(map(len, steps)), 'task')} side by side"
        yield f"critical path: {' -> '.join(_abridged(path))}"
    yield from (f"limit: {limit}" for limit in _limits(plan.limits, " per run"))
    if plan.limits.max_retries is not None:
        yield f"limit: {words.counted(plan.limits.max_retries, 'retry', 'retries')} per run"
    for name, role in plan.roles.items():
        yield from (f"limit of role {name}: {limit}" for limit in _limits(role.limits))
    if replayed(plan):
        yield "replayed: the model's side is played back from a script, no model will be called"


def _abridged(path: list[str], most: int = 12) -> list[str]:
    half = most // 2
    return path if len(path) <= most else [*path[:half], f"... {len(path) - most} more ...", *path[-half:]]


def _limits(limits: Budget, time: str = " in attempts") -> Iterator[str]:
    if limits.max_cost_usd is not None:
        yield words.money(limits.max_cost_usd)
    if limits.max_tokens is not None:
        yield words.counted(limits.max_tokens, "token")
    if limits.max_duration is not None:
        yield f"{format_duration(limits.max_duration)}{time}"
