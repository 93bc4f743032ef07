"""What was reviewed is what runs: approvals, drift, and secrets, in fresh processes and real repositories."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from tests.plans.full_plan import APPROVED, CHANGEABLE, changed, is_named
from tests.project import Project

TASKS = """\
---
provider: replay
providers: {replay: {script: replay.toml}}
---
- [ ] Write it {#write}
- [ ] Print it {#print needs=write run="cat made.txt"}
"""
SCRIPT = 'tasks."*".steps = [{write = "made.txt", content = "made"}]\n'


@pytest.fixture
def planned(project: Project) -> Project:
    """A repository with a task file, and a plan that was made of it and committed."""
    git(project, "init", "--quiet")
    project.write({"tasks.md": TASKS, "replay.toml": SCRIPT})
    commit(project)
    project.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    return project


def git(project: Project, *words: str) -> str:
    who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
    argv = ["git", *who, *words]
    return subprocess.run(argv, cwd=project.root, check=True, capture_output=True, text=True).stdout.strip()


def commit(project: Project) -> str:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "more")
    return git(project, "rev-parse", "HEAD")


def edit(project: Project, name: str, old: str, new: str) -> None:
    assert old in project.read(name)
    project.write({name: project.read(name).replace(old, new)})


def plan(project: Project, name: str = "plan.json") -> dict[str, Any]:
    return dict(json.loads(project.read(name)))


# -- the contract -----------------------------------------------------------------------------------------


def test_a_dumped_plan_says_on_what_and_with_what_it_was_made(planned: Project) -> None:
    """Commit, tools, and for each task its definition and what it gets."""
    contract = plan(planned)["contract"]
    assert contract["base_commit"] == git(planned, "rev-parse", "HEAD")
    assert planned.run("--version").stdout == f"aca {contract['tools']['aca']}\n"
    write = contract["tasks"]["write"]
    assert len(write.pop("definition")) == 64
    assert write == {"provider": "replay", "permissions": "workspace-write", "retries": 2, "timeout": "30m"}


def test_the_version_of_an_agent_is_a_tool(planned: Project) -> None:
    """Another one is drift, and is named; a plan is looked at all the same."""
    program = planned.root / "bin" / "claude"
    planned.write({"bin/claude": "#!/bin/sh\necho 1.0\n", "one.md": "- [ ] One {#one}\n"})
    program.chmod(0o755)
    env = {"PATH": f"{program.parent}:{planned.env()['PATH']}"}
    planned.run(
        "--task-file", "one.md", "--provider", "claude-cli", "--dry-run", "--dump-plan", "one.json", env=env
    )
    assert plan(planned, "one.json")["contract"]["tools"]["claude-cli"] == "1.0"
    program.write_text("#!/bin/sh\necho 2.0\n")
    told = planned.run("--execution-plan", "one.json", "--dry-run", env=env, expect=6).stderr
    assert "claude-cli 2.0 instead of 1.0" in told
    assert "--allow-drift tools" in told
    planned.run("--execution-plan", "one.json", "--dry-run", "--allow-drift", "tools", env=env)
    assert "claude-cli 2.0 instead of 1.0" in planned.run("plan", "show", "one.json", env=env).stderr


def test_a_plan_outside_of_a_repository_has_no_commit(project: Project) -> None:
    """And runs as any other."""
    project.write({"tasks.md": '- [ ] One {run="true"}\n'})
    project.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    assert "base_commit" not in plan(project)["contract"]
    project.run("--execution-plan", "plan.json")


def test_a_tree_that_has_moved_is_refused(planned: Project) -> None:
    """With the files; it can be allowed. To commit plan and task file moves nothing."""
    edit(planned, "plan.json", "cat made.txt", "cat  made.txt")
    commit(planned)
    planned.run("--execution-plan", "plan.json", "--dry-run")
    planned.write({"other.txt": "x", "more.txt": "x"})
    commit(planned)
    told = planned.run("--execution-plan", "plan.json", expect=6).stderr
    assert "contract.base_commit" in told
    assert "which changes more.txt, other.txt" in told
    assert planned.sessions() == []
    planned.run("--execution-plan", "plan.json", "--allow-drift", "base_commit")


def test_a_commit_that_is_not_here_is_refused(planned: Project) -> None:
    """A shallow clone cannot say what has changed."""
    base = git(planned, "rev-parse", "HEAD")
    edit(planned, "plan.json", base, "0" * 40)
    told = planned.run("--execution-plan", "plan.json", expect=6).stderr
    assert "that commit is not in this clone" in told


def test_the_repository_of_the_workspace_counts_whoever_calls(planned: Project) -> None:
    """A hook of another repository names that one in the environment of everything it starts."""
    elsewhere = planned.root.parent / "elsewhere"
    subprocess.run(["git", "init", "--quiet", str(elsewhere)], check=True)
    hook = {"GIT_DIR": str(elsewhere / ".git"), "GIT_INDEX_FILE": str(elsewhere / ".git" / "index")}
    planned.run("plan", "approve", "plan.json", env=hook)
    assert plan(planned)["contract"]["base_commit"] == git(planned, "rev-parse", "HEAD")
    planned.run("run", "plan.json", "--require-approved", "--dry-run", env=hook)


def test_everything_that_has_moved_is_told_at_once(planned: Project) -> None:
    """Source and tree; allowing one of them is not enough."""
    planned.write({"tasks.md": f"{TASKS}- [ ] More\n", "other.txt": "x"})
    commit(planned)
    told = planned.run("--execution-plan", "plan.json", "--allow-drift", "tools", expect=6).stderr
    assert "tasks.md has changed" in told
    assert "which changes other.txt" in told
    allowed = ("--allow-drift", "source", "--allow-drift", "base_commit")
    planned.run("--execution-plan", "plan.json", "--dry-run", *allowed)


def test_a_task_file_cannot_say_what_aca_writes(project: Project) -> None:
    """Neither can settings."""
    project.write({"tasks.md": "---\napproval: {by: me}\n---\n- [ ] One\n"})
    assert 'tasks.md:2: only a plan has "approval"' in project.run("run", "tasks.md", expect=2).stderr
    project.write({"tasks.md": "- [ ] One\n", "aca.toml": "[contract]\nbase_commit = 'x'\n"})
    assert 'aca.toml:1: only a plan has "contract"' in project.run("run", "tasks.md", expect=2).stderr


# -- the approval -----------------------------------------------------------------------------------------


def test_what_is_approved_runs_and_nothing_else(planned: Project) -> None:
    """An approved plan, run where it must be, leaves its approval in the session."""
    refused = planned.run("--execution-plan", "plan.json", "--require-approved", expect=6)
    assert "plan.json is not approved" in refused.stderr
    out = planned.run("plan", "approve", "plan.json", "--by", "ann", "--comment", "fine").stdout
    assert out.startswith("plan.json: 2 tasks approved by ann on commit ")
    planned.run("--execution-plan", "plan.json", "--require-approved")
    kept = json.loads((planned.session().path / "plan.json").read_text())
    assert kept["approval"] == plan(planned)["approval"]


def test_an_edit_after_the_approval_is_refused_and_named(planned: Project) -> None:
    """With or without --require-approved; it can be run knowingly, but not as approved."""
    planned.run("plan", "approve", "plan.json")
    edit(planned, "plan.json", "cat made.txt", "cat other.txt")
    for flags in ([], ["--require-approved"]):
        told = planned.run("--execution-plan", "plan.json", *flags, expect=6).stderr
        assert re.match(r"plan.json:\d+: tasks.print.command is not what was approved\n", told)
        assert '"command": "cat other.txt"' in told
    allow = ("--execution-plan", "plan.json", "--dry-run", "--allow-drift", "approval")
    planned.run(*allow)
    planned.run(*allow, "--require-approved", expect=6)
    planned.run("plan", "approve", "plan.json")
    planned.run("--execution-plan", "plan.json", "--require-approved", "--dry-run")


def test_a_change_of_any_field_is_refused_by_name(project: Project, pytestconfig: pytest.Config) -> None:
    """Of a plan that says everything, one field after the other is taken out or has another value: all of
    them with --all, else one in fifteen."""
    project.write({"a.md": "As it is.\n"})
    refused = re.compile(r"^plan\.json(?::\d+)?: (\S+) is not what was approved$", re.MULTILINE)

    def judged(plan: dict[str, Any]) -> tuple[int, list[str]]:
        project.write({"plan.json": json.dumps(plan, indent=1)})
        outcome = project.run("plan", "validate", "plan.json", expect=None)
        return outcome.code, refused.findall(outcome.stderr)

    assert judged(APPROVED) == (6, [])  # neither its commit nor its task file are here
    for at in CHANGEABLE if pytestconfig.getoption("all") else CHANGEABLE[::15]:
        if at[-1] == "kind" and at[1] != 0:
            continue  # which goes with the other fields of a task: with another one they are no task
        told = (judged(made) for made, _ in changed(at))
        code, named = next(one for one in told if one[0] != 2)  # what is no plan is not even compared
        assert code == 6
        assert is_named(named, at), (at, named)


def test_statuses_and_spaces_may_be_edited(planned: Project) -> None:
    """How far a plan is and how it is written is not what was reviewed."""
    planned.run("plan", "approve", "plan.json")
    data = plan(planned)
    data["tasks"][0]["status"] = "completed"
    planned.write({"plan.json": json.dumps(dict(reversed(data.items())), indent=7)})
    planned.run("--execution-plan", "plan.json", "--require-approved", "--only", "print", "--dry-run")


def test_options_are_not_approved(planned: Project) -> None:
    """What is given for one run counts as always, unless only what was approved may run."""
    planned.run("plan", "approve", "plan.json")
    planned.run("--execution-plan", "plan.json", "--model", "other", "--dry-run")
    args = ("--execution-plan", "plan.json", "--require-approved", "--dry-run")
    assert "defaults.model" in planned.run(*args, "--model", "other", expect=6).stderr
    env = {"ACA_MAX_COST": "7", "ACA_REQUIRE_APPROVED": "1"}
    told = planned.run("run", "plan.json", "--dry-run", env=env, expect=6).stderr
    assert "limits.max_cost_usd" in told


def test_a_task_file_is_never_approved(planned: Project) -> None:
    """It says how to make something that can be."""
    told = planned.run("run", "tasks.md", "--require-approved", expect=6).stderr
    assert "only a plan can be approved" in told
    assert "--dump-plan plan.json" in told
    assert "only a plan can be approved" in planned.run("plan", "approve", "tasks.md", expect=2).stderr


def test_a_plan_is_approved_for_the_tree_at_hand(planned: Project) -> None:
    """Whoever reviews it, reviews it here and now; but not against a task file that says something else."""
    planned.write({"other.txt": "x"})
    head = commit(planned)
    planned.run("plan", "approve", "plan.json")
    assert plan(planned)["contract"]["base_commit"] == head
    planned.write({"tasks.md": f"{TASKS}- [ ] More\n"})
    assert "tasks.md has changed" in planned.run("plan", "approve", "plan.json", expect=6).stderr


def test_a_file_that_a_task_refers_to_is_part_of_what_was_approved(planned: Project) -> None:
    """Its text is said to the agent, so another text, committed or not, is another task."""
    planned.write({"spec.md": "Be kind.\n", "tasks.md": TASKS.replace("Write it", "Write it -> spec.md")})
    commit(planned)
    planned.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    planned.run("plan", "approve", "plan.json")
    planned.write({"spec.md": "Delete it all.\n"})
    told = planned.run("run", "plan.json", "--dry-run", expect=6).stderr
    assert "(contract.references): spec.md" in told
    planned.run("run", "plan.json", "--dry-run", "--allow-drift", "references")
    planned.run("plan", "approve", "plan.json")
    planned.run("run", "plan.json", "--require-approved")


def test_a_task_approves_no_plan(planned: Project) -> None:
    """The word asked for is a person's."""
    told = planned.run("plan", "approve", "plan.json", env={"ACA_ATTEMPT": "s/t/1"}, expect=2).stderr
    assert "a task cannot approve plans" in told
    assert "approval" not in plan(planned)


def test_what_nobody_will_do_cannot_be_approved(project: Project) -> None:
    """Who does it would be chosen only when it runs."""
    project.write({"plan.json": '{"format_version": 1,\n "tasks": [{"id": "one", "title": "One"}]}'})
    told = project.run("plan", "approve", "plan.json", expect=2).stderr
    assert 'nothing says who does the task "one"' in told


def test_comments_in_a_toml_plan_survive_its_approval(planned: Project) -> None:
    """Again and again, and what is added below as well; only what aca writes itself is written anew."""
    planned.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.toml")
    planned.write({"plan.toml": f"# mine\n{planned.read('plan.toml')}"})
    edit(planned, "plan.toml", 'command = "cat made.txt"', 'command = "cat made.txt"  # as text')
    before = planned.read("plan.toml").partition("\n[contract]")[0]
    planned.run("plan", "approve", "plan.toml")
    assert planned.read("plan.toml").startswith(before)
    later = '\n# one more\n[[tasks]]\nid = "later"\ntitle = "Later"\ncommand = "true" # [approval]\n'
    planned.write({"plan.toml": planned.read("plan.toml") + later})
    assert "tasks.later" in planned.run("run", "plan.toml", expect=6).stderr
    planned.run("plan", "approve", "plan.toml")
    planned.run("run", "plan.toml", "--require-approved", "--dry-run")
    text = planned.read("plan.toml")
    assert text.count("\n[approval]\n") == 1
    assert later.strip() in text


def test_a_toml_plan_that_cannot_be_written_back_is_left_alone(planned: Project) -> None:
    """A contract between braces is none of the tables that are replaced."""
    text = 'contract = {}\nformat_version = 1\n[[tasks]]\nid = "a"\ntitle = "A"\ncommand = "true"\n'
    planned.write({"plan.toml": text})
    told = planned.run("plan", "approve", "plan.toml", expect=2).stderr
    assert "plan.toml:1: this plan cannot be written back as it is" in told
    assert planned.read("plan.toml") == text


PARALLEL = {
    "plan.json": """{"format_version": 1, "execution_mode": "parallel", "max_concurrent_tasks": 2,
        "defaults": {"provider": "replay"}, "providers": {"replay": {"script": "replay.toml"}},
        "tasks": [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}]}""",
    "plan.toml": """\
        format_version = 1
        execution_mode = "parallel"
        max_concurrent_tasks = 2
        [defaults]  # for all
        provider = "replay"
        [providers.replay]
        script = "replay.toml"
        [[tasks]]
        id = "a"
        title = "A"
        [[tasks]]
        id = "b"
        title = "B"
        """,
}
"""Two agents at once, and not a word of where they work."""


@pytest.mark.parametrize("name", list(PARALLEL))
def test_where_agents_work_is_approved_too(planned: Project, name: str) -> None:
    """A run gives worktrees to agents that would share a repository: the approval says so, and holds."""
    planned.write({name: PARALLEL[name]})
    commit(planned)
    assert "git worktree of its own" in planned.run("plan", "approve", name).stderr
    assert re.search(r'"?workspace"?\W+worktree', planned.read(name))
    planned.run("run", name, "--require-approved", "--dry-run")
    assert planned.run("plan", "approve", name).stderr == ""


def test_a_toml_plan_without_defaults_gets_a_table_of_them(planned: Project) -> None:
    """Where its agents work is written there."""
    text = PARALLEL["plan.toml"].replace('[defaults]  # for all\n        provider = "replay"\n', "")
    text = text.replace('id = "a"', 'id = "a"\n        provider = "replay"')
    planned.write({"plan.toml": text.replace('id = "b"', 'id = "b"\n        provider = "replay"')})
    planned.run("plan", "approve", "plan.toml")
    assert '[defaults]\nworkspace = "worktree"\n' in planned.read("plan.toml")
    planned.run("run", "plan.toml", "--require-approved", "--dry-run")


# -- secrets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tasks.md", "plan.json"])
def test_a_secret_in_a_plan_is_refused_and_not_shown(project: Project, name: str) -> None:
    """Whether it is made or run; with its line and its variable."""
    secret = "hunter-2-hunter"
    task = {"id": "one", "title": "One", "command": f"curl -H {secret} x"}
    plan = json.dumps({"format_version": 1, "tasks": [task]}, indent=1)
    project.write({"tasks.md": f'\n- [ ] One {{run="curl -H {secret} x"}}\n', "plan.json": plan})
    outcome = project.run("run", name, "--dry-run", env={"MY_API_KEY": secret}, expect=2)
    line = 2 if name == "tasks.md" else 7
    assert f"{name}:{line}: this is the value of MY_API_KEY" in outcome.stderr
    assert "$MY_API_KEY" in outcome.stderr
    assert secret not in outcome.stdout + outcome.stderr
    project.run("run", name, "--dry-run", env={"MY_API_KEY": "short", "KEY_PATH": secret})


FORMS = {
    "Anthropic": "sk-ant-" + "api03-" + "a1" * 20,
    "OpenAI": "sk-" + "proj-" + "b2" * 20,
    "GitHub": "ghp_" + "c3" * 18,
    "Amazon": "AKIA" + "D4" * 8,
}


@pytest.mark.parametrize("owner", FORMS)
def test_what_has_the_form_of_a_key_is_refused_in_a_plan(project: Project, owner: str) -> None:
    """Wherever it comes from: with its line and the cure, and it is not shown."""
    project.write({"tasks.toml": f'[[tasks]]\ntitle = "A"\nrun = "true"\nenv = {{K = "{FORMS[owner]}"}}\n'})
    outcome = project.run("run", "tasks.toml", "--dry-run", expect=2)
    assert f"tasks.toml:4: this looks like a key of {owner}, and a plan keeps no secrets" in outcome.stderr
    assert "pass_env" in outcome.stderr
    assert FORMS[owner] not in outcome.stdout + outcome.stderr
