"""What is around aca is not as it should be: streams, limits, locale, home, directories, the terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.project import SECONDS, Outcome, Project

TASKS = '- [ ] One {run="printf x >> marks"}\n- [ ] Two {run="printf y >> marks"}\n'


def through(
    project: Project, shell: str, *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Outcome:
    """What *shell* makes of ``aca ARGS``, which it finds as ``"$@"``."""
    done = subprocess.run(
        ["/bin/sh", "-c", shell, "sh", *project.argv(*args)],
        cwd=cwd or project.root,
        env=project.env(env),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Outcome(
        done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode
    )


def is_done(project: Project) -> bool:
    return project.read("marks") == "xy"


# -- streams ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_lead_nowhere(project: Project, closed: str) -> None:
    """The work is done, and no file of ours takes the place of a stream."""
    project.write({"tasks.md": TASKS})
    assert through(project, f'"$@" {closed}', "run", "tasks.md").code == 0
    assert is_done(project)
    project.run("status")


def test_progress_that_cannot_be_told_stops_nothing(project: Project) -> None:
    """A full disk below a log of the progress is no reason to end the work."""
    project.write({"tasks.md": TASKS})
    outcome = through(project, '"$@" 2>/dev/full', "run", "tasks.md")
    assert outcome.code == 0
    assert "every task is completed" in outcome.stdout
    assert is_done(project)


def test_a_reader_that_went_away_stops_nothing(project: Project) -> None:
    """``| head -1`` sees one line, and all of the work is done."""
    project.write({"tasks.md": TASKS})
    outcome = through(project, '{ "$@"; echo $? >code; } | head -1', "run", "tasks.md", "--jsonl")
    assert len(outcome.stdout.splitlines()) == 1
    assert project.read("code") == "0\n"
    assert is_done(project)


def test_a_terminal_that_hangs_up_leaves_nobody(project: Project) -> None:
    """The window is closed: what runs is interrupted and can be gone on with."""
    project.write({"tasks.md": '- [ ] Long {#long run="touch started; sleep 600"}\n'})
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.root)
        argv = project.argv("run", "tasks.md")
        os.execve(argv[0], argv, project.env({"TERM": "xterm"}))
    deadline = time.monotonic() + SECONDS
    while not (project.root / "started").exists():
        assert time.monotonic() < deadline
        with suppress(OSError):
            os.read(terminal, 4096)
    os.close(terminal)
    assert psutil.Process(pid).wait(SECONDS) == 143
    assert project.processes() == []
    assert project.session().state().states["long"].status == "pending"


# -- text ---------------------------------------------------------------------------------------------------

OTHER = os.fsdecode(b"gr\xfc\xdfe")
"""A name in Latin-1, as Python gets it where UTF-8 is set."""


@pytest.mark.parametrize(
    ("args", "env"),
    [
        (("run", f"{OTHER}.md"), {}),
        (("run", "tasks.md", "--model", OTHER), {}),
        (("send", "one", OTHER), {}),
        (("run", "tasks.md"), {"ACA_MODEL": OTHER}),
    ],
)
def test_what_is_not_utf_8_is_refused_by_name(
    project: Project, args: tuple[str, ...], env: dict[str, str]
) -> None:
    """Before anything is written: neither plan nor journal could hold it."""
    project.write({"tasks.md": TASKS})
    outcome = project.run(*args, env=env, expect=2)
    assert r"'gr\udcfc\udcdfe" in outcome.stderr
    assert "is not UTF-8" in outcome.stderr
    assert not (project.root / ".aca").exists()


def test_a_workspace_may_be_called_anything(project: Project) -> None:
    """Nothing that is written depends on its name being text."""
    project.write({f"{OTHER}/tasks.md": TASKS})
    outcome = project.run("run", "tasks.md", "--workspace", ".", expect=2)
    for more in (("--jsonl",), ("--json",), ()):
        outcome = through(project, '"$@"', "run", "tasks.md", *more, cwd=project.root / OTHER)
        assert outcome.code == 0, outcome.stderr


def test_in_the_c_locale_all_text_can_be_used(project: Project) -> None:
    """Titles, commands and what these print may be in any script, whatever the terminal can show."""
    project.write({"tasks.md": '- [ ] Größe 数据 {run="echo größe >> marks"}\n'})
    project.run("run", "tasks.md", env={"LANG": "C", "LC_ALL": "C"})
    assert project.read("marks") == "größe\n"
    assert "Gr" in project.run("show", env={"LANG": "C", "LC_ALL": "C"}).stdout


def test_no_message_moves_the_cursor(project: Project) -> None:
    """Whatever stands in the argument or the file that it is about."""
    project.write({"tasks.md": '- [ ] A {run="true" \x1b[31mx=3}\n'})
    assert "\x1b" not in project.run("run", "tasks.md", expect=2).stderr
    assert "\x1b" not in project.run("run", "tasks.md", "--only", "\x1b[2J", expect=2).stderr
    assert "\x1b" not in project.run("\x1b[2J", expect=2).stderr


# -- directories, limits, signals ---------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["unset HOME", "HOME=", "HOME=/nonexistent", "HOME=relative"])
def test_no_home_is_needed(project: Project, shell: str) -> None:
    """To run commands there is nothing to look for in it."""
    project.write({"tasks.md": TASKS})
    assert through(project, f'{shell}; export HOME; "$@"', "run", "tasks.md").code == 0
    assert is_done(project)


@pytest.mark.parametrize("workspace", ["x" * 300, "loop", "tasks.md", "nobody"])
def test_a_workspace_that_cannot_be_is_refused(project: Project, workspace: str) -> None:
    """By every command in the same words."""
    project.write({"tasks.md": TASKS})
    (project.root / "loop").symlink_to("loop")
    for command in (("run", "tasks.md"), ("status",)):
        assert workspace in project.run(*command, "--workspace", workspace, expect=2).stderr


def test_a_current_directory_that_was_removed_is_told(project: Project) -> None:
    """``.`` means nothing then."""
    outcome = through(project, 'mkdir gone && cd gone && rmdir ../gone && "$@"', "status")
    assert outcome.code == 2
    assert outcome.stderr.startswith("the directory you are in has been removed\n")


def test_a_file_where_a_directory_belongs_is_named(project: Project) -> None:
    """Before anything runs; a task that is sent into a file is told so too."""
    project.write({".aca": "", "notes": "", "tasks.md": '- [ ] One {run="true" cwd=notes}\n'})
    assert ".aca is a file where aca has a directory" in project.run("run", "tasks.md", expect=7).stderr
    assert ".aca: it is a file where a directory belongs" in project.run("doctor", expect=2).stdout
    for reader in (["status"], ["show"], ["send", "One", "Hello"]):  # no session yet is not what is wrong
        assert ".aca is a file where aca has a directory" in project.run(*reader, expect=7).stderr
    (project.root / ".aca").unlink()
    project.write({".aca/sessions": ""})
    assert ".aca/sessions is a file" in project.run("status", expect=7).stderr
    (project.root / ".aca/sessions").unlink()
    (project.root / ".aca").rmdir()
    assert "notes: this working directory is no directory" in project.run("run", "tasks.md", expect=1).stderr
    project.write({"tasks.md": '---\ncwd: notes/deep\n---\n- [ ] One {run="true"}\n'})
    assert 'tasks.md:2: cwd "notes/deep" leads to a file' in project.run("run", "tasks.md", expect=2).stderr


@pytest.mark.parametrize("run", ["'./{}'", "['./{}']"])
def test_a_script_that_nothing_can_run_is_told_from_one_that_is_not_there(project: Project, run: str) -> None:
    """Systems say of both that they are not found."""
    project.write(
        {
            "lost.sh": "#!/opt/no/such/shell -e\n",
            "windows.sh": "#!/bin/sh\r\ntrue\r\n",
            "tasks.toml": "".join(
                f"[[tasks]]\ntitle = '{name}'\nrun = {run.format(f'{name}.sh')}\n"
                for name in ("lost", "windows", "missing")
            ),
        }
    )
    for name in ("lost.sh", "windows.sh"):
        (project.root / name).chmod(0o755)
    told = project.run("run", "tasks.toml", expect=1).stderr
    assert "./lost.sh: its first line names the interpreter /opt/no/such/shell, which is not here" in told
    assert "the interpreter /bin/sh, which ends in a carriage return: save it with Unix line ends" in told
    assert told.count("its first line") == 2


@pytest.mark.parametrize("limit", [8, 9, 10])
def test_too_few_open_files_are_the_machines_fault(project: Project, limit: int) -> None:
    """No task is failed for it, and with room again the session goes on."""
    project.write({"tasks.md": TASKS})
    outcome = through(project, f'ulimit -n {limit}; "$@"', "run", "tasks.md")
    assert outcome.code == 7
    assert "Too many open files" in outcome.stderr + outcome.stdout
    assert "asyncio" not in outcome.stderr
    project.run("resume")
    assert is_done(project)


def test_a_directory_that_may_not_be_written_is_told(project: Project) -> None:
    """As root may write anywhere, what is read-only here is a file system."""
    project.write({"tasks.md": TASKS})
    mount = "mount --bind . . && mount -o remount,bind,ro . && cd . && "
    if os.geteuid() != 0:
        mount = "chmod a-w . && "
    outcome = through(project, f'exec unshare --mount /bin/sh -c \'{mount} cd "$PWD" && exec "$@"\' sh "$@"',
                      "run", "tasks.md")  # fmt: skip
    if "unshare" in outcome.stderr or "mount:" in outcome.stderr:
        pytest.skip("no file system may be made read-only here")
    assert outcome.code == 7
    assert ".aca: cannot be made: Read-only file system" in outcome.stderr


def test_a_pause_of_the_whole_of_aca_costs_nothing(project: Project) -> None:
    """SIGSTOP and, later, SIGCONT: what ended meanwhile is noticed."""
    project.write({"tasks.md": '1. One {run="touch started; sleep 0.3"}\n2. Two {run="touch two"}\n'})
    running = project.start("run", "tasks.md")
    running.until((project.root / "started").exists)
    running.signal(signal.SIGSTOP)
    time.sleep(0.5)
    assert not (project.root / "two").exists()
    running.signal(signal.SIGCONT)
    running.finish(expect=0)
