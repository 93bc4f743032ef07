"""What declared agent CLIs and codex keep to, and every lie of theirs that must not be believed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from aca.core.events import FileChange, Usage
from aca.providers.base import Changed, Conversed, Result, Said, Step, Used
from aca.safety.place import Patience
from tests.contracts.agents import Agent, ending
from tests.contracts.cli_agents import FAKES, KINDS, fake_codex, real_codex
from tests.contracts.cli_agents import declared as declared_agent
from tests.places import processes_of


def act(agent: Agent) -> tuple[list[Step], Result]:
    """Let the agent work; its steps and its result."""
    steps = asyncio.run(agent.steps())
    return steps, ending(steps)


def conversations(steps: list[Step]) -> list[str]:
    return [step.conversation for step in steps if isinstance(step, Conversed)]


# -- lies -------------------------------------------------------------------------------------------------

LIES = {
    "cut": ("transient", "ended without a result (exit code 0)"),
    "no result": ("transient", "ended without a result (exit code 0)"),
    "no output": ("transient", "ended without a result (exit code 0)"),
    "killed": ("transient", "ended without a result (killed by signal 9)"),
    "exit 0 on error": ("task", "boom"),
    "fails late": ("task", "boom"),
    "goes on": ("transient", "ended without a result (exit code 0)"),
    "empty": ("task", "the agent ended without a word"),
    "too long": ("task", "split the task into smaller ones"),
    "no key": ("system", "bad key; "),
    "unknown option": ("input", "ended without a result (exit code 2): error: unexpected argument '--x'"),
}


@pytest.mark.parametrize("kind", FAKES)
@pytest.mark.parametrize("scene", LIES)
def test_failure_is_seen_whatever_the_exit_code(tmp_path: Path, kind: str, scene: str) -> None:
    """The stream alone decides, and each way it can be wrong has its own reason."""
    with FAKES[kind](scene, tmp_path) as agent:
        _, result = act(agent)
    category, reason = LIES[scene]
    assert (result.stop, result.category) == ("failed", category)
    assert reason in result.reason


@pytest.mark.parametrize("kind", FAKES)
@pytest.mark.parametrize("scene", ["noise", "not text", "odd", "huge", "exit 1 when done"])
def test_what_is_not_understood_is_passed_over(tmp_path: Path, kind: str, scene: str) -> None:
    """Lines that are no events, odd events and huge ones do not hide that it is done."""
    with FAKES[kind](scene, tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.text) == ("done", "done")


@pytest.mark.parametrize("kind", FAKES)
def test_silence_is_ended_and_tried_again(tmp_path: Path, kind: str) -> None:
    """A program that prints nothing for too long is stopped: a failure worth another try."""
    with FAKES[kind]("silent", tmp_path, idle_timeout="500ms") as agent:
        _, result = act(agent)
    assert (result.stop, result.category) == ("failed", "transient")
    assert "fell silent and was stopped" in result.reason


@pytest.mark.parametrize("kind", FAKES)
def test_a_slow_drip_is_not_silence(tmp_path: Path, kind: str) -> None:
    """Any byte is a sign of life."""
    with FAKES[kind]("drip", tmp_path, idle_timeout="600ms") as agent:
        _, result = act(agent)
    assert result.stop == "done"


def test_codex_that_only_waits_for_the_network_is_stopped(tmp_path: Path) -> None:
    """It says so for ever; that is no sign of life."""
    with fake_codex("waits", tmp_path, idle_timeout="500ms") as agent:
        _, result = act(agent)
    assert (result.stop, result.category) == ("failed", "transient")
    assert "only waited (Reconnecting... waiting for network) and was stopped" in result.reason


@pytest.mark.parametrize("kind", FAKES)
def test_a_program_that_stays_after_its_end_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """That it is done counts, though it does not exit by itself."""
    monkeypatch.setattr("aca.processes.process.LINGER", 0.3)
    with FAKES[kind]("lingers", tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.text) == ("done", "done")
    assert processes_of(agent.place) == []


@pytest.mark.parametrize("kind", FAKES)
def test_a_program_deaf_to_signals_is_killed(tmp_path: Path, kind: str) -> None:
    """What ignores interruption and termination is gone all the same."""
    with FAKES[kind]("deaf", tmp_path, idle_timeout="300ms") as agent:
        _, result = act(replace(agent, place=structs.replace(agent.place, patience=Patience(0.1, 0.1))))
    assert (result.stop, result.category) == ("failed", "transient")
    assert processes_of(agent.place) == []


@pytest.mark.parametrize("kind", FAKES)
def test_a_missing_program_is_told(tmp_path: Path, kind: str) -> None:
    """It is a failure of the machine, with how to get the program."""
    with FAKES[kind]("edit", tmp_path, command=["no-such-agent"]) as agent:
        _, result = act(agent)
        available = agent.provider.check(agent.options)
    assert (result.stop, result.category) == ("failed", "system")
    assert "no-such-agent: command not found; install it" in result.reason
    assert (available.ok, available.detail) == (False, "no-such-agent is not on the PATH")


@pytest.mark.parametrize("kind", FAKES)
def test_what_cannot_be_started_by_a_wrapper_is_no_passing_trouble(tmp_path: Path, kind: str) -> None:
    """As in a sandbox, which starts the program itself: trying it again mends nothing."""
    with FAKES[kind]("edit", tmp_path, command=["env", "no-such-agent"]) as agent:
        _, result = act(agent)
    assert (result.stop, result.category) == ("failed", "system")
    assert "no-such-agent" in result.reason


# -- conversations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAKES)
def test_a_lost_conversation_begins_anew(tmp_path: Path, kind: str) -> None:
    """Where the earlier conversation is gone, the same attempt starts another one."""
    with FAKES[kind]("forgets", tmp_path) as agent:
        _, result = act(replace(agent, conversation="gone"))
    assert (result.stop, result.text) == ("done", "done")


@pytest.mark.parametrize("kind", FAKES)
def test_a_continued_conversation_is_told_that_it_was_interrupted(tmp_path: Path, kind: str) -> None:
    """The conversation's name reaches the program; so does the prompt, and what happened."""
    with FAKES[kind]("told", tmp_path) as agent:
        act(replace(agent, conversation="one"))
    argv, prompt = json.loads((tmp_path / "work" / "told").read_text())
    assert argv[argv.index("resume" if kind == "fake codex" else "--resume") + 1] == "one"
    assert prompt.startswith("You were interrupted")
    assert prompt.endswith(agent.prompt)


def test_codex_counts_its_use_from_the_beginning_and_aca_does_not(tmp_path: Path) -> None:
    """A continued thread tells its whole use again; what an earlier attempt has told is taken off."""
    with real_codex("remember", tmp_path) as agent:
        steps, first = act(agent)
        [thread] = conversations(steps)
        later = replace(agent, conversation=thread, attempt=2)
        steps, second = act(later)
    assert conversations(steps) == [thread]
    assert (first.text, second.text) == ("I begin.", "I go on.")
    assert first.usage == second.usage == Usage(70, 20, cache_read_tokens=30)


def test_the_real_codex_begins_anew_when_its_thread_is_lost(tmp_path: Path) -> None:
    """The thread it is asked for is not there: it does the task in a new one."""
    gone = "00000000-0000-4000-8000-000000000000"
    with real_codex("write", tmp_path) as agent:
        steps, result = act(replace(agent, conversation=gone))
    assert (result.stop, len(conversations(steps))) == ("done", 1)
    assert (tmp_path / "work" / "hello.txt").exists()


# -- codex ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fake codex", "codex"])
def test_codex_tells_what_it_does(tmp_path: Path, kind: str) -> None:
    """Files by their names in the workspace, commands, what it says, tokens; its cost is unknown."""
    with KINDS[kind]("edit", tmp_path) as agent:
        steps, result = act(agent)
    assert (tmp_path / "work" / "hello.txt").read_text() == "goodbye\n"
    changed = [step.change for step in steps if isinstance(step, Changed)]
    assert changed == [FileChange("hello.txt", "created"), FileChange("hello.txt", "modified")]
    assert {step.tool for step in steps if isinstance(step, Used)} == {"command_execution"}
    assert [step.text for step in steps if isinstance(step, Said)] == ["I write.", "done"]
    assert (result.stop, result.text) == ("done", "done")
    assert result.usage is not None
    assert result.usage.cost_usd is None
    assert result.usage.input_tokens + result.usage.cache_read_tokens in (330, 400)


def test_codex_without_the_right_to_write_is_denied(tmp_path: Path) -> None:
    """Read-only work writes nothing, and a patch that was refused is never success."""
    with real_codex("write", tmp_path) as agent:
        _, result = act(replace(agent, permissions="read-only"))
    assert not (tmp_path / "work" / "hello.txt").exists()
    assert (result.stop, result.denied) == ("denied", ("apply_patch",))
    assert 'permissions = "workspace-write"' in result.reason


def test_codex_is_told_model_permissions_and_system_prompt(tmp_path: Path) -> None:
    """All of them show in the request to the model."""
    with real_codex("remember", tmp_path, model="gpt-5.2", config=['model_verbosity="low"']) as agent:
        act(replace(agent, permissions="read-only", system_prompt='Be "brief"\nand é.'))
        assert agent.model is not None
        body = agent.model.requests[0].body
    assert body["model"] == "gpt-5.2"
    assert 'Be "brief"\nand é.' in [part["text"] for part in body["input"][1]["content"]]
    assert "read-only" in json.dumps(body["input"])
    assert agent.prompt in json.dumps(body["input"][-1])


# -- declarations -----------------------------------------------------------------------------------------


def test_a_declared_program_gets_what_its_command_has_a_place_for(tmp_path: Path) -> None:
    """Model and permissions as arguments, the system prompt in front of the prompt, which is on stdin."""
    with declared_agent("told", tmp_path, model="small") as agent:
        act(replace(agent, permissions="full", system_prompt="Be brief."))
    argv, prompt = json.loads((tmp_path / "work" / "told").read_text())
    assert argv == ["--model", "small", "--bold"]
    assert prompt == f"Be brief.\n\n{agent.prompt}"


def test_permissions_that_are_not_declared_are_refused(tmp_path: Path) -> None:
    """A program that cannot be told to be careful is not trusted to be."""
    with declared_agent("edit", tmp_path, permissions={"full": []}) as agent:
        _, result = act(agent)
    assert (result.stop, result.category) == ("failed", "input")
    assert not (tmp_path / "work" / "hello.txt").exists()
