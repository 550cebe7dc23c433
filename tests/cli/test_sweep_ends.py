# SPDX-License-Identifier: MIT
"""How runs of 'vmspace sweep' end and what is told of them.

usage: test_sweep_ends.py VMSPACE
"""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time

from cli_test import (PATIENCE, WORK, compiled, expect, expect_equal,
                      main_in_groups, wait_for, work)

VMSPACE = os.path.abspath(sys.argv[1])
MIB = 1 << 20

# Each block is a request of its own, and no other is as large; a small request
# that follows keeps it from being taken for another try at the refused one.
# Processes that wait are known by the marker, their first argument, and end by
# themselves.
PROGRAM = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *marker;
static unsigned pause_ms;

static char *map(size_t bytes)
{
    char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

static char *block(void)
{
    char *start = map(4 << 20);

    map(4096);
    return start;
}

static void wait_long(void)
{
    FILE *file = fopen(marker, "a");

    fprintf(file, "%d\\n", (int)getpid());
    fclose(file);
    sleep(100);
}

static void hang(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            wait_long();
        _exit(0);
    }
    if (fork() == 0)
        wait_long();
    wait_long();
}

static void stop(void)
{
    raise(SIGSTOP);
}

static void crash(void)
{
    abort();
}

static void leave(void)
{
    exit(3);
}

static void kill_supervisor(void)
{
    kill(getppid(), SIGKILL);
    sleep(1);
    abort();
}

static void leave_another_behind(void)
{
    if (fork() == 0) {
        setsid();
        wait_long();
    }
    while (access(marker, F_OK))
        usleep(1000);
    exit(3);
}

static void tell(void)
{
    puts("refused");
}

static void go_on(void)
{
}

static void one_of_many(void (*refused)(void))
{
    if (!block())
        refused();
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    marker = argv[1];
    pause_ms = (unsigned)atoi(argv[2]);
    (void)hang, (void)stop, (void)crash, (void)leave, (void)tell, (void)go_on;
    (void)leave_another_behind, (void)one_of_many, (void)block;
    (void)kill_supervisor;
    usleep(pause_ms * 1000);
    STEPS
    puts("done");
    return 0;
}
"""


def program_of(name, *steps):
    """A program that has a request for each step, on a line of its own."""
    lines = "\n".join(step if ";" in step else f"if (!block()) {step}();"
                      for step in steps)
    return compiled(work(name), PROGRAM.replace("STEPS", lines), "-g", "-O0")


def ended(command, seconds=PATIENCE, **options):
    """A finished run; one that does not end is killed."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                               start_new_session=True, **options)
    try:
        output, errors = process.communicate(timeout=seconds)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(command, process.returncode, output,
                                       errors)


def command(program, *options, pause_ms=0):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(work("marker"))
    return [VMSPACE, "sweep", f"--report={work('report')}", "--minimum=4M",
            *options, "--", program, work("marker"), str(pause_ms)]


def sweep(program, *options, pause_ms=0):
    return ended(command(program, *options, pause_ms=pause_ms),
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def results():
    with open(work("report"), "rb") as file:
        return json.load(file)


def verdicts():
    return [one["verdict"] for one in results()]


def table(output):
    """How many requests of each verdict the table tells."""
    lines = output.decode(errors="replace").splitlines()
    found = [re.fullmatch(r" +(\d+)  ([a-z ]+)", line) for line in lines]
    return {match[2]: int(match[1]) for match in found if match}


def counts():
    told = verdicts()
    return {verdict: told.count(verdict) for verdict in told}


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


# --- what is told ------------------------------------------------------------


def equal_stacks_are_told_once():
    program = program_of(
        "alike", "for (int i = 0; i < 4; i++) one_of_many(crash);", "crash",
        "tell")
    result = sweep(program)
    text = result.stdout.decode()
    expect_equal(verdicts(), ["crashed"] * 5 + ["wrong"])
    stacks = [one["stack"] for one in results()]
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
        result = ended([VMSPACE, "sweep", f"--jobs={jobs}", "--minimum=9M",
                        f"--report={work('report')}", "--", sys.executable,
                        work("beside.py"), work("beside"), str(jobs)],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        expect_equal(verdicts(), ["same"] * 5, result)
        with open(work("beside")) as file:
            expect_equal(file.read().split()[:2], ["0", str(jobs)])


# --- progress ----------------------------------------------------------------


def with_errors_on_a_terminal(arguments):
    """The finished run, and what it writes to the terminal."""
    master, terminal = pty.openpty()
    try:
        result = ended(arguments, stdout=subprocess.PIPE, stderr=terminal)
        os.close(terminal)
        terminal = -1
        written = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(master, 4096):
                written += chunk
        return result, written.decode()
    finally:
        os.close(master)
        if terminal >= 0:
            os.close(terminal)


def progress_is_shown_on_a_terminal():
    program = program_of("six", *["leave"] * 6)
    result, shown = with_errors_on_a_terminal(command(program, "--jobs=2"))
    expect_equal(result.returncode, 0, shown)
    expect_equal(re.findall(r"\r(\d+) of 6 runs", shown),
                 ["1", "2", "3", "4", "5", "6"], repr(shown))
    expect(shown.endswith("\r\x1b[K"), "it stays:", repr(shown))
    expect(b"of 6 runs" not in result.stdout, result.stdout)


def no_progress_is_shown_elsewhere():
    result = sweep(program_of("six", *["leave"] * 6))
    expect_equal((result.returncode, result.stderr), (0, b""))
    expect(b"of 6 runs" not in result.stdout, result.stdout)


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
    no_progress_is_shown_elsewhere,
]

sys.exit(main_in_groups(VMSPACE, CASES))
