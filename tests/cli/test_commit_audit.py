# SPDX-License-Identifier: MIT
"""'vmspace commit --audit' against Committed_AS, with memory of every kind.

usage: test_commit_audit.py VMSPACE HOGS MAN_DIRECTORY
"""

import contextlib
import os
import subprocess
import sys

from cli_test import Skip, expect, expect_equal, main
from commit_command import as_nobody, commit, report

HOGS = sys.argv[2]
MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
SIZE = 256 * MIB
# What a process has besides, and what others do meanwhile.
SLACK = 8 * MIB
SHARED = ("shared_anonymous", "system_v", "memfd", "tmpfs", "elsewhere")


@contextlib.contextmanager
def hog(kind, size=SIZE):
    """The process, and its children's numbers, while it has that memory."""
    process = subprocess.Popen([HOGS, kind, str(size)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        words = process.stdout.readline().decode().split(maxsplit=1)
        if words[0] == "skip":
            raise Skip(words[1].strip())
        expect_equal(words, ["ready"])
        yield process.pid
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


def audit(**options):
    return report("--audit", **options)["audit"]


def private(whole, pid):
    """What the process and its children hold."""
    family = {pid, *(int(child) for child in open(
        f"/proc/{pid}/task/{pid}/children").read().split())}
    return sum(holder["committed"] for holder in whole["processes"]
               if holder["pid"] in family)


def grows(kind, of_process=0, **shared):
    """A case: with that hog the figures are larger by so much, and the kernel's
    as well."""
    want = {name: shared.get(name, 0) for name in SHARED}

    def case():
        for _ in range(20):
            before = audit()
            with hog(kind) as pid:
                after = audit()
                own = private(after, pid)
            have = {name: after[name] - before[name] for name in SHARED}
            unexplained = ((after["committed"] - after["explained"]) -
                           (before["committed"] - before["explained"]))
            near = (abs(own - of_process) <= SLACK and
                    abs(unexplained) <= SLACK and
                    all(abs(have[name] - want[name]) <= SLACK for name in SHARED))
            if near:
                return
        raise AssertionError(f"{kind}: {own} and {have}, unexplained "
                             f"{unexplained}; want {of_process} and {want}")

    case.__name__ = f"{kind}_is_explained"
    return case


def sums_add_up():
    whole = audit()
    expect_equal(whole["explained"],
                 sum(holder["committed"] for holder in whole["processes"]) +
                 sum(whole[name] for name in SHARED))
    amounts = [holder["committed"] for holder in whole["processes"]]
    expect_equal(amounts, sorted(amounts, reverse=True))


def small_segments_take_whole_pages():
    with hog("detached", 100):
        held = audit()["system_v"]
    expect(held > 0 and held % PAGE == 0, held)


def text_names_those_that_hold_most():
    with hog("private", 2048 * MIB) as pid:
        text = commit("--audit").stdout.decode()
        expect(any(line.split()[0::2] == ["2.0G", str(pid)] or
                   f"  {pid} hogs" in line for line in text.split("\n")), text)
    expect("explained\n" in text and "who holds it: Committed_AS is" in text, text)
    expect(all(len(line) <= 80 for line in text.split("\n")), text)


def what_may_not_be_looked_at_is_told():
    options = as_nobody()
    with hog("private") as pid:
        whole = audit(**options)
        if options:
            expect(pid not in {holder["pid"] for holder in whole["processes"]})
            expect(whole["hidden"] > 0 and whole["hidden_most"] >= SIZE, whole)
            text = commit("--audit", **options).stdout.decode()
            expect("may not be looked at" in text, text)


def supposed(kind):
    """What a mode 2 that leaves half of such a hog would refuse to it."""
    with hog(kind) as pid:
        left = report()["left"]
        limit = left["committed"] + left["admin_reserve"] + SIZE // 2
        whole = report("--what-if", f"mode=2,swap=0,kbytes={limit // 1024}")
        found = [process for process in whole["refusals"]["processes"]
                 if process["pid"] == pid]
    expect_equal(len(found), 1)
    return found[0]


def a_supposed_limit_tells_whom_it_refuses():
    for kind, forked, uncharged, refused in (
            ("private", SIZE, 0, "fork"), ("noreserve", 0, SIZE, "start")):
        want = {"everything": False, "fork": refused == "fork",
                "start": refused == "start"}
        # Others commit and give back meanwhile.
        for _ in range(20):
            process = supposed(kind)
            if process["refused"] == want:
                break
        expect_equal(process["refused"], want, process)
        for name, amount in (("forked", forked), ("uncharged", uncharged)):
            expect(amount <= process[name] <= amount + SLACK, kind, process)


CASES = [
    sums_add_up,
    grows("private", SIZE),
    grows("noreserve"),
    grows("reserved"),
    grows("stack", SIZE // 4),
    grows("thread_stack", SIZE),
    grows("space", SIZE),
    grows("readonly", SIZE),
    grows("dontunmap", 2 * SIZE),
    grows("fork", 2 * SIZE),
    grows("vfork", SIZE),
    grows("shared", shared_anonymous=SIZE),
    grows("shared_noreserve", shared_anonymous=SIZE // 4),
    grows("memfd_mapped", memfd=SIZE // 4),
    grows("memfd_open", memfd=SIZE // 4),
    grows("memfd_in_flight", elsewhere=SIZE // 4),
    grows("attached", system_v=SIZE),
    grows("detached", system_v=SIZE),
    grows("tmpfs", tmpfs=SIZE // 4),
    small_segments_take_whole_pages,
    text_names_those_that_hold_most,
    what_may_not_be_looked_at_is_told,
    a_supposed_limit_tells_whom_it_refuses,
]

sys.exit(main(CASES))
