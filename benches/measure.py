"""Runs a command to its end and prints what it took, as JSON: measure.py COMMAND...

A process of its own and a small one: Linux counts the memory of the process that calls exec as
the child's, so that a child of a large program would never seem smaller than that program.
"""

import json
import os
import sys
import time

begin = time.monotonic()
pid = os.fork()
if pid == 0:
    # What the command prints is not the measurement.
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(pid, 0)
print(json.dumps({
    "wall": time.monotonic() - begin,
    "user": used.ru_utime,
    "sys": used.ru_stime,
    "rss_kib": used.ru_maxrss,
    # What it made the kernel write, in blocks of 512 bytes (getrusage(2)).
    "written": used.ru_oublock * 512,
    "exit": os.waitstatus_to_exitcode(status),
}))
