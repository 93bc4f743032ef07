"""Child processes: they run, they are stopped politely, and nothing of them is left."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from unittest import mock

import psutil
import pytest

from aca.processes import orphans, process, spawn
from aca.processes.process import Ended
from aca.safety.place import OutsideWorkspaceError, Patience, Place
from tests.places import pid_in, place, running

PR_SET_CHILD_SUBREAPER = 36
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")


@pytest.fixture(autouse=True)
def searching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ran in this process before, it does not adopt orphans, and looks for them everywhere."""
    monkeypatch.setattr(orphans, "_adopting", False)


@pytest.fixture
def adopting(searching: None) -> Iterator[None]:
    """This process adopts orphans, until the test is over."""
    process.become_subreaper()
    yield
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture(params=[pytest.param("adopting", marks=linux), "searching"])
def sweeping(request: pytest.FixtureRequest) -> None:
    """Both ways to find what an attempt left behind."""
    request.getfixturevalue(request.param)


@pytest.fixture(params=["pidfd", "thread"])
def awaiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to learn that a child has exited."""
    if request.param == "thread":
        monkeypatch.delattr(os, "pidfd_open", raising=False)


@pytest.fixture(params=["here", "elsewhere"])
def starting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both ways to start a child: in our own directory, and in another one."""
    if request.param == "here":
        monkeypatch.chdir(tmp_path)


def run(command: str | tuple[str, ...], where: Place, timeout: float | None = None) -> tuple[Ended, str]:
    """Run *command* there; how it ended and what it printed."""
    output = where.root / "output"
    ended = asyncio.run(process.run(command, where, output=output, timeout=timeout))
    return ended, output.read_text()


def script(directory: Path, text: str, name: str = "script") -> str:
    """An executable Python file."""
    path = directory / name
    path.write_text(f"#!{sys.executable}\nimport os, signal, subprocess, sys, time\n{text}\n")
    path.chmod(0o755)
    return str(path)


# -- running --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("starting")
def test_output_and_errors_are_appended_in_order(tmp_path: Path) -> None:
    """Whatever a command prints goes to the end of one file, in the order it was printed."""
    (tmp_path / "output").write_text("before\n")
    ended, output = run("echo one; echo two >&2; echo three; exit 3", place(tmp_path))
    assert output == "before\none\ntwo\nthree\n"
    assert (ended.exit_code, ended.timed_out) == (3, False)


@pytest.mark.usefixtures("starting")
@pytest.mark.parametrize("echo", ["echo", "/bin/echo"])
def test_an_argument_vector_is_not_interpreted(tmp_path: Path, echo: str) -> None:
    """No shell comes between an argument vector and the program."""
    assert run((echo, "$HOME; `x`", "*"), place(tmp_path))[1] == "$HOME; `x` *\n"


@pytest.mark.usefixtures("starting", "awaiting")
def test_a_signal_that_kills_is_told_by_its_number(tmp_path: Path) -> None:
    """SIGPIPE too, which Python ignores and its children must not."""
    assert run("kill -PIPE $$; echo still there", place(tmp_path)) == (Ended(-13, mock.ANY), "")


@pytest.mark.usefixtures("starting")
def test_a_child_gets_no_file_of_ours(tmp_path: Path) -> None:
    """Neither what we have opened nor what we were started with."""
    spawn._are_ours_kept.cache_clear()
    ours, inherited = os.pipe()
    os.set_inheritable(inherited, True)
    ended, _ = run(f"test ! -e /dev/fd/{ours} && test ! -e /dev/fd/{inherited}", place(tmp_path))
    os.close(ours)
    os.close(inherited)
    assert ended.exit_code == 0


@pytest.mark.usefixtures("starting")
def test_a_child_is_told_whose_it_is(tmp_path: Path) -> None:
    """Its environment names session, task and attempt, and it works in the task's directory."""
    where = place(tmp_path)
    marks, directory = run('echo "$ACA_SESSION/$ACA_TASK/1 $ACA_ATTEMPT"; pwd -P', where)[1].splitlines()
    assert marks == f"{where.mark} {where.mark}"
    assert directory == os.path.realpath(tmp_path)


@pytest.mark.usefixtures("starting")
def test_input_is_empty_unless_a_file_is_given(tmp_path: Path) -> None:
    """Nothing waits for a person to type: input is closed, or a file."""
    assert run("cat; echo end", place(tmp_path))[1] == "end\n"
    (tmp_path / "given").write_text("given\n")
    running_cat = process.run("cat", place(tmp_path), output=tmp_path / "out", stdin=tmp_path / "given")
    assert asyncio.run(running_cat).exit_code == 0
    assert (tmp_path / "out").read_text() == "given\n"


@pytest.mark.parametrize(
    ("command", "exit_code", "reason"),
    [
        (("no-such-program", "x"), 127, "no-such-program: command not found\n"),
        (("./plain",), 126, "cannot start ./plain: Permission denied\n"),
        (("./binary",), 126, "cannot start ./binary: Exec format error\n"),
        (("./missing",), 127, "./missing: command not found\n"),
        (("/bin/echo", "x" * 200_000), 126, "cannot start /bin/echo: Argument list too long\n"),
        (("/bin/echo", "\0"), 126, "cannot start /bin/echo: embedded null byte\n"),
    ],
)
@pytest.mark.usefixtures("starting")
def test_what_cannot_start_ends_as_in_a_shell(
    tmp_path: Path, command: tuple[str, ...], exit_code: int, reason: str
) -> None:
    """A program that cannot be started gives the shell's exit code and says why in the output."""
    (tmp_path / "plain").write_text("text")
    (tmp_path / "binary").write_bytes(b"\x01\x02\x03")
    (tmp_path / "binary").chmod(0o755)
    ended, output = run(command, place(tmp_path))
    assert (ended.exit_code, output) == (exit_code, reason)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """A working directory that went away is not mistaken for a missing program."""
    where = place(tmp_path)
    gone = Place(tmp_path, tmp_path / "gone", where.env, where.mark, where.patience)
    ended, output = run("true", gone)
    assert ended.exit_code == 126
    assert output == f"cannot start /bin/sh: the directory {tmp_path / 'gone'} does not exist\n"


def test_much_output_never_blocks(tmp_path: Path) -> None:
    """Output far beyond what a pipe holds goes to the file."""
    ended, output = run("head -c 20000000 /dev/zero | tr '\\0' x", place(tmp_path), timeout=30)
    assert (ended.exit_code, len(output)) == (0, 20_000_000)


def test_many_children_run_at_once(tmp_path: Path, awaiting: None) -> None:
    """Forty children at once each keep their own exit code."""

    async def all_of_them() -> list[Ended]:
        where = place(tmp_path)
        commands = [f"sleep 0.0{n % 7}; exit {n}" for n in range(40)]
        return await asyncio.gather(
            *(process.run(command, where, output=tmp_path / "out") for command in commands)
        )

    assert [ended.exit_code for ended in asyncio.run(all_of_them())] == list(range(40))


# -- stopping -------------------------------------------------------------------------------------------


def test_time_out_interrupts_first(tmp_path: Path, awaiting: None) -> None:
    """A command that takes too long is interrupted and may end in good order."""
    ended, output = run(
        "trap 'echo goodbye; exit 3' INT; while :; do sleep 0.01; done",
        place(tmp_path, patience=Patience(60, 60)),
        timeout=1,
    )
    assert (ended.exit_code, ended.timed_out, output) == (3, True, "goodbye\n")
    assert 1 <= ended.seconds < 10


def test_deaf_to_interruption_is_terminated(tmp_path: Path) -> None:
    """What ignores the interruption is asked to terminate."""
    ended, _ = run("trap '' INT; while :; do sleep 0.01; done", place(tmp_path), timeout=1)
    assert ended.exit_code == -signal.SIGTERM


def test_deaf_to_everything_is_killed(tmp_path: Path) -> None:
    """What ignores termination too is killed, after both waits."""
    ended, _ = run("trap '' INT TERM; while :; do sleep 0.01; done", place(tmp_path), timeout=1)
    assert ended.exit_code == -signal.SIGKILL
    assert ended.seconds >= 1.6


def test_patience_can_run_out(tmp_path: Path) -> None:
    """When patience runs out a stop in progress goes on to the kill at once."""

    async def impatient() -> Ended:
        where = place(tmp_path, patience=Patience(60.0, 60.0))
        asyncio.get_running_loop().call_later(1, where.patience.run_out)
        deaf = "trap '' INT TERM; while :; do sleep 0.01; done"
        return await process.run(deaf, where, output=tmp_path / "out", timeout=0.5)

    ended = asyncio.run(impatient())
    assert ended.exit_code == -signal.SIGKILL
    assert ended.seconds < 10


def test_cancelled_stops_the_child(tmp_path: Path) -> None:
    """Cancelling the wait stops the child before the cancellation goes on."""

    async def cancelled() -> int:
        command = "echo $$ > pid; exec sleep 60"
        task = asyncio.create_task(process.run(command, place(tmp_path), output=tmp_path / "out"))
        pid = await asyncio.to_thread(pid_in, tmp_path / "pid")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    assert not running(asyncio.run(cancelled()))


def test_cancelled_again_still_stops_the_child(tmp_path: Path) -> None:
    """A second cancellation while a child is being stopped leaves nothing running."""

    async def cancelled_twice() -> int:
        command = "trap '' INT; echo $$ > pid; while :; do sleep 0.01; done"
        task = asyncio.create_task(process.run(command, place(tmp_path), output=tmp_path / "out"))
        pid = await asyncio.to_thread(pid_in, tmp_path / "pid")
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    assert not running(asyncio.run(cancelled_twice()))


# -- what is left behind --------------------------------------------------------------------------------

LEAVERS = {
    "in the background": "sleep 60 & echo $! > pid; wait_for pid",
    "in a session of its own": "setsid sh -c 'echo $$ > pid; exec sleep 60' & wait_for pid",
    "forked twice": "(setsid sh -c 'echo $$ > pid; exec sleep 60' &) ; wait_for pid",
    "deaf": (
        "setsid sh -c 'trap \"\" INT TERM HUP; echo $$ > pid; while :; do sleep 0.1; done' & wait_for pid"
    ),
    "with an empty environment below": (
        "setsid sh -c 'env -i setsid sh -c \"echo \\$\\$ > pid; sleep 60; :\" ; :' & wait_for pid"
    ),
}
WAIT_FOR = "wait_for() { while ! test -s $1; do sleep 0.005; done; }; "


@pytest.mark.parametrize("leaver", LEAVERS.values(), ids=LEAVERS)
def test_nothing_is_left_running(tmp_path: Path, sweeping: None, leaver: str) -> None:
    """Whatever way a command leaves a process behind, it is gone when the command is."""
    ended, _ = run(WAIT_FOR + leaver, place(tmp_path), timeout=10)
    assert ended == Ended(0, ended.seconds)
    assert not running(pid_in(tmp_path / "pid"))


def test_no_zombies_are_kept(tmp_path: Path, adopting: None) -> None:
    """Orphans that became children of this process are reaped."""
    before = set(psutil.Process().children())
    run("for n in 1 2 3; do setsid sleep 0.01 & setsid sleep 60 & done; sleep 0.05", place(tmp_path))
    assert orphans._adopted() == []
    children = set(psutil.Process().children()) - before
    assert [child for child in children if child.status() == psutil.STATUS_ZOMBIE] == []


def test_attempts_side_by_side_do_not_kill_each_other(tmp_path: Path, sweeping: None) -> None:
    """What one attempt leaves in the background lives on while others end."""
    (tmp_path / "a").mkdir()

    async def side_by_side() -> bool:
        slow = WAIT_FOR + "(setsid sh -c 'echo $$ > a/pid; exec sleep 60' &); wait_for a/stop"
        first = asyncio.create_task(process.run(slow, place(tmp_path, "a"), output=tmp_path / "a" / "out"))
        pid = await asyncio.to_thread(pid_in, tmp_path / "a" / "pid")
        for task in ("b", "a-2"):
            await process.run("(setsid sleep 60 &)", place(tmp_path, task), output=tmp_path / "out")
        lived = running(pid)
        (tmp_path / "a" / "stop").write_text("now")
        await first
        return lived and not running(pid)

    assert asyncio.run(side_by_side())


def test_children_started_by_other_means_are_left_alone(tmp_path: Path, adopting: None) -> None:
    """A plain subprocess of this program keeps running, and its exit code is not taken away."""
    with subprocess.Popen(["sh", "-c", "sleep 0.2; exit 5"]) as plain:
        run("true", place(tmp_path))
        assert plain.poll() is None
        time.sleep(0.3)
        run("true", place(tmp_path))
        assert plain.wait() == 5


@linux
def test_ending_everything_leaves_no_descendant(tmp_path: Path) -> None:
    """At its own end the program kills its whole tree, orphans without any mark included."""
    program = script(
        tmp_path,
        f"sys.path.insert(0, {str(Path.cwd())!r})\n"
        "from aca.processes import process\n"
        "process.become_subreaper()\n"
        "for n in (1, 2):\n"
        "    file = sys.argv[1] + str(n)\n"
        "    line = f\"(env -i setsid sh -c 'echo $$ > {file}; sleep 60; :' &)\"\n"
        "    subprocess.run(['sh', '-c', line + f'; while ! test -s {file}; do sleep 0.01; done'])\n"
        "print(process.end_everything(), process.end_everything())",
    )
    told = subprocess.run([program, str(tmp_path / "pid")], capture_output=True, text=True, check=True)
    assert told.stdout == "4 0\n"
    assert not running(pid_in(tmp_path / "pid1"))
    assert not running(pid_in(tmp_path / "pid2"))


def orphan(directory: Path, session: str) -> int:
    """A process that its runner, killed in the meantime, has left behind in *session*."""
    file = directory / f"{session}.pid"
    runner = script(
        directory,
        f"line = 'trap \"\" TERM; echo $$ > {file}; while :; do sleep 0.1; done'\n"
        f"env = os.environ | {{'ACA_SESSION': {session!r}}}\n"
        "subprocess.Popen(['sh', '-c', line], env=env, start_new_session=True)\n"
        "time.sleep(60)",
        f"runner-{session}",
    )
    with subprocess.Popen([runner]) as process:
        pid = pid_in(file)
        process.kill()
    return pid


def test_orphans_of_dead_runners_are_ended(tmp_path: Path) -> None:
    """Processes of the named sessions are ended, however deaf; those of others are not."""
    session = place(tmp_path).env["ACA_SESSION"]
    old, new = orphan(tmp_path, session), orphan(tmp_path, f"{session}2")
    try:
        ended = process.end_orphans([session, f"{session}3"])
        assert old in ended
        assert not running(old)
        assert running(new)
    finally:
        assert new in process.end_orphans([f"{session}2"])
    assert process.end_orphans([]) == []


def test_orphans_that_start_others_when_they_end_leave_none(tmp_path: Path) -> None:
    """What an orphan starts on being told to end is ended too."""
    where, file = place(tmp_path), tmp_path / "pid"
    line = (
        f"trap 'setsid sleep 60 & echo $! > {file}; exit' TERM; echo $$ > ready; while :; do sleep 0.01; done"
    )
    with subprocess.Popen(["sh", "-c", line], cwd=tmp_path, env=where.env, start_new_session=True) as first:
        pid_in(tmp_path / "ready")
        ended = process.end_orphans([where.env["ACA_SESSION"]])
    assert first.pid in ended
    assert pid_in(file) in ended
    assert not running(pid_in(file))


def test_ending_orphans_spares_this_process(tmp_path: Path) -> None:
    """A program started inside a dead session ends neither itself nor those it was started by."""
    program = script(
        tmp_path,
        f"sys.path.insert(0, {str(Path.cwd())!r})\n"
        "from aca.processes import process\n"
        "print(process.end_orphans([os.environ['ACA_SESSION']]))",
    )
    told = subprocess.run(
        ["sh", "-c", f"{program}; echo alive"],
        env=place(tmp_path).env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "[]\nalive\n"


def test_a_process_is_named_for_good() -> None:
    """Boot and starting time tell a process from a later one with its pid; a dead one has none."""
    assert process.boot_id() == process.boot_id() != ""
    mine = process.started(os.getpid())
    with subprocess.Popen(["sleep", "0.05"]) as child:
        his = process.started(child.pid)
        deadline = time.monotonic() + 10
        while process.started(child.pid) is not None:
            assert time.monotonic() < deadline, "a zombie is dead"
            time.sleep(0.01)
    assert mine is not None
    assert his is not None
    assert mine <= his
    assert process.started(os.getpid()) == mine
    assert process.started(child.pid) is None


# -- streams --------------------------------------------------------------------------------------------


def stream(
    argv: Sequence[str],
    where: Place,
    timeout: float | None = None,
    idle: float | None = None,
    linger: float = process.LINGER,
) -> AbstractAsyncContextManager[process.Child]:
    """Start *argv* there, its errors in the file ``errors`` and all it prints in ``copy`` as well."""
    errors, copy = where.root / "errors", where.root / "copy"
    return process.stream(argv, where, stderr=errors, copy=copy, timeout=timeout, idle=idle, linger=linger)


async def collect(
    argv: Sequence[str], where: Place, timeout: float | None = None, idle: float | None = None
) -> tuple[list[bytes], Ended]:
    """All the lines that *argv* prints, and how it ended."""
    async with stream(argv, where, timeout, idle) as child:
        lines = [line async for line in child.lines()]
    return lines, child.ended


def test_lines_of_any_length_and_content_are_read(tmp_path: Path, awaiting: None) -> None:
    """Long lines, empty ones, bytes that are no text and a last line without end all arrive whole."""
    program = script(
        tmp_path,
        "out = sys.stdout.buffer\n"
        "out.write(b'first\\n\\n' + b'x' * 5_000_000 + b'\\n\\xff\\xfe\\r\\n'); out.flush()\n"
        "sys.stderr.write('aside'); time.sleep(0.05); out.write(b'half'); out.flush(); time.sleep(0.05)\n"
        "out.write(b'-whole\\nlast')",
    )
    lines, ended = asyncio.run(collect([program], place(tmp_path)))
    assert lines == [b"first", b"", b"x" * 5_000_000, b"\xff\xfe\r", b"half-whole", b"last"]
    assert ended == Ended(0, ended.seconds)
    assert (tmp_path / "copy").read_bytes() == b"\n".join(lines)
    assert (tmp_path / "errors").read_text() == "aside"


def test_a_stream_that_cannot_start_says_so(tmp_path: Path) -> None:
    """A missing program is an error with the shell's exit status."""
    with pytest.raises(process.NotStartedError, match="no-such-program: command not found") as caught:
        asyncio.run(collect(["no-such-program"], place(tmp_path)))
    assert caught.value.exit_status == 127


def test_silence_is_ended(tmp_path: Path) -> None:
    """A child that prints nothing for too long is stopped; what it says on being stopped is read."""
    program = script(
        tmp_path, "print('hello', flush=True)\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('bye')"
    )
    lines, ended = asyncio.run(collect([program], place(tmp_path, patience=Patience(60, 60)), idle=1))
    assert lines == [b"hello", b"bye"]
    assert (ended.exit_code, ended.silent, ended.timed_out) == (0, True, False)


def test_dripping_is_not_silence(tmp_path: Path) -> None:
    """Single bytes without an end of line count as a sign of life."""
    program = script(tmp_path, "for n in range(12):\n    print(n % 10, end='', flush=True); time.sleep(0.05)")
    lines, ended = asyncio.run(collect([program], place(tmp_path), idle=0.4))
    assert lines == [b"012345678901"]
    assert not ended.silent


def test_time_out_ends_a_talkative_stream(tmp_path: Path) -> None:
    """Talking on does not help against the wall clock."""
    program = script(tmp_path, "while True:\n    print('more', flush=True); time.sleep(0.01)")
    lines, ended = asyncio.run(collect([program], place(tmp_path), timeout=0.4))
    assert lines[0] == b"more"
    assert ended.timed_out
    assert ended.exit_code != 0


def test_a_pipe_kept_open_by_a_stranger_does_not_hold_the_stream(tmp_path: Path) -> None:
    """The stream ends with the child, though a process without its mark keeps the pipe open."""
    line = WAIT_FOR + "(env -i setsid sh -c 'echo $$ > pid; exec sleep 60' &); wait_for pid; echo done"
    began = time.monotonic()
    lines, ended = asyncio.run(collect(["sh", "-c", line], place(tmp_path)))
    os.kill(pid_in(tmp_path / "pid"), signal.SIGKILL)
    assert (lines, ended.exit_code) == ([b"done"], 0)
    assert time.monotonic() - began < 10


def test_a_late_writer_of_the_family_is_still_heard(tmp_path: Path) -> None:
    """What a filter beside the child still has to say after its exit is not lost."""
    lines, _ = asyncio.run(collect(["sh", "-c", "(sleep 0.1; echo late) & echo early"], place(tmp_path)))
    assert lines == [b"early", b"late"]


def test_a_reader_who_has_heard_enough_lets_the_child_finish(tmp_path: Path) -> None:
    """Leaving early reads on, so that the child is not held up by a full pipe and exits by itself."""
    program = script(
        tmp_path, "print('result', flush=True); time.sleep(0.1); print('x' * 1_000_000); sys.exit(4)"
    )

    async def first_line() -> tuple[bytes, Ended]:
        async with stream([program], place(tmp_path)) as child:
            line = await anext(child.lines())
        return line, child.ended

    line, ended = asyncio.run(first_line())
    assert (line, ended.exit_code) == (b"result", 4)
    assert (tmp_path / "copy").stat().st_size == len("result\n") + 1_000_001


def test_a_child_that_lingers_is_stopped(tmp_path: Path) -> None:
    """A child that does not exit after its output was read is stopped when its grace is over."""
    program = script(tmp_path, "print('result', flush=True); time.sleep(60)")

    async def first_line() -> Ended:
        async with stream([program], place(tmp_path), linger=0.2) as child:
            await anext(child.lines())
        return child.ended

    ended = asyncio.run(first_line())
    assert ended.exit_code == -signal.SIGINT
    assert not ended.timed_out
    assert 0.2 <= ended.seconds < 10


def test_cancelling_a_reader_stops_the_child(tmp_path: Path) -> None:
    """Cancelled in mid-stream, the child and what it started are gone, and its last words are kept."""
    program = script(
        tmp_path,
        "child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "try: open('pid', 'w').write(f'{child.pid}\\n'); time.sleep(60)\n"
        "except KeyboardInterrupt: print('interrupted')",
    )

    async def cancelled() -> int:
        task = asyncio.create_task(collect([program], place(tmp_path, patience=Patience(60, 60))))
        pid = await asyncio.to_thread(pid_in, tmp_path / "pid")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    assert not running(asyncio.run(cancelled()))
    assert (tmp_path / "copy").read_text() == "interrupted\n"


# -- the place ------------------------------------------------------------------------------------------


def workspace(tmp_path: Path) -> Place:
    """A task that works in ``root/work``, with links that lead in and out."""
    root = tmp_path / "root"
    (root / "work").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (root / "work" / "out").symlink_to(tmp_path)
    (root / "work" / "around").symlink_to(root)
    where = place(root)
    return Place(root, root / "work", where.env, where.mark, where.patience)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("a.py", "work/a.py"), ("../b/c", "b/c"), ("around/d", "d"), (".", "work"), ("..", ".")],
)
def test_paths_inside_the_workspace_are_found(tmp_path: Path, name: str, meant: str) -> None:
    """Names mean files below the task's directory, or elsewhere in the workspace."""
    root = (tmp_path / "root").resolve()
    assert workspace(tmp_path).inside(name) == (root / meant).resolve()


def test_an_absolute_path_inside_the_workspace_is_fine(tmp_path: Path) -> None:
    """Agents like to write whole paths."""
    where = workspace(tmp_path)
    assert where.inside(str(where.root / "x")) == (tmp_path / "root" / "x").resolve()


@pytest.mark.parametrize(
    "name",
    ["../..", "../../secret", "/etc/passwd", "out/secret", "around/../../secret", "../../root2/x", "a\0b"],
)
def test_no_path_leads_out_of_the_workspace(tmp_path: Path, name: str) -> None:
    """Neither dots, nor an absolute path, nor a link, nor a neighbour with a longer name."""
    with pytest.raises(OutsideWorkspaceError):
        workspace(tmp_path).inside(name)
