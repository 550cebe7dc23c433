# SPDX-License-Identifier: MIT
"""'vmspace top' and processes for it to show. The command is the first argument of the
test."""

import contextlib
import json
import os
import signal
import subprocess
import sys

from cli_test import expect_equal, run, wait_for, written

VMSPACE = os.path.abspath(sys.argv[1])
WIDE = "\u65e5\u672c"
HOSTILE = b"e\x1b[31m\nvil\xff"

# A process named "alpha" with children of these names, which all wait; a line of the
# input makes each touch so many pages more, or "end" ends the last child.
FAMILY = """
import mmap, os, signal, sys
names = [bytes.fromhex(word) for word in sys.argv[1:]]
def become(name):
    with open("/proc/self/comm", "wb") as file:
        file.write(name)
become(names[0])
pids = []
for name in names[1:]:
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        become(name)
        os.write(writable, b"x")
        signal.pause()
    os.read(readable, 1)
    pids.append(pid)
print(*pids, flush=True)
kept = []
for line in sys.stdin:
    if line == "end\\n":
        os.kill(pids[-1], 9)
        os.waitpid(pids.pop(), 0)
    else:
        kept.append(mmap.mmap(-1, int(line) * mmap.PAGESIZE, mmap.MAP_PRIVATE))
        for i in range(int(line)):
            kept[-1][i * mmap.PAGESIZE] = 1
    print("done", flush=True)
"""


def state(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b") ")[2][:1].decode()


class Family:
    def __init__(self, *names):
        names = names or (b"alpha", b"beta", WIDE.encode(), HOSTILE)
        self.process = subprocess.Popen(
            [sys.executable, "-S", written("family.py", FAMILY),
             *(name.hex() for name in names)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.children = [int(word) for word in self.process.stdout.readline().split()]
        self.settle()

    def settle(self):
        """Wait until all of them wait, and nothing changes."""
        for pid in [self.pid, *self.children]:
            wait_for(lambda pid=pid: state(pid) == "S", f"{pid} waits")

    def tell(self, line):
        if line == "end":
            self.children.pop()
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        expect_equal(self.process.stdout.readline(), "done\n")
        self.settle()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in [*self.children, self.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def top(*arguments, **options):
    """The output of the command, which must not fail."""
    result = run([VMSPACE, "top", *arguments], **options)
    expect_equal((result.returncode, result.stderr), (0, b""))
    return result.stdout


def told(*arguments, **options):
    return json.loads(top("--json", *arguments, **options))


def rows(*arguments, **options):
    """By number."""
    return {row["pid"]: row for row in told(*arguments, **options)["processes"]}
