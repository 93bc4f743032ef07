"""The exit codes, one by one, and that what they say is resumable can be resumed."""

from __future__ import annotations

import functools
import shlex
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from aca.core import events as ev
from tests.project import Outcome, Project, Running, popen

SLOW = '- [ ] Quick {#quick run="true"}\n- [ ] Slow {#slow needs=quick run="test -f go || sleep 60"}\n'


def replayed(project: Project, script: str, tasks: str) -> None:
    project.write({"tasks.md": project.replay(script) + tasks})


def started(project: Project, task: str, *args: str) -> Running:
    """``aca`` running, with *task* at work: one that sleeps."""
    running = project.start("--task-file", "tasks.md", *args, anew=True)
    running.until(lambda: f"{task}: started" in running.stderr and project.has_running("sleep"))
    return running


def test_0_when_every_task_is_completed_and_verified(project: Project) -> None:
    """And only then."""
    project.write({"tasks.md": '- [ ] One {run="true" check="true"}\n'})
    project.run("--task-file", "tasks.md", expect=0)


@pytest.mark.parametrize("attributes", ['run="false"', 'run="true" check="false"'])
def test_1_when_a_task_or_its_check_failed(project: Project, attributes: str) -> None:
    """Claimed is not done."""
    project.write({"tasks.md": f"- [ ] One {{#one {attributes}}}\n"})
    outcome = project.run("--task-file", "tasks.md", expect=1)
    assert "aca show one" in outcome.stdout


def test_2_when_the_input_must_change(project: Project) -> None:
    """Every problem is told and nothing was run."""
    project.write({"tasks.md": '- [ ] One {#one run="touch ran" needs=tow}\n- [ ] Two {#two prio=1}\n'})
    told = project.run("--task-file", "tasks.md", expect=2).stderr
    assert 'tasks.md:1: task "one" needs "tow", which is not in this plan' in told
    assert 'did you mean "two"?' in told
    assert "tasks.md:2: " in told
    assert "2 problems, nothing was run" in told
    assert not (project.root / "ran").exists()


def test_3_when_aca_has_a_bug(project: Project) -> None:
    """A report is left that can be pasted: traceback and versions, no secret and no environment."""
    project.write({"tasks.md": '- [ ] One {run="true"}\n'})
    env = project.sabotage(
        "import aca.app\ndef broken(*_): raise ZeroDivisionError('oops')\naca.app.prepare = broken\n"
    )
    secret = "sk-ant-api03-abcdefghijklmnop"
    args = ("--task-file", "tasks.md", "--append-system-prompt", f"use {secret}")
    told = project.run(*args, env=env | {"MY_PASSWORD": "hunter2hunter2"}, expect=3).stderr
    assert "this is a bug in aca: ZeroDivisionError('oops')" in told
    assert "Traceback" not in told
    report = project.read(told.split()[-1])
    assert "ZeroDivisionError: oops" in report
    assert "pydantic 2" in report
    assert "--append-system-prompt use ***" in report
    assert secret not in report
    assert "hunter2" not in report


def test_3_leaves_the_report_elsewhere_when_it_must(project: Project) -> None:
    """Where the workspace takes no files, the temporary directory does."""
    env = project.sabotage(
        "import aca.app\ndef broken(*_): raise ZeroDivisionError\naca.app.prepare = broken\n"
    )
    project.write({"tasks.md": "- [ ] One\n", ".aca": "a file where the directory belongs"})
    told = project.run("--task-file", "tasks.md", env=env | {"TMPDIR": str(project.home)}, expect=3).stderr
    assert Path(told.split()[-1]).parent == project.home


def test_3_in_the_middle_of_a_run_loses_nothing(project: Project) -> None:
    """What was done before the bug stays done, and once the bug is gone the session goes on."""
    project.write(
        {"tasks.md": '1. One {run="echo one >> ran"}\n2. Two {run="echo two >> ran" check="true"}\n'}
    )
    env = project.sabotage(
        "from aca.attempts import site\nasync def broken(*_): raise KeyError(1)\nsite.run_check = broken\n",
    )
    project.run("--task-file", "tasks.md", env=env, expect=3)
    project.run("resume")
    assert project.read("ran").split() == ["one", "two", "two"]


def test_4_when_a_person_is_waited_for(project: Project) -> None:
    """Everything else that could be done is done first."""
    project.write({"tasks.md": '- [ ] Look {kind=approval}\n- [ ] Other {run="touch other"}\n'})
    project.run("--task-file", "tasks.md", expect=4)
    assert (project.root / "other").exists()


def test_5_when_the_token_budget_is_used_up(project: Project) -> None:
    """The next task is not begun, and a larger budget lets the session go on."""
    script = 'tasks."*".steps = [{usage = {input_tokens = 600, cost_usd = 0.01}}]\n'
    replayed(project, script, "1. One\n2. Two\n")
    outcome = project.run("--task-file", "tasks.md", "--max-tokens", "500", expect=5)
    assert "the token limit is reached: 600 of 500" in outcome.stdout
    assert project.session().state().counts["pending"] == 1
    project.run("resume", expect=5)
    project.run("resume", "--max-tokens", "5000", expect=0)


def test_5_when_the_money_is_spent(project: Project) -> None:
    """The same by cost."""
    replayed(
        project, 'tasks."*".steps = [{usage = {input_tokens = 1, cost_usd = 0.3}}]\n', "1. One\n2. Two\n"
    )
    outcome = project.run("--task-file", "tasks.md", "--max-cost", "0.25", expect=5)
    assert "the cost limit is reached" in outcome.stdout


def test_5_when_time_is_up(project: Project) -> None:
    """What runs is interrupted and is pending again."""
    project.write({"tasks.md": SLOW})
    project.run("--task-file", "tasks.md", "--max-duration", "1s", expect=5)
    project.write({"go": ""})
    project.run("resume", "--max-duration", "1m")


def test_6_when_the_session_s_plan_was_changed(project: Project) -> None:
    """The plan is the contract: what was begun is not continued as something else."""
    project.write({"tasks.md": '- [ ] One {run="false"}\n'})
    project.run("--task-file", "tasks.md", expect=1)
    plan = project.session().path / "plan.json"
    plan.write_text(plan.read_text().replace("false", "true"))
    assert (
        "plan.json was changed after the session began" in project.run("resume", "--failed", expect=6).stderr
    )


def limited(project: Project, kilobytes: int, *args: str) -> Outcome:
    """``aca ARGS`` where no file may grow beyond *kilobytes*, which is how a full disk looks."""
    command = f"ulimit -f {kilobytes}; exec {shlex.join(project.argv(*args))}"
    env = project.env()
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project.root,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.stdout, done.stderr, done.returncode)


def test_7_when_the_disk_takes_no_more(project: Project) -> None:
    """The journal names its path and the reason, and the session goes on once there is room."""
    project.write({"tasks.md": "".join(f'- [ ] T{n} {{run="echo {n} >> ran"}}\n' for n in range(60))})
    outcome = limited(project, 12, "--task-file", "tasks.md")
    assert outcome.code == 7, outcome.stderr
    assert "journal.jsonl: cannot write the journal: " in outcome.stderr
    assert "Traceback" not in outcome.stderr
    done = len(project.read("ran").split())
    assert 5 < done < 60
    project.run("resume")
    assert len(set(project.read("ran").split())) == 60
    assert len(project.read("ran").split()) <= 61


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is a place where nobody may write")
def test_7_when_the_workspace_cannot_be_written(project: Project) -> None:
    """Before anything is run."""
    project.write({"tasks.md": '- [ ] One {run="true"}\n'})
    outcome = project.run("--task-file", "tasks.md", "--workspace", "/proc", expect=7)
    assert "/proc/.aca: cannot be made: " in outcome.stderr


def test_75_when_the_quota_window_is_closed(project: Project) -> None:
    """When it opens again is told to people and machines; then the task goes on."""
    script = 'tasks.one.steps = [{quota = "2031-01-02T03:04:05Z", attempt = 1}, {say = "done"}]\n'
    replayed(project, script, "- [ ] One {#one}\n")
    outcome = project.run("--task-file", "tasks.md", "--on-quota", "exit", env={"TZ": "UTC"}, expect=75)
    assert "aca resume   (after 2031-01-02 03:04:05)" in outcome.stdout
    ended = project.journal()[-1]
    assert isinstance(ended, ev.RunEnded)
    assert ended.until == 1925089445
    project.run("resume")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGQUIT, 143)],
)
def test_130_and_143_when_interrupted(project: Project, number: signal.Signals, code: int) -> None:
    """Polite, resumable, and nothing is left running."""
    project.write({"tasks.md": SLOW})
    running = started(project, "slow")
    running.signal(number)
    outcome = running.finish(expect=code)
    assert "`aca resume` goes on" in outcome.stderr
    assert "aca resume" in outcome.stdout
    assert project.processes() == []
    project.write({"go": ""})
    project.run("resume")


def test_the_second_interrupt_does_not_wait(project: Project) -> None:
    """A command that ignores the first Ctrl-C is killed by the second, which is said."""
    project.write({"tasks.md": "- [ ] Deaf {#deaf run=\"trap '' INT TERM; sleep 60 & wait; sleep 60\"}\n"})
    running = started(project, "deaf")
    running.signal(signal.SIGINT)
    running.until(lambda: "Ctrl-C again kills it now" in running.stderr)
    began = time.monotonic()
    running.signal(signal.SIGINT)
    outcome = running.finish(expect=130)
    assert time.monotonic() - began < 8
    assert "Ctrl-C again: killing what runs now" in outcome.stderr
    assert project.processes() == []


def test_130_before_anything_has_begun(project: Project) -> None:
    """No traceback, whenever Ctrl-C comes."""
    project.write({"tasks.md": "- [ ] One\n"})
    env = project.sabotage(
        "import aca.app\ndef broken(*_): raise KeyboardInterrupt\naca.app.prepare = broken\n"
    )
    outcome = project.run("--task-file", "tasks.md", env=env, expect=130)
    assert (outcome.stdout, outcome.stderr) == ("", "")


def test_what_was_to_be_ignored_stays_ignored(project: Project) -> None:
    """Under nohup a closed terminal ends nothing."""
    project.write({"tasks.md": '- [ ] Slow {#slow run="until test -f go; do sleep 0.05; done"}\n'})
    argv = ["nohup", *project.argv("--task-file", "tasks.md")]
    with closing(Running(functools.partial(popen, argv, project.root, project.env()))) as running:
        running.until(lambda: "slow: started" in running.stderr)
        running.signal(signal.SIGHUP)
        project.write({"go": ""})
        running.finish(expect=0)


def test_the_first_interrupt_is_polite_after_a_limit_too(project: Project) -> None:
    """It is the signals that are counted: a limit that has interrupted what runs was nobody's Ctrl-C."""
    stubborn = "trap 'touch asked' INT; trap '' TERM; while :; do sleep 0.1; done"
    project.write({"tasks.md": f'- [ ] Stubborn {{#it run="{stubborn}"}}\n'})
    running = project.start("--task-file", "tasks.md", "--max-duration", "1s")
    running.until((project.root / "asked").exists)
    running.signal(signal.SIGINT)
    running.until(lambda: "Ctrl-C again kills it now" in running.stderr)
    assert "killing what runs now" not in running.stderr
    running.signal(signal.SIGINT)
    assert "Ctrl-C again: killing what runs now" in running.finish(expect=5, seconds=8).stderr


def test_0_whatever_happens_to_who_watches(project: Project) -> None:
    """A reporter that fails over what an agent does costs the agent nothing."""
    script = 'tasks."*".steps = [{say = "one"}, {say = "two"}, {write = "made.txt", content = ""}]\n'
    replayed(project, script, "- [ ] One {#one retries=0}\n")
    broken = "def broken(*_): raise ZeroDivisionError('oops')\n"
    env = project.sabotage(f"from aca.report.lines import Lines\n{broken}Lines.step = broken\n")
    project.run("--task-file", "tasks.md", env=env)
    assert (project.root / "made.txt").exists()
    assert project.session().system_log.read_text().count("ZeroDivisionError: oops") == 1


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        ("OSError(28, 'No space left on device', 'journal')", 7, "No space left on device"),
        ("KeyboardInterrupt", 130, "KeyboardInterrupt"),
        ("ZeroDivisionError('oops')", 3, "oops"),
    ],
)
def test_the_last_json_line_has_the_exit_code(project: Project, error: str, code: int, reason: str) -> None:
    """Whatever ends the run, machines are told the same as the shell."""
    project.write({"tasks.md": '- [ ] One {run="true"}\n'})
    broken = f"def broken(*_, **__): raise {error}\n"
    env = project.sabotage(f"import aca.runner\n{broken}aca.runner.run = broken\n")
    done = project.run("--task-file", "tasks.md", "--jsonl", env=env, expect=code).jsonl[-1]
    assert (done["type"], done["exit_code"]) == ("done", code)
    assert reason in done["reason"]
