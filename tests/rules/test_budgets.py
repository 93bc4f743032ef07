"""Budgets from the command line: a call that could pass a cap is not made, and a larger one goes on."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from aca.core import events as ev
from tests.contracts.models import KEY
from tests.model_server import Cut, Drip, Failure, Hang, ModelServer, Turn, text, tool
from tests.project import Project

LONGEST = 1000
SETTINGS = f"""\
provider = "anthropic"
model = "special"
[providers.anthropic]
max_tokens = {LONGEST}
[prices.special]
input = 10
output = 100
"""


def greedy(body: dict[str, Any]) -> tuple[int, int]:
    """A model that uses as much of an answer as it may have."""
    return len(json.dumps(body)) // 4, body["max_tokens"]


def environment(server: ModelServer) -> dict[str, str]:
    where = {"ANTHROPIC_BASE_URL": server.url("work"), "OPENAI_BASE_URL": server.url("work")}
    return {**where, "OLLAMA_HOST": server.url("work"), "ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}


def writing(name: str, times: int) -> list[Turn]:
    """Turns that write so many files, one each."""
    return [[tool("write", path=f"{name}-{number}", content="x")] for number in range(times)]


def calls(project: Project) -> list[ev.CallStarted]:
    return [event for event in project.journal() if isinstance(event, ev.CallStarted)]


def at_once(project: Project) -> int:
    """How many calls were under way at the same time, at most."""
    now = most = 0
    for event in project.journal():
        now += isinstance(event, ev.CallStarted) - isinstance(event, ev.CallEnded)
        most = max(most, now)
    return most


# -- the session's ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "cap", "more", "told"),
    [("--max-cost", 1.0, 20, "the cost limit"), ("--max-tokens", 20_000, 500_000, "the token limit")],
)
def test_parallel_tasks_never_pass_a_small_budget(
    project: Project, server: ModelServer, option: str, cap: float, more: int, told: str
) -> None:
    """Four at once, each answer as long as it may be: not a cent too much, and a larger budget goes on."""
    names = ("ant", "bee", "cat", "dog")
    for name in names:
        server.script("work", *writing(name, 5), [text("Done.")], when=name)
    server.weigh = greedy
    tasks = "".join(f"- [ ] Write about {{{name}}}\n" for name in names)
    project.write({"tasks.md": tasks.replace("{", "").replace("}", ""), "aca.toml": SETTINGS})
    outcome = project.run(
        "--task-file", "tasks.md", "-j", "4", option, f"{cap:g}", env=environment(server), expect=5
    )
    state = project.session().state()
    used = state.spent.cost_usd if option == "--max-cost" else state.spent.tokens
    assert cap / 2 < used <= cap
    assert at_once(project) > 1
    assert (state.spent.unknown_costs, state.spent.estimated) == (0, 0)
    assert told in outcome.stdout
    assert f"next     aca resume {option}" in outcome.stdout

    assert "4 completed" in project.run("resume", option, str(more), env=environment(server)).stdout
    assert len([*project.root.glob("*-4")]) == 4
    assert len(server.requests) == len(calls(project)) == 24


def test_the_answer_is_cut_to_what_is_left(project: Project, server: ModelServer) -> None:
    """The model is asked for no longer an answer than can be paid, and told what it may use."""
    server.script("work", [text("Done.")])
    project.write({"tasks.md": "- [ ] One\n", "aca.toml": SETTINGS})
    project.run("--task-file", "tasks.md", "--max-cost", "0.1", env=environment(server))
    assert 500 <= server.requests[0].body["max_tokens"] < LONGEST
    assert "You may use up to $0.10" in json.dumps(server.requests[0].body["system"])


def test_without_a_budget_nothing_is_cut_or_told(project: Project, server: ModelServer) -> None:
    """What a call costs is told all the same."""
    server.script("work", [text("Done.")])
    project.write({"tasks.md": "- [ ] One\n", "aca.toml": SETTINGS})
    outcome = project.run("--task-file", "tasks.md", env=environment(server))
    assert server.requests[0].body["max_tokens"] == LONGEST
    assert "You may use" not in json.dumps(server.requests[0].body)
    assert "120 tokens, $0.003" in outcome.stdout


def test_what_a_killed_call_has_reserved_counts_as_used(project: Project, server: ModelServer) -> None:
    """The calls before it are known; nothing is counted twice; the total says that it is estimated."""
    server.script("work", *writing("ant", 1), Hang(), [text("Done.")])
    project.write({"tasks.md": "- [ ] One\n", "aca.toml": SETTINGS})
    running = project.start("--task-file", "tasks.md", env=environment(server))
    server.wait_for(2)
    running.kill()
    assert project.session().state().spent.tokens == 120

    outcome = project.run("resume", env=environment(server))

    _, lost, _ = calls(project)
    spent = project.session().state().spent
    assert spent.tokens == 120 + lost.reserved.tokens + 120
    assert spent.cost_usd == pytest.approx(0.003 + (lost.reserved.cost_usd or 0) + 0.003)
    assert spent.estimated == 1
    assert ", 1 call estimated" in outcome.stdout
    total = project.run("costs", "--json").json["total"]
    assert (total["calls"], total["tokens"], total["estimated_calls"]) == (3, spent.tokens, 1)


def test_a_call_that_failed_has_used_nothing(project: Project, server: ModelServer) -> None:
    """What the server refused is tried again at no cost."""
    server.script("work", Failure(529, "overloaded_error", "busy"), [text("Done.")])
    project.write({"tasks.md": "- [ ] One\n", "aca.toml": SETTINGS})
    project.run("--task-file", "tasks.md", env=environment(server))
    assert len(calls(project)) == 2
    assert project.session().state().spent.tokens == 120


def test_an_answer_that_breaks_off_is_paid_for(project: Project, server: ModelServer) -> None:
    """The server has worked for it: what was reserved counts, as an estimate."""
    server.script("work", Cut(), [text("Done.")])
    project.write({"tasks.md": "- [ ] One\n", "aca.toml": SETTINGS})
    outcome = project.run("--task-file", "tasks.md", env=environment(server))
    lost, _ = calls(project)
    spent = project.session().state().spent
    assert spent.tokens == lost.reserved.tokens + 120
    assert spent.cost_usd == pytest.approx((lost.reserved.cost_usd or 0) + 0.003)
    assert ", 1 call estimated" in outcome.stdout


# -- of a task and a role ---------------------------------------------------------------------------------


def failures(project: Project) -> dict[str, tuple[str, str]]:
    """Category and reason of every task that failed for good."""
    events = [event for event in project.journal() if isinstance(event, ev.TaskFailed)]
    return {event.task: (event.category, event.reason) for event in events if not event.retry}


def test_a_task_s_own_cap_fails_it_alone(project: Project, server: ModelServer) -> None:
    """It is not tried again, its last call was not made, and the others go on."""
    server.script("work", *writing("ant", 9), when="ant")
    server.script("work", [text("Done.")], when="bee")
    server.weigh = greedy
    tasks = "- [ ] The ant {#ant limits.max_cost_usd=0.5}\n- [ ] The bee {#bee}\n"
    project.write({"tasks.md": tasks, "aca.toml": SETTINGS})
    outcome = project.run("--task-file", "tasks.md", env=environment(server), expect=1)
    state = project.session().state()
    assert 0.2 < state.spent_on["ant"].cost_usd <= 0.5
    assert state.states["bee"].status == "completed"
    [(category, reason)] = failures(project).values()
    assert category == "budget"
    assert 'the cost limit of task "ant" has no room for another call' in reason
    assert "raise its limits.max_cost_usd" in outcome.stdout
    assert [event.attempt for event in project.journal() if isinstance(event, ev.TaskStarted)] == [1, 1]


SPENDS = 'tasks."*".steps = [{usage = {input_tokens = 300, cost_usd = 0.3}}, {say = "done"}]\n'


def replayed(project: Project, tasks: str, front: str = "") -> None:
    project.write({"tasks.md": project.replay(SPENDS).replace("---\n", f"---\n{front}", 1) + tasks})


def test_a_group_s_cap_holds_for_all_that_is_in_it(project: Project) -> None:
    """The third part would begin after the cap is reached."""
    parts = "".join(f"  - [ ] {name} {{#{name}}}\n" for name in ("one", "two", "three"))
    replayed(project, f"- [ ] Group {{#group limits.max_tokens=500}}\n{parts}- [ ] Other {{#other}}\n")
    project.run("--task-file", "tasks.md", expect=1)
    state = project.session().state()
    assert state.spent_on["group"].tokens == 600
    assert state.states["other"].status == "completed"
    assert failures(project)["three"] == (
        "budget",
        'the token limit of task "group" is reached: 600 of 500; raise its limits.max_tokens',
    )


def test_a_role_s_cap_holds_for_all_its_tasks(project: Project) -> None:
    """And for no others."""
    tasks = "".join(f"- [ ] {name} {{#{name} role=writer}}\n" for name in ("one", "two", "three"))
    front = "roles: {writer: {limits: {max_cost_usd: 0.5}}}\n"
    replayed(project, f"{tasks}- [ ] Other {{#other}}\n", front)
    outcome = project.run("--task-file", "tasks.md", expect=1)
    assert project.session().state().states["other"].status == "completed"
    assert list(failures(project)) == ["three"]
    assert 'the cost limit of role "writer" is reached: $0.60 of $0.50' in outcome.stdout


def test_a_task_s_time_is_used_up_over_all_its_attempts(project: Project) -> None:
    """However often it may be tried again."""
    project.write({"tasks.md": '- [ ] One {#one run="sleep 30" retries=9 limits.max_duration=500ms}\n'})
    project.run("--task-file", "tasks.md", expect=1)
    [(category, reason)] = failures(project).values()
    assert (category, "its time is used up" in reason) == ("budget", True)


def test_a_backup_gets_what_is_left_of_the_time(project: Project) -> None:
    """And is not begun anew: what it takes longer is the budget's failure."""
    attributes = "limits.max_duration=1s backup='sleep 30'"
    project.write({"tasks.md": f"- [ ] One {{#one run='sleep 0.6; false' {attributes}}}\n"})
    project.run("--task-file", "tasks.md", expect=1)
    [(category, reason)] = failures(project).values()
    assert (category, "its time is used up after 1 s more" in reason) == ("budget", True)
    [took] = [event.seconds for event in project.journal() if isinstance(event, ev.TaskFailed)]
    assert 1.0 <= took < 1.5


def test_waiting_for_others_is_no_time_of_a_task(project: Project, server: ModelServer) -> None:
    """It waits for the room that another one has set aside; what counts is when it worked."""
    server.script("work", Drip([text("Done.")], 0.25), when="Slow")
    server.script("work", [text("Done.")], when="Quick")
    project.write({"aca.toml": SETTINGS})
    tasks = "- [ ] Slow {#slow}\n- [ ] Quick {#quick}\n"
    project.write({"tasks.md": tasks})
    project.run("--task-file", "tasks.md", "-j", "2", "--max-tokens", "4000", env=environment(server))
    begun = {event.task: event.at for event in project.journal() if isinstance(event, ev.TaskStarted)}
    ends = [event for event in project.journal() if isinstance(event, ev.TaskCompleted)]
    waited = {event.task: event.at - begun[event.task] - event.seconds for event in ends}
    assert waited["slow"] < 0.5 < waited["quick"]


def test_a_group_s_time_is_that_of_its_parts_together(project: Project) -> None:
    """What runs when it is used up is cut off, and what would begin after that does not begin."""
    names = ("one", "two", "three")
    parts = "".join(f'  - [ ] {name} {{#{name} run="sleep 0.6; touch {name}"}}\n' for name in names)
    project.write({"tasks.md": f"- [ ] Group {{#group limits.max_duration=1s}}\n{parts}"})
    project.run("--task-file", "tasks.md", expect=1)
    told = failures(project)
    assert [told[name][0] for name in ("two", "three")] == ["budget", "budget"]
    assert told["three"][1].startswith('the time limit of task "group" is reached: 1s in attempts')
    assert [name for name in names if (project.root / name).exists()] == ["one"]


def test_tasks_of_a_group_use_up_its_time_side_by_side(project: Project) -> None:
    """Two at once take half as long; what runs then is cut off, and has failed."""
    parts = "".join(f'  - [ ] {name} {{#{name} run="sleep 30"}}\n' for name in ("one", "two"))
    project.write({"tasks.md": f"- [ ] Group {{#group limits.max_duration=1s}}\n{parts}"})
    project.run("--task-file", "tasks.md", "-j", "2", expect=1)
    cut_off = [event for event in project.journal() if isinstance(event, ev.TaskInterrupted)]
    assert {event.task for event in cut_off} <= {"one", "two"}
    assert cut_off
    told = failures(project)
    assert told[cut_off[0].task][1].startswith('the time limit of task "group" is reached: 1s in attempts')


def test_what_a_killed_attempt_took_counts(project: Project) -> None:
    """As far as anything is known of it: until the last event before the end."""
    quick, slow = '- [ ] Quick {#quick run="sleep 0.3"}\n', '- [ ] Slow {#slow run="sleep 30"}\n'
    project.write({"tasks.md": quick + slow})
    running = project.start("--task-file", "tasks.md", "-j", "2")
    running.until(
        lambda: project.sessions() and "task_completed" in project.session().journal_path.read_text()
    )
    running.kill()
    project.run("resume", "--max-duration", "500ms", expect=5)
    [killed, _] = [event for event in project.journal() if isinstance(event, ev.TaskInterrupted)]
    assert killed.task == "slow"
    assert killed.seconds >= 0.25


def test_a_call_that_reached_nobody_costs_nothing(project: Project) -> None:
    """No connection, no call: the cap is untouched."""
    project.write(
        {"aca.toml": f"{SETTINGS}[rate_limiting]\nmax_backoff_seconds = 0.01\n", "tasks.md": "- [ ] One\n"}
    )
    env = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}
    running = project.start("--task-file", "tasks.md", "--max-cost", "1", env=env)
    running.until(
        lambda: project.sessions() and any(isinstance(one, ev.CallEnded) for one in project.journal())
    )
    running.signal(signal.SIGINT)
    running.finish()
    first = next(event for event in project.journal() if isinstance(event, ev.CallEnded))
    told = first.estimated, first.usage and first.usage.cost_usd
    assert told == (False, 0.0)  # a later one may be cut off


# -- what nobody knows ------------------------------------------------------------------------------------


def test_an_unknown_price_is_warned_of_and_never_nothing(project: Project, server: ModelServer) -> None:
    """Once when it begins, once at the end; tokens are limited all the same."""
    server.script("work", *writing("ant", 3), [text("Done.")])
    project.write({"tasks.md": "- [ ] One\n"})
    args = ("--task-file", "tasks.md", "--provider", "openai", "--model", "mystery")
    outcome = project.run(*args, "--max-cost", "1", env=environment(server))
    warning = "warning: what openai, mystery costs is not known, and no cost limit can count it"
    assert outcome.stderr.count(warning) == 1
    assert "480 tokens, cost unknown" in outcome.stdout
    assert "warning  no cost limit has counted the 4 calls of unknown cost" in outcome.stdout
    assert project.run("costs", "--json").json["total"]["cost_usd"] is None
    assert project.run("status", "--json").json["usage"]["cost_usd"] is None


def test_tokens_are_limited_without_a_price(project: Project, server: ModelServer) -> None:
    """Exit code 5, before the call that could pass the limit."""
    server.script("work", *writing("ant", 9))
    server.weigh = greedy
    project.write({"tasks.md": "- [ ] One {model=mystery}\n", "aca.toml": SETTINGS})
    project.run("--task-file", "tasks.md", "--max-tokens", "9000", env=environment(server), expect=5)
    assert 2000 < project.session().state().spent.tokens <= 9000


@pytest.mark.parametrize(
    ("provider", "model", "cost"),
    [
        ("anthropic", "claude-opus-5-5", 100 * 4 + 20 * 20),
        ("openai", "gpt-5.5", 70 * 5 + 30 * 0.5 + 20 * 30),
        ("ollama", "small", 0.0),
    ],
)
def test_the_vendors_prices_are_known(
    project: Project, server: ModelServer, provider: str, model: str, cost: float
) -> None:
    """Cached tokens at their own price, and one's own machine for nothing."""
    server.script("work", [text("Done.")])
    project.write({"tasks.md": "- [ ] One\n"})
    args = ("--task-file", "tasks.md", "--provider", provider, "--model", model)
    project.run(*args, env=environment(server))
    total = project.run("costs", "--json").json["total"]
    assert total["cost_usd"] == pytest.approx(cost / 1_000_000)
    assert total["tokens"] == 120


# -- retries ----------------------------------------------------------------------------------------------


def test_a_storm_of_retries_stops(project: Project) -> None:
    """Everything fails again and again: after so many retries of the run each failure is the last."""
    front = "---\nlimits: {max_retries: 5}\ndefaults: {retry_delay: 1ms}\n---\n"
    tasks = "".join(f'- [ ] T{number} {{run="false" retries=2}}\n' for number in range(6))
    project.write({"tasks.md": front + tasks})
    outcome = project.run("--task-file", "tasks.md", expect=1)
    retries = [event.retry for event in project.journal() if isinstance(event, ev.TaskFailed)]
    assert (retries.count(True), retries.count(False)) == (5, 6)
    assert "(not tried again: the run's 5 retries, limits.max_retries, are used up)" in outcome.stdout
    project.run("resume", "--failed", expect=1)
    assert sum(event.retry for event in project.journal() if isinstance(event, ev.TaskFailed)) == 10


# -- before it runs ---------------------------------------------------------------------------------------


def test_a_dry_run_shows_every_cap(project: Project) -> None:
    """The session's, a role's, a task's."""
    front = "limits: {max_cost_usd: 3, max_retries: 7}\nroles: {writer: {limits: {max_tokens: 5000}}}\n"
    replayed(project, "- [ ] One {role=writer limits.max_cost_usd=0.25 limits.max_duration=5m}\n", front)
    told = project.run("--task-file", "tasks.md", "--dry-run").stdout
    limits = [line.strip() for line in told.splitlines() if "limit" in line]
    assert limits == [
        "limit: $0.25",
        "limit: 5m in attempts",
        "limit: $3.00",
        "limit: 7 retries per run",
        "limit of role writer: 5,000 tokens",
    ]


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("limits.max_cost_usd=0", "limits.max_cost_usd"),
        ("limits.max_cost=1", 'did you mean "max_cost_usd"?'),
        ("limits.max_retries=1", "max_retries"),
    ],
)
def test_a_cap_that_cannot_be_one_is_told_with_its_line(project: Project, attribute: str, told: str) -> None:
    """Nothing has run then."""
    project.write({"tasks.md": f"- [ ] One\n- [ ] Two {{{attribute}}}\n"})
    outcome = project.run("--task-file", "tasks.md", expect=2)
    assert "tasks.md:2" in outcome.stderr
    assert told in outcome.stderr
