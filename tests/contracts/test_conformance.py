"""What programs and servers do to those who rely on them, each thing done to every adapter.

Beside the lies in ``test_providers``, ``test_agent_clis`` and ``test_model_trouble``, which are told there
with their reasons.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from aca.providers.base import Result, Said, Step
from aca.providers.models import chat
from tests.contracts import cli_agents
from tests.contracts.agents import REAL, Agent, Make, ending, faked
from tests.contracts.models import act as answer
from tests.contracts.models import acting, every_kind
from tests.model_server import Altered, text

FAKES: dict[str, Make] = {"fake claude": faked, **cli_agents.FAKES}
PROGRAMS: dict[str, Make] = {**REAL, "codex": cli_agents.real_codex}
every_fake = pytest.mark.parametrize("kind", FAKES)
every_program = pytest.mark.parametrize("kind", PROGRAMS)


def act(agent: Agent) -> tuple[list[Step], Result]:
    """Let the agent work; its steps and its result."""
    steps = asyncio.run(agent.steps())
    return steps, ending(steps)


# -- programs ---------------------------------------------------------------------------------------------


@every_fake
def test_a_program_that_asks_gets_no_answer_and_nobody_waits(tmp_path: Path, kind: str) -> None:
    """Its input ends with the prompt, and there is no terminal."""
    with FAKES[kind]("asks", tmp_path) as agent:
        began = time.monotonic()
        _, result = act(agent)
    assert (result.stop, result.text) == ("done", "done")
    assert time.monotonic() - began < 10


@every_fake
def test_a_stream_that_is_cut_at_64_kib_has_no_result(tmp_path: Path, kind: str) -> None:
    """As pipes cut it when a program does not wait for what it has written: half a line is no event."""
    with FAKES[kind]("64 KiB", tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.category) == ("failed", "transient")
    assert "ended without a result" in result.reason


@every_fake
def test_bytes_that_are_no_text_do_not_spoil_an_event(tmp_path: Path, kind: str) -> None:
    """What is left of the text is told, and the work goes on."""
    with FAKES[kind]("garbled", tmp_path) as agent:
        steps, result = act(agent)
    assert (result.stop, result.text) == ("done", "done")
    assert [step.text for step in steps if isinstance(step, Said)][-1:] in (["\ufffd"], ["done"])


@every_fake
def test_the_last_of_two_results_counts(tmp_path: Path, kind: str) -> None:
    """A run may go on after a first one."""
    with FAKES[kind]("two results", tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.text) == ("done", "second")


@every_fake
def test_a_storm_of_refusals_ends_as_trouble_of_the_moment(tmp_path: Path, kind: str) -> None:
    """However often the program has tried by itself: aca tries again later."""
    with FAKES[kind]("storm", tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.category) == ("failed", "transient")
    assert "429" in result.reason


@every_program
def test_a_real_program_in_a_storm_of_refusals(tmp_path: Path, kind: str) -> None:
    """The same with a server that says nothing but 429."""
    with PROGRAMS[kind]("storm", tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.category) == ("failed", "transient"), result.reason


@every_program
def test_a_real_program_whose_model_drips(tmp_path: Path, kind: str) -> None:
    """A slow answer is an answer."""
    with PROGRAMS[kind]("drip", tmp_path) as agent:
        _, result = act(agent)
    assert (result.stop, result.text) == ("done", "done")


@every_program
def test_a_real_program_whose_model_breaks_off(tmp_path: Path, kind: str) -> None:
    """The program may mend it; where it does not, that is trouble of the moment and never success."""
    with PROGRAMS[kind]("cut", tmp_path) as agent:
        _, result = act(agent)
    if result.stop == "done":
        assert result.text == "done"
    else:
        assert (result.stop, result.category) == ("failed", "transient"), result.reason


# -- models -----------------------------------------------------------------------------------------------


@every_kind
def test_bytes_that_are_no_text_do_not_spoil_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Whatever the vendor's package makes of it: no bug report, no success that was not claimed."""
    garbled = Altered([text("do\u00a7ne")], rb"\\u00a7", b"\xff")
    monkeypatch.setattr(chat, "PAUSE", 0.01)
    with acting(kind, tmp_path, garbled, garbled, garbled, garbled) as scene:
        _, result = answer(scene)
    assert result.text == "do\ufffdne" if result.stop == "done" else result.category == "transient"


@every_kind
def test_an_answer_in_one_huge_piece_is_read(tmp_path: Path, kind: str) -> None:
    """Megabytes on one line."""
    with acting(kind, tmp_path, [text("x" * 3_000_000)]) as scene:
        _, result = answer(scene)
    assert (result.stop, len(result.text)) == ("done", 3_000_000)
