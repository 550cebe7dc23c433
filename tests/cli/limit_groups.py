# SPDX-License-Identifier: MIT
"""Groups that run under 'vmspace limit' and are asked about. The command is the first
argument of the test."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys

from cli_test import PATIENCE, WORK, expect_equal, run, written

VMSPACE = os.path.abspath(sys.argv[1])
MIB = 1 << 20

# Maps so many MiB for each number that it reads, unmaps the last for "-", and
# tells what came of it.
TALKER = """
import mmap, os, sys
kept = []
print("up", os.getpid(), os.getppid(), flush=True)
for word in sys.stdin:
    try:
        if word == "fork\\n":
            if os.fork():
                os._exit(0)
        elif word == "-\\n":
            kept.pop().close()
        else:
            kept.append(mmap.mmap(-1, int(word) << 20, mmap.MAP_PRIVATE))
        print("ok", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""

# As struct vmsi_control_request and vmsi_control_figures have them.
REQUEST = struct.Struct("=IIQIId")
FIGURES = struct.Struct("=IIIiiIQQQQQ64sIId")
VERSION = 1
SHOW, SET, FOLLOW = range(3)
BY_SIZE, BY_CGROUP, BY_RAM = range(3)


def request(what, limit=0, kind=BY_SIZE, parts=0.0, version=VERSION):
    return REQUEST.pack(version, what, limit, kind, 0, parts)


class Group:
    """A talker under a limit."""

    def __init__(self, *options, limit="64M", **popen):
        # A name that no other group of the machine has.
        self.name = f"{os.path.basename(WORK.name)}-{id(self):x}"
        popen.setdefault("stderr", subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [VMSPACE, "limit", limit, f"--name={self.name}", *options, "--",
             sys.executable, written("talker.py", TALKER)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **popen)
        words = self.process.stdout.readline().split()
        self.pid, self.supervisor = int(words[1]), int(words[2])

    def ask(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status

    def kill(self):
        for pid in (self.pid, self.supervisor):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def address(self):
        """Of the supervisor's socket."""
        inodes = set()
        for name in os.listdir(f"/proc/{self.supervisor}/fd"):
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(f"/proc/{self.supervisor}/fd/{name}"))
        for fields in sockets():
            if f"socket:[{fields[6]}]" in inodes:
                return "\0" + fields[7][1:]
        raise AssertionError("no socket")

    def set(self, size):
        return live(f"--set={size}", self.name)


def sockets():
    with open("/proc/net/unix", errors="replace") as file:
        for line in file:
            fields = line.split()
            if len(fields) == 8 and fields[7].startswith("@vmspace-limit/"):
                yield fields


def live(*arguments):
    return run([VMSPACE, "limit", *arguments])


def listed():
    """By name."""
    result = live("--json")
    expect_equal(result.returncode, 0, result.stderr)
    return {group.get("name"): group for group in json.loads(result.stdout)}


def connected(address):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(PATIENCE)
    client.connect(address)
    return client
