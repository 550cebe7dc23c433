# SPDX-License-Identifier: MIT
"""Programs under 'vmspace limit': what they get, what is told.

usage: test_limit.py VMSPACE
"""

import json
import os
import shutil
import signal
import subprocess
import sys

from cli_test import (PATIENCE, WORK, compiled, expect, expect_equal,
                      installed, main_in_groups, run, wait_for, work, written)
from limit_jobs import gone

VMSPACE = os.path.abspath(sys.argv[1])

HOG = """
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    size_t count = 0;
    char *block;
    while ((block = malloc(1 << 20))) {
        memset(block, 1, 1 << 20);
        if (++count == 400)
            return 1;
    }
    printf("%zu %s\\n", count, strerror(errno));
    return 7;
}
"""


def limited(*arguments, size="64M", **options):
    return run([VMSPACE, "limit", size, *arguments], **options)


def refused_fork_points_at_the_option_that_lets_it():
    program = ("import os\nblock = bytearray(40 << 20)\n"
               "try: os._exit(0) if os.fork() == 0 else os.wait()\n"
               "except OSError: raise SystemExit(7)")
    result = limited(sys.executable, "-c", program, size="64M")
    expect_equal(result.returncode, 7, result.stderr)
    expect(b"--fork=free" in result.stderr, result.stderr)
    result = limited("--fork=free", sys.executable, "-c", program, size="64M")
    expect_equal(result.returncode, 0, result.stderr)


def status_and_signal_are_passed_on():
    result = limited("--quiet", "sh", "-c", "echo out; echo err >&2; exit 7")
    expect_equal((result.returncode, result.stdout, result.stderr),
                 (7, b"out\n", b"err\n"))
    result = limited("--quiet", "sh", "-c", "kill -9 $$")
    expect_equal(result.returncode, -signal.SIGKILL)
    expect_equal(limited("--quiet", "nonsense-program").returncode, 127)
    expect_equal(limited("--quiet", "/etc/passwd").returncode, 126)


def closed_streams_are_closed_for_the_program():
    for closed in ("<&- 2>&-", ">&- 2>&-", "<&- >&-"):
        result = run(["sh", "-c", f'"$0" limit 64M -- sh -c '
                      f"'exit 3' {closed}", VMSPACE])
        expect_equal(result.returncode, 3, closed)


def run_without_refusals_tells_its_peak_in_one_line():
    result = limited("true")
    expect_equal(result.returncode, 0)
    text = result.stderr.decode()
    expect_equal(text.count("\n"), 1, text)
    expect("peak commit" in text and "of 64M" in text, text)
    expect("nothing was refused" in text, text)


def hog_meets_enomem(program):
    result = limited(program)
    expect_equal(result.returncode, 7, (result.stdout, result.stderr))
    count, text = result.stdout.decode().split(maxsplit=1)
    expect_equal(text, "Cannot allocate memory\n")
    expect(50 <= int(count) <= 64, count)
    expect(b"refused" in result.stderr, result.stderr)
    expect(b"in use" in result.stderr, result.stderr)


def hog_in_c_meets_enomem():
    hog_meets_enomem(compiled(work("hog"), HOG, "-g"))


def static_hog_meets_enomem():
    hog_meets_enomem(compiled(work("static-hog"), HOG, "-static"))


def python_meets_memory_error():
    result = limited("--quiet", sys.executable, "-c",
                     "x = []\nwhile 1: x.append(bytearray(1 << 20))")
    expect_equal(result.returncode, 1, result.stderr)
    expect(b"MemoryError" in result.stderr, result.stderr)


def perl_meets_out_of_memory():
    result = limited("--quiet", installed("perl"), "-e",
                     'push @x, "a" x 1000000 while 1')
    expect(result.returncode > 0, result)
    expect(b"ut of memory" in result.stderr, result.stderr)


def shell_cannot_fork():
    result = limited("--quiet", "sh", "-c", "while :; do sleep 3 & done",
                     size="8M")
    expect(result.returncode > 0, result)
    expect(b"annot fork" in result.stderr, result.stderr)


def node_meets_its_own_error():
    result = limited("--quiet", installed("node"), "-e", """
        const kept = [];
        try { for (;;) kept.push(Buffer.alloc(32 << 20, 1)); }
        catch (error) { console.log(error.name); process.exit(9); }
    """, size="1G")
    expect_equal((result.returncode, result.stdout), (9, b"RangeError\n"),
                 result.stderr)


def report_is_complete_json():
    result = limited(f"--report={work('report')}", "--quiet",
                     compiled(work("reported"), HOG, "-g"))
    expect_equal(result.stderr, b"")
    with open(work("report")) as file:
        report = json.load(file)
    expect_equal(report["command"], [work("reported")])
    expect_equal(report["limit"], 64 << 20)
    expect(55 << 20 <= report["peak"] <= 64 << 20, report["peak"])
    expect_equal((report["exit_status"], report["signal"]), (7, None))
    expect_equal(report["injected"], 0)
    expect_equal(report["refused"], len(report["refusals"]))
    expect(report["calls"] >= report["requests"] >= report["refused"] > 0)
    expect_equal(report["processes"][0]["command"], "reported")
    first = report["refusals"][0]
    expect_equal(first["limit"], 64 << 20)
    expect(first["committed"] + first["requested"] > 64 << 20, first)
    expect(first["call"] in ("mmap", "brk"), first)
    expect_equal(first["in_use_by"][0]["pid"], first["pid"])
    expect(any("main" in frame for frame in first["backtrace"]), first["backtrace"])


def any_name_is_told():
    """A file name need be no text; a terminal obeys some."""
    plain = compiled(work("plain"), HOG, "-g")
    name = os.fsencode(WORK.name) + b"/a\x1b[31mb\xff"
    shutil.copy(plain, name)
    result = limited(f"--report={work('report')}", name)
    expect_equal(result.returncode, 7, result.stderr)
    expect(b"\x1b" not in result.stderr, result.stderr)
    expect(b"a\\033[31mb\\377" in result.stderr, result.stderr)
    with open(work("report")) as file:
        stack = json.load(file)["refusals"][0]["backtrace"]
    expect(any("main" in frame for frame in stack), stack)


def log_tells_refusals_as_they_happen():
    process = subprocess.Popen(
        [VMSPACE, "limit", "64M", "--log", sys.executable, "-c",
         "try: bytearray(1 << 28)\nexcept MemoryError: pass\n"
         "import time; time.sleep(60)"], stderr=subprocess.PIPE)
    try:
        line = process.stderr.readline().decode()
        expect("of 256" in line and "in use" in line, line)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stderr.close()


ASKING = """
#include <stdio.h>
#include <sys/mman.h>
int main(void)
{
    for (int i = 0; i < 40; i++)
        putchar(mmap(0, 3 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                MAP_FAILED ? '-' : '+'), mmap(0, 4096, 0,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), mprotect(0, 1, 3);
}
"""


def requests_are_refused_on_demand():
    program = compiled(work("asking"), ASKING)

    def answers(*options):
        result = run([VMSPACE, "fail", "--quiet", "--size=3M",
                      "--limit=1G", *options, program])
        expect_equal(result.returncode, 0, result.stderr)
        return result.stdout.decode()

    expect_equal(answers("--nth=3"), "++-" + "+" * 37)
    expect_equal(answers("--from=38"), "+" * 37 + "---")
    expect_equal(answers(), "-" * 40)
    chances = [answers("--prob=0.5", f"--seed={seed}")
               for seed in (1, 1, 2)]
    expect_equal(chances[0], chances[1])
    expect(chances[0] != chances[2], chances)
    expect(5 < chances[0].count("-") < 35, chances)


def heap_and_commit_go_together():
    result = limited("--quiet", "--", VMSPACE, "heap", sys.executable, "-c",
                     "x = bytearray(20 << 20)\n"
                     "try: y = bytearray(100 << 20)\n"
                     "except MemoryError: print('refused')", size="256M")
    expect(result.returncode == 0, result)
    result = limited("--quiet", "--", VMSPACE, "heap", compiled(work("heaped"), HOG))
    expect_equal(result.returncode, 7, result)


def signals_reach_the_program():
    process = subprocess.Popen(
        [VMSPACE, "limit", "64M", "--quiet", "sh", "-c",
         "trap 'echo got; exit 5' TERM; echo up; while :; do sleep .05; done"],
        stdout=subprocess.PIPE)
    expect_equal(process.stdout.readline(), b"up\n")
    process.terminate()
    expect_equal(process.stdout.read(), b"got\n")
    expect_equal(process.wait(PATIENCE), 5)
    process.stdout.close()


def stopped_program_goes_on():
    process = subprocess.Popen(
        [VMSPACE, "limit", "64M", "--quiet", "sh", "-c",
         "kill -STOP $$; echo on"], stdout=subprocess.PIPE)

    def stopped():
        with open(f"/proc/{process.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"

    try:
        wait_for(stopped, "the command stops with its program")
        process.send_signal(signal.SIGCONT)
        expect_equal(process.stdout.read(), b"on\n")
        expect_equal(process.wait(PATIENCE), 0)
    finally:
        process.kill()
        process.stdout.close()


BACKGROUND = """
import os, sys, time
if os.fork():
    os._exit(0)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
kept = [bytearray(20 << 20)]
try:
    bytearray(100 << 20)
except MemoryError:
    kept.append(bytearray(1 << 20))
    open(sys.argv[1], "w").write("refused")
"""


def background_process_is_limited_on():
    result = limited("--quiet", sys.executable, "-c", BACKGROUND,
                     work("background"), work("go on"),
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    expect_equal(result.returncode, 0)
    # Only now it goes on: a command that waited for it would not be here.
    written("go on", "")
    wait_for(lambda: os.path.exists(work("background")) and
             os.path.getsize(work("background")), "what it asks for")


def without_its_supervisor_nothing_hangs():
    process = subprocess.Popen(
        [VMSPACE, "limit", "64M", "--quiet", sys.executable, "-c",
         "import mmap, os, time\nprint(os.getpid(), os.getppid(), flush=True)"
         "\ntime.sleep(1)\nmmap.mmap(-1, 1 << 20)"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    pid, supervisor = map(int, process.stdout.readline().split())
    os.kill(supervisor, signal.SIGKILL)
    expect_equal(process.wait(PATIENCE), 125)
    wait_for(lambda: gone(pid), "the program ends")
    process.stdout.close()


CASES = [
    refused_fork_points_at_the_option_that_lets_it,
    status_and_signal_are_passed_on,
    closed_streams_are_closed_for_the_program,
    run_without_refusals_tells_its_peak_in_one_line,
    hog_in_c_meets_enomem,
    static_hog_meets_enomem,
    python_meets_memory_error,
    perl_meets_out_of_memory,
    shell_cannot_fork,
    node_meets_its_own_error,
    report_is_complete_json,
    any_name_is_told,
    log_tells_refusals_as_they_happen,
    requests_are_refused_on_demand,
    heap_and_commit_go_together,
    signals_reach_the_program,
    stopped_program_goes_on,
    background_process_is_limited_on,
    without_its_supervisor_nothing_hangs,
]

sys.exit(main_in_groups(VMSPACE, CASES))
