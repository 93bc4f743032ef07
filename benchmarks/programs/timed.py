"""``timed.py FILE COMMAND...``: writes down the seconds and the memory that a command takes, and ends as it.

Until a new process is the program, it is as large as the one that has started it, and the kernel remembers
that: so what starts it here is small.
"""

import os
import signal
import sys
import time

file, *command = sys.argv[1:]
ends = (signal.SIGINT, signal.SIGTERM)
for number in ends:  # meant for the command, which is still waited for
    signal.signal(number, signal.SIG_IGN)
began = time.perf_counter()
child = os.posix_spawn(command[0], command, os.environ, setsigdef=ends)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - began
with open(file, "w") as told:
    told.write(f"{wall} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}")
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
