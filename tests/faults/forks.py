"""A server that runs ``aca`` in forked processes and lets them die at chosen moments.

Run as a program: one JSON request per line on stdin, one JSON answer per line on stdout. aca is imported
once and each run is a process of its own, which makes hundreds of crashes affordable.

Request: argv, cwd, env, log (file for output), and optionally ``kill``: {"commit": N, "when": "before" |
"after" | "torn"} dies at the Nth commit of the journal, {"git": N, "when": "before" | "after"} at the Nth
call of git, {"after": seconds} at a time of its own.
Answer: {"status": exit code, or minus the signal, "commits": how many commits it came to}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import ollama  # noqa: F401  likewise

import aca.app  # noqa: F401  imported before the forks, so that each of them need not
from aca import cli, journal
from aca.journal import Journal
from aca.workspaces import git


def arm(kill: dict[str, Any], tally: Path) -> None:
    """Count commits, and die at the chosen one as if the power went."""
    commit = Journal.commit
    count = 0

    def counted(one: Journal) -> None:
        nonlocal count
        count += bool(one._lines)
        aside = tally.with_suffix(".aside")
        aside.write_text(str(count))
        aside.replace(tally)
        doomed = bool(one._lines) and count == kill.get("commit")
        if doomed and kill["when"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if doomed and kill["when"] == "torn":
            data = b"".join(one._lines)
            journal._write_all(one._file, data[: len(data) * 2 // 3])
            os.kill(os.getpid(), signal.SIGKILL)
        commit(one)
        if doomed:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.commit = counted  # type: ignore[method-assign, assignment]


def arm_git(kill: dict[str, Any], tally: Path) -> None:
    """Count calls of git, and die at the chosen one."""
    call = git.call
    turn = threading.Lock()
    count = 0

    def counted(*arguments: Any) -> Any:
        nonlocal count
        with turn:
            count += 1
            mine = count
            tally.write_text(str(count))
        if mine == kill.get("git") and kill["when"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = call(*arguments)
        if mine == kill.get("git"):
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    git.call = counted  # type: ignore[assignment]


def child(request: dict[str, Any], tally: Path) -> int:
    """Become ``aca ARGV``."""
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    arm(request.get("kill") or {}, tally)
    arm_git(request.get("kill") or {}, tally.with_suffix(".calls"))
    return cli.main(request["argv"])


def serve(request: dict[str, Any]) -> dict[str, int]:
    tally = Path(request["log"]).with_suffix(".commits")
    tally.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = child(request, tally)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    if "after" in (request.get("kill") or {}):
        time.sleep(request["kill"]["after"])
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    commits = int(tally.read_text()) if tally.exists() else 0
    return {"status": os.waitstatus_to_exitcode(status), "commits": commits}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line))), flush=True)
