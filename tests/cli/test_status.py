"""Looking at a session: ``aca status`` and ``aca show``."""

from __future__ import annotations

import re

from aca.sessions.messages import Remark
from tests.project import Project

SCRIPT = """
    [tasks.model]
    steps = [
      {write = "model.py", content = ""},
      {usage = {input_tokens = 40, output_tokens = 2, cost_usd = 0.5}},
      {say = "The model is there."},
    ]
    [tasks.flaky]
    steps = [{say = "let us see"}, {fail = "the disk is\\nupside down"}]
"""
TASKS = """\
# Accounts
- [ ] Model {#model}
- [ ] Screens {#screens}
  - [ ] Flaky {#flaky retries=1 retry_delay=1ms}
  - [ ] Lint {#lint run="echo some output; exit 3"}
- [ ] Look {#look kind=approval}
- [ ] Ship {#ship needs=look,model run="true"}
- [ ] Clean {#clean run="true" check="echo broken; false"}
"""


def a_run(project: Project) -> None:
    """A session with every kind of ending in it."""
    project.write({"tasks.md": project.replay(SCRIPT) + TASKS})
    project.run("--task-file", "tasks.md", expect=4)


def test_there_may_be_no_session_yet(project: Project) -> None:
    """That is an answer, not an error, and nothing is made on the way."""
    assert project.run("status").stdout == "no session yet\n"
    assert project.run("status", "--json").json is None
    assert not (project.root / ".aca").exists()


def test_from_a_directory_further_down_the_project_is_found(project: Project) -> None:
    """It is a workspace of its own, without the sessions and settings that lie above; that is told."""
    project.write({"tasks.md": '- [ ] One {run="true"}\n', "aca.toml": "retries = 0\n", "sub/x": ""})
    project.run("run", "tasks.md")
    below, hint = ("--workspace", "sub"), f"there are sessions in {project.root}: --workspace {project.root}"
    assert project.run("status", *below).stdout == f"no session here; {hint}\n"
    assert hint in project.run("resume", *below, expect=2).stderr
    told = project.run("run", "tasks.md", *below, "--dry-run").stderr
    assert f"{project.root}/aca.toml is not read here" in told


def test_status_shows_counts_roll_up_and_what_waits(project: Project) -> None:
    """Each task with its status, groups with how much of them is done, and what to do next."""
    a_run(project)
    lines = re.sub(r"  \d+\.\ds", "", project.run("status").stdout).splitlines()
    assert lines[0] == "Accounts: 1 pending, 1 waiting for a person, 1 completed, 3 failed"
    assert "  ✘ Screens (screens)  0/2  2 of 2 subtasks not done: flaky, lint" in lines
    assert "    ✘ Flaky (flaky)  the disk is" in lines
    assert "  waits    look: approval: aca approve look" in lines
    assert "  used     42 tokens, $0.50 (replayed: no model was called)" in lines
    assert any(line.startswith("  next     aca approve look") for line in lines)


def test_status_tells_machines_the_same(project: Project) -> None:
    """One document: progress, tasks with their reasons, usage, how the last run ended."""
    a_run(project)
    told = project.run("status", "--json").json
    assert (told["exit_code"], told["running"], told["usage"]["tokens"]) == (4, None, 42)
    assert {task["id"]: task["status"] for task in told["tasks"]}["ship"] == "pending"


def test_status_names_the_process_that_runs_a_session(project: Project) -> None:
    """While one does; and how far it is."""
    project.write({"tasks.md": '1. One {run="true"}\n2. Slow {run="sleep 60"}\n'})
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: "slow: started" in running.stderr)
    told = project.run("status").stdout
    assert f"  runs     now, by process {running.pid}" in told
    assert "tasks: 1 running, 1 completed" in told


def test_status_lists_earlier_sessions_briefly(project: Project) -> None:
    """Below the newest; ``--sessions`` lists them all."""
    a_run(project)
    project.write({"other.md": '- [ ] Other {run="true"}\n'})
    project.run("run", "other.md")
    first, second = (one.id for one in project.sessions())
    assert f"1 earlier session:\n  {first}  1/6 completed  Accounts" in project.run("status").stdout
    listed = project.run("status", "--sessions").stdout.splitlines()
    assert [line.split()[0] for line in listed] == [first, second]
    assert "Accounts" in project.run("status", first[:-1]).stdout.splitlines()[0]


def test_a_large_plan_is_shown_in_part(project: Project) -> None:
    """What failed is among what is shown; ``--all`` shows the rest."""
    many = "".join(f'- [ ] Task {n} {{run="true"}}\n' for n in range(100))
    project.write({"tasks.md": f'{many}- [ ] Last {{#last run="false"}}\n'})
    project.run("--task-file", "tasks.md", "-j", "8", expect=1)
    brief = project.run("status").stdout
    assert "Last (last)" in brief
    assert "... and 41 more tasks (--all shows them)" in brief
    assert "Task 99 (task-99)" in project.run("status", "--all").stdout


def test_show_lists_every_task(project: Project) -> None:
    """Without a name it is the whole tree."""
    a_run(project)
    assert len(project.run("show").stdout.splitlines()) == 7
    assert len(project.run("show", "--json").json) == 7


def test_show_tells_why_a_task_failed(project: Project) -> None:
    """Each attempt with its reason, and the files to read on in."""
    a_run(project)
    told = project.run("show", "flaky").stdout
    assert "  status    failed\n  reason    the disk is\n            upside down\n" in told
    assert told.count("  attempt ") == 2
    assert ": failed\n    the disk is\n    upside down\n" in told
    log = next(line.split()[-1] for line in told.splitlines() if line.endswith("flaky/2.jsonl"))
    assert "let us see" in project.read(log)


def test_show_tells_what_failed_in_a_check_or_command(project: Project) -> None:
    """The output that says why is there without opening a log."""
    a_run(project)
    assert "exit code 3\n            some output\n" in project.run("show", "lint").stdout
    told = project.run("show", "clean").stdout
    assert "check echo broken; false: failed with exit code 1" in told
    assert "\n      broken\n" in told


def test_show_tells_why_a_task_waits(project: Project) -> None:
    """Which dependency it is, and what that one waits for in turn."""
    a_run(project)
    assert "  waits for look, which is waiting for a person\n" in project.run("show", "ship").stdout
    assert "  waits for approval: aca approve look\n" in project.run("show", "look").stdout


def test_show_tells_what_a_task_made(project: Project) -> None:
    """Result, files and usage of a task that is done; a title is as good as an id."""
    a_run(project)
    told = project.run("show", "Model").stdout
    assert "  result    The model is there.\n  created   model.py\n" in told
    assert "    42 tokens, $0.50\n" in told
    document = project.run("show", "model", "--json").json
    assert document["files"] == [{"path": "model.py", "action": "created"}]
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["completed"]


def test_show_of_an_unknown_task_names_the_nearest(project: Project) -> None:
    """Among ids and titles."""
    a_run(project)
    assert 'did you mean "flaky"?' in project.run("show", "flakey", expect=2).stderr


def test_looking_never_writes(project: Project) -> None:
    """A session that is at rest keeps every byte and every date."""
    a_run(project)

    def picture() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in project.session().path.rglob("*")}

    before = picture()
    for args in (
        ["status"],
        ["show"],
        ["show", "flaky"],
        ["--list-checkpoints"],
        ["doctor", project.session().id],
    ):
        project.run(*args)
    assert picture() == before


def test_messages_that_nobody_has_read_are_shown(project: Project) -> None:
    """A run that was killed may have left some; the next one reads them."""
    project.write({"tasks.md": project.replay('tasks."*".steps = [{hang = true}]\n') + "- [ ] One {#one}\n"})
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: project.sessions() and "task_started" in project.session().journal_path.read_text())
    running.kill()
    project.session().send(Remark("one", "be brief", "ann"))
    assert "inbox    1 message for the next run: aca resume" in project.run("status").stdout
    assert project.run("status", "--json").json["inbox"] == 1
