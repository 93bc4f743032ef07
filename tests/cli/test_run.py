"""Running a file: what is carried out, in which order, under which settings, and what is told of it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from aca.core import events as ev
from tests.project import Outcome, Project

SCRIPT = """
    [tasks.model]
    steps = [
      {say = "I write the model."},
      {write = "model.py", content = "name = 'model'\\n"},
      {usage = {input_tokens = 900, output_tokens = 100, cost_usd = 0.25}},
    ]
    [tasks.view]
    steps = [{write = "view.py", content = "import model\\n"}, {run = "test -f model.py", must = true}]
    [tasks.fails]
    steps = [{fail = "the agent gave up"}]
    [tasks."*"]
    steps = [{wait = "0.3s"}]
"""


def write_tasks(project: Project, tasks: str, front: str = "") -> None:
    """A Markdown task file whose agent tasks are played back."""
    head = project.replay(SCRIPT).replace("---\n", f"---\n{dedent(front)}", 1)
    project.write({"tasks.md": head + dedent(tasks)})


TWO = """
    # Application
    - [ ] The view {#view needs=model check="test -f view.py"}
    - [ ] The model {#model}
"""


def order(project: Project) -> list[str]:
    """The tasks of the newest session in the order in which they started."""
    return [event.task for event in project.journal() if isinstance(event, ev.TaskStarted)]


def overlapped(project: Project) -> bool:
    """Whether some task started while another one ran."""
    running = 0
    for event in project.journal():
        running += isinstance(event, ev.TaskStarted)
        if running > 1:
            return True
        running -= isinstance(event, ev.AttemptEnded)
    return False


def statuses(outcome: Outcome) -> dict[str, str]:
    """Task -> status, of a ``--json`` document."""
    return {task["id"]: task["status"] for task in outcome.json["tasks"]}


def test_a_task_file_is_carried_out_dependencies_first(project: Project) -> None:
    """Every task is done, files are really written, and progress and result go to different streams."""
    write_tasks(project, TWO)
    outcome = project.run("--task-file", "tasks.md")
    assert order(project) == ["model", "view"]
    assert project.read("view.py") == "import model\n"
    assert "created  model.py, view.py" in outcome.stdout
    assert "1,000 tokens" in outcome.stdout
    assert f".aca/sessions/{project.session().id}" in outcome.stdout
    assert "[2/2] view: completed in " in outcome.stderr
    assert "(1 check passed)" in outcome.stderr


def test_a_replayed_run_says_so_at_start_and_end(project: Project) -> None:
    """Nobody can take a played back model for a real one."""
    write_tasks(project, TWO)
    outcome = project.run("--task-file", "tasks.md")
    assert "replayed: no model is called" in outcome.stderr.splitlines()[0]
    assert "replayed: no model was called" in outcome.stdout


@pytest.mark.parametrize("name", ["plan.json", "plan.toml", "tasks.md"])
def test_run_takes_any_file_by_its_content(project: Project, name: str) -> None:
    """``aca run FILE`` is the same for a task file and for a plan."""
    write_tasks(project, TWO)
    project.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    project.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.toml")
    assert project.run("run", name, "--json").json["progress"]["completed"] == 2


def test_an_edited_plan_is_what_runs(project: Project) -> None:
    """Title and dependencies that were changed by hand in the dumped plan are followed."""
    write_tasks(project, "- [ ] One {#one}\n- [ ] Two {#two}\n")
    project.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    plan = project.read("plan.json")
    edited = plan.replace('"title": "One",', '"title": "Renamed", "dependencies": ["two"],')
    project.write({"plan.json": edited})
    outcome = project.run("--execution-plan", "plan.json", "--json")
    assert order(project) == ["two", "one"]
    assert [task["title"] for task in outcome.json["tasks"]] == ["Renamed", "Two"]


def test_execution_plan_refuses_a_task_file(project: Project) -> None:
    """``--execution-plan`` means a plan that was reviewed, not something to be made into one."""
    write_tasks(project, TWO)
    outcome = project.run("--execution-plan", "tasks.md", expect=2)
    assert "this is not a plan" in outcome.stderr
    assert "aca --task-file tasks.md" in outcome.stderr


def test_jobs_let_tasks_overlap(project: Project) -> None:
    """``-j 2`` runs two independent tasks at once; without it they follow each other."""
    write_tasks(project, "- [ ] One\n- [ ] Two\n")
    project.run("--task-file", "tasks.md")
    assert not overlapped(project)
    project.run("--task-file", "tasks.md", "-j", "2")
    assert overlapped(project)


def test_a_mode_brings_its_number_of_tasks_along(project: Project) -> None:
    """``--execution-mode`` alone changes how a plan runs that was made for another mode."""
    write_tasks(project, "- [ ] One\n- [ ] Two\n", front="max_concurrent_tasks: 2\n")
    project.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    project.run("--execution-plan", "plan.json", "--execution-mode", "sequential")
    assert not overlapped(project)
    project.run("--execution-plan", "plan.json", "--execution-mode", "parallel")
    assert overlapped(project)


def test_keep_going_does_what_a_failure_leaves_possible(project: Project) -> None:
    """Only what needs the failed task is skipped, with the reason."""
    write_tasks(
        project, "- [ ] Fails {#fails retries=0}\n- [ ] After {#after needs=fails}\n- [ ] Model {#model}\n"
    )
    outcome = project.run("--task-file", "tasks.md", "--json", expect=1)
    assert statuses(outcome) == {"fails": "failed", "after": "skipped", "model": "completed"}
    assert outcome.json["tasks"][1]["reason"] == '"fails" failed'


def test_fail_fast_starts_nothing_more(project: Project) -> None:
    """The first failure ends the run; the rest is pending and can be resumed."""
    write_tasks(project, "- [ ] Fails {#fails retries=0}\n- [ ] Model {#model}\n")
    outcome = project.run("--task-file", "tasks.md", "--fail-fast", "--json", expect=1)
    assert statuses(outcome) == {"fails": "failed", "model": "pending"}


def test_only_runs_a_task_and_what_it_needs(project: Project) -> None:
    """The rest is skipped and does not count as failed."""
    write_tasks(project, TWO + "    - [ ] Other {#other}\n")
    outcome = project.run("--task-file", "tasks.md", "--only", "view", "--json")
    assert statuses(outcome) == {"view": "completed", "model": "completed", "other": "skipped"}


def test_skip_leaves_a_task_out(project: Project) -> None:
    """What needs a task that was left out on purpose still runs."""
    write_tasks(project, "- [ ] One {#one}\n- [ ] Model {#model needs=one}\n")
    outcome = project.run("--task-file", "tasks.md", "--skip", "one", "--json")
    assert statuses(outcome) == {"one": "skipped", "model": "completed"}


def test_permissions_are_handed_to_the_provider(project: Project) -> None:
    """Under read-only the agent's first write is refused and a person is asked for."""
    write_tasks(project, "- [ ] Model {#model}\n")
    outcome = project.run("--task-file", "tasks.md", "--permissions", "read-only", expect=4)
    assert "denied" in outcome.stdout
    assert not (project.root / "model.py").exists()


def test_another_workspace_is_worked_in(project: Project) -> None:
    """Files and sessions land in ``--workspace``; the task file is named from where one stands."""
    write_tasks(project, TWO)
    project.write({"other/replay.toml": SCRIPT})
    project.run("--task-file", "tasks.md", "--workspace", "other")
    assert (project.root / "other" / "model.py").exists()
    assert not (project.root / ".aca").exists()


def test_a_workspace_that_does_not_exist_is_refused(project: Project) -> None:
    """It is a typing error more often than a wish."""
    write_tasks(project, TWO)
    outcome = project.run("--task-file", "tasks.md", "--workspace", "nowhere", expect=2)
    assert "nowhere does not exist" in outcome.stderr


def test_quiet_prints_one_line(project: Project) -> None:
    """The result and nothing else."""
    write_tasks(project, TWO)
    outcome = project.run("--task-file", "tasks.md", "--quiet")
    assert len(outcome.stdout.splitlines()) == 1
    assert "2 completed" in outcome.stdout
    assert outcome.stderr == ""


def test_verbose_shows_what_agents_say_and_commands_print(project: Project) -> None:
    """Each line is behind the task it belongs to."""
    write_tasks(project, '- [ ] Model {#model}\n- [ ] Lint {#lint run="echo all is clean"}\n')
    outcome = project.run("--task-file", "tasks.md", "--verbose")
    assert "model | I write the model." in outcome.stderr
    assert "lint | all is clean" in outcome.stderr


def test_without_verbose_agents_are_not_quoted(project: Project) -> None:
    """Plain progress is one line per event."""
    write_tasks(project, TWO)
    assert "I write the model." not in project.run("--task-file", "tasks.md").stderr


def test_json_is_one_document_with_everything(project: Project) -> None:
    """Machines get files, usage, progress and the verdict."""
    write_tasks(project, TWO)
    told = project.run("--task-file", "tasks.md", "--json").json
    assert told["session"] == project.session().id
    assert told["exit_code"] == 0
    assert told["replayed"] is True
    assert told["usage"]["tokens"] == 1000
    assert told["usage"]["cost_usd"] == 0.25
    assert told["files"] == [
        {"path": "model.py", "action": "created"},
        {"path": "view.py", "action": "created"},
    ]


def test_an_unknown_cost_is_never_zero(project: Project) -> None:
    """A provider that tells tokens and no cost leaves the cost unknown, for people and machines."""
    head = project.replay('tasks."*".steps = [{usage = {input_tokens = 5}}]\n')
    project.write({"tasks.md": f"{head}- [ ] One\n"})
    assert "5 tokens, cost unknown" in project.run("--task-file", "tasks.md").stdout
    assert project.run("--task-file", "tasks.md", "--json").json["usage"]["cost_usd"] is None


def test_a_retry_is_told_with_reason_and_delay(project: Project) -> None:
    """One line says why the attempt failed and when the next one comes."""
    script = (
        'tasks.flaky.steps = [{fail = "overloaded", category = "transient", attempt = 1}, {say = "done"}]\n'
    )
    project.write({"tasks.md": f"{project.replay(script)}- [ ] Flaky {{#flaky retry_delay=10ms}}\n"})
    outcome = project.run("--task-file", "tasks.md")
    assert "[0/1] flaky: attempt 1 failed, next one in 0.0s: overloaded" in outcome.stderr
    assert "[0/1] flaky: started (replay, attempt 2)" in outcome.stderr
    assert "[1/1] flaky: completed" in outcome.stderr


def test_subtasks_handed_in_by_an_agent_are_told_and_counted(project: Project) -> None:
    """The parent becomes a group of what it handed in."""
    script = """
        [tasks.big]
        steps = [{subtasks = [{title = "First half"}, {title = "Second half"}]}]
        [tasks."*"]
        steps = [{say = "done"}]
    """
    project.write({"tasks.md": project.replay(script) + "- [ ] Big {#big}\n"})
    outcome = project.run("--task-file", "tasks.md")
    assert "big: split into 2 subtasks" in outcome.stderr
    assert "[2/2] big: all its subtasks are completed" in outcome.stderr
    assert "2/2" in project.run("status").stdout


def test_agents_cannot_write_to_the_terminal(project: Project) -> None:
    """Escape sequences in what an agent says are not passed on."""
    script = 'tasks."*".steps = [{say = "\\u001b]0;owned\\u0007\\u001b[31mred"}]\n'
    project.write({"tasks.md": project.replay(script) + "- [ ] One\n"})
    outcome = project.run("--task-file", "tasks.md", "--verbose")
    assert "one | red" in outcome.stderr
    assert "\x1b" not in outcome.stderr


def test_a_terminal_without_unicode_gets_plain_marks(project: Project) -> None:
    """No character that the encoding lacks is printed, and no error comes of it."""
    write_tasks(project, "- [ ] Größe {#model}\n")
    outcome = project.run("--task-file", "tasks.md", env={"PYTHONIOENCODING": "ascii"})
    assert outcome.stdout.startswith("x tasks: ")
    assert outcome.stdout.isascii()


def test_who_else_works_in_the_directory_is_told(project: Project) -> None:
    """Two sessions in one directory know nothing of each other's tasks."""
    project.write(
        {
            "long.md": '- [ ] Long {run="until test -f end; do sleep 0.05; done"}\n',
            "short.md": '- [ ] Short {run="touch end"}\n',
        }
    )
    running = project.start("run", "long.md")
    running.until(lambda: "long: started" in running.stderr)
    told = project.run("run", "short.md").stderr
    assert f"process {running.pid} works in this directory too" in told
    assert "works in this directory too" not in running.finish(expect=0).stderr
