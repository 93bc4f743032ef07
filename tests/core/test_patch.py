"""What an agent may hand in as subtasks, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.core.patch import MAX_DEPTH, MAX_SUBTASKS, subtasks
from aca.core.state import SessionState
from aca.plans.plan import Plan, profile
from aca.plans.settings import Role
from aca.plans.task import Task
from tests.core.stories import task

ROLES = {
    "reviewer": Role(permissions="read-only", model="careful"),
    "deployer": Role(permissions="full"),
    "writer": Role(system_prompt="You write."),
    "stranger": Role(provider="ollama"),
    "colleague": Role(provider="openai", model="big"),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def handed_in(*given: Any, plan: Plan | None = None) -> tuple[list[Task], list[str]]:
    """The tasks that become of *given*, handed in by the task ``big``, and what is wrong with them."""
    state = SessionState(plan or Plan(tasks=(task("big"), task("other"))))
    patch, found = subtasks(state, state.tasks["big"], given, {"there.md"}.__contains__)
    assert found or len(patch) == len(given)
    return [Task.model_validate(data) for data in patch], [fault.message for fault in found]


def of(parent: Task, *more: Task) -> Plan:
    return Plan(tasks=(parent, *more), roles=ROLES)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"dependencies": 5}, "subtask 1: dependencies should be a list of ids or titles, not 5"),
        ({"dependencies": ["other", 5]}, "subtask 1: dependencies should be a list of ids or titles"),
        ({"id": ["x"]}, 'subtask 1: id should be text, not ["x"]'),
        ({"title": ""}, 'subtask 1: title should be text, and not empty, not ""'),
        ({"priority": 11}, "subtask 1: priority should be a number from 0 to 10, not 11"),
        ({"kind": "approval"}, 'subtask 1: kind should be "agent" or "command", not "approval"'),
        ({"command": ["ls", 5]}, "subtask 1: command should be a shell line or a list of words"),
        ({"checks": [{"run": "ls", "timeout": "soon"}]}, "subtask 1: checks should be a list of commands"),
        ({"nmae": "x"}, "subtask 1: nmae is not a key of a task"),
        ({"id": "a b"}, '"a b" cannot be an id'),
        ({"kind": "command"}, 'task "big.a" is a command without one'),
        ({"dependencies": ["nobody"]}, 'task "big.a" needs "nobody", which is not in this plan'),
        ({"dependencies": ["big"]}, "these tasks wait for each other: big -> big.a -> big"),
        ({"file_refs": ["there.md", "/etc/passwd"]}, 'file_refs: there is no file "/etc/passwd"'),
        ({"role": "cook"}, 'there is no role "cook"'),
    ],
)
def test_what_cannot_be_used_is_told(said: dict[str, Any], told: str) -> None:
    """Once, by the number of the subtask and the key, in words for whoever wrote it."""
    _, found = handed_in({"title": "A", **said})
    assert len(found) == 1
    assert told in found[0]


@pytest.mark.parametrize("wrong", [5, None, "text", ["title"]])
def test_what_is_no_table_is_told(wrong: object) -> None:
    """A list of titles, for example."""
    _, found = handed_in({"title": "A"}, wrong)
    assert "subtask 2: should be a table, not " in found[0]


def test_a_title_there_must_be() -> None:
    """And every subtask that is wrong is told of, not only the first."""
    assert handed_in({}, {"id": "b"})[1] == ["subtask 1: has no title", "subtask 2: has no title"]


KEYS = st.sampled_from([*Task.model_fields, "x"])


@given(st.lists(JSON | st.dictionaries(KEYS, JSON, max_size=6), max_size=4))
def test_nothing_a_model_can_say_is_an_exception(said: list[Any]) -> None:
    """It is used, or it is told why not."""
    handed_in(*said)


@pytest.mark.parametrize(
    "key",
    sorted(
        {
            "provider",
            "model",
            "env",
            "cwd",
            "status",
            "backup",
            "on_failure",
            "parent_id",
            "context",
            "retries",
        }
    ),
)
def test_what_is_not_an_agent_s_to_say_is_refused_by_name(key: str) -> None:
    """Where, as whom and with what the work is done comes from the task that is split."""
    assert handed_in({"title": "A", key: "x"})[1] == [f"subtask 1: {key} cannot be set by an agent"]


def test_place_provider_and_limits_are_the_parent_s() -> None:
    """Nothing else is taken from it."""
    said = {
        "provider": "openai",
        "model": "m",
        "cwd": "sub",
        "env": {"A": "1"},
        "timeout": 60,
        "role": "writer",
    }
    parent = task("big", permissions="full", priority=9, tags=("x",), checks=("false",), **said)
    [made], _ = handed_in({"title": "A"}, plan=of(parent))
    assert made.model_dump(include={*said}) == said
    assert (made.permissions, made.priority, made.tags, made.checks) == ("full", 5, (), ())


@pytest.mark.parametrize(
    ("own", "asked", "gets"),
    [
        ("read-only", "full", "read-only"),
        ("workspace-write", "full", "workspace-write"),
        ("workspace-write", "read-only", "read-only"),
        ("full", "workspace-write", "workspace-write"),
        ("full", None, "full"),
    ],
)
def test_permissions_are_the_lesser_of_both(own: Any, asked: Any, gets: str) -> None:
    """Asking for more is no fault, and brings nothing."""
    plan = of(task("big", permissions=own))
    [made], _ = handed_in({"title": "A", "permissions": asked}, plan=plan)
    assert profile(plan, made).permissions == gets


@pytest.mark.parametrize("said", [{"kind": "command", "command": "ls"}, {"checks": ["ls"]}])
def test_who_may_only_read_hands_in_nothing_that_runs(said: dict[str, Any]) -> None:
    """A command would write with somebody else's hands."""
    _, found = handed_in({"title": "A", **said}, plan=of(task("big", role="reviewer")))
    assert [message.endswith("cannot be given by a task that is read-only") for message in found] == [True]
    [made], found = handed_in({"title": "A", **said})
    assert (made.command or made.checks[0].run, found) == ("ls", [])


def test_a_role_may_be_given_that_may_no_more() -> None:
    """Its model comes with it, and what it may is the least of all that is said."""
    plan = of(task("big", model="mine", provider="openai"))
    [made], _ = handed_in({"title": "A", "role": "reviewer", "permissions": "full"}, plan=plan)
    gets = profile(plan, made)
    assert (gets.permissions, gets.model, gets.provider) == ("read-only", "careful", "openai")
    _, found = handed_in({"title": "A", "role": "deployer"}, plan=plan)
    assert found == ['subtask 1: the role "deployer" has permissions full, more than workspace-write']


def test_a_role_without_permissions_does_not_raise_them() -> None:
    """The plan's default is more than what its parent has."""
    plan = of(task("big", permissions="read-only"))
    [made], _ = handed_in({"title": "A", "role": "writer"}, plan=plan)
    assert profile(plan, made).permissions == "read-only"


def test_no_subtask_is_for_a_provider_that_nobody_has_looked_at() -> None:
    """A role may name one; then some task of the plan must be for it."""
    plan = of(task("big", provider="replay", model="mine"), task("other", provider="openai"))
    _, found = handed_in({"title": "A", "role": "stranger"}, plan=plan)
    assert found == ['subtask 1: the role "stranger" is for ollama, which this plan does not use']
    [made], _ = handed_in({"title": "A", "role": "colleague"}, plan=plan)
    assert (profile(plan, made).provider, profile(plan, made).model) == ("openai", "big")


# -- names -----------------------------------------------------------------------------------------------


def ids(*given: Any) -> list[tuple[str, tuple[str, ...]]]:
    """The id of each of the tasks, and what it needs."""
    made, found = handed_in(*given)
    assert found == []
    return [(one.id, one.dependencies) for one in made]


def test_two_with_the_same_title_are_two() -> None:
    """Each in its place, with what is said of it."""
    made, _ = handed_in({"title": "A", "priority": 1}, {"title": "A", "priority": 2})
    assert [(one.id, one.priority) for one in made] == [("big.a", 1), ("big.a-2", 2)]


def test_siblings_are_called_by_id_or_title_and_others_by_id() -> None:
    """An id that is taken is numbered, and still means the sibling."""
    assert ids(
        {"title": "First One"},
        {"title": "Second", "id": "other", "dependencies": "first one"},
        {"title": "Third", "dependencies": ["other", "Second", "big.first-one"]},
        {"title": "Fourth", "id": "mine"},
    ) == [
        ("big.first-one", ()),
        ("other-2", ("big.first-one",)),
        ("big.third", ("other-2", "big.first-one")),
        ("mine", ()),
    ]
    assert ids({"title": "A", "dependencies": ["other"]}) == [("big.a", ("other",))]


def test_a_name_that_means_two_is_refused() -> None:
    """Rather than one of them chosen."""
    _, found = handed_in({"title": "A"}, {"title": "a"}, {"title": "B", "dependencies": ["A"]})
    assert found == ['subtask 3: dependencies: "A" is the name of 2 subtasks']


@pytest.mark.parametrize("title", ["word " * 200, "任务" * 200, "😀", "a" * 500])
def test_long_titles_in_any_script_get_ids_that_fit(title: str) -> None:
    """However deep they are, and however many have the same."""
    plan = Plan(tasks=(task("big"),))
    state = SessionState(plan)
    parent = state.tasks["big"]
    for _ in range(MAX_DEPTH):
        patch, found = subtasks(state, parent, [{"title": title}] * 12, lambda _: False)
        assert (found, len({data["id"] for data in patch})) == ([], 12)
        assert max(len(data["id"].encode()) for data in patch) <= 120
        state = SessionState(Plan(tasks=(*state.tasks.values(), *map(Task.model_validate, patch))))
        parent = state.tasks[patch[-1]["id"]]
    _, found = subtasks(state, parent, [{"title": title}], lambda _: False)
    assert [fault.message for fault in found] == ["subtasks may be nested 5 deep, no deeper"]


def test_there_is_an_end_to_how_many() -> None:
    """An agent that only ever splits costs money."""
    assert "too many" in handed_in(*[{"title": "A"}] * (MAX_SUBTASKS + 1))[1][0]
