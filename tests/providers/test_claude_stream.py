"""Real streams of two versions of claude are read as what they were."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aca.core.events import FileChange, Usage
from aca.processes.process import Ended
from aca.providers.base import Changed, Conversed, Result, Said, Step, Used
from aca.providers.claude.stream import Reading
from aca.safety.place import Patience, Place

SAMPLES = Path(__file__).parent.parent / "samples" / "claude"
HOMES = {"2.1.197": "/home/user/project/w1", "2.1.329": "/home/user/project/w7"}


def read(sample: str, *more: str, ended: Ended | None = None, stderr: str = "") -> tuple[list[Step], Result]:
    """The steps and the verdict of a recorded stream, with *more* lines after it."""
    where = Path(HOMES[sample[:7]])
    reading = Reading(Place(where, where, os.environ, "", Patience()), "")
    lines = [*(SAMPLES / f"{sample}.jsonl").read_text().splitlines(), *more]
    steps = [step for line in lines for step in reading.take(line.encode())]
    return steps, reading.verdict(ended or Ended(0, 1.0), stderr)


@pytest.mark.parametrize(("version", "cost"), [("2.1.197", 0.003), ("2.1.329", 0.0024)])
def test_an_edit_is_read(version: str, cost: float) -> None:
    """Said, used, changed, the conversation and what it cost, from both versions alike."""
    steps, result = read(f"{version}-edit")
    assert isinstance(steps[0], Conversed)
    assert steps[1:] == [
        Said("I'll write the file. "),
        Used("Write", "hello.txt"),
        Changed(FileChange("hello.txt", "created")),
        Used("Bash", "wc -c hello.txt && echo bash-ran > ran.txt"),
        Said("Done: wrote hello.txt and ran wc. "),
    ]
    assert (result.stop, result.text) == ("done", "Done: wrote hello.txt and ran wc. ")
    assert result.usage is not None
    assert result.usage == Usage(300, 60, cost_usd=result.usage.cost_usd)
    assert result.usage.cost_usd == pytest.approx(cost)


@pytest.mark.parametrize("sample", ["2.1.197-hooks", "2.1.197-partial"])
def test_events_of_other_kinds_are_passed_over(sample: str) -> None:
    """Hooks before the beginning and pieces of messages change nothing."""
    steps, result = read(sample)
    assert [step for step in steps if not isinstance(step, Conversed)] == [Said("Hello from the mock. ")]
    assert (result.stop, result.text) == ("done", "Hello from the mock. ")


def test_denials_are_read() -> None:
    """Exit code 0 and subtype success: only the list of denials tells."""
    steps, result = read("2.1.329-denied")
    assert (result.stop, result.denied) == ("denied", ("Write", "Bash"))
    assert result.reason == (
        'providers.claude-cli.allowed_tools = ["Write", "Bash"] or permissions = "full" would allow it'
    )
    assert not [step for step in steps if isinstance(step, Changed)]
    errors = [step for step in steps if isinstance(step, Used) and step.error]
    assert [(step.tool, step.detail) for step in errors] == [
        ("Write", "hello.txt"),
        ("Bash", "wc -c hello.txt && echo bash-ran > ran.txt"),
    ]


def test_a_rate_limit_is_transient() -> None:
    """The subtype says success; the error says otherwise, and no model has said anything."""
    steps, result = read("2.1.329-429")
    assert not [step for step in steps if isinstance(step, Said)]
    assert (result.stop, result.category) == ("failed", "transient")
    assert result.reason == "API Error: Request rejected (429) · mock 429"


def test_too_many_turns_is_the_tasks_failure() -> None:
    """The agent gave up, and what may be done is told."""
    _, result = read("2.1.329-maxturns")
    assert (result.stop, result.category) == ("failed", "task")
    assert result.reason.startswith(
        "Reached maximum number of turns (3); raise providers.claude-cli.max_turns"
    )


def test_an_interruption_is_no_failure() -> None:
    """Interrupted by somebody: neither done nor failed, and its usage is known."""
    _, result = read("2.1.329-sigint")
    assert result.stop == "interrupted"
    assert result.usage is not None
    assert result.usage.tokens == 120


def test_an_interruption_for_silence_is_a_failure() -> None:
    """Stopped because it fell silent, it may be tried again."""
    _, result = read("2.1.329-sigint", ended=Ended(0, 65.0, silent=True))
    assert (result.stop, result.category) == ("failed", "transient")
    assert "1m5s" in result.reason


def test_an_interruption_after_the_result_changes_nothing() -> None:
    """What was done before claude was stopped for staying on still counts."""
    aborted = '{"type": "result", "subtype": "error_during_execution", "terminal_reason": "aborted_tools"}'
    _, result = read("2.1.329-edit", aborted, ended=Ended(0, 65.0, silent=True))
    assert result.stop == "done"


def test_a_lost_conversation_is_recognised() -> None:
    """The reading tells that the conversation to be continued is not there."""
    reading = Reading(Place(Path("/"), Path("/"), {}, "", Patience()), "")
    assert not reading.lost("")
    assert reading.lost("No conversation found with session ID: 0")
    assert list(reading.take((SAMPLES / "2.1.197-resume-bad.jsonl").read_bytes())) == []
    assert reading.lost("")


ERRORS = [
    ("Not logged in · Please run /login", None, "system"),
    ("Failed to authenticate. API Error: 401 bad key", 401, "system"),
    ("Credit balance is too low", 400, "system"),
    ("API Error: 403 forbidden", 403, "system"),
    ("There's an issue with the selected model (x). It may not exist", 404, "input"),
    ("API Error: 400 tools: too many", 400, "input"),
    ("Prompt is too long · the request is ~250000 tokens", 400, "task"),
    ("Request too large (max 32MB)", 413, "task"),
    ("API Error: 500 boom", 500, "transient"),
    ("API Error: 529 overloaded", 529, "transient"),
    ("API Error: Unable to connect to API (ConnectionRefused)", None, "transient"),
    ("Request timed out", None, "transient"),
    ("Claude's response exceeded the output token maximum", None, "task"),
]


@pytest.mark.parametrize(("text", "status", "category"), ERRORS)
def test_errors_are_told_apart(text: str, status: int | None, category: str) -> None:
    """What to wait for, what to mend and what to give up on."""
    line = {
        "type": "result",
        "subtype": "success",
        "is_error": True,
        "result": text,
        "api_error_status": status,
    }
    reading = Reading(Place(Path("/"), Path("/"), {}, "", Patience()), "")
    list(reading.take(json.dumps(line).encode()))
    result = reading.verdict(Ended(1, 1.0), "")
    assert (result.stop, result.category) == ("failed", category)
    assert result.reason.startswith(text)


def test_being_root_is_told_with_its_cure() -> None:
    """The one refusal that is only on stderr."""
    reading = Reading(Place(Path("/"), Path("/"), {}, "", Patience()), "")
    told = "--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons\n"
    result = reading.verdict(Ended(1, 0.2), told)
    assert (result.stop, result.category) == ("failed", "system")
    assert 'claude refuses permissions = "full" as root' in result.reason


def test_a_cost_that_is_not_told_is_unknown() -> None:
    """Unknown is not zero."""
    line = {"type": "result", "subtype": "success", "result": "done", "usage": {"input_tokens": 5}}
    reading = Reading(Place(Path("/"), Path("/"), {}, "", Patience()), "")
    list(reading.take(json.dumps(line).encode()))
    assert reading.verdict(Ended(0, 1.0), "").usage == Usage(5, cost_usd=None)
