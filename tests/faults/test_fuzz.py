"""Files, variables and streams that nobody means: a plan, a result or a complaint, but never a bug of aca.

Everything goes in by the command line: no traceback, no exit code 3, and nothing hangs.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import yaml
from hypothesis import strategies as st

from aca.processes.process import Ended
from aca.providers.agent_clis import codex as codex_cli
from aca.providers.agent_clis import stream as declared_stream
from aca.providers.claude import stream as claude_stream
from aca.safety.place import Place
from aca.sessions.session import listing
from tests.faults.fuzz import aca, fuzz, judged
from tests.faults.mutation import ODD, broken, mutated
from tests.faults.tally import Losses, Tally
from tests.places import place
from tests.providers.test_claude_stream import SAMPLES

SCRIPT: dict[str, Any] = {
    "tasks": {
        "*": {
            "steps": [
                {"say": "x"},
                {"write": "a.txt", "content": "b"},
                {"edit": "a.txt", "old": "b", "new": "c"},
                {"delete": "a.txt"},
                {"run": "true", "must": True},
                {"usage": {"input_tokens": 1, "output_tokens": 2, "cost_usd": 0.1}},
                {"note": "n", "attempt": 2},
                {"deny": "Bash", "cure": "x", "attempt": 2},
                {"fail": "no", "category": "transient", "attempt": 1},
            ]
        }
    }
}
FRONT: dict[str, Any] = {
    "name": "Rich",
    "max_concurrent_tasks": 3,
    "provider": "replay",
    "providers": {"replay": {"script": "replay.toml"}},
    "checks": ["true"],
    "limits": {"max_cost_usd": 5, "max_tokens": 1000, "max_duration": "8h"},
    "roles": {"dev": {"provider": "replay", "system_prompt": "hello"}},
    "workspace": {"checks": "true", "setup": "true"},
    "rate_limiting": {"on_quota": "exit"},
}
BODY = """\
# Part
Prose, see [a file](replay.toml).
- [ ] One {#one priority=8 touches="a/**" role=dev retries=2 timeout=5m retry_delay=1s env.A=b .tag}
- [ ] Two {#two needs=one check="true"} -> replay.toml
  - [ ] Three {#three run="true"}
- [x] Four {#four kind=approval}
"""
ORG = "* TODO One :tag:\n  words\n** DONE Two\n* TODO [#A] Three\n"
MARKDOWN = f"---\n{yaml.safe_dump(FRONT)}---\n{BODY}"
TOML = tomli_w.dumps({**FRONT, "tasks": [{"title": "One", "id": "one"}, {"title": "Two", "needs": ["one"]}]})


@pytest.fixture(autouse=True)
def rich(desk: Path) -> None:
    """A task file that uses much of what there is, and what its agents do."""
    (desk / "replay.toml").write_text(tomli_w.dumps(SCRIPT))
    (desk / "rich.md").write_text(MARKDOWN)


# -- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [("t.md", MARKDOWN), ("t.txt", BODY), ("t.org", ORG), ("t.toml", TOML), ("tasks", BODY)],
    ids=["Markdown", "text", "org", "TOML", "no suffix"],
)
def test_task_files_broken_anywhere(desk: Path, tally: Tally, name: str, text: str) -> None:
    """A few bytes cut out, repeated or overwritten."""

    def example(data: bytes) -> None:
        (desk / name).write_bytes(data)
        judged(data, tally, ("run", name, "--dry-run"))

    fuzz(tally, broken(text.encode()), example, 5)


@pytest.mark.parametrize("kind", ["yaml", "toml", "aca.toml"])
def test_settings_with_something_else_in_them(desk: Path, tally: Tally, kind: str) -> None:
    """In the front matter of a task file, and in settings of their own."""

    def example(data: Any) -> None:
        if kind == "yaml":
            (desk / "t.md").write_text(f"---\n{yaml.safe_dump(data)}---\n{BODY}")
        else:
            fence = "+++\n" if kind == "toml" else ""
            text = fence + _toml(data) + fence
            (desk / ("t.md" if fence else kind)).write_text(text + (BODY if fence else ""))
        judged(data, tally, ("run", "t.md" if kind != "aca.toml" else "rich.md", "--dry-run"), ("config",))

    fuzz(tally, mutated(FRONT), example, 5)


def _toml(data: Any) -> str:
    """*data* as TOML, without what TOML cannot say."""
    if not isinstance(data, dict):
        return ""
    try:
        return tomli_w.dumps(data)
    except (TypeError, ValueError):
        return _toml(json.loads(json.dumps(data), object_hook=_without_null))


def _without_null(table: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in table.items() if value is not None}
    return {k: [one for one in v if one is not None] if isinstance(v, list) else v for k, v in kept.items()}


VARIABLES = ["JOBS", "PROVIDER", "MODEL", "TIMEOUT", "MAX_COST", "MAX_TOKENS", "MAX_DURATION", "RETRIES"]
VARIABLES += ["FAIL_FAST", "WORKSPACE_MODE", "EXECUTION_MODE", "PERMISSIONS", "ON_QUOTA", "ONLY", "QUIET"]


def test_variables_that_say_something_else(desk: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    """``ACA_*``: the message names the variable."""
    texts = st.sampled_from([str(one) for one in ODD if "\0" not in str(one)])

    def example(said: dict[str, str]) -> None:
        with monkeypatch.context() as environment:
            for name, text in said.items():
                environment.setenv(f"ACA_{name}", text)
            judged(said, tally, ("run", "rich.md", "--dry-run"), ("config",))

    fuzz(tally, st.dictionaries(st.sampled_from(VARIABLES), texts, min_size=1, max_size=3), example, 6)


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_plans_with_something_else_in_them(desk: Path, tally: Tally, suffix: str) -> None:
    """Contract and approval included."""
    assert aca("run", "rich.md", "--dry-run", "--dump-plan", "base.json")[0] == 0
    aca("plan", "approve", "base.json")

    def example(data: Any) -> None:
        (desk / f"p.{suffix}").write_text(json.dumps(data) if suffix == "json" else _toml(data))
        name = f"p.{suffix}"
        judged(data, tally, ("run", name, "--dry-run"), ("plan", "diff", "base.json", name))

    fuzz(tally, mutated(json.loads((desk / "base.json").read_text())), example, 5)


def test_rust_plans_with_something_else_in_them(desk: Path, tally: Tally) -> None:
    """The other format that is read."""
    base = json.loads((Path(__file__).parents[2] / "task_examples" / "rust-plan.json").read_text())

    def example(data: Any) -> None:
        (desk / "p.json").write_text(json.dumps(data))
        judged(data, tally, ("run", "p.json", "--dry-run"))

    fuzz(tally, mutated(base), example, 5)


def test_scripts_with_something_else_in_them(desk: Path, tally: Tally) -> None:
    """What can be read is played, too."""

    def example(data: Any) -> None:
        (desk / "replay.toml").write_text(_toml(data))
        judged(data, tally, ("run", "rich.md", "--quiet", "--retries", "0", "--timeout", "2s"))

    fuzz(tally, mutated(SCRIPT), example, 3)


# -- the session --------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(desk: Path) -> Path:
    """A session that waits for a person, with a bit of everything in its journal."""
    (desk / "t.md").write_text(
        f"---\n{yaml.safe_dump({'provider': 'replay', 'providers': FRONT['providers']})}---\n"
        '- [ ] One {#one retries=1 retry_delay=0}\n- [ ] Two {#two run="true" check="true" needs=one}\n'
        "- [ ] May it? {#may kind=approval needs=two}\n- [ ] Last {#last needs=may}\n"
    )
    assert aca("run", "t.md", "--quiet")[0] == 4
    return desk


def _sealed(event: Any, number: int) -> bytes:
    """*event* as line *number* of a journal, its checksum right."""
    event = {**event, "seq": number} if isinstance(event, dict) else event
    body = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    return b'%s,"crc":"%08x"}\n' % (body[:-1], zlib.crc32(body))


def test_journals_with_something_else_in_them(waiting: Path, tally: Tally) -> None:
    """Each line sound by itself, but not what ever happened: damage that is named, or a state."""
    [one] = listing(waiting)
    whole = one.journal_path.read_bytes()
    events = [json.loads(line) for line in whole.splitlines()]
    for event in events:
        del event["crc"]

    def example(data: list[Any]) -> None:
        one.journal_path.write_bytes(b"".join(map(_sealed, data, range(1, len(data) + 1))))
        judged(data, tally, ("status",), ("show", "one"), ("costs",), ("resume", "--quiet"))

    fuzz(
        tally,
        mutated(events).filter(lambda data: all(isinstance(event, dict) for event in data)),
        example,
        10,
    )


MESSAGES: list[Any] = [
    {"type": "answer", "task": "may", "approved": False, "by": "x", "comment": "y"},
    {"type": "remark", "task": "last", "text": "x", "by": "y"},
    {"type": "cancellation", "task": "last", "by": "y"},
    {"type": "checkpoint", "name": "x"},
    {"type": "addition", "task": {"id": "more", "title": "More", "kind": "command"}, "by": "x"},
]


def test_messages_with_something_else_in_them(waiting: Path, tally: Tally) -> None:
    """What nobody can read is dropped; what can be read and makes no sense changes nothing."""
    [one] = listing(waiting)
    whole = one.journal_path.read_bytes()

    def example(data: list[Any]) -> None:
        one.journal_path.write_bytes(whole)
        for number, message in enumerate(data):
            (one.path / "inbox" / f"{number}.json").write_text(json.dumps(message))
        judged(data, tally, ("status",), ("checkpoint", "create", "here"), ("resume", "--quiet"))

    fuzz(tally, mutated(MESSAGES), example, 3)


# -- what providers print -----------------------------------------------------------------------------------

CODEX = [
    {"type": "thread.started", "thread_id": "0199"},
    {"type": "item.completed", "item": {"id": "1", "type": "agent_message", "text": "Hello."}},
    {
        "type": "item.completed",
        "item": {"id": "2", "type": "command_execution", "command": "ls", "exit_code": 1, "status": "failed"},
    },
    {
        "type": "item.completed",
        "item": {"id": "3", "type": "file_change", "changes": [{"path": "a", "kind": "add"}]},
    },
    {"type": "turn.completed", "usage": {"input_tokens": 9, "cached_input_tokens": 1, "output_tokens": 2}},
]


def streams() -> Iterator[Any]:
    for sample in sorted(SAMPLES.glob("*.jsonl")):
        yield pytest.param(
            "claude", [json.loads(line) for line in sample.read_text().splitlines()], id=sample.stem
        )
    yield pytest.param("codex", CODEX, id="codex")


@pytest.mark.parametrize(("kind", "events"), list(streams()))
def test_streams_with_something_else_in_them(
    desk: Path, tally: Tally, kind: str, events: list[dict[str, Any]]
) -> None:
    """Read to their end, whatever they hold, and judged."""

    def example(data: Any) -> None:
        lines = [json.dumps(event).encode() for event in data]
        losses = Losses()
        try:
            reading = reader(kind, place(desk))
            for line in lines:
                list(reading.take(line))
            reading.verdict(Ended(0, 1.0), "")
        except Exception as error:
            losses.wrong_states.append(repr(error))
        tally.of += 1
        tally.add(data, losses)

    fuzz(tally, mutated(events), example, 60)


def reader(kind: str, where: Place) -> claude_stream.Reading | declared_stream.Reading:
    if kind == "claude":
        return claude_stream.Reading(where, "")
    return declared_stream.Reading("codex-cli", codex_cli.declaration(codex_cli.Options()), where, None)
