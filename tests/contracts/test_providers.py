"""What every provider keeps to, and every lie of a command line that must not be believed."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs

from aca.core.events import FileChange, Usage
from aca.providers.base import Changed, Conversed, Limited, Result, Said, Step, Used
from aca.safety.place import Patience
from tests.contracts import agents, cli_agents
from tests.contracts.agents import LEAVE, REAL, Agent, ending, faked
from tests.places import pid_in, processes_of, running

KINDS = {**agents.KINDS, **cli_agents.KINDS}
TELLING = [kind for kind in KINDS if "codex" not in kind]
"""Those that name each tool and tell what it costs."""
DENYING = [kind for kind in KINDS if kind != "codex"]


def act(agent: Agent) -> tuple[list[Step], Result]:
    """Let the agent work; its steps and its result."""
    steps = asyncio.run(agent.steps())
    return steps, ending(steps)


async def until(steps: AsyncIterator[Step], kind: type[Step]) -> None:
    """Read on to the first step of this kind."""
    while not isinstance(await anext(steps), kind):
        pass


# -- the contract -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TELLING)
def test_work_is_told_as_it_happens_and_ends_with_one_result(tmp_path: Path, kind: str) -> None:
    """What is said, used and changed is told, files by their names in the workspace; cost is told once."""
    with KINDS[kind]("edit", tmp_path) as agent:
        steps, result = act(agent)
    assert (tmp_path / "work" / "hello.txt").read_text() == "goodbye\n"
    changed = [step.change for step in steps if isinstance(step, Changed)]
    assert changed == [FileChange("hello.txt", "created"), FileChange("hello.txt", "modified")]
    used = [(step.tool.lower(), step.detail, step.error) for step in steps if isinstance(step, Used)]
    assert used == [("write", "hello.txt", ""), ("edit", "hello.txt", "")]
    assert next(step for step in steps if isinstance(step, Said)) == Said("I write.")
    assert (result.stop, result.text) == ("done", "done")
    assert result.usage is not None
    assert (result.usage.input_tokens, result.usage.output_tokens) == (300, 60)
    assert result.usage.cost_usd == pytest.approx(0.002, rel=0.5)


@pytest.mark.parametrize("kind", DENYING)
def test_a_denied_tool_is_never_success(tmp_path: Path, kind: str) -> None:
    """Work in which a tool was refused ends as denied and names the tool, whatever is claimed."""
    with KINDS[kind]("denied", tmp_path) as agent:
        _, result = act(agent)
    tool = "apply_patch" if kind == "fake codex" else "Bash"
    assert (result.stop, result.denied, result.text) == ("denied", (tool,), "I could not")


@pytest.mark.parametrize("kind", KINDS)
def test_trouble_of_the_moment_is_transient(tmp_path: Path, kind: str) -> None:
    """An overloaded model is a failure that is worth another try, with its reason."""
    with KINDS[kind]("fail", tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.category) == ("failed", "transient")
    assert "overloaded" in result.reason


@pytest.mark.parametrize("kind", KINDS)
def test_cancelled_work_stops(tmp_path: Path, kind: str) -> None:
    """Cancelled in the middle, the work stops soon and no process is left."""

    async def cancelled(agent: Agent) -> None:
        async def work() -> None:
            async with aclosing(cast(Any, agent.work())) as steps:
                await until(steps, Said)
                begun.set()
                await until(steps, Result)

        begun = asyncio.Event()
        task = asyncio.create_task(work())
        await begun.wait()
        assert bool(processes_of(agent.place)) == (kind != "replay")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with KINDS[kind]("hang", tmp_path) as agent:
        began = time.monotonic()
        asyncio.run(cancelled(agent))
        assert time.monotonic() - began < 20
        assert processes_of(agent.place) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_left_behind_is_ended(tmp_path: Path, kind: str) -> None:
    """What a tool leaves running in a session of its own does not outlive the attempt."""
    with KINDS[kind]("leave", tmp_path) as agent:
        options = {**agent.options, "allowed_tools": ["Bash"]} if kind in REAL else agent.options
        _, result = act(
            replace(agent, options=options, permissions="full" if kind == "codex" else agent.permissions)
        )
    assert result.stop == "done", result
    assert not running(pid_in(tmp_path / "work" / "pid"))


@pytest.mark.parametrize("kind", ["replay", *REAL])
def test_read_only_work_cannot_write(tmp_path: Path, kind: str) -> None:
    """With read-only permissions nothing is written, and an attempt to is denied with the cure."""
    with KINDS[kind]("write", tmp_path) as agent:
        steps, result = act(replace(agent, permissions="read-only"))
    assert not (tmp_path / "work" / "hello.txt").exists()
    assert not [step for step in steps if isinstance(step, Changed)]
    assert (result.stop, [tool.lower() for tool in result.denied]) == ("denied", ["write"])
    assert result.reason == 'permissions = "workspace-write" would allow it'


# -- a command line that lies -----------------------------------------------------------------------------

LIES = {
    "cut": ("failed", "transient", "the stream ended without a result (exit code 0)"),
    "no result": ("failed", "transient", "the stream ended without a result (exit code 0)"),
    "no output": ("failed", "transient", "the stream ended without a result (exit code 0)"),
    "killed": ("failed", "transient", "the stream ended without a result (killed by signal 9)"),
    "exit 0 on error": ("failed", "task", "boom"),
    "empty": ("failed", "task", "the agent ended without a word"),
    "refusal": ("failed", "task", "the model refused: I will not"),
    "too long": ("failed", "task", "Prompt is too long; split the task into smaller ones"),
    "unknown option": ("failed", "input", "the stream ended without a result: error: unknown option '--x'"),
}


@pytest.mark.parametrize("scene", LIES)
def test_failure_is_seen_whatever_the_exit_code(tmp_path: Path, scene: str) -> None:
    """The stream alone decides, and each way it can be wrong has its own reason."""
    with faked(scene, tmp_path) as agent:
        _, result = act(agent)
    stop, category, reason = LIES[scene]
    assert (result.stop, result.category) == (stop, category)
    assert result.reason.startswith(reason)


@pytest.mark.parametrize("scene", ["noise", "not text", "odd", "huge"])
def test_what_is_not_understood_is_passed_over(tmp_path: Path, scene: str) -> None:
    """Lines that are no events, odd events and huge ones do not hide the result."""
    with faked(scene, tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.text) == ("done", "done")


def test_the_whole_stream_is_kept(tmp_path: Path) -> None:
    """Prompt and raw stream lie in the attempt's logs, noise included."""
    with faked("noise", tmp_path) as agent:
        act(agent)
    assert (agent.logs / "prompt.md").read_text() == agent.prompt
    assert "npm WARN old\n[1, 2]\nnull\n" in (agent.logs / "stream.jsonl").read_text()


def test_the_last_of_several_results_counts(tmp_path: Path) -> None:
    """A run may go on after a first result; the last one is what it claims, and usage adds up."""
    with faked("two results", tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.text) == ("done", "second")
    assert result.usage == Usage(600, 120, cost_usd=0.002)


def test_silence_is_ended_and_tried_again(tmp_path: Path) -> None:
    """A program that prints nothing for too long is stopped: a failure worth another try."""
    with faked("silent", tmp_path, idle_timeout="500ms") as agent:
        _, result = act(agent)
    assert (result.stop, result.category) == ("failed", "transient")
    assert "claude fell silent" in result.reason


def test_a_slow_drip_is_not_silence(tmp_path: Path) -> None:
    """Any byte is a sign of life."""
    with faked("drip", tmp_path, idle_timeout="600ms") as agent:
        _, result = act(agent)
    assert result.stop == "done"


def test_a_program_that_stays_after_its_result_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result counts, though the program does not exit by itself."""
    monkeypatch.setattr("aca.processes.process.LINGER", 0.3)
    with faked("lingers", tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.text) == ("done", "done")
    assert processes_of(agent.place) == []


def test_a_program_deaf_to_signals_is_killed(tmp_path: Path) -> None:
    """What ignores interruption and termination is gone all the same."""
    with faked("deaf", tmp_path, idle_timeout="300ms") as agent:
        _, result = act(replace(agent, place=structs.replace(agent.place, patience=Patience(0.1, 0.1))))
    assert (result.stop, result.category) == ("failed", "transient")
    assert processes_of(agent.place) == []


def test_a_missing_program_is_told_with_its_cure(tmp_path: Path) -> None:
    """A claude that is not installed is a failure of the machine, with how to install it."""
    with faked("edit", tmp_path) as agent:
        absent = replace(agent, options={"command": "no-such-claude"})
        _, result = act(absent)
        available = absent.provider.check(absent.options)
    assert (result.stop, result.category) == ("failed", "system")
    assert "no-such-claude: command not found; install it with" in result.reason
    assert (available.ok, available.detail) == (False, "no-such-claude is not on the PATH")


# -- the real claude --------------------------------------------------------------------------------------

every_claude = pytest.mark.parametrize("kind", REAL)


@every_claude
def test_a_conversation_is_continued(tmp_path: Path, kind: str) -> None:
    """An interrupted attempt goes on where it was, and its cost is not counted twice."""
    with KINDS[kind]("write", tmp_path) as agent:
        steps, first = act(agent)
        conversation = next(step.conversation for step in steps if isinstance(step, Conversed))
        steps, second = act(replace(agent, conversation=conversation))
        assert agent.model is not None
        told = [message["role"] for message in agent.model.requests[-1].body["messages"]]
    assert [step for step in steps if isinstance(step, Conversed)] == [Conversed(conversation)]
    assert told.count("user") >= 3, "the model sees what was said before"
    assert first.usage is not None
    assert second.usage is not None
    assert (first.usage.input_tokens, second.usage.input_tokens) == (200, 100)
    assert second.usage.cost_usd == pytest.approx((first.usage.cost_usd or 0) / 2)


@every_claude
def test_a_lost_conversation_begins_anew(tmp_path: Path, kind: str) -> None:
    """Where the earlier conversation is gone, the same attempt starts another one."""
    gone = "00000000-0000-4000-8000-000000000000"
    with KINDS[kind]("write", tmp_path) as agent:
        steps, result = act(replace(agent, conversation=gone))
    conversations = [step.conversation for step in steps if isinstance(step, Conversed)]
    assert (result.stop, conversations[0], len(conversations)) == ("done", gone, 2)
    assert (tmp_path / "work" / "hello.txt").exists()


@every_claude
def test_a_closed_quota_window_is_told_with_its_end(tmp_path: Path, kind: str) -> None:
    """A subscription's limit is no failure: it says when it ends."""
    with KINDS[kind]("quota", tmp_path) as agent:
        env = {**agent.place.env, "ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "none"}
        steps, result = act(replace(agent, place=structs.replace(agent.place, env=env)))
    assert (result.stop, result.until) == ("quota", 4_000_000_000.0)
    limits = [step.info for step in steps if isinstance(step, Limited)]
    assert [info["rateLimitType"] for info in limits] == ["five_hour"]


@every_claude
def test_every_setting_reaches_the_program(tmp_path: Path, kind: str) -> None:
    """Model, system prompt and the longest answer show in the request to the model."""
    options = {
        "model": "claude-haiku-4-5",
        "max_tokens": 1234,
        "disallowed_tools": ["WebSearch"],
        "max_turns": 1,
    }
    with KINDS[kind]("denied", tmp_path, **options) as agent:
        _, result = act(agent)
        assert agent.model is not None
        body = agent.model.requests[0].body
    assert (body["model"], body["max_tokens"]) == ("claude-haiku-4-5", 1234)
    assert "WebSearch" not in {tool["name"] for tool in body["tools"]}
    assert agent.prompt in str(body["messages"])
    assert (result.stop, result.category) == ("failed", "task")
    assert f"raise providers.{agent.provider.name}.max_turns" in result.reason


def test_the_scene_that_leaves_a_process_does(tmp_path: Path) -> None:
    """The line that the contract relies on really leaves one behind."""
    subprocess.run(["sh", "-c", LEAVE], cwd=tmp_path, check=True)
    pid = pid_in(tmp_path / "pid")
    assert running(pid)
    subprocess.run(["kill", "-9", str(pid)], check=True)
