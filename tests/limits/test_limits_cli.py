"""Limits from the command line: they pause, they are shown, and no task fails for them."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from aca.core import events as ev
from tests.model_server import Failure, ModelServer
from tests.project import Outcome, Project

KEY = "canary-key-0123456789abcdef"


def environment(server: ModelServer, scenario: str = "work") -> dict[str, str]:
    url = server.url(scenario)
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url, "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": url, "OLLAMA_HOST": url}  # fmt: skip


def tasks(count: int) -> str:
    return "".join(f"- [ ] Task number {number} {{#t{number}}}\n" for number in range(count))


def settings(**rates: object) -> str:
    table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in rates.items())
    return f'provider = "openai"\n[rate_limiting]\n{table}'


def steps(outcome: Outcome, kind: str) -> list[dict[str, Any]]:
    return [line for line in outcome.jsonl if line["type"] == "step" and line["step"] == kind]


def starts(project: Project) -> list[str]:
    return [event.task for event in project.journal() if isinstance(event, ev.TaskStarted)]


# -- rates ------------------------------------------------------------------------------------------------


def test_forty_requests_at_a_small_rate_wait_and_none_fails(project: Project, server: ModelServer) -> None:
    """At 1200 a minute, no more than 4 at once, they take 36/20 seconds at least."""
    server.script("work")
    project.write({"tasks.md": tasks(40), "aca.toml": settings(requests_per_minute=1200, burst_allowance=4)})
    outcome = project.run("--task-file", "tasks.md", "-j", "8", env=environment(server))
    assert "40 completed" in outcome.stdout
    assert len(server.requests) == 40
    began = min(event.at for event in project.journal() if isinstance(event, ev.TaskStarted))
    ended = max(event.at for event in project.journal() if isinstance(event, ev.TaskCompleted))
    assert ended - began >= 36 / 20


def test_waiting_is_shown_and_is_not_the_tasks_time(project: Project, server: ModelServer) -> None:
    """A task that waits for longer than it may work is not timed out; lines and JSON lines say for what."""
    server.script("work")
    project.write({"tasks.md": tasks(3), "aca.toml": settings(requests_per_minute=20, burst_allowance=1)})
    args = ("--task-file", "tasks.md", "-j", "3", "--timeout", "1500ms")
    outcome = project.run(*args, "--jsonl", env=environment(server))
    waits = steps(outcome, "waiting")
    assert {wait["reason"] for wait in waits} == {"openai requests/min"}
    assert max(wait["seconds"] for wait in waits) > 1.5
    assert outcome.jsonl[-1]["exit_code"] == 0


def test_a_pause_that_a_model_asks_for_is_not_the_tasks_time(project: Project, server: ModelServer) -> None:
    """A task that is told to come back later than its time limit is not timed out; it is shown to wait."""
    server.script("work", Failure(429, "rate_limit_error", "slow down", {"retry-after": "6"}))
    project.write({"tasks.md": tasks(1), "aca.toml": settings() + "[defaults]\nretries = 0\n"})
    args = ("--task-file", "tasks.md", "--timeout", "5s", "--jsonl")
    outcome = project.run(*args, env=environment(server))
    assert [wait["reason"] for wait in steps(outcome, "waiting")] == ["the next try with openai"]
    assert outcome.jsonl[-1]["exit_code"] == 0


def test_ctrl_c_ends_a_wait_at_once(project: Project, server: ModelServer) -> None:
    """And what waited is pending."""
    server.script("work")
    project.write({"tasks.md": tasks(2), "aca.toml": settings(requests_per_minute=1)})
    running = project.start("--task-file", "tasks.md", env=environment(server))
    running.until(lambda: "waiting" in running.stderr)
    assert "openai requests/min" in running.stderr
    began = time.monotonic()
    running.signal(signal.SIGINT)
    running.finish(expect=130)
    assert time.monotonic() - began < 3
    assert project.session().state().states["t1"].status == "pending"


def test_limits_hold_over_processes_and_a_resume(project: Project, server: ModelServer) -> None:
    """The second aca knows what the first one used; `aca status` says so, and no file has the key."""
    server.script("work")
    project.write({"tasks.md": tasks(1), "aca.toml": settings(requests_per_minute=1)})
    project.run("--task-file", "tasks.md", env=environment(server))
    running = project.start("--task-file", "tasks.md", env=environment(server))
    running.until(lambda: "waiting" in running.stderr)
    assert "openai: 1/1 requests/min, 1 waiting" in project.run("status").stdout
    running.kill()
    known = project.run("status", "--json").json["limits"]["openai"]
    assert known["per_minute"]["requests"] == {"used": 1, "allowed": 1}
    files = [path for path in project.root.parent.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    running = project.start("resume", env=environment(server))
    running.until(lambda: "waiting" in running.stderr)
    assert len(server.requests) == 1


def test_a_damaged_file_is_made_anew(project: Project, server: ModelServer) -> None:
    """Limits are learned again; no task suffers."""
    server.script("work")
    state = project.root.parent / "state"
    (state / "aca").mkdir(parents=True)
    (state / "aca" / "limits.sqlite").write_bytes(b"not a database" * 400)
    project.write({"tasks.md": tasks(1), "aca.toml": settings(requests_per_minute=60)})
    env = {**environment(server), "XDG_STATE_HOME": str(state)}
    project.run("--task-file", "tasks.md", env=env)
    assert (state / "aca" / "limits.sqlite").read_bytes().startswith(b"SQLite format 3")
    log = project.session().system_log.read_text()
    assert "cannot be used (file is not a database): limits are learned again" in log


def test_a_home_that_cannot_be_written_keeps_nobody_from_working(
    project: Project, server: ModelServer
) -> None:
    """Limits then hold for this process alone."""
    server.script("work")
    project.write({"tasks.md": tasks(1), "aca.toml": settings(requests_per_minute=60), "file": ""})
    env = {**environment(server), "HOME": str(project.root / "file")}
    assert "1 completed" in project.run("--task-file", "tasks.md", env=env).stdout


def test_what_cannot_be_a_rate_is_told_with_its_line(project: Project) -> None:
    """Before anything runs; the nearest known key is named."""
    wrong = "[rate_limiting]\nrequest_per_minute = 3\n[rate_limiting.providers.openai]\nburst_allowance = 0\n"
    project.write({"tasks.md": tasks(1), "aca.toml": wrong})
    told = project.run("--task-file", "tasks.md", expect=2).stderr
    assert "aca.toml:2" in told
    assert 'did you mean "requests_per_minute"?' in told
    assert "aca.toml:4" in told


def test_what_names_nobody_is_told_before_anything_runs(project: Project) -> None:
    """Rates of a provider that is not there, an empty fallback, true for a number."""
    wrong = """\
        [rate_limiting]
        tokens_per_minute = true
        [defaults]
        fallback = ["openai:"]
        """
    project.write({"tasks.md": "- [ ] Command {run=true}\n", "aca.toml": wrong})
    told = project.run("--task-file", "tasks.md", expect=2).stderr
    assert "aca.toml:2: rate_limiting.tokens_per_minute should be a number, not true" in told
    assert 'aca.toml:4: defaults.fallback: "openai:" names nobody' in told
    project.write({"aca.toml": "[rate_limiting.providers.opnai]\nrequests_per_minute = 1\n"})
    told = project.run("--task-file", "tasks.md", expect=2).stderr
    assert 'aca.toml:1: there is no provider "opnai"' in told
    assert 'did you mean "openai"?' in told
    assert project.sessions() == []


@pytest.mark.parametrize(("named", "why"), [("state", "no full path"), ("{root}/tasks.md", "no directory")])
def test_a_directory_for_state_that_cannot_be_one_is_told(project: Project, named: str, why: str) -> None:
    """Before there is a session."""
    project.write({"tasks.md": "- [ ] Command {run=true}\n"})
    env = {"XDG_STATE_HOME": named.format(root=project.root)}
    told = project.run("--task-file", "tasks.md", env=env, expect=2).stderr
    assert "XDG_STATE_HOME is" in told
    assert why in told
    assert project.sessions() == []


def test_a_provider_may_have_rates_of_its_own(project: Project, server: ModelServer) -> None:
    """Which stand before those of all."""
    server.script("work")
    own = "[rate_limiting.providers.openai]\nrequests_per_minute = 600\n"
    project.write({"tasks.md": tasks(3), "aca.toml": settings(requests_per_minute=1) + own})
    assert "3 completed" in project.run("--task-file", "tasks.md", env=environment(server)).stdout


# -- windows ----------------------------------------------------------------------------------------------


def test_the_plans_own_window_warns_and_then_waits(project: Project, server: ModelServer) -> None:
    """At 80 % people are warned; at 100 % the next task waits until the window ends."""
    server.script("work")
    rates = {"max_tokens_per_session": 100, "session_duration_minutes": 3 / 60}
    project.write({"tasks.md": tasks(2), "aca.toml": settings(**rates)})
    outcome = project.run("--task-file", "tasks.md", env=environment(server))
    [warned, *_] = [event for event in project.journal() if isinstance(event, ev.WindowNeared)]
    assert (warned.provider, warned.window, warned.share >= 0.8) == ("openai", "session", True)
    assert "of the session window of openai is used" in outcome.stderr
    [_, second] = [event for event in project.journal() if isinstance(event, ev.TaskStarted)]
    assert second.at >= (warned.until or 0.0)


def closed_for(seconds: float) -> Failure:
    return Failure(429, "rate_limit_error", "come back later", {"retry-after": f"{seconds:g}"})


def test_a_closed_window_can_end_the_run(project: Project, server: ModelServer) -> None:
    """With 75 and the time; another run knows it without a call."""
    server.script("work", closed_for(3600))
    project.write({"tasks.md": tasks(2), "aca.toml": settings(on_quota="exit")})
    outcome = project.run("--task-file", "tasks.md", "--json", env=environment(server), expect=75)
    assert outcome.json["until"] == pytest.approx(time.time() + 3600, abs=60)
    project.run("resume", env=environment(server), expect=75)
    assert len(server.requests) == 1
    assert "closed: openai's quota window is closed" in project.run("status", env=environment(server)).stdout


def test_what_others_can_do_is_done_before_a_closed_window_ends_the_run(
    project: Project, server: ModelServer
) -> None:
    """A task with a provider of its own, and a command: only what nobody does now is left."""
    server.script("shut", closed_for(3600))
    server.script("work")
    env = {**environment(server), "OPENAI_BASE_URL": server.url("shut")}
    others = "- [ ] Other {#other provider=anthropic}\n- [ ] Command {#command run=true needs=other}\n"
    project.write({"tasks.md": tasks(2) + others, "aca.toml": settings(on_quota="exit")})
    outcome = project.run("--task-file", "tasks.md", "--json", env=env, expect=75)
    assert outcome.json["until"] == pytest.approx(time.time() + 3600, abs=60)
    states = project.session().state().states
    assert {task: now.status for task, now in states.items()} == {
        "t0": "pending",
        "t1": "pending",
        "other": "completed",
        "command": "completed",
    }


def test_a_provider_that_is_down_for_long_is_closed(project: Project, server: ModelServer) -> None:
    """A 503 that names a day is told at once, with its end, and not asked again before."""
    server.script("work", Failure(503, "api_error", "maintenance", {"retry-after": "86400"}))
    project.write({"tasks.md": tasks(2), "aca.toml": settings(on_quota="exit")})
    outcome = project.run("--task-file", "tasks.md", "--json", env=environment(server), expect=75)
    assert outcome.json["until"] == pytest.approx(time.time() + 86_400, abs=60)
    assert outcome.json["reason"] == "openai takes no calls for now (HTTP 503)"
    assert len(server.requests) == 1


def test_the_replayed_window_opens_and_the_task_goes_on(project: Project) -> None:
    """When it opens; one line says until when they all wait."""
    opens = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
    closed = f'tasks.t0.steps = [{{quota = {opens}, attempt = 1}}, {{say = "done"}}]\n'
    script = closed + 'tasks.t1.steps = [{say = "done"}]\n'
    project.write({"tasks.md": project.replay(script) + tasks(2)})
    outcome = project.run("--task-file", "tasks.md")
    assert outcome.stderr.count(": waiting ") == 1
    assert "Ctrl-C ends, and aca resume goes on" in outcome.stderr
    assert starts(project) == ["t0", "t0", "t1"]


# -- fallback, outages, keys ------------------------------------------------------------------------------


def test_a_closed_window_falls_back_where_the_plan_allows(project: Project, server: ModelServer) -> None:
    """To the next provider that takes calls; the journal says which one really worked."""
    server.script("shut", closed_for(3600))
    server.script("work")
    env = {**environment(server), "OPENAI_BASE_URL": server.url("shut")}
    plan = 'provider = "openai"\n[defaults]\nfallback = "anthropic:small"\n'
    project.write({"tasks.md": tasks(2), "aca.toml": plan})
    project.run("--task-file", "tasks.md", "--on-quota", "exit", env=env)
    fell = [event for event in project.journal() if isinstance(event, ev.TaskFellBack)]
    assert [(event.task, event.provider, event.model) for event in fell] == [
        ("t0", "anthropic", "small"),
        ("t1", "anthropic", "small"),
    ]
    assert fell[0].reason == "openai's quota window is closed; anthropic does it"
    assert [request.scenario for request in server.requests] == ["shut", "work", "work"]


def test_a_fallback_that_is_none_is_told(project: Project, server: ModelServer) -> None:
    """Before anything runs, with the nearest name."""
    plan = 'provider = "openai"\n[defaults]\nfallback = ["antropic"]\n'
    project.write({"tasks.md": tasks(1), "aca.toml": plan})
    told = project.run("--task-file", "tasks.md", env=environment(server), expect=2).stderr
    assert 'there is no provider "antropic"' in told
    assert 'did you mean "anthropic"?' in told


def test_a_key_that_is_no_good_is_used_once(project: Project, server: ModelServer) -> None:
    """The others fail without a call; with a good key they go on."""
    server.script("work", Failure(401, "authentication_error", "invalid key"))
    project.write({"tasks.md": tasks(30), "aca.toml": settings()})
    outcome = project.run("--task-file", "tasks.md", env=environment(server), expect=1)
    assert len(server.requests) == 1
    assert "30 tasks failed" in outcome.stdout
    assert "openai would refuse every other task, too: none is given to it" in outcome.stderr
    assert "30 completed" in project.run("resume", "--failed", env=environment(server)).stdout


def test_what_nobody_would_do_may_be_skipped(project: Project, server: ModelServer) -> None:
    """With on_failure = "skip" a key that is no good ends in good order, and what needs no model is done."""
    server.script("work", Failure(401, "authentication_error", "invalid key"))
    asked = "".join(f'[[tasks]]\nid = "t{n}"\ntitle = "T"\non_failure = "skip"\n' for n in range(5))
    last = '[[tasks]]\nid = "last"\ntitle = "L"\ncommand = "true"\ndepends_on = ["t4"]\n'
    project.write({"tasks.toml": asked + last, "aca.toml": settings()})
    project.run("--task-file", "tasks.toml", env=environment(server), expect=0)
    states = project.session().state().states
    assert {states[f"t{number}"].status for number in range(5)} == {"skipped"}
    assert "invalid key" in states["t4"].reason
    assert states["last"].status == "completed"
    assert len(server.requests) == 1


def test_an_overloaded_provider_fails_no_task(project: Project, server: ModelServer) -> None:
    """Three times in a row too much: the task is held, not failed; no run ends for so short a time."""
    overloaded = Failure(529, "overloaded_error", "overloaded")
    server.script("work", overloaded, overloaded, overloaded)
    project.write(
        {
            "tasks.md": tasks(2),
            "aca.toml": settings(on_quota="exit", max_backoff_seconds=0.1) + "[defaults]\nretries = 0\n",
        }
    )
    running = project.start("--task-file", "tasks.md", env=environment(server))
    running.until(lambda: "openai does not answer: HTTP 529: waiting for the next try" in running.stderr)
    running.signal(signal.SIGINT)
    running.finish(expect=130)
    assert len(server.requests) == 3
    assert {now.status for now in project.session().state().states.values()} == {"pending"}


def test_no_state_is_kept_for_what_calls_no_model(project: Project) -> None:
    """Neither replay nor commands make a file in the user's directory."""
    project.write({"tasks.md": project.replay('tasks."*".steps = [{say = "x"}]\n') + tasks(1)})
    project.run("--task-file", "tasks.md")
    assert list(Path(project.home).rglob("*.sqlite")) == []
