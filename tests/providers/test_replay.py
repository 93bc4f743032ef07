"""Replay: scripts are read strictly and played for real."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from aca import providers
from aca.core.events import FileChange, Usage
from aca.errors import InputError
from aca.providers.base import Assignment, Changed, Conversed, Result, Said, Step, Used
from aca.providers.replaying import script
from aca.providers.replaying.replay import Replay
from tests.places import pid_in, place, running
from tests.project import Project


def assignment(tmp_path: Path, task_id: str = "task", attempt: int = 1) -> Assignment:
    """An attempt at a task that ``script.toml`` in the workspace tells how to do."""
    return Assignment(
        task_id=task_id,
        title="The title",
        attempt=attempt,
        prompt="",
        system_prompt="",
        model=None,
        permissions="workspace-write",
        conversation=None,
        interrupted=False,
        follow_up="",
        home=tmp_path / "home",
        logs=tmp_path / "logs",
        options={"script": "script.toml"},
    )


def play(
    tmp_path: Path, toml: str = "", task: Assignment | None = None, replay: Replay | None = None
) -> list[Step]:
    """The steps of an attempt at ``task``, played from *toml*."""
    if toml:
        (tmp_path / "script.toml").write_text(toml)

    async def steps() -> list[Step]:
        work = (replay or Replay()).work(task or assignment(tmp_path), place(tmp_path))
        async with aclosing(cast(Any, work)) as told:
            return [step async for step in told]

    return asyncio.run(steps())


def steps(*inline: str) -> str:
    """A script for the task ``task``."""
    return f"[tasks.task]\nsteps = [{', '.join(inline)}]\n"


# -- playing ----------------------------------------------------------------------------------------------


def test_files_are_written_and_edited(tmp_path: Path) -> None:
    """Directories are made, and an exact text is replaced."""
    told = play(
        tmp_path, steps('{write = "a/b.py", content = "x = 1\\n"}', '{edit = "a/b.py", old = "1", new = "2"}')
    )
    assert (tmp_path / "a" / "b.py").read_text() == "x = 2\n"
    assert told == [
        Used("write", "a/b.py"),
        Changed(FileChange("a/b.py", "created")),
        Used("edit", "a/b.py"),
        Changed(FileChange("a/b.py", "modified")),
        Result("done"),
    ]


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (
            '{edit = "f", old = "x", new = "y"}',
            "edit f: the text to replace is in the file 2 times, not once",
        ),
        ('{edit = "f", old = "z", new = "y"}', "edit f: the text to replace is not in the file"),
        ('{edit = "g", old = "z", new = "y"}', "edit g: No such file or directory"),
        ('{write = "d", content = ""}', "write d: Is a directory"),
        ('{write = "../f", content = ""}', "write ../f: ../f is outside the workspace"),
    ],
)
def test_a_tool_that_cannot_work_fails_the_attempt(tmp_path: Path, step: str, why: str) -> None:
    """A step that does not fit the files is a failure with its reason; nothing after it is done."""
    (tmp_path / "f").write_text("x x")
    (tmp_path / "d").mkdir()
    *_, error, result = play(tmp_path, steps(step, '{say = "unreached"}'))
    assert isinstance(error, Used)
    assert error.error
    assert isinstance(result, Result)
    assert (result.stop, result.category) == ("failed", "task")
    assert result.reason.startswith(why)
    assert result.reason.endswith(error.error)


def test_commands_really_run(tmp_path: Path) -> None:
    """A command works in the workspace, its output goes to the logs, and its failure is only told."""
    told = play(tmp_path, steps('{run = "echo hi | tee made; exit 3"}', '{say = "on"}'))
    line = "echo hi | tee made; exit 3"
    assert told == [Used("run", line), Used("run", line, "exit code 3"), Said("on"), Result("done", "on")]
    assert (tmp_path / "made").read_text() == "hi\n"
    assert (tmp_path / "logs" / "output.log").read_text() == "hi\n"


def test_a_command_that_must_work_fails_the_attempt(tmp_path: Path) -> None:
    """With ``must`` a failing command ends the attempt."""
    *_, result = play(tmp_path, steps('{run = ["false"], must = true}', '{say = "unreached"}'))
    assert isinstance(result, Result)
    assert (result.stop, result.text) == ("failed", "")
    assert result.reason.startswith("false: exit code 1; see ")


def test_usage_adds_up_and_subtasks_are_handed_in(tmp_path: Path) -> None:
    """The result carries all that was counted, whatever came in between."""
    *_, result = play(
        tmp_path,
        steps(
            "{usage = {input_tokens = 10, output_tokens = 2, cost_usd = 0.5}}",
            '{subtasks = [{title = "one"}]}',
            "{usage = {input_tokens = 5, cost_usd = 0.25}}",
            '{subtasks = [{title = "two"}]}',
        ),
    )
    assert result == Result(
        "done", usage=Usage(15, 2, cost_usd=0.75), subtasks=({"title": "one"}, {"title": "two"})
    )


def test_a_scripted_failure_keeps_what_was_used(tmp_path: Path) -> None:
    """A failure is told as scripted, with the usage until then."""
    *_, result = play(
        tmp_path, steps("{usage = {input_tokens = 7}}", '{fail = "no network", category = "transient"}')
    )
    assert result == Result("failed", reason="no network", category="transient", usage=Usage(7))


def test_a_closed_quota_window_has_its_end(tmp_path: Path) -> None:
    """The window's end is a point in time."""
    *_, result = play(tmp_path, steps("{quota = 2026-11-21T15:00:00Z}"))
    assert isinstance(result, Result)
    assert (result.stop, result.until) == ("quota", 1_795_273_200.0)


def test_a_conversation_is_named(tmp_path: Path) -> None:
    """A script can give its conversation a name."""
    assert play(tmp_path, steps('{conversation = "abc"}'))[0] == Conversed("abc")


def test_waiting_takes_its_time(tmp_path: Path) -> None:
    """A wait is as long as written."""
    began = time.monotonic()
    play(tmp_path, steps('{wait = "200ms"}'))
    assert 0.2 <= time.monotonic() - began < 5


@pytest.mark.parametrize("step", ['{write = "f", content = ""}', '{run = "touch f"}'])
def test_read_only_permissions_deny_what_could_write(tmp_path: Path, step: str) -> None:
    """Under read-only permissions the model goes on, and the end is a denial."""
    given = replace(assignment(tmp_path), permissions="read-only")
    *_, result = play(tmp_path, steps(step, step, '{say = "done"}'), given)
    assert not (tmp_path / "f").exists()
    tool = step[1 : step.index(" ")]
    cure = 'permissions = "workspace-write" would allow it'
    assert result == Result("denied", "done", cure, denied=(tool,))


def test_steps_can_belong_to_one_attempt(tmp_path: Path) -> None:
    """A script can fail first and succeed then."""
    text = steps('{fail = "at first", attempt = 1}', '{say = "better"}', '{say = "third", attempt = 3}')
    assert play(tmp_path, text) == [Result("failed", reason="at first")]
    second = assignment(tmp_path, attempt=2)
    assert play(tmp_path, text, second) == [Said("better"), Result("done", "better")]


@pytest.mark.parametrize(("name", "said"), [("task", "by id"), ("other", "by title"), ("*", "for all")])
def test_a_task_is_found_by_id_then_title_then_star(tmp_path: Path, name: str, said: str) -> None:
    """The nearest entry is the one that is played."""
    entries = {"task": "by id", "The title": "by title", "*": "for all"}
    if name == "*":
        del entries["The title"]
    text = "".join(f'[[tasks."{key}".steps]]\nsay = "{value}"\n' for key, value in entries.items())
    assert play(tmp_path, text, assignment(tmp_path, name))[0] == Said(said)


def test_an_edited_script_is_read_again(tmp_path: Path) -> None:
    """One provider serves many attempts: it keeps what it read until the file changes."""
    replay = Replay()
    assert play(tmp_path, steps('{say = "old"}'), replay=replay)[0] == Said("old")
    (tmp_path / "script.toml").unlink()
    assert play(tmp_path, steps('{say = "new and longer"}'), replay=replay)[0] == Said("new and longer")


def test_a_task_the_script_does_not_know_fails_by_name(tmp_path: Path) -> None:
    """A task that came later and has no entry is a failure that names task and script."""
    (result,) = play(tmp_path, "[tasks.tusk]\nsteps = []")
    assert isinstance(result, Result)
    assert (result.stop, result.category) == ("failed", "input")
    assert 'script.toml: the replay script has no entry for the task "task"' in result.reason
    assert 'did you mean "tusk"?' in result.reason


def test_a_step_costs_next_to_nothing(tmp_path: Path) -> None:
    """A replayed task that does nothing takes well under a millisecond: scripts are read once."""
    replay = Replay()
    (tmp_path / "script.toml").write_text('[tasks."*"]\nsteps = []')

    async def many() -> float:
        where, began = place(tmp_path), time.perf_counter()
        for _ in range(500):
            async for _step in replay.work(assignment(tmp_path), where):
                pass
        return time.perf_counter() - began

    assert asyncio.run(many()) / 500 < 0.001


# -- reading ----------------------------------------------------------------------------------------------


def told(tmp_path: Path, text: str, name: str = "s.toml") -> list[tuple[int | None, str, str]]:
    """Line, message and cure of all that is wrong with a script."""
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        script.load(tmp_path / name)
    return [(problem.line, problem.message, problem.cure) for problem in caught.value.problems]


def underlined(path: Path) -> list[str]:
    """What has a caret under it, of all that is wrong with a script."""
    places = ((one, (one.column or 0) - 1) for one in script.look(path)[1])
    return [one.source[start : start + one.width] for one, start in places]


def test_json_lines_say_the_same(tmp_path: Path) -> None:
    """A script of JSON lines is read like its TOML twin."""
    (tmp_path / "a.jsonl").write_text(
        '{"task": "a", "say": "x"}\n\n'
        '{"task": "b", "run": ["ls"], "must": true}\n{"task": "a", "hang": true}\n'
    )
    (tmp_path / "a.toml").write_text(
        '[tasks.a]\nsteps = [{say = "x"}, {hang = true}]\n[[tasks.b.steps]]\nrun = ["ls"]\nmust = true\n'
    )
    assert script.load(tmp_path / "a.jsonl").tasks == script.load(tmp_path / "a.toml").tasks


def test_all_problems_are_found_with_their_lines(tmp_path: Path) -> None:
    """Every step that cannot be used is told at once, though file contents look like steps."""
    text = '''\
titel = 1
[tasks.a]
steps = [
  {say = "x"},
  {write = "a", content = """
[tasks.b]
  {x = 1}
"""},
  {sy = "x"}, {say = "a", run = "b"},
  {edit = "x", old = "a", nw = "b"},
  {run = 5},
]
[[tasks.b.steps]]
say = "x"
[[tasks.b.steps]]
wait = "5x"
[tasks."c d"]
step = 1
'''
    verbs = (
        "a step is one of say, write, edit, delete, run, usage, subtasks, note, propose, output, used, "
        "changed, result, wait, hang, fail, interrupt, deny, quota, conversation"
    )
    assert told(tmp_path, text) == [
        (1, 'unknown key "titel"', "a script has [tasks.<id or title>] and nothing else"),
        (9, "a step with sy does nothing", verbs),
        (9, "a step does one thing, this one has say and run", verbs),
        (10, 'a step with edit needs "new"', ""),
        (10, 'unknown key "nw" in a step that has edit', 'did you mean "new"?'),
        (11, "run: neither a shell line nor a list of words", 'write "pytest -q" or ["pytest", "-q"]'),
        (16, 'wait: "5x" is not a duration; write "30s", "10m" or "1h30m"', ""),
        (17, 'the entry "c d" has no list of steps', "write steps = [{say = ...}]"),
    ]
    words = ["titel", "sy", "run", "edit", "nw", "run", "wait", "c d"]
    assert underlined(tmp_path / "s.toml") == words


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{quota = 2026-11-21T15:00:00}", "quota should have a time zone"),
        (
            '{fail = "x", category = "bad"}',
            'category should be transient, task, system, input or budget, not "bad"',
        ),
        ('{say = "x", attempt = 0}', "attempt should be at least 1, not 0"),
        ("{usage = {tokens = 5}}", 'unknown key "usage.tokens" in a step that has usage'),
        ("{hang = false}", "hang should be true, not false"),
        ('{interrupt = "x"}', 'a step with interrupt needs "attempt"'),
        ('{write = "a", base64 = "@@@"}', "base64: this is not base64"),
        ('{write = "a"}', 'a step with write needs "content" or "base64", and not both'),
        ("{}", "a step with nothing in it does nothing"),
        ("5", "a step is a table"),
    ],
)
def test_a_wrong_step_is_told(tmp_path: Path, step: str, message: str) -> None:
    """Each way to get a step wrong has its message."""
    assert [problem for _, problem, _ in told(tmp_path, steps(step))] == [message]


def test_broken_files_are_told_with_their_line(tmp_path: Path) -> None:
    """Neither TOML nor JSON: the line is named."""
    assert told(tmp_path, "\n[tasks.a\n")[0][0] == 2
    lines = told(tmp_path, '{"task": "a", "say": "x"}\nnope\n{"say": "x"}\n[1]\n', "s.jsonl")
    assert [line for line, _, _ in lines] == [2, 3, 4]
    (tmp_path / "s.jsonl").write_text('{"task": "a", "sy": "x"}\n{"task": "a" "say": "x"}\n')
    assert underlined(tmp_path / "s.jsonl") == ["sy", '"']


def test_a_script_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The missing file is named, and where its name comes from."""
    with pytest.raises(InputError, match=r"none\.toml: cannot read the replay script: No such file"):
        script.load(tmp_path / "none.toml")


# -- the registry -----------------------------------------------------------------------------------------


def test_all_tasks_are_checked_before_the_run(project: Project) -> None:
    """What is wrong with the script and what it lacks is told at once, without playing anything."""
    front = project.replay('[tasks.one]\nsteps = [{say = "x"}]\n[tasks.two]\nsteps = [{sya = "x"}]\n')
    project.write({"tasks.md": front + "- [ ] One\n- [ ] Two\n- [ ] Three {model=x}\n- [ ] Four\n"})
    told = project.run("run", "tasks.md", expect=2).stderr
    line = "    4 | steps = [{sya = "
    assert f'replay.toml:4: a step with sya does nothing\n{line}"x"}}]\n                  ^^^' in told
    assert re.findall(r'no entry for the task "(\w+)"', told) == ["three", "four"]
    assert "3 problems, nothing was run" in told
    project.write({"tasks.md": front.replace("replay.toml", "none.toml") + "- [ ] One\n"})
    assert "none.toml: cannot read the replay script" in project.run("run", "tasks.md", expect=2).stderr


def test_an_unknown_provider_is_told_with_the_nearest(tmp_path: Path) -> None:
    """A name that is none is answered with the one that was meant, or with all there are."""
    with pytest.raises(InputError, match=r'no provider "claude"\s+did you mean "claude-cli"'):
        providers.get("claude")
    (problem,) = providers.problems("xyz", {}, [], tmp_path)
    assert problem.cure == f"use one of {', '.join(providers.names())}"


@pytest.mark.parametrize("name", providers.names())
def test_every_provider_is_what_it_is_called(name: str) -> None:
    """The registry holds providers, each under its own name."""
    assert providers.get(name).name == name
    assert providers.get(name).asks in (True, False)


def test_replay_without_a_script_is_not_available() -> None:
    """It says what to write."""
    assert "[providers.replay]" in Replay().check({}).cure
    assert Replay().check({"script": "x.toml"}).detail == "replays x.toml"


def test_a_command_left_behind_by_a_step_is_ended(tmp_path: Path) -> None:
    """A replayed command is swept like any other."""
    play(tmp_path, steps('{run = "sleep 60 & echo $! > pid"}'))
    assert not running(pid_in(tmp_path / "pid"))


# -- what records are made of -----------------------------------------------------------------------------


def test_a_file_is_deleted_and_that_is_told(tmp_path: Path) -> None:
    """Where it is gone already there is nothing to tell; what is no file cannot be deleted."""
    (tmp_path / "a.txt").touch()
    told = play(tmp_path, steps('{delete = "a.txt"}, {delete = "a.txt"}'))
    assert [step.change for step in told if isinstance(step, Changed)] == [FileChange("a.txt", "deleted")]
    assert not (tmp_path / "a.txt").exists()
    (tmp_path / "folder").mkdir()
    *_, result = play(tmp_path, steps('{delete = "folder"}'))
    assert isinstance(result, Result)
    assert (result.stop, result.category) == ("failed", "task")


def test_what_is_quiet_is_done_without_a_word(tmp_path: Path) -> None:
    """But what the task may not do is refused all the same."""
    script = steps('{write = "a.txt", content = "a", quiet = true}, {deny = "Bash", quiet = true}')
    (result,) = play(tmp_path, script)
    assert isinstance(result, Result)
    assert (result.stop, result.denied) == ("denied", ("Bash",))
    assert (tmp_path / "a.txt").read_text() == "a"
    told = play(
        tmp_path,
        steps('{delete = "a.txt", quiet = true}'),
        replace(assignment(tmp_path), permissions="read-only"),
    )
    assert Used("delete", "a.txt", "denied") in told
    assert (tmp_path / "a.txt").exists()


def test_what_is_shown_is_not_done(tmp_path: Path) -> None:
    """Tools and changes are told again, and nothing happens."""
    script = steps('{used = "Bash", detail = "rm x"}, {changed = "x", action = "deleted"}, {result = "gone"}')
    shown = [Used("Bash", "rm x"), Changed(FileChange("x", "deleted")), Result("done", text="gone")]
    assert play(tmp_path, script) == shown


@pytest.mark.parametrize(("opens", "until"), [("2030-01-01T00:00:00Z", 1893456000.0), ('"unknown"', None)])
def test_a_quota_window_may_open_at_a_time_nobody_knows(
    tmp_path: Path, opens: str, until: float | None
) -> None:
    """With the reason that is given."""
    (result,) = play(tmp_path, steps(f'{{quota = {opens}, reason = "enough"}}, {{say = "never"}}'))
    assert result == Result("quota", reason="enough", until=until)
