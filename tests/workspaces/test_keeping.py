"""What attempts left can be seen and brought back, older states gone on from, and all of it cleaned up."""

from __future__ import annotations

import shutil

from tests.project import Project
from tests.workspaces.checkout import commit, git, kept, left, repository, seen, tasks, worktrees

TWO = "- [ ] First {#first}\n- [ ] Second {#second needs=first}\n"
SCRIPT = """
[tasks.first]
steps = [{write = "new.txt", content = "bad", attempt = 1}, {fail = "not good", attempt = 1},
         {write = "new.txt", content = "good"}, {edit = "a.txt", old = "one", new = "1"},
         {run = "git rm -q gone.txt"}]
[tasks.second]
steps = [{run = "echo second >> new.txt"}]
"""


def a_finished_session(project: Project) -> str:
    repository(project, {"a.txt": "one\n", "gone.txt": "gone\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    tasks(project, TWO, SCRIPT, settings="retry_delay: 0\n")
    project.run("run", "tasks.md", "-j", "2")
    return project.session().id


def test_what_a_task_changed_is_shown_as_a_patch(project: Project) -> None:
    """Its own work and nobody else's, such as ``git apply`` takes it, whatever people like to see."""
    a_finished_session(project)
    git(project, "config", "diff.noprefix", "true")
    patch = project.run("show", "second", "--diff").stdout
    assert "+goodsecond" in patch
    assert "gone.txt" not in patch
    (project.root / "p").write_text(project.run("show", "first", "--diff").stdout)
    git(project, "apply", "p")
    assert (project.read("a.txt"), project.read("new.txt")) == ("1\n", "good")
    assert not (project.root / "gone.txt").exists()


def test_nothing_to_show_is_said(project: Project) -> None:
    """For a task that worked in place, and for no task at all."""
    repository(project, {"a.txt": "one\n"})
    project.write({"tasks.md": '- [ ] One {run="true"}\n'})
    project.run("run", "tasks.md")
    assert 'nothing is kept of "one"' in project.run("show", "one", "--diff", expect=2).stderr
    assert "aca show TASK --diff" in project.run("show", "--diff", expect=2).stderr


def test_the_files_of_any_attempt_are_brought_back(project: Project) -> None:
    """The failed one's, the last one's, and those before the task; index and branch stay as they are."""
    a_finished_session(project)
    head, commit_, index, _ = seen(project)
    project.run("restore", "first", "1")
    assert (project.read("new.txt"), project.read("a.txt")) == ("bad", "one\n")
    told = project.run("restore", "first", expect=2).stderr
    assert "this would replace changes that are not committed: new.txt" in told
    assert project.read("new.txt") == "bad"
    project.run("restore", "first", "--force")
    assert (project.read("new.txt"), project.read("a.txt")) == ("good", "1\n")
    assert not (project.root / "gone.txt").exists()
    project.run("restore", "first", "--before", "--force")
    assert (project.read("gone.txt"), project.read("a.txt")) == ("gone\n", "one\n")
    assert not (project.root / "new.txt").exists()
    assert seen(project)[:3] == (head, commit_, index)
    assert 'nothing is kept of "first": attempt 7' in project.run("restore", "first", "7", expect=2).stderr


def test_an_older_checkpoint_is_gone_on_from_with_its_files(project: Project) -> None:
    """In a session and on a branch of its own; the old one stays as it is."""
    old = a_finished_session(project)
    [first, _] = project.run("checkpoint", "list", "--json").json
    tasks(project, TWO, SCRIPT.replace("echo second", "echo other"))
    project.run("resume", first["id"])
    new = project.sessions()[-1].id
    assert new != old
    assert git(project, "show", f"aca/{old}:new.txt") == "goodsecond"
    assert git(project, "show", f"aca/{new}:new.txt") == "goodother"
    assert git(project, "merge-base", f"aca/{old}", f"aca/{new}") == first["commit"]


def test_what_is_not_merged_is_not_cleaned_up(project: Project) -> None:
    """Until it is merged, or somebody insists; then branch and refs go with the session."""
    one = a_finished_session(project)
    told = project.run("gc", "--older-than", "0s").stdout
    assert f"{one}  kept, needs --force: aca merge {one} has not been done" in told
    project.run("merge")
    assert f"{one}  would be removed" in project.run("gc", "--older-than", "0s", "--dry-run").stdout
    assert kept(project, "first") == [1, 2]
    project.run("gc", "--older-than", "0s")
    assert git(project, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert project.sessions() == []


def test_the_work_of_a_session_that_cannot_be_read_outlives_it(project: Project) -> None:
    """What it had merged is on its branch; other sessions are not asked about."""
    lost = a_finished_session(project)
    (project.session().path / "plan.json").unlink()
    told = project.run("merge", expect=7).stderr
    assert f"`aca gc {lost} --force` removes it; what it had merged is on the branch aca/{lost}" in told
    project.run("run", "tasks.md", "-j", "2")
    assert f"{lost}  would be removed" in project.run("gc", lost, "--force", "--dry-run").stdout
    assert project.run("gc", lost, "--force").stdout.startswith(f"{lost}  removed, but for a branch")
    assert len(project.sessions()) == 1
    assert git(project, "show", f"aca/{lost}:new.txt") == "goodsecond"


def test_cleaning_up_by_force_takes_worktrees_too(project: Project) -> None:
    """Those of a session that waits to be resumed."""
    repository(project, {"a.txt": "one\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    tasks(project, TWO, '[tasks."*"]\nsteps = [{write = "x", content = ""}, {hang = true}]\n')
    running = project.start("run", "tasks.md", "-j", "2")
    running.until(lambda: any("/first/x" in name for name in left(project)))
    running.kill()
    assert len(worktrees(project)) == 1
    project.run("gc", "--older-than", "0s", "--force")
    assert (worktrees(project), left(project)) == ([], [])


def test_worktrees_whose_session_was_deleted_are_reaped(project: Project) -> None:
    """By the next run; what was in them is kept under a ref."""
    repository(project, {"a.txt": "one\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    tasks(project, TWO, '[tasks."*"]\nsteps = [{write = "x", content = "lost?"}, {hang = true}]\n')
    running = project.start("run", "tasks.md", "-j", "2")
    running.until(lambda: any("/first/x" in name for name in left(project)))
    running.kill()
    lost = project.session()
    shutil.rmtree(lost.path)
    project.write({"more.md": '- [ ] One {run="true"}\n'})
    project.run("run", "more.md")
    assert (worktrees(project), left(project)) == ([], [])
    assert git(project, "show", f"refs/aca/{lost.id}/first/0:x") == "lost?"


def test_a_session_that_cannot_be_read_holds_no_other_up(project: Project) -> None:
    """Its trees stay until somebody mends it or removes it."""
    repository(project, {"a.txt": "one\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    tasks(project, TWO, '[tasks."*"]\nsteps = [{write = "x", content = ""}, {hang = true}]\n')
    running = project.start("run", "tasks.md", "-j", "2")
    running.until(lambda: any("/first/x" in name for name in left(project)))
    running.kill()
    plan = project.session().path / "plan.json"
    plan.write_text(plan.read_text().replace("First", "Worst"))
    project.write({"more.md": '- [ ] One {run="true"}\n'})
    project.run("run", "more.md")
    assert len(worktrees(project)) == 1


def test_a_branch_that_is_checked_out_is_left_alone(project: Project) -> None:
    """Somebody looks at it while the session goes on: their files would seem to be changed."""
    repository(project, {"a.txt": "one\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    script = """
        [tasks.first]
        steps = [{write = "x", content = "x"}]
        [tasks.third]
        steps = [{write = "y", content = "y"}]
        """
    items = "- [ ] First {#first}\n- [ ] Ask {kind=approval needs=first}\n- [ ] Third {#third needs=ask}\n"
    tasks(project, items, script)
    project.run("run", "tasks.md", "-j", "2", expect=4)
    one = project.session().id
    git(project, "checkout", "--quiet", f"aca/{one}")
    project.run("approve", "ask")
    project.run("resume")
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "show", f"refs/aca/{one}/%merged:y") == "y"
    git(project, "checkout", "--quiet", "main")
    project.run("merge")
    assert project.read("y") == "y"


def test_commits_of_the_user_on_the_sessions_branch_stay(project: Project) -> None:
    """The branch is moved on only over what is aca's own; what is merged is held besides."""
    repository(project, {"a.txt": "one\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    items = "- [ ] First {#first}\n- [ ] Ask {kind=approval needs=first}\n- [ ] Third {#third needs=ask}\n"
    script = '[tasks."*"]\nsteps = [{run = "echo x > $ACA_TASK", must = true}]\n'
    tasks(project, items, script)
    project.run("run", "tasks.md", "-j", "2", expect=4)
    one = project.session().id
    git(project, "checkout", "--quiet", f"aca/{one}")
    project.write({"mine.txt": "mine"})
    mine = commit(project, "mine")
    git(project, "checkout", "--quiet", "main")
    project.run("approve", "ask")
    project.run("resume")
    logs = "".join(file.read_text() for file in project.session().path.rglob("*.log"))
    assert f"aca/{one} has commits that are not aca's" in logs
    assert git(project, "rev-parse", f"aca/{one}") == mine
    project.run("merge")
    assert (project.read("third"), (project.root / "mine.txt").exists()) == ("x\n", False)
    project.run("gc", "--older-than", "0s")
    assert project.sessions() == []
    assert git(project, "rev-parse", f"aca/{one}") == mine


def test_a_branch_that_is_checked_out_outlives_its_session(project: Project) -> None:
    """Nobody's HEAD is left without a commit."""
    one = a_finished_session(project)
    git(project, "checkout", "--quiet", f"aca/{one}")
    project.run("gc", "--older-than", "0s", "--force")
    assert project.sessions() == []
    assert git(project, "status", "--porcelain", "--branch") == f"## aca/{one}"


def test_a_session_whose_repository_is_gone_is_not_taken_for_merged(project: Project) -> None:
    """It may come back."""
    one = a_finished_session(project)
    (project.root / ".git").rename(project.root.parent / "away")
    assert f"{one}  kept, needs --force" in project.run("gc", "--older-than", "0s").stdout


def test_nothing_is_restored_through_a_link(project: Project) -> None:
    """It could lead anywhere."""
    repository(project, {"a.txt": "one\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    tasks(
        project, TWO, '[tasks.first]\nsteps = [{write = "d/x", content = "x"}]\n[tasks.second]\nsteps = []\n'
    )
    project.run("run", "tasks.md", "-j", "2")
    outside = project.home / "outside"
    outside.mkdir()
    (outside / "x").write_text("precious")
    (project.root / "d").symlink_to(outside)
    for arguments in (["--force"], ["--force", "--before"]):
        assert "d is a link" in project.run("restore", "first", *arguments, expect=2).stderr
    assert (outside / "x").read_text() == "precious"


def test_a_file_that_became_a_directory_is_restored_both_ways(project: Project) -> None:
    """And a directory that became a file."""
    repository(project, {"f": "file\n", "d/x": "x\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    run = "rm f && mkdir f && echo y > f/y && rm -r d && echo d > d"
    tasks(
        project, TWO, f'[tasks.first]\nsteps = [{{run = "{run}", must = true}}]\n[tasks.second]\nsteps = []\n'
    )
    project.run("run", "tasks.md", "-j", "2")
    project.run("restore", "first")
    assert (project.read("f/y"), project.read("d")) == ("y\n", "d\n")
    project.run("restore", "first", "--before", "--force")
    assert (project.read("f"), project.read("d/x")) == ("file\n", "x\n")
