"""Twenty agents at once, some of whose work does not fit together: what is merged is never red."""

from __future__ import annotations

import json
from pathlib import Path

from tests.project import Project
from tests.workspaces.checkout import git, repository, seen, tasks, users, worktrees

CHECK = "for name in $(cat uses/*); do grep -qx $name api || exit 1; done; ! grep '^[<=>]' shared.txt"
"""Whatever is used is there, and nobody has left a conflict."""
FILES = {"api": "price\n", "uses/base": "price\n", "shared.txt": "one\ntwo\nthree\n", "check.sh": CHECK}
MENDS = "grep -qx cost api && echo cost > uses/$ACA_TASK || true"
KEEPS_BOTH = "sed -i '/^[<=>]/d' shared.txt"


def steps(project: Project) -> dict[str, list[str]]:
    """Task -> what it does at its first attempt, and at every one. All have begun before any is merged."""
    began = project.root.parent / "began"
    began.mkdir()
    everybody = f"until test $(ls {began} | wc -l) = 20; do sleep 0.05; done"
    counts = (
        f"find {project.root}/.git/objects -type f | wc -l > {began}.aside; mv {began}.aside {began}.objects"
    )
    go = f"until test -f {began}.objects; do sleep 0.05; done"
    done = f"grep -qs 'task_completed.*\"{{}}\"' {project.root}/.aca/sessions/*/journal.jsonl"
    after = f"until {done}; do sleep 0.05; done"
    renamed, edited = after.format("rename"), after.format("edit")
    mine = 'sed -i "s/two/two by $ACA_TASK/" shared.txt'
    does = {
        "rename": [f"{everybody}; {counts}; sed -i s/price/cost/ api uses/*"],
        "edit": [f"{go}; {mine}"],
        **{f"use{number}": [f"{renamed}; echo price > uses/$ACA_TASK", MENDS] for number in range(2)},
        "use-price": [renamed, "echo price > uses/$ACA_TASK"],
        **{f"edit{number}": [f"{edited}; {mine}", KEEPS_BOTH] for number in range(2)},
        "leave-it": [f"{edited}; {mine}"],
        "broken": [go, "echo nothing > uses/$ACA_TASK"],
        **{f"own{number}": [f"{go}; echo $ACA_TASK > $ACA_TASK"] for number in range(11)},
    }
    return {name: [f"touch {began}/$ACA_TASK; {first}", *always] for name, (first, *always) in does.items()}


def test_twenty_at_once_are_merged_or_named_and_never_red(project: Project) -> None:
    """Conflicts in the text and in the meaning: those that can be mended are, the others name the culprit."""
    repository(project, {**FILES, ".gitignore": "tasks.md\nreplay.toml\n"})
    does = steps(project)
    assert len(does) == 20
    script = "".join(
        f"[tasks.{name}]\nsteps = [{{run = {json.dumps(first)}, attempt = 1}}, "
        + ", ".join(f"{{run = {json.dumps(line)}}}" for line in always)
        + "]\n"
        for name, (first, *always) in does.items()
    )
    items = "".join(f"- [ ] {name} {{#{name}}}\n" for name in does)
    settings = "sandbox: {mode: off}\nworkspace: {checks: [sh check.sh]}\n"
    tasks(project, items, script, settings=settings)
    (project.root / "api").touch()  # git would note that it is the same, if it were let
    before, mine = seen(project), users(project)
    objects = sum(path.is_file() for path in (project.root / ".git" / "objects").rglob("*"))
    project.run("run", "tasks.md", "-j", "20", expect=4)
    assert (seen(project), users(project)) == (before, mine)
    assert {Path(path).name for path in worktrees(project)} == {"use-price", "leave-it", "broken"}
    assert int((project.root.parent / "began.objects").read_text()) == objects

    one = project.session()
    states = one.state().states
    blocked = {name: now.reason for name, now in states.items() if now.status != "completed"}
    assert blocked.pop("leave-it").startswith(
        'conflict markers are left in "shared.txt", in conflict with the work of "edit"'
    )
    assert blocked == {
        "use-price": '"sh check.sh" failed on the merged result with the work of "rename"',
        "broken": '"sh check.sh" failed on the merged result, as it does without the work of others',
    }
    clone = project.root.parent / "clone"
    git(project, "clone", "--quiet", "--no-checkout", ".", str(clone))
    alone = f"refs/aca/{one.id}/use-price/1"
    git(project, "fetch", "--quiet", "origin", alone, cwd=clone)
    commits = git(project, "rev-list", f"main..aca/{one.id}").split()
    assert len(commits) == 17
    each = " ".join([*commits, "FETCH_HEAD"])
    red = f"for each in {each}; do git checkout -q $each; sh check.sh || echo $each; done"
    assert git(project, "-c", f"alias.red=!{red}", "red", cwd=clone) == ""
    git(project, "checkout", "--quiet", f"origin/aca/{one.id}", cwd=clone)
    assert (clone / "api").read_text() == "cost\n"
    assert {path.name for path in clone.glob("own*")} == {f"own{number}" for number in range(11)}
    assert {path.name for path in (clone / "uses").iterdir()} == {"base", "use0", "use1"}
    assert sorted((clone / "shared.txt").read_text().split("\n"))[1:] == [
        "one", "three", "two by edit", "two by edit0", "two by edit1",
    ]  # fmt: skip
