"""What a session leaves on disk, and that all but the journal and the plan is only derived."""

from __future__ import annotations

import json
import shutil

from tests.project import Project

SCRIPT = """
    [tasks.write]
    steps = [
      {conversation = "c-1"},
      {write = "app.py", content = "print(1)"},
      {run = "echo from the tool"},
      {usage = {input_tokens = 10, output_tokens = 2, cost_usd = 0.25}},
      {say = "Written."},
    ]
    """
TASKS = """
- [ ] Write {#write check="test -s app.py"}
- [ ] Run {#run needs=write run="echo hello; echo oops >&2"}
"""


def finished(project: Project) -> None:
    project.write({"tasks.md": project.replay(SCRIPT) + TASKS})
    project.run("--task-file", "tasks.md")


def test_every_promised_file_is_there_with_its_content(project: Project) -> None:
    """Hierarchy, conversations, settings, changes, and per attempt the prompt, the steps and the output."""
    finished(project)
    one = project.session().path
    picture = json.loads((one / "meta" / "session.json").read_text())
    assert {task["id"]: task["status"] for task in picture["tasks"]} == {
        "write": "completed",
        "run": "completed",
    }
    assert picture["progress"]["completed"] == 2
    assert all(task["updated_at"] >= task["created_at"] for task in picture["tasks"])
    messages = json.loads((one / "replay" / "messages.json").read_text())
    assert messages == [{"task": "write", "conversation": "c-1", "last_message": "Written."}]
    settings = json.loads((one / "replay" / "session_config.json").read_text())
    assert settings["options"] == {"script": "replay.toml"}
    changes = json.loads((one / "file_changes" / "change_log.json").read_text())
    assert changes == [{"task": "write", "path": "app.py", "action": "created"}]
    logs = one / "execution_logs" / "task_logs"
    steps = [json.loads(line) for line in (logs / "write" / "1.jsonl").read_text().splitlines()]
    assert steps[-1]["step"] == "result"
    assert "Your task: Write" in (logs / "write" / "1.prompt.md").read_text()
    assert (logs / "write" / "1" / "output.log").read_text() == "from the tool\n"
    assert (logs / "run" / "1.output.log").read_text() == "hello\noops\n"
    assert "one session of aca" in (one / "README").read_text()
    assert (project.root / ".aca" / ".gitignore").read_text().splitlines()[-1] == "*"


def test_git_sees_nothing_of_it(project: Project) -> None:
    """``.aca`` ignores itself."""
    import subprocess

    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)
    finished(project)
    done = subprocess.run(["git", "status", "--porcelain"], cwd=project.root, check=True, capture_output=True)
    assert b".aca" not in done.stdout


def test_limits_that_a_provider_tells_are_kept(project: Project) -> None:
    """Where a closed window was met, its state is there for the next run."""
    program = project.root / "claude"
    answer = {"type": "result", "subtype": "success", "is_error": True, "api_error_status": 429}
    answer |= {"result": "You've hit your session limit", "permission_denials": [], "usage": {}}
    info = {"status": "rejected", "resetsAt": 4102444800, "rateLimitType": "five_hour"}
    told = [json.dumps({"type": "rate_limit_event", "rate_limit_info": info}), json.dumps(answer)]
    settings = f'provider = "claude-cli"\nclaude_code = {{command = "{program}"}}\n'
    project.write({"claude": "#!/bin/sh\ncat <<'E'\n" + "\n".join(told) + "\nE\n"})
    project.write({"tasks.toml": settings + '[[tasks]]\ntitle = "A"\n'})
    program.chmod(0o755)
    project.run("--task-file", "tasks.toml", "--on-quota", "exit", expect=75)
    state = json.loads((project.session().path / "claude-cli" / "rate_limit_state.json").read_text())
    assert state["told"]["resetsAt"] == 4102444800
    assert state["closed"]["until"] == 4102444800
    assert state["windows"]["five_hour"]["share"] == 1


def test_what_is_derived_may_be_deleted(project: Project) -> None:
    """The state is a fold of the journal and needs nothing else."""
    finished(project)
    one = project.session().path
    for part in ("meta", "file_changes", "execution_logs", "replay"):
        shutil.rmtree(one / part)
    assert project.run("status", "--json").json["progress"]["completed"] == 2


def test_an_interval_makes_checkpoints_that_can_be_listed(project: Project) -> None:
    """Besides the one after each finished task."""
    project.write({
        "tasks.toml": 'checkpoint_interval = "300ms"\n[[tasks]]\ntitle = "Wait"\nrun = "sleep 1"\n'
    })  # fmt: skip
    project.run("--task-file", "tasks.toml")
    names = [one["name"] for one in project.run("--list-checkpoints", "--json").json]
    assert names.count("interval") >= 2
    assert names[-1] == "wait"
