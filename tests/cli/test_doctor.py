"""``aca doctor``: what is missing, what is damaged, and how to mend it."""

from __future__ import annotations

import shutil

from tests.project import Project


def git_only(project: Project) -> dict[str, str]:
    """An environment in which git is found and no agent is."""
    folder = project.home / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(str(shutil.which("git")))
    return {"PATH": str(folder)}


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
    assert "mend    provider: no provider is" in outcome.stdout
    assert "note    provider claude-cli: claude is not on the PATH" in outcome.stdout
    assert "npm install" in outcome.stdout


def test_doctor_names_a_provider_whose_settings_are_wrong(project: Project) -> None:
    """Also one that nothing uses by default; the others are still looked at."""
    project.write({"aca.toml": '[providers.mine]\nkind = "cli"\ncommand = ["true"]\n'})
    told = project.run("doctor", expect=2).stdout
    assert "mend    provider mine: its settings are wrong: providers.mine: text is missing" in told
    assert "provider codex-cli" in told


def test_doctor_survives_wrong_settings_of_a_known_provider(project: Project) -> None:
    """They are a finding like any other, not a bug."""
    project.write({"aca.toml": "[providers.claude-cli]\nmax_turns = 0\n"})
    told = project.run("doctor", expect=2).stdout
    assert "mend    provider claude-cli: its settings are wrong: providers.claude-cli.max_turns " in told
    assert "left-over processes" in told


def test_doctor_misses_git(project: Project) -> None:
    """Without git nothing can be kept safe."""
    outcome = project.run("doctor", env={"PATH": str(project.home)}, expect=2)
    assert "mend    git: not found" in outcome.stdout


def test_doctor_finds_a_file_where_sessions_belong(project: Project) -> None:
    """Nothing could be run here."""
    project.write({".aca": ""})
    told = project.run("doctor", expect=2).stdout
    assert "mend    .aca: " in told


def test_doctor_names_a_session_without_its_plan(project: Project) -> None:
    """Other sessions are still looked at."""
    for _ in range(2):
        project.write({"tasks.md": '- [ ] One {run="true"}\n'})
        project.run("--task-file", "tasks.md")
    first = project.sessions()[0]
    (first.path / "plan.json").unlink()
    told = project.run("doctor", expect=2).stdout
    assert f"session {first.id}: session {first.id} has lost its plan" in told
    assert "sessions: 1 of 2 are sound" in told
    project.run("status", first.id, expect=7)
    for data in (b"", b"{}", b"\xff"):  # to run that, or to put it back, helps nobody
        (first.path / "plan.json").write_bytes(data)
        told = project.run("resume", first.id, expect=7).stderr
        assert "plan.json holds none any more" in told
        assert f"`aca gc {first.id} --force` removes it" in told
    assert f"{first.id}  removed" in project.run("gc", first.id, "--force").stdout


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
    for command in (["status"], ["checkpoint", "list"]):
        assert f":{number}: this journal is damaged" in project.run(*command, expect=7).stderr
    project.run("resume", f"{session}:{number - 1}")
    assert (project.root / "two").exists()
    assert "damaged" in project.run("status", "--sessions").stdout


def test_a_session_without_its_journal_is_told_of_until_it_is_removed(project: Project) -> None:
    """However empty its directory is; nothing else that lies there is taken for one."""
    folder = project.root / ".aca" / "sessions"
    (lost := folder / "20260101-000000-abcd").mkdir(parents=True)
    (folder / "kept-by-hand").mkdir()
    for command in ("status", "resume", "show --session 2026", f"doctor {lost.name}", "checkpoint list"):
        outcome = project.run(*command.split(), expect=7)
        assert "damaged" in outcome.stdout + outcome.stderr, command
        assert "the file is gone" in outcome.stdout + outcome.stderr, command
    assert (
        f"{lost.name}/journal.jsonl:1: this journal is damaged" in project.run("status", "--sessions").stdout
    )
    assert "kept, needs --force" in project.run("gc").stdout
    assert f"aca gc {lost.name} --force" in project.run("status", expect=7).stderr
    assert f"{lost.name}  removed, but for a branch" in project.run("gc", lost.name, "--force").stdout
    assert [path.name for path in folder.iterdir()] == ["kept-by-hand"]


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
    running.until(lambda: project.has_running("sleep"))
    running.kill()
    told = project.run("doctor", expect=2).stdout
    assert "mend    left-over processes: " in told
    assert f"kill {' '.join(str(one.pid) for one in project.processes())}" in told
