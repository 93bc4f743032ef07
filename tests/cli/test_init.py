"""The first minutes: ``aca init``, ``aca doctor``, ``aca config``."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from tests.project import Project


def git_only(project: Project) -> dict[str, str]:
    """An environment in which git is found and no agent is."""
    folder = project.home / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(str(shutil.which("git")))
    return {"PATH": str(folder)}


def test_init_writes_files_that_can_be_used_at_once(project: Project) -> None:
    """Settings that are valid, tasks that make a plan, and sessions kept out of commits."""
    outcome = project.run("init")
    assert outcome.stdout.splitlines() == [
        "wrote .aca/.gitignore", "wrote aca.toml", "wrote tasks.md",
        "next: aca --task-file tasks.md --dry-run",
    ]  # fmt: skip
    assert project.read(".aca/.gitignore").splitlines()[-1] == "*"
    assert "3  The overview has its next steps" in project.run("--task-file", "tasks.md", "--dry-run").stdout


def test_what_init_suggests_is_valid_when_taken(project: Project) -> None:
    """Every commented setting works when its "# " is taken away."""
    project.run("init")
    lines = project.read("aca.toml").splitlines()[2:]
    taken = "\n".join(line.removeprefix("# ") for line in lines if "= 3 " not in line)
    project.write({"aca.toml": taken})
    assert tomllib.loads(taken)["limits"]["max_cost_usd"] == 5.0
    assert "aca.toml:" in project.run("config").stdout


def test_init_twice_changes_nothing(project: Project) -> None:
    """What somebody has written meanwhile is kept, and that is said."""
    project.run("init")
    project.write({"aca.toml": 'model = "mine"\n'})
    assert project.run("init").stdout.splitlines()[:3] == [
        "kept  .aca/.gitignore", "kept  aca.toml", "kept  tasks.md",
    ]  # fmt: skip
    assert project.read("aca.toml") == 'model = "mine"\n'


def test_doctor_finds_a_sound_place_sound(project: Project) -> None:
    """Exit code 0 where the provider that is set is there."""
    project.write(
        {"aca.toml": 'provider = "replay"\nproviders.replay.script = "r.toml"\n', "r.toml": "[tasks]\n"}
    )
    told = project.run("doctor").stdout
    assert "mend" not in told
    for name in ("Python", "git", "workspace", "configuration", "provider replay", "sessions", "left-over"):
        assert f"ok      {name}" in told


def test_doctor_says_how_to_get_what_is_missing(project: Project) -> None:
    """No agent on this machine: exit code 2, and how to install it."""
    outcome = project.run("doctor", env=git_only(project), expect=2)
    assert "mend    provider claude-cli" in outcome.stdout
    assert "npm install" in outcome.stdout


def test_doctor_misses_git(project: Project) -> None:
    """Without git nothing can be kept safe."""
    outcome = project.run("doctor", env={"PATH": str(project.home)}, expect=2)
    assert "mend    git: not found" in outcome.stdout


def test_doctor_names_a_wrong_setting_with_its_line(project: Project) -> None:
    """Where it stands and what was meant."""
    project.write({"aca.toml": '\nmodell = "x"\n'})
    outcome = project.run("doctor", expect=2)
    assert "mend    configuration: aca.toml:2: " in outcome.stdout
    assert 'did you mean "model"?' in outcome.stdout


def test_doctor_tells_machines_the_same(project: Project) -> None:
    """A list of findings."""
    found = {one["name"]: one for one in project.run("doctor", "--json", expect=None).json}
    assert found["git"]["ok"] is True
    assert found["workspace"]["detail"] == str(project.root)


def damage(project: Project) -> tuple[str, int]:
    """A finished session one line of whose journal was changed; its id and that line."""
    project.write({"tasks.md": '1. One {run="true"}\n2. Two {run="touch two"}\n'})
    project.run("--task-file", "tasks.md")
    path = project.session().journal_path
    lines = path.read_bytes().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines, 1) if b"task_started" in line and b'"two"' in line)
    lines[number - 1] = lines[number - 1].replace(b'"two"', b'"tow"')
    path.write_bytes(b"".join(lines))
    (project.root / "two").unlink()
    return project.session().id, number


def test_a_damaged_session_is_named_and_what_is_sound_can_be_saved(project: Project) -> None:
    """The line, what the events before it hold, and a command that goes on from there."""
    session, number = damage(project)
    assert f"aca doctor {session}" in project.run("doctor", expect=2).stdout
    told = project.run("doctor", session, expect=7).stdout
    assert f"line {number} of its journal is damaged" in told
    assert "completed in them: 1 task\n" in told
    assert f":{number}: this journal is damaged" in project.run("status", expect=7).stderr
    project.run("resume", f"{session}:{number - 1}")
    assert (project.root / "two").exists()
    assert "damaged" in project.run("status", "--sessions").stdout


def test_a_sound_session_is_told_to_be(project: Project) -> None:
    """With the number of its events."""
    project.write({"tasks.md": '- [ ] One {run="true"}\n'})
    project.run("--task-file", "tasks.md")
    told = project.run("doctor", project.session().id).stdout
    assert told == f"session {project.session().id}: all {len(project.journal())} events are sound\n"


def test_doctor_finds_processes_of_a_killed_run(project: Project) -> None:
    """They are named by their ids; the next run ends them."""
    project.write({"tasks.md": '- [ ] Slow {run="sleep 60"}\n'})
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: "slow: started" in running.stderr and len(project.processes()) > 1)
    running.kill()
    told = project.run("doctor", expect=2).stdout
    assert "mend    left-over processes: " in told
    assert f"kill {' '.join(str(one.pid) for one in project.processes())}" in told


def test_config_tells_where_each_value_comes_from(project: Project) -> None:
    """File with line, variable, or default."""
    project.write({"aca.toml": 'model = "small"\n\n[limits]\nmax_tokens = 5\n'})
    rows = [line.split() for line in project.run("config", env={"ACA_RETRIES": "4"}).stdout.splitlines()]
    assert ["defaults.model", '"small"', "aca.toml:1"] in rows
    assert ["limits.max_tokens", "5", "aca.toml:4"] in rows
    assert ["defaults.retries", "4", "ACA_RETRIES"] in rows
    assert ["defaults.timeout", '"30m"', "default"] in rows


def test_config_of_a_task_file_includes_what_it_says(project: Project) -> None:
    """And tells machines the same."""
    project.write({"tasks.md": "---\nmodel: large\n---\n- [ ] One\n", "aca.toml": 'model = "small"\n'})
    rows = {row["setting"]: row for row in project.run("config", "--task-file", "tasks.md", "--json").json}
    assert (rows["defaults.model"]["value"], rows["defaults.model"]["origin"]) == ("large", "tasks.md:2")


@pytest.mark.parametrize("name", ["plan", "replay"])
def test_the_published_schemas_are_those_of_the_code(project: Project, name: str) -> None:
    """``schemas/`` is written by ``aca schema`` and by nothing else."""
    published = Path(__file__).parents[2] / "schemas" / f"{name}.schema.json"
    assert published.read_text() == project.run("schema", name).stdout


def test_a_schema_that_is_not_there_is_refused(project: Project) -> None:
    """With those that are."""
    assert 'did you mean "replay"?' in project.run("schema", "reply", expect=2).stderr
