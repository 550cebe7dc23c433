# SPDX-License-Identifier: MIT
"""Groups that run get another limit.

usage: test_limit_set.py VMSPACE
"""

import json
import subprocess
import sys

from cli_test import PATIENCE, expect, expect_equal, main_in_groups, work
from limit_groups import MIB, VMSPACE, Group, listed, live


def limit_goes_up_and_down():
    with Group("--quiet") as group:
        expect_equal(group.ask(40), "ok")
        expect_equal(group.ask(40), "Cannot allocate memory")
        result = group.set("128M")
        expect_equal(result.returncode, 0, result.stderr)
        expect(b"128M instead of 64M" in result.stdout, result.stdout)
        expect_equal(group.ask(40), "ok")
        result = group.set("50M")
        expect(b"stay" in result.stdout, result.stdout)
        expect_equal(group.ask(1), "Cannot allocate memory")
        expect_equal(group.ask("-"), "ok")
        expect_equal(group.ask(1), "ok")
        expect_equal(group.ask(20), "Cannot allocate memory")
        expect_equal(live("--set", "1G", str(group.pid)).returncode, 0)
        expect_equal(listed()[group.name]["limit"], 1 << 30)
        result = live("--json", "--set=2G", group.name)
        expect_equal(json.loads(result.stdout)["limit"], 2 << 30)


def limit_may_come_from_the_machine_again():
    with open("/proc/meminfo") as file:
        total = int(file.readline().split()[1]) << 10
    with Group("--quiet") as group:
        expect_equal(listed()[group.name]["limit_is"], None)
        result = group.set("ram:50%")
        expect_equal(result.returncode, 0, result.stderr)
        expect(b" (ram:50%) instead of 64M; " in result.stdout, result.stdout)
        mine = listed()[group.name]
        expect_equal((mine["limit"], mine["limit_is"]), (total // 2, "ram:50%"))
        expect_equal(group.set("64M").returncode, 0)
        mine = listed()[group.name]
        expect_equal((mine["limit"], mine["limit_is"]), (64 * MIB, None))


def name_and_limit_may_stand_either_way():
    with Group("--quiet") as group:
        pid = str(group.pid)
        for mib, words in enumerate((["--set", group.name, "101M"],
                                     ["--set", "102M", group.name],
                                     ["--set", pid, "103M"],
                                     ["--set", "104M", pid],
                                     [group.name, "--set", "105M"],
                                     [group.name, "--json", "--set=106M"],
                                     ["--set", "107M", "--json", group.name]),
                                    101):
            result = live(*words)
            expect_equal(result.returncode, 0, (words, result.stderr))
            expect_equal(listed()[group.name]["limit"], mib * MIB, words)
        # Where neither runs, the one behind the limit was meant.
        result = live("--set", "999999998", "999999999")
        expect_equal(result.returncode, 1)
        expect(b"no group '999999999'" in result.stderr, result.stderr)
        result = live("--set", group.name)
        expect_equal(result.returncode, 2)
        expect(b"--set=SIZE NAME" in result.stderr, result.stderr)
        for name in ("ram", "cgroup:90%"):
            with Group("--quiet", f"--name={name}"):
                expect_equal(live("--set", name, "1G").returncode, 0, name)
                expect_equal(listed()[name]["limit"], 1 << 30)


def changed_limit_makes_no_memory_unrefusable():
    for sizes in (("128M", "128M"), ("10M", "10M")):
        with Group("--quiet", f"--report={work('report')}") as group:
            expect_equal(group.ask(40), "ok")
            for size in sizes:
                expect_equal(group.set(size).returncode, 0)
            group.ask(40)
            expect_equal(group.end(), 0)
        with open(work("report")) as file:
            expect_equal(json.load(file)["unrefusable"], 0, sizes)


def thresholds_go_with_the_limit():
    with Group("--warn-at=50%", stderr=subprocess.PIPE) as group:
        expect_equal(group.ask(20), "ok")
        expect_equal(group.set("32M").returncode, 0)
        line = group.process.stderr.readline()
        expect("of 32M in use, past --warn-at=50%" in line, line)
        group.process.stderr.close()


def two_at_once_are_both_obeyed():
    with Group("--quiet") as group:
        for _ in range(5):
            both = [subprocess.Popen([VMSPACE, "limit", f"--set={size}M",
                                      group.name], stdout=subprocess.DEVNULL)
                    for size in (100, 200)]
            expect_equal([one.wait(PATIENCE) for one in both], [0, 0])
            expect(listed()[group.name]["limit"] in (100 * MIB, 200 * MIB))


def group_must_be_the_only_one_that_is_meant():
    with Group("--quiet") as group, \
            Group("--quiet", f"--name={group.name}") as other:
        result = live("--set=1G", group.name)
        expect_equal(result.returncode, 1)
        expect(str(group.pid).encode() in result.stderr and
               str(other.pid).encode() in result.stderr, result.stderr)
        expect_equal(live("--set=1G", str(other.pid)).returncode, 0)
        expect_equal(live("--set=1G", group.name + "x").returncode, 1)


CASES = [
    limit_goes_up_and_down,
    limit_may_come_from_the_machine_again,
    name_and_limit_may_stand_either_way,
    changed_limit_makes_no_memory_unrefusable,
    thresholds_go_with_the_limit,
    two_at_once_are_both_obeyed,
    group_must_be_the_only_one_that_is_meant,
]

sys.exit(main_in_groups(VMSPACE, CASES))
