"""Budgets of agents that call their model by themselves: each gets its part of what is left."""

from __future__ import annotations

import json
import signal

import pytest

from aca.core import events as ev
from tests.attempts.test_attempts import CLAUDE
from tests.model_server import ModelServer, text, tool
from tests.project import Project
from tests.real_parts import claude, claude_variables

ONE_AFTER_THE_OTHER = "1. One {#one}\n2. Two {#two}\n3. Three {#three}\n"


def install(project: Project, acts: str, tasks: str = ONE_AFTER_THE_OTHER) -> None:
    """A program that prints what claude would, and *acts* so in each task."""
    project.write({"claude": f"{CLAUDE}{acts}\n"})
    (project.root / "claude").chmod(0o755)
    front = "---\nprovider: claude-cli\nproviders: {claude-cli: {command: ./claude}}\n---\n"
    project.write({"tasks.md": front.replace("./claude", str(project.root / "claude")) + tasks})


def allowed(project: Project) -> list[float | None]:
    """What each call of claude was told that it may spend."""
    calls = [json.loads(line) for line in project.read("calls").splitlines()]
    flag = "--max-budget-usd"
    return [float(call[call.index(flag) + 1]) if flag in call else None for call in calls]


def test_claude_is_told_what_is_left(project: Project) -> None:
    """Of the session's budget, by what the ones before it have cost."""
    install(project, "end(total_cost_usd=0.25)")
    outcome = project.run("--task-file", "tasks.md", "--max-cost", "1")
    assert allowed(project) == [1.0, 0.75, 0.5]
    assert "$0.75" in outcome.stdout


def test_claude_is_told_nothing_without_a_budget(project: Project) -> None:
    """It has its own settings."""
    install(project, "end(total_cost_usd=0.25)")
    project.run("--task-file", "tasks.md")
    assert allowed(project) == [None] * 3


def test_claude_is_not_started_when_nothing_is_left(project: Project) -> None:
    """Exit code 5, and how to go on; what it did until then counts."""
    install(project, "end(total_cost_usd=0.6)")
    outcome = project.run("--task-file", "tasks.md", "--max-cost", "1", expect=5)
    assert allowed(project) == [1.0, 0.4]
    assert "the cost limit is reached: $1.20 of $1.00; `aca resume --max-cost 2` goes on" in outcome.stdout
    project.run("resume", "--max-cost", "2")
    assert allowed(project) == [1.0, 0.4, 0.8]


def test_the_limit_that_is_advised_is_enough_to_go_on(project: Project) -> None:
    """Also where one agent used up many times the limit, and where an agent needs more than all of it."""
    install(project, "end(total_cost_usd=0.3)")
    outcome = project.run("--task-file", "tasks.md", "--max-cost", "0.002", expect=5)
    assert "`aca resume --max-cost 0.016` goes on" in outcome.stdout
    outcome = project.run("resume", "--max-cost", "0.016", expect=5)
    assert "$0.30 of $0.016; `aca resume --max-cost 0.512` goes on" in outcome.stdout
    project.run("resume", "--max-cost", "0.512", expect=5)
    assert len(allowed(project)) == 2


def test_agents_side_by_side_share_what_is_left(project: Project) -> None:
    """One that has used up its part goes on with another one, in the same conversation."""
    tasks = "".join(f"- [ ] {name} {{#{name}}}\n" for name in ("one", "two"))
    spends = "end(subtype='error_max_budget_usd', is_error=True, result=None, total_cost_usd=0.5,"
    first = 'if number == 1 and os.environ["ACA_TASK"] == "one":'
    install(
        project, f"{first} {spends} errors=['Reached maximum budget'])\nelse: end(total_cost_usd=0.1)", tasks
    )
    project.run("--task-file", "tasks.md", "-j", "2", "--max-cost", "1")
    told = sorted(value or 0 for value in allowed(project))
    assert told[1:] == [0.5, 0.5]
    assert told[0] <= 0.4
    starts = [event.task for event in project.journal() if isinstance(event, ev.TaskStarted)]
    assert sorted(starts) == ["one", "one", "two"]
    assert "--resume" in project.read("calls")


def test_claude_s_own_cap_of_a_task_fails_it(project: Project) -> None:
    """What it may still spend is not enough to be started once more."""
    spends = "end(subtype='error_max_budget_usd', is_error=True, result=None, total_cost_usd=0.5)"
    install(project, spends, "- [ ] One {#one limits.max_cost_usd=0.5}\n")
    outcome = project.run("--task-file", "tasks.md", expect=1)
    assert allowed(project) == [0.5]
    assert 'the cost limit of task "one" is reached: $0.50 of $0.50' in outcome.stdout


def test_an_agent_that_was_killed_has_spent_what_it_was_allowed(project: Project) -> None:
    """Nobody knows better, and a cap holds only where it is not taken for nothing."""
    acts = "if number == 1: open('busy', 'w').close(); time.sleep(60)\nend(total_cost_usd=0.1)"
    install(project, acts, "- [ ] One {#one}\n")
    running = project.start("--task-file", "tasks.md", "--max-cost", "1")
    running.until(lambda: (project.root / "busy").exists())
    running.kill()
    outcome = project.run("resume", "--max-cost", "2")
    assert allowed(project) == [1.0, 1.0]
    assert "$1.10, 1 call estimated" in outcome.stdout


def test_an_agent_that_is_stopped_has_spent_what_it_told(project: Project) -> None:
    """Not all that it was allowed: its messages say what they used, and the list what that costs."""
    usage = '{"input_tokens": 1000, "output_tokens": 100}'
    message = f'{{"id": "m1", "model": "claude-sonnet-4-5", "usage": {usage}, "content": []}}'
    acts = f"say(type='assistant', message={message})\nopen('busy', 'w').close(); time.sleep(60)"
    install(project, acts, "- [ ] One {#one}\n")
    running = project.start("--task-file", "tasks.md", "--max-cost", "1")
    running.until(lambda: (project.root / "busy").exists())
    running.signal(signal.SIGINT)
    running.finish(expect=130)
    spent = project.session().state().spent
    assert (spent.tokens, spent.estimated, spent.unknown_costs) == (1100, 1, 0)
    assert spent.cost_usd == pytest.approx(0.0045)


def test_time_limits_do_not_give_an_agent_its_money_again(project: Project) -> None:
    """What it was allowed counts as spent when it is cut off, so that it is not tried once more."""
    install(project, "time.sleep(60)", "- [ ] One {#one timeout=2s retries=4 retry_delay=0s}\n")
    outcome = project.run("--task-file", "tasks.md", "--max-cost", "1", expect=5)
    assert allowed(project) == [1.0]
    assert "the cost limit is reached: $1.00 of $1.00" in outcome.stdout
    assert "1 call estimated" in outcome.stdout


def test_an_agent_that_cannot_be_started_has_spent_nothing(project: Project) -> None:
    """What ends by itself before it has said a word leaves the money to the next attempt."""
    first = "if number == 1: sys.exit(1)"
    install(project, f"{first}\nend(total_cost_usd=0.25)", "- [ ] One {#one retry_delay=0s}\n")
    outcome = project.run("--task-file", "tasks.md", "--max-cost", "1")
    assert allowed(project) == [1.0, 1.0]
    assert "$0.25 + 1 call of unknown cost" in outcome.stdout


# -- the real one -----------------------------------------------------------------------------------------


def environment(server: ModelServer) -> dict[str, str]:
    return claude_variables(server.url("work"), retries=1)


def test_the_real_claude_stops_at_what_it_is_allowed_and_goes_on(
    project: Project, server: ModelServer
) -> None:
    """It notices after the turn that passes it; a larger budget continues the conversation."""
    writes = [[tool("Write", file_path=str(project.root / f"{n}.txt"), content="x")] for n in range(3)]
    server.script("work", *writes, [text("Written.")])
    server.weigh = lambda _body: (20_000, 1_000)
    front = f"---\nprovider: claude-cli\nproviders: {{claude-cli: {{command: [{claude()}]}}}}\n---\n"
    project.write({"tasks.md": f"{front}- [ ] Write {{#write model=claude-haiku-4-5}}\n"})
    env = environment(server)
    outcome = project.run("--task-file", "tasks.md", "--max-cost", "0.04", env=env, expect=5)
    assert "the cost limit is reached" in outcome.stdout
    before = project.session().state().spent.cost_usd
    assert 0.04 <= before < 0.08

    outcome = project.run("resume", "--max-cost", "1", env=env)

    assert "1 completed" in outcome.stdout
    assert project.session().state().spent.cost_usd > before
    assert sorted(path.name for path in project.root.glob("*.txt"))[-1] == "2.txt"
