# SPDX-License-Identifier: MIT
"""The budgets that 'vmspace commit' lists.

usage: test_commit_budgets.py VMSPACE BUDGET_HOLDER MAN_DIRECTORY
"""

import os
import re
import struct
import subprocess
import sys

from cli_test import Skip, expect, expect_equal, main
from commit_command import (HOLDER, Holder, WORK, as_nobody, budgets_of,
                            commit, report)


def budget_is_found_with_its_figures():
    with Holder("web", 1 << 30, 100 << 20, 1 << 30) as holder:
        budgets = budgets_of(holder.pid)
        expect_equal(len(budgets), 1, budgets)
        budget = budgets[0]
        expect_equal(set(budget), {"inode", "figures", "holders"})
        expect_equal(budget["inode"], str(os.stat(holder.link()).st_ino))
        expect_equal(budget["figures"], {
            "name": "web", "label": None, "policy": "strict",
            "limit": 1 << 30, "charged": 100 << 20, "peak": 100 << 20,
            "refusals": 1, "processes": 1, "maker": holder.pid})
        expect_equal(budget["holders"], [{
            "pid": holder.pid, "command": os.path.basename(HOLDER)[:15]}])
        text = commit().stdout.decode()
        expect("  web (strict; made by process "
               f"{holder.pid})\n    limit 1G, charged 100M, peak 100M; "
               f"1 refusal, 1 process\n    open in {holder.pid} (" in text,
               text)
        pid = holder.pid
    expect_equal(budgets_of(pid), [])


def budget_of_several_processes_is_listed_once():
    with Holder("shared", 1 << 20, 4096) as holder:
        with open(holder.link(), "rb") as opened:
            second = os.dup(opened.fileno())
            budgets = budgets_of(holder.pid)
            os.close(second)
        expect_equal(len(budgets), 1, budgets)
        expect_equal({other["pid"] for other in budgets[0]["holders"]},
                     {holder.pid, os.getpid()})
        expect_equal(len(budgets[0]["holders"]), 2)
        # Nobody's but the holder's any more.
        expect_equal(len(budgets_of(holder.pid)[0]["holders"]), 1)


def many_holders_are_counted_in_the_text():
    with Holder("many", 1 << 20, 0) as holder:
        with open(holder.link(), "rb") as opened:
            sleepers = [subprocess.Popen(["sleep", "60"],
                                         pass_fds=[opened.fileno()])
                        for _ in range(9)]
            try:
                holders = budgets_of(holder.pid)[0]["holders"]
                text = commit().stdout.decode()
            finally:
                for sleeper in sleepers:
                    sleeper.kill()
                    sleeper.wait()
        expect_equal({other["pid"] for other in holders},
                     {holder.pid, os.getpid(), *(s.pid for s in sleepers)})
        expect("and 3 more\n" in text, text)


def text_of_others_cannot_reach_the_terminal():
    name = "\033[31mred\u009b\n\\ end"
    escaped = "\\033[31mred\\302\\233\\012\\\\ end"
    with Holder(name, 1 << 20, 0) as holder:
        expect_equal(budgets_of(holder.pid)[0]["figures"]["name"], name)
        output = commit().stdout
        expect(f"  {escaped} (".encode() in output, output)
        expect(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", output), output)


def name_that_is_not_utf8_is_mended_in_json():
    with Holder(b"caf\xc3\xa9 \xff\xc0\xaf", 1 << 20, 0) as holder:
        expect_equal(budgets_of(holder.pid)[0]["figures"]["name"],
                     "caf\u00e9 \ufffd\ufffd\ufffd")
        output = commit().stdout.decode()
        expect("  caf\u00e9 \\377\\300\\257 (" in output, output)


def garbage_is_no_budget_and_no_crash():
    fd = os.memfd_create("vmspace-budget")
    try:
        for size in (0, 1, 4096, 1 << 20):
            os.ftruncate(fd, size)
            os.pwrite(fd, os.urandom(size), 0)
            budgets = budgets_of(os.getpid())
            expect_equal([budget["figures"] for budget in budgets], [None])
            expect(b"it is no budget)" in commit().stdout)
    finally:
        os.close(fd)


def budget_of_another_version_is_told_apart():
    fd = os.memfd_create("vmspace-budget")
    try:
        os.write(fd, b"VsBudget" + struct.pack("=I", 1))
        os.ftruncate(fd, 1 << 20)
        budgets = budgets_of(os.getpid())
        expect_equal([budget["figures"] for budget in budgets], [None])
        expect(b"it is of another version of vmspace" in commit().stdout)
    finally:
        os.close(fd)


def what_only_has_the_name_of_a_budget_is_passed_over():
    try:
        fd = os.memfd_create("vmspace-budget",
                             os.MFD_HUGETLB | os.MFD_CLOEXEC)
    except OSError:
        raise Skip("there are no huge pages here")
    try:
        expect_equal(os.readlink(f"/proc/self/fd/{fd}"),
                     "/memfd:vmspace-budget (deleted)")
        expect_equal(budgets_of(os.getpid()), [])
    finally:
        os.close(fd)


def processes_of_others_are_counted():
    options = as_nobody()
    if not options:
        raise Skip("needs to be root, to be somebody else")
    with Holder("hidden", 1 << 20, 0) as holder:
        whole = report(**options)
        expect(whole["hidden_processes"] >= 1, whole)
        expect_equal(budgets_of(holder.pid, **options), [])
        text = commit(**options).stdout.decode()
        expect(re.search(r"  \d+ process(es)? of other users, or protected, "
                         "could not be looked at\n", text), text)
        expect_equal(len(budgets_of(holder.pid)), 1)


def kernel_threads_hide_nothing():
    options = as_nobody()
    if not options:
        raise Skip("needs to be root, to be somebody else")
    with_memory = 0
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(name)}/status") as file:
                with_memory += "VmSize:" in file.read()
        except (ValueError, OSError):
            pass
    hidden = report(**options)["hidden_processes"]
    # Others come and go meanwhile.
    expect(hidden <= with_memory + 20, hidden, with_memory)


CASES = [
    budget_is_found_with_its_figures,
    budget_of_several_processes_is_listed_once,
    many_holders_are_counted_in_the_text,
    text_of_others_cannot_reach_the_terminal,
    name_that_is_not_utf8_is_mended_in_json,
    garbage_is_no_budget_and_no_crash,
    budget_of_another_version_is_told_apart,
    what_only_has_the_name_of_a_budget_is_passed_over,
    processes_of_others_are_counted,
    kernel_threads_hide_nothing,
]

try:
    sys.exit(main(CASES))
finally:
    WORK.cleanup()
