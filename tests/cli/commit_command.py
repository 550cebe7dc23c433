# SPDX-License-Identifier: MIT
"""Running 'vmspace commit', and processes that have a budget open."""

import json
import os
import subprocess
import sys
import tempfile

from cli_test import Skip, expect_equal, run

VMSPACE, HOLDER, MAN = sys.argv[1:4]
NOBODY = 65534
WORK = tempfile.TemporaryDirectory()


def commit(*arguments, status=0, before=(), **options):
    result = run([*before, VMSPACE, "commit", *arguments], **options)
    expect_equal(result.returncode, status, result.stderr)
    if status == 0:
        expect_equal(result.stderr, b"")
    return result


def report(*arguments, **options):
    return json.loads(commit("--json", *arguments, **options).stdout)


def as_nobody():
    """Options to run the command as a user with no rights."""
    if os.geteuid() != 0:
        return {}
    options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    if run(["test", "-x", VMSPACE], **options).returncode:
        raise Skip("the command is in a directory that others cannot enter")
    return options


class Holder:
    """The program budget_holder, which has a budget until it is ended."""

    def __init__(self, name, limit, charge, *too_much):
        self.process = subprocess.Popen(
            [HOLDER, name, str(limit), str(charge), *map(str, too_much)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        words = self.process.stdout.readline().split()
        expect_equal(words[:1], [b"ready"])
        self.fd = int(words[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        expect_equal(self.process.wait(), 0)

    def link(self):
        return f"/proc/{self.pid}/fd/{self.fd}"


def budgets_of(pid, **options):
    return [budget for budget in report(**options)["budgets"]
            if pid in [holder["pid"] for holder in budget["holders"]]]
