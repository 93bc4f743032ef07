"""A journal that was cut or changed anywhere: the state is right, or the damage is named; never a guess."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from aca.core.events import (
    CallEnded,
    Event,
    NoteLeft,
    RunStarted,
    SessionCreated,
    TaskCompleted,
    TaskFailed,
    TaskReopened,
    TasksAdded,
    TaskSkipped,
    TaskStarted,
    Usage,
)
from aca.core.fold import fold
from aca.core.state import SessionState
from aca.errors import AcaError, DamagedJournalError
from aca.sessions import journal
from aca.sessions.session import Session, listing
from tests.faults.fuzz import aca
from tests.faults.plans import RETRIES, RUN
from tests.faults.sites import Site
from tests.faults.tally import Losses, Tally
from tests.project import Project

COMMANDS = (("status",), ("show", "one"), ("costs",), ("checkpoint", "list"), ("plan", "show", "tasks.md"))
"""Those that only look."""


@pytest.fixture
def ended(tmp_path: Path) -> Session:
    """A small session that has come to its end, a failure included."""
    site = Site(tmp_path / "site")
    site.write({"tasks.md": RETRIES.tasks})
    assert site.aca(*RUN).status == RETRIES.code, site.log()
    [one] = listing(site.work)
    return one


def pictures(one: Session) -> set[str]:
    """Every state the session was ever in."""
    events = one.events()
    return {str(fold(SessionState(one.plan), events[:count]).states) for count in range(1, len(events) + 1)}


def told(one: Session, data: bytes, right: set[str]) -> Losses:
    """What is wrong with how a session is read whose journal holds *data*."""
    losses = Losses()
    one.journal_path.write_bytes(data)
    try:
        state = Session(one.path).state()
    except AcaError as error:
        if "journal" not in str(error):
            losses.wrong_states.append(f"said: {error}")
    except Exception as error:
        losses.wrong_states.append(repr(error))
    else:
        if str(state.states) not in right:
            losses.wrong_states.append("a state that never was")
    return losses


def test_a_journal_cut_at_a_byte(ended: Session, tally: Tally) -> None:
    """What is left is an earlier state, or damage that is named."""
    whole, right = ended.journal_path.read_bytes(), pictures(ended)
    for length in tally.sample(range(len(whole)), 300):
        tally.add(length, told(ended, whole[:length], right))


def test_a_journal_changed_at_a_byte(ended: Session, tally: Tally) -> None:
    """Any bit of any byte: what is not an earlier state, cut short, is damage that is named."""
    whole, right = ended.journal_path.read_bytes(), pictures(ended)
    for place in tally.sample(range(len(whole)), 300):
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        tally.add(place, told(ended, bytes(changed), right))


def damages(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """The journal cut in its middle, changed, with lines gone, repeated and exchanged, and emptied."""
    lines = whole.splitlines(keepends=True)
    for number in range(len(lines)):
        changed = lines[number].replace(b'"seq"', b'"sec"')
        yield f"{number}: changed", b"".join([*lines[:number], changed, *lines[number + 1 :]])
        yield f"{number}: gone", b"".join([*lines[:number], *lines[number + 1 :]])
        yield f"{number}: repeated", b"".join([*lines[: number + 1], *lines[number:]])
        yield f"{number}: cut", b"".join([*lines[:number], lines[number][:20]])
    yield "exchanged", b"".join(reversed(lines))
    yield "emptied", b""
    yield "zeros", b"\0" * 4096
    yield "zeros at its end", whole + b"\0" * 512


def test_commands_name_a_damaged_journal(
    ended: Session, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ends with what it does for a sound one, or with 7 and the line; none with a bug."""
    monkeypatch.chdir(ended.workspace)
    whole = ended.journal_path.read_bytes()
    points = [(how, data, command) for how, data in damages(whole) for command in COMMANDS]
    for how, data, command in tally.sample(points, 25):
        ended.journal_path.write_bytes(data)
        code, printed = aca(*command)
        losses = Losses()
        if code not in (0, 2, 7) or "Traceback" in printed:
            losses.wrong_states.append(f"exit code {code}: {printed}")
        if code == 7 and f"{ended.journal_path.name}:" not in printed:
            losses.wrong_states.append(f"no line is named: {printed}")
        tally.add((how, *command), losses)


def test_an_event_of_a_task_that_there_is_not_is_damage(
    ended: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checksum may be right; what is before it can be seen."""
    monkeypatch.chdir(ended.workspace)
    events = [
        msgspec.structs.replace(e, task="x") if isinstance(e, TaskStarted) else e for e in ended.events()
    ]
    ended.journal_path.write_bytes(journal.lines(events))
    code, printed = aca("status")
    assert (code, 'damaged here: it is about "x", which there is not' in printed) == (7, True), printed
    assert "sound" in aca("doctor", ended.id)[1]


def test_what_cannot_have_happened_is_damage(ended: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """However right its checksum is: what comes after the end of a task, or before its beginning."""
    monkeypatch.chdir(ended.workspace)
    past = ended.events()
    begun = next(n for n, event in enumerate(past) if isinstance(event, TaskStarted))
    cases: list[tuple[int, Event, str]] = [
        (len(past), TaskStarted(task="one", attempt=2), 'it starts the task "one", which is completed'),
        (len(past), TaskCompleted(task="one", attempt=1), 'it ends the task "one", which is completed'),
        (len(past), TaskReopened(task="one", reason="x"), "it opens the task"),
        (len(past), TaskSkipped(task="one", reason="x"), "it skips the task"),
        (len(past), SessionCreated(session="x", plan_sha256="x"), "a session begins only once"),
        (len(past), added({"id": "one"}), "which is there already"),
        (len(past), added({"id": "x"}, {"id": "x"}), "which is there already"),
        (len(past), added({"id": ["x"]}), "what it adds is no task: id"),
        (len(past), added({"id": "../x"}), '"../x" cannot be an id'),
        (len(past), added({"id": "x", "kind": "command"}), "is a command without one"),
        (len(past), added({"id": "x", "dependencies": ["x"]}), "wait for each other"),
        (len(past), added({"id": "x", "parent_id": "x"}), 'to "x", which there is not'),
        (len(past), added({"id": "x", "parent_id": "y"}, {"id": "y"}), 'to "y", which there is not'),
        (len(past), added({"id": "x", "dependencies": ["y"]}), 'needs "y", which is not in this plan'),
        (begun, TaskStarted(task="one", attempt=9), 'it starts attempt 9 at "one", after 0'),
        (begun, NoteLeft(task="one", attempt=1, text="x"), "which has not begun"),
        (begun, TaskFailed(task="one", reason="x", seconds=-1.0), "more or less used"),
        (begun, TaskFailed(task="one", reason="x", usage=Usage(10**40)), "more or less used"),
        (begun, TaskFailed(task="one", reason="x", attempt=1), "which is not under way"),
        (begun, TaskFailed(task="one", reason="x", not_before=1e300), "tried again at no time"),
        (begun, TaskCompleted(task="one"), 'it completes "one" without an attempt'),
        (begun + 1, TaskFailed(task="one", reason="x"), "it ends attempt 0"),
        (len(past), TaskReopened(task="one", reason="x", at=1e300), "at no time"),
        (begun + 1, CallEnded(task="one", attempt=1, call=7), "it ends call 7"),
        (1, overridden({"limits": {"max_cost_usd": "much"}}), "no part of one: limits.max_cost_usd: "),
        (1, overridden({"jobs": 3}), "no part of one: jobs: "),
    ]
    for count, event, told in cases:
        wrong = msgspec.structs.replace(event, seq=count + 1)
        ended.journal_path.write_bytes(journal.lines([*past[:count], wrong]))
        with pytest.raises(DamagedJournalError, match=f":{count + 1}: .*{re.escape(told)}"):
            Session(ended.path).state()
    assert [aca(command)[0] for command in ("status", "resume")] == [7, 7]


def added(*tasks: dict[str, object]) -> TasksAdded:
    return TasksAdded(tasks=tuple({"title": "X", **task} for task in tasks), by="me")


def overridden(overrides: dict[str, object]) -> RunStarted:
    return RunStarted(pid=1, overrides=overrides)


@pytest.mark.parametrize("task", [{"id": "x"}, {"id": "x", "title": "X", "wrong": 1}])
def test_an_addition_that_is_no_task_is_damage(
    ended: Session, monkeypatch: pytest.MonkeyPatch, task: dict[str, object]
) -> None:
    """What was written there passed the validator once: this was not."""
    monkeypatch.chdir(ended.workspace)
    events = [*ended.events()[:-1], TasksAdded(seq=len(ended.events()), tasks=(task,), by="somebody")]
    ended.journal_path.write_bytes(journal.lines(events))
    code, printed = aca("status")
    assert (code, "damaged here: what it adds is no task: " in printed) == (7, True), printed


@pytest.mark.parametrize("data", [b"\xff", b"{", b"[" * 10_000])
def test_a_message_that_nobody_can_read_is_dropped(project: Project, data: bytes) -> None:
    """It holds nobody up, and does not lie there for ever."""
    project.write({"tasks.md": "- [ ] Wait {#wait kind=approval}\n"})
    project.run("run", "tasks.md", expect=4)
    message = project.session().path / "inbox" / "1.json"
    message.write_bytes(data)
    project.run("approve", "wait")
    project.run("resume")
    assert not message.exists()
