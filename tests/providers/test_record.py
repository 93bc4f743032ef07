"""``--record``: a run written down as a replay script, which played again gives the same session."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aca.core import events as ev
from tests.contracts.agents import PRELUDE
from tests.contracts.models import KEY
from tests.model_server import Hang, ModelServer, text, tool
from tests.project import Project, Running
from tests.real_parts import CLAUDES, claude

TASKS = """\
1. Write the greeting {#greet check="grep -q hello greeting.txt"}
2. Make it louder {#louder check="grep -q HELLO greeting.txt"}
3. Count it {#count check="test -s count.txt"}
"""
COUNT = "wc -c < greeting.txt > count.txt"
OWN = {"seq", "at", "cause", "seconds", "not_before", "commit", "base"}
"""What of an event is never the same twice, and what follows from that."""


def story(project: Project) -> list[dict[str, Any]]:
    """What happened to the tasks of the newest session, but for times, for who did it and at what price."""
    told = (event for event in project.journal() if hasattr(event, "task"))
    kept = [event for event in told if not isinstance(event, ev.CallStarted | ev.CallEnded)]
    for place, event in enumerate(kept):
        if isinstance(event, ev.TaskInterrupted):  # what it had used and changed, nobody tells after a kill
            kept[place] = msgspec.structs.replace(event, usage=None, files=())
    return [_timeless(msgspec.to_builtins(event)) for event in kept]


def _timeless(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _timeless(one) for key, one in data.items() if key not in {*OWN, "provider", "cost_usd"}}
    return [_timeless(one) for one in data] if isinstance(data, list | tuple) else data


def tree(project: Project) -> dict[str, tuple[bytes, bool]]:
    """The files that tasks have made: content, and whether they can be executed."""
    ours = {"aca.toml", "tasks.md", "record.toml", ".aca", "agent"}
    found = (path for path in project.root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(project.root)): (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
        for path in found
        if path.relative_to(project.root).parts[0] not in ours
    }


@pytest.fixture
def replayed(project: Project, tmp_path: Path) -> Iterator[Project]:
    """A second project, where the record of the first can be played again."""
    other = Project(tmp_path / "replayed", tmp_path / "replayed-home")
    yield other
    other.end()


def play(project: Project, other: Project, *options: str, expect: int | None = 0) -> None:
    """The same tasks in *other*, done by the record that *project* has made."""
    settings = (project.root / "aca.toml").read_text() if (project.root / "aca.toml").exists() else ""
    kept = "".join(line for line in settings.splitlines(True) if line.startswith(("retr", "[def", "time")))
    script = f'[providers.replay]\nscript = "{project.root / "record.toml"}"\n'
    other.write({"tasks.md": project.read("tasks.md"), "aca.toml": kept + script})
    other.run("--task-file", "tasks.md", "--provider", "replay", *options, expect=expect)


def assert_the_same(project: Project, other: Project) -> None:
    assert story(other) == story(project)
    assert tree(other) == tree(project)


def fake(project: Project, scene: str, more: str = "") -> None:
    """Settings with which claude is a program that does as *scene* says."""
    program = project.root / "agent"
    program.write_text(f"{PRELUDE}{scene}\n")
    program.chmod(0o755)
    settings = f'provider = "claude-cli"\n{more}\n[providers.claude-cli]\ncommand = ["{program}"]\n'
    project.write({"aca.toml": settings})


# -- every kind of provider -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", CLAUDES)
def test_what_the_real_claude_did_is_done_again(project: Project, replayed: Project, version: str) -> None:
    """Its edits, and what its commands made without telling; the same conversations, usage and words."""
    greeting = str(project.root / "greeting.txt")
    with ModelServer() as server:
        # The first that fits plays: later tasks are told the titles of those before them.
        server.script("work", [tool("Bash", command=COUNT, description="count")], [text("Counted.")],
                      when="Count it")  # fmt: skip
        edit = tool("Edit", file_path=greeting, old_string="hello", new_string="HELLO")
        server.script("work", [tool("Read", file_path=greeting)], [edit], [text("Louder now.")],
                      when="Make it louder")  # fmt: skip
        write = tool("Write", file_path=greeting, content="hello\n")
        server.script("work", [text("I write."), write], [text("Written.")], when="Write the greeting")
        settings = f'provider = "claude-cli"\n[providers.claude-cli]\ncommand = ["{claude(version)}"]\n'
        project.write({"tasks.md": TASKS, "aca.toml": settings + 'allowed_tools = ["Bash"]\n'})
        env = {
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": server.url("work"),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        project.run("--task-file", "tasks.md", "--record", "record.toml", env=env)
    play(project, replayed)
    assert_the_same(project, replayed)
    assert replayed.read("count.txt").strip() == "6"


def test_what_a_model_behind_an_api_did_is_done_again(project: Project, replayed: Project) -> None:
    """Commands are shown and not run again: what they made is in the record. The key is not."""
    with ModelServer() as server:
        peek = f"env; echo {KEY} > key.txt; printf '\\0{KEY}\\377' > key.bin; {COUNT}"
        server.script("work", [tool("run", command=peek)], [text(f"Counted with {KEY}.")], when="Count it")
        edit = tool("edit", path="greeting.txt", old="hello", new="HELLO")
        server.script("work", [edit], [text("Louder now.")], when="Make it louder")
        write = [tool("write", path="greeting.txt", content="hello\n"), tool("finish", result="Written.")]
        server.script("work", write, when="Write the greeting")
        project.write({"tasks.md": TASKS, "aca.toml": 'provider = "anthropic"\n'})
        env = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url("work")}
        project.run("--task-file", "tasks.md", env={**env, "ACA_RECORD": "record.toml"})
    assert KEY not in project.read("record.toml")
    play(project, replayed)
    assert replayed.read("key.txt") == "*" * len(KEY) + "\n"
    assert (replayed.root / "key.bin").read_bytes() == b"\0" + b"*" * len(KEY) + b"\xff"
    for name in ("key.txt", "key.bin"):
        (project.root / name).unlink()
        (replayed.root / name).unlink()
    told = msgspec.json.encode(story(project)).replace(KEY.encode(), b"*" * len(KEY))
    assert story(replayed) == msgspec.json.decode(told)
    assert tree(replayed) == tree(project)


REPLAYED = """\
[tasks.one]
steps = [
  {conversation = "c1"}, {say = "I try."}, {write = "a.txt", content = "a\\r\\nb"},
  {usage = {input_tokens = 5, output_tokens = 3, cost_usd = 0.25}},
  {fail = "the network is gone", category = "transient", attempt = 1},
  {run = "rm a.txt; printf x > b.sh; chmod +x b.sh; mkdir -p d; printf '\\\\377' > d/c.bin"},
  {say = "done"},
]
[tasks.two]
steps = [
  {subtasks = [{title = "Sub", kind = "command", command = "echo sub > sub.txt"}], attempt = 1},
  {say = "split"},
]
[tasks.three]
steps = [{fail = "it cannot be done", category = "input"}]
[tasks.four]
steps = [{deny = "Bash"}, {say = "I could not"}]
[tasks.five]
steps = [{write = "five.txt", content = "5"}]
"""
PLAYS = """\
- [ ] One {#one}
- [ ] Two {#two}
- [ ] Three {#three}
- [ ] Four {#four}
- [ ] Five {#five permissions=read-only}
"""


def test_a_replay_is_recorded_too(project: Project, replayed: Project) -> None:
    """Failures, subtasks, denials, refused writes, bytes that are no text, deleted and executable files."""
    project.write({"tasks.md": PLAYS, "aca.toml": 'provider = "replay"\nretry_delay = "1ms"\n'
                   '[providers.replay]\nscript = "play.toml"\n', "play.toml": REPLAYED})  # fmt: skip
    project.run("--task-file", "tasks.md", "--record", "record.toml", expect=4)
    (project.root / "play.toml").unlink()
    play(project, replayed, expect=4)
    assert_the_same(project, replayed)
    assert tree(replayed) == {
        "b.sh": (b"x", True),
        "d/c.bin": (b"\xff", False),
        "sub.txt": (b"sub\n", False),
    }


# -- what cuts a run off ----------------------------------------------------------------------------------


def one_hangs(project: Project, server: ModelServer) -> tuple[Running, Mapping[str, str]]:
    """A recorded run in which the model hangs in the middle of the second of three tasks."""
    server.script("work", [tool("run", command=COUNT)], [text("Counted.")], when="Count it")
    edit = tool("edit", path="greeting.txt", old="hello", new="HELLO")
    part = tool("run", command="echo part > part.txt")
    server.script("work", [part], Hang(), [edit], [text("Louder now.")], when="Make it louder")
    write = tool("write", path="greeting.txt", content="hello\n")
    server.script("work", [write], [text("Written.")], when="Write the greeting")
    project.write({"tasks.md": TASKS, "aca.toml": 'provider = "anthropic"\n'})
    env = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url("work")}
    running = project.start("--task-file", "tasks.md", "--record", "record.toml", env=env)
    running.until(lambda: len(server.requests) == 4)
    return running, env


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_the_record_goes_on_with_the_session(project: Project, replayed: Project, number: int) -> None:
    """What was cut off is in it, however that was; the interruption and the next attempt are played too."""
    with ModelServer() as server:
        running, env = one_hangs(project, server)
        running.signal(signal.Signals(number))
        running.finish()
        done = project.read("record.toml")
        assert "Written." in done
        project.run("resume", "--record", "record.toml", env=env)
    assert project.read("record.toml").startswith(done)
    play(project, replayed)
    assert_the_same(project, replayed)
    starts = [event.task for event in replayed.journal() if isinstance(event, ev.TaskStarted)]
    assert starts == ["greet", "louder", "louder", "count"]
    assert replayed.read("part.txt") == "part\n"


def test_what_is_killed_can_be_played_as_far_as_it_came(project: Project, replayed: Project) -> None:
    """The record of a run that never went on is a whole script."""
    with ModelServer() as server:
        running, _ = one_hangs(project, server)
        running.kill()
    replayed.write({"aca.toml": f'[providers.replay]\nscript = "{project.root / "record.toml"}"\n'})
    replayed.write({"tasks.md": TASKS})
    replayed.run("--task-file", "tasks.md", "--provider", "replay", "--only", "greet")
    assert replayed.read("greeting.txt") == "hello\n"


def test_a_time_limit_is_played_as_the_failure_it_was(project: Project, replayed: Project) -> None:
    """Without waiting for it again."""
    fake(project, "open('part.txt', 'w').write('part'); time.sleep(60)", 'retries = 0\ntimeout = "1s"')
    project.write({"tasks.md": "- [ ] Slow {#slow}\n"})
    project.run("--task-file", "tasks.md", "--record", "record.toml", expect=1)
    play(project, replayed, expect=1)
    assert_the_same(project, replayed)
    assert "timed out after 1 s" in replayed.session().state().states["slow"].reason


@pytest.mark.parametrize(
    "scene", ["end(is_error=True, result='boom')", 'sys.stdout.write(\'{"type": "resu\')']
)
def test_lies_and_failures_are_played_as_they_were_judged(
    project: Project, replayed: Project, scene: str
) -> None:
    """The record holds what aca made of it."""
    fake(project, f"open('part.txt', 'w').write('part'); {scene}", "retries = 0")
    project.write({"tasks.md": "- [ ] Lie {#lie}\n"})
    project.run("--task-file", "tasks.md", "--record", "record.toml", expect=1)
    play(project, replayed, expect=1)
    assert_the_same(project, replayed)


def test_a_closed_quota_window_is_played(project: Project, replayed: Project) -> None:
    """Also where nobody knows when it opens again."""
    script = '[tasks."*"]\nsteps = [{quota = "unknown", reason = "enough for today"}]\n'
    project.write({"tasks.md": project.replay(script) + "- [ ] One {#one}\n"})
    ends = ("--on-quota", "exit")
    project.run("--task-file", "tasks.md", *ends, "--record", "record.toml", expect=75)
    (project.root / "replay.toml").unlink()
    project.write({"tasks.md": "- [ ] One {#one}\n"})
    play(project, replayed, *ends, expect=75)
    assert_the_same(project, replayed)


def test_a_budget_that_is_used_up_is_played_as_a_failure(project: Project, replayed: Project) -> None:
    """In an attempt that passed it, and in one that it kept from beginning."""
    over = "end(subtype='error_max_budget_usd', is_error=True, result=None, total_cost_usd=0.6)"
    fake(project, over, "retries = 0")
    tasks = "1. Both {#both limits.max_cost_usd=0.5}\n   - Part {#part}\n   - Other {#other}\n"
    project.write({"tasks.md": tasks})
    project.run("--task-file", "tasks.md", "--record", "record.toml", expect=1)
    play(project, replayed, expect=1)
    assert_the_same(project, replayed)
    state = replayed.session().state()
    reasons = [state.states[name].reason for name in state.leaves()]
    assert all("the cost limit of task" in reason for reason in reasons)


def test_an_attempt_that_is_not_in_the_record_is_no_success(project: Project, replayed: Project) -> None:
    """A record tells of every attempt there was: of another one nobody knows how it would end."""
    steps = '[[tasks.one.steps]]\nattempt = 2\nresult = "done"\n'
    project.write({"tasks.md": "- [ ] One {#one}\n", "record.toml": f'recorded = "x"\n{steps}'})
    play(project, replayed, expect=1)
    reason = replayed.session().state().states["one"].reason
    assert 'the record has no attempt 1 at the task "one"' in reason


# -- side by side -----------------------------------------------------------------------------------------


def test_attempts_side_by_side_have_each_their_own_changes(project: Project, replayed: Project) -> None:
    """What one has recorded is not the other's change as well."""
    scene = """
name = "a" if "Your task: Write a" in prompt else "b"
open(name + ".txt", "w").write(name)
while not all(os.path.exists(one) and os.path.getsize(one) for one in ("a.txt", "b.txt")): time.sleep(0.01)
use("1", "Write", file_path=os.path.abspath(name + ".txt")); used("1", type="create")
while name == "b" and "Write a" not in open("record.toml").read(): time.sleep(0.01)
end(result="Write " + name)
"""
    fake(project, scene)
    project.write({"tasks.md": "- [ ] Write a {#a}\n- [ ] Write b {#b}\n"})
    project.run("--task-file", "tasks.md", "-j", "2", "--record", "record.toml")
    written = [line for line in project.read("record.toml").splitlines() if line.startswith("write =")]
    assert sorted(written) == ['write = "a.txt"', 'write = "b.txt"']


# -- what is refused, what is left out --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("notes.toml", "x = 1\n", "this file is no record of this session"),
        ("notes.toml", 'recorded = "20200101-000000-0000"\n', "this file is no record of this session"),
        ("notes.md", "# Notes\n", "nothing is written over"),
        ("notes.bin", "\udcff", "this file is no record of this session"),
        ("record.jsonl", "", "give it a name that ends in .toml"),
        ("none/record.toml", None, "its directory does not exist"),
    ],
)
def test_another_file_is_never_written_over(
    project: Project, name: str, content: str | None, told: str
) -> None:
    """Exit code 2, and nothing has run."""
    if content is not None:
        (project.root / name).write_bytes(os.fsencode(content))
    project.write({"tasks.md": project.replay('[tasks."*"]\nsteps = [{say = "x"}]') + "- [ ] One\n"})
    outcome = project.run("--task-file", "tasks.md", "--record", name, expect=2)
    assert told in outcome.stderr
    assert project.sessions() == []
    if content is not None:
        assert (project.root / name).read_bytes() == os.fsencode(content)


def test_a_resume_refuses_the_record_of_another_session(project: Project) -> None:
    """It would be a mixture of both. An empty file is as good as none."""
    script = '[tasks."*"]\nsteps = [{say = "x"}]'
    tasks = project.replay(script) + "- [ ] One\n- [ ] Two {kind=approval}\n"
    project.write({"tasks.md": tasks, "record.toml": "\n"})
    project.run("--task-file", "tasks.md", "--record", "record.toml", expect=4)
    project.run("--task-file", "tasks.md", expect=4)
    outcome = project.run("resume", "--record", "record.toml", expect=2)
    assert "this file is no record of this session" in outcome.stderr
    first, second = project.sessions()
    project.run("resume", first.id, "--record", "record.toml", expect=4)
    assert f'recorded = "{first.id}"' in project.read("record.toml")
    assert second.id not in project.read("record.toml")


def test_what_is_too_large_is_named(project: Project) -> None:
    """A line in the record and in the log says what a replay will not have."""
    script = f"""
    [tasks.one]
    steps = [{{run = "{sys.executable} -c \\"open('big', 'w').truncate(2_000_000)\\""}}, {{say = "done"}}]
    """
    project.write({"tasks.md": project.replay(script) + "- [ ] One {#one}\n"})
    project.run("--task-file", "tasks.md", "--record", "record.toml")
    assert "which is too large: 'big' (2,000,000 bytes)" in project.read("record.toml")
    assert "too large for the record: 'big'" in project.session().system_log.read_text()
