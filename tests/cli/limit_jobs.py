# SPDX-License-Identifier: MIT
"""Programs under 'vmspace limit' that tell their signals, and a look at
their processes. The command is the first argument of the test."""

import os
import sys

from cli_test import written

VMSPACE = os.path.abspath(sys.argv[1])
LIMITED = [VMSPACE, "limit", "256M", "--quiet", "--"]

# Tells each signal that it gets, and answers each line that it reads.
TALKER = """
import os, signal, sys

def say(text):
    os.write(1, (text + "\\n").encode())

def tell(number, frame):
    counts[number] = counts.get(number, 0) + 1
    if number == signal.SIGWINCH:
        size = os.get_terminal_size(0)
        say(f"size {size.columns}x{size.lines}")
    else:
        say(f"got {signal.Signals(number).name} {counts[number]}")

counts = {}
signal.signal(signal.SIGINT, signal.SIG_DFL)
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), tell)
say(f"up {os.getpid()} {os.getppid()}")
for line in sys.stdin:
    if line == "quit\\n":
        break
    say("heard " + line.strip())
os._exit(3)
"""


def talker(*signals):
    return [sys.executable, written("talker.py", TALKER), *signals]


def status_fields(pid):
    """The fields of /proc/PID/stat from the state on; none: it is gone."""
    try:
        # A process may have any name.
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def state(pid):
    return (status_fields(pid) or "X")[0]


def is_stopped(pid):
    """By a signal; where it is traced, the kernel calls that another state."""
    return state(pid) in "Tt"


def signals(pid, field):
    """A set of signals of /proc/PID/status, as a number."""
    with open(f"/proc/{pid}/status", errors="replace") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields[field], 16)


def none_is_pending(pid):
    """Whether a process has taken the signals that were sent to it."""
    return signals(pid, "ShdPnd") == 0


def ignores(pid, number):
    return bool(signals(pid, "SigIgn") >> (number - 1) & 1)


def gone(pid):
    return state(pid) in "XZ"


def session_processes(session):
    """All that live in a session, zombies left out."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    fields = {pid: status_fields(pid) for pid in pids}
    return [pid for pid, words in fields.items()
            if words and words[0] not in "XZ" and int(words[3]) == session]
