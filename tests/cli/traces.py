# SPDX-License-Identifier: MIT
"""Programs that 'vmspace trace' records, and what it has recorded.

The command is the first argument of the test, and the program traced the second.
"""

import json
import os
import subprocess
import sys

from cli_test import expect, expect_equal, run, wait_for, work

VMSPACE, TRACED = (os.path.abspath(path) for path in sys.argv[1:3])
MIB = 1 << 20


def report(path, *options):
    """What 'vmspace report' writes."""
    result = run([VMSPACE, "report", *options, path])
    expect_equal((result.returncode, result.stderr), (0, b""), options)
    return result.stdout


def read(path):
    """The recording; None: there is no head yet."""
    result = run([VMSPACE, "report", "--format=json", path])
    return json.loads(result.stdout) if result.returncode == 0 else None


class State:
    """What there is at the end of a recording, or at a moment of it."""

    def __init__(self, recording, until=None):
        self.recording = recording
        self.mappings = {}
        for event in recording["events"]:
            if until is None or event["time"] <= until:
                self.apply(event)

    def apply(self, event):
        if event["what"] not in ("mapping", "unmapped"):
            return
        start, end = int(event["start"], 16), int(event["end"], 16)
        mappings = self.mappings.setdefault(event["process"], {})
        for other in list(mappings):
            if other[0] < end and other[1] > start:
                what = mappings.pop(other)
                for part in ((other[0], start), (end, other[1])):
                    if part[0] < part[1]:
                        mappings[part] = what
        if event["what"] == "mapping":
            mappings[start, end] = event

    def of(self, owner, process=None):
        """(bytes of addresses, anonymous bytes) of what is called so."""
        owners = (owner, "/memfd:" + owner)
        size = anonymous = 0
        for number, mappings in self.mappings.items():
            for (start, end), event in mappings.items():
                if (process in (None, number) and
                        self.recording["owners"][event["owner"]]["name"] in owners):
                    size += end - start
                    anonymous += event.get("anonymous", 0)
        return size, anonymous


def processes(recording, name):
    """The numbers of processes of that name."""
    return [number for number, process in enumerate(recording["processes"])
            if process["name"] == name]


class Trace:
    """The program traced, under 'vmspace trace'."""

    def __init__(self, name, *options, program=None, **more):
        self.path = work(name)
        self.process = subprocess.Popen(
            [VMSPACE, "trace", "-o", self.path, *options, "--", program or TRACED],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            **more)
        self.pid = int(self.process.stdout.readline().split()[1])

    def say(self, line):
        """Have it do something. Returns its answer."""
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        expect(answer, line)
        return answer

    def until(self, condition, what):
        """Wait until the recording is so. Returns it."""
        seen = []

        def is_so():
            seen[:] = [read(self.path)]
            return seen[0] is not None and condition(seen[0])

        wait_for(is_so, what)
        return seen[0]

    def until_has(self, owner, size, anonymous):
        return self.until(lambda recording: State(recording).of(owner) ==
                          (size, anonymous), f"{owner} with {size}, {anonymous}")

    def recorder(self):
        """The process that records: the child of the command."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            children = [int(pid) for pid in file.read().split()]
        expect_equal(len(children), 1, children)
        return children[0]

    def end(self, status=0):
        """Have it end. Returns what the command has said."""
        self.process.stdin.write(f"quit {status}\n".encode())
        _, errors = self.process.communicate()
        expect_equal(self.process.returncode, status, errors)
        return errors.decode()
