"""``aca merge``: all of a session's work in the user's branch, or nothing changed."""

from __future__ import annotations

from tests.project import Project
from tests.workspaces.checkout import commit, git, repository, seen, tasks

WRITES = """
[tasks.first]
steps = [{write = "first.txt", content = "first"}, {edit = "a.txt", old = "two", new = "2"}]
[tasks.second]
steps = [{write = "second.txt", content = "second"}]
"""
TWO = "- [ ] First {#first}\n- [ ] Second {#second}\n"


def a_finished_session(project: Project, *options: str) -> str:
    """Its id. What it was made of is ignored, so that the checkout is clean."""
    repository(project, {"a.txt": "one\ntwo\nthree\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    tasks(project, TWO, WRITES)
    project.run("run", "tasks.md", "-j", "2", *options)
    return project.session().id


def test_it_moves_the_branch_on_where_nothing_else_has(project: Project) -> None:
    """One commit per task; said again it has nothing to do."""
    one = a_finished_session(project)
    assert "fast-forward" in project.run("merge").stdout
    assert git(project, "rev-parse", "main") == git(project, "rev-parse", f"aca/{one}")
    subjects = git(project, "log", "--format=%s (%an)").splitlines()
    assert sorted(subjects) == ["First (aca)", "Second (aca)", "first (user)"]
    assert (project.read("first.txt"), git(project, "status", "--porcelain")) == ("first", "")
    assert f"main has all of session {one} already" in project.run("merge").stdout


def test_it_merges_into_a_branch_that_has_moved_on(project: Project) -> None:
    """By whom git knows here, or else by aca; with no hook of the repository in the way."""
    one = a_finished_session(project)
    project.write({"mine.txt": "mine"})
    mine = commit(project, "mine")
    for name in ("pre-merge-commit", "post-merge", "commit-msg", "post-checkout", "reference-transaction"):
        hook = project.root / ".git" / "hooks" / name
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    assert "(merge, " in project.run("merge", one[:8]).stdout
    parents = git(project, "log", "-1", "--format=%P|%an").split("|")
    assert parents == [f"{mine} {git(project, 'rev-parse', f'aca/{one}')}", "aca"]
    assert (project.read("mine.txt"), project.read("second.txt")) == ("mine", "second")


def test_a_conflict_changes_nothing(project: Project) -> None:
    """The files are named, and what to do."""
    one = a_finished_session(project)
    project.write({"a.txt": "one\nmine\nthree\n"})
    commit(project, "mine")
    before = seen(project)
    told = project.run("merge", expect=2).stderr
    assert f"main and session {one} have both changed a.txt" in told
    assert f"git merge aca/{one}" in told
    assert seen(project) == before
    assert not (project.root / ".git" / "MERGE_HEAD").exists()


def test_a_dirty_checkout_changes_nothing(project: Project) -> None:
    """Whether a file that git knows is changed, or one it does not know is in the way."""
    a_finished_session(project)
    project.write({"a.txt": "not committed"})
    assert "commit or stash them first" in project.run("merge", expect=2).stderr
    git(project, "checkout", "a.txt")
    project.write({"first.txt": "the user's own"})
    before = seen(project)
    told = project.run("merge", expect=2).stderr
    assert "nothing was merged" in told
    assert "first.txt" in told
    assert seen(project) == before


def test_a_run_can_end_in_it(project: Project) -> None:
    """``--merge``, for continuous integration; on no branch, too."""
    repository(project, {"a.txt": "one\ntwo\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    git(project, "checkout", "--quiet", "--detach")
    tasks(project, TWO, WRITES)
    told = project.run("run", "tasks.md", "-j", "2", "--merge")
    assert "HEAD, which is on no branch has the work" in told.stderr
    assert "aca merge" not in told.stdout
    assert project.read("second.txt") == "second"


def test_a_merge_that_is_refused_at_the_end_waits_for_a_person(project: Project) -> None:
    """The work is done, and not lost: resumed with ``--merge`` the session is merged."""
    repository(project, {"a.txt": "one\ntwo\nthree\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    tasks(project, TWO, WRITES)
    project.write({"a.txt": "mine\n"})
    told = project.run("run", "tasks.md", "-j", "2", "--merge", expect=4).stderr
    assert "changes that are not committed" in told
    assert "changes that are not committed" in project.run("resume", "--merge", expect=4).stderr
    document = project.run("resume", "--merge", "--json", expect=4).json
    assert (document["exit_code"], "not committed" in document["reason"]) == (4, True)
    git(project, "checkout", "--", "a.txt")
    assert "fast-forward" in project.run("resume", "--merge").stderr
    assert project.read("first.txt") == "first"


def test_to_merge_what_was_made_in_place_is_nothing(project: Project) -> None:
    """And is said, for somebody has asked for it."""
    tasks(project, TWO.partition("\n")[0] + "\n", '[tasks.first]\nsteps = [{say = "done"}]\n')
    assert "there is nothing to merge" in project.run("run", "tasks.md", "--merge").stderr


def test_a_run_that_failed_does_not(project: Project) -> None:
    """What is done can still be merged by hand, and the rest resumed."""
    repository(project, {"a.txt": "one\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    tasks(project, TWO, WRITES)  # there is no "two" in a.txt
    outcome = project.run("run", "tasks.md", "-j", "2", "--merge", "--retries", "0", expect=1)
    assert "aca merge" not in outcome.stdout
    assert not (project.root / "second.txt").exists()
    project.run("merge")
    assert (project.read("second.txt"), (project.root / "first.txt").exists()) == ("second", False)


def test_a_session_that_worked_in_place_has_nothing_to_merge(project: Project) -> None:
    """It says so."""
    project.write({"tasks.md": '- [ ] A {run="true"}\n'})
    project.run("run", "tasks.md")
    assert "has worked in place" in project.run("merge", expect=2).stderr


def test_a_merge_of_the_user_that_is_under_way_is_left_alone(project: Project) -> None:
    """Also where nothing of it differs from the last commit."""
    a_finished_session(project)
    git(project, "checkout", "--quiet", "-b", "other")
    project.write({"mine.txt": "mine"})
    other = commit(project, "mine")
    git(project, "checkout", "--quiet", "main")
    git(project, "merge", "--quiet", "--no-ff", "--no-commit", "-s", "ours", "other")
    assert "is under way" in project.run("merge", expect=2).stderr
    assert (project.root / ".git" / "MERGE_HEAD").read_text().strip() == other
