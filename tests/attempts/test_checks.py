"""Checks decide by exit code, and tell why they failed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from aca.attempts.checks import KEPT, run_check
from aca.core.events import CheckResult
from aca.plans.check import Check
from tests.places import place


def check(tmp_path: Path, run: str | tuple[str, ...], timeout: float | None = None) -> CheckResult:
    """The result of one check in *tmp_path*."""
    asked = Check(name="it", run=run, timeout=timeout)
    return asyncio.run(run_check(asked, place(tmp_path), tmp_path / "checks.log"))


def test_exit_code_zero_passes(tmp_path: Path) -> None:
    """A check that exits with 0 passed; its output is in the log and not in the result."""
    result = check(tmp_path, "echo fine")
    assert result == CheckResult("it", True, result.seconds, 0, "")
    assert (tmp_path / "checks.log").read_text() == "fine\n"


def test_another_exit_code_fails_with_the_output(tmp_path: Path) -> None:
    """A failed check keeps what it printed."""
    result = check(tmp_path, ("sh", "-c", "echo expected 1, got 2 >&2; exit 3"))
    assert result == CheckResult("it", False, result.seconds, 3, "expected 1, got 2")


def test_only_its_own_output_is_told(tmp_path: Path) -> None:
    """Checks share a log; each tells only what it printed itself."""
    check(tmp_path, "echo first; false")
    assert check(tmp_path, "echo second; false").output == "second"


def test_the_end_of_long_output_is_kept(tmp_path: Path) -> None:
    """Of long output the end is kept, where the failure is told."""
    output = check(tmp_path, "seq 100000; echo the reason; false").output
    assert len(output) == KEPT
    assert output.endswith("99999\n100000\nthe reason")


def test_terminal_sequences_are_removed(tmp_path: Path) -> None:
    """Colours, titles, links and cursor moves do not reach a report."""
    coloured = r"\033[1;31mred\033[0m \033]0;title\007plain"
    linked = r"\033]8;;http://x\033\\link\033]8;;\033\\ \033[2K\033(Bend\r\n"
    assert check(tmp_path, f"printf '{coloured} {linked}'; false").output == "red plain link end"


def test_output_that_is_no_text_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are replaced."""
    assert check(tmp_path, r"printf 'a\377b'; false").output == "a\N{REPLACEMENT CHARACTER}b"


def test_secrets_are_struck_out_of_what_is_told(tmp_path: Path) -> None:
    """The values of variables whose names say so; what is too short to be one is left alone."""
    given = {
        "DB_PASSWORD": "correct horse",
        "GITHUB_TOKEN": "ghp_0123456789",
        "KEYBOARD": "querty-keys",
        "A_KEY": "1",
    }
    asked = Check(name="it", run="echo $DB_PASSWORD $GITHUB_TOKEN $KEYBOARD $A_KEY; false")
    where = place(tmp_path, environment={**os.environ, **given})
    result = asyncio.run(run_check(asked, where, tmp_path / "checks.log"))
    assert result.output == f"{'*' * 13} {'*' * 14} querty-keys 1"


def test_a_check_that_hangs_fails(tmp_path: Path) -> None:
    """A check has its own time limit, and says that it was the reason."""
    result = check(tmp_path, "echo started; sleep 60", timeout=0.5)
    assert not result.passed
    assert result.output == "started\nstopped: not done after 500ms"


def test_a_check_that_survives_its_time_out_with_success_has_still_failed(tmp_path: Path) -> None:
    """Exit code 0 after being stopped is no success."""
    result = check(tmp_path, "trap 'exit 0' INT; while :; do sleep 0.01; done", timeout=1)
    assert (result.passed, result.exit_code) == (False, 0)


def test_a_check_that_cannot_start_fails(tmp_path: Path) -> None:
    """A missing tool is a failed check that names the tool."""
    result = check(tmp_path, ("no-such-tool", "--strict"))
    assert (result.exit_code, result.output) == (127, "no-such-tool: command not found")
