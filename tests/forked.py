"""Asks the process that forks (``forking.py``) for an ``aca``: little enough to be one, for a shell.

As a program, ``python -IS forked.py ADDRESS ARGS``: what it reads, prints and exits with is aca's, and a
signal to it is one to aca. It imports no more than that takes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

LENGTH = 8
"""How many bytes a number takes: how long a request is, and what comes back."""


def ask(
    address: str, argv: Sequence[str], cwd: str, env: Mapping[str, str], streams: Sequence[int], **more: Any
) -> socket.socket:
    """Have ``aca ARGV`` run with these three streams. Two numbers come back: its pid, then its status."""
    channel = socket.socket(socket.AF_UNIX)
    channel.connect(address)
    request = json.dumps({"argv": list(argv), "cwd": cwd, "env": dict(env), **more}).encode()
    socket.send_fds(channel, [len(request).to_bytes(LENGTH)], streams)
    channel.sendall(request)
    return channel


def number(channel: socket.socket) -> int:
    """The next number that comes back, as soon as it does."""
    told = channel.recv(LENGTH, socket.MSG_WAITALL)
    if len(told) < LENGTH:
        raise EOFError("the process that forks is gone")
    return int.from_bytes(told, signed=True)


if __name__ == "__main__":
    answers = ask(sys.argv[1], sys.argv[2:], os.getcwd(), os.environ, [0, 1, 2])  # noqa: PTH109
    pid = number(answers)
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, lambda which, _frame: os.kill(pid, which))
    status = number(answers)
    sys.exit(status if status >= 0 else 128 - status)
