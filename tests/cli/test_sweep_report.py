# SPDX-License-Identifier: MIT
"""What 'vmspace sweep' tells of its runs, and which runs it makes.

usage: test_sweep_report.py VMSPACE
"""

import os
import re
import shutil
import subprocess
import sys

from cli_test import (WORK, ended, expect, expect_equal, main_in_groups,
                      on_terminal, work)
from sweep_program import (VMSPACE, command, counts, program_of,
                           results, sweep, table, verdicts)

MIB = 1 << 20


# --- what is told ------------------------------------------------------------


def equal_stacks_are_told_once():
    program = program_of(
        "alike", "for (int i = 0; i < 4; i++) one_of_many(crash);", "crash",
        "tell")
    result = sweep(program)
    text = result.stdout.decode()
    expect_equal(verdicts(), ["crashed"] * 5 + ["wrong"])
    stacks = [one["backtrace"] for one in results()]
    expect_equal(len(set(stacks[:4])), 1, stacks)
    expect_equal(len(set(stacks)), 3, stacks)
    heads = [line for line in text.splitlines() if ": request " in line]
    expect_equal(len(heads), 3, text)
    expect("request 1 and 3 more like it:" in heads[0], heads)
    expect("request 5:" in heads[1] and "by signal 6" in heads[1], heads)
    expect(heads[2].startswith("wrong with status 0: request 6:"), heads)


def table_is_equal_to_the_report():
    program = program_of("mixed", "leave", "go_on", "tell", "crash", "stop",
                         "leave", "go_on", "leave")
    result = sweep(program)
    expect_equal(result.returncode, 1, result)
    expect_equal(verdicts(), ["failed", "same", "wrong", "crashed", "hung",
                              "failed", "same", "failed"])
    expect_equal(table(result.stdout), counts(), result.stdout)
    expect(b"8 requests failed in turn\n" in result.stdout, result.stdout)
    expect_equal([one["request"] for one in results()], list(range(1, 9)))
    for one in results():
        expect_equal((one["call"], one["requested"], one["command"]),
                     ("mmap", 4 * MIB, "mixed"), one)
        expect_equal((one["exit_status"], one["signal"]),
                     {"failed": (3, None), "crashed": (None, 6),
                      "hung": (None, None)}.get(one["verdict"], (0, None)))


def largest_requests_are_no_negative_ones():
    program = program_of("large", "if (syscall(SYS_brk, -65536ul) == -65536l) return 9;", "leave")
    sweep(program)
    expect_equal([one["requested"] for one in results()],
                 [(1 << 63) - 1, 4 * MIB], results())


def any_name_is_told():
    """A file name need be no text."""
    plain = program_of("plain", "crash", "leave")
    name = os.fsencode(WORK.name) + b"/a\x1b[31mb\xff"
    shutil.copy(plain, name)
    result = sweep(name)
    expect_equal(result.returncode, 1, result)
    expect_equal(table(result.stdout), {"crashed": 1, "failed": 1},
                 result.stdout)
    expect_equal(verdicts(), ["crashed", "failed"])
    expect(b"\x1b" not in result.stdout, "to the terminal:", result.stdout)


def without_findings_the_status_is_0():
    result = sweep(program_of("sound", "leave", "go_on"))
    expect_equal((result.returncode, table(result.stdout)),
                 (0, {"failed": 1, "same": 1}), result)
    expect_equal(result.stderr, b"")


def report_that_cannot_be_written_is_told():
    result = sweep(program_of("sound", "leave", "go_on"),
                   f"--report={WORK.name}/none/report")
    expect_equal(result.returncode, 125, result)
    expect(b"none/report" in result.stderr, result.stderr)
    # Before anything is run.
    expect_equal(result.stdout, b"")


def input_that_cannot_be_read_is_told():
    result = sweep(program_of("sound", "leave", "go_on"),
                   f"--input={WORK.name}/none")
    expect_equal((result.returncode, result.stdout), (125, b""), result)
    expect(result.stderr.startswith(f"vmspace sweep: {WORK.name}/none: "
                                    .encode()), result.stderr)


# --- what is run -------------------------------------------------------------


def range_is_what_is_run():
    program = program_of("six", *["leave"] * 6)
    for only, requests in (("2-4", [2, 3, 4]), ("3", [3]), ("5-", [5, 6]),
                           ("6-6", [6]), ("4-900", [4, 5, 6])):
        result = sweep(program, f"--only={only}")
        expect_equal(result.returncode, 0, (only, result))
        expect_equal([one["request"] for one in results()], requests, only)
        expect_equal(table(result.stdout), {"failed": len(requests)}, only)
    result = sweep(program, "--only=7-9")
    expect_equal((result.returncode, result.stdout), (125, b""), result)
    expect(b"no such request" in result.stderr, result.stderr)


def one_request_is_refused_and_not_the_next():
    program = program_of("twice", "int refused = 0;",
                         *["refused += !map(4 << 20);"] * 6,
                         'printf("%d\\n", refused);')
    for number in range(1, 7):
        result = ended([VMSPACE, "fail", "--quiet",
                        f"--nth={number}", "--size=4M", program,
                        work("marker"), "0"], stdout=subprocess.PIPE)
        expect_equal(result.stdout, b"1\ndone\n", number)


# Notes how many of it run beside each other: each that is refused something waits
# until so many as may be have met.
BESIDE = """
import fcntl, mmap, sys, time
def count(change):
    with open(sys.argv[1], "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        now, most = map(int, file.read().split())
        now += change
        file.seek(0)
        file.write(f"{now} {max(most, now)} ")
    return max(most, now)
refused = False
count(1)
for i in range(5):
    try:
        mmap.mmap(-1, 9 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        refused = True
while refused and count(0) < int(sys.argv[2]):
    time.sleep(0.01)
# One too many would come while this one is here.
time.sleep(0.2)
count(-1)
"""


def so_many_run_at_a_time():
    with open(work("beside.py"), "w") as file:
        file.write(BESIDE)
    for jobs in (1, 3):
        with open(work("beside"), "w") as file:
            file.write("0 0 ")
        result = ended([VMSPACE, "sweep", "--kernel", f"--jobs={jobs}",
                        "--minimum=9M",
                        f"--report={work('report')}", "--", sys.executable,
                        work("beside.py"), work("beside"), str(jobs)],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        expect_equal(verdicts(), ["same"] * 5, result)
        with open(work("beside")) as file:
            expect_equal(file.read().split()[:2], ["0", str(jobs)])


# --- progress ----------------------------------------------------------------


def progress_is_shown_on_a_terminal():
    program = program_of("six", *["leave"] * 6)
    result, shown = on_terminal(command(program, "--jobs=2"), "stderr",
                                env={**os.environ, "TERM": "xterm"})
    expect_equal(result.returncode, 0, shown)
    expect_equal(re.findall(r"(\d+) of 6 runs\r", shown),
                 ["1", "2", "3", "4", "5", "6"], repr(shown))
    expect(shown.endswith("\r\x1b[K"), "it stays:", repr(shown))
    expect(b"of 6 runs" not in result.stdout, result.stdout)


def a_finding_is_red_on_a_terminal():
    _, shown = on_terminal(command(program_of("bad", "crash")), "stdout",
                           env={"PATH": os.environ["PATH"], "TERM": "xterm"})
    expect(shown.startswith("\x1b[1;31mcrashed\x1b[m by signal"), repr(shown))


def no_progress_is_shown_elsewhere():
    result = sweep(program_of("six", *["leave"] * 6))
    expect_equal((result.returncode, result.stderr), (0, b""))
    expect(b"of 6 runs" not in result.stdout, result.stdout)


CASES = [
    equal_stacks_are_told_once,
    table_is_equal_to_the_report,
    largest_requests_are_no_negative_ones,
    any_name_is_told,
    without_findings_the_status_is_0,
    report_that_cannot_be_written_is_told,
    input_that_cannot_be_read_is_told,
    range_is_what_is_run,
    one_request_is_refused_and_not_the_next,
    so_many_run_at_a_time,
    progress_is_shown_on_a_terminal,
    a_finding_is_red_on_a_terminal,
    no_progress_is_shown_elsewhere,
]

sys.exit(main_in_groups(VMSPACE, CASES))
