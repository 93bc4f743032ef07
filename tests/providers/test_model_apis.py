"""The main job with models behind APIs, from the command line: run, kill, resume, and no key anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aca.core import events as ev
from tests.contracts.models import KEY, KINDS
from tests.model_server import Failure, Hang, ModelServer, Turn, text, tool
from tests.project import Project

TASKS = """\
1. Write the greeting {#greet check="grep -q hello greeting.txt"}
2. Make it louder {#louder check="grep -q HELLO greeting.txt"}
3. Count its letters {#count check="test -s count.txt"}
"""
NOSY = "tr '\\0' '\\n' < /proc/$PPID/environ | grep KEY=; env | grep KEY; wc -c < greeting.txt > count.txt"
every_kind = pytest.mark.parametrize("kind", KINDS)


def script(server: ModelServer, *before: Turn, first: Sequence[Turn] = ()) -> None:
    """What the model does in each task; *first* comes first of all, *before* in the middle."""
    # The first that fits plays: a task is told the titles of those before it.
    server.script("work", [tool("run", command=NOSY)], [text("Counted.")], when="Count its letters")
    louder = [tool("edit", path="greeting.txt", old="hello", new="HELLO")]
    server.script("work", [tool("read", path="greeting.txt")], *before, louder, [text("Louder now.")],
                  when="Make it louder")  # fmt: skip
    write = [tool("write", path="greeting.txt", content="hello\n"), tool("finish", result="Written.")]
    server.script("work", *first, write, when="Write the greeting")


def environment(server: ModelServer) -> dict[str, str]:
    """Where the model is, and every key there is."""
    url = server.url("work")
    where = {"ANTHROPIC_BASE_URL": url, "OPENAI_BASE_URL": url, "OLLAMA_HOST": url}
    return {**where, **{one.key: KEY for one in KINDS.values()}}


def settings(kind: str) -> str:
    options = "".join(f'{name} = "{value}"\n' for name, value in KINDS[kind].options.items())
    return f'provider = "{KINDS[kind].provider}"\n[providers.{KINDS[kind].provider}]\n{options}'


@every_kind
def test_the_same_plan_gives_the_same_files_and_shows_no_key(
    project: Project, server: ModelServer, kind: str
) -> None:
    """Three tasks, done and verified; the key is in no file, though a command went looking for it."""
    script(server)
    project.write({"tasks.md": TASKS, "aca.toml": settings(kind)})
    started = project.start("--task-file", "tasks.md", env=environment(server), anew=True)  # /proc shows it
    outcome = started.finish(expect=0)
    assert "3 completed" in outcome.stdout
    assert project.read("greeting.txt") == "HELLO\n"
    assert project.read("count.txt").strip() == "6"
    files = [path for path in project.root.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    output = project.session().task_logs / "count" / "1" / "run-1.log"
    assert output.read_text().count("KEY=" + "*" * len(KEY)) in (0, 3), "in a sandbox nothing is found at all"
    assert KEY not in outcome.stdout + outcome.stderr


@every_kind
def test_a_conversation_goes_on_after_a_kill(project: Project, server: ModelServer, kind: str) -> None:
    """Killed while the model thinks: what is done stays done, and the model knows what was said before."""
    script(server, Hang())
    project.write({"tasks.md": TASKS, "aca.toml": settings(kind)})
    running = project.start("--task-file", "tasks.md", env=environment(server))
    running.until(lambda: len(server.requests) == 3)
    running.kill()
    assert project.read("greeting.txt") == "hello\n"

    project.run("resume", env=environment(server))

    assert project.read("greeting.txt") == "HELLO\n"
    starts = [event.task for event in project.journal() if isinstance(event, ev.TaskStarted)]
    assert starts == ["greet", "louder", "louder", "count"]
    conversations = {
        event.conversation
        for event in project.journal()
        if isinstance(event, ev.ConversationStarted) and event.task == "louder"
    }
    assert len(conversations) == 1
    told = str(server.requests[3].body)
    assert "\\thello" in told, "what was read before"
    assert "You were interrupted" in told
    assert project.processes() == []


def test_work_that_was_denied_waits_for_a_permission(project: Project, server: ModelServer) -> None:
    """Exit code 4, and what would allow it."""
    script(server)
    project.write(
        {"tasks.md": TASKS, "aca.toml": settings("anthropic") + '[defaults]\npermissions = "read-only"\n'}
    )
    project.run("--task-file", "tasks.md", env=environment(server), expect=4)
    now = project.session().state().states["greet"]
    assert (now.status, "denied write" in now.reason) == ("blocked", True)
    assert 'permissions = "workspace-write" would allow it' in now.reason


def test_a_key_that_is_no_good_stops_the_run(project: Project, server: ModelServer) -> None:
    """It is not tried again, and says what to set; once that is done, the work can go on."""
    script(server, first=[Failure(401, "authentication_error", "invalid key")])
    project.write({"tasks.md": TASKS, "aca.toml": settings("anthropic")})
    outcome = project.run("--task-file", "tasks.md", env=environment(server), expect=1)
    assert len(server.requests) == 1
    assert "set ANTHROPIC_API_KEY to a key that is valid" in outcome.stdout
    assert "3 completed" in project.run("resume", "--failed", env=environment(server)).stdout


# -- before anything runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "message", "cure"),
    [
        ("anthropic", "ANTHROPIC_API_KEY is not set", "and set ANTHROPIC_API_KEY"),
        ("responses", "OPENAI_API_KEY is not set", "or set providers.openai.base_url"),
        ("ollama", "no Ollama answers at http://127.0.0.1:9", "start it with `ollama serve`"),
    ],
)
def test_what_is_missing_is_told_before_anything_runs(
    project: Project, kind: str, message: str, cure: str
) -> None:
    """Exit code 2, and how to get it."""
    project.write({"tasks.md": TASKS, "aca.toml": settings(kind)})
    env = {"OLLAMA_HOST": "http://127.0.0.1:9"}
    outcome = project.run("--task-file", "tasks.md", env=env, expect=2)
    assert message in outcome.stderr
    assert cure in outcome.stderr
    assert project.sessions() == []


def test_a_model_that_ollama_does_not_have_is_told(project: Project, server: ModelServer) -> None:
    """Each task's model, whoever names it; with the nearest, or how to get it."""
    tasks = '- [ ] One {#one model=smal}\n- [ ] Two {#two}\n- [ ] Three {#three model="small:latest"}\n'
    project.write({"tasks.md": tasks, "aca.toml": 'provider = "ollama"\n'})
    outcome = project.run("--task-file", "tasks.md", env=environment(server), expect=2)
    assert "aca.toml:1: no model is named for Ollama" in outcome.stderr
    assert "name one of those it has as its model: see `ollama list`" in outcome.stderr
    project.run("plan", "show", "tasks.md", env=environment(server), expect=2)
    assert server.listed == 0
    outcome = project.run("--task-file", "tasks.md", "--model", "large", env=environment(server), expect=2)
    assert "Ollama has no model smal" in outcome.stderr
    assert 'did you mean "small"? Or get it with `ollama pull smal`' in outcome.stderr
    assert "Ollama has no model large" in outcome.stderr
    assert "2 problems, nothing was run" in outcome.stderr
    assert server.listed == 1


def test_a_dry_run_asks_no_server(project: Project, server: ModelServer) -> None:
    """Nor does whoever checks a plan; ``aca doctor`` is there to ask, and names the model that is missing."""
    settings = 'provider = "ollama"\nmodel = "large"\n'
    project.write({"tasks.md": "- [ ] One\n", "aca.toml": settings})
    for command in ("run tasks.md --dry-run", "plan validate tasks.md"):
        assert "Ollama" not in project.run(*command.split(), env=environment(server)).stderr
    assert server.listed == 0
    told = project.run("doctor", env=environment(server), expect=2).stdout
    assert "mend    provider ollama: Ollama has no model large" in told
    project.write({"aca.toml": settings.replace("large", "small")})
    assert "ok      provider ollama: at http" in project.run("doctor", env=environment(server)).stdout


def test_a_server_of_ones_own_needs_no_key(project: Project, server: ModelServer) -> None:
    """An address is enough for what speaks OpenAI's language."""
    script(server)
    project.write({"tasks.md": TASKS, "aca.toml": settings("chat") + f'base_url = "{server.url("work")}"\n'})
    project.run("--task-file", "tasks.md")
    assert project.read("greeting.txt") == "HELLO\n"
