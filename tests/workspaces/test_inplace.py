"""In place, too, what attempts changed is kept, shown and brought back, with and without a repository."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from aca.workspaces.base import QUICK, Looking
from tests.project import Project
from tests.workspaces.checkout import commit, git, repository, tasks, users

THREE = "- [ ] First {#first}\n- [ ] Second {#second run='echo more >> a.txt'}\n- [ ] Third {#third}\n"
SCRIPT = """
[tasks.first]
steps = [{write = "a.txt", content = "one\\n"}, {run = "echo x > b.txt"}]
[tasks.third]
steps = [{write = "a.txt", content = "three\\n"}, {delete = "b.txt"}, {write = "d/c.txt", content = "c\\n"}]
"""
IGNORED = "tasks.md\nreplay.toml\n*.log\nbuild/\n"


KINDS = ["repository", "no repository"]
MORE = pytest.mark.parametrize("place", [*KINDS, "subdirectory", "unborn"], indirect=True)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, project: Project) -> Project:
    """A workspace of each kind, with a file of the user's that is nowhere committed."""
    project.write({"a.txt": "zero\n", "mine.txt": "mine\n", ".gitignore": IGNORED})
    if request.param == "repository":
        git(project, "init", "--quiet", "--initial-branch=main", ".")
        git(project, "add", "a.txt", ".gitignore")
        git(project, "commit", "--quiet", "-m", "first")
    elif request.param == "subdirectory":
        git(project, "init", "--quiet", "--initial-branch=main", "..", cwd=project.root)
        git(project, "add", "a.txt")
        git(project, "commit", "--quiet", "-m", "first")
    elif request.param == "unborn":
        git(project, "init", "--quiet", "--initial-branch=main", ".")
        git(project, "add", "a.txt")
    return project


def changes(project: Project) -> list[tuple[str, str, str]]:
    """What the change log of the newest session says."""
    log = json.loads((project.sessions()[-1].path / "file_changes" / "change_log.json").read_text())
    return [(one["task"], one["path"], one["action"]) for one in log]


@MORE
def test_what_each_task_changed_is_kept_shown_and_brought_back(place: Project) -> None:
    """Of agents and commands, told or not; nothing of git's that is the user's has another byte."""
    tasks(place, THREE, SCRIPT)
    before = users(place)
    place.run("run", "tasks.md")
    assert users(place) == before
    assert changes(place) == [
        ("first", "a.txt", "modified"),
        ("first", "b.txt", "created"),
        ("second", "a.txt", "modified"),
        ("third", "a.txt", "modified"),
        ("third", "b.txt", "deleted"),
        ("third", "d/c.txt", "created"),
    ]
    patch = place.run("show", "second", "--diff").stdout
    assert "+more" in patch
    assert patch == (place.session().path / "file_changes/snapshots/second/1.patch").read_text()
    place.run("restore", "second")
    assert place.read("a.txt") == "one\nmore\n"
    place.run("restore", "first", "--before")
    assert place.read("a.txt") == "zero\n"
    assert not (place.root / "b.txt").exists()
    place.run("restore", "third")
    assert (place.read("a.txt"), place.read("d/c.txt"), place.read("mine.txt")) == (
        "three\n",
        "c\n",
        "mine\n",
    )
    assert users(place) == before


def test_an_older_checkpoint_takes_the_files_back(place: Project) -> None:
    """Those that tasks have changed since, and no others; what they held is kept, and can be had again."""
    tasks(place, THREE, SCRIPT)
    place.run("run", "tasks.md")
    place.write({"mine.txt": "mine too\n"})
    old = place.session().id
    tasks(place, THREE.replace("more", "other"), "[tasks.'*']\nsteps = []\n")
    told = place.run("resume", "first").stderr
    assert (
        f"3 files are as at that checkpoint again; what was there is kept: aca restore --undo --session {old}"
        in told
    )
    assert (place.read("a.txt"), place.read("b.txt"), place.read("mine.txt")) == (
        "one\nmore\n",
        "x\n",
        "mine too\n",
    )
    place.run("restore", "--undo", "--session", old)
    assert (place.read("a.txt"), place.read("d/c.txt")) == ("three\n", "c\n")
    assert not (place.root / "b.txt").exists()


def test_what_the_user_changed_since_is_not_taken_back_unasked(project: Project) -> None:
    """It is refused, before there is a new session; ``--roll-back`` does it, ``--keep-files`` leaves all."""
    project.write({"a.txt": "zero\n"})
    tasks(project, THREE, SCRIPT)
    project.run("run", "tasks.md")
    project.write({"a.txt": "by me\n"})
    told = project.run("resume", "first", expect=2).stderr
    assert "changed since the session worked here: a.txt" in told
    assert "--keep-files" in told
    assert (len(project.sessions()), project.read("a.txt")) == (1, "by me\n")
    old = project.session().id
    tasks(project, THREE, "[tasks.'*']\nsteps = []\n")
    project.run("resume", "first", "--keep-files")
    assert project.read("a.txt") == "by me\nmore\n"
    project.write({"a.txt": "by me\n"})
    project.run("resume", f"{old}:first", "--roll-back")
    assert project.read("a.txt") == "one\nmore\n"
    project.run("restore", "--undo", "--session", old)
    assert project.read("a.txt") == "by me\n"


def test_a_restore_that_would_lose_something_needs_force_and_keeps_it(project: Project) -> None:
    """What the session itself left is no loss."""
    tasks(project, THREE, SCRIPT)
    project.run("run", "tasks.md")
    project.run("restore", "first")
    project.write({"a.txt": "by me\n"})
    assert "not committed: a.txt" in project.run("restore", "third", expect=2).stderr
    project.run("restore", "third", "--force")
    assert project.read("a.txt") == "three\n"
    project.run("restore", "--undo")
    assert (project.read("a.txt"), project.read("b.txt")) == ("by me\n", "x\n")
    project.run("restore", "--undo")
    assert project.read("a.txt") == "three\n"
    assert "all files are as left by attempt 1 already" in project.run("restore", "third").stdout
    shutil.rmtree(project.root / "d")
    project.write({"d": "a file of mine\n"})
    assert "not committed: d" in project.run("restore", "third", expect=2).stderr
    project.run("restore", "third", "--force")
    assert project.read("d/c.txt") == "c\n"
    project.run("restore", "--undo")
    assert project.read("d") == "a file of mine\n"


def test_without_a_repository_files_are_kept_byte_by_byte(project: Project) -> None:
    """Whatever git is told about line ends and filters for repositories."""
    project.write({".gitattributes": "*.txt text eol=lf filter=odd\n"})
    (project.home / ".gitconfig").write_text('[core]\nautocrlf = input\n[filter "odd"]\nclean = tr a b\n')
    (project.root / "a.txt").write_bytes(b"a\r\na\n")
    tasks(project, "- [ ] First {#first}\n", '[tasks.first]\nsteps = [{run = "echo new > a.txt"}]\n')
    project.run("run", "tasks.md")
    project.run("restore", "first", "--before")
    assert (project.root / "a.txt").read_bytes() == b"a\r\na\n"


def test_tasks_at_once_have_their_own_changes(project: Project) -> None:
    """By what they touch, and by what they tell; what nobody else can have done is whose time it was."""
    items = (
        '- [ ] One {#one touches="one/**"}\n- [ ] Two {#two touches="two/**"}\n'
        '- [ ] Three {#three touches="three/**"}\n'
    )
    until = "until {}; do sleep 0.02; done"
    both, first_is_over = (
        until.format(seen)
        for seen in (
            "test -f two/x && test -f three/x",
            "grep -q task_completed .aca/sessions/*/journal.jsonl",
        )
    )
    script = f"""
        [tasks.one]
        steps = [{{run = "mkdir one; echo 1 > one/x; {both}"}}, {{write = "told.txt", content = "told"}}]
        [tasks.two]
        steps = [{{run = "mkdir two; echo 2 > two/x; {first_is_over}; echo 3 > two/y"}}]
        [tasks.three]
        steps = [{{run = "mkdir three; echo 4 > three/x; {first_is_over}"}}]
        """
    tasks(project, items, script)
    project.run("run", "tasks.md", "-j", "3", "--workspace-mode", "inplace")
    assert sorted(changes(project)) == [
        ("one", "one/x", "created"),
        ("one", "told.txt", "created"),
        ("three", "three/x", "created"),
        ("two", "two/x", "created"),
        ("two", "two/y", "created"),
    ]
    shown = project.run("show", "one", "--diff").stdout
    assert "told" in shown
    assert "two/" not in shown


def test_what_git_ignores_or_tools_make_anew_or_is_large_is_left_out(place: Project) -> None:
    """What an agent has told of it is said all the same, and what is too large is named."""
    script = """
        [tasks.first]
        steps = [{write = "run.log", content = "log"}, {run = "mkdir -p build node_modules/x nested"},
                 {run = "echo 1 > build/o; echo 1 > node_modules/x/y; git init -q nested; echo 1 > nested/z"},
                 {run = "head -c 11000000 /dev/zero > large.bin; echo 1 > small.txt"}]
        """
    tasks(place, "- [ ] First {#first}\n", script)
    place.run("run", "tasks.md")
    assert changes(place) == [("first", "small.txt", "created"), ("first", "run.log", "created")]
    told = json.loads((place.session().path / "file_changes" / "left_out.json").read_text())
    reasons = {one["path"]: one["reason"] for one in told}
    assert reasons == {
        "large.bin": "11,000,000 bytes are more than 10,485,760",
        "nested/": "it is a git repository of its own",
        "node_modules/": "tools make it anew",
    }


def test_names_links_and_modes_of_every_kind_are_kept(place: Project) -> None:
    """A file that became a directory or got another name, one that is not to be read, half a character."""
    run = """
      mkdir "dir ü"; echo 1 > "dir ü/日本 \\"x\\".txt"; echo 1 > "$(printf 'two\\nlines')"; echo 1 > ./-n
      echo 1 > "$(printf 'half\\377')"; ln -s nowhere dangling; rm a.txt; mkdir a.txt; echo y > a.txt/y
      printf '#!/bin/sh\\n' > run.sh; chmod +x run.sh; mkfifo pipe; echo 1 > :magic; mv mine.txt yours.txt
    """
    tasks(place, "- [ ] First {#first}\n", f"[tasks.first]\nsteps = [{{run = '''{run}''', must = true}}]\n")
    place.run("run", "tasks.md")
    assert {("first", "mine.txt", "deleted"), ("first", "yours.txt", "created")} < {*changes(place)}
    patch = place.session().path / "file_changes/snapshots/first/1.patch"
    assert b"rename from mine.txt" in patch.read_bytes()
    place.run("restore", "first", "--before")
    assert (place.read("a.txt"), (place.root / "run.sh").exists()) == ("zero\n", False)
    assert (place.read("mine.txt"), (place.root / "yours.txt").exists()) == ("mine\n", False)
    place.run("restore", "first")
    assert os.access(place.root / "run.sh", os.X_OK)
    assert (place.root / "dangling").readlink() == Path("nowhere")
    assert place.read('dir ü/日本 "x".txt') == "1\n"
    assert place.read("a.txt/y") == "y\n"
    assert (place.root / os.fsdecode(b"half\xff")).exists()
    assert (place.root / ":magic").exists()


def test_failed_and_killed_attempts_are_kept_too(project: Project) -> None:
    """What was half done when aca was killed is in git before anybody goes on with it."""
    script = """
        [tasks.first]
        steps = [{write = "a.txt", content = "bad\\n", attempt = 1}, {fail = "not good", attempt = 1},
                 {write = "a.txt", content = "half\\n", attempt = 2}, {hang = true, attempt = 2},
                 {write = "a.txt", content = "good\\n", attempt = 3}]
        """
    project.write({"a.txt": "zero\n"})
    tasks(project, "- [ ] First {#first retry_delay=0}\n", script)
    running = project.start("run", "tasks.md")
    running.until(lambda: project.read("a.txt") == "half\n")
    running.kill()
    project.run("resume")
    for attempt, text in (("1", "bad\n"), ("2", "half\n"), ("3", "good\n")):
        project.run("restore", "first", attempt)
        assert project.read("a.txt") == text
    project.run("restore", "first", "2", "--before")
    assert project.read("a.txt") == "bad\n"


def test_nothing_is_kept_where_the_plan_says_so(place: Project) -> None:
    """What agents tell is believed then, as before; nothing is written to any repository."""
    tasks(place, THREE, SCRIPT, settings="workspace: {snapshots: no}\n")
    place.run("run", "tasks.md")
    assert ("first", "a.txt", "modified") in changes(place)
    assert 'nothing is kept of "first"' in place.run("show", "first", "--diff", expect=2).stderr
    assert not (place.root / ".aca" / "files.git").exists()


def test_where_git_is_missing_tasks_work_all_the_same(project: Project, tmp_path: Path) -> None:
    """``aca doctor`` says what is lost."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "true"):
        (tools / name).symlink_to(f"/bin/{name}")
    tasks(project, "- [ ] First {#first}\n", '[tasks.first]\nsteps = [{write = "a.txt", content = "a"}]\n')
    project.run("run", "tasks.md", env={"PATH": str(tools)})
    assert changes(project) == [("first", "a.txt", "created")]
    told = project.run("doctor", env={"PATH": str(tools)}, expect=None).stdout
    assert "nothing that tasks change can be shown, restored or rolled back" in told


def test_a_task_that_changes_nothing_has_nothing_kept(project: Project) -> None:
    """Nor one that writes what was there, or whose output goes into the workspace itself."""
    project.write(
        {"a.txt": "a", "tasks.md": "- [ ] One {#one run='touch a.txt'}\n- [ ] Two {#two run=true}\n"}
    )
    with (project.root / "out.txt").open("w") as out:
        argv = project.argv("run", "tasks.md")
        subprocess.run(argv, cwd=project.root, env=project.env(), stdout=out, stderr=out, check=True)
    assert changes(project) == []
    assert not any((project.session().path / "file_changes" / "snapshots").iterdir())


def test_cleaning_up_takes_what_was_kept_in_place(place: Project) -> None:
    """Only with force where replaced files are kept; aca's own repository goes with the last session."""
    tasks(place, THREE, SCRIPT)
    place.run("run", "tasks.md")
    place.run("restore", "first")
    told = place.run("gc", "--older-than", "0s").stdout
    assert "kept, needs --force: it keeps files that were replaced" in told
    place.run("gc", "--older-than", "0s", "--force")
    assert place.sessions() == []
    assert not (place.root / ".aca" / "files.git").exists()
    if users(place):
        assert git(place, "for-each-ref", "--format=%(refname)", "refs/aca/") == ""


def test_the_past_of_a_fork_outlives_the_session_it_comes_from(place: Project) -> None:
    """What its tasks changed can still be shown."""
    tasks(place, THREE, SCRIPT)
    place.run("run", "tasks.md")
    place.run("resume", "second", "--roll-back")
    old, new = place.sessions()
    shutil.rmtree(old.path)
    assert "+one" in place.run("show", "first", "--diff", "--session", new.id).stdout


def test_files_that_conflict_in_the_users_index_stay_so(project: Project) -> None:
    """A merge that the user is in the middle of is none of aca's business."""
    repository(project, {"a.txt": "1\n", ".gitignore": IGNORED})
    git(project, "checkout", "--quiet", "-b", "other")
    project.write({"a.txt": "2\n"})
    commit(project, "other")
    git(project, "checkout", "--quiet", "main")
    project.write({"a.txt": "3\n"})
    commit(project, "mine")
    with pytest.raises(AssertionError):
        git(project, "merge", "--quiet", "other")
    before = users(project)
    tasks(project, "- [ ] First {#first}\n", '[tasks.first]\nsteps = [{write = "b.txt", content = "b"}]\n')
    project.run("run", "tasks.md")
    assert changes(project) == [("first", "b.txt", "created")]
    assert users(project) == before


def test_a_look_is_in_a_thread_where_the_one_before_was_slow() -> None:
    """To hand it over costs more than to look at a few files; a large workspace must hold nobody up."""

    def look(seconds: float) -> bool:
        time.sleep(seconds)
        return threading.current_thread() is threading.main_thread()

    async def all_of_them() -> list[bool]:
        looking = Looking()
        return [await looking(partial(look, seconds)) for seconds in (0.0, 2 * QUICK, 0.0, 0.0)]

    assert asyncio.run(all_of_them()) == [True, True, False, True]
