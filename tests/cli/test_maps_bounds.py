# SPDX-License-Identifier: MIT
"""What bounds the commit of a process, as 'vmspace maps' tells.

usage: test_maps_bounds.py VMSPACE BUDGET_HOLDER MAN_DIRECTORY WITH_GROUP
"""

import json
import os
import subprocess
import sys

from cli_test import Skip, expect, expect_equal, main, run
from commit_command import Holder

VMSPACE = os.path.abspath(sys.argv[1])
WITH_GROUP = sys.argv[4] == "true"


def maps(*arguments):
    result = run([VMSPACE, "maps", *map(str, arguments)])
    expect_equal((result.stderr, result.returncode), (b"", 0))
    return result.stdout


def bounds_of(pid):
    return json.loads(maps("--json", pid))["processes"][0]["bounds"]


def commit_lines(text):
    return [line for line in text.decode().split("\n")
            if line.startswith("commit: ")]


def is_strict():
    with open("/proc/sys/vm/overcommit_memory", encoding="ascii") as file:
        return int(file.read()) == 2


def figure(name):
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] == name + ":":
                return int(words[1]) * 1024
    raise AssertionError(name)


def without_others_there_is_the_machine():
    bounds = bounds_of(os.getpid())
    expect_equal([bound["kind"] for bound in bounds][-1], "machine")
    machine = bounds[-1]
    expect_equal(machine["limit"],
                 figure("CommitLimit" if is_strict() else "MemTotal"))
    expect_equal(machine["held"], is_strict())
    expect_equal((machine["pid"], machine["name"]), (None, None))
    # Others ask for memory meanwhile.
    expect(0 < machine["committed"] < 100 * figure("MemTotal"), machine)


def a_budget_goes_before_the_machine():
    with Holder("tenants", 1 << 30, 100 << 20) as holder:
        bounds = bounds_of(holder.pid)
        expect_equal(bounds[0], {"kind": "budget", "name": "tenants",
                                 "pid": None, "committed": 100 << 20,
                                 "limit": 1 << 30, "held": True})
        lines = commit_lines(maps(holder.pid))
        expect_equal(lines[0], "commit: 100M of 1G in the budget tenants")
        expect_equal(len([line for line in lines if "RAM" in line]), 0, lines)
        # A row a process has no room for it.
        expect_equal(commit_lines(maps("--total", holder.pid)), [])


def a_budget_counts_once():
    with Holder("\033[1mbold\n", 1 << 20, 0) as holder:
        with open(holder.link(), "rb") as opened:
            with subprocess.Popen(["sleep", "60"], pass_fds=[
                    opened.fileno(), second := os.dup(opened.fileno())]) as other:
                os.close(second)
                bounds = bounds_of(other.pid)
                lines = commit_lines(maps(other.pid))
                other.kill()
        expect_equal([bound["name"] for bound in bounds if
                      bound["kind"] == "budget"], ["\033[1mbold\n"])
        expect("in the budget \\033[1mbold\\012" in lines[0], lines)


def limited(*program):
    """What a program under a limit writes."""
    if not WITH_GROUP:
        raise Skip("built without groups, or with a sanitizer")
    result = run([VMSPACE, "limit", "256M", "--quiet", "--", *program])
    expect_equal((result.stderr, result.returncode), (b"", 0))
    return result.stdout


def groups_of(text):
    return [bound for bound in json.loads(text)["processes"][0]["bounds"]
            if bound["kind"] == "group"]


def a_process_is_under_the_limit_of_its_group():
    first, listing = limited("sh", "-c", 'echo $$; "$0" maps --json $$',
                             VMSPACE).split(b"\n", 1)
    group, = groups_of(listing)
    expect_equal(group["pid"], int(first))
    expect_equal((group["name"], group["limit"], group["held"]),
                 ("sh", 256 << 20, True))
    expect(0 < group["committed"] <= 256 << 20, group)


# Its child ends, and the child of that asks when it has another parent.
ORPHAN = """
import os, subprocess, sys
reads, writes = os.pipe()
if os.fork() == 0:
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == parent:
        os.sched_yield()
    subprocess.run([sys.argv[1], "maps", "--json", str(os.getpid())])
    os._exit(0)
os.close(writes)
os.read(reads, 1)
"""


def one_whose_parent_has_ended_is_too():
    listing = limited(sys.executable, "-c", ORPHAN, VMSPACE)
    expect_equal(len(groups_of(listing)), 1)


sys.exit(main([
    without_others_there_is_the_machine,
    a_budget_goes_before_the_machine,
    a_budget_counts_once,
    a_process_is_under_the_limit_of_its_group,
    one_whose_parent_has_ended_is_too,
]))
