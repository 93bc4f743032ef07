"""Commands run where the task works, within limits, and without our keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from aca.safety import secrets
from aca.tools import command
from tests.places import pid_in, running
from tests.tools.bench import use


def test_a_command_tells_what_it_printed_and_how_it_ended(tmp_path: Path) -> None:
    """Both streams in order; a failure is an error, and the output is kept."""
    done = use(tmp_path, "run", command="pwd; echo oops >&2; exit 3")
    assert done.text == f"{tmp_path / 'work'}\noops\n(exit code 3)"
    assert done.error == "exit code 3"
    assert (tmp_path / "logs" / "run-1.log").read_text().endswith("oops\n")
    assert use(tmp_path, "run", command="true").error == ""
    assert (tmp_path / "logs" / "run-2.log").exists()


def test_a_command_gets_no_input(tmp_path: Path) -> None:
    """Whoever reads is at the end at once."""
    assert use(tmp_path, "run", command="cat; echo read").text == "read\n(exit code 0)"


def test_a_command_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """And with it what it started."""
    done = use(tmp_path, "run", command="sleep 60 & echo $! > pid; echo begun; wait", timeout=0.3)
    assert done.text == "begun\n(stopped: not done after 300ms)"
    assert not running(pid_in(tmp_path / "work" / "pid"))


def test_of_a_long_output_head_and_tail_are_shown(tmp_path: Path) -> None:
    """How much is left out is told."""
    done = use(tmp_path, "run", command="seq 100000")
    assert done.text.startswith("1\n2\n3\n")
    assert done.text.endswith("99999\n100000\n(exit code 0)")
    assert len(done.text) < command.HEAD + command.TAIL + 200
    size = (tmp_path / "logs" / "run-1.log").stat().st_size
    assert f"{size - command.HEAD - command.TAIL} bytes are left out here" in done.text


def test_what_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 do no harm."""
    assert use(tmp_path, "run", command="printf '\\377\\376a'").text == "\ufffd\ufffda\n(exit code 0)"


def test_commands_do_not_get_our_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All else in the environment they do."""
    for name in secrets.VARIABLES:
        monkeypatch.setenv(name, "canary-0123456789")
    monkeypatch.setenv("OTHER", "kept")
    done = use(tmp_path, "run", command="env")
    assert "canary" not in done.text
    assert "OTHER=kept" in done.text
    monkeypatch.setenv("OPENAI_API_KEY", "short")
    assert secrets.struck_out("a short word, canary-0123456789") == f"a short word, {'*' * 17}"
