"""The language in which agent CLIs are declared: commands with places in them, paths, what texts mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from aca.core.events import Usage
from aca.plans.task import Task
from aca.processes.process import Ended
from aca.providers.agent_clis import declared as declared_cli
from aca.providers.agent_clis.declaration import Declaration, find
from aca.providers.agent_clis.stream import Reading
from aca.providers.base import Changed, Conversed, Errand, Result, Said, Step, Used
from tests.places import place

TEXT = {"when": {"type": "say"}, "take": "text"}
EXITED = Ended(0, 1.0)


def declare(**keys: Any) -> Declaration:
    return Declaration.model_validate({"command": ["agent"], "text": TEXT, **keys})


def read(tmp_path: Path, declaration: Declaration, *lines: str) -> tuple[list[Step], Reading]:
    """What the lines tell, and the reading that is ready to judge."""
    reading = Reading("agent", declaration, place(tmp_path), None)
    steps = [step for line in lines for step in reading.take(line.encode())]
    return [*steps, *reading.close()], reading


def judged(tmp_path: Path, declaration: Declaration, *lines: str, code: int = 0, stderr: str = "") -> Result:
    """How a run that printed the lines has ended."""
    return read(tmp_path, declaration, *lines)[1].verdict(Ended(code, 1.0), stderr)


# -- paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", [1]),
        ("list.1.n", [3]),
        ("list.*.n", [2, 3]),
        ("list.9", []),
        ("list.n", []),
        ("a.b.c", []),
        ("nothing", []),
        ("null", []),
    ],
)
def test_a_path_leads_to_what_is_there(path: str, found: list[Any]) -> None:
    """Keys, numbers and every element; what is not there, and null, is nothing."""
    event = {"a": {"b": 1}, "list": [{"n": 2}, {"n": 3}], "null": None}
    assert find(event, path) == found


# -- commands ---------------------------------------------------------------------------------------------


def argv(command: list[Any], permissions: dict[str, list[str]] | None = None, **values: str) -> list[str]:
    declared = declare(command=command, permissions=permissions or {"full": []})
    return declared.argv("full", values)


def test_places_are_filled() -> None:
    """Alone or inside a word; braces that are no place stay, and a value is never looked at again."""
    command = ["agent", "--model={model}", '{"json": 1}', "{prompt}"]
    assert argv(command, model="m", prompt="say {model}") == [
        "agent",
        "--model=m",
        '{"json": 1}',
        "say {model}",
    ]


def test_a_group_without_its_value_is_left_out() -> None:
    """So is a single word."""
    command = ["agent", ["--model", "{model}"], ["--resume", "{conversation}"], "{system_prompt}", "-"]
    assert argv(command, model="m") == ["agent", "--model", "m", "-"]
    assert argv(command, conversation="c") == ["agent", "--resume", "c", "-"]


def test_permissions_go_to_their_place_or_to_the_end() -> None:
    """As several words, or none."""
    assert argv(["agent", "{permissions}", "-"], {"full": ["-y", "-z"]}) == ["agent", "-y", "-z", "-"]
    assert argv(["agent", "-"], {"full": ["-y"]}) == ["agent", "-", "-y"]
    assert argv(["agent", "{permissions}", "-"]) == ["agent", "-"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"command": ["agent", "{modle}"]}, "there is no {modle}; there are {model}"),
        ({"command": []}, "at least 1 item"),
        ({"text": []}, "text is missing"),
        ({"output": "text"}, 'text reads JSON, and output is "text"'),
        ({"signs": [{"text": "(", "means": "task"}]}, "not a regular expression"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(keys: dict[str, Any], message: str) -> None:
    """With what is wrong in it."""
    with pytest.raises(ValidationError, match=message.replace("{", r"\{")):
        declare(**keys)


# -- reading ----------------------------------------------------------------------------------------------


def test_pieces_of_a_text_are_put_together(tmp_path: Path) -> None:
    """They are one thing said; a tool in between begins another."""
    declared = declare(text={**TEXT, "pieces": True}, tool={"when": {"type": "tool"}, "name": "name"})
    say = '{"type": "say", "text": "%s"}'
    steps, reading = read(tmp_path, declared, say % "On", say % "ce.", '{"type": "tool", "name": "ls"}',
                          say % "Do", say % "ne.")  # fmt: skip
    assert steps == [Said("Once."), Used("ls"), Said("Done.")]
    assert reading.verdict(EXITED, "").text == "Done."


def test_one_document_is_read_at_the_end(tmp_path: Path) -> None:
    """After any noise, over several lines; of a list each element is an event."""
    declared = declare(output="json", text={"take": "response"}, conversation={"take": "session"})
    document = '{"session": "s1",\n "response": "Done."}'
    steps, reading = read(tmp_path, declared, "loading", *document.splitlines())
    assert steps == [Conversed("s1"), Said("Done.")]
    assert reading.verdict(EXITED, "").text == "Done."
    assert judged(tmp_path, declared, "[", '{"response": "A"}, {"response": "B"}', "]").text == "B"
    assert judged(tmp_path, declared, '{"response": ').reason == "the agent ended without a word"


def test_plain_text_is_the_result(tmp_path: Path) -> None:
    """The exit code decides then."""
    declared = Declaration(command=("agent",), output="text")
    assert judged(tmp_path, declared, "", "One.", "Two.").text == "One.\nTwo."
    failed = judged(tmp_path, declared, "One.", code=3, stderr="first\nError: no luck\nlast\n")
    assert failed.reason == "agent ended without a result (exit code 3): Error: no luck"
    assert (failed.stop, failed.category) == ("failed", "transient")


@pytest.mark.parametrize(
    ("code", "means", "stop", "category"),
    [
        (41, "system", "failed", "system"),
        (42, "quota", "quota", "task"),
        (43, "denied", "denied", "task"),
        (44, "input", "failed", "input"),
    ],
)
def test_exit_codes_mean_what_is_declared(
    tmp_path: Path, code: int, means: str, stop: str, category: str
) -> None:
    """Even where it says that it is done."""
    declared = declare(exit_codes={str(code): means}, done={"when": {"type": "end"}})
    told = judged(tmp_path, declared, '{"type": "say", "text": "ok"}', '{"type": "end"}', code=code)
    assert (told.stop, told.category) == (stop, category)


def test_what_a_text_means_can_be_declared(tmp_path: Path) -> None:
    """With what to do about it; the general meanings come after."""
    sign = {"text": "out of fuel", "means": "quota"}
    declared = declare(failure={"when": {"type": "bad"}, "take": "why"}, signs=[sign])
    bad = '{"type": "bad", "why": "%s"}'
    assert judged(tmp_path, declared, bad % "Out of FUEL today").stop == "quota"
    assert judged(tmp_path, declared, bad % "HTTP 503").category == "transient"
    assert judged(tmp_path, declared, bad % "status: 401").category == "system"
    assert judged(tmp_path, declared, bad % "no idea").category == "task"


def test_use_adds_up_or_is_told_at_once(tmp_path: Path) -> None:
    """Per step or per run; cached tokens are counted once, and a cost that is not told is unknown."""
    usage = {"when": {"type": "use"}, "input": "in", "output": "out", "cache_read": "cached"}
    lines = ['{"type": "say", "text": "ok"}', *['{"type": "use", "in": 100, "out": 5, "cached": 30}'] * 2]
    steps = judged(tmp_path, declare(usage={**usage, "counts": "step"}), *lines)
    assert steps.usage == Usage(200, 10, 60)
    whole = judged(
        tmp_path, declare(usage={**usage, "input_includes_cached": True, "cost_usd": "cost"}), *lines
    )
    assert whole.usage == Usage(70, 5, 30, cost_usd=None)


def test_what_was_changed_is_told_by_its_kind(tmp_path: Path) -> None:
    """Several files in one event, each with its own; without a word it was modified."""
    declared = declare(changed={"take": "files.*.path", "kind": "files.*.kind"})
    kinds = {"a": "add", "b": "delete", "c": "?"}
    files = [{"path": path, "kind": kind} for path, kind in kinds.items()]
    steps, _ = read(tmp_path, declared, json.dumps({"files": files}))
    changes = [step.change for step in steps if isinstance(step, Changed)]
    assert [(one.path, one.action) for one in changes] == [
        ("a", "created"),
        ("b", "deleted"),
        ("c", "modified"),
    ]


# -- before anything runs ---------------------------------------------------------------------------------


def test_what_it_cannot_be_told_is_a_problem(tmp_path: Path) -> None:
    """A model without a place for it, permissions that are not declared, a variable that is not set."""
    declared = declare(command=["true"], version=["--version"], needs_env=["ACA_NO_SUCH_KEY"])
    errands = [Errand("big", "read-only", False, {0: Task(id="t", title="T")})]
    missing = declared_cli.problems(declared, errands, tmp_path)
    wrong = declared_cli.faults(declared, errands)
    found = [str(problem) for problem in (*missing, *wrong)]
    assert len(found) == 3
    assert "ACA_NO_SUCH_KEY" in found[0]
    assert "it is not declared how true works with read-only permissions" in found[1]
    assert 'put ["--model", "{model}"] in its command' in found[2]
