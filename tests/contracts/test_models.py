"""What every model API keeps to, whatever it speaks and whatever its model does."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from aca.core.events import FileChange, Usage
from aca.providers.base import Changed, Conversed, Result, Said, Step, Used
from tests.contracts.models import EDIT, KEY, KINDS, Scene, act, acting, every_kind, used
from tests.model_server import Drip, Failure, Hang, Turn, text, tool
from tests.places import pid_in

# -- good work --------------------------------------------------------------------------------------------


@every_kind
def test_work_is_told_as_it_happens_and_ends_with_one_result(tmp_path: Path, kind: str) -> None:
    """What is said, used and changed is told; tokens are added up, cached ones counted once."""
    with acting(kind, tmp_path, *EDIT) as scene:
        steps, result = act(scene)
    assert (tmp_path / "work" / "hello.txt").read_text() == "goodbye\n"
    assert isinstance(steps[0], Conversed)
    assert steps[1:-1] == [
        Said("I write."),
        Used("write", "hello.txt"),
        Changed(FileChange("hello.txt", "created")),
        Used("edit", "hello.txt"),
        Changed(FileChange("hello.txt", "modified")),
        Said("done"),
    ]
    cached = 90 if scene.kind.provider == "openai" else 0
    assert result == Result("done", "done", usage=Usage(300 - cached, 60, cached))


@every_kind
def test_the_model_is_told_task_tools_and_what_came_of_them(tmp_path: Path, kind: str) -> None:
    """Prompt, system prompt and tools go along with each call, and the outcome of each tool once."""
    turns: list[Turn] = [[tool("run", command="echo out; echo err >&2; exit 3")], [text("done")]]
    with acting(kind, tmp_path, *turns) as scene:
        steps, _ = act(scene)
    for number in (0, 1):
        assert scene.prompt in scene.told(number)
        assert "You are a coding agent." in scene.told(number)
        assert "exactly once" in scene.told(number)
    assert scene.told().count("out\\nerr\\n(exit code 3)") == 1
    command = "echo out; echo err >&2; exit 3"
    assert used(steps) == [("run", command, ""), ("run", command, "exit code 3")]


@every_kind
def test_finish_ends_the_work_with_its_result(tmp_path: Path, kind: str) -> None:
    """All tools of the same answer are used first, and the model is not asked again."""
    both = [tool("finish", result="It is written."), tool("write", path="a", content="a")]
    with acting(kind, tmp_path, both) as scene:
        _, result = act(scene)
        assert len(scene.server.requests) == 1
    assert (result.stop, result.text) == ("done", "It is written.")
    assert (tmp_path / "work" / "a").exists()


@every_kind
def test_an_agent_that_gives_up_is_believed(tmp_path: Path, kind: str) -> None:
    """It says that it cannot be done, and why: that is no success."""
    with acting(kind, tmp_path, [tool("finish", done=False, result="There is no such file.")]) as scene:
        _, result = act(scene)
    assert (result.stop, result.category) == ("failed", "task")
    assert result.reason == "the agent gave up: There is no such file."


@every_kind
def test_subtasks_are_handed_in(tmp_path: Path, kind: str) -> None:
    """Several calls add up; what a task may not say of itself is refused."""
    parts = [{"title": "One"}, {"title": "Two", "description": "more", "dependencies": ["One"]}]
    turns: list[Turn] = [
        [tool("add_tasks", tasks=parts)],
        [tool("add_tasks", tasks=[{"title": "Three", "kind": "command", "command": "rm -rf ."}])],
        [tool("add_tasks", tasks=[{"title": "Four"}]), tool("finish", result="split")],
    ]
    with acting(kind, tmp_path, *turns) as scene:
        steps, result = act(scene)
    assert (result.stop, result.subtasks) == ("done", (*parts, {"title": "Four"}))
    errors = [error for _, _, error in used(steps) if error]
    assert len(errors) == 1
    assert "tasks.0.kind: Extra inputs are not permitted" in errors[0]


@pytest.mark.parametrize("kind", [name for name, one in KINDS.items() if one.streams])
def test_text_is_told_while_it_is_written(tmp_path: Path, kind: str) -> None:
    """A paragraph is told as soon as the next one begins, not when the answer is whole."""
    slow = Drip([text("First.\n\nSec"), text("ond.\n\nThird.")], 0.1)
    with acting(kind, tmp_path, slow) as scene:
        steps, _ = act(scene)
    assert [step.text for step in steps if isinstance(step, Said)] == ["First.", "Second.", "Third."]


@every_kind
def test_a_slow_drip_is_not_silence(tmp_path: Path, kind: str) -> None:
    """Any event is a sign of life, though the answer takes longer than silence may."""
    with acting(kind, tmp_path, Drip([text("done")], 0.2), idle_timeout="500ms") as scene:
        _, result = act(scene)
        assert len(scene.server.requests) == 1
    assert result.stop == "done"


# -- what is not allowed ----------------------------------------------------------------------------------


@every_kind
def test_read_only_work_cannot_write(tmp_path: Path, kind: str) -> None:
    """No tool that could write is offered; one that is used all the same is denied, with the cure."""
    turns: list[Turn] = [
        [tool("write", path="a", content="a"), tool("run", command="touch b")],
        [tool("read", path="c")],
        [text("I did it all.")],
    ]
    with acting(kind, tmp_path, *turns) as scene:
        (tmp_path / "work" / "c").write_text("see")
        steps, result = act(replace(scene, permissions="read-only"))
        offered = {_name(one) for one in scene.server.requests[0].body["tools"]}
    assert offered == {"read", "list", "search", "add_tasks", "propose_task", "note", "finish"}
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["c"]
    assert not [step for step in steps if isinstance(step, Changed)]
    cure = 'permissions = "workspace-write" would allow it'
    assert (result.stop, result.denied, result.reason) == ("denied", ("write", "run"), cure)
    assert result.text == "I did it all."


def _name(offered: dict[str, Any]) -> str:
    return str(offered.get("function", offered)["name"])


@every_kind
def test_no_tool_leaves_the_workspace(tmp_path: Path, kind: str) -> None:
    """By dots, whole paths and links, to read or to write: it fails, and the work goes on."""
    secret, target = tmp_path / "secret", "../secret"
    outside = [target, str(secret), "link", "folder/secret"]
    calls = [tool("read", path=path) for path in outside]
    calls += [tool("write", path=path, content="x") for path in outside]
    calls += [tool("edit", path=path, old="shh", new="x") for path in outside]
    calls += [tool("list", path=".."), tool("search", path="folder", regex="shh")]
    with acting(kind, tmp_path, calls, [text("done")]) as scene:
        secret.write_text("shh")
        (tmp_path / "work" / "link").symlink_to(secret)
        (tmp_path / "work" / "folder").symlink_to(tmp_path)
        steps, result = act(scene)
    errors = [error for _, _, error in used(steps) if error]
    assert len(errors) == len(calls)
    assert all("is outside the workspace" in error for error in errors)
    assert (result.stop, secret.read_text()) == ("done", "shh")


@every_kind
def test_wrong_use_of_tools_is_told_to_the_model(tmp_path: Path, kind: str) -> None:
    """A tool there is none of, arguments that do not fit: the model hears what is wrong and goes on."""
    calls = [tool("Bash", command="ls"), tool("read"), tool("read", path="a", lines=3)]
    with acting(kind, tmp_path, calls, [text("done")]) as scene:
        steps, result = act(scene)
        told = scene.told()
    assert result.stop == "done"
    errors = [error for _, _, error in used(steps) if error]
    assert errors[0].startswith("there is no tool Bash: use one of read, ")
    assert errors[1] == "these arguments cannot be used: path: Field required"
    assert errors[2] == "these arguments cannot be used: lines: Extra inputs are not permitted"
    assert all(error in told for error in errors)


@pytest.mark.parametrize("kind", ["responses", "chat"])
def test_arguments_that_are_no_json_are_told_to_the_model(tmp_path: Path, kind: str) -> None:
    """They arrive as text, and are an error like any other."""
    broken = {**tool("read"), "input": '{"path": "a'}
    with acting(kind, tmp_path, [broken], [text("done")]) as scene:
        steps, result = act(scene)
    assert result.stop == "done"
    assert "valid dictionary" in used(steps)[1][2]


@every_kind
def test_huge_output_is_cut(tmp_path: Path, kind: str) -> None:
    """Of ten million bytes the model sees the beginning and the end."""
    line = "echo begin; head -c 10000000 /dev/zero | tr '\\0' x; echo; echo end"
    with acting(kind, tmp_path, [tool("run", command=line)], [text("done")]) as scene:
        _, result = act(scene)
        told = scene.told()
    assert result.stop == "done"
    assert "begin" in told
    assert "bytes are left out here" in told
    assert "end\\n(exit code 0)" in told
    assert len(told) < 60_000


@every_kind
def test_keys_stay_out_of_everything(tmp_path: Path, kind: str) -> None:
    """Commands do not get them, and where one finds them all the same they are struck out."""
    nosy = f"env | grep KEY; echo found={KEY[:9]}''{KEY[9:]}; echo looked"
    echo = Failure(401, "authentication_error", f"no good: {KEY}")
    with acting(kind, tmp_path, [tool("run", command=nosy)], echo) as scene:
        steps, result = act(scene)
        assert "looked" in scene.told(1)
        assert KEY not in scene.told(1)
        headers = scene.server.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "*" * len(KEY) in result.reason
    assert KEY not in str(steps)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("found=****" in path.read_text() for path in files)
    assert [path for path in files if KEY in path.read_text()] == []


# -- being stopped, and going on --------------------------------------------------------------------------


async def stopped(scene: Scene, requests: int) -> None:
    """Let the model work until so many calls have been made, then cancel it."""

    async def work() -> None:
        async with aclosing(cast(Any, scene.work())) as steps:
            async for step in steps:
                told.append(step)

    told: list[Step] = []
    task = asyncio.create_task(work())
    while len(scene.server.requests) < requests:
        assert not task.done(), told
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@every_kind
def test_cancelled_work_stops_and_its_conversation_goes_on(tmp_path: Path, kind: str) -> None:
    """Cancelled in the middle of a call, it stops at once; the next attempt knows all that was said."""
    with acting(kind, tmp_path, EDIT[0], Hang(), *EDIT[1:]) as scene:
        began = time.monotonic()
        asyncio.run(stopped(scene, 2))
        assert time.monotonic() - began < 10
        [kept] = (tmp_path / "home").glob("*.messages.jsonl")
        kept.write_bytes(kept.read_bytes() + b'{"message": "ans')  # a torn line, as a kill leaves one
        conversation = kept.name.partition(".")[0]
        steps, result = act(replace(scene, conversation=conversation))
        told = scene.told(2)
    assert steps[0] == Conversed(conversation)
    assert (tmp_path / "work" / "hello.txt").read_text() == "goodbye\n"
    assert (result.stop, result.text) == ("done", "done")
    assert all(
        words in told for words in (scene.prompt, "I write.", "hello.txt was created", "You were interrupted")
    )
    lines = [json.loads(line)["message"] for line in kept.read_text().splitlines()]
    assert lines == ["asked", "answered", "outcomes", "asked", "answered", "outcomes", "answered"]


def test_what_is_allowed_by_now_is_denied_no_more(tmp_path: Path) -> None:
    """Who was interrupted after a denial, and then given the right, can still succeed."""
    with acting("anthropic", tmp_path, EDIT[0], Hang(), *EDIT) as scene:
        asyncio.run(stopped(replace(scene, permissions="read-only"), 2))
        [kept] = (tmp_path / "home").glob("*.messages.jsonl")
        _, result = act(replace(scene, conversation=kept.name.partition(".")[0]))
    assert result.stop == "done"
    assert (tmp_path / "work" / "hello.txt").exists()


@every_kind
def test_work_cut_off_in_a_tool_goes_on_with_that_unknown(tmp_path: Path, kind: str) -> None:
    """The model is told that nobody knows whether the tool has done its work."""
    with acting(kind, tmp_path, [tool("run", command="echo $$ > begun; sleep 60")], [text("done")]) as scene:

        async def cut() -> None:
            work = asyncio.create_task(scene.steps())
            await asyncio.to_thread(pid_in, tmp_path / "work" / "begun")
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work

        asyncio.run(cut())
        [kept] = (tmp_path / "home").glob("*.messages.jsonl")
        _, result = act(replace(scene, conversation=kept.name.partition(".")[0]))
        assert "whether it was done is not known" in scene.told()
    assert result.stop == "done"


@every_kind
def test_a_lost_conversation_begins_anew(tmp_path: Path, kind: str) -> None:
    """Where its messages are gone, the same attempt starts another one."""
    with acting(kind, tmp_path, [text("done")]) as scene:
        steps, result = act(replace(scene, conversation="00000000-0000-4000-8000-000000000000"))
        assert "You were interrupted" not in scene.told()
    conversed = [step.conversation for step in steps if isinstance(step, Conversed)]
    assert (result.stop, len(conversed)) == ("done", 1)
    assert not conversed[0].startswith("00000000")


# -- what only one of them does ---------------------------------------------------------------------------


def test_anthropic_marks_what_need_not_be_read_anew(tmp_path: Path) -> None:
    """The system prompt (and with it the tools), the prompt, and all that was said until now."""
    with acting("anthropic", tmp_path, *EDIT) as scene:
        act(scene)
        body = scene.server.requests[2].body
    marked = {"type": "ephemeral"}
    assert body["system"][-1]["cache_control"] == marked
    marks = [message["content"][-1].get("cache_control") for message in body["messages"]]
    assert marks == [marked, None, None, None, marked]


def test_openai_gets_its_reasoning_back_and_keeps_nothing(tmp_path: Path) -> None:
    """Nothing is stored on its side, so sealed reasoning goes along; what is not sealed stays away."""
    sealed = {"type": "reasoning", "encrypted_content": "sealed"}
    turns: list[Turn] = [[sealed, {"type": "reasoning"}, tool("list")], [text("done")]]
    with acting("responses", tmp_path, *turns) as scene:
        act(scene)
        body = scene.server.requests[1].body
    assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])
    reasoning = [item for item in body["input"] if item.get("type") == "reasoning"]
    assert [item["encrypted_content"] for item in reasoning] == ["sealed"]


def test_a_conversation_can_change_its_api(tmp_path: Path) -> None:
    """What was said through Chat Completions is understood through Responses."""
    with acting("chat", tmp_path, EDIT[0], Hang()) as scene:
        asyncio.run(stopped(scene, 2))
    [kept] = (tmp_path / "home").glob("*.messages.jsonl")
    (tmp_path / "again" / "home").mkdir(parents=True)
    kept.rename(tmp_path / "again" / "home" / kept.name)
    with acting("responses", tmp_path / "again", [text("done")]) as scene:
        _, result = act(replace(scene, conversation=kept.name.partition(".")[0]))
        kinds = [item.get("type", item.get("role")) for item in scene.server.requests[0].body["input"]]
    assert result.stop == "done"
    assert kinds == ["user", "assistant", "function_call", "function_call_output", "user"]


@every_kind
def test_every_setting_reaches_the_model(tmp_path: Path, kind: str) -> None:
    """The model's name, the longest answer, and what only one of them has."""
    more = {"num_ctx": 4096} if kind == "ollama" else {}
    with acting(kind, tmp_path, [text("done")], model="special", max_tokens=1234, **more) as scene:
        act(scene)
        body = scene.server.requests[0].body
    assert body["model"] == "special"
    assert "1234" in str(body)
    assert ("4096" in str(body)) == (kind == "ollama")
