# SPDX-License-Identifier: MIT
"""'vmspace top' and processes for it to show. The command is the first argument of the
test."""

import contextlib
import json
import os
import signal
import subprocess
import sys

from cli_test import Skip, expect_equal, run, wait_for, written

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


# A process named "promised" of which the kernel accounts other memory than may be written.
PROMISED = """
import ctypes, mmap, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
NORESERVE, PRIVATE_ANONYMOUS, FAILED = 0x4000, 0x22, ctypes.c_void_p(-1).value
with open("/proc/self/comm", "w") as file:
    file.write("promised")
def map(size, flags):
    address = libc.mmap(None, size, 3, PRIVATE_ANONYMOUS | flags, -1, 0)
    if address == FAILED:
        sys.exit("mmap")
    return address
map(1000 << 30, NORESERVE)
kept = map(40 << 20, 0)
libc.memset(kept, 1, 40 << 20)
libc.mprotect(kept, 40 << 20, 1)
resident = int(sys.argv[1])
if resident:
    address = map(resident, 0)
    libc.madvise(address, resident, 14)
    libc.memset(address, 1, resident)
print("ready", flush=True)
signal.pause()
"""


class Promised:
    def __init__(self, resident=0):
        self.process = subprocess.Popen(
            [sys.executable, "-S", written("promised.py", PROMISED), str(resident)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        if self.process.stdout.readline() != "ready\n":
            raise Skip("1000 GiB without reserve are refused")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def accounted(pid):
    """Bytes of mappings that the kernel has in its account, by their flags."""
    total = size = 0
    with open(f"/proc/{pid}/smaps", "rb") as file:
        for line in file:
            if line.startswith(b"Size:"):
                size = int(line.split()[1]) << 10
            elif line.startswith(b"VmFlags:") and b"ac" in line.split():
                total += size
    return total


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
