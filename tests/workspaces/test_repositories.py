"""Repositories as they come: none of what is odd about them stops a run or harms the user's checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.project import Project
from tests.workspaces.checkout import commit, git, left, merged, repository, seen, tasks, worktrees

TWO = "- [ ] First {#first}\n- [ ] Second {#second}\n"
SCRIPT = """
[tasks."*"]
steps = [{run = "echo $ACA_TASK > $ACA_TASK.txt", must = true}, {run = "echo 4 >> a.txt", must = true}]
"""
IGNORE = "tasks.md\nreplay.toml\n.env\n"


def a_run(project: Project, items: str = "- [ ] First {#first}\n- [ ] Second {needs=first}\n") -> None:
    """Two agents, in worktrees; nothing of the user's is changed and nothing is left over."""
    tasks(project, items, SCRIPT)
    before = seen(project)
    project.run("run", "tasks.md", "-j", "2")
    assert seen(project) == before
    assert left(project) == []


def test_a_dirty_checkout_stays_as_dirty(project: Project) -> None:
    """Staged, changed, deleted and untracked files; tasks start from the commit."""
    repository(project, {"a.txt": "1\n", "b.txt": "1\n", "c.txt": "1\n", ".gitignore": IGNORE})
    project.write({"a.txt": "changed\n", "b.txt": "staged\n", "new.txt": "new\n"})
    git(project, "add", "b.txt")
    (project.root / "c.txt").unlink()
    a_run(project)
    assert merged(project, "a.txt") == "1\n4\n4"


def test_no_branch_is_checked_out(project: Project) -> None:
    """A detached HEAD, as continuous integration has it."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    git(project, "checkout", "--quiet", "--detach")
    a_run(project)
    assert merged(project, "first.txt") == "first"


def test_a_shallow_clone(project: Project) -> None:
    """There is no more of its past than one commit."""
    origin = Project(project.root.parent / "origin", project.root.parent / "other-home")
    repository(origin, {"a.txt": "0\n", ".gitignore": IGNORE})
    origin.write({"a.txt": "1\n"})
    commit(origin, "second")
    project.root.rmdir()
    git(origin, "clone", "--quiet", "--depth=1", f"file://{origin.root}", str(project.root))
    a_run(project)
    assert merged(project, "a.txt") == "1\n4\n4"
    project.run("merge")


def test_a_run_begins_from_what_others_have_pushed(project: Project) -> None:
    """With ``--pull``, the task file included; where that is no fast-forward nothing is run."""
    origin = Project(project.root.parent / "origin", project.root.parent / "other-home")
    repository(origin, {"a.txt": "1\n", "tasks.md": "- [ ] Old {run=false}\n"})
    project.root.rmdir()
    git(origin, "clone", "--quiet", str(origin.root), str(project.root))
    origin.write({"a.txt": "2\n", "tasks.md": '- [ ] New {run="grep -q 2 a.txt"}\n'})
    new = commit(origin, "second")
    assert "one too many" in project.run("run", "tasks.md", "--pull", "--dry-run", expect=2).stderr
    told = project.run("run", "tasks.md", "--pull").stderr
    assert f"pulled: HEAD is {new[:12]} now, and was" in told
    assert "HEAD is still" in project.run("run", "tasks.md", env={"ACA_PULL": "1"}).stderr
    origin.write({"a.txt": "3\n"})
    commit(origin, "third")
    project.write({"a.txt": "mine\n"})
    commit(project, "mine")
    told = project.run("run", "tasks.md", "--pull", expect=2).stderr
    assert "nothing was pulled: git pull" in told
    assert len(project.sessions()) == 2


def test_a_worktree_of_the_users_own(project: Project) -> None:
    """It is the workspace, and the others that there are stay."""
    main = Project(project.root.parent / "main", project.root.parent / "other-home")
    repository(main, {"a.txt": "1\n", ".gitignore": IGNORE})
    project.root.rmdir()
    git(main, "worktree", "add", "--quiet", "-b", "mine", str(project.root))
    a_run(project)
    project.run("merge")
    assert git(project, "log", "-1", "--format=%s", "mine") == "Second"
    assert git(main, "log", "-1", "--format=%s") == "first"
    assert [Path(path).name for path in worktrees(main)] == ["work"]


def test_names_and_links_of_every_kind(project: Project) -> None:
    """Not only letters, links that lead nowhere or out, a file that may be run."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    script = """
        [tasks.first]
        steps = [{run = '''
          mkdir -p "dir ü"; echo 1 > "dir ü/日本 \\"x\\".txt"; echo 1 > "$(printf 'two\\nlines')"; echo 1 > -n
          echo 1 > "$(printf 'half\\377')"; ln -s nowhere dangling; ln -s /etc/hostname out
          printf '#!/bin/sh\\n' > run.sh; chmod +x run.sh
        ''', must = true}]
        [tasks.second]
        steps = [{run = '''
          test -x run.sh && test -L out && test -L dangling && test -f ./-n
          test -f "$(printf 'two\\nlines')"
        ''', must = true}, {run = "rm -r dir* half*; rm ./-n", must = true}]
        """
    tasks(project, "- [ ] First {#first}\n- [ ] Second {#second needs=first}\n", script)
    project.run("run", "tasks.md", "-j", "2")
    names = git(project, "ls-tree", "-rz", "--name-only", f"aca/{project.session().id}").split("\0")
    assert names[:-1] == [".gitignore", "a.txt", "dangling", "out", "run.sh", "two\nlines"]
    project.run("restore", "first")
    assert (project.root / 'dir ü/日本 "x".txt').exists()
    assert (project.root / "out").readlink() == Path("/etc/hostname")


def test_hooks_that_fail_do_not_run(project: Project) -> None:
    """Neither for aca's commits nor when a worktree is made."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    for name in ("pre-commit", "post-checkout", "reference-transaction", "post-index-change", "commit-msg"):
        hook = project.root / ".git" / "hooks" / name
        hook.write_text("#!/bin/sh\ntouch $HOME/hooked\nexit 1\n")
        hook.chmod(0o755)
    tasks(project, TWO, SCRIPT.replace("a.txt", "$ACA_TASK.txt"))
    project.run("run", "tasks.md", "-j", "2")
    assert not (project.home / "hooked").exists()


def test_a_submodule_stays_what_it_is(project: Project) -> None:
    """It is empty in a worktree, which is no change to it."""
    other = Project(project.root.parent / "other", project.root.parent / "other-home")
    repository(other, {"lib.txt": "lib\n"})
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    git(project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.root), "lib")
    commit(project, "with a submodule")
    linked = git(project, "ls-tree", "HEAD", "lib")
    a_run(project)
    assert git(project, "ls-tree", f"aca/{project.session().id}", "lib") == linked


def test_what_is_written_into_a_submodule_is_not_lost_unnoticed(project: Project) -> None:
    """It is in no commit: the attempt fails, whether the submodule is filled or empty.

    What it ignores, what tools make anew and what is as it was is no such work.
    """
    other = Project(project.root.parent / "other", project.root.parent / "other-home")
    repository(other, {"lib.txt": "lib\n", ".gitignore": "*.log\n"})
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    for name in ("lib", "empty"):
        add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.root), name)
        git(project, *add)
    commit(project, "with submodules")
    script = """
        [tasks.first]
        steps = [
          {attempt = 1, run = "echo mine >> lib/lib.txt; echo mine > b.txt", must = true},
          {attempt = 2, run = "git -C lib checkout -q lib.txt; echo 1 > lib/a.log", must = true},
          {attempt = 2, run = "mkdir lib/__pycache__; echo 1 > lib/__pycache__/b", must = true},
        ]
        [tasks.second]
        steps = [{run = "mkdir empty/src; echo mine > empty/src/new.txt", must = true}]
        """
    settings = 'workspace: {setup: "git -c protocol.file.allow=always submodule update -q --init lib"}\n'
    items = "- [ ] First {#first retries=1}\n- [ ] Second {#second retries=0}\n"
    tasks(project, items, script, settings=f"retry_delay: 0s\n{settings}")
    outcome = project.run("run", "tasks.md", "-j", "2", expect=1)
    told = "what was written into the submodule {} is in no commit of it and would be lost"
    assert told.format("lib") in outcome.stderr
    assert told.format("empty") in outcome.stdout
    assert "first: completed" in outcome.stderr
    assert merged(project, "b.txt") == "mine"  # what the first attempt did beside it is kept


LARGE = """\
#!/bin/sh
# As Git LFS: git holds a pointer, the content lies beside it.
store=$(git rev-parse --path-format=absolute --git-common-dir)/lfs; mkdir -p $store
case $1 in
    clean) cat > $store/new.$$; sum=$(sha256sum < $store/new.$$ | cut -c1-64); mv $store/new.$$ $store/$sum
        echo "oid sha256:$sum" ;;
    smudge) read -r oid sum; cat $store/${sum#sha256:} ;;
esac
"""


def test_large_files_behind_a_filter_stay_there(project: Project) -> None:
    """Git LFS, or a filter like it: tasks see the content, git gets pointers, in worktrees and in place."""
    filtering = project.home / "lfs"
    filtering.write_text(LARGE)
    filtering.chmod(0o755)
    git(project, "init", "--quiet", "--initial-branch=main", ".")
    for how in ("clean", "smudge"):
        git(project, "config", f"filter.lfs.{how}", f"{filtering} {how}")
    git(project, "config", "filter.lfs.required", "true")
    project.write({"big.bin": "large 1\n", ".gitattributes": "*.bin filter=lfs\n", ".gitignore": IGNORE})
    commit(project, "first")
    script = (
        '[tasks."*"]\nsteps = [{run = "grep -q large big.bin && echo $ACA_TASK >> big.bin", must = true}]\n'
    )
    tasks(project, "- [ ] First {#first}\n- [ ] Second {#second needs=first}\n", script)
    before = seen(project)
    project.run("run", "tasks.md", "-j", "2")
    assert seen(project) == before
    assert merged(project, "big.bin").startswith("oid sha256:")
    project.run("merge")
    assert project.read("big.bin") == "large 1\nfirst\nsecond\n"
    project.run("run", "tasks.md", "--only", "first")
    assert git(project, "show", f"refs/aca/{project.sessions()[-1].id}/first/1:big.bin").startswith("oid ")
    project.run("restore", "first", "--before")
    assert project.read("big.bin") == "large 1\nfirst\nsecond\n"


def test_the_users_branch_may_be_renamed_or_removed_meanwhile(project: Project) -> None:
    """The session goes on from its commit, and is merged into what is checked out in the end."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    git(project, "checkout", "--quiet", "-b", "topic")
    rename, remove = "git branch -m topic other", "git checkout -q main; git branch -q -D other"
    steps = "\n".join(
        f"[tasks.{name}]\nsteps = [{{run = 'cd {project.root}; {line}', must = true}}, "
        "{run = 'echo $ACA_TASK > $ACA_TASK.txt'}]"
        for name, line in {"first": rename, "second": remove}.items()
    )
    items = "- [ ] First {#first}\n- [ ] Second {#second needs=first}\n"
    tasks(project, items, steps, settings="permissions: full\n")
    project.run("run", "tasks.md", "-j", "2")
    assert "fast-forward" in project.run("merge").stdout
    assert git(project, "branch", "--show-current") == "main"
    assert (project.read("first.txt"), project.read("second.txt")) == ("first\n", "second\n")


def test_an_agent_that_uses_git_itself(project: Project) -> None:
    """Its commits are kept and its work is merged, as one commit, whatever it did to its index and HEAD."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    script = """
        [tasks.first]
        steps = [{run = '''
          export GIT_COMMITTER_NAME=agent GIT_COMMITTER_EMAIL=agent@localhost
          export GIT_AUTHOR_NAME=agent GIT_AUTHOR_EMAIL=agent@localhost
          echo 2 >> a.txt && git commit -qam "my own" && echo 3 > c.txt && git add c.txt && rm c.txt
          git checkout -q --detach && git stash -q -u 2> /dev/null; echo 5 > e.txt
        ''', must = true}]
        [tasks.second]
        steps = [{wait = "1s"}]
        """
    tasks(project, TWO, script)
    project.run("run", "tasks.md", "-j", "2")
    one = project.session().id
    assert git(project, "log", "--format=%s", f"main..aca/{one}") == "First"
    assert git(project, "ls-tree", "--name-only", f"aca/{one}").split() == [".gitignore", "a.txt", "e.txt"]
    assert "my own" in git(project, "log", "--format=%s", f"refs/aca/{one}/first/1")


@pytest.mark.parametrize(
    "harm",
    [
        "rm -rf $PWD",
        "rm -rf $PWD; ln -s $HOME $PWD",
        "rm .git",
        "echo gitdir: /nowhere > .git",
        'rm -rf "$(git rev-parse --git-dir)"',
        "mkdir nested && git -C nested init -q && touch nested/x",
        "mkdir -p .aca/sessions && echo {} > .aca/sessions/journal.jsonl",
        "touch ../stray; mkdir ../folder",
        "chmod 000 . ; mkdir -p ro/x && chmod 500 ro",
    ],
)
def test_a_task_that_wrecks_its_own_tree_wrecks_nothing_else(project: Project, harm: str) -> None:
    """It may fail, with a reason; the other task's work is merged, and the user's checkout is as it was."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    script = f"""
        [tasks.first]
        steps = [{{run = '''{harm}'''}}]
        [tasks.second]
        steps = [{{write = "second.txt", content = "second"}}]
        """
    tasks(project, TWO, script, settings="retries: 0\n")
    before = seen(project)
    outcome = project.run("run", "tasks.md", "-j", "2", expect=None)
    assert outcome.code in (0, 1), outcome.stderr
    assert seen(project) == before
    assert merged(project, "second.txt") == "second"
    assert (worktrees(project), left(project)) == ([], [])
    assert ".aca" not in git(project, "ls-tree", "--name-only", f"aca/{project.session().id}")


def test_a_hostile_task_moves_the_branch_and_the_journal_puts_it_back(project: Project) -> None:
    """Branches are derived: what counts is in the journal."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    script = """
        [tasks.first]
        steps = [{write = "first.txt", content = "first"}]
        [tasks.second]
        steps = [{run = "git branch --list 'aca/*' --format '%(refname:short)' | xargs git branch -D"},
                 {write = "second.txt", content = "second"}]
        """
    tasks(project, "- [ ] First {#first}\n- [ ] Second {#second needs=first}\n", script)
    project.run("run", "tasks.md", "-j", "2")
    assert (merged(project, "first.txt"), merged(project, "second.txt")) == ("first", "second")


def test_worktrees_where_there_is_no_repository_are_refused(project: Project) -> None:
    """With file, line and cure; nothing has run."""
    tasks(project, TWO, SCRIPT, settings="workspace: worktree\n")
    told = project.run("run", "tasks.md", expect=2).stderr
    why = f"tasks.md:4: worktrees cannot be made: {project.root} is in no git repository with a commit"
    assert told.startswith(why)
    assert "git init" in told
    assert project.sessions() == []


def test_why_git_refuses_a_repository_is_told(project: Project) -> None:
    """To make another one would be no cure: such as one of another user's, or of a git of later times."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    tasks(project, TWO, SCRIPT)
    if os.geteuid() == 0:  # only root can give files away
        os.chown(project.root, 1, 1)
        os.chown(project.root / ".git", 1, 1)
        told = project.run("run", "tasks.md", "--workspace-mode", "worktree", expect=2).stderr
        assert "detected dubious ownership" in told
        assert f"git config --global --add safe.directory {project.root}; or let" in told
        os.chown(project.root, 0, 0)
        os.chown(project.root / ".git", 0, 0)
    git(project, "config", "core.repositoryFormatVersion", "7")
    why = "git refuses the repository that"
    assert why in project.run("run", "tasks.md", "--workspace-mode", "worktree", expect=2).stderr
    assert f"{why} is here: " in project.run("run", "tasks.md", "-j", "2").stderr
    assert why in project.run("doctor", expect=None).stdout


def test_agents_at_once_in_place_must_say_what_they_touch(project: Project) -> None:
    """Where somebody insists on one directory; then those that touch the same wait for each other."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    tasks(project, TWO, SCRIPT)
    told = project.run("run", "tasks.md", "-j", "2", "--workspace-mode", "inplace", expect=2).stderr
    assert 'task "first" works in place and may touch any' in told
    script = '[tasks."*"]\nsteps = [{run = "mkdir busy && sleep 0.3 && rmdir busy", must = true}]\n'
    tasks(project, '- [ ] A {touches="src/*.py"}\n- [ ] B {touches="src/b.py"}\n', script)
    project.run("run", "tasks.md", "-j", "2", "--workspace-mode", "inplace", "--retries", "0")


def test_a_session_stays_in_the_place_it_began_in(project: Project) -> None:
    """The work that is done would be left behind."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    tasks(project, "- [ ] First {#first}\n- [ ] Ask {kind=approval}\n- [ ] Third {needs=ask}\n", SCRIPT)
    project.run("run", "tasks.md", expect=4)
    project.run("approve", "ask")
    told = project.run("resume", "--workspace-mode", "worktree", expect=2).stderr
    assert 'task "third" of this session works in place; that stays so' in told
    project.run("resume")


def test_a_session_in_place_does_not_become_several_at_once(project: Project) -> None:
    """Its tasks took turns in one directory, and would now change the same files."""
    repository(project, {"a.txt": "a"})
    tasks(project, "- [ ] Never {#never run=false}\n- [ ] One {#one}\n- [ ] Two {#two}\n", SCRIPT)
    project.run("run", "tasks.md", "--fail-fast", expect=1)
    told = project.run("resume", "--failed", "-j", "2", expect=2).stderr
    assert "agents would change the same files at once" in told


def test_agents_at_once_in_a_directory_without_git_are_told_of(project: Project) -> None:
    """Nothing keeps them apart there; nothing is said where each says what it touches."""
    tasks(project, "- [ ] One {#one}\n- [ ] Two {#two}\n", SCRIPT)
    told = project.run("run", "tasks.md", "-j", "2", "--dry-run").stderr
    assert "several agents work in this directory at once" in told
    tasks(project, "- [ ] One {#one touches=a}\n- [ ] Two {#two touches=b}\n", SCRIPT)
    assert "several agents" not in project.run("run", "tasks.md", "-j", "2", "--dry-run").stderr


def test_a_task_must_see_the_work_of_what_it_needs(project: Project) -> None:
    """What is made in a worktree is not in the directory itself, and the other way round."""
    repository(project, {"a.txt": "a\n", ".gitignore": IGNORE})
    tasks(project, "- [ ] One {#one}\n- [ ] Two {#two needs=one workspace=inplace}\n", SCRIPT)
    told = project.run("run", "tasks.md", "--workspace-mode", "worktree", expect=2).stderr
    assert 'task "two" works in place and would not see what "one" makes, which works in a worktree' in told
    project.run("run", "tasks.md", "--workspace-mode", "inplace", "--dry-run")


def test_a_file_to_copy_that_is_not_there_is_refused(project: Project) -> None:
    """Before anything has run."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    tasks(project, TWO, SCRIPT, settings="workspace: {copy: [.env, ../secrets]}\n")
    told = project.run("run", "tasks.md", "-j", "2", expect=2).stderr
    assert 'workspace.copy: there is no ".env"' in told
    assert 'workspace.copy: "../secrets" is not inside the workspace' in told
    told = project.run("run", "tasks.md", "--dry-run").stderr
    assert "workspace.copy: without effect, as all tasks work in place" in told


def test_changes_besides_what_a_task_touches_are_told(project: Project) -> None:
    """In the summary and in its story."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    tasks(project, '- [ ] First {#first touches="first.txt"}\n- [ ] Second {needs=first}\n', SCRIPT)
    assert "first also changed a.txt" in project.run("run", "tasks.md", "-j", "2").stdout
    assert "a.txt, which is not among what it touches" in project.run("show", "first").stdout


@pytest.mark.parametrize("added", ["", " && git add nested && git commit -qm nested"])
def test_a_repository_made_inside_a_tree_is_refused(project: Project, added: str) -> None:
    """Only a link to it could be kept, which leads nowhere; its task is told what to do."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    git(project, "config", "--global", "user.name", "agent")
    git(project, "config", "--global", "user.email", "agent@localhost")
    made = f"git init -q nested && cd nested && echo x > x && git add x && git commit -qm x && cd ..{added}"
    script = f"""
        [tasks.first]
        steps = [{{run = '''{made}''', must = true, attempt = 1}},
                 {{run = "mkdir -p nested && rm -rf nested/.git && echo x > nested/x", attempt = 2}}]
        [tasks.second]
        steps = [{{run = "true"}}]
        """
    tasks(project, TWO, script, settings="retry_delay: 0\n")
    told = project.run("run", "tasks.md", "-j", "2", expect=None).stderr
    assert "nested is a git repository of its own" in told
    assert "remove nested/.git" in told
    assert merged(project, "nested/x") == "x"


def test_a_branch_that_is_called_aca_is_told_of(project: Project) -> None:
    """Before anything has run: git has no room for the session's own below it."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    git(project, "branch", "aca")
    tasks(project, TWO, SCRIPT)
    told = project.run("run", "tasks.md", "-j", "2", expect=2).stderr
    assert "a branch is called aca" in told
    assert "git branch -m aca" in told
    assert project.sessions() == []


def test_nothing_of_git_is_copied_and_links_lead_to_the_same(project: Project) -> None:
    """A relative link out of the workspace would lead nowhere from a worktree."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE + "local\n"})
    (project.root.parent / "shared.txt").write_text("shared")
    git(project, "init", "--quiet", "local/lib")
    project.write({"local/real.txt": "real"})
    (project.root / "local" / "out.txt").symlink_to("../../shared.txt")
    (project.root / "local" / "in.txt").symlink_to("real.txt")
    see = "grep -q shared local/out.txt && test ! -e local/lib/.git && test -L local/in.txt"
    script = f'[tasks."*"]\nsteps = [{{run = "{see} && test ! -e .aca", must = true}}]\n'
    tasks(project, TWO, script, settings='workspace: {copy: [local, ".[ag]*"]}\n')
    project.run("run", "tasks.md", "-j", "2", "--retries", "0")


def test_a_task_knows_who_the_user_is_but_of_no_other_repository(project: Project) -> None:
    """aca may be run by a hook; an author or an ssh command that is set is set for tasks too."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    env = {
        "GIT_INDEX_FILE": "/nowhere",
        "GIT_DIR": "/nowhere",
        "GIT_AUTHOR_NAME": "me",
        "GIT_SSH_COMMAND": "ssh",
    }
    see = "test -z $GIT_DIR$GIT_INDEX_FILE && test $GIT_AUTHOR_NAME$GIT_SSH_COMMAND = messh"
    items = f"- [ ] First {{run='{see}'}}\n- [ ] Second {{run='{see}'}}\n"
    tasks(project, items, "", settings="workspace: worktree\npass_env: [GIT_AUTHOR_NAME, GIT_SSH_COMMAND]\n")
    project.run("run", "tasks.md", "-j", "2", "--retries", "0", env=env)


def test_an_example_of_a_conflict_is_none(project: Project) -> None:
    """Only the markers that aca has put into a file must be gone again."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    text = "<<<<<<< HEAD\\nours\\n=======\\ntheirs\\n>>>>>>> topic\\n"
    script = (
        f'[tasks.first]\nsteps = [{{write = "how-to.md", content = "{text}"}}]\n[tasks.second]\nsteps = []\n'
    )
    tasks(project, TWO, script)
    project.run("run", "tasks.md", "-j", "2")
    assert "<<<<<<< HEAD" in merged(project, "how-to.md")


def test_what_was_set_up_is_nobodys_work_though_it_is_committed(project: Project) -> None:
    """An agent that commits everything there is has not written the file that was copied for it."""
    repository(project, {"a.txt": "1\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    project.write({"local.env": "KEY=1\n"})
    script = """
        [tasks.first]
        steps = [{run = "echo 2 >> a.txt; git add -A"},
                 {run = "git -c user.name=a -c user.email=a@b commit -qm all", must = true}]
        [tasks.second]
        steps = []
        """
    tasks(project, TWO, script, settings="workspace: {copy: [local.env]}\n")
    project.run("run", "tasks.md", "-j", "2")
    one = project.session().id
    assert git(project, "ls-tree", "--name-only", f"aca/{one}").split() == [".gitignore", "a.txt"]
    assert "KEY" not in project.run("show", "first", "--diff").stdout


def test_a_cancelled_task_has_its_tree_kept_and_told(project: Project) -> None:
    """What it had done until then can be looked at and brought back."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORE})
    script = '[tasks."*"]\nsteps = [{write = "half.txt", content = "half"}, {hang = true}]\n'
    tasks(project, "- [ ] First {#first}\n", script, settings="workspace: worktree\n")
    running = project.start("run", "tasks.md")
    running.until(lambda: any(path.endswith("half.txt") for path in left(project)))
    project.run("cancel", "first")
    running.finish(expect=1)
    assert "+half" in project.run("show", "first", "--diff").stdout
    assert "kept as" in project.run("show", "first").stdout
