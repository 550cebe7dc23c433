# SPDX-License-Identifier: MIT
"""Signals to the processes of 'vmspace limit', and how these end.

usage: test_limit_signals.py VMSPACE LATE_JOB
"""

import contextlib
import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
import time

from cli_test import (PATIENCE, Skip, expect, expect_equal, installed,
                      main_in_groups, run, wait_for, work, written)
from limit_jobs import (LIMITED, VMSPACE, gone, none_is_pending,
                      session_processes, talker)


LATE_JOB = os.path.abspath(sys.argv[2])


@contextlib.contextmanager
def telling(arguments, **streams):
    """In a session of its own, without a terminal: its process, and the two
    numbers that its program tells after a word."""
    process = subprocess.Popen([*LIMITED, *arguments], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, start_new_session=True,
                               **streams)
    try:
        words = process.stdout.readline().split()
        yield process, int(words[1]), int(words[2])
    finally:
        for pid in session_processes(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def talking(*signals, through=()):
    """A process, its program's number and its supervisor's."""
    return telling([*through, *talker(*signals)])


def quit_and_read(process):
    process.stdin.write(b"quit\n")
    process.stdin.flush()
    return process.stdout.read().decode().splitlines()


def signals_are_passed_on_once():
    names = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2",
             "SIGALRM", "SIGIO", "SIGPWR", "SIGRTMIN", "SIGRTMAX")
    with talking(*names) as (process, _, _):
        for name in names:
            process.send_signal(getattr(signal, name))
            expect_equal(process.stdout.readline().decode(), f"got {name} 1\n")
        expect_equal(quit_and_read(process), [])
        expect_equal(process.wait(PATIENCE), 3)


def signal_that_ends_the_program_ends_the_command():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT,
                   signal.SIGUSR1):
        with talking() as (process, pid, supervisor):
            process.send_signal(number)
            if number == signal.SIGINT:
                process.stdout.read()
            expect_equal(process.wait(PATIENCE), -number)
            expect(gone(pid), "the program lives")
            wait_for(lambda: gone(supervisor), "the supervisor ends")


def signal_to_the_whole_job_is_got_once():
    """As a shell's 'kill %1' sends it; and one to the command still comes."""
    with talking("SIGUSR1") as (process, _, supervisor):
        for count in range(1, 21):
            if count % 2:
                os.killpg(process.pid, signal.SIGUSR1)
            else:
                process.send_signal(signal.SIGUSR1)
            expect_equal(process.stdout.readline().decode(),
                         f"got SIGUSR1 {count}\n")
            wait_for(lambda: none_is_pending(process.pid) and
                     none_is_pending(supervisor), "it is taken")
        expect_equal(quit_and_read(process), [])


def signal_to_the_whole_job_reaches_a_program_that_has_left_it():
    with talking("SIGUSR1", through=[installed("setsid")]) as (process, _, _):
        os.killpg(process.pid, signal.SIGUSR1)
        expect_equal(process.stdout.readline().decode(), "got SIGUSR1 1\n")
        expect_equal(quit_and_read(process), [])


def alarm_that_the_command_inherits_is_the_programs():
    process = subprocess.Popen([*LIMITED, "sleep", "60"],
                               preexec_fn=lambda: signal.alarm(1))
    try:
        expect_equal(process.wait(PATIENCE), -signal.SIGALRM)
    finally:
        process.terminate()
        process.wait()


def ignored_ends_of_children_are_the_programs():
    """The command hears of its own children all the same."""
    script = "import os; print(open('/proc/self/status').read()); os._exit(3)"
    result = run([VMSPACE, "limit", "256M", "--", sys.executable, "-c", script],
                 preexec_fn=lambda: signal.signal(signal.SIGCHLD,
                                                  signal.SIG_IGN))
    expect_equal(result.returncode, 3, result.stderr)
    ignored = int(result.stdout.split(b"SigIgn:")[1].split()[0], 16)
    expect(ignored & 1 << signal.SIGCHLD - 1, hex(ignored))


def signal_while_it_starts_is_not_lost():
    started = work("started")
    for tenths in range(60):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(started)
        process = subprocess.Popen(
            [*LIMITED, "sh", "-c", f"echo >{started}; exec sleep 60"],
            start_new_session=True)
        try:
            time.sleep(tenths / 4000)
            process.terminate()
            expect_equal(process.wait(PATIENCE), -signal.SIGTERM,
                         f"{tenths / 4} ms")
            wait_for(lambda: not session_processes(process.pid),
                     f"all end, {tenths / 4} ms")
        finally:
            for pid in session_processes(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


# Asks once it is told to; the C library is not asked, which might have some.
ASKER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
os.write(1, f"up {os.getpid()} {os.getppid()}\\n".encode())
sys.stdin.readline()
got = libc.mmap(None, ctypes.c_size_t(int(sys.argv[1])), 3, 0x22, -1,
                ctypes.c_long(0))
error = ctypes.get_errno() if got == ctypes.c_void_p(-1).value else 0
os.write(1, f"error {error}\\n".encode())
os._exit(0)
"""


def asking(size):
    return telling([sys.executable, written("asker.py", ASKER), str(size)],
                   stderr=subprocess.PIPE)


def ask(process):
    process.stdin.write(b"\n")
    process.stdin.flush()
    return process.stdout.readline().decode()


def signal_that_the_job_passes_on_late_is_not_lost():
    """The supervisor blocks it by then, as where the job gets no processor."""
    program = ("trap 'exit 5' TERM; : >\"$VMSPACE_TEST_LATE\"; "
               "while read line; do :; done")
    process = subprocess.Popen(
        [*LIMITED, "sh", "-c", program], stdin=subprocess.PIPE,
        env={**os.environ, "LD_PRELOAD": LATE_JOB,
             "VMSPACE_TEST_LATE": work("started")})
    try:
        expect_equal(process.wait(PATIENCE), 5)
    finally:
        process.stdin.close()
        process.wait(PATIENCE)


def killed_supervisor_leaves_errors_and_no_zombie():
    with orphans_counted() as orphans, asking(1 << 20) as asked:
        process, program, supervisor = asked
        os.kill(supervisor, signal.SIGKILL)
        expect_equal(process.wait(PATIENCE), 125)
        expect(not gone(program), "the program was ended")
        expect_equal(ask(process), f"error {errno.ENOSYS}\n")
        wait_for(lambda: gone(program) and gone(supervisor), "all end")
        expect(b"supervisor" in process.stderr.read(), "nothing is told")
        # The library has a process that wakes the thread which traces.
        expect(len(orphans() - {program}) <= 1, "left to somebody else")


def without_the_command_in_front_the_limit_holds():
    with asking(1 << 30) as (process, program, supervisor):
        process.kill()
        expect_equal(process.wait(PATIENCE), -signal.SIGKILL)
        listed = json.loads(run([VMSPACE, "limit", "--json"]).stdout)
        expect(program in [group.get("pid") for group in listed], listed)
        expect_equal(ask(process), f"error {errno.ENOMEM}\n")
        wait_for(lambda: gone(program) and gone(supervisor), "all end")


PR_SET_CHILD_SUBREAPER = 36


@contextlib.contextmanager
def orphans_counted():
    """Meanwhile orphans are this process's, which tells those it has got."""
    libc = ctypes.CDLL(None, use_errno=True)
    got = set()

    def reap():
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG |
                                  os.WNOWAIT)
            except ChildProcessError:
                return got
            if not found:
                return got
            os.waitpid(found.si_pid, 0)
            got.add(found.si_pid)

    expect_equal(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0)
    try:
        yield reap
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def ended_run_leaves_no_orphan():
    """A first process of a container may be one that waits for none."""
    left = set()
    with orphans_counted() as orphans:
        for arguments in (["true"], ["sh", "-c", "sleep 0 & wait"]):
            expect_equal(run(LIMITED + arguments).returncode, 0)
        # What is left of a run would be this process's child by now.
        with contextlib.suppress(ChildProcessError):
            while True:
                left.add(os.waitpid(-1, 0)[0])
        expect_equal(left | orphans(), set(), "supervisors or programs")


STOPPED = """
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda number, frame: None)
print("told", os.getpid(), os.getppid(), flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        os.kill(os.getpid(), signal.SIGUSR1)
    print("done", flush=True)
"""


def is_traced(process):
    with open(f"/proc/{process}/status") as file:
        return "TracerPid:\t0\n" not in file.read()


def sleeps(process):
    """How often each thread of a process has gone to sleep."""
    times = {}
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/status") as file:
            fields = dict(line.split(":", 1) for line in file)
        times[thread] = int(fields["voluntary_ctxt_switches"])
    return times


def stops_wake_the_tracer_alone():
    """A handler without SA_RESTART has the program traced: each signal stops it."""
    count = 2000
    program = [sys.executable, written("stopped.py", STOPPED)]
    with telling(program) as (process, told, supervisor):
        if not is_traced(told):
            raise Skip("this machine's calls cannot be restarted by a tracer")
        before = sleeps(supervisor)
        process.stdin.write(b"%d\n" % count)
        process.stdin.flush()
        expect_equal(process.stdout.readline(), b"done\n")
        after = sleeps(supervisor)
    woken = sorted(after[thread] - before.get(thread, 0) for thread in after)
    expect(woken[-1] >= count // 2, "the tracer was not", woken)
    expect(woken[-2] < count // 20, "threads were woken", woken)


CASES = [
    signals_are_passed_on_once,
    signal_that_ends_the_program_ends_the_command,
    signal_to_the_whole_job_is_got_once,
    signal_to_the_whole_job_reaches_a_program_that_has_left_it,
    alarm_that_the_command_inherits_is_the_programs,
    ignored_ends_of_children_are_the_programs,
    signal_while_it_starts_is_not_lost,
    signal_that_the_job_passes_on_late_is_not_lost,
    killed_supervisor_leaves_errors_and_no_zombie,
    without_the_command_in_front_the_limit_holds,
    ended_run_leaves_no_orphan,
    stops_wake_the_tracer_alone,
]

sys.exit(main_in_groups(VMSPACE, CASES))
