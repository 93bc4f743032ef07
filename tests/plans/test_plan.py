"""The small values of a plan, and what is wrong between tasks."""

from __future__ import annotations

from collections import ChainMap
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aca.plans import values
from aca.plans.container import Docker
from aca.plans.faults import faults, stays_inside, task_faults
from aca.plans.plan import Plan, profile
from aca.plans.settings import Defaults, Models, Role
from aca.plans.task import Task
from tests.core.stories import task


@given(st.integers(0, 10**10))
def test_every_duration_reads_back(millis: int) -> None:
    """What is dumped as text is the same number of seconds when loaded."""
    seconds = millis / 1000
    assert values.parse_duration(values.format_duration(seconds)) == pytest.approx(seconds, abs=1e-9)


@given(st.floats(0, 1e9))
def test_odd_fractions_of_a_second_survive_too(seconds: float) -> None:
    """No rounding on the way through a plan file."""
    again = values.parse_duration(values.format_duration(seconds))
    assert again == pytest.approx(seconds, abs=2e-9, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), (5, 5), ("30m", 1800), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25)]
)
def test_durations_are_written_in_many_ways(text: object, seconds: float) -> None:
    """Numbers are seconds; units can be combined."""
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "-3", -1, True, "inf", "nan", None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    """With a ValueError that pydantic turns into a message."""
    with pytest.raises(ValueError, match="duration"):
        values.parse_duration(text)


@pytest.mark.parametrize(("word", "number"), [("high", 7), ("LOW", 3), ("critical", 9), ("4", 4), (10, 10)])
def test_priorities_may_be_words(word: object, number: int) -> None:
    """Words are aliases of 0 to 10, bigger first."""
    assert Task.model_validate({"id": "a", "title": "A", "priority": word}).priority == number


def test_task_wins_over_role_wins_over_defaults() -> None:
    """The order in which one task's settings are resolved."""
    plan = Plan(
        defaults=Defaults(provider="replay", model="base", system_prompt="Be brief."),
        roles={"backend": Role(model="big", system_prompt="You write services.", permissions="read-only")},
    )
    plain = profile(plan, task("a"))
    roled = profile(plan, task("b", role="backend"))
    special = profile(plan, task("c", role="backend", model="mine"))
    assert (plain.model, roled.model, special.model) == ("base", "big", "mine")
    assert (plain.permissions, roled.permissions) == ("workspace-write", "read-only")
    assert roled.system_prompt == "You write services.\n\nBe brief."


def test_commands_are_not_repeated_unless_asked() -> None:
    """Retries by default are for agents: a failing linter fails again."""
    plan = Plan()
    assert profile(plan, task("a")).retries == 2
    assert profile(plan, task("b", kind="command", command="false")).retries == 0
    assert profile(plan, task("c", kind="command", command="false", retries=1)).retries == 1


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([task("a"), task("a")], 'two tasks have the id "a"'),
        ([task("a", dependencies=("b",))], 'task "a" needs "b", which is not in this plan'),
        ([task("a", parent_id="b")], 'task "a" has the parent "b", which is not in this plan'),
        ([task("a", role="cook")], 'there is no role "cook"'),
        ([task("a", kind="command")], 'task "a" is a command without one'),
        ([task("a", command="ls")], 'task "a" has a command but is an agent'),
        ([task("a", kind="approval"), task("b", parent_id="a")], "is a approval and cannot have subtasks"),
        ([task("a", cwd="../x")], 'cwd "../x" leads out of the workspace'),
        ([task("a", cwd="x\0y")], 'cwd "x" goes on with a null character'),
        ([task("a", cwd="ä" * 128)], "is too long for a path"),
        ([task("a", cwd="x/" * 1025)], "is too long for a path"),
        ([task("a/b")], '"a/b" cannot be an id'),
        ([task("..")], '".." cannot be an id'),
        ([task("a" * 121)], "cannot be an id"),
        ([task("任" * 41)], "cannot be an id"),
        ([task("a", backup="ls")], "has a backup but is an agent"),
    ],
)
def test_faults_between_tasks_are_found(tasks: list[Task], message: str) -> None:
    """Each kind of fault has its message and a place in the data."""
    found = faults(Plan(tasks=tuple(tasks)))
    assert [fault for fault in found if message in fault.message], found
    assert all(fault.loc[0] == "tasks" for fault in found)


def test_a_sound_plan_has_no_faults() -> None:
    """The validator does not cry wolf."""
    plan = Plan(tasks=(task("a"), task("b", dependencies=("a",)), task("c", parent_id="b")))
    assert faults(plan) == []


_SAID: list[dict[str, Any]] = [
    {},
    {"title": " "},
    {"kind": "approval"},
    {"kind": "command"},
    {"kind": "command", "command": "true"},
    {"command": "true"},
    {"backup": "true"},
    {"dependencies": ["a"]},
    {"dependencies": ["z"]},
    {"parent_id": "a"},
    {"parent_id": "z"},
    {"role": "known"},
    {"role": "unknown"},
    {"conversation": "own"},
    {"conversation": "parent"},
    {"cwd": "here"},
    {"cwd": "../there"},
    {"on_failure": "skip"},
    {"on_failure": "decompose"},
    {"output_schema": {"type": "object"}},
]
_IDS = st.sampled_from(["a", "a", "b", "-", "x" * 121])


@settings(max_examples=200)
@example({"a": [{"kind": "approval"}], "b": [{"parent_id": "a"}]})
@example({"a": [{"kind": "approval", "on_failure": "decompose"}]})
@given(st.dictionaries(_IDS, st.lists(st.sampled_from(_SAID), max_size=2), max_size=3))
def test_all_tasks_asked_at_once_tell_what_each_of_them_does(said: dict[str, list[dict[str, Any]]]) -> None:
    """Whether a plan is sound is a few questions for all of its tasks: they miss nothing."""
    tasks = [Task.model_validate({"id": name, "title": "T"} | dict(ChainMap(*said[name]))) for name in said]
    plan = Plan(roles={"known": Role()}, tasks=tuple(tasks))
    known = {task.id: task for task in tasks}
    groups = {task.parent_id for task in tasks if task.parent_id != task.id}
    told = [task_faults(task, plan, known, task.id in groups) for task in tasks]
    assert [fault.message for fault in faults(plan)] == [fault.message for some in told for fault in some]


@given(st.text(min_size=1, max_size=200), st.integers(1, 150))
def test_what_is_made_from_a_title_fits_into_an_id(title: str, longest: int) -> None:
    """File systems count bytes, and there is room for a number behind it."""
    made = values.slug(title, longest)
    assert not made or faults(Plan(tasks=(task(f"{made}-1234567"),))) == []
    assert len(made) <= longest


@given(st.text("aé任😀-.", max_size=200))
def test_an_id_that_is_too_long_is_shortened(name: str) -> None:
    """What fits stays as it is; what does not ends in a hash, so that two long ones stay two."""
    short = values.short_id(f"a{name}")
    assert len(short.encode()) <= values.MAX_ID_BYTES
    assert (short == f"a{name}") == (len(name.encode()) < values.MAX_ID_BYTES)
    assert values.short_id(f"{'任' * 40}{name}x") != values.short_id(f"{'任' * 40}{name}y")


@pytest.mark.parametrize(
    ("path", "inside"),
    [("a/b", True), (".", True), ("a/../b", True), ("..", False), ("a/../../b", False), ("/etc", False)],
)
def test_a_path_stays_inside_or_does_not(path: str, inside: bool) -> None:
    """Dots are followed, absolute paths are out."""
    assert stays_inside(path) is inside


SAID: dict[str, object] = {
    "kind": "command",
    "parent_id": "g",
    "role": "reviewer",
    "provider": "replay",
    "model": "m",
    "fallback": ("openai",),
    "permissions": "full",
    "workspace": "worktree",
    "docker": False,
    "conversation": "role",
    "retries": 7,
    "retry_delay": 3.0,
    "timeout": 5.0,
    "pass_env": ("A_KEY",),
    "estimated_complexity": 9,
}
"""A value of each field of a task that its profile depends on."""


@pytest.mark.parametrize("name", SAID)
def test_what_a_task_says_is_never_taken_for_what_another_says(name: str) -> None:
    """Profiles are kept for tasks that say the same: one that says anything else has another."""
    roles = {"reviewer": Role(system_prompt="Look closely.")}
    defaults = Defaults(conversation="parent", models=Models(complex="big"))
    plan = Plan(roles=roles, defaults=defaults, docker=Docker(image="python"))
    plain = profile(plan, task("a"))
    other = profile(plan, task("b").model_copy(update={name: SAID[name]}))
    assert other != plain
    assert profile(plan, task("c")) is plain


def test_a_changed_plan_has_profiles_of_its_own() -> None:
    """Nothing is left of those of the plan it was made from."""
    plan = Plan(defaults=Defaults(provider="openai"))
    assert profile(plan, task("a")).provider == "openai"
    changed = plan.model_copy(update={"defaults": Defaults(provider="ollama")})
    assert profile(changed, task("a")).provider == "ollama"
    assert profile(plan, task("a")).provider == "openai"
