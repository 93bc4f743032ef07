"""What can go wrong in one attempt: it is told as what it is, and never as a bug of aca's."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
from pathlib import Path

import pytest

from aca.attempts.attempt import Attempts
from aca.attempts.consultation import Agents
from aca.core import events as ev
from aca.core.state import SessionState
from aca.limits.gate import Gate
from aca.plans.plan import Plan
from aca.safety.place import OutsideWorkspaceError
from aca.sessions import session
from tests.core.stories import task
from tests.places import place
from tests.project import Outcome, Project

CLAUDE = """\
#!/usr/bin/env python3
import json, os, sys, time
number = int(os.environ["ACA_ATTEMPT"].rpartition("/")[2])
with open("calls", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
def say(**event):
    print(json.dumps(event), flush=True)
def end(**told):
    say(**{"type": "result", "subtype": "success", "is_error": False, "result": "done", "usage": {},
           "permission_denials": [], **told})
"""


def run_claude(
    project: Project, acts: str, attributes: str = "", expect: int = 0, on_quota: str = "wait"
) -> Outcome:
    """A run with one task, for a program that prints what claude would and *acts* so."""
    install_claude(project, acts, attributes)
    return project.run("--task-file", "tasks.md", "--on-quota", on_quota, expect=expect)


def install_claude(project: Project, acts: str, attributes: str = "") -> None:
    program = project.root / "claude"
    program.write_text(f"{CLAUDE}{acts}\n", encoding="utf-8")
    program.chmod(0o755)
    front = f"---\nprovider: claude-cli\nproviders: {{claude-cli: {{command: {program}}}}}\n---\n"
    project.write({"tasks.md": f"{front}- [ ] Work {{#work retry_delay=1ms {attributes}}}\n"})


def run_replayed(project: Project, script: str, tasks: str, expect: int = 0) -> Outcome:
    project.write({"tasks.md": project.replay(script) + tasks})
    return project.run("--task-file", "tasks.md", expect=expect)


def failure(project: Project) -> ev.TaskFailed:
    """The last failure of the newest session."""
    return [event for event in project.journal() if isinstance(event, ev.TaskFailed)][-1]


# -- subtasks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subtask", "told"),
    [
        ('title = "A", provider = "openai"', "subtask 1: provider cannot be set by an agent"),
        ('title = "A", dependencies = 5', "subtask 1: dependencies should be a list of ids or titles, not 5"),
        ('title = "A", file_refs = ["../home"]', 'subtask 1: file_refs: there is no file "../home"'),
        ('title = "A", file_refs = [".aca/.gitignore"]', "subtask 1: file_refs: there is no file"),
        ('title = "A", file_refs = ["\\u0000"]', "subtask 1: file_refs: there is no file"),
        (f'title = "A", file_refs = ["{"x" * 300}"]', "subtask 1: file_refs: there is no file"),
    ],
)
def test_subtasks_that_cannot_be_used_fail_the_attempt(project: Project, subtask: str, told: str) -> None:
    """With the reason, and are not a bug."""
    script = f"[tasks.work]\nsteps = [{{subtasks = [{{{subtask}}}]}}]\n"
    run_replayed(project, script, "- [ ] Work {#work retries=0}\n", expect=1)
    assert told in failure(project).reason


def test_subtasks_may_have_titles_of_any_length_and_script(project: Project) -> None:
    """Their ids are the names of directories."""
    title = "实现用户登录和注销功能" * 20
    script = f"""
        [tasks.work]
        steps = [{{subtasks = [{{title = "{title}"}}, {{title = "{title}"}}]}}]
        [tasks."*"]
        steps = [{{say = "done"}}]
        """
    run_replayed(project, script, f"- [ ] Work {{#work}}\n- [ ] {title}\n")
    assert len(project.session().state().tasks) == 4


def test_subtasks_work_where_their_parent_does(project: Project) -> None:
    """With its environment, as they were thought up there."""
    project.write({"sub/here": ""})
    script = (
        '[tasks.work]\nsteps = [{subtasks = [{title = "A", kind = "command", command = "test -f here"}]}]\n'
    )
    run_replayed(project, script, "- [ ] Work {#work cwd=sub}\n")


def test_a_provider_that_is_not_there_fails_the_attempt(tmp_path: Path) -> None:
    """Whoever named it: no attempt ends in a KeyError."""
    plan = Plan(tasks=(task("a", provider="nobody"),))
    one = session.create(tmp_path, plan.model_dump_json(by_alias=True))
    state = SessionState(plan)
    state.apply(ev.TaskStarted(task="a", attempt=1))
    attempts = Attempts(Agents(one, state, {}, lambda _task, _step: None, Gate(plan, {})))
    ended = asyncio.run(attempts("a", 1, lambda _event: None))
    assert isinstance(ended, ev.TaskFailed)
    assert (ended.category, ended.reason) == ("input", 'there is no provider "nobody" in this run')


# -- what the agent says ----------------------------------------------------------------------------------


def test_text_that_is_no_text_is_kept_as_far_as_it_goes(project: Project) -> None:
    """Half a surrogate pair is valid in JSON and in no file."""
    run_claude(
        project,
        'say(type="assistant", message={"content": [{"type": "text", "text": "half \\ud83d"}]})\n'
        'say(type="assistant", message={"content": [{"type": "tool_use", "id": "1", "name": "Write",'
        ' "input": {"file_path": os.path.abspath("\\ud83d.txt")}}]})\n'
        'say(type="user", message={"content": [{"type": "tool_result", "tool_use_id": "1"}]},'
        ' tool_use_result={"type": "create"})\n'
        'end(result="all \\ud83d done")',
    )
    now = project.session().state().states["work"]
    assert now.summary == "all ? done"
    assert f"{project.root}/?.txt" in [change.path for change in now.files]


def test_a_reason_that_is_no_text_is_kept_as_far_as_it_goes(project: Project) -> None:
    """The same where it failed."""
    run_claude(project, 'end(is_error=True, result="broken \\ud83d")', "retries=0", expect=1)
    assert failure(project).reason.startswith("broken ?")


def test_an_interruption_that_nobody_asked_for_is_a_failure(project: Project) -> None:
    """Tried again as often as failures are, and not for ever."""
    aborted = 'end(is_error=True, terminal_reason="aborted_streaming")'
    run_claude(project, aborted, "retries=2", expect=1)
    assert len(project.read("calls").splitlines()) == 3
    assert failure(project).category == "transient"


def test_a_window_that_opens_nobody_knows_when(project: Project) -> None:
    """The attempt tells no time rather than a wrong one; the run says when it is tried again."""
    outcome = run_claude(
        project,
        'say(type="rate_limit_event", rate_limit_info={"status": "rejected"})\n'
        'end(is_error=True, result="You have hit your limit")',
        on_quota="exit",
        expect=75,
    )
    [event] = [event for event in project.journal() if isinstance(event, ev.TaskInterrupted)]
    assert (event.quota, event.until) == (True, None)
    assert "aca resume   (after " in outcome.stdout


# -- conversations ----------------------------------------------------------------------------------------


def conversations(project: Project) -> list[tuple[str, str]]:
    """Of each call of claude, whether it began a conversation or continued it, and which."""
    calls = [json.loads(line) for line in project.read("calls").splitlines()]
    how = [next(word for word in call if word in ("--resume", "--session-id")) for call in calls]
    return [(word, call[call.index(word) + 1]) for word, call in zip(how, calls, strict=True)]


def test_a_conversation_is_continued_after_an_interruption_that_follows_a_failure(project: Project) -> None:
    """The one that was interrupted, not the one that failed."""
    install_claude(
        project,
        "if number == 1: end(is_error=True, result='no')\n"
        "if number == 2: open('busy', 'w').close(); time.sleep(60)\n"
        "if number == 3: end()",
    )
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: (project.root / "busy").exists())
    running.kill()
    project.run("resume")
    (_, failed), (how, interrupted), third = conversations(project)
    assert how == "--session-id"
    assert third == ("--resume", interrupted)
    assert failed != interrupted


@pytest.mark.parametrize(
    ("first", "code", "args"),
    [
        ("end(permission_denials=[{'tool_name': 'Bash'}])", 4, ()),
        ("end(is_error=True, result='no')", 1, ("--failed",)),
    ],
)
def test_a_conversation_that_came_to_an_end_is_not_continued(
    project: Project, first: str, code: int, args: tuple[str, ...]
) -> None:
    """Neither after a denial nor after a failure: the agent would go on from what did not work."""
    run_claude(project, f"if number == 1: {first}\nelse: end()", "retries=0", expect=code)
    project.run("resume", *args)
    assert [how for how, _ in conversations(project)] == ["--session-id", "--session-id"]


# -- the plan's files and directories ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cwd", "told"),
    [
        ("out", "out is outside the workspace"),
        ("out/below", "out/below is outside the workspace"),
        (".aca", ".aca is aca's own"),
    ],
)
def test_a_working_directory_that_cannot_be_one_fails_its_tasks(
    project: Project, cwd: str, told: str
) -> None:
    """A link that leads out of the workspace, for one: nothing is made or run there."""
    project.write({"tasks.md": f'---\ncwd: {cwd}\n---\n- [ ] A {{#a run="touch ran"}}\n'})
    (project.root / "out").symlink_to(project.home)
    project.run("--task-file", "tasks.md", expect=1)
    assert (failure(project).category, told in failure(project).reason) == ("input", True)
    assert not [*project.home.glob("ran"), *project.home.glob("below")]


@pytest.mark.parametrize(
    ("cwd", "told"), [("file", "file: File exists"), ("file/below", "file/below: Not a directory")]
)
def test_a_working_directory_that_became_a_file_fails_its_tasks(
    project: Project, cwd: str, told: str
) -> None:
    """Where it is one before, the plan is refused."""
    project.write({"tasks.md": f'---\ncwd: {cwd}\n---\n- [ ] A {{#a run="false"}}\n'})
    project.run("--task-file", "tasks.md", expect=1)
    shutil.rmtree(project.root / "file")
    project.write({"file": ""})
    project.run("resume", "--failed", expect=1)
    assert (failure(project).category, told in failure(project).reason) == ("input", True)


def test_a_task_whose_directory_is_missing_fails(project: Project) -> None:
    """By its name."""
    project.write({"tasks.md": '- [ ] A {#a cwd=nowhere run="true"}\n'})
    project.run("--task-file", "tasks.md", expect=1)
    assert failure(project).reason.endswith("nowhere: this working directory does not exist")


def test_a_reference_that_became_a_directory_fails_its_task_alone(project: Project) -> None:
    """It is not tried again, and the others go on."""
    project.write({"spec.md": "x\n"})
    script = 'tasks."*".steps = [{say = "done"}]\n'
    change = '- [ ] Change {#change run="rm spec.md; mkdir spec.md"}\n'
    tasks = change + "- [ ] Build {#build needs=change} -> spec.md\n- [ ] Rest {#rest needs=change}\n"
    run_replayed(project, script, tasks, expect=1)
    assert project.session().state().states["rest"].status == "completed"
    assert (failure(project).task, failure(project).category) == ("build", "input")
    assert failure(project).reason.endswith("spec.md: Is a directory")


def test_whose_fault_an_error_is() -> None:
    """The plan's: a file it names that may not be read. The machine's: our own files, or a full disk."""
    one = session.Session(Path("/w/.aca/sessions/s"))
    attempts = Attempts(Agents(one, SessionState(Plan()), {}, lambda *_: None, Gate(Plan(), {})))
    ours, theirs = "/w/.aca/sessions/s/execution_logs/x", "/w/spec.md"
    told = [
        attempts.blames_plan(OSError(number, "", name))
        for name in (theirs, ours, None)
        for number in (errno.EACCES, errno.EISDIR, errno.ENOSPC, errno.EIO)
    ]
    assert told == [True, True, False, False, *[False] * 8]


# -- what is written down ---------------------------------------------------------------------------------


def test_secrets_are_struck_out_of_reasons(project: Project) -> None:
    """What a command prints when it fails is told to people, and to the next attempt."""
    project.write({"tasks.md": '- [ ] A {#a run="echo token is $DEPLOY_TOKEN; false"}\n'})
    outcome = project.run("--task-file", "tasks.md", env={"DEPLOY_TOKEN": "canary-0123456789"}, expect=1)
    assert "token is *****************" in failure(project).reason
    told = project.session().journal_path.read_text(encoding="utf-8") + outcome.stdout + outcome.stderr
    assert "canary" not in told.replace("$DEPLOY_TOKEN", "")


def test_colours_are_taken_out_of_reasons(project: Project) -> None:
    """As out of the output of checks."""
    project.write({"tasks.md": "- [ ] A {#a run=\"printf '\\\\033[31mred\\\\033[0m'; false\"}\n"})
    project.run("--task-file", "tasks.md", expect=1)
    assert failure(project).reason.endswith("exit code 1\nred")


def test_files_are_written_in_utf_8_whatever_the_locale(project: Project) -> None:
    """A prompt with an umlaut is no bug where the terminal knows none."""
    script = 'tasks."*".steps = [{say = "done"}]\n'
    project.write({"tasks.md": project.replay(script) + "- [ ] Größe {#size}\n  Prüfe 大小.\n"})
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    project.run("--task-file", "tasks.md", env=ascii_only)
    assert "Prüfe 大小." in (project.session().task_logs / "size" / "1.prompt.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["\ud83d.txt", "a\0b"])
def test_a_name_no_file_can_have_is_no_bug(tmp_path: Path, name: str) -> None:
    """It is told as it was said, and leads nowhere."""
    assert place(tmp_path).name_of(Path(name)) == name
    with pytest.raises(OutsideWorkspaceError, match="a path cannot contain"):
        place(tmp_path).inside(name)
