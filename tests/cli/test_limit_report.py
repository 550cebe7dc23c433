# SPDX-License-Identifier: MIT
"""The file that 'vmspace limit --report' writes.

usage: test_limit_report.py VMSPACE
"""

import ctypes
import json
import os
import select
import struct
import subprocess
import sys

from cli_test import (PATIENCE, WORK, Skip, compiled, expect, expect_equal,
                      main_in_groups, run, wait_for, work, written)

VMSPACE = os.path.abspath(sys.argv[1])
# More than all addresses is no request, but for a break that may have a tag.
LARGEST = """
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
    long end = syscall(SYS_brk, 0);
    return syscall(SYS_brk, -65536ul) != end;
}
"""

# Much is freed, and then as much is used in small blocks.
REUSED = """
#include <stdlib.h>
#include <string.h>
int main(void)
{
    char *block = malloc(40 << 20);
    if (!block)
        return 2;
    memset(block, 1, 40 << 20);
    free(block);
    for (size_t used = 0; used < 35 << 20; used += 1000) {
        block = malloc(1000);
        if (!block)
            return 3;
        memset(block, 2, 1000);
    }
    return 0;
}
"""

# Is refused argv[1] times, and so is each of argv[2] forks.
REFUSED_OFTEN = """
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    for (int forks = atoi(argv[2]); forks > 0; forks--) {
        if (fork() == 0)
            break;
        wait(NULL);
    }
    for (int i = atoi(argv[1]); i > 0; i--)
        if (mmap(0, 1ul << 30, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
            MAP_FAILED)
            return 2;
    return 0;
}
"""


def limited(*arguments, **options):
    return run([VMSPACE, "limit", "64M", *arguments], **options)


def report_that_cannot_be_written_is_told_first():
    result = limited("--report=/nowhere/report", "touch", work("touched"))
    expect_equal(result.returncode, 125)
    expect(not os.path.exists(work("touched")), "the program ran")


def report_keeps_its_rights_and_leaves_its_neighbours():
    report, neighbour = work("report"), work("report.new")
    for path in report, neighbour:
        with open(path, "w", encoding="utf-8") as file:
            file.write("mine")
    os.chmod(report, 0o600)
    expect_equal(limited("--quiet", f"--report={report}", "true").returncode,
                 0)
    expect_equal(os.stat(report).st_mode & 0o777, 0o600)
    with open(report, encoding="utf-8") as file:
        expect_equal(json.load(file)["refused"], 0)
    with open(neighbour, encoding="utf-8") as file:
        expect_equal(file.read(), "mine")
    os.unlink(neighbour)


def program_that_does_not_start_leaves_no_report():
    report, old = work("none.json"), written("old.json", "mine")
    programs = (("nonsense-program", 127), ("/etc/passwd", 126),
                (written("neither", "neither program nor script"), 126),
                (written("lost", "#!/nowhere/interpreter\n"), 127))
    for program, status in programs:
        if program.startswith(WORK.name):
            os.chmod(program, 0o755)
        before = set(os.listdir(WORK.name))
        for file in report, old:
            result = limited(f"--report={file}", "--", program)
            expect_equal(result.returncode, status, result.stderr)
        expect_equal(set(os.listdir(WORK.name)), before, program)
        with open(old, encoding="utf-8") as file:
            expect_equal(file.read(), "mine", program)


def what_does_not_start_is_explained():
    elf = bytearray(open("/bin/true", "rb").read())
    elf[18:20] = b"\xff\xf0"  # the machine: one that there is not
    loader = bytearray(open("/bin/true", "rb").read())
    at = loader.index(b"/lib")
    loader[at:at + 4] = b"/non"
    for name, content, status, why in (
            ("plain", b"echo\n", 126, b"neither a program nor a script"),
            ("gone", b"#!/nowhere/sh\n", 127, b"interpreter of the script"),
            ("foreign", elf, 126, b"another machine"),
            ("unloaded", loader, 127, b"its loader")):
        with open(work(name), "wb") as file:
            file.write(content)
        os.chmod(work(name), 0o755)
        for command in (["limit", "64M"], ["sweep"], ["fail", "--nth=1"]):
            # Also by a path that only this directory has.
            result = run([VMSPACE, *command, "--", f"./{name}"],
                         cwd=WORK.name)
            expect_equal(result.returncode, status, (command, result.stderr))
            expect(result.stderr.startswith(f"vmspace {command[0]}: ./{name}: "
                                            .encode()), result.stderr)
            expect(why in result.stderr, why, result.stderr)


def new_report_has_the_rights_of_other_files():
    other, report = written("other", ""), work("new.json")
    expect_equal(limited("--quiet", f"--report={report}", "true").returncode,
                 0)
    expect_equal(os.stat(report).st_mode, os.stat(other).st_mode)


def report_to_a_pipe_that_nobody_reads_is_not_waited_for():
    os.mkfifo(work("unread"))
    result = limited(f"--report={work('unread')}", "--quiet", "sh", "-c",
                     "exit 3")
    expect_equal(result.returncode, 3, result.stderr)
    expect(b"unread: cannot write the report" in result.stderr, result.stderr)


def reader_of_a_pipe_gets_all_of_the_report():
    """And no end before: there is no writer while the program runs."""
    os.mkfifo(work("pipe"))
    reader = os.open(work("pipe"), os.O_RDONLY | os.O_NONBLOCK)
    process = subprocess.Popen(
        [VMSPACE, "limit", "64M", f"--report={work('pipe')}",
         "--quiet", "sh", "-c", "echo up; read line"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        expect_equal(process.stdout.readline(), b"up\n")
        watch = select.poll()
        watch.register(reader)
        expect_equal(watch.poll(0), [], "the pipe")
        process.stdin.write(b"on\n")
        process.stdin.close()
        expect_equal(process.wait(PATIENCE), 0)
        with open(reader, "rb") as file:
            report = json.loads(file.read())
        expect_equal((report["refused"], report["exit_status"]), (0, 0))
    finally:
        process.kill()
        process.stdout.close()


def report_tells_what_daemons_were_refused():
    report, done = work("late.json"), work("late.done")
    code = ("import os, time\n"
            "if os.fork():\n    os._exit(0)\n"
            "time.sleep(0.5)\n"
            "try:\n    bytearray(100 << 20)\n"
            "except MemoryError:\n"
            f"    open({done!r}, 'w')\n")
    limited(f"--report={report}", "--quiet", "/usr/bin/python3", "-c", code)
    wait_for(lambda: os.path.exists(done), "a refusal")

    def refused():
        try:
            with open(report) as file:
                return json.load(file)["refused"]
        except ValueError:
            return 0
    wait_for(refused, "the report")


def largest_request_is_no_negative_one():
    """Of 2^63 bytes and more."""
    program = compiled(work("largest"), LARGEST)
    result = limited(f"--report={work('report')}", "--quiet", program)
    expect_equal(result.returncode, 0, result.stderr)
    with open(work("report")) as file:
        report = json.load(file)
    expect_equal(report["refusals"][0]["requested"], (1 << 63) - 1)
    expect(0 < report["peak"] < 64 << 20, report["peak"])


def what_the_heap_gives_back_for_is_not_told_as_refused():
    report = work("again")
    heap = ["--", VMSPACE, "heap", "--"]
    result = limited(f"--report={report}", *heap,
                     compiled(work("reused"), REUSED, "-O0"))
    expect_equal(result.returncode, 0, result.stderr)
    with open(report) as file:
        told = json.load(file)
    expect_equal((told["refused"], told["refusals"]), (0, []), told)
    again = told["granted_again"]
    expect(again > 0, told)
    expect(result.stderr.endswith(
        f"; nothing was refused ({again} granted when asked again)\n"
        .encode()), result.stderr)
    # What is refused for good is told as ever, with those or without.
    result = limited(f"--report={report}", *heap, "/usr/bin/python3",
                     "-c", "try:\n    bytearray(100 << 20)\n"
                     "except MemoryError:\n    pass\n")
    with open(report) as file:
        told = json.load(file)
    expect(told["refused"] > 0, told)
    expect_equal(len(told["refusals"]), told["refused"])


def times_opened(path, function):
    """How often a file is opened while a function runs."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    # Two equal events in a row would be told as one; a close stands between.
    opened, closed = 0x20, 0x18
    expect(watch >= 0 and libc.inotify_add_watch(
        watch, os.fsencode(path), opened | closed) >= 0, "inotify")
    try:
        function()
        events = os.read(watch, 1 << 20)
    finally:
        os.close(watch)
    masks = [mask for _, mask, _, _ in struct.iter_unpack("iIII", events)]
    return sum(mask & opened != 0 for mask in masks)


def program_is_read_once_however_often_it_is_refused():
    """By each process that the program becomes, and for its forks not again."""
    program = compiled(work("refused"), REFUSED_OFTEN, "-g")
    report = work("often")

    def refuse(times, forks):
        result = limited(f"--report={report}", "--quiet", program, str(times),
                         str(forks))
        expect_equal(result.returncode, 0, result.stderr)

    refuse(1, 0)
    with open(report) as file:
        if not json.load(file)["refusals"][0]["backtrace"]:
            raise Skip("no stack can be unwound here")
    once = times_opened(program, lambda: refuse(1, 0))
    for times, forks in ((15, 0), (5, 2)):
        expect_equal(times_opened(program, lambda: refuse(times, forks)), once,
                     (times, forks))
        with open(report) as file:
            refusals = json.load(file)["refusals"]
        expect_equal(len(refusals), times * (forks + 1))
        for refusal in refusals:
            expect(any(frame.startswith("main (refused)")
                       for frame in refusal["backtrace"]), refusal)


def program_is_not_read_for_backtraces_that_nobody_reads():
    program = compiled(work("ignored"), REFUSED_OFTEN, "-g")
    report = work("ignored.json")

    def refuse(*options):
        result = limited(*options, "--quiet", program, "3", "0")
        expect_equal(result.returncode, 0, result.stderr)

    with_report = times_opened(program, lambda: refuse(f"--report={report}"))
    with open(report) as file:
        if not json.load(file)["refusals"][0]["backtrace"]:
            raise Skip("no stack can be unwound here")
    expect(times_opened(program, refuse) < with_report, with_report)


def report_is_written_in_large_pieces():
    """A pipe of packets keeps what each call has written apart."""
    reader, writer = os.pipe2(os.O_DIRECT)
    program = compiled(work("refused"), REFUSED_OFTEN)
    process = subprocess.Popen(
        [VMSPACE, "limit", "64M", f"--report=/dev/fd/{writer}", "--quiet",
         program, "20", "0"], pass_fds=(writer,))
    os.close(writer)
    pieces = list(iter(lambda: os.read(reader, 1 << 16), b""))
    os.close(reader)
    expect_equal(process.wait(PATIENCE), 0)
    text = b"".join(pieces)
    expect_equal(len(json.loads(text)["refusals"]), 20)
    expect(len(pieces) <= len(text) // 4096 + 1, len(pieces), len(text))


def child_that_nobody_waits_for_is_told_once():
    """However often the supervisor looks for processes meanwhile."""
    report = work("zombies")
    code = ("import mmap, os\n"
            "children = []\n"
            "for i in range(3):\n"
            "    children.append(os.fork())\n"
            "    if children[-1] == 0:\n"
            "        os._exit(0)\n"
            "for child in children:\n"
            "    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)\n"
            "for i in range(20):\n"
            "    try:\n        mmap.mmap(-1, 1 << 30)\n"
            "    except OSError:\n        pass\n")
    result = limited(f"--report={report}", "--quiet", "/usr/bin/python3", "-c",
                     code)
    expect_equal(result.returncode, 0, result.stderr)
    with open(report) as file:
        told = json.load(file)
    expect(told["refused"] >= 20, told["refused"])
    pids = [process["pid"] for process in told["processes"]]
    expect_equal(sorted(pids), sorted(set(pids)))


CASES = [
    report_that_cannot_be_written_is_told_first,
    report_keeps_its_rights_and_leaves_its_neighbours,
    program_that_does_not_start_leaves_no_report,
    what_does_not_start_is_explained,
    new_report_has_the_rights_of_other_files,
    report_to_a_pipe_that_nobody_reads_is_not_waited_for,
    reader_of_a_pipe_gets_all_of_the_report,
    report_tells_what_daemons_were_refused,
    largest_request_is_no_negative_one,
    what_the_heap_gives_back_for_is_not_told_as_refused,
    program_is_read_once_however_often_it_is_refused,
    program_is_not_read_for_backtraces_that_nobody_reads,
    report_is_written_in_large_pieces,
    child_that_nobody_waits_for_is_told_once,
]

sys.exit(main_in_groups(VMSPACE, CASES))
