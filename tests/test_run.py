"""The loop: legal orders, limits, failures, approvals, recovery; on random plans and chosen ones."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aca.core import events as ev
from aca.core.state import SessionState
from aca.errors import Exit, MachineError
from aca.plans.plan import Plan
from aca.plans.settings import Defaults, Limits
from aca.plans.task import Task
from aca.rules.retries import delay
from aca.rules.verdict import verdict
from aca.sessions import journal
from aca.sessions.messages import Addition, Answer, CheckpointRequest
from aca.stop import Stop
from tests.core.stories import Clock, Memory, Story, done, plans, task, unique

patient = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def story(tmp_path: Path, *tasks: object, **plan: object) -> Story:
    return Story(tmp_path / "journal.jsonl", Plan(tasks=tasks, **plan))  # type: ignore[arg-type]


def failing(*names: str, times: int = 99) -> object:
    def work(task_id: str, attempt: int) -> ev.Ending:
        if task_id in names and attempt <= times:
            return ev.TaskFailed(task=task_id, attempt=attempt, reason="as scripted")
        return done(task_id, attempt)

    return work


# -- on any plan --------------------------------------------------------------------------------------


@patient
@given(plan=plans())
def test_every_plan_comes_to_its_end_in_a_legal_order(tmp_path: Path, plan: Plan) -> None:
    """Everything pending is done once, after what it and its groups need, never too many at once."""
    told = Story(unique(tmp_path), plan)
    assert told.run().exit_code == 0
    assert all(status in ("completed", "skipped") for status in told.statuses().values())
    assert len(told.started()) == len(set(told.started()))
    assert told.peak <= (1 if plan.execution_mode == "sequential" else plan.max_concurrent_tasks)
    ended: set[str] = {one.id for one in plan.tasks if one.status != "pending"}
    known = {one.id: one for one in plan.tasks}
    for event in journal.read(told.path):
        if isinstance(event, ev.TaskStarted):
            for above in _lineage(plan, event.task):
                if known[above].status != "pending":
                    break  # a group given as completed holds nothing back
                assert set(known[above].dependencies) <= ended
        elif isinstance(event, ev.TaskCompleted):
            ended.add(event.task)


@patient
@given(plan=plans(), bad=st.sets(st.integers(0, 8)))
def test_a_failure_stops_exactly_what_depends_on_it(tmp_path: Path, plan: Plan, bad: set[int]) -> None:
    """Nothing waits for ever, and a skipped task can name the failure that is to blame."""
    told = Story(unique(tmp_path), plan)
    code = told.run(failing(*(f"t{number}" for number in bad))).exit_code  # type: ignore[arg-type]
    state = told.state()
    assert not state.unfinished()
    assert code == (1 if state.failed() else 0)
    for task_id, now in state.states.items():
        if now.status == "skipped" and now.dead:
            above = _lineage(plan, task_id)
            needed = {name for one in above for name in state.tasks[one].dependencies} | set(above[1:])
            assert any(state.states[name].dead for name in needed), task_id


@patient
@given(plan=plans(), bad=st.sets(st.integers(0, 8)), data=st.data())
def test_cut_anywhere_and_resumed_the_end_is_the_same(
    tmp_path: Path, plan: Plan, bad: set[int], data: st.DataObject
) -> None:
    """The journal cut at any byte resumes to the same statuses, and nothing finished runs again."""
    names = [f"t{number}" for number in bad]
    whole = Story(unique(tmp_path), plan)
    whole.run(failing(*names))  # type: ignore[arg-type]
    written = whole.path.read_bytes()
    cut = Story(unique(tmp_path), plan)
    cut.path.write_bytes(written[: data.draw(st.integers(0, len(written)))])
    finished = {name for name, now in cut.state().states.items() if now.settled}
    before = len(cut.started())
    cut.run(failing(*names))  # type: ignore[arg-type]
    assert cut.statuses() == whole.statuses()
    assert not finished & set(cut.started()[before:])


@patient
@given(plan=plans(), bad=st.dictionaries(st.integers(0, 8), st.integers(1, 3)), data=st.data())
def test_gates_are_mended_and_go_on_wherever_the_run_is_cut(
    tmp_path: Path, plan: Plan, bad: dict[int, int], data: st.DataObject
) -> None:
    """A gate that fails once for good gets a mender, which is done before it runs again, and only one."""
    groups = {one.parent_id for one in plan.tasks}
    gates = [one if one.id in groups else one.model_copy(update={"kind": "command", "command": "x"})
             for one in plan.tasks]  # fmt: skip
    plan = plan.model_copy(update={"tasks": tuple(gates)})
    fails = {f"t{number}": times for number, times in bad.items()}

    def carry_out(told: Story) -> None:
        def work(task_id: str, attempt: int) -> ev.Ending:
            failed = [one.task for one in journal.read(told.path) if isinstance(one, ev.TaskFailed)]
            if failed.count(task_id) < fails.get(task_id, 0):
                return ev.TaskFailed(task=task_id, attempt=attempt, reason="as scripted")
            return done(task_id, attempt)

        told.run(work)

    whole = Story(unique(tmp_path), plan)
    carry_out(whole)
    written = whole.path.read_bytes()
    cut = Story(unique(tmp_path), plan)
    cut.path.write_bytes(written[: data.draw(st.integers(0, len(written)))])
    finished = {name for name, now in cut.state().states.items() if now.settled}
    before = len(cut.started())
    carry_out(cut)
    assert cut.statuses() == whole.statuses()
    assert not finished & set(cut.started()[before:])
    for task_id in [one for one in whole.state().tasks if one.endswith(".mend")]:
        gate, order = task_id.removesuffix(".mend"), whole.started()
        last = len(order) - 1 - order[::-1].index(gate)
        assert order.index(gate) < order.index(task_id) < last
        assert whole.statuses()[gate] == ("completed" if fails[gate] <= order.count(gate) - 1 else "failed")


@patient
@given(plan=plans())
def test_resuming_a_finished_session_does_nothing(tmp_path: Path, plan: Plan) -> None:
    """Recovering twice is recovering once."""
    told = Story(unique(tmp_path), plan)
    told.run()
    started = told.started()
    assert told.run().exit_code == 0
    assert told.started() == started


@patient
@given(plan=plans(), data=st.data())
def test_what_is_added_while_it_runs_is_done_in_a_legal_order(
    tmp_path: Path, plan: Plan, data: st.DataObject
) -> None:
    """Under any open group, after any tasks; and the journal cut at any byte resumes to the same end."""
    names = st.sampled_from([one.id for one in plan.tasks])
    more = iter(data.draw(st.lists(st.tuples(st.none() | names, st.lists(names, max_size=2)), max_size=4)))

    def work(task_id: str, attempt: int) -> ev.Ending:
        for parent, needs in [one for one in [next(more, None)] if one]:
            said = {"id": "more", "title": "More", "parent_id": parent, "dependencies": needs}
            told.inbox.left[f"{task_id}.json"] = Addition(said, "ann")
        return done(task_id, attempt)

    told = Story(unique(tmp_path), plan.model_copy(update={"defaults": Defaults(provider="replay")}))
    told.clock.step = 0.1
    sent = told.run(work)
    assert sent.exit_code == 0
    state, ended = told.state(), {one.id for one in plan.tasks if one.status != "pending"}
    added = [
        one for event in journal.read(told.path) if isinstance(event, ev.TasksAdded) for one in event.tasks
    ]
    assert {one["id"] for one in added} == {*state.tasks} - {one.id for one in plan.tasks}
    assert not told.inbox.left
    for event in journal.read(told.path):
        if isinstance(event, ev.TaskStarted) and event.task not in {one.id for one in plan.tasks}:
            assert {*state.tasks[event.task].dependencies} <= ended
        elif isinstance(event, ev.TaskCompleted):
            assert not {*state.children.get(event.task, ())} - ended
            ended.add(event.task)
    assert ended == {*state.tasks}
    written = told.path.read_bytes()
    told.path.write_bytes(written[: data.draw(st.integers(0, len(written)))])
    assert told.run().exit_code == 0
    assert not told.state().unfinished()


def both_split(tmp_path: Path, **said: Any) -> Story:
    """Two tasks at once, each of which hands in a task with the same id, and one that needs it."""

    def work(task_id: str, attempt: int) -> ev.Ending:
        if task_id not in ("a", "b"):
            return done(task_id, attempt)
        first = {"id": "tests", "title": "Tests", "parent_id": task_id}
        second = {"id": "more", "title": "More", "parent_id": task_id, "dependencies": ["tests"]}
        return ev.TaskSplit(task=task_id, attempt=attempt, tasks=(first, second))

    told = story(tmp_path, task("a", retries=0), task("b", retries=0), max_concurrent_tasks=2,
                 execution_mode="parallel", defaults=Defaults(provider="replay"), **said)  # fmt: skip
    told.run(work)
    return told


def test_two_that_hand_in_the_same_id_at_once_both_get_their_task(tmp_path: Path) -> None:
    """Both were right when they were looked at; the second one is renamed, also where it is needed."""
    told = both_split(tmp_path)
    state = told.state()
    assert {*told.statuses()} == {"a", "b", "tests", "more", "tests-2", "more-2"}
    assert {*told.statuses().values()} == {"completed"}
    assert [state.tasks[one].parent_id for one in ("tests", "tests-2")] == ["a", "b"]
    assert state.tasks["more-2"].dependencies == ("tests-2",)


def test_two_that_split_at_once_do_not_pass_a_limit_together(tmp_path: Path) -> None:
    """The second one fails, as it would have a moment later."""
    told = both_split(tmp_path, limits=Limits(max_added_tasks=3))
    assert told.statuses() == {"a": "completed", "b": "failed", "tests": "completed", "more": "completed"}
    assert "agents may add 3 tasks" in told.state().states["b"].reason


def test_what_is_added_to_a_group_that_has_not_begun_is_done_before_it(tmp_path: Path) -> None:
    """The group waits for what was in it and for what was added."""

    def work(task_id: str, attempt: int) -> ev.Ending:
        if task_id == "first":
            told.inbox.left["1.json"] = Addition({"id": "more", "title": "More", "parent_id": "group"}, "ann")
        return done(task_id, attempt)

    before = (task("first"), task("second", dependencies=("first",)))
    group = (task("group", dependencies=("second",)), task("part", parent_id="group"))
    told = story(tmp_path, *before, *group, execution_mode="sequential", defaults=Defaults(provider="replay"))
    told.clock.step = 1
    assert told.run(work).exit_code == 0
    ends = [event.task for event in journal.read(told.path) if isinstance(event, ev.TaskCompleted)]
    assert ends == ["first", "second", "part", "more", "group"]


def _lineage(plan: Plan, task_id: str) -> list[str]:
    parents = {one.id: one.parent_id for one in plan.tasks}
    above, current = [], task_id
    while True:
        above.append(current)
        parent = parents[current]
        if parent is None:
            return above
        current = parent


# -- failures and retries -----------------------------------------------------------------------------


def test_a_failed_task_is_tried_again_as_often_as_allowed(tmp_path: Path) -> None:
    """Two failures and two retries: the third attempt counts."""
    told = story(tmp_path, task("a", retries=2, retry_delay=0))
    assert told.run(failing("a", times=2)).exit_code == 0  # type: ignore[arg-type]
    assert told.started() == ["a", "a", "a"]
    assert told.state().states["a"].failures == 2


def test_each_retry_names_the_failure_it_follows(tmp_path: Path) -> None:
    """The second start has the first failure as its cause."""
    told = story(tmp_path, task("a", retries=1, retry_delay=0))
    told.run(failing("a", times=1))  # type: ignore[arg-type]
    starts = [event for event in told.seen if isinstance(event, ev.TaskStarted)]
    (failure,) = [event for event in told.seen if isinstance(event, ev.TaskFailed)]
    assert [start.cause for start in starts] == [0, failure.seq]


@pytest.mark.parametrize("category", ["input", "system"])
def test_what_cannot_succeed_again_is_not_tried_again(tmp_path: Path, category: ev.Category) -> None:
    """A wrong key or a bad request fails once."""

    def work(task_id: str, attempt: int) -> ev.Ending:
        return ev.TaskFailed(task=task_id, attempt=attempt, reason="no", category=category)

    told = story(tmp_path, task("a", retries=5, retry_delay=0))
    assert told.run(work).exit_code == 1
    assert told.started() == ["a"]


def test_retry_delays_double_with_jitter_and_a_cap() -> None:
    """One, two, four ... seconds, up to a minute."""
    longest = [delay(1.0, failures, rng=lambda: 1.0) for failures in range(1, 9)]
    assert longest == [1, 2, 4, 8, 16, 32, 60, 60]
    assert delay(1.0, 3, rng=lambda: 0.0) == 3
    assert delay(0.0, 100) == 0


def test_a_retry_waits_until_its_time(tmp_path: Path) -> None:
    """The decision, and when it takes effect, is in the journal."""
    told = story(tmp_path, task("a", retries=1, retry_delay=50))
    told.clock = Clock(step=1)
    told.run(failing("a", times=1))  # type: ignore[arg-type]
    (failure,) = [event for event in told.seen if isinstance(event, ev.TaskFailed)]
    second = [event for event in told.seen if isinstance(event, ev.TaskStarted)][1]
    assert failure.retry
    assert failure.not_before <= second.at


def test_an_excused_failure_lets_the_rest_go_on(tmp_path: Path) -> None:
    """``on_failure = skip``: skipped with its reason, and the run is a success."""
    told = story(tmp_path, task("a", on_failure="skip", retries=0), task("b", dependencies=("a",)))
    assert told.run(failing("a")).exit_code == 0  # type: ignore[arg-type]
    assert told.statuses() == {"a": "skipped", "b": "completed"}
    assert told.state().states["a"].reason == "as scripted"


def test_independent_tasks_go_on_after_a_failure(tmp_path: Path) -> None:
    """Fault isolation is the default."""
    told = story(tmp_path, task("a", retries=0), task("b"), task("c", dependencies=("a",)))
    assert told.run(failing("a")).exit_code == 1  # type: ignore[arg-type]
    assert told.statuses() == {"a": "failed", "b": "completed", "c": "skipped"}


def test_fail_fast_starts_nothing_more(tmp_path: Path) -> None:
    """The rest stays pending and can be resumed."""
    told = story(tmp_path, task("a", retries=0), task("b"), fail_fast=True)
    assert told.run(failing("a")).exit_code == 1  # type: ignore[arg-type]
    assert told.statuses() == {"a": "failed", "b": "pending"}


def test_a_group_fails_with_its_child(tmp_path: Path) -> None:
    """And says which one."""
    told = story(tmp_path, task("g"), task("a", parent_id="g", retries=0), task("b", parent_id="g"))
    told.run(failing("a"))  # type: ignore[arg-type]
    group = told.state().states["g"]
    assert (group.status, group.reason) == ("failed", "1 of 2 subtasks not done: a")


@pytest.mark.parametrize("first", ["failed child", "rejected"])
def test_what_a_failure_means_is_decided_the_same_for_groups_and_approvals(
    tmp_path: Path, first: str
) -> None:
    """``on_failure = skip`` excuses them too, and nothing is tried again that was not attempted."""
    if first == "rejected":
        told = story(tmp_path, task("a", kind="approval", on_failure="skip"), task("b", dependencies=("a",)))
        told.inbox = Memory(Answer(task="a", approved=False, by="ann"))
        code = told.run().exit_code
    else:
        group = task("a", on_failure="skip", retries=3)
        told = story(tmp_path, group, task("c", parent_id="a", retries=0), task("b", dependencies=("a",)))
        code = told.run(failing("c")).exit_code  # type: ignore[arg-type]
        assert told.started() == ["c", "b"]
    assert told.statuses()["a"] == "skipped"
    assert told.statuses()["b"] == "completed"
    assert code == (0 if first == "rejected" else 1)


def test_a_group_s_checks_are_not_repeated_unless_asked(tmp_path: Path) -> None:
    """Nothing has changed in between."""
    checked = {"checks": ({"run": "false"},)}
    told = story(tmp_path, task("g", **checked), task("a", parent_id="g"))
    assert told.run(failing("g")).exit_code == 1  # type: ignore[arg-type]
    assert told.started() == ["a", "g"]


def test_fail_fast_counts_a_rejection(tmp_path: Path) -> None:
    """It is a failure like any other."""
    told = story(tmp_path, task("ask", kind="approval"), task("b"), fail_fast=True)
    told.inbox = Memory(Answer(task="ask", approved=False, by="ann"))
    assert told.run().exit_code == 1
    assert told.statuses()["b"] == "pending"


# -- subtasks, approvals, checkpoints ------------------------------------------------------------------


def test_subtasks_run_before_their_parent_is_done(tmp_path: Path) -> None:
    """The parent's own attempt is not repeated."""

    def work(task_id: str, attempt: int) -> ev.Ending:
        if task_id == "a":
            parts = tuple({"id": f"a.{n}", "title": f"Part {n}", "parent_id": "a"} for n in (1, 2))
            return ev.TaskSplit(task="a", attempt=attempt, tasks=parts, summary="in two parts")
        return done(task_id, attempt)

    told = story(tmp_path, task("a"), task("b", dependencies=("a",)))
    assert told.run(work).exit_code == 0
    assert told.started() == ["a", "a.1", "a.2", "b"]
    assert told.state().states["a"].summary == "in two parts"


def test_subtasks_that_are_done_already_hold_nothing_up(tmp_path: Path) -> None:
    """Handed in as completed, they count as such."""

    def work(task_id: str, attempt: int) -> ev.Ending:
        if task_id == "a":
            part = {"id": "a.1", "title": "Part", "parent_id": "a", "status": "completed"}
            return ev.TaskSplit(task="a", attempt=attempt, tasks=(part,))
        return done(task_id, attempt)

    told = story(tmp_path, task("a"), task("b", dependencies=("a",)))
    assert told.run(work).exit_code == 0
    assert set(told.statuses().values()) == {"completed"}


def test_success_is_never_claimed_while_something_is_pending() -> None:
    """That would be a bug of ours, and is one aloud."""
    with pytest.raises(RuntimeError, match="tasks are left"):
        verdict(SessionState(Plan(tasks=(task("a"),))))


def test_an_approval_blocks_only_what_needs_it(tmp_path: Path) -> None:
    """Exit code 4 once nothing else can run."""
    told = story(tmp_path, task("ask", kind="approval"), task("after", dependencies=("ask",)), task("free"))
    assert told.run().exit_code == 4
    assert told.statuses() == {"ask": "blocked", "after": "pending", "free": "completed"}


@pytest.mark.parametrize(("approved", "code", "status"), [(True, 0, "completed"), (False, 1, "failed")])
def test_an_answer_settles_the_approval(tmp_path: Path, approved: bool, code: int, status: str) -> None:
    """Given before the next run, it is read at its start; who and why is kept."""
    told = story(tmp_path, task("ask", kind="approval"), task("after", dependencies=("ask",)))
    told.run()
    told.inbox = Memory(Answer(task="ask", approved=approved, by="ann", comment="fine"))
    assert told.run().exit_code == code
    now = told.state().states["ask"]
    assert now.status == status
    assert "by ann: fine" in now.summary + now.reason
    assert not told.inbox.left


def test_an_answer_may_come_before_the_question(tmp_path: Path) -> None:
    """Approving ahead of time lets the run go through."""
    told = story(tmp_path, task("first"), task("ask", kind="approval", dependencies=("first",)))
    told.inbox = Memory(Answer(task="ask", approved=True, by="ann"))
    assert told.run().exit_code == 0


def test_a_message_that_was_recorded_is_not_recorded_again(tmp_path: Path) -> None:
    """A crash between the commit and the removal of the message changes nothing."""
    told = story(tmp_path, task("a"))
    told.inbox = Memory(CheckpointRequest(name="here"))
    told.run()
    told.inbox = Memory(CheckpointRequest(name="here"))
    told.run()
    assert [one.name for one in told.state().checkpoints].count("here") == 1


# -- ends ---------------------------------------------------------------------------------------------


def test_a_token_limit_stops_before_the_next_task(tmp_path: Path) -> None:
    """What ran is kept, the rest is pending, exit code 5."""

    def work(task_id: str, attempt: int) -> ev.Ending:
        return ev.TaskCompleted(task=task_id, attempt=attempt, usage=ev.Usage(input_tokens=60))

    told = story(tmp_path, *(task(name) for name in "abc"), limits=Limits(max_tokens=100))
    assert told.run(work).exit_code == 5
    assert told.statuses() == {"a": "completed", "b": "completed", "c": "pending"}


@pytest.mark.timeout(30)
def test_what_runs_when_a_limit_is_reached_comes_to_its_end(tmp_path: Path) -> None:
    """The limit is reached in every turn from then on, and the attempt has its share of the loop still."""

    async def work(task_id: str, attempt: int) -> ev.Ending:
        if task_id == "long":
            await asyncio.sleep(0.05)
        return ev.TaskCompleted(task=task_id, attempt=attempt, usage=ev.Usage(input_tokens=60))

    tasks = task("short"), task("long"), task("never")
    told = story(
        tmp_path, *tasks, limits=Limits(max_tokens=50), execution_mode="parallel", max_concurrent_tasks=2
    )
    assert told.run(work).exit_code == 5
    assert told.statuses() == {"short": "completed", "long": "completed", "never": "pending"}


def test_a_time_limit_interrupts_and_can_be_resumed(tmp_path: Path) -> None:
    """Whoever is running is asked to stop; the task is pending again."""

    async def long(_task: str, _attempt: int) -> ev.Ending:
        await asyncio.sleep(60)
        raise AssertionError("was not interrupted")

    told = story(tmp_path, task("a"), limits=Limits(max_duration=5))
    told.clock = Clock(step=1)
    assert told.run(long).exit_code == 5
    assert told.statuses() == {"a": "pending"}
    told.clock = Clock()
    assert told.run().exit_code == 0


def test_a_closed_quota_window_ends_with_75_and_the_time(tmp_path: Path) -> None:
    """The task is not at fault: it is pending, and nothing else starts, where that is what is wanted."""
    stop, closed = Stop(), []

    def work(task_id: str, attempt: int) -> ev.Ending:
        closed.append(task_id)
        return ev.TaskInterrupted(
            task=task_id, attempt=attempt, reason="window closed", quota=True, until=2e9
        )

    def hold(_task: Task, _running: Sequence[Task]) -> float | None:
        if closed:
            stop.request(Exit.QUOTA, "window closed", interrupt=False, until=2e9)
        return 2e9 if closed else None

    told = story(tmp_path, task("a"), task("b"))
    ended = told.run(work, stop=stop, hold=hold)
    assert (ended.exit_code, ended.until) == (75, 2e9)
    assert told.statuses() == {"a": "pending", "b": "pending"}


def test_a_task_that_is_held_back_starts_when_its_time_has_come(tmp_path: Path) -> None:
    """Without an event until then, and without taking the place of others."""
    told = story(tmp_path, task("held"), task("free"))
    told.clock = Clock(step=1)
    opens = told.clock.now + 30

    def hold(one: Task, _running: Sequence[Task]) -> float | None:
        return opens if one.id == "held" and told.clock.now < opens else None

    assert told.run(hold=hold).exit_code == 0
    assert told.started() == ["free", "held"]
    [began] = [event for event in told.seen if isinstance(event, ev.TaskStarted) and event.task == "held"]
    assert began.at >= opens


def test_a_bug_in_one_attempt_does_not_cost_the_others_results(tmp_path: Path) -> None:
    """The exception comes out at the end, after what else ended was recorded."""

    async def work(task_id: str, attempt: int) -> ev.Ending:
        if task_id == "buggy":
            raise RuntimeError("our fault")
        return done(task_id, attempt)

    told = story(tmp_path, task("buggy"), task("fine"), execution_mode="parallel", max_concurrent_tasks=2)
    with pytest.raises(RuntimeError, match="our fault"):
        told.run(work)
    assert told.statuses() == {"buggy": "pending", "fine": "completed"}


def test_a_full_disk_in_an_attempt_ends_with_7(tmp_path: Path) -> None:
    """The machine failed, not the task."""

    async def work(_task: str, _attempt: int) -> ev.Ending:
        raise MachineError("no space left")

    told = story(tmp_path, task("a"))
    assert told.run(work).exit_code == 7
    assert told.statuses() == {"a": "pending"}


def test_an_observer_that_fails_is_dropped_and_the_run_goes_on(tmp_path: Path) -> None:
    """What may stop a task is not an observer."""

    class Clumsy:
        calls = 0

        def event(self, _event: ev.Event, _state: SessionState) -> None:
            self.calls += 1
            raise ValueError("dropped something")

    clumsy = Clumsy()
    told = story(tmp_path, task("a"), task("b"))
    assert told.run(observers=[clumsy]).exit_code == 0
    assert clumsy.calls == 1


def test_nothing_starts_before_its_start_is_durable(tmp_path: Path) -> None:
    """Inside the attempt, its own start can be read back from the disk."""

    def work(task_id: str, attempt: int) -> ev.Ending:
        assert task_id in told.started()
        return done(task_id, attempt)

    told = story(tmp_path, task("a"), task("b", dependencies=("a",)))
    assert told.run(work).exit_code == 0


def test_a_stop_asks_each_attempt_once(tmp_path: Path) -> None:
    """A second cancellation would cut an attempt's own clean-up short."""
    stop, asked = Stop(), []

    async def work(task_id: str, attempt: int) -> ev.Ending:
        from aca.errors import Exit

        stop.request(Exit.INTERRUPTED, "Ctrl-C", interrupt=True)
        for _ in range(3):
            try:
                await asyncio.sleep(0.3)
            except asyncio.CancelledError:
                asked.append(task_id)
        return done(task_id, attempt)

    told = story(tmp_path, task("a"), task("b"))
    assert told.run(work, stop=stop).exit_code == 130
    assert asked == ["a"]
    assert told.statuses() == {"a": "completed", "b": "pending"}


def test_tasks_that_are_held_apart_do_not_run_side_by_side(tmp_path: Path) -> None:
    """Those of one kind take turns; others go past them, and everything gets done."""
    together: list[set[str]] = []

    def hold(one: Task, running: Sequence[Task]) -> float | None:
        together.append({one.id, *(other.id for other in running)})
        return math.inf if any(one.id[0] == other.id[0] for other in running) else None

    names = [f"{kind}{number}" for number in range(3) for kind in "ab"]
    told = story(tmp_path, *map(task, names), execution_mode="parallel", max_concurrent_tasks=6)
    assert told.run(hold=hold).exit_code == 0
    assert told.peak == 2
    assert set(told.statuses().values()) == {"completed"}
    assert any(len(kinds) > 1 for kinds in together)


def test_a_task_that_is_held_until_a_time_starts_then(tmp_path: Path) -> None:
    """It takes no room meanwhile, nor does it end the run."""
    told = story(tmp_path, task("late"), task("soon"))
    told.clock.step = 1.0
    opens = told.clock() + 50.0

    def hold(one: Task, _running: Sequence[Task]) -> float | None:
        return opens if one.id == "late" and told.clock.now < opens else None

    assert told.run(hold=hold).exit_code == 0
    assert told.started() == ["soon", "late"]
