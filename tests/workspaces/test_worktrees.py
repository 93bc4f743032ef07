"""Agents that run at once work in trees of their own, and what they finish is merged one by one."""

from __future__ import annotations

import json

from aca.core import events as ev
from tests.project import Project
from tests.workspaces.checkout import commit, git, kept, left, merged, repository, seen, tasks, worktrees

TWO = "- [ ] First {#first}\n- [ ] Second {#second}\n"
BOTH_EDIT = """
[tasks.first]
steps = [{edit = "a.txt", old = "two", new = "two by first"}]
[tasks.second]
steps = [
  {wait = "500ms"},
  {edit = "a.txt", old = "two", new = "two by second", attempt = 1},
  {run = "grep -q '<<<<<<<' a.txt && grep -q '>>>>>>>' a.txt", must = true, attempt = 2},
  {write = "a.txt", content = "one\\ntwo by both\\nthree\\n", attempt = 2},
]
"""


def a_repository(project: Project) -> None:
    repository(project, {"a.txt": "one\ntwo\nthree\n", ".gitignore": ".env\nbuild/\n"})


def test_several_agents_in_a_repository_have_worktrees(project: Project) -> None:
    """What they did is on the session's branch; the user's checkout is as it was, nothing is left over."""
    a_repository(project)
    script = '[tasks."*"]\nsteps = [{run = "echo $ACA_TASK > $ACA_TASK.txt; pwd", must = true}]\n'
    tasks(project, TWO, script)
    before = seen(project)
    told = project.run("run", "tasks.md", "-j", "2").stderr
    assert "each task works in a git worktree of its own" in told
    assert "what you have not committed is not in them" in told
    assert seen(project) == before
    assert (merged(project, "first.txt"), merged(project, "second.txt")) == ("first", "second")
    assert (worktrees(project), left(project)) == ([], [])


def test_worktrees_may_lie_behind_a_link(project: Project) -> None:
    """Where ``XDG_STATE_HOME`` leads."""
    a_repository(project)
    (project.home / "disk").mkdir()
    (project.home / "link").symlink_to("disk")
    tasks(project, TWO, '[tasks."*"]\nsteps = [{run = "echo x > $ACA_TASK", must = true}]\n')
    project.run("run", "tasks.md", "-j", "2", env={"XDG_STATE_HOME": str(project.home / "link")})
    assert (merged(project, "first"), merged(project, "second")) == ("x", "x")
    assert (worktrees(project), left(project), list((project.home / "disk").rglob("x"))) == ([], [], [])


def test_one_after_the_other_or_without_a_repository_they_work_in_place(project: Project) -> None:
    """As ever: there is nobody to get in the way of, or nothing to make worktrees of."""
    tasks(project, TWO, '[tasks."*"]\nsteps = [{run = "touch $ACA_TASK", must = true}]\n')
    project.run("run", "tasks.md", "-j", "2")
    assert (project.root / "first").exists()
    (project.root / "first").unlink()
    git(project, "init", "--quiet", ".")
    project.run("run", "tasks.md", "-j", "2")  # a repository without a commit
    assert (project.root / "first").exists()
    (project.root / "first").unlink()
    commit(project, "all")
    project.run("run", "tasks.md")
    assert (project.root / "first").exists()


def test_commands_alone_share_the_directory(project: Project) -> None:
    """Nobody reviews what a command leaves: it may be there for the others."""
    a_repository(project)
    project.write({"tasks.md": '- [ ] A {run="touch a"}\n- [ ] B {run="touch b"}\n'})
    project.run("run", "tasks.md", "-j", "2")
    assert (project.root / "a").exists()


def test_a_task_starts_from_what_it_needs(project: Project) -> None:
    """The work of its dependencies is in its tree, and their files can be referred to."""
    a_repository(project)
    script = """
        [tasks.first]
        steps = [{write = "spec.md", content = "the spec"}]
        [tasks.second]
        steps = [{run = "grep -q 'the spec' spec.md", must = true}]
        """
    tasks(project, "- [ ] First {#first}\n- [ ] Second {#second needs=first file_refs=spec.md}\n", script)
    project.write({"spec.md": "an old spec"})  # the user's own, which is not committed
    project.run("run", "tasks.md", "-j", "2", "--workspace-mode", "worktree")
    prompt = project.session().task_logs / "second" / "1.prompt.md"
    assert "the spec" in prompt.read_text()


def test_a_conflict_goes_back_to_its_task(project: Project) -> None:
    """With both sides in the file, in its own conversation; what it then makes of it is merged."""
    a_repository(project)
    tasks(project, TWO, BOTH_EDIT)
    told = project.run("run", "tasks.md", "-j", "2").stderr
    assert 'second: goes back to be mended: merge conflict in "a.txt" with the work of "first"' in told
    assert merged(project, "a.txt") == "one\ntwo by both\nthree"
    prompt = (project.session().task_logs / "second" / "2.prompt.md").read_text()
    assert "Your work does not fit in yet" in prompt
    assert "+two by first" in prompt
    assert kept(project, "second") == [1, 2]


def test_what_tasks_changed_is_learned_for_the_next_time(project: Project) -> None:
    """It is said before they run again, and they are not at work at once: nothing has to be mended then."""
    a_repository(project)
    tasks(project, TWO, BOTH_EDIT)
    project.run("run", "tasks.md", "-j", "2")
    shown = project.run("run", "tasks.md", "-j", "2", "--dry-run").stdout
    assert shown.count('has changed more before than it says: touches="a.txt" would say so') == 2
    script = BOTH_EDIT.replace('old = "two", new = "two by second"', 'old = "first", new = "second"')
    tasks(project, TWO, script)
    project.run("run", "tasks.md", "-j", "2")
    assert merged(project, "a.txt") == "one\ntwo by second\nthree"
    assert [type(event) for event in project.journal() if isinstance(event, ev.TaskRefused)] == []


CLAUDE = """\
#!/usr/bin/env python3
import json, os, sys, time
name, number = os.environ["ACA_ATTEMPT"].split("/")[1:]
with open(os.path.expanduser(f"~/{name}-{number}"), "w") as told:
    json.dump({"argv": sys.argv[1:], "cwd": os.getcwd(), "prompt": sys.stdin.read()}, told)
time.sleep(1 if name == "second" and number == "1" else 0)
with open("a.txt", "w") as file:
    file.write(f"one\\ntwo by {name if number == '1' else 'both'}\\nthree\\n")
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "done", "usage": {},
                  "permission_denials": []}))
"""


def test_an_agent_is_told_of_a_conflict_in_its_own_conversation(project: Project) -> None:
    """It is continued, at the same place, with what does not fit and not with the whole task once more."""
    a_repository(project)
    program = project.home / "claude"
    program.write_text(CLAUDE)
    program.chmod(0o755)
    settings = f"provider: claude-cli\nproviders: {{claude-cli: {{command: {program}}}}}\n"
    settings += "sandbox: {mode: off}\n"  # it tells what it was told in a file at home
    (project.root / "tasks.md").write_text(f"---\n{settings}---\n{TWO}")
    project.run("run", "tasks.md", "-j", "2")
    first, again = (json.loads((project.home / f"second-{number}").read_text()) for number in (1, 2))
    conversation = first["argv"][first["argv"].index("--session-id") + 1]
    assert again["argv"][again["argv"].index("--resume") + 1] == conversation
    assert again["cwd"] == first["cwd"]
    assert again["prompt"].startswith("# Your work does not fit in yet")
    assert merged(project, "a.txt") == "one\ntwo by both\nthree"


def test_a_conflict_nobody_mends_waits_for_a_person(project: Project) -> None:
    """After two tries, both sides named. Resume tries again; until then what is merged stays as it was."""
    a_repository(project)
    script = """
        [tasks.first]
        steps = [{edit = "a.txt", old = "two", new = "two by first"}]
        [tasks.second]
        steps = [{wait = "500ms"}, {run = "sed -i 's/two/2nd/' a.txt"},
                 {write = "a.txt", content = "mended", attempt = 4}]
        """
    tasks(project, TWO, script)
    outcome = project.run("run", "tasks.md", "-j", "2", expect=4)
    now = project.session().state().states["second"]
    assert (now.status, now.waits_for, now.attempts) == ("blocked", "merge", 3)
    assert now.reason == 'conflict markers are left in "a.txt", in conflict with the work of "first"'
    assert "aca show second --diff" in outcome.stdout
    assert merged(project, "a.txt") == "one\ntwo by first\nthree"
    project.run("resume")
    assert merged(project, "a.txt") == "mended"


def test_two_that_are_green_and_red_together_are_not_merged(project: Project) -> None:
    """The task's own checks run again on the merged result; the culprit is named and told."""
    repository(project, {"app.py": "def price():\n    return 1\n", "test.sh": "true\n"})
    script = """
        [tasks.first]
        steps = [{run = "sed -i 's/def price/def cost/' app.py", must = true}]
        [tasks.second]
        steps = [
          {wait = "500ms"},
          {write = "test.sh", content = "grep -q 'def price' app.py\\n", attempt = 1},
          {write = "test.sh", content = "grep -q 'def cost' app.py\\n", attempt = 2},
        ]
        """
    tasks(project, '- [ ] First {#first}\n- [ ] Second {#second check="sh test.sh"}\n', script)
    told = project.run("run", "tasks.md", "-j", "2").stderr
    assert '"sh test.sh" failed on the merged result with the work of "first"' in told
    assert merged(project, "test.sh") == "grep -q 'def cost' app.py"


def test_checks_of_the_plan_hold_on_every_commit_of_the_branch(project: Project) -> None:
    """``workspace.checks`` run on the merged result before it counts."""
    a_repository(project)
    script = """
        [tasks.first]
        steps = [{write = "n1", content = ""}]
        [tasks.second]
        steps = [{wait = "500ms"}, {write = "n2", content = ""}, {run = "rm n1", attempt = 2}]
        """
    checks = 'workspace: {checks: ["test $(ls n* | wc -l) -lt 2"]}\n'
    tasks(project, TWO, script, settings=checks)
    project.run("run", "tasks.md", "-j", "2")
    one = project.session()
    for each in git(project, "rev-list", f"main..aca/{one.id}").splitlines():
        assert len(git(project, "ls-tree", "--name-only", each).split("n")) <= 3
    assert [event.reason for event in project.journal() if isinstance(event, ev.TaskRefused)]
    names = git(project, "ls-tree", "--name-only", f"aca/{one.id}").split()
    assert [name for name in names if name.startswith("n")] == ["n2"]


def test_what_was_said_while_the_merged_result_was_checked_is_heard(project: Project) -> None:
    """It was promised to the agent, so the work is not over: it goes on with that, and is merged then."""
    a_repository(project)
    root = project.root.parent / "signs"
    root.mkdir()
    waits = f"touch {root}/began; until test -f {root}/go; do sleep 0.02; done"
    script = '[tasks.first]\nsteps = [{write = "n1", content = ""}]\n'
    settings = f"workspace: {{checks: ['{waits}']}}\n"
    tasks(project, "- [ ] First {#first workspace=worktree}\n", script, settings=settings)
    running = project.start("run", "tasks.md")
    running.until((root / "began").exists)
    project.run("send", "first", "Please in blue.")
    running.until(lambda: any(isinstance(event, ev.MessageSent) for event in project.journal()))
    (root / "go").touch()
    running.finish(expect=0)
    kinds = (ev.TaskInterrupted, ev.MessageDelivered, ev.TaskCompleted)
    assert [type(event) for event in project.journal() if isinstance(event, kinds)] == list(kinds)
    assert merged(project, "n1") == ""


def test_what_git_ignores_and_a_tree_needs_is_brought_along(project: Project) -> None:
    """Copied files, a setup that runs once per tree, a port of one's own; none of it is anybody's work."""
    a_repository(project)
    project.write({".env": "KEY=1\n"})
    (project.root / "notes").mkdir()
    (project.root / "notes" / "mine.txt").write_text("not committed, not ignored\n")
    settings = 'workspace: {copy: [.env, "notes/*"], setup: "echo made >> made-by-setup", port: 31000}\n'
    script = """
        [tasks."*"]
        steps = [
          {run = "grep -q KEY .env && test -f notes/mine.txt", must = true},
          {run = "test $(wc -l < made-by-setup) = 1", must = true},
          {run = "test $ACA_PORT = $((31000 + ACA_SLOT)) && echo $ACA_PORT > $ACA_TASK.port", must = true},
          {wait = "300ms"},
        ]
        """
    tasks(project, TWO, script, settings=settings)
    project.run("run", "tasks.md", "-j", "2")
    names = git(project, "ls-tree", "-r", "--name-only", f"aca/{project.session().id}").split()
    assert names == [".gitignore", "a.txt", "first.port", "second.port"]
    assert {merged(project, "first.port"), merged(project, "second.port")} == {"31000", "31001"}


def test_what_git_ignores_is_not_kept_and_that_is_said(project: Project) -> None:
    """Only what the task wrote, and of that not what tools make anew."""
    a_repository(project)
    project.write({".env": "KEY=1\n", "build/old": "old\n"})
    settings = 'workspace: {copy: [.env], setup: "mkdir -p src/build; touch src/build/by-setup"}\n'
    script = """
        [tasks.first]
        steps = [{run = "mkdir -p build node_modules; echo 1 > build/out; echo 1 > .gitignore.env; cat .env"}]
        [tasks.second]
        steps = [{run = "echo build/ node_modules/ '*.tmp' | tr ' ' '\\n' >> .gitignore; echo 1 > x.tmp"}]
        """
    tasks(project, TWO, script, settings=settings)
    told = project.run("run", "tasks.md", "-j", "2").stdout
    assert "first wrote build/, which git ignores: gone with its worktree" in told
    assert "second wrote x.tmp, which git ignores" in told
    assert "take it out of .gitignore" in project.run("show", "first").stdout
    assert project.run("show", "first", "--json").json["lost"] == ["build/"]


def test_a_setup_that_fails_fails_the_attempt_with_its_output(project: Project) -> None:
    """Nobody works in half a tree."""
    a_repository(project)
    settings = 'retries: 0\nworkspace: {setup: "echo no such package; exit 9"}\n'
    tasks(project, TWO, '[tasks."*"]\nsteps = []\n', settings=settings)
    told = project.run("run", "tasks.md", "-j", "2", expect=1).stderr
    assert "workspace.setup failed: echo no such package; exit 9: exit code 9" in told


def test_a_failed_attempt_is_kept_and_the_next_goes_on_from_it(project: Project) -> None:
    """With its files, which is what the failed check speaks of."""
    a_repository(project)
    script = """
        [tasks.first]
        steps = [{write = "half.txt", content = "half", attempt = 1}, {run = "test -f half.txt", must = true},
                 {write = "whole.txt", content = "whole", attempt = 2}]
        [tasks.second]
        steps = []
        """
    tasks(project, '- [ ] First {#first check="test -f whole.txt" retry_delay=0}\n- [ ] Second\n', script)
    project.run("run", "tasks.md", "-j", "2")
    assert kept(project, "first") == [1, 2]
    assert merged(project, "half.txt") == "half"


def test_an_interrupted_agent_goes_on_in_the_same_tree(project: Project) -> None:
    """At the same path, by which agents know their conversations; what was half done is there."""
    a_repository(project)
    script = """
        [tasks.first]
        steps = [{run = "pwd >> half.txt", must = true}, {run = "echo x > build.log; sleep 60", attempt = 1}]
        [tasks.second]
        steps = []
        """
    tasks(project, TWO, script)
    running = project.start("run", "tasks.md", "-j", "2")
    folder = project.home / ".local" / "state" / "aca" / "worktrees"
    running.until(lambda: list(folder.glob("*/*/first/build.log")))
    running.kill()
    project.run("resume")
    first, second = merged(project, "half.txt").splitlines()
    assert first == second
    assert kept(project, "first") == [1, 2]
    assert (worktrees(project), left(project)) == ([], [])


def test_subtasks_start_from_what_their_parent_did(project: Project) -> None:
    """Which is merged before they begin."""
    a_repository(project)
    script = """
        [tasks.first]
        steps = [{write = "plan.txt", content = "the plan"},
                 {subtasks = [{title = "Part", kind = "command", command = "cp plan.txt part.txt"}]}]
        [tasks.second]
        steps = []
        """
    tasks(project, '- [ ] First {#first check="test -f part.txt"}\n- [ ] Second {#second}\n', script)
    project.run("run", "tasks.md", "-j", "2")
    assert merged(project, "part.txt") == "the plan"


def test_files_that_changed_are_those_that_git_saw(project: Project) -> None:
    """What commands did, too; each attempt has a patch beside the change log."""
    a_repository(project)
    script = '[tasks."*"]\nsteps = [{run = "echo 4 >> a.txt; echo x > \\"$ACA_TASK ä.txt\\""}]\n'
    tasks(project, "- [ ] First {#first}\n- [ ] Second {#second needs=first}\n", script)
    project.run("run", "tasks.md", "-j", "2")
    changes = json.loads((project.session().path / "file_changes" / "change_log.json").read_text())
    assert [(one["task"], one["path"], one["action"]) for one in changes] == [
        ("first", "a.txt", "modified"),
        ("first", "first ä.txt", "created"),
        ("second", "a.txt", "modified"),
        ("second", "second ä.txt", "created"),
    ]
    patch = project.session().path / "file_changes" / "snapshots" / "second" / "1.patch"
    assert patch.read_text() == project.run("show", "second", "--diff").stdout
    assert "+4" in patch.read_text()


def test_a_workspace_below_the_top_of_its_repository(project: Project) -> None:
    """Tasks work at the same place in their trees; paths are told as the user sees them."""
    repository(project, {"app/a.txt": "a\n", "lib/b.txt": "b\n"})
    command = "test -f a.txt && echo $ACA_TASK > ../lib/$ACA_TASK.txt"
    script = f'[tasks."*"]\nsteps = [{{run = "{command}", must = true}}]\n'
    project.write({"app/replay.toml": script})
    front = "---\nprovider: replay\nproviders: {replay: {script: replay.toml}}\n---\n"
    (project.root / "app" / "tasks.md").write_text(front + TWO)
    outcome = project.run("run", "app/tasks.md", "-j", "2", "--workspace", "app")
    assert "../lib/first.txt" in outcome.stdout
    [branch] = git(project, "for-each-ref", "--format=%(refname)", "refs/heads/aca/").splitlines()
    assert git(project, "show", f"{branch}:lib/second.txt") == "second"


def test_subtasks_work_in_the_kind_of_place_their_parent_does(project: Project) -> None:
    """One that is told to work in place hands that on."""
    a_repository(project)
    script = """
        [tasks.first]
        steps = [{subtasks = [{title = "Part", kind = "command", command = "touch here"}]}]
        [tasks.second]
        steps = [{write = "there", content = ""}]
        [tasks.third]
        steps = []
        """
    items = "- [ ] First {#first workspace=inplace}\n- [ ] Second {#second}\n- [ ] Third {#third}\n"
    tasks(project, items, script)
    project.run("run", "tasks.md", "-j", "2")
    assert ((project.root / "here").exists(), (project.root / "there").exists()) == (True, False)


def test_work_beside_and_in_what_was_brought_along_is_kept(project: Project) -> None:
    """Only what stays as it was copied or set up is nobody's work, whatever its name."""
    a_repository(project)
    project.write({"notes/mine.txt": "mine\n", "notes/a[b]*.txt": "odd\n", "notes/-n": "n\n"})
    settings = 'retry_delay: 0\nworkspace: {copy: ["notes"], setup: "mkdir new && echo x > new/made"}\n'
    script = """
        [tasks.first]
        steps = [
          {run = "test -f 'notes/a[b]*.txt' && test -f notes/-n && test -f new/made", must = true},
          {write = "notes/theirs.txt", content = "theirs"}, {write = "new/work.txt", content = "work"},
          {run = "echo more >> notes/mine.txt", attempt = 1}, {fail = "not yet", attempt = 1},
        ]
        [tasks.second]
        steps = []
        """
    tasks(project, TWO, script, settings=settings)
    project.run("run", "tasks.md", "-j", "2")
    names = git(project, "ls-tree", "-r", "--name-only", f"aca/{project.session().id}").split()
    assert names == [".gitignore", "a.txt", "new/work.txt", "notes/mine.txt", "notes/theirs.txt"]
    assert merged(project, "notes/mine.txt") == "mine\nmore"
