"""The dependency graph: what became ready, cycles, levels, the critical path.

The run itself uses ``Frontier``, plain counters that cost the same however large the plan is. What is asked
of a whole plan is one pass over its moments in order. To show a cycle takes networkx, which only this file
knows and only imports when there is one.

A group is two moments: it opens (its children may start) when what it needs is done, and it is done when
its children are. So ``opening(group) -> child -> group``, and a leaf is one moment.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import islice
from typing import TYPE_CHECKING, Any

from aca.core import schedule
from aca.core.state import SessionState
from aca.plans.faults import Fault
from aca.plans.plan import Plan
from aca.plans.task import Task

if TYPE_CHECKING:
    import networkx as nx


class Frontier:
    """The edge between done and not done, moved by one ``update`` per event.

    ``instant`` holds tasks that settle without work (groups without checks, approvals), ``hopeless``
    pairs of a task and the dead one it needed.
    """

    def __init__(self, state: SessionState, rank: Callable[[Task], schedule.Rank]) -> None:
        self._state = state
        self._rank = rank
        self._waits: dict[str, int] = {}
        self._unsettled: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = {}
        self._ready: list[tuple[schedule.Rank, int, str]] = []
        self._delayed: list[tuple[float, str]] = []
        self._held: list[str] = []
        self.instant: deque[str] = deque()
        self.hopeless: deque[tuple[str, str]] = deque()
        self._register(state.tasks)
        for task_id in [task_id for task_id, waits in self._waits.items() if waits == 0]:
            self._open(task_id)
        self._settle_dead(task_id for task_id in state.tasks if state.states[task_id].dead)

    def update(self, task_id: str | None) -> None:
        """Take note that tasks were added, or that the status of *task_id* changed."""
        added = self._grow()
        if task_id is None:
            return
        for needed in added & {*self._state.tasks[task_id].dependencies}:
            self._dependents.setdefault(needed, []).append(task_id)
            self._waits[task_id] += 1
        if self._state.states[task_id].settled:
            self._settle(task_id)
        elif self._waits[task_id] == 0:
            self._offer(task_id)

    def is_open_group(self, task_id: str) -> bool:
        """Whether it waits for tasks that are in it."""
        return self._unsettled.get(task_id, 0) > 0

    def wake(self, now: float) -> None:
        """Make ready what has waited long enough for its next attempt."""
        while self._delayed and self._delayed[0][0] <= now:
            self._push(heapq.heappop(self._delayed)[1])

    def set_back(self, seconds: float) -> None:
        """The clock was: every time that a task waits for is as much earlier now."""
        self._delayed = [(until - seconds, task_id) for until, task_id in self._delayed]

    def next_wake(self) -> float | None:
        """When ``wake`` will have something to do (Unix time)."""
        self._drop_others(self._delayed)
        return self._delayed[0][0] if self._delayed else None

    def has_retries(self, now: float) -> bool:
        """Whether a task waits for the time of its next try, and for nothing else."""
        return any(self._state.states[task_id].not_before > now for _, task_id in self._delayed)

    def take(self, choose: Callable[[Sequence[Task]], Task] | None = None) -> str | None:
        """Remove and return the best ready task. *choose* decides among those of equal rank."""
        self._drop_others(self._ready)
        if not self._ready:
            return None
        if choose is None:
            return heapq.heappop(self._ready)[2]
        best = [heapq.heappop(self._ready)]
        self._drop_others(self._ready)
        while self._ready and self._ready[0][0] == best[0][0] and len(best) < schedule.LOOKAHEAD:
            best.append(heapq.heappop(self._ready))
            self._drop_others(self._ready)
        chosen = choose([self._state.tasks[entry[2]] for entry in best]).id
        for entry in best:
            if entry[2] != chosen:
                heapq.heappush(self._ready, entry)
        return chosen

    def _drop_others(self, heap: list[Any]) -> None:
        """Let the front of *heap* be a task that may start: one may have been cancelled in the meantime, or a
        group have got another task."""
        states = self._state.states
        while heap and (states[heap[0][-1]].status != "pending" or self.is_open_group(heap[0][-1])):
            heapq.heappop(heap)

    def put_back(self, task_id: str, until: float) -> None:
        """A task that was taken cannot start before *until* (Unix time); infinity: before ``release``."""
        if math.isinf(until):
            self._held.append(task_id)
        else:
            heapq.heappush(self._delayed, (until, task_id))

    def release(self) -> None:
        """Offer again what was put back without a time: something has ended."""
        while self._held:
            self._push(self._held.pop())

    # -- counters -----------------------------------------------------------------------------------

    def _register(self, task_ids: Iterable[str]) -> None:
        state = self._state
        for task_id in task_ids:
            task = state.tasks[task_id]
            for needed in task.dependencies:
                self._dependents.setdefault(needed, []).append(task_id)
            before = [*task.dependencies, *([task.parent_id] if task.parent_id is not None else [])]
            self._waits[task_id] = sum(not state.states[one].satisfied for one in before)
            if task_id in state.children:
                self._unsettled[task_id] = self._open_children(task_id)

    def _grow(self) -> set[str]:
        """Take in the tasks that were added. Some of the groups they are in are open already."""
        state, known = self._state, len(self._waits)
        if known == len(state.tasks):
            return set()
        added = [*islice(reversed(state.tasks), len(state.tasks) - known)][::-1]
        parents = {one for one in self._parents(added) if not state.states[one].settled}
        opened = {one for one in parents if self._waits.get(one) == 0}
        self._register(added)
        for parent in parents:
            self._unsettled[parent] = self._open_children(parent)
        for task_id in added:
            self._waits[task_id] -= state.tasks[task_id].parent_id in opened
        for task_id in [task_id for task_id in added if self._waits[task_id] == 0]:
            self._open(task_id)
        for task_id in added:
            self._doom(task_id)
        return {*added}

    def _open(self, task_id: str) -> None:
        """Nothing holds the task back any more: offer it, or let its children go, and theirs."""
        opened = [task_id]
        while opened:
            current = opened.pop()
            children = self._state.children.get(current, ())
            if not children or self._unsettled.setdefault(current, self._open_children(current)) == 0:
                self._offer(current)
            if not self._state.states[current].settled:
                opened += [child for child in children if self._count_down(child) == 0]

    def _open_children(self, task_id: str) -> int:
        return sum(not self._state.states[child].settled for child in self._state.children[task_id])

    def _count_down(self, task_id: str) -> int:
        self._waits[task_id] -= 1
        return self._waits[task_id]

    def _offer(self, task_id: str) -> None:
        state = self._state.states[task_id]
        if state.status == "blocked" and state.answer is not None:
            self.instant.append(task_id)
        if state.status != "pending":
            return
        if state.not_before:
            heapq.heappush(self._delayed, (state.not_before, task_id))
        else:
            self._push(task_id)

    def _push(self, task_id: str) -> None:
        task = self._state.tasks[task_id]
        if self.is_open_group(task_id):
            return  # it is offered again when what was added to it is done
        if self._settles_by_itself(task):
            self.instant.append(task_id)
        else:
            heapq.heappush(self._ready, (self._rank(task), self._state.order[task_id], task_id))

    def _settles_by_itself(self, task: Task) -> bool:
        if task.kind == "approval":
            return True
        is_group = task.id in self._state.children
        return is_group and (not task.checks or bool(self._state.failed_children(task.id)))

    def _settle(self, task_id: str) -> None:
        if self._state.states[task_id].satisfied:
            for dependent in self._dependents.get(task_id, ()):
                if self._count_down(dependent) == 0:
                    self._open(dependent)
        else:
            self._settle_dead([task_id])
        parent = self._state.tasks[task_id].parent_id
        if parent is not None and parent in self._unsettled:
            self._unsettled[parent] -= 1
            if self._unsettled[parent] == 0 and self._waits[parent] == 0:
                self._offer(parent)

    def _parents(self, task_ids: Iterable[str]) -> Iterator[str]:
        return (parent for one in task_ids if (parent := self._state.tasks[one].parent_id) is not None)

    def _doom(self, task_id: str) -> None:
        """What is added behind a failure cannot be done."""
        for needed in self._state.tasks[task_id].dependencies:
            if self._state.states[needed].dead:
                self.hopeless.append((task_id, needed))

    def _settle_dead(self, dead: Iterable[str]) -> None:
        for task_id in dead:
            for other in (*self._dependents.get(task_id, ()), *self._state.children.get(task_id, ())):
                if not self._state.states[other].settled:
                    self.hopeless.append((other, task_id))


# -- questions about a whole plan ---------------------------------------------------------------------


def opening(task_id: str) -> str:
    """The node that stands for a group's beginning."""
    return f"{task_id}:opens"


def edges(tasks: Iterable[Task]) -> Iterator[tuple[str, str]]:
    """Every (earlier, later) pair of moments, groups being two (see the module's docstring)."""
    listed = list(tasks)
    groups = {task.parent_id for task in listed if task.parent_id is not None}
    for task in listed:
        start = opening(task.id) if task.id in groups else task.id
        if task.id in groups:
            yield start, task.id
        if task.parent_id is not None:
            yield opening(task.parent_id), start
            yield task.id, task.parent_id
        for needed in task.dependencies:
            yield needed, start


def cycle_faults(plan: Plan, known: Iterable[Task] = ()) -> list[Fault]:
    """One fault for each knot of tasks that wait for each other, shown as a path."""
    tasks = [*known, *plan.tasks]
    stuck = _stuck(tasks)
    if not stuck:
        return []
    places = {task.id: index for index, task in enumerate(plan.tasks)}
    found = []
    for path in _cycles(tasks, stuck):
        index = min(places[task_id] for task_id in path if task_id in places)
        if len(path) == 1 and plan.tasks[index].parent_id == path[0]:
            loc, message = ("tasks", index, "parent_id"), f"{path[0]} is its own parent"
            found.append(Fault(loc, message, "name the group that it is a part of, or leave the parent out"))
            continue
        loc = ("tasks", index, "dependencies")
        message = f"these tasks wait for each other: {' -> '.join([*path, path[0]])}"
        found.append(Fault(loc, message, "take one of these needs away"))
    return found


def _stuck(tasks: list[Task]) -> set[str]:
    """The moments that can never come, by counting: linear, and no networkx where all is well."""
    if _is_in_order(tasks):
        return set()
    waits: dict[str, int] = {}
    after: dict[str, list[str]] = {}
    for earlier, later in edges(tasks):
        waits[later] = waits.get(later, 0) + 1
        waits.setdefault(earlier, 0)
        after.setdefault(earlier, []).append(later)
    free = [node for node, count in waits.items() if count == 0]
    while free:
        for later in after.get(free.pop(), ()):
            waits[later] -= 1
            if waits[later] == 0:
                free.append(later)
    return {node for node, count in waits.items() if count > 0}


def _is_in_order(tasks: Iterable[Task]) -> bool:
    """Whether there are no groups, and every task stands behind all it needs, as most people write it."""
    before: set[str] = set()
    for said in map(vars, tasks):
        if said["parent_id"] is not None or not before.issuperset(said["dependencies"]):
            return False
        before.add(said["id"])
    return True


def _cycles(tasks: list[Task], stuck: set[str]) -> Iterator[list[str]]:
    """One cycle per strongly connected component, as task ids in the order "a needs b needs ...".

    ``find_cycle`` runs inside each component only: on a whole graph it is worse than quadratic.
    """
    import networkx as nx

    knot: nx.DiGraph[str] = nx.DiGraph()
    knot.add_edges_from((later, earlier) for earlier, later in edges(tasks) if {earlier, later} <= stuck)
    told: set[frozenset[str]] = set()
    for component in nx.strongly_connected_components(knot):
        if len(component) == 1 and not knot.has_edge(*(list(component) * 2)):
            continue
        names = [edge[0].removesuffix(":opens") for edge in nx.find_cycle(knot.subgraph(sorted(component)))]
        if frozenset(names) not in told:  # groups that are each other's parent close two circles
            told.add(frozenset(names))
            yield list(dict.fromkeys(names))


def moments(plan: Plan) -> dict[str, list[str]]:
    """Every moment of the plan, in an order in which they can come, with those right before it."""
    if _is_in_order(plan.tasks):
        return {task.id: [*task.dependencies] for task in plan.tasks}
    before: dict[str, list[str]] = {task.id: [] for task in plan.tasks}
    for earlier, later in edges(plan.tasks):
        before.setdefault(later, []).append(earlier)
        before.setdefault(earlier, [])
    return {moment: before[moment] for moment in TopologicalSorter(before).static_order()}


def path_lengths(plan: Plan) -> dict[str, int]:
    """For each task the weight of the longest chain of work from its start to the end of the plan."""
    weights, behind = _weights(plan), dict[str, int]()
    longest: dict[str, int] = {}
    for moment, before in reversed(moments(plan).items()):
        longest[moment] = behind.get(moment, 0) + weights.get(moment, 0)
        for earlier in before:
            behind[earlier] = max(behind.get(earlier, 0), longest[moment])
    return longest


def critical_path(plan: Plan, weights: Mapping[str, float] | None = None) -> list[str]:
    """The heaviest chain of open leaf tasks, first to last: nothing finishes sooner however many run at once.

    *weights* is what each task counts, by default its complexity.
    """
    weights = _weights(plan) if weights is None else weights
    heaviest: dict[str, float] = {}
    previous: dict[str, str | None] = {}
    for moment, before in moments(plan).items():
        one = previous[moment] = max(before, key=heaviest.__getitem__, default=None)
        heaviest[moment] = weights.get(moment, 0) + (0 if one is None else heaviest[one])
    path = []
    at = max(weights, key=heaviest.__getitem__, default=None)
    while at is not None:
        path.append(at)
        at = previous[at]
    return [moment for moment in reversed(path) if moment in weights]


def levels(plan: Plan) -> list[list[str]]:
    """Open leaf tasks by the earliest step in which each could run, were there room for all."""
    work = _weights(plan)
    depth: dict[str, int] = {}
    for moment, before in moments(plan).items():
        depth[moment] = max((depth[earlier] for earlier in before), default=0) + (moment in work)
    steps: dict[int, list[str]] = {}
    for task in plan.tasks:
        if task.id in work:
            steps.setdefault(depth[task.id], []).append(task.id)
    return [steps[step] for step in sorted(steps)]


def _weights(plan: Plan) -> dict[str, int]:
    return {task.id: schedule.weight(task) for task in open_leaves(plan)}


def open_leaves(plan: Plan) -> list[Task]:
    """The tasks that are work themselves and still to be done."""
    return [task for task in plan.tasks if task.id not in plan.groups and task.status == "pending"]
