"""Tasks in containers of a real engine: what they see, what they cannot do, and what is left of them."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from aca.core import events as ev
from tests.containers import (
    IMAGE,
    PROXY,
    SETTINGS,
    Relay,
    contained,
    engine,
    gateway,
    listening,
    networks,
    ours,
    with_proxy,
)
from tests.project import Project
from tests.workspaces.checkout import git, merged, repository

__all__ = ["contained"]


def tasks(project: Project, text: str, settings: str = "", front: str = "") -> None:
    """``tasks.md`` whose tasks work in containers, with more *settings* of these, and more *front* matter."""
    project.write({"tasks.md": f"---\n{SETTINGS}{settings}}}\n{front}---\n{text}"})


SPY = """\
    for path in /repos/x .git/hooks/pre-commit .git/config .aca/x /repos/.aca/x /git/x /etc/x; do
        (echo x >>$path) 2>/dev/null && echo "wrote $path"
    done
    echo .aca/* /repos/.aca/*
    ln -s /repos/app link; (echo x >link/evil) 2>/dev/null && echo "wrote through a link"
    git log --format=%s
    git -c user.name=a -c user.email=b commit --quiet --allow-empty -m no 2>/dev/null || echo no commit
    echo $HOME $PWD $ACA_TASK $PASSED [$KEPT_BACK]
    python3 app/main.py >/workspace/made.txt
    echo said >&2
    """


def test_a_task_sees_what_is_its_own_and_changes_nothing_else(contained: Project) -> None:
    """Neither the repository, git's directories nor aca's record can be written to, not even in place."""
    repository(contained, {".gitignore": "tasks.md\n.aca\n", "app/main.py": "print('here')\n"})
    contained.write({"spy.sh": SPY})
    before = git(contained, "rev-parse", "HEAD"), contained.read(".git/config")
    tasks(contained, '- [ ] Look around {#look run="sh spy.sh"}\n', ", read_only: true, env: PASSED")
    contained.run("--task-file", "tasks.md", env={"PASSED": "yes", "KEPT_BACK": "no"})
    log = contained.session().task_logs / "look" / "1.output.log"
    told = [".aca/* /repos/.aca/*", "first", "no commit", "/session /workspace look yes []", "said"]
    assert log.read_text().splitlines() == told
    assert contained.read("made.txt") == "here\n"
    assert (git(contained, "rev-parse", "HEAD"), contained.read(".git/config")) == before
    assert ours(contained) == []


def test_limits_are_what_the_engine_has_and_three_containers_overlap(contained: Project) -> None:
    """Their sizes follow the complexity of the tasks; each waits until all of them are there."""
    sizes = "sizes: {simple: {memory_limit: 64m}, complex: {memory_limit: 256m, cpu_limit: 1.5}}"
    settings = (
        f", cpu_limit: 0.5, memory_limit: 128m, pids_limit: 99, network_mode: none, read_only: true, {sizes}"
    )
    wait = "touch $ACA_TASK.here; until test -e go; do sleep 0.05; done"
    names = {"small": 1, "middle": 5, "large": 9}
    items = "".join(f'- [ ] {name} {{run="{wait}" complexity={size}}}\n' for name, size in names.items())
    tasks(contained, items, settings)
    running = contained.start("--task-file", "tasks.md", "-j", "3")
    running.until(lambda: len(list(contained.root.glob("*.here"))) == 3)
    found = {one.labels["aca.task"]: one.attrs for one in ours(contained)}
    (contained.root / "go").touch()
    running.finish(expect=0)
    host = {name: attrs["HostConfig"] for name, attrs in found.items()}
    assert {name: one["Memory"] >> 20 for name, one in host.items()} == {
        "small": 64,
        "middle": 128,
        "large": 256,
    }
    assert {name: one["NanoCpus"] / 1e9 for name, one in host.items()} == {
        "small": 0.5,
        "middle": 0.5,
        "large": 1.5,
    }
    for one in host.values():
        assert (one["PidsLimit"], one["NetworkMode"], one["ReadonlyRootfs"]) == (99, "none", True)
        assert (one["CapDrop"], one["MemorySwap"]) == (["ALL"], one["Memory"])
    [ended] = [
        one for one in contained.journal() if isinstance(one, ev.TaskCompleted) and one.task == "small"
    ]
    assert ended.container is not None
    assert ended.container.peak_memory
    assert ended.container.cpu_seconds is not None
    shown = contained.run("plan", "show", "tasks.md").stdout
    assert "aca-test/host, 1.5 cpus, 256 MB, network none, read-only" in shown


def test_what_uses_up_its_memory_fails_for_that_reason(contained: Project) -> None:
    """Though the engine tells it of no container whose first process lives on."""
    program = "python3 -c 'bytearray(200 << 20)'"
    tasks(contained, f'- [ ] Take all {{#all run="{program}"}}\n', ", memory_limit: 32m")
    contained.run("--task-file", "tasks.md", expect=1)
    assert "out of memory: limit 32 MB" in contained.run("show", "all").stdout


def test_a_time_limit_reaches_what_runs_in_the_container(contained: Project) -> None:
    """It is interrupted, terminated and killed; what a task leaves running ends with it."""
    stubborn = "trap 'echo INT >>heard' INT; trap 'echo TERM >>heard' TERM; while :; do sleep 0.05; done"
    contained.write({"stubborn.sh": stubborn})
    leaves = "(while :; do date >tick; sleep 0.05; done) & until test -e tick; do sleep 0.05; done"
    items = f'1. Leave something {{#leaves run="{leaves}"}}\n'
    items += '2. Look {#look run="rm tick; sleep 0.3; test ! -e tick"}\n'
    items += '3. Never end {#never run="sh stubborn.sh" timeout=1}\n'
    tasks(contained, items)
    running = contained.start("--task-file", "tasks.md", "--keep-going")
    running.until(lambda: (contained.root / "heard").exists())
    running.signal(signal.SIGINT)
    running.signal(signal.SIGINT)
    running.finish(expect=130)
    assert contained.read("heard").splitlines()[0] == "INT"
    assert ours(contained) == []


def test_no_network_and_an_allow_list_cannot_be_got_around(contained: Project) -> None:
    """What is on the list is reached through the proxy; nothing else, and nothing directly."""
    with_proxy()
    ask = """\
        import os, socket, sys, urllib.request
        def directly(host, port):
            try:
                return socket.create_connection((host, port), 2).close() or "reached"
            except OSError:
                return "cut off"
        def asked(url):
            try:
                return urllib.request.urlopen(url, timeout=5).read().decode()
            except OSError as error:
                return getattr(error, "code", "cut off")
        host, listed, other = sys.argv[1], *map(int, sys.argv[2:])
        print(asked(f"http://{host}:{listed}/"), asked(f"http://{host}:{other}/"))
        os.environ.clear()
        proxies = urllib.request.ProxyHandler({})
        urllib.request.install_opener(urllib.request.build_opener(proxies))
        print(directly(host, listed), directly(host, other), directly("1.1.1.1", 53))
        """
    contained.write({"ask.py": ask})
    with listening(gateway()) as (listed, heard), listening(gateway()) as (other, unheard):
        run = f"python3 ask.py {gateway()} {listed} {other}"
        for name, settings in {
            "allow": f", allow_hosts: ['{gateway()}:{listed}'], proxy_image: '{PROXY}'",
            "none": ", network_mode: none",
        }.items():
            tasks(contained, f'- [ ] Ask {{#{name} run="{run}"}}\n', settings)
            contained.run("--task-file", "tasks.md")
        said = [
            (one.task_logs / name / "1.output.log").read_text().splitlines()
            for one, name in zip(contained.sessions(), ("allow", "none"), strict=True)
        ]
    assert said == [["heard 403", "cut off cut off cut off"], ["cut off cut off", "cut off cut off cut off"]]
    assert (len(heard), unheard) == (1, [])
    assert (ours(contained), networks(contained)) == ([], [])


def test_work_in_worktrees_and_containers_is_merged(contained: Project) -> None:
    """Checks, setup and merged work are looked at in containers too; one task does without."""
    repository(contained, {".gitignore": "tasks.md\nreplay.toml\n.aca\n", "shared.txt": "start\n"})
    project = contained
    project.write(
        {
            "replay.toml": """
        [tasks.one]
        steps = [{run = "git diff --stat; echo one >one.txt; cat /proc/1/cmdline | tr '\\\\0' ' ' >where"}]
        [tasks.two]
        steps = [{write = "two.txt", content = "two"}]
        """
        }
    )
    inside = "test $PWD = /workspace"
    items = f'- [ ] One {{#one check="{inside}"}}\n- [ ] Two {{#two docker=false check="! {inside}"}}\n'
    front = "provider: replay\nproviders: {replay: {script: replay.toml}}\nmax_concurrent_tasks: 2\n"
    front += "workspace: {setup: 'echo $PWD >setup.log', checks: 'test -s setup.log'}\n"
    tasks(project, items, front=front)
    project.run("--task-file", "tasks.md", "--workspace-mode", "worktree")
    assert (merged(project, "one.txt"), merged(project, "two.txt")) == ("one", "two")
    assert "while :" in merged(project, "where")
    assert ours(project) == []


WRONG = {
    "image: no-such/image": "no-such/image is not here, and cannot be pulled",
    "image: aca-test/host": "it needs a /bin/sh that runs",
    "image: aca-test/host, mounts: '/no/such:/x'": "there is no /no/such",
    "build: nowhere": "there is no",
    "enabled: true": "containers need an image",
    SETTINGS.partition("{")[2]: "claude-of-mine, for claude-cli, is not in the image",
}


@pytest.mark.parametrize("settings", WRONG)
def test_what_is_missing_is_named_before_anything_runs(contained: Project, settings: str) -> None:
    """With the cure, and no session is begun."""
    front = f"docker: {{{settings}}}\nproviders: {{claude-cli: {{command: claude-of-mine}}}}\n"
    contained.write({"tasks.md": f"---\n{front}---\n- [ ] Do it {{provider=claude-cli}}\n"})
    assert WRONG[settings] in contained.run("--task-file", "tasks.md", expect=2).stderr
    assert contained.sessions() == []


def test_an_image_that_has_moved_since_the_plan_was_made_is_drift(contained: Project) -> None:
    """It is named, and nothing is run; whoever wants it all the same says so."""
    name = f"aca-test/moves-{contained.root.parent.name}"
    host = engine().images.get(IMAGE)
    host.tag(name)
    try:
        text = f"---\n{SETTINGS.replace(IMAGE, name)}}}\n---\n- [ ] Do it {{run=true}}\n"
        contained.write({"tasks.md": text})
        contained.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
        tools = json.loads(contained.read("plan.json"))["contract"]["tools"]
        assert tools[f"image {name}"] == host.id
        container = engine().containers.create(IMAGE, "true")
        moved = container.commit(name, "latest")
        container.remove()
        told = contained.run("run", "plan.json", expect=6).stderr
        assert f"image {name} {moved.id} instead of {host.id}" in told
        assert contained.sessions() == []
        contained.run("run", "plan.json", "--allow-drift", "tools")
    finally:
        engine().images.remove(name, force=True)


def test_an_engine_that_is_not_there_is_a_fault_of_the_machine(project: Project) -> None:
    """Told with the cure by a run, a dry run and the doctor; and nothing is lost when it goes away later."""
    project.write({"tasks.md": "---\ndocker: {image: any}\n---\n- [ ] Do it {run=true}\n"})
    gone = {"DOCKER_HOST": f"unix://{project.root}/no.sock"}
    assert "no Docker engine answers" in project.run("--task-file", "tasks.md", env=gone, expect=7).stderr
    assert "no Docker engine answers" in project.run("--task-file", "tasks.md", "--dry-run", env=gone).stderr
    assert "no Docker engine answers" in project.run("doctor", env=gone, expect=None).stdout
    far = {"DOCKER_HOST": "tcp://far.example:2376"}
    assert "would not see the files here" in project.run("--task-file", "tasks.md", env=far, expect=7).stderr
    assert project.run("--task-file", "tasks.md", "--no-docker", env=gone).code == 0


def test_an_image_is_built_from_the_dockerfile_that_is_here(contained: Project) -> None:
    """``--docker`` alone is enough then; what is built carries our label."""
    contained.write({
        "Dockerfile": "FROM aca-test/host\nENV FROM_IMAGE=yes\n",
        "aca.toml": "[docker]\nmounts = ['/usr:/usr', '/etc/alternatives:/etc/alternatives']\n",
        "tasks.md": '- [ ] Do it {run="test $FROM_IMAGE = yes"}\n',
    })  # fmt: skip
    contained.run("--task-file", "tasks.md", "--docker")
    images: Any = engine().images.list(filters={"label": f"aca={contained.root}"})
    assert len(images) == 1
    engine().images.remove(images[0].id, force=True)


def test_an_engine_that_goes_away_ends_the_run_resumably(contained: Project) -> None:
    """What ran is not blamed for it; with the engine back, what is left of it is removed and it goes on."""
    relay = Relay(contained.home / "engine.sock")
    tasks(contained, '- [ ] Wait {#wait run="touch begun; until test -e go; do sleep 0.05; done"}\n')
    running = contained.start("--task-file", "tasks.md", env={"DOCKER_HOST": relay.address})
    running.until(lambda: (contained.root / "begun").exists())
    relay.cut()
    assert "Docker engine has gone away" in running.finish(expect=7).stderr
    assert len(ours(contained)) == 1
    (contained.root / "go").touch()
    assert "removed what an earlier aca left behind" in contained.run("resume").stderr
    assert contained.session().state().states["wait"].status == "completed"
    assert ours(contained) == []
