"""Permissions, protected files and commands, and what a repository says to agents: from the command line."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aca.safety.guard import Guard
from aca.safety.protection import Protection
from tests.containers import SETTINGS, contained
from tests.model_server import ModelServer, text, tool
from tests.project import Outcome, Project
from tests.real_parts import CLAUDES, claude, claude_environment, codex, codex_environment, sandbox
from tests.workspaces.checkout import git, merged, repository, tasks

__all__ = ["contained"]
AGENT = """\
#!/bin/sh
cat > prompt.txt 2>/dev/null
{does}
echo done
"""
DECLARED = """\
provider = "mine"
retries = 0
[providers.mine]
kind = "cli"
command = ["{program}"]
output = "text"
permissions = {{read-only = [], workspace-write = [], full = []}}
"""
ATTACKS = {
    "an absolute path": "echo x > {outside}/victim",
    "a path with ..": "echo x > $(realpath -m --relative-to=. {outside})/victim",
    "a new file beside it": "echo x > {outside}/new",
    "a link that leads out": "ln -s {outside} out && echo x > out/victim",
    "a hard link": "ln {outside}/victim hard && echo x > hard",
    "git elsewhere": "git -C {outside}/repo commit --allow-empty -m x",
    "git's settings": "echo x >> {git}/config",
    "git's settings, by git": "git config core.hooksPath /x",
    "a hook": "echo x > {git}/hooks/pre-commit",
    "a hook in a moved directory": "mv {git} {git}2 && mkdir {git}",
    "aca's record": "echo x >> {aca}/journal.jsonl",
    "aca's plan": "echo x > {aca}/plan.json",
    "another's process": "kill -9 {victim}",
    "the user's shell": "echo x >> {home}/.profile",
    "who runs commands outside": "python3 -c 'import socket; socket.socket(1).connect(\"{socket}\")'",
    "an engine of containers": "python3 -c 'import socket; socket.socket(1).connect(\"{engine}\")'",
    "settings of a worktree": "echo x >> $(git rev-parse --absolute-git-dir)/config.worktree",
    "what is mounted": "mount -o remount,rw / || umount /proc",
    "a device": "mknod disk b 8 0 && echo x > disk",
}
"""What a hostile agent tries -> how. Each has to fail, and to say so."""
TRUSTED = pytest.mark.parametrize("trusted", [False, True], ids=["distrusted", "trusted"])
MODEL = 'provider = "anthropic"\n[providers.anthropic]\nmodel = "m"\n'


def picture(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def agent(project: Project, does: str) -> None:
    """A program that heeds no permissions at all."""
    program = project.home / "agent"
    program.write_text(AGENT.format(does=does))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    project.write({"aca.toml": DECLARED.format(program=program), "tasks.md": "- [ ] Do it {#do}\n"})


# -- a sandbox around whoever does not keep to its permissions ----------------------------------------------


RIGHTS = ("read-only", "workspace-write", "full")
WRITE = "echo x > $ACA_TASK; cat $ACA_TASK; echo x > {outside}/$ACA_TASK; echo x > {mark}$ACA_TASK; true"
KEEPERS = {
    "mine": ("", "bubblewrap"),
    "replay": ('[providers.replay]\nscript = "replay.toml"\n', "aca's own tools and bubblewrap"),
    "anthropic": ('model = "m"\n', "aca's own tools and bubblewrap"),
    "openai": ('model = "m"\n', "aca's own tools and bubblewrap"),
    "ollama": ('model = "small"\n', "aca's own tools and bubblewrap"),
    "claude-cli": ('[providers.claude-cli]\nallowed_tools = ["Bash"]\n', "claude-cli itself and bubblewrap"),
    "codex-cli": ("", "codex-cli itself"),
}
"""Provider -> settings of its own, and who keeps its agents to less than full permissions."""


def environment(project: Project, server: ModelServer, provider: str) -> dict[str, str]:
    """In which every provider finds its program, and its model at the server."""
    url, programs = server.url("work"), project.home / "bin"
    path = {"PATH": f"{programs}:{os.environ['PATH']}", "IS_SANDBOX": "1"}  # in one, claude lets root do all
    programs.mkdir()
    if provider == "codex-cli":
        (programs / "codex").symlink_to(codex())
        return codex_environment(project.home, url) | path
    if provider == "claude-cli":
        (programs / "claude").symlink_to(claude(CLAUDES[-1]))
    where = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "no-key", "OLLAMA_HOST": url}
    return claude_environment(project.home, url) | path | where


@pytest.mark.parametrize("provider", KEEPERS)
def test_permissions_mean_the_same_for_every_provider(
    project: Project, server: ModelServer, provider: str
) -> None:
    """Read-only writes nothing, workspace-write in the workspace, full anywhere, whoever works."""
    sandbox()
    section, keeper = KEEPERS[provider]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as outside:
        mark = f"/tmp/aca-{Path(outside).name}-"
        line = WRITE.format(outside=outside, mark=mark)
        agent(project, line)
        project.replay(f"[tasks.'*']\nsteps = [{{run = {json.dumps(line)}}}]\n")
        named = {"claude-cli": ("Bash", "command"), "codex-cli": ("exec_command", "cmd")}
        name, key = named.get(provider, ("run", "command"))
        server.script("work", *[[tool(name, **{key: line})], [text("Done.")]] * len(RIGHTS))
        settings = f'provider = "{provider}"\nretries = 0\n{section}'
        declared = DECLARED.format(program=project.home / "agent").partition("[")[2]
        project.write({
            "aca.toml": f"{settings}[{declared}",
            "tasks.md": "".join(f"- [ ] {right} {{permissions={right}}}\n" for right in RIGHTS),
        })  # fmt: skip
        env = environment(project, server, provider)
        told = project.run("run", "tasks.md", "--keep-going", env=env, expect=None).stderr
        assert [right for right in RIGHTS if (project.root / right).exists()] == [*RIGHTS[1:]], told
        assert [path.name for path in Path(outside).iterdir()] == ["full"], told
    if provider != "codex-cli":  # whose sandbox leaves the real /tmp open
        assert [right for right in RIGHTS if Path(mark + right).exists()] == ["full"]
    shown = project.run("plan", "show", "tasks.md", env=env).stdout
    for right in RIGHTS:
        Path(mark + right).unlink(missing_ok=True)
        assert f"{provider}, {right}: kept by {'nobody' if right == 'full' else keeper}" in shown


@contextmanager
def servant(below: Path | None = None) -> Iterator[Path]:
    """The socket of somebody who would start programs, as tmux does: for that its path has to be short."""
    with tempfile.TemporaryDirectory(dir=below) as folder, socket.socket(socket.AF_UNIX) as listening:
        path = Path(folder, "s")
        listening.bind(str(path))
        listening.listen()
        yield path


@pytest.fixture
def servants() -> Iterator[tuple[Path, Path]]:
    """One among temporary files, and one elsewhere, which ``DOCKER_HOST`` names."""
    with servant() as one, servant(Path.cwd()) as engine:
        yield one, engine


@pytest.mark.parametrize("place", ["inplace", "worktree", "container"])
def test_a_hostile_agent_changes_nothing_outside(
    request: pytest.FixtureRequest,
    project: Project,
    server: ModelServer,
    servants: tuple[Path, Path],
    place: str,
) -> None:
    """Whatever it tries is refused with a word of that, and its work is kept all the same.

    In a worktree it is a model behind an API that tries, with the tools of aca.
    """
    is_contained = place == "container"
    request.getfixturevalue("contained") if is_contained else sandbox()
    repository(project, {"a.txt": "1\n", ".gitignore": "tasks.md\nreplay.toml\nout\n"})
    outside = project.root.parent / "outside"
    (outside / "repo").mkdir(parents=True)
    (outside / "victim").write_text("whole\n")
    git(project, "init", "-q", ".", cwd=outside / "repo")
    top = "/repos" if is_contained else project.root
    record = f"{top}/.aca" if is_contained else f"$(ls -d {top}/.aca/sessions/*)"
    names = {"outside": outside, "git": f"{top}/.git", "victim": os.getpid(), "home": project.home,
             "socket": servants[0], "engine": servants[1], "aca": record}  # fmt: skip
    lines = [
        f"({attack.format(**names)}) > said 2>&1 && echo HARM: {name}; grep -q . said || echo SILENT: {name}"
        for name, attack in ATTACKS.items()
        # its own directory, in place: that is found out afterwards
        if not (place == "inplace" and ("moved" in name or "worktree" in name))
    ]
    last = "rm -f said out hard disk; echo 2 > a.txt"
    steps = ", ".join(f"{{run = {json.dumps(line)}}}" for line in [*lines, last])
    server.script("work", [tool("run", command=line) for line in [*lines, last]], [text("Done.")])
    settings = f"retries: 0\n{SETTINGS + '}' if is_contained else ''}\n"
    tasks(project, "- [ ] Harm {#harm}\n", f"[tasks.harm]\nsteps = [{steps}]\n", settings=settings)
    before = picture(outside), (project.root / ".git" / "config").read_bytes()
    mode = "worktree" if is_contained else place
    env = {} if is_contained else {"DOCKER_HOST": f"unix://{servants[1]}"}
    env |= {"ANTHROPIC_BASE_URL": server.url("work"), "ANTHROPIC_API_KEY": "no-key"}
    by = ["--provider", "anthropic", "--model", "m"] if place == "worktree" else []
    project.run("run", "tasks.md", "--workspace-mode", mode, *by, env=env)
    told = "".join(file.read_text() for file in (project.session().task_logs / "harm" / "1").glob("*.log"))
    assert "HARM" not in told, told
    assert "SILENT" not in told, told
    assert (picture(outside), (project.root / ".git" / "config").read_bytes()) == before
    assert not (project.root / ".git" / "hooks" / "pre-commit").exists()
    assert (project.read("a.txt") if place == "inplace" else merged(project, "a.txt")).strip() == "2"


def test_what_an_agent_leaves_for_git_starts_nothing_outside_and_stops_nobody(project: Project) -> None:
    """Filters in settings that git would read, of a repository in the tree too; pipes in place of files."""
    sandbox()
    repository(project, {"a.txt": "1\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    git(project, "config", "extensions.worktreeConfig", "true")
    mark, mine = project.root.parent / "started", "git -c user.name=a -c user.email=a@localhost"
    filtering = f'printf \'[filter "x"]\\n clean = "touch {mark}; cat"\\n\' >>'
    own, attributes = "$(git rev-parse --absolute-git-dir)", "echo '* filter=x' > .gitattributes"
    does = {
        "settings": f"{filtering} {own}/config.worktree; {attributes}; echo 2 > a.txt",
        "nested": f"git init -q sub; cd sub; {attributes}; echo 2 > b; git add -A; {mine} commit -qm x; "
        f"{filtering} .git/config; cd ..; git add sub; touch -d yesterday sub/b",
        "pipes": f"cd {own}; rm HEAD aca-start; mkfifo HEAD aca-start",
    }
    script = "".join(
        f"[tasks.{task}]\nsteps = [{{run = {json.dumps(line)}}}]\n" for task, line in does.items()
    )
    items = "".join(f"- [ ] Do {task} {{#{task}}}\n" for task in does)
    tasks(project, items, script, settings="retries: 0\n")
    project.run("run", "tasks.md", "--workspace-mode", "worktree", "--keep-going", expect=1)
    assert not mark.exists()
    states = project.session().state().states
    assert {task: states[task].status for task in does} == {
        "settings": "completed",
        "nested": "failed",
        "pipes": "failed",
    }


def test_what_an_agent_commits_itself_is_taken_over_and_nothing_else(project: Project) -> None:
    """Its objects come from a directory of its own; the repository's were never in reach."""
    sandbox()
    repository(project, {"a.txt": "1\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    mine = "git -c user.name=a -c user.email=a@localhost"
    objects = project.root / ".git" / "objects"
    does = {
        "own": f"echo 2 > b.txt; git add b.txt; {mine} commit -qm own && git log -1",
        "harm": f"rm -rf {objects}/*; echo x > {objects}/x; git branch mine; echo 3 > c.txt",
    }
    script = "".join(
        f"[tasks.{task}]\nsteps = [{{run = {json.dumps(line)}}}]\n" for task, line in does.items()
    )
    tasks(project, "- [ ] Own {#own}\n- [ ] Harm {#harm}\n", script, settings="retries: 0\n")
    project.run("run", "tasks.md", "--workspace-mode", "worktree")
    assert (merged(project, "b.txt"), merged(project, "c.txt")) == ("2", "3")
    assert "own" in git(project, "log", "--format=%s", f"refs/aca/{project.session().id}/own/1")
    git(project, "fsck", "--strict")
    assert git(project, "branch", "--list", "mine") == ""


def test_a_sandbox_that_is_required_and_missing_is_named(project: Project) -> None:
    """Exit code 2, nothing is run; with auto it is, and doctor says what is lost."""
    agent(project, "")
    tools = project.home / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "env", "git"):
        (tools / name).symlink_to(next(Path(folder) / name for folder in ("/usr/bin", "/bin")))
    env = {"PATH": str(tools)}
    outcome = project.run("run", "tasks.md", "--sandbox", "require", env=env, expect=2)
    assert "a sandbox is required, and bubblewrap is not installed" in outcome.stderr
    assert "apt-get install bubblewrap" in outcome.stderr
    assert project.sessions() == []
    project.run("run", "tasks.md", env=env)
    told = project.run("doctor", env=env).stdout
    assert "note    sandbox: bubblewrap is not installed: agents are kept to their permissions by" in told
    assert (
        "mine, workspace-write: kept by nobody (1 task)"
        in project.run("plan", "show", "tasks.md", env=env).stdout
    )


def test_further_directories_can_be_written_to(project: Project) -> None:
    """Those that the plan names; one that is not there is an error with its line."""
    sandbox()
    agent(project, "echo x > ~/cache/x; echo x > ~/other")
    settings = project.read("aca.toml")
    project.write({"aca.toml": f'{settings}[sandbox]\nwritable = ["~/cache"]\n'})
    outcome = project.run("run", "tasks.md", expect=2)
    assert 'sandbox.writable: there is no "~/cache"' in outcome.stderr
    (project.home / "cache").mkdir()
    project.run("run", "tasks.md")
    assert (project.home / "cache" / "x").exists()
    assert not (project.home / "other").exists()


def test_a_program_that_cannot_write_at_home_is_told_what_to_declare(project: Project) -> None:
    """With its own directory declared it works."""
    sandbox()
    agent(project, "mkdir -p ~/.mine && echo x > ~/.mine/x || exit 1")
    outcome = project.run("run", "tasks.md", expect=1)
    assert 'where they are declared: state = ["~/.agent"]' in outcome.stderr
    project.write({"aca.toml": project.read("aca.toml") + 'state = ["~/.mine"]\n'})
    project.run("run", "tasks.md")
    assert (project.home / ".mine" / "x").exists()


# -- what is protected ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_a_protected_file_that_was_changed_all_the_same_fails_the_attempt(
    project: Project, mode: str
) -> None:
    """In a tree of its own it is put back; the file is named, and so is what would allow it."""
    repository(project, {"a.txt": "1\n", "x.key": "old\n", ".gitignore": "tasks.md\nreplay.toml\n"})
    script = '[tasks.t]\nsteps = [{run = "echo new > x.key; echo new > .env; echo 2 > a.txt"}]\n'
    tasks(project, "- [ ] T {#t}\n", script, settings="retries: 0\n")
    outcome = project.run("run", "tasks.md", "--workspace-mode", "worktree", "--sandbox", mode, expect=1)
    key = "" if mode == "auto" else ", x.key (put back)"
    assert f"the agent changed what is protected: .env (put back){key}; protect.paths says" in outcome.stdout
    kept = git(project, "for-each-ref", "--format=%(refname)", "refs/aca/").splitlines()
    tree = next(ref for ref in kept if ref.endswith("/t/1"))
    assert git(project, "show", f"{tree}:x.key") == "old"
    assert ".env" not in git(project, "ls-tree", "--name-only", tree)
    assert git(project, "show", f"{tree}:a.txt") == "2"


def test_of_a_protected_link_only_the_link_is_watched(tmp_path: Path) -> None:
    """What is behind it, the whole workspace here, goes on changing."""
    (tmp_path / "all.key").symlink_to(".")
    guard = Guard(Protection(), tmp_path)
    (tmp_path / "a.txt").write_text("new\n")
    assert guard.changed() == []


def test_what_is_put_back_is_as_it_was_and_submodules_are_watched(tmp_path: Path) -> None:
    """Content and mode, of a file that was removed too; what is new goes."""
    settings, hook = tmp_path / ".git/modules/lib/x/config", tmp_path / ".git/modules/lib/x/hooks/pre-commit"
    hook.parent.mkdir(parents=True)
    key, new = tmp_path / "x.key", tmp_path / ".env"
    for path, mode in ((settings, 0o644), (hook, 0o755), (key, 0o400)):
        path.write_text("old\n")
        path.chmod(mode)
    guard = Guard(Protection(), tmp_path)
    assert {settings, hook.parent, key} <= {*guard.paths}
    settings.write_text("new\n")
    hook.chmod(0o644)
    key.unlink()
    new.write_text("new\n")
    (tmp_path / ".git/modules/lib/x/index").write_text("nobody minds")
    changed = guard.changed()
    assert changed == [".env", *(str(path.relative_to(tmp_path)) for path in (settings, hook, key))]
    assert all(map(guard.put_back, changed))
    assert (guard.changed(), new.exists()) == ([], False)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (settings, hook, key)] == [0o644, 0o755, 0o400]


def test_a_plan_may_take_a_file_out_of_protection(project: Project) -> None:
    """One that no default has is an error with its line."""
    front = project.replay('[tasks.t]\nsteps = [{write = ".env", content = "A=1"}]\n')
    project.write(
        {"tasks.md": front.replace("---\n", '---\nprotect: {paths: ["!.evn"]}\n', 1) + "- [ ] T {#t}\n"}
    )
    outcome = project.run("run", "tasks.md", expect=2)
    assert 'tasks.md:2: protect.paths: no default is called ".evn"' in outcome.stderr
    assert 'did you mean ".env"' in outcome.stderr
    project.write({"tasks.md": project.read("tasks.md").replace(".evn", ".env")})
    project.run("run", "tasks.md")
    assert project.read(".env") == "A=1"


def test_a_model_is_told_why_and_goes_on(project: Project, server: ModelServer) -> None:
    """Neither the file nor the command is its end: it does the rest, and the checks decide."""
    server.script(
        "work",
        [tool("write", path=".env", content="x")],
        [tool("run", command="git push --force")],
        [tool("run", command="rm -rf ~/x; make deploy")],
        [tool("write", path="a.txt", content="x"), tool("finish", result="Done.")],
    )
    project.write(
        {"aca.toml": f'{MODEL}[protect]\ncommands = ["make deploy"]\n', "tasks.md": "- [ ] T {#t}\n"}
    )
    project.run("run", "tasks.md", env={"ANTHROPIC_BASE_URL": server.url("work"), "ANTHROPIC_API_KEY": "k"})
    told = json.dumps(server.requests[-1].body)
    assert ".env is protected in this project (.env)" in told
    assert "commands of the kind `git push --force` are not run" in told
    assert "commands of the kind `rm -r <outside>` are not run" in told
    assert not (project.root / ".env").exists()


# -- claude -----------------------------------------------------------------------------------------------


def run_claude(project: Project, server: ModelServer, version: str, *flags: str) -> Outcome:
    settings = f'provider = "claude-cli"\n[providers.claude-cli]\ncommand = ["{claude(version)}"]\n'
    project.write({"aca.toml": f'{settings}allowed_tools = ["Bash"]\n', "tasks.md": "- [ ] T {#t}\n"})
    env = claude_environment(project.home, server.url("work"))
    return project.run("run", "tasks.md", *flags, env=env)


@TRUSTED
@pytest.mark.parametrize("version", CLAUDES)
def test_claude_honours_settings_of_the_repository_only_where_they_are_trusted(
    project: Project, server: ModelServer, version: str, trusted: bool
) -> None:
    """Neither hook nor MCP server of a stranger is run, and that is said; CLAUDE.md is read in any case."""
    hook = {"hooks": [{"type": "command", "command": "touch hooked"}]}
    project.write(
        {
            ".claude/settings.json": json.dumps({"hooks": {"SessionStart": [hook]}}),
            ".mcp.json": json.dumps(
                {"mcpServers": {"x": {"command": "sh", "args": ["-c", "touch served; cat"]}}}
            ),
            "CLAUDE.md": "The password is swordfish.\n",
        }
    )
    server.script("work", [text("Done.")])
    outcome = run_claude(project, server, version, *(["--trust-project-config"] if trusted else []))
    assert (project.root / "hooked").exists() == trusted
    assert (project.root / "served").exists() == trusted
    assert ("not honoured by agents: .claude/settings.json, .mcp.json" in outcome.stderr) != trusted
    assert "swordfish" in json.dumps(server.requests[-1].body)


@pytest.mark.parametrize("version", CLAUDES)
def test_claude_is_kept_from_what_is_protected_and_goes_on(
    project: Project, server: ModelServer, version: str
) -> None:
    """By its own rules and by asking aca; it is told why, and a denial of that kind stops no task."""
    server.script(
        "work",
        [tool("Write", file_path=str(project.root / ".env"), content="x")],
        [tool("Bash", command="git push --force", description="push")],
        [tool("Bash", command="echo x > a.txt", description="write")],
        [text("Done.")],
    )
    run_claude(project, server, version)
    told = json.dumps(server.requests[-1].body)
    assert "commands of the kind `git push --force` are not run" in told
    assert not (project.root / ".env").exists()
    assert project.read("a.txt") == "x\n"
