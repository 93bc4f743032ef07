"""Every flag and every variable changes the plan, and the nearest one wins."""

from __future__ import annotations

from typing import Any

import pytest

from aca.preparation.config import ENVIRONMENT
from tests.project import Project

TABLE: list[tuple[str, list[str], str, object]] = [
    ("ACA_PROVIDER", ["--provider", "replay"], "defaults.provider", "replay"),
    ("ACA_MODEL", ["--model", "small"], "defaults.model", "small"),
    ("ACA_PERMISSIONS", ["--permissions", "full"], "defaults.permissions", "full"),
    (
        "ACA_APPEND_SYSTEM_PROMPT",
        ["--append-system-prompt", "be brief"],
        "defaults.system_prompt",
        "be brief",
    ),
    ("ACA_WORKSPACE_MODE", ["--workspace-mode", "worktree"], "defaults.workspace", "worktree"),
    ("ACA_MERGE", ["--merge"], "workspace.merge", True),
    ("ACA_RETRIES", ["--retries", "7"], "defaults.retries", 7),
    ("ACA_DOCKER", ["--docker"], "docker.enabled", True),
    ("ACA_SANDBOX", ["--sandbox", "off"], "sandbox.mode", "off"),
    ("ACA_TRUST_PROJECT_CONFIG", ["--trust-project-config"], "trust_project_config", True),
    ("ACA_TIMEOUT", ["--timeout", "90s"], "defaults.timeout", "1m30s"),
    ("ACA_JOBS", ["--jobs", "4"], "max_concurrent_tasks", 4),
    ("ACA_EXECUTION_MODE", ["--execution-mode", "intelligent"], "execution_mode", "intelligent"),
    ("ACA_FAIL_FAST", ["--fail-fast"], "fail_fast", True),
    ("ACA_MAX_COST", ["--max-cost", "2.5"], "limits.max_cost_usd", 2.5),
    ("ACA_MAX_TOKENS", ["--max-tokens", "9000"], "limits.max_tokens", 9000),
    ("ACA_ON_QUOTA", ["--on-quota", "exit"], "rate_limiting.on_quota", "exit"),
    ("ACA_MAX_DURATION", ["--max-duration", "8h"], "limits.max_duration", "8h"),
]


def planned(project: Project, *args: str, env: dict[str, str] | None = None) -> Any:
    """The plan that would run, with *args*."""
    return project.run("--task-file", "tasks.md", "--dry-run", "--json", *args, env=env).json


def at(plan: Any, setting: str) -> object:
    for key in setting.split("."):
        plan = plan.get(key, {})
    return plan


@pytest.mark.parametrize(("variable", "flag", "setting", "value"), TABLE, ids=[row[0] for row in TABLE])
def test_a_flag_and_its_variable_say_the_same(
    project: Project, variable: str, flag: list[str], setting: str, value: object
) -> None:
    """The plan has the value from either, and did not have it before."""
    project.write({"tasks.md": "- [ ] One\n"})
    word = flag[1] if len(flag) > 1 else "true"
    assert at(planned(project), setting) != value
    assert at(planned(project, *flag), setting) == value
    assert at(planned(project, env={variable: word}), setting) == value


def test_the_table_above_is_whole() -> None:
    """No variable that is a setting goes untested."""
    assert {row[0] for row in TABLE} == ENVIRONMENT.keys()


def test_help_names_every_variable(project: Project) -> None:
    """Who reads ``--help`` can find each of them."""
    told = project.run("--help").stdout
    others = ["TASK_FILE", "EXECUTION_PLAN", "WORKSPACE", "DRY_RUN", "DUMP_PLAN", "ONLY", "SKIP",
              "ALLOW_DRIFT", "JSON", "JSONL", "QUIET", "VERBOSE", "NO_COLOR"]  # fmt: skip
    for name in [*ENVIRONMENT, *(f"ACA_{other}" for other in others)]:
        assert name in told


def test_the_nearest_setting_wins(project: Project) -> None:
    """Flag over environment over task file over project over user."""
    (project.home / ".config" / "aca").mkdir(parents=True)
    (project.home / ".config" / "aca" / "config.toml").write_text('model = "user"\nretries = 1\n')
    project.write({"aca.toml": 'model = "project"\n', "tasks.md": "- [ ] One\n"})
    project.write({"named.md": "---\nmodel: file\n---\n- [ ] One\n"})
    assert planned(project)["defaults"]["model"] == "project"
    assert planned(project)["defaults"]["retries"] == 1
    named = ("--task-file", "named.md")
    assert planned(project, *named)["defaults"]["model"] == "file"
    assert planned(project, *named, env={"ACA_MODEL": "environment"})["defaults"]["model"] == "environment"
    flagged = planned(project, *named, "--model", "flag", env={"ACA_MODEL": "environment"})
    assert flagged["defaults"]["model"] == "flag"


def test_a_system_prompt_is_appended_not_replaced(project: Project) -> None:
    """What the file says stays in front of what the flag adds."""
    project.write({"tasks.md": "---\nsystem_prompt: You are careful.\n---\n- [ ] One\n"})
    plan = planned(project, "--append-system-prompt", "Be brief.")
    assert plan["defaults"]["system_prompt"] == "You are careful.\n\nBe brief."


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--jobs", "0"], "'--jobs'"),
        (["--jobs", "many"], "'--jobs'"),
        (["--retries", "-1"], "'--retries'"),
        (["--timeout", "5x"], '"5x" is not a duration'),
        (["--max-duration", "soon"], "'--max-duration'"),
        (["--max-cost", "0"], "'--max-cost': this must be more than 0"),
        (["--max-cost", "nan"], "'--max-cost'"),
        (["--max-tokens", "0"], "'--max-tokens'"),
        (["--permissions", "ful"], 'did you mean "full"?'),
        (["--execution-mode", "fast"], "'--execution-mode'"),
        (["--provider", "repla"], 'did you mean "replay"?'),
        (["--allow-drift", "weather"], "'--allow-drift'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_value_is_refused_by_name(project: Project, args: list[str], told: str) -> None:
    """Exit code 2, one line that names the flag or the word, and nothing was done."""
    project.write({"tasks.md": "- [ ] One\n"})
    outcome = project.run("--task-file", "tasks.md", *args, expect=2)
    assert told in outcome.stderr
    assert outcome.stdout == ""
    assert not (project.root / ".aca").exists()


def test_a_wrong_variable_is_named(project: Project) -> None:
    """Who exported it long ago must learn which one it is."""
    project.write({"tasks.md": "- [ ] One\n"})
    outcome = project.run("--task-file", "tasks.md", env={"ACA_TIMEOUT": "5x"}, expect=2)
    assert "ACA_TIMEOUT" in outcome.stderr


def test_a_model_may_be_called_by_a_number(project: Project) -> None:
    """Text from a variable stays text."""
    project.write({"tasks.md": "- [ ] One\n"})
    assert planned(project, env={"ACA_MODEL": "5"})["defaults"]["model"] == "5"


def test_the_task_file_may_come_from_the_environment(project: Project) -> None:
    """And the command line wins over it."""
    project.write({"one.md": "- [ ] One\n", "two.md": "- [ ] Two\n"})
    env = {"ACA_TASK_FILE": "one.md", "ACA_DRY_RUN": "1"}
    assert "One (one)" in project.run(env=env).stdout
    assert "Two (two)" in project.run("--task-file", "two.md", env=env).stdout
    project.run("--task-file", "one.md", "--dry-run", "--dump-plan", "plan.json")
    project.write({"plan.json": project.read("plan.json").replace('"One"', '"Planned"')})
    assert "Planned (one)" in project.run("--execution-plan", "plan.json", env=env).stdout


def test_a_wrong_variable_stops_all_that_reads_settings_and_nothing_else(project: Project) -> None:
    """Whoever asks for the state of a session is not held up by a setting that it does not have."""
    project.write({"tasks.md": "- [ ] May it? {kind=approval}\n"})
    project.run("run", "tasks.md", expect=4)
    for command in ("run tasks.md", "plan validate tasks.md", "config", "doctor", "providers"):
        outcome = project.run(*command.split(), env={"ACA_JOBS": "x"}, expect=2)
        assert "ACA_JOBS" in outcome.stdout + outcome.stderr, command
    for command, code in (("status", 0), ("resume", 4)):
        assert "ACA_JOBS" not in project.run(command, env={"ACA_JOBS": "x"}, expect=code).stderr
