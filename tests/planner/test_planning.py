"""Planning from the command line: when a model is asked, what is kept, what runs, and what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aca.planner import cache as kept
from tests.planner.answers import draft, say, task
from tests.project import SECONDS, Outcome, Project

NOTES = "Write a greeting.\nMake it louder.\n"
PLAN = draft(
    task("louder", (2, 2), dependencies=["greet"], priority=9),
    task("greet", (1, 1)),
    execution_mode="parallel",
)
ASKED = ("--task-file", "notes.md", "--use-intelligent-parser")
CHECKED = draft(task("greet", (1, 1), checks=["touch checked"]))


@pytest.fixture
def planned(project: Project) -> Project:
    """Notes, and a planner that knows what to say to them."""
    project.write({"notes.md": NOTES})
    say(project, PLAN)
    return project


def cache(project: Project) -> Path:
    return project.home / ".cache" / "aca" / "planner"


def dry(project: Project, *args: str, env: dict[str, str] | None = None) -> Outcome:
    return project.run(*ASKED, "--dry-run", *args, env=env)


def was_asked(outcome: Outcome) -> bool:
    assert ("planning with" in outcome.stderr) != ("from the cache" in outcome.stderr)
    return "planning with" in outcome.stderr


# -- when a model is asked --------------------------------------------------------------------------------


def test_nobody_is_asked_unless_asked_to(planned: Project) -> None:
    """The plain parser makes one task of the text, and no planner is heard of."""
    outcome = planned.run("--task-file", "notes.md", "--dry-run", "--json")
    assert [one["id"] for one in outcome.json["tasks"]] == ["write-a-greeting"]
    assert not cache(planned).exists()


def test_data_needs_no_planner(planned: Project) -> None:
    """TOML and plans say their tasks: they are taken as they are."""
    planned.write({"tasks.toml": '[[tasks]]\ntitle = "One"\n'})
    planned.write(
        {"plan.json": '{"format_version": 1, "name": "N", "tasks": [{"id": "one", "title": "One"}]}'}
    )
    for option, file in (("--task-file", "tasks.toml"), ("--execution-plan", "plan.json")):
        outcome = planned.run(option, file, "--dry-run", env={"ACA_USE_INTELLIGENT_PARSER": "1"})
        assert "this file says its tasks as data: no model was asked" in outcome.stderr


def test_the_same_is_asked_once(planned: Project) -> None:
    """A hint, the text, a linked file, another file make another question; a dumped plan does not."""
    planned.write({"notes.md": f"{NOTES}See [it](linked.txt).\n", "linked.txt": "one"})
    assert was_asked(dry(planned, "--dump-plan", "plan.json"))
    assert not was_asked(dry(planned, "--dump-plan", "plan.toml"))
    assert was_asked(dry(planned, "--refresh", "--context", "quickly, but well"))
    assert not was_asked(dry(planned, env={"ACA_CONTEXT": "quickly, but well"}))
    for changed in ("linked.txt", "new.py"):
        planned.write({changed: "two"})
        assert was_asked(dry(planned))


def test_options_of_the_planner_need_it(planned: Project) -> None:
    """Without it they would change nothing."""
    outcome = planned.run("--task-file", "notes.md", "--dry-run", "--refresh", expect=2)
    assert "--refresh is for --use-intelligent-parser, which is not given" in outcome.stderr


def test_what_is_wrong_with_the_text_is_told_before_anybody_is_asked(planned: Project) -> None:
    """Missing files, wrong attributes and wrong settings, with their lines."""
    planned.write({"notes.md": "---\nretries: many\n---\n- [ ] A {#a priority=99}\n- [b](nowhere.md)\n"})
    outcome = planned.run(*ASKED, expect=2)
    assert 'notes.md:5: there is no file "nowhere.md"' in outcome.stderr
    assert "notes.md:2: " in outcome.stderr
    assert "planning with" not in outcome.stderr


def test_a_planner_that_finds_nothing_to_do_says_why(project: Project) -> None:
    """That is no plan, and asked again it would be none."""
    project.write({"notes.md": "Thank you all!\n"})
    say(project, draft(remarks=["This is a note of thanks."]))
    outcome = project.run(*ASKED, expect=2)
    assert "the planner found nothing to do. This is a note of thanks." in outcome.stderr
    assert "asking once more" not in outcome.stderr


def test_what_is_said_by_somebody_is_not_for_the_model_to_choose(planned: Project) -> None:
    """The mode of a file, a variable or a flag is kept; the model has said parallel."""
    assert (
        dry(planned, "--json", env={"ACA_EXECUTION_MODE": "intelligent"}).json["execution_mode"]
        == "intelligent"
    )
    planned.write({"notes.md": f"---\nexecution_mode: sequential\n---\n{NOTES}"})
    assert dry(planned, "--json").json["execution_mode"] == "sequential"


def test_a_role_with_more_rights_is_not_the_planners_to_give(project: Project) -> None:
    """One with as many or fewer is."""
    project.write({"notes.md": NOTES})
    say(project, draft(task("greet", (1, 1), role="writer")))
    roles = '[roles.writer]\npermissions = "read-only"\n[roles.root]\npermissions = "full"\n'
    project.write({"aca.toml": project.read("aca.toml") + roles})
    assert dry(project, "--json").json["tasks"][0]["role"] == "writer"
    say(project, *[draft(task("greet", (1, 1), role="root"))] * 2)
    project.write({"aca.toml": project.read("aca.toml") + roles})
    outcome = project.run(*ASKED, "--dry-run", "--refresh", expect=2)
    assert 'there is no role "root" that a planner may give' in outcome.stderr


# -- what is kept -----------------------------------------------------------------------------------------


def test_a_kept_answer_passes_the_validator(planned: Project) -> None:
    """What is none to this text is asked for again. Nobody else may look at it any more."""
    cache(planned).mkdir(parents=True)
    cache(planned).chmod(0o777)
    dry(planned)
    assert cache(planned).stat().st_mode & 0o777 == 0o700
    assert list((cache(planned) / "calls" / ".aca" / "sessions").iterdir()) == []
    change_kept(cache(planned), json.dumps(draft(task("a", (7, 9)))).encode())
    assert was_asked(dry(planned))


def test_a_cache_that_somebody_broke_is_as_good_as_none(planned: Project) -> None:
    """A row that is a pickle is not opened, and a file that is no database keeps nobody from planning."""
    folder = cache(planned)
    kept.put(folder, "key", b"answer")
    assert kept.get(folder, "key") == b"answer"
    change_kept(folder, f"cos\nsystem\n(S'touch {planned.root}/pwned'\ntR.".encode(), mode=4)
    assert kept.get(folder, "key") is None
    assert not (planned.root / "pwned").exists()
    (folder / "cache.db").write_bytes(b"no database" * 500)
    assert was_asked(dry(planned))


def change_kept(folder: Path, value: bytes, mode: int = 1) -> None:
    """Have *value* in every row of a cache, be it bytes (1) or a pickle (4)."""
    with closing(sqlite3.connect(folder / "cache.db")) as rows, rows:
        rows.execute("UPDATE Cache SET mode = ?, value = ?", (mode, value))


# -- what runs --------------------------------------------------------------------------------------------


def test_a_plan_without_commands_runs_at_once(planned: Project) -> None:
    """In the order it says: what is needed first, though it stands last. The plan is in the session."""
    outcome = planned.run(*ASKED)
    assert "2 completed" in outcome.stdout
    plan = planned.session().plan
    assert [one.id for one in plan.tasks] == ["louder", "greet"]
    assert plan.source is not None
    first, second = (line for line in outcome.stderr.splitlines() if ": started" in line)
    assert "greet" in first
    assert "louder" in second


def test_tasks_of_a_parallel_plan_overlap(project: Project) -> None:
    """Each waits for what the other one does."""
    project.write({"notes.md": NOTES})
    steps = [{"task": name, "run": f"touch {name}; until test -f {other}; do sleep 0.01; done"}
             for name, other in (("a", "b"), ("b", "a"))]  # fmt: skip
    say(
        project,
        draft(task("a", (1, 1), touches=["a"]), task("b", (2, 2), touches=["b"]), execution_mode="parallel"),
    )
    with (project.root / "answers.jsonl").open("a") as script:
        script.writelines(f"{json.dumps(step)}\n" for step in steps)
    project.run(*ASKED)


def test_what_planning_costs_is_known_and_counts(planned: Project) -> None:
    """It is in the plan, so a session that carries it out knows it, begun at once or later: a limit is for
    all of it; where nothing is left it waits for a higher one. What comes from the cache has cost nothing."""
    told = planned.run(*ASKED, "--max-cost", "0.02", "--dump-plan", "plan.json", expect=5)
    assert "planned by replay: 1,200 tokens, $0.02, " in told.stderr
    assert "the cost limit is reached: $0.02 of $0.02" in told.stdout
    assert "planned by replay: 1,200 tokens, $0.02" in planned.run("plan", "show", "plan.json").stdout
    assert "2 completed" in planned.run("resume", "--max-cost", "0.03").stdout
    planned.run("--execution-plan", "plan.json", "--max-cost", "0.03")
    [row], total = rows(planned)
    assert (row["name"], row["calls"], row["input_tokens"], row["cost_usd"]) == ("(planning)", 1, 1000, 0.02)
    assert total["cost_usd"] == 0.02
    planned.run(*ASKED, "--max-cost", "0.02")
    [row], total = rows(planned, "--all")  # two sessions of one plan, and one whose plan was paid for before
    assert (row["calls"], total["cost_usd"]) == (1, 0.02)


def rows(project: Project, *args: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Those of ``aca costs`` by task, and the total."""
    told = project.run("costs", "--by", "task", "--json", *args).json
    return told["rows"], told["total"]


def test_what_nobody_told_of_planning_stays_unknown(planned: Project) -> None:
    """The tokens of the model count, its dollars are none that anybody knows; every try is a call."""
    say(planned, "No plan.", PLAN)
    script = planned.read("answers.jsonl").replace(', "cost_usd": 0.02', "")
    planned.write({"answers.jsonl": script})
    told = planned.run(*ASKED, "--max-cost", "0.02", "--json")
    assert "planned by replay: 2,400 tokens, cost unknown" in told.stderr
    assert told.json["usage"]["calls_of_unknown_cost"] == 2
    assert planned.run("costs").stdout.splitlines()[1:] == [
        "(planning)      2  2,000     400       0  cost unknown",
        "total           2  2,000     400       0  cost unknown",
    ]


def test_commands_of_the_model_run_when_they_were_reviewed_or_accepted(project: Project) -> None:
    """A dumped plan is what somebody may look at; to run it is to say yes."""
    project.write({"notes.md": NOTES})
    say(project, CHECKED)
    refused = project.run(*ASKED, "--dump-plan", "plan.json", expect=2)
    assert "greet: touch checked" in refused.stderr
    assert not (project.root / "checked").exists()
    project.run("--execution-plan", "plan.json")
    assert (project.root / "checked").exists()
    project.run(*ASKED, "--accept-commands")
    project.run(*ASKED, "--skip", "greet")


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 2)])
def test_at_a_terminal_a_person_is_asked(project: Project, answer: str, code: int) -> None:
    """Only yes is yes."""
    project.write({"notes.md": NOTES})
    say(project, CHECKED)
    ours, theirs = os.openpty()
    with subprocess.Popen(
        project.argv(*ASKED), cwd=project.root, env=project.env({"TERM": "dumb"}),
        stdin=theirs, stderr=theirs, stdout=subprocess.DEVNULL, start_new_session=True,
    ) as running:  # fmt: skip
        os.close(theirs)
        shown = ""
        while "run them? [y/N]" not in shown:
            shown += os.read(ours, 65536).decode()
        os.write(ours, f"{answer}\n".encode())
        assert running.wait(SECONDS) == code
    os.close(ours)
    assert "greet: touch checked" in shown
    assert (project.root / "checked").exists() == (code == 0)


def test_a_text_that_has_changed_is_drift(planned: Project) -> None:
    """The plan knows what it was made from."""
    dry(planned, "--dump-plan", "plan.json")
    planned.write({"notes.md": "Something else.\n"})
    outcome = planned.run("--execution-plan", "plan.json", expect=6)
    assert "notes.md has changed since plan.json was made from it" in outcome.stderr


def test_approval_cannot_be_had_that_way(planned: Project) -> None:
    """It is said before anybody is paid."""
    outcome = planned.run(*ASKED, "--require-approved", expect=6)
    assert "planning with" not in outcome.stderr


# -- goals ------------------------------------------------------------------------------------------------


def test_a_sentence_becomes_a_plan_that_runs(planned: Project) -> None:
    """It is the plan's description; limits and providers are as said, and there is no file to drift from."""
    goal = ("plan", "--goal", "Greet everybody")
    outcome = planned.run(*goal, "--dump-plan", "plan.json", "--max-cost", "3")
    assert "Do greet (greet)" in outcome.stdout
    assert "run it with: aca --execution-plan plan.json" in outcome.stderr
    plan = json.loads(planned.read("plan.json"))
    assert (plan["name"], plan["description"]) == ("Drafted", "Greet everybody")
    assert "source" not in plan
    assert plan["limits"] == {"max_cost_usd": 3.0}
    again = planned.run(*goal, "--json", "--max-cost", "3")
    assert "from the cache" in again.stderr
    made_now = ("$schema", "planning")
    assert again.json == {key: value for key, value in plan.items() if key not in made_now} | {
        "$schema": "urn:aca:schema:plan:1"
    }
    assert "2 completed" in planned.run("--execution-plan", "plan.json").stdout


@pytest.mark.parametrize("args", [(), ("--goal", " ")])
def test_a_goal_has_to_be_said(planned: Project, args: tuple[str, ...]) -> None:
    """Otherwise there is nothing to plan."""
    outcome = planned.run("plan", *args, expect=2)
    assert "name a command, or say with --goal what is to be done" in outcome.stderr


def test_a_goal_does_not_go_with_a_command(planned: Project) -> None:
    """It would change nothing there."""
    outcome = planned.run("plan", "--goal", "x", "show", "notes.md", expect=2)
    assert '--goal stands before the command "show"' in outcome.stderr


# -- kills ------------------------------------------------------------------------------------------------

SLOW = """\
#!/usr/bin/env python3
import pathlib, subprocess, time
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
pathlib.Path("{sign}").write_text("here")
time.sleep(1000)
"""


@pytest.fixture
def slow(planned: Project) -> Project:
    """A claude that never answers and has a child of its own; a sandbox would end both with aca."""
    program = planned.root / "claude"
    program.write_text(SLOW.format(sign=planned.root / "begun"))
    program.chmod(0o755)
    settings = 'provider = "claude-cli"\nsandbox.mode = "off"\nproviders.claude-cli.command = "./claude"\n'
    planned.write({"aca.toml": settings})
    return planned


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_an_interrupted_planner_leaves_nothing_behind(
    slow: Project, number: signal.Signals, code: int
) -> None:
    """No process, no session, no plan."""
    running = slow.start(*ASKED, "--dump-plan", "plan.json")
    running.until((slow.root / "begun").exists)
    running.signal(number)
    outcome = running.finish(expect=code)
    assert "no plan was made: interrupted" in outcome.stderr
    assert slow.processes() == []
    assert list((cache(slow) / "calls" / ".aca" / "sessions").iterdir()) == []
    assert not (slow.root / "plan.json").exists()


def test_what_a_killed_planner_left_running_is_ended_by_the_next(slow: Project) -> None:
    """In whatever workspace that is."""
    running = slow.start(*ASKED)
    running.until((slow.root / "begun").exists)
    running.kill()
    assert slow.processes() != []
    say(slow, PLAN)
    dry(slow)
    wait_until(lambda: slow.processes() == [])
    assert list((cache(slow) / "calls" / ".aca" / "sessions").iterdir()) == []


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)
