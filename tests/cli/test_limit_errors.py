# SPDX-License-Identifier: MIT
"""Standard error that nobody reads.

usage: test_limit_errors.py VMSPACE
"""

import contextlib
import fcntl
import os
import re
import select
import sys
import threading

from cli_test import PATIENCE, expect, expect_equal, main_in_groups
from limit_groups import VMSPACE, Group


class FullPipe:
    """A pipe into which nothing more fits, until it is read."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        flags = fcntl.fcntl(self.writer, fcntl.F_GETFL)
        fcntl.fcntl(self.writer, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        self.filling = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self.filling += os.write(self.writer, b"x")
        # The group has the same open file, and waits.
        fcntl.fcntl(self.writer, fcntl.F_SETFL, flags)

    def read(self):
        """To its end, without what filled it."""
        os.close(self.writer)
        with os.fdopen(self.reader, "rb") as file:
            return file.read()[self.filling:].decode()

    def read_until(self, pattern):
        have = ""
        while not re.search(pattern, have):
            expect(select.select([self.reader], [], [], PATIENCE)[0], have)
            have += os.read(self.reader, 4096).decode()
        return have


def answer(group, word):
    """What comes in time; without a supervisor nothing does."""
    group.process.stdin.write(f"{word}\n")
    group.process.stdin.flush()
    expect(select.select([group.process.stdout], [], [], PATIENCE)[0],
           "no answer to", word)
    return group.process.stdout.readline().strip()


def warning_that_nobody_reads_holds_nobody_up():
    pipe = FullPipe()
    with Group("--warn-at=50%", stderr=pipe.writer) as group:
        expect_equal(answer(group, 40), "ok")
        expect_equal(answer(group, 1), "ok")
        pipe.read_until("past --warn-at=50%")
    os.close(pipe.reader)
    os.close(pipe.writer)


REFUSED = 2400


def log_that_nobody_reads_holds_nobody_up():
    """What is left out is counted."""
    pipe = FullPipe()
    with Group("--log", stderr=pipe.writer) as group:
        for i in range(REFUSED):
            expect_equal(answer(group, 100 + i % 2), "Cannot allocate memory")
        ending = threading.Thread(target=group.end)
        ending.start()
        errors = pipe.read()
        ending.join()
    logged = len(re.findall("  mmap of 10[01]M", errors))
    left_out = sum(int(number) for number in
                   re.findall(r"vmspace limit: (\d+) messages? w\w+ left out, "
                              "since nobody read standard error", errors))
    expect(left_out > 0)
    expect_equal(logged + left_out, REFUSED)
    expect(f"; {REFUSED} refused" in errors)


def end_that_nobody_reads_holds_nobody_up():
    """The command waits for its reader, and others of the group do not."""
    pipe = FullPipe()
    with Group(stderr=pipe.writer) as group:
        expect_equal(answer(group, "fork"), "ok")
        expect_equal(answer(group, 1), "ok")
        expect_equal(answer(group, 100), "Cannot allocate memory")
        expect_equal(group.process.poll(), None)
        pipe.read_until("peak commit")
        expect_equal(group.process.wait(PATIENCE), 0)
        expect_equal(answer(group, 1), "ok")
    os.close(pipe.reader)
    os.close(pipe.writer)


CASES = [
    warning_that_nobody_reads_holds_nobody_up,
    log_that_nobody_reads_holds_nobody_up,
    end_that_nobody_reads_holds_nobody_up,
]

sys.exit(main_in_groups(VMSPACE, CASES))
