# SPDX-License-Identifier: MIT
"""How runs of 'vmspace sweep' end, and how the sweep itself ends.

usage: test_sweep_ends.py VMSPACE
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

from cli_test import (PATIENCE, expect, expect_equal, main_in_groups, wait_for,
                      work)
from sweep_program import (VMSPACE, command, counts, program_of, results,
                           sweep, table, verdicts)


def waiting():
    """The processes that wait, and live."""
    try:
        with open(work("marker")) as file:
            pids = [int(line) for line in file]
    except FileNotFoundError:
        return []
    return [pid for pid in pids if is_ours(pid)]


def is_ours(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return work("marker").encode() in file.read().split(b"\0")
    except OSError:
        return False


def expect_none_waits(what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    try:
        while waiting():
            expect(time.monotonic() < end, what, "left", waiting())
            time.sleep(0.02)
    finally:
        for pid in waiting():
            os.kill(pid, signal.SIGKILL)


# --- verdicts ----------------------------------------------------------------


def hung_program_is_told_and_gone():
    program = program_of("hanging", "leave", "hang", "leave")
    result = sweep(program, "--timeout=6.5")
    expect_equal(result.returncode, 1, (result.stdout, result.stderr))
    expect_equal(verdicts(), ["failed", "hung", "failed"])
    expect(results()[1]["seconds"] >= 6.5, results()[1]["seconds"])
    expect(os.path.exists(work("marker")), "it has not waited")
    expect_equal(waiting(), [], "alive at the end")
    expect("hung after " in result.stdout.decode(), result.stdout)
    expect("main" in result.stdout.decode(), result.stdout)


def hung_program_has_no_status():
    sweep(program_of("hanging", "leave", "hang", "leave"), "--timeout=6",
          "--only=2")
    one, = results()
    expect_equal((one["verdict"], one["exit_status"], one["signal"]),
                 ("hung", None, None))


def stopped_program_counts_as_hung_at_once():
    # The time of a run would outlast the patience of the test.
    result = sweep(program_of("stopping", "stop"), f"--timeout={2 * PATIENCE}")
    expect_equal((result.returncode, verdicts()), (1, ["hung"]), result)


def time_limit_is_of_each_run():
    """Four runs in turn take longer than it, one does not."""
    program = program_of("slow", "leave", "leave", "leave")
    begin = time.monotonic()
    result = sweep(program, "--timeout=8", "--jobs=1", pause_ms=2500)
    expect_equal((result.returncode, verdicts()), (0, ["failed"] * 3), result)
    expect(time.monotonic() - begin > 8, "good run and three in turn")


def process_left_behind_is_gone():
    result = sweep(program_of("leaving", "leave_another_behind"))
    expect_equal((result.returncode, verdicts()), (0, ["failed"]), result)
    expect(os.path.exists(work("marker")), "none was left behind")
    expect_none_waits("a process that a run left behind")


def good_run_that_hangs_is_no_sweep():
    result = sweep(program_of("endless", "wait_long();"), "--timeout=0.5")
    expect_equal((result.returncode, result.stdout), (125, b""), result)
    expect(b"did not end" in result.stderr, result.stderr)
    expect_none_waits("the good run")


def good_run_that_crashes_is_no_sweep():
    result = sweep(program_of("crashing", "crash();"))
    expect_equal((result.returncode, result.stdout), (125, b""), result)
    expect(b"signal 6" in result.stderr, result.stderr)


def run_whose_supervisor_was_killed_is_not_the_same():
    result = sweep(program_of("killing", "leave", "kill_supervisor", "go_on"),
                   "--jobs=1")
    expect_equal((result.returncode, verdicts()),
                 (1, ["failed", "not run", "same"]), result)
    expect_equal([one["request"] for one in results()], [1, 2, 3])
    expect_equal(table(result.stdout), counts(), result.stdout)
    expect(b"not run: " in result.stdout and b"request 2" in result.stdout,
           result.stdout)


# --- being interrupted -------------------------------------------------------


def interrupted(number, *steps, to_group=False):
    """Interrupt a sweep whose program hangs and takes no signal."""
    process = subprocess.Popen(
        command(program_of("hanging", *steps), f"--timeout={2 * PATIENCE}"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: len(waiting()) >= 3, "it hangs")
        if to_group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        expect_equal(process.wait(PATIENCE), -number)
    finally:
        process.kill()
        process.wait()
        try:
            # Only one that is killed cannot see to it that they have ended.
            expect_none_waits(f"after signal {number}",
                              PATIENCE if number == signal.SIGKILL else 0)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def interrupt_from_the_keyboard_leaves_no_process():
    interrupted(signal.SIGINT, "leave", "hang", "leave", to_group=True)


def terminated_sweep_leaves_no_process():
    interrupted(signal.SIGTERM, "leave", "hang", "leave")


def killed_sweep_leaves_no_process():
    interrupted(signal.SIGKILL, "leave", "hang", "leave")


def interrupted_good_run_leaves_no_process():
    interrupted(signal.SIGINT, "hang();", to_group=True)
    interrupted(signal.SIGTERM, "hang();")


CASES = [
    hung_program_is_told_and_gone,
    hung_program_has_no_status,
    stopped_program_counts_as_hung_at_once,
    time_limit_is_of_each_run,
    process_left_behind_is_gone,
    good_run_that_hangs_is_no_sweep,
    good_run_that_crashes_is_no_sweep,
    run_whose_supervisor_was_killed_is_not_the_same,
    interrupt_from_the_keyboard_leaves_no_process,
    terminated_sweep_leaves_no_process,
    killed_sweep_leaves_no_process,
    interrupted_good_run_leaves_no_process,
]

sys.exit(main_in_groups(VMSPACE, CASES))
