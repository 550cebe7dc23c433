# SPDX-License-Identifier: MIT
"""What 'vmspace limit' does before the limit: signals and a command.

usage: test_limit_warn.py VMSPACE
"""

import json
import os
import signal
import subprocess
import sys

from cli_test import (PATIENCE, WORK, expect, expect_equal, main_in_groups,
                      run, wait_for, work, written)
from limit_jobs import gone

VMSPACE = os.path.abspath(sys.argv[1])

# Takes steps: a number of MiB to map, "-" to unmap the last, "fork" to go on in a
# child, "end" likewise while the parent ends, a path to wait for, "!" to wait for a
# signal. Tells each signal.
STEPS = """
import mmap, os, signal, sys
def tell(number, frame):
    os.write(1, f"{role} {signal.Signals(number).name}\\n".encode())
    heard.append(number)
def pause():
    signal.sigtimedwait([], 0.01)
role, heard = "first", []
for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
    signal.signal(number, tell)
kept = []
for step in sys.argv[1:]:
    if step == "fork":
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            sys.exit(0)
        role = "child"
    elif step == "end":
        if os.fork():
            os._exit(0)
        role = "left"
    elif step == "-":
        kept.pop().close()
    elif step.startswith("/"):
        while not os.path.exists(step):
            pause()
    elif step == "!":
        while not heard:
            pause()
        heard.clear()
    else:
        kept.append(mmap.mmap(-1, int(step) << 20, mmap.MAP_PRIVATE))
"""


def steps(*words):
    return ["--", sys.executable, written("steps.py", STEPS), *words]


def limited(*arguments, **options):
    return run([VMSPACE, "limit", "128M", *arguments], **options)


def lines_with(word, result):
    return [line for line in result.stderr.decode().splitlines()
            if word in line]


def each_threshold_warns_once():
    result = limited("--warn-at=40%", "--signal=SIGUSR1", "--grace=100M",
                     "--grace-signal=usr2",
                     *steps("30", "30", "!", "10", "20", "20", "!", "5"))
    expect_equal((result.returncode, result.stdout),
                 (0, b"first SIGUSR1\nfirst SIGUSR2\n"), result.stderr)
    warned = lines_with("past --warn-at=40%", result)
    expect(len(warned) == 1 and "of 128M in use" in warned[0] and
           "SIGUSR1 to python3" in warned[0], result.stderr)
    expect_equal(len(lines_with("past --grace=100M", result)), 1, result.stderr)


def grace_asks_to_end():
    result = limited("--grace=50%", *steps("30", "50", "!"))
    expect_equal(result.stdout, b"first SIGTERM\n", result.stderr)


def what_falls_and_rises_is_told_again():
    result = limited("--warn-at=50%", "--signal=USR1",
                     *steps("70", "!", "-", "70", "!", "-", "20", "70", "!"))
    expect_equal(result.stdout, b"first SIGUSR1\n" * 3, result.stderr)


def report_counts_the_warnings():
    result = limited("--warn-at=50%", "--grace=99%", "--signal=USR1",
                     f"--report={work('report')}",
                     *steps("70", "!", "-", "70", "!"))
    expect_equal(lines_with("was reached", result),
                 ["  --warn-at=50% was reached 2 times, --grace=99% was "
                  "reached never"], result.stderr)
    with open(work("report")) as file:
        expect_equal(json.load(file)["warnings"],
                     [{"warning": "warn", "at": "50%", "count": 2},
                      {"warning": "grace", "at": "99%", "count": 0}])
    result = limited("--warn-at=50%", *steps("70"))
    expect_equal(lines_with("was reached", result),
                 ["  --warn-at=50% was reached once"], result.stderr)
    expect_equal(lines_with("was reached", limited("true")), [])


def warning_after_the_first_has_ended_is_in_the_report():
    report = work("late report")
    limited("--warn-at=90M", f"--report={report}", "--quiet",
            *steps("end", work("first ended"), "100"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def counted():
        with open(report) as file:
            return json.load(file)["warnings"][0]["count"]

    expect_equal(counted(), 0)
    written("first ended", "")
    wait_for(lambda: counted() == 1, "the report has the warning")


def refused_request_does_not_warn():
    result = limited("--warn-at=50%", *steps("500"), stdout=subprocess.DEVNULL)
    expect_equal(lines_with("past --warn-at", result), [])


def all_or_the_largest_get_the_signal():
    result = limited("--warn-at=90M", "--signal=USR1", "--warn-whom=all",
                     *steps("fork", "90", "!"))
    expect_equal(sorted(result.stdout.splitlines()),
                 [b"child SIGUSR1", b"first SIGUSR1"], result.stderr)
    result = limited("--warn-at=90M", "--signal=USR1", "--warn-whom=largest",
                     *steps("fork", "90", "!"))
    expect_equal(result.stdout, b"child SIGUSR1\n", result.stderr)
    result = limited("--warn-at=90M", "--signal=USR1", *steps("fork", "90"))
    expect_equal(result.stdout, b"first SIGUSR1\n", result.stderr)


def largest_gets_it_where_the_first_has_ended():
    out = work("left")
    with open(out, "wb") as file:
        limited("--warn-at=90M", "--signal=USR1", "--quiet",
                *steps("end", work("first has ended"), "90", "!"),
                stdout=file, stderr=subprocess.DEVNULL)
    written("first has ended", "")
    wait_for(lambda: os.path.getsize(out), "the signal")
    with open(out) as file:
        expect_equal(file.read(), "left SIGUSR1\n")


def quiet_says_nothing():
    result = limited("--warn-at=1M", "--quiet", *steps("90"))
    expect_equal((result.returncode, result.stderr), (0, b""))


def command_has_figures_and_no_limit():
    command = (f"{sys.executable} -c 'x = bytearray(1 << 28); print(len(x))';"
               f"env >{work('new')}; mv {work('new')} {work('environment')}")
    result = limited("--warn-at=50%", f"--on-warn={command}",
                     *steps("90", work("environment")))
    expect_equal((result.returncode, result.stdout), (0, b""), result.stderr)
    expect(b"268435456\n" in result.stderr, result.stderr)
    with open(work("environment")) as file:
        have = dict(line.rstrip("\n").split("=", 1) for line in file
                    if line.startswith("VMSPACE_"))
    expect_equal(have["VMSPACE_WARNING"], "warn")
    expect_equal(have["VMSPACE_LIMIT"], str(128 << 20))
    expect_equal(have["VMSPACE_WARN_AT"], str(64 << 20))
    expect(int(have["VMSPACE_COMMITTED"]) >= 90 << 20, have)
    expect(int(have["VMSPACE_PEAK"]) >= 90 << 20, have)
    expect_equal(have["VMSPACE_REFUSALS"], "0")
    expect_equal(have["VMSPACE_FIRST_PID"], have["VMSPACE_LARGEST_PID"])
    expect_equal(have["VMSPACE_ASKED_PID"], have["VMSPACE_LARGEST_PID"])
    expect(int(have["VMSPACE_LARGEST_COMMITTED"]) >= 90 << 20, have)
    expect(have["VMSPACE_LARGEST_COMMAND"].startswith("python3"), have)


def nobody_waits_for_the_command():
    command = (f"echo $$ >{work('new pid')}; mv {work('new pid')} "
               f"{work('pid')}; exec sleep 1000 >/dev/null 2>&1")
    command = command.replace(work("new pid"), f"'{work('new pid')}'")
    result = limited("--warn-at=50%", f"--on-warn={command}",
                     *steps("90", work("pid")))
    expect_equal(result.returncode, 0, result.stderr)
    with open(work("pid")) as file:
        pid = int(file.read())
    expect(not gone(pid), "the command has ended")
    os.kill(pid, signal.SIGKILL)


def few_commands_run_at_once():
    ups = [step for _ in range(6) for step in ("90", "-")]
    command = f"echo x >>{work('begun')}; exec sleep 1000 >/dev/null 2>&1"
    process = subprocess.Popen(
        [VMSPACE, "limit", "128M", "--warn-at=50%", f"--on-warn={command}",
         *steps(*ups, work("enough"))],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        while b"still run" not in process.stderr.readline():
            expect(process.poll() is None, "no command was left out")
        written("enough", "")
        process.stderr.read()
        expect_equal(process.wait(PATIENCE), 0)
    finally:
        process.kill()
        process.stderr.close()
    with open(work("begun")) as file:
        expect(len(file.read().split()) <= 4)
    for pid in with_argument("1000"):
        os.kill(pid, signal.SIGKILL)


def with_argument(word):
    """Processes of this test that have an argument."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline") as file:
                arguments = file.read().split("\0")
            with open(f"/proc/{name}/environ") as file:
                environment = file.read().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if word in arguments and "VMSPACE_TEST=" + WORK.name in environment:
            found.append(int(name))
    return found


def nothing_stays_without_the_supervisor():
    token = "--on-warn=: " + WORK.name
    process = subprocess.Popen(
        [VMSPACE, "limit", "128M", "--quiet", "--warn-at=50%", token, "sh",
         "-c", "echo $PPID; exec sleep 1000"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    supervisor = int(process.stdout.readline())
    os.kill(supervisor, signal.SIGKILL)
    expect_equal(process.wait(PATIENCE), 125)
    process.stdout.close()
    wait_for(lambda: not with_argument(token), "the runner ends")
    for pid in with_argument("1000"):
        os.kill(pid, signal.SIGKILL)


def wrong_thresholds_and_signals_are_refused():
    for options in (["--warn-at=0"], ["--warn-at=0%"], ["--warn-at=101%"],
                    ["--warn-at=x%"], ["--warn-at=nan%"], ["--warn-at=129M"],
                    ["--warn-at=50%%"], ["--warn-at=50%", "--grace=50%"],
                    ["--grace=10M", "--warn-at=50%"], ["--signal=TERM"],
                    ["--on-warn=true"], ["--warn-whom=all"],
                    ["--warn-at=50%", "--warn-whom=some"],
                    ["--warn-at=50%", "--signal=NONE"],
                    ["--warn-at=50%", "--signal=0"],
                    ["--warn-at=50%", "--signal=999"],
                    ["--warn-at=50%", "--grace-signal=SIGRTMIN+99"]):
        result = limited(*options, "true")
        expect_equal(result.returncode, 2, options)
        expect(b"vmspace limit: " in result.stderr, options, result.stderr)


CASES = [
    each_threshold_warns_once,
    grace_asks_to_end,
    what_falls_and_rises_is_told_again,
    report_counts_the_warnings,
    warning_after_the_first_has_ended_is_in_the_report,
    refused_request_does_not_warn,
    all_or_the_largest_get_the_signal,
    largest_gets_it_where_the_first_has_ended,
    quiet_says_nothing,
    command_has_figures_and_no_limit,
    nobody_waits_for_the_command,
    few_commands_run_at_once,
    nothing_stays_without_the_supervisor,
    wrong_thresholds_and_signals_are_refused,
]

os.environ["VMSPACE_TEST"] = WORK.name
sys.exit(main_in_groups(VMSPACE, CASES))
