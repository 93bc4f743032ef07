"""The declarations in ``task_examples/providers``, with the real programs and a model on the loopback."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from aca.core import events as ev
from aca.providers.agent_clis.declaration import Declaration
from tests.dialects import Block
from tests.model_server import Failure, Hang, ModelServer, text, tool
from tests.project import Project
from tests.real_parts import gemini, gemini_environment, opencode, opencode_environment

EXAMPLES = Path(__file__).parents[2] / "task_examples" / "providers"
PROGRAMS: dict[str, Callable[[], Path]] = {"gemini": gemini, "opencode": opencode}
ENVIRONMENTS: dict[str, Callable[[Path, str], dict[str, str]]] = {
    "gemini": gemini_environment,
    "opencode": opencode_environment,
}
WRITES: dict[str, Callable[[Path, str], Block]] = {
    "gemini": lambda path, words: tool("write_file", file_path=str(path), content=words),
    "opencode": lambda path, words: tool("write", filePath=str(path), content=words),
}
EDITS: dict[str, Callable[[Path], list[Block]]] = {
    "gemini": lambda path: [
        tool("replace", file_path=str(path), old_string="hello", new_string="HELLO", instruction="louder")
    ],
    "opencode": lambda path: [
        tool("read", filePath=str(path)),
        tool("edit", filePath=str(path), oldString="hello", newString="HELLO"),
    ],
}
MODEL = {"gemini": "gemini-2.5-flash", "opencode": "scripted/small"}
TASKS = """\
1. Write the greeting {#greet check="grep -q hello greeting.txt"}
2. Write the farewell {#leave check="grep -q goodbye farewell.txt"}
3. Make it louder {#louder check="grep -q HELLO greeting.txt"}
"""
every_kind = pytest.mark.parametrize("kind", PROGRAMS)


def prepare(project: Project, server: ModelServer, kind: str) -> Mapping[str, str]:
    """The declaration, as a user copies it; the program is where the tests have it."""
    declared = (EXAMPLES / f"{kind}.toml").read_text().replace(f'["{kind}"', f'["{PROGRAMS[kind]()}"')
    settings = f'provider = "{kind}"\nmodel = "{MODEL[kind]}"\nretries = 0\n'
    project.write({"aca.toml": settings + declared, "tasks.md": TASKS})
    return ENVIRONMENTS[kind](project.home, server.url("work"))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_ready_made_declaration_is_sound_and_named_like_its_file(path: Path) -> None:
    """It can be read, and says how to get the program and what each permission is."""
    ((name, given),) = tomllib.loads(path.read_text())["providers"].items()
    declaration = Declaration.model_validate(given)
    assert name == path.stem
    assert declaration.install
    assert declaration.permissions.keys() == {"read-only", "workspace-write", "full"}
    assert re.match(r"# .*copy this into aca.toml", path.read_text())


@every_kind
def test_three_tasks_are_killed_in_the_middle_and_resumed(project: Project, kind: str) -> None:
    """Task one is done and stays done; task two goes on in the same conversation; all three are verified."""
    write = WRITES[kind]
    with ModelServer() as server:
        env = prepare(project, server, kind)
        server.script("work", [text("A title")], when="title generator")
        edits = ([edit] for edit in EDITS[kind](project.root / "greeting.txt"))
        server.script("work", *edits, [text("Louder now.")], when="Make it louder")
        server.script("work", [write(project.root / "notes.txt", "so far\n")], Hang(),
                      [write(project.root / "farewell.txt", "goodbye\n")], [text("Farewell.")],
                      when="Write the farewell")  # fmt: skip
        server.script("work", [text("I write."), write(project.root / "greeting.txt", "hello\n")],
                      [text("Written.")], when="Write the greeting")  # fmt: skip
        running = project.start("--task-file", "tasks.md", env=env)
        running.until(lambda: (project.root / "notes.txt").exists())
        running.until(lambda: sum("so far" in str(one.body) for one in server.requests) > 0)
        running.kill()
        project.run("resume", env=env)

    assert project.read("greeting.txt") == "HELLO\n"
    assert project.read("farewell.txt") == "goodbye\n"
    greet = project.session().state().states["greet"]
    assert greet.summary == "Written."
    assert greet.usage is not None
    assert (greet.usage.input_tokens, greet.usage.output_tokens, greet.usage.cache_read_tokens) == (
        140,
        40,
        60,
    )
    conversations = {event.conversation for event in project.journal()
                     if isinstance(event, ev.ConversationStarted) and event.task == "leave"}  # fmt: skip
    assert len(conversations) == 1
    assert project.processes() == []


@every_kind
def test_a_denied_tool_blocks_the_task(project: Project, kind: str) -> None:
    """The program exits 0; aca says blocked, and what would allow it."""
    with ModelServer() as server:
        env = prepare(project, server, kind)
        server.script("work", [text("A title")], when="title generator")
        server.script("work", [WRITES[kind](project.root / "greeting.txt", "hello\n")], [text("All done!")])
        project.write({"tasks.md": TASKS.replace("{#greet", "{#greet permissions=read-only")})
        project.run("--task-file", "tasks.md", "--only", "greet", env=env, expect=4)
    now = project.session().state().states["greet"]
    assert now.status == "blocked"
    assert 'permissions = "full" would allow it' in now.reason
    assert not (project.root / "greeting.txt").exists()


@every_kind
def test_what_the_model_refuses_is_told(project: Project, kind: str) -> None:
    """A request that cannot work fails with the reason of the server."""
    with ModelServer() as server:
        env = prepare(project, server, kind)
        server.script("work", *[Failure(400, "INVALID_ARGUMENT", "no such thing")] * 9)
        project.run("--task-file", "tasks.md", "--only", "greet", env=env, expect=1)
    assert "no such thing" in project.session().state().states["greet"].reason
