"""What goes wrong with models, and what every model API makes of it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from aca.providers.base import Limited
from aca.providers.models import chat
from tests.contracts.models import EDIT, KINDS, act, acting, every_kind
from tests.model_server import Cut, Failure, Hang, Stopped, Turn, text, tool


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried at once."""
    monkeypatch.setattr(chat, "PAUSE", 0.01)


@every_kind
@pytest.mark.parametrize(
    "failure",
    [
        Failure(429, "rate_limit_error", "slow down", {"retry-after": "0"}),
        Failure(500, "api_error", "oops"),
        Failure(529, "overloaded_error", "overloaded"),
        Failure(503, "api_error", "loading model"),
        Failure(408, "timeout_error", "too slow"),
        Cut(),
        Cut("overloaded_error"),
    ],
    ids=["429", "500", "529", "503", "408", "cut", "broken"],
)
def test_trouble_of_the_moment_is_tried_again(tmp_path: Path, kind: str, failure: Turn) -> None:
    """The work goes on as if nothing had been; half an answer counts for nothing."""
    with acting(kind, tmp_path, failure, EDIT[0], failure, failure, *EDIT[1:]) as scene:
        steps, result = act(scene)
        assert len(scene.server.requests) == 6
        assert "half of a sen" not in scene.told()
    assert (result.stop, result.text) == ("done", "done")
    assert (tmp_path / "work" / "hello.txt").read_text() == "goodbye\n"
    limited = [step for step in steps if isinstance(step, Limited)]
    assert len(limited) == (3 if isinstance(failure, Failure) and failure.status == 429 else 0)


TROUBLES: dict[str, tuple[Turn, str, str]] = {
    "overloaded": (Failure(529, "overloaded_error", "overloaded"), "transient", "overloaded"),
    "storm": (Failure(429, "rate_limit_error", "slow down", {"retry-after": "0"}), "transient", "slow down"),
    "cut": (Cut(), "transient", ""),
    "broken": (Cut("api_error"), "transient", ""),
    "key": (Failure(401, "authentication_error", "no such key"), "system", "to a key that is valid"),
    "forbidden": (Failure(403, "permission_error", "not yours"), "system", "the key may not do this"),
    "balance": (Failure(429, "insufficient_quota", "you ran out of it"), "system", "balance"),
    "model": (Failure(404, "not_found_error", "no model x"), "input", "see model and providers."),
    "request": (Failure(400, "invalid_request_error", "bad tools"), "input", "see model and providers."),
    "too long": (
        Failure(400, "invalid_request_error", "prompt is too long: 9 > 8"),
        "task",
        "split the task",
    ),
    "context": (Failure(400, "context_length_exceeded", "maximum context length"), "task", "split the task"),
    "too large": (Failure(413, "request_too_large", "too large"), "task", "split the task"),
}


@every_kind
@pytest.mark.parametrize("trouble", TROUBLES)
def test_every_trouble_is_what_it_is(tmp_path: Path, kind: str, trouble: str) -> None:
    """Each has its category, its cause and what to do; only that of the moment is tried again."""
    turn, category, words = TROUBLES[trouble]
    with acting(kind, tmp_path, EDIT[0], *[turn] * 4) as scene:
        _, result = act(scene)
        assert len(scene.server.requests) == (5 if category == "transient" else 2)
    assert (result.stop, result.category) == ("failed", category), result.reason
    assert words in result.reason
    if isinstance(turn, Failure):
        assert turn.message in result.reason
    assert result.usage is not None
    assert result.usage.output_tokens == 20, "what was used before is told"


@every_kind
def test_silence_is_trouble_of_the_moment(tmp_path: Path, kind: str) -> None:
    """A model that says nothing for too long is asked again."""
    with acting(kind, tmp_path, Hang(), [text("done")], idle_timeout="300ms") as scene:
        _, result = act(scene)
        assert len(scene.server.requests) == 2
    assert result.stop == "done"


@every_kind
def test_a_server_that_is_not_there_is_trouble_of_the_moment(tmp_path: Path, kind: str) -> None:
    """It may come back."""
    with acting(kind, tmp_path) as scene:
        gone = {**scene.options, scene.kind.address: "http://127.0.0.1:9/scene"}
        _, result = act(replace(scene, options=gone))
    assert (result.stop, result.category) == ("failed", "transient")


@pytest.mark.parametrize("kind", [name for name, one in KINDS.items() if one.streams])
def test_a_closed_quota_window_is_told_with_its_end(tmp_path: Path, kind: str) -> None:
    """To be left alone for an hour is no failure: nobody waits for it here."""
    failure = Failure(429, "rate_limit_error", "come back later", {"retry-after": "3600"})
    with acting(kind, tmp_path, failure) as scene:
        steps, result = act(scene)
        assert len(scene.server.requests) == 1
    assert result.stop == "quota"
    assert result.until == pytest.approx(time.time() + 3600, abs=30)
    assert [step.info["retry_after"] for step in steps if isinstance(step, Limited)] == [3600.0]


def test_waiting_takes_as_long_as_the_model_says(tmp_path: Path) -> None:
    """Neither shorter nor much longer."""
    failure = Failure(429, "rate_limit_error", "slow down", {"retry-after-ms": "400"})
    with acting("anthropic", tmp_path, failure, [text("done")]) as scene:
        began = time.monotonic()
        _, result = act(scene)
    assert result.stop == "done"
    assert 0.4 <= time.monotonic() - began < 5


REFUSALS = {
    "anthropic": "refusal",
    "responses": "refusal",
    "chat": "refusal",
    "filtered chat": "filtered",
    "filtered responses": "filtered",
}


@pytest.mark.parametrize("how", REFUSALS)
def test_a_refusal_is_not_success(tmp_path: Path, how: str) -> None:
    """The model's own words are the reason."""
    with acting(how.split()[-1], tmp_path, Stopped([text("I will not")], REFUSALS[how])) as scene:
        _, result = act(scene)
    assert (result.stop, result.category) == ("failed", "task")
    assert result.reason.startswith("the model refused: I will not; ")


@every_kind
def test_an_answer_that_was_cut_off_is_gone_on_with(tmp_path: Path, kind: str) -> None:
    """Tools in it are not used: their arguments may be only half there."""
    long = Stopped([text("So I"), tool("write", path="a", content="hal")], "length")
    with acting(kind, tmp_path, long, [text("done")], max_tokens=2048) as scene:
        _, result = act(scene)
        assert "Go on, in smaller steps." in scene.told()
        assert "2048" in scene.told()
        assert "'hal'" not in scene.told()
    assert result.stop == "done"
    assert not (tmp_path / "work" / "a").exists()


def test_a_full_context_window_of_ollama_is_told(tmp_path: Path) -> None:
    """Where no longest answer was asked for, an answer that is cut off means that."""
    with acting("ollama", tmp_path, Stopped([text("So I")], "length")) as scene:
        _, result = act(scene)
    assert (result.stop, result.category) == ("failed", "task")
    assert "raise providers.ollama.num_ctx" in result.reason


@every_kind
def test_an_agent_that_never_ends_is_ended(tmp_path: Path, kind: str) -> None:
    """After so many answers, with the setting that would allow more."""
    turns: list[Turn] = [[tool("list")]] * 5
    with acting(kind, tmp_path, *turns, max_turns=3) as scene:
        _, result = act(scene)
        assert len(scene.server.requests) == 3
    assert (result.stop, result.category) == ("failed", "task")
    assert f"raise providers.{scene.kind.provider}.max_turns" in result.reason


@every_kind
def test_an_end_without_a_word_is_not_success(tmp_path: Path, kind: str) -> None:
    """Neither text nor tool: nothing was claimed."""
    with acting(kind, tmp_path, []) as scene:
        _, result = act(scene)
    assert (result.stop, result.reason) == ("failed", "the agent ended without a word")
