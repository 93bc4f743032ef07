"""What goes where while aca runs: JSON lines, text as it comes, a live tree, a reader that goes away."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.project import Project

WAITING = """
    [tasks."*"]
    steps = [
      {say = "I think aloud."},
      {run = "until test -f go; do sleep 0.05; done"},
      {say = "Now it is done."},
    ]
"""
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]")


def waiting(project: Project) -> None:
    """A task whose agent says something and then waits for the file ``go``."""
    project.write({"tasks.md": project.replay(WAITING) + "- [ ] Think {#think}\n"})


class Terminal:
    """``aca`` with a terminal as stderr; stdout goes to a pipe."""

    def __init__(self, project: Project, *args: str, env: Mapping[str, str] | None = None) -> None:
        self._master, slave = os.openpty()
        environ = project.env({"TERM": "xterm", "COLUMNS": "100", "LINES": "30", **(env or {})})
        self.process = subprocess.Popen(
            project.argv(*args), cwd=project.root, env=environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.shown = ""

    def until(self, text: str) -> None:
        """Read on until *text* is on the screen."""
        deadline = time.monotonic() + 30
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown[-2000:]
            self.shown += os.read(self._master, 65536).decode()

    def finish(self) -> str:
        """The rest of stderr, to the end; returns stdout."""
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # how Linux tells that nobody has the other end any more
                break
            if not piece:
                break
            self.shown += piece.decode()
        os.close(self._master)
        stdout, _ = self.process.communicate(timeout=30)
        return stdout.decode()


def test_json_lines_begin_with_launch_and_end_with_done(project: Project) -> None:
    """Each line is one JSON object with a type; steps of agents are among them."""
    waiting(project)
    project.write({"go": ""})
    lines = project.run("--task-file", "tasks.md", "--jsonl").jsonl
    one = project.session()
    assert lines[0] == {
        "type": "launch", "aca_version": lines[0]["aca_version"], "session": one.id,
        "path": str(one.path), "plan": "tasks", "tasks": 1,
    }  # fmt: skip
    assert lines[-1] == {
        "type": "done", "exit_code": 0, "reason": "every task is completed and verified", "session": one.id
    }  # fmt: skip
    types = [line["type"] for line in lines]
    assert types.index("task_started") < types.index("step") < types.index("task_completed")
    said = [line["text"] for line in lines if line.get("step") == "said"]
    assert said == ["I think aloud.", "Now it is done."]


def test_done_is_told_whatever_ends_the_run(project: Project) -> None:
    """A run that fails, or waits, ends its lines with code and reason all the same."""
    project.write({"tasks.md": '- [ ] One {#one run="false"}\n'})
    done = project.run("--task-file", "tasks.md", "--jsonl", expect=1).jsonl[-1]
    assert (done["type"], done["exit_code"], done["reason"]) == ("done", 1, "1 task failed")
    plan = project.session().path / "plan.json"
    plan.write_text(plan.read_text() + " ")
    [done] = project.run("resume", "--failed", "--jsonl", expect=6).jsonl
    assert (done["type"], done["exit_code"], done["problems"]) == ("done", 6, [])


@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_a_script_that_asked_for_json_is_told_what_is_wrong_in_json(project: Project, form: str) -> None:
    """On stdout, with the place of each problem; people read the same on stderr."""
    project.write({"tasks.md": "- [ ] One {#one needs=tow prio=1}\n- [ ] Two {#two}\n"})
    outcome = project.run("run", "tasks.md", form, expect=2)
    told = outcome.json
    assert (told["exit_code"], told["reason"]) == (2, "2 problems, nothing was run")
    assert told["problems"][0] == {
        "path": "tasks.md", "line": 1, "column": 23, "width": 3, "cure": 'did you mean "two"?',
        "message": 'task "one" needs "tow", which is not in this plan',
    }  # fmt: skip
    assert told.get("type") == (None if form == "--json" else "done")
    assert 'tasks.md:1: task "one" needs "tow"' in outcome.stderr


def test_every_error_is_told_as_json_where_that_is_asked_for(project: Project) -> None:
    """Of the command line, of a session, by a variable; and only once."""
    assert project.run("status", "nope", "--json", expect=2).json["problems"] == []
    assert "--jsn" in project.run("run", "--json", "--jsn", expect=2).json["reason"]
    assert "nope" in project.run("status", "nope", env={"ACA_JSON": "1"}, expect=2).json["reason"]
    assert project.run("status", "nope", expect=2).stdout == ""


@pytest.mark.parametrize("how", ["--jsonl", "--verbose"])
def test_text_is_shown_before_the_task_ends(project: Project, how: str) -> None:
    """Streaming: what an agent says is there while it still works."""
    waiting(project)
    running = project.start("--task-file", "tasks.md", how)
    running.until(lambda: "I think aloud." in running.stdout + running.stderr)
    assert running.process.poll() is None
    project.write({"go": ""})
    outcome = running.finish(expect=0)
    assert "Now it is done." in outcome.stdout + outcome.stderr


def test_a_terminal_gets_a_live_tree(project: Project) -> None:
    """Counts, the running task and the latest thing its agent did, in colour; stdout stays plain."""
    waiting(project)
    terminal = Terminal(project, "--task-file", "tasks.md")
    terminal.until("Using run until test")
    assert "1 running" in terminal.shown
    project.write({"go": ""})
    stdout = terminal.finish()
    assert terminal.process.returncode == 0
    assert COLOUR.search(terminal.shown)
    assert "every task is completed and verified" in stdout
    assert "\x1b" not in stdout


@pytest.mark.parametrize(
    ("args", "env"), [([], {"NO_COLOR": "1"}), (["--no-color"], {})], ids=["NO_COLOR", "option"]
)
def test_no_colour_where_none_is_wanted(project: Project, args: list[str], env: dict[str, str]) -> None:
    """The tree is still live."""
    waiting(project)
    terminal = Terminal(project, "--task-file", "tasks.md", *args, env=env)
    terminal.until("Using run until test")
    project.write({"go": ""})
    terminal.finish()
    assert not COLOUR.search(terminal.shown)


def test_a_live_tree_shows_what_an_agent_says(project: Project) -> None:
    """Its latest line, while it works."""
    script = 'tasks."*".steps = [{say = "Hm.\\nI think aloud."}, {hang = true}]\n'
    project.write({"tasks.md": project.replay(script) + "- [ ] Think {#think}\n"})
    terminal = Terminal(project, "--task-file", "tasks.md")
    terminal.until("I think aloud.")
    terminal.process.send_signal(signal.SIGINT)
    assert "interrupted by Ctrl-C" in terminal.finish()
    assert terminal.process.returncode == 130


def test_a_dumb_terminal_gets_plain_lines(project: Project) -> None:
    """Nothing moves a cursor that cannot be moved."""
    waiting(project)
    project.write({"go": ""})
    terminal = Terminal(project, "--task-file", "tasks.md", env={"TERM": "dumb"})
    terminal.finish()
    assert "[0/1] think: started (replay)" in terminal.shown
    assert "\x1b" not in terminal.shown


def test_a_large_plan_fits_on_the_screen(project: Project) -> None:
    """Of hundreds of tasks only what runs and what has just ended is drawn."""
    many = "".join(f'- [ ] Task {n} {{run="true"}}\n' for n in range(100))
    project.write({"tasks.md": project.replay(WAITING) + many + "- [ ] Think {#think}\n"})
    terminal = Terminal(project, "--task-file", "tasks.md")
    terminal.until("Using run until test")
    project.write({"go": ""})
    terminal.finish()
    frames = terminal.shown.split(" done  ")
    frame = next(frame for frame in frames if "Using run until test" in frame)
    assert "100/101" in terminal.shown
    assert "Task 99" in frame
    assert "Task 50" not in frame


def test_a_reader_that_goes_away_is_no_error(project: Project) -> None:
    """``aca schema | head -0``: quiet, and the exit code is that of the work."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        project.argv("schema"),
        cwd=project.root,
        env=project.env(),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_run_goes_on_without_its_reader(project: Project) -> None:
    """Events that nobody wants to read do not stop the work."""
    project.write({"tasks.md": '1. One {run="true"}\n2. Two {run="touch two"}\n'})
    reading, writing = os.pipe()
    os.close(reading)
    argv = project.argv("--task-file", "tasks.md", "--jsonl")
    done = subprocess.run(
        argv, cwd=project.root, env=project.env(), stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (project.root / "two").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
@pytest.mark.parametrize(("command", "code"), [("schema", 7), ("show nope --json", 2)])
def test_a_full_disk_behind_stdout_is_the_machine_s_fault(project: Project, command: str, code: int) -> None:
    """One line says so; what was wrong before stays what is wrong."""
    with open("/dev/full", "w") as full:
        argv = project.argv(*command.split())
        done = subprocess.run(
            argv, cwd=project.root, env=project.env(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    told = done.stderr.splitlines()
    assert (done.returncode, told[-1]) == (code, b"standard output: No space left on device")
    assert b"Traceback" not in done.stderr
