"""Agents in containers: programs that are in the image, and models behind APIs whose tools run there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aca.core import events as ev
from tests.containers import PROXY, SETTINGS, contained, engine, gateway, networks, ours, with_proxy
from tests.model_server import Hang, ModelServer, text, tool
from tests.project import Project
from tests.real_parts import claude
from tests.workspaces.checkout import merged, repository

__all__ = ["contained"]
REACH = "echo spoilt >/repos/README; bash -c 'echo >/dev/tcp/{}/{}' && echo got around"
KEY = "sk-ant-a-key-of-somebody"


@pytest.fixture
def gated() -> Iterator[ModelServer]:
    """A model that containers can reach if they are let."""
    engine()
    with_proxy()
    with ModelServer(gateway()) as one:
        yield one


def settings(front: str = "", mounts: str = "", network: str = "network_mode: host") -> str:
    return f"---\n{SETTINGS.removesuffix(']')}{mounts}], {network}}}\n{front}---\n"


def test_claude_in_a_container_goes_on_in_its_conversation(contained: Project, gated: ModelServer) -> None:
    """It reaches nothing but its model. Killed with aca in the middle, it goes on, and its work is merged."""
    server, program = gated, f", '{claude().resolve()}:/opt/claude'"
    front = "provider: claude-cli\nproviders: {claude-cli: {command: /opt/claude, allowed_tools: [Bash]}}\n"
    network = f"proxy_image: '{PROXY}', allow_hosts: ['{server.host}']"
    items = '- [ ] Greet {#greet check="grep -q HELLO greeting.txt"}\n'
    repository(contained, {".gitignore": "tasks.md\n.aca\n", "README": "a project\n"})
    contained.write({"tasks.md": settings(front, program, network) + items})
    env = {
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": server.url("work"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "XDG_STATE_HOME": str(contained.home / "state"),
    }
    greeting = "/workspace/greeting.txt"
    server.script(
        "work",
        [tool("Write", file_path=greeting, content="hello\n")],
        [tool("Bash", command=REACH.format(*server.host.split(":")), description="look around")],
        Hang(),
        [tool("Read", file_path=greeting)],
        [tool("Write", file_path=greeting, content="HELLO\n")],
        [text("Louder now.")],
    )
    running = contained.start("--task-file", "tasks.md", "--workspace-mode", "worktree", env=env)
    running.until(lambda: len(server.requests) == 3)
    assert KEY not in str([container.attrs for container in ours(contained)])
    running.kill()
    outcome = contained.run("resume", env=env)
    assert "removed what an earlier aca left behind: container aca-" in outcome.stderr
    seen = str(server.requests[2].body["messages"][-1])
    assert "Read-only file system" in seen
    assert "got around" not in seen
    assert len(server.requests[3].body["messages"]) > 4
    assert merged(contained, "greeting.txt") == "HELLO"
    assert contained.read("README") == "a project\n"
    told = [one.conversation for one in contained.journal() if isinstance(one, ev.ConversationStarted)]
    assert len(set(told)) == 1
    assert {one.path for one in contained.session().state().states["greet"].files} == {"greeting.txt"}
    assert (ours(contained), networks(contained)) == ([], [])


DECLARED = """\
[providers.mine]
kind = "cli"
command = ["sh", "agent.sh", "{prompt_file}"]
needs_env = ["MY_TOKEN"]
permissions = {workspace-write = []}
output = "text"
"""


def test_a_program_of_ones_own_finds_its_prompt_and_its_key(contained: Project) -> None:
    """The prompt is where it is told; the key it declares to need reaches it, and not the checks."""
    agent = 'grep -c "Say it" "$1" >said; echo $MY_TOKEN | tr a-z A-Z >key; pwd >place; echo said'
    contained.write({"agent.sh": agent, "aca.toml": f'provider = "mine"\n{DECLARED}'})
    check = 'test -z \\"$MY_TOKEN\\" && test -s said'
    contained.write({"tasks.md": settings() + f'- [ ] Say it {{#say check="{check}"}}\n'})
    contained.run("--task-file", "tasks.md", env={"MY_TOKEN": "a-long-secret"})
    assert (contained.read("key"), contained.read("place")) == ("A-LONG-SECRET\n", "/workspace\n")


def test_the_tools_of_a_model_work_in_the_container(contained: Project, server: ModelServer) -> None:
    """Commands run there; files are called as they are called there, and nothing outside is read.

    What is protected can be read, and neither written to nor moved away.
    """
    server.script(
        "work",
        [
            tool(
                "run",
                command="cat .env; echo x >>.env; mv .env gone; echo x >sub/a.key; echo y >sub/b; ls -A",
            )
        ],
        [tool("run", command="pwd; echo made >made.txt; cat /repos/tasks.md | wc -l")],
        [tool("read", path="/workspace/made.txt")],
        [tool("read", path="/etc/passwd")],
        [tool("list", glob="*.txt")],
        [tool("finish", result="Done.")],
    )
    front = "provider: anthropic\n"
    contained.write({"tasks.md": settings(front) + '- [ ] Look {#look check="test -s made.txt"}\n'})
    contained.write({".env": "A=1", "sub/a.key": "key"})
    env = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url("work")}
    contained.run("--task-file", "tasks.md", env=env)
    spied, *said = [str(request.body["messages"][-1]) for request in server.requests[1:]]
    assert "A=1" in spied
    assert spied.count("Read-only file system") == 2
    assert "busy" in spied
    assert (contained.read(".env"), contained.read("sub/a.key")) == ("A=1", "key")
    assert contained.read("sub/b") == "y\n"
    assert "/workspace" in said[0]
    assert "made" in said[1]
    assert "outside the workspace" in said[2]
    assert "made.txt" in said[3]
