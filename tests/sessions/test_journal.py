"""The journal: what is torn is dropped, what is damaged is named, one writer at a time."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aca.core import events as ev
from aca.errors import DamagedJournalError, MachineError, SessionError, SessionInUseError
from aca.sessions import journal
from tests.core.stories import unique

patient = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def written(path: Path, count: int = 4) -> list[ev.Event]:
    """A journal of *count* events, and those events."""
    path.touch()
    one = journal.Journal(path, 0, clock=lambda: 1.5)
    first = one.append(ev.SessionCreated(session="s", plan_sha256="0"))
    rest = [one.append(ev.TaskStarted(task=f"tâsk {n}", attempt=1)) for n in range(2, count + 1)]
    one.commit()
    one.close()
    return [first, *rest]


def test_what_was_committed_is_read_back(tmp_path: Path) -> None:
    """Numbered from 1, stamped with the time."""
    events = written(tmp_path / "j")
    assert journal.read(tmp_path / "j") == events
    assert [event.seq for event in events] == [1, 2, 3, 4]


def test_nothing_is_on_disk_before_the_commit(tmp_path: Path) -> None:
    """Events of one turn are one write."""
    (tmp_path / "j").touch()
    one = journal.Journal(tmp_path / "j", 0)
    one.append(ev.TaskStarted(task="a", attempt=1))
    assert (tmp_path / "j").read_bytes() == b""
    one.commit()
    one.close()
    assert len(journal.read(tmp_path / "j")) == 1


@patient
@given(cut=st.integers(0, 10**6))
def test_a_torn_tail_is_dropped(tmp_path: Path, cut: int) -> None:
    """Cut at any byte, the whole lines before it are what happened, and writing goes on after them."""
    path = unique(tmp_path)
    events = written(path)
    data = path.read_bytes()
    path.write_bytes(data[: cut % (len(data) + 1)])
    kept = journal.read(path)
    assert kept == events[: len(kept)]
    journal.drop_torn_tail(path)
    again = journal.Journal(path, len(kept))
    again.append(ev.TaskStarted(task="new", attempt=1))
    again.commit()
    again.close()
    assert len(journal.read(path)) == len(kept) + 1


def test_zeros_after_a_power_cut_are_a_torn_tail(tmp_path: Path) -> None:
    """A file system may have grown the file without having written the data."""
    events = written(tmp_path / "j")
    with (tmp_path / "j").open("ab") as file:
        file.write(b"\0" * 100)
    assert journal.read(tmp_path / "j") == events


@patient
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_believed(tmp_path: Path, place: int, bit: int) -> None:
    """Either the journal reads as it was or the damaged line is named."""
    path = unique(tmp_path)
    events = written(path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(bytes(data))
    with pytest.raises(DamagedJournalError) as caught:
        journal.read(path)
    assert caught.value.good < len(events)
    assert journal.read(path, until=caught.value.good) == events[: caught.value.good]


def test_a_missing_line_is_noticed(tmp_path: Path) -> None:
    """Each line is sound by itself, but the numbers do not follow each other."""
    written(tmp_path / "j")
    lines = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    (tmp_path / "j").write_bytes(b"".join(lines[:1] + lines[2:]))
    with pytest.raises(DamagedJournalError, match="event 3 stands where 2 belongs"):
        journal.read(tmp_path / "j")


@pytest.mark.parametrize("said", [b'{"type":"x",0}', b'{"type":"\xff"}', b'{"type":' + b"[" * 5000 + b"}"])
def test_a_line_that_is_no_event_is_damage_whatever_its_checksum(tmp_path: Path, said: bytes) -> None:
    """No JSON, no UTF-8, or more than anybody reads."""
    (tmp_path / "j").write_bytes(journal._seal(said))
    with pytest.raises(DamagedJournalError, match="not an event this aca knows"):
        journal.read(tmp_path / "j")


def test_a_journal_of_a_newer_aca_is_refused(tmp_path: Path) -> None:
    """By its format version, before anything in it is believed."""
    first = ev.SessionCreated(session="s", plan_sha256="0", format_version=99, seq=1)
    (tmp_path / "j").write_bytes(journal.lines([first]))
    with pytest.raises(SessionError, match="newer aca"):
        journal.read(tmp_path / "j")


def test_a_journal_that_cannot_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    """The message names the file and the system's reason."""
    (tmp_path / "j").touch()
    one = journal.Journal(tmp_path / "j", 0)
    one.append(ev.TaskStarted(task="a", attempt=1))
    os.close(one._file)
    with pytest.raises(MachineError, match="cannot write the journal"):
        one.commit()


def test_after_a_failed_write_nothing_more_is_written(tmp_path: Path) -> None:
    """What the disk took of it is cut off again: when there is room later, the journal is sound."""
    events = written(tmp_path / "j")
    one = journal.Journal(tmp_path / "j", len(events))
    one.append(ev.TaskStarted(task="x" * 5000, attempt=1))
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "j").stat().st_size + 100, allowed[1]))
    try:
        with pytest.raises(MachineError):
            one.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
        signal.signal(signal.SIGXFSZ, before)
    one.append(ev.RunEnded(exit_code=7, reason="no room"))
    with pytest.raises(MachineError):
        one.commit()
    one.close()
    assert journal.read(tmp_path / "j") == events


def test_somebody_else_s_lines_stop_the_run(tmp_path: Path) -> None:
    """An agent that writes into the journal must not pass for progress."""
    events = written(tmp_path / "j")
    one = journal.Journal(tmp_path / "j", len(events))
    with (tmp_path / "j").open("ab") as file:
        file.write(b"nonsense\n")
    one.append(ev.TaskStarted(task="a", attempt=1))
    with pytest.raises(MachineError, match="somebody else"):
        one.commit()
    one.close()


def hold(path: Path, ready: object) -> None:
    with journal.Lock(path, "s"):
        ready.set()  # type: ignore[attr-defined]
        signal.pause()


def test_a_second_runner_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    """And when the first is killed, however hard, the lock is free at once."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    first = context.Process(target=hold, args=(tmp_path / "lock", ready))
    first.start()
    try:
        assert ready.wait(30)
        assert journal.is_locked(tmp_path / "lock")
        with (
            pytest.raises(SessionInUseError, match=f"process {first.pid}"),
            journal.Lock(tmp_path / "lock", "s"),
        ):
            pass
    finally:
        first.kill()
        first.join()
    assert not journal.is_locked(tmp_path / "lock")
    with journal.Lock(tmp_path / "lock", "s"):
        assert journal.holder(tmp_path / "lock") == f"process {os.getpid()}"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """What cannot be written leaves the old content and no litter."""
    journal.write_aside(tmp_path / "file", b"old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MachineError):
        journal.write_aside(tmp_path / "folder", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
