# SPDX-License-Identifier: MIT
"""What is written to a full file system: reports are whole or not there, and what was
recorded stays readable.

usage: test_full.py VMSPACE TRACED MAKE_RECORDING with|without
The last says whether the commands are there that supervise a program.
"""

import contextlib
import os
import subprocess
import sys

from cli_test import Skip, expect, expect_equal, main, need_groups, run, wait_for, work
from traces import MIB, VMSPACE, State, Trace, read

MAKE = os.path.abspath(sys.argv[3])
SUPERVISES = sys.argv[4] == "with"
PAGE = os.sysconf("SC_PAGE_SIZE")
INSIDE = "VMS_TEST_HAS_MOUNTS"
OLD = "what was there\n"


def disk(*parts):
    return work(os.path.join("disk", *parts))


@contextlib.contextmanager
def small_disk(pages):
    os.makedirs(disk(), exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={pages * PAGE}", "full", disk()],
                   check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", disk()], check=True)


def fill():
    with open(disk("filler"), "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(PAGE))


def put_old(name):
    with open(disk(name), "w") as file:
        file.write(OLD)


def expect_old(name):
    with open(disk(name)) as file:
        expect_equal(file.read(), OLD)


# --- reports ------------------------------------------------------------------


def a_report_is_whole_or_what_it_was():
    expect_equal(run([MAKE, work("many"), "20000"]).returncode, 0)
    with small_disk(4):
        put_old("old")
        for form in ("csv", "json", "perfetto", "html"):
            for name in ("old", "new"):
                result = run([VMSPACE, "report", f"--format={form}", "-o", disk(name),
                              work("many")])
                expect_equal(result.returncode, 1, (form, result))
                expect(b"No space left" in result.stderr, result.stderr)
            expect_old("old")
            expect_equal(os.listdir(disk()), ["old"], form)
        result = run([VMSPACE, "report", "-o", disk("new"), work("many")])
        expect_equal(result.returncode, 0, result)


def the_reports_of_supervisors_too():
    need_groups(VMSPACE)
    with small_disk(4):
        put_old("old")
        fill()
        for command, status in ((["limit", "1G"], 0), (["fail", "--nth=100000"], 0),
                                (["sweep", "--kernel"], 125)):
            result = run([VMSPACE, *command, f"--report={disk('old')}", "--", "true"])
            expect(b"cannot write the report: No space left" in result.stderr, result)
            expect_equal(result.returncode, status, result)
            expect_old("old")
            expect_equal(sorted(os.listdir(disk())), ["filler", "old"])


# --- recordings ---------------------------------------------------------------


def bytes_read_by(pid):
    with open(f"/proc/{pid}/io") as file:
        return int(file.readline().split()[1])


def wait_for_look(pid, recorder):
    """Wait until it has read as much as two looks at the process are."""
    before = bytes_read_by(recorder)
    with open(f"/proc/{pid}/smaps") as file:
        looks = 2 * len(file.read())
    wait_for(lambda: bytes_read_by(recorder) > before + looks, "a look")


def expect_readable_to_the_end(*options):
    """What was recorded before the disk was full is there, and the program went on."""
    trace = Trace("disk/recording", *options)
    trace.say(f"touch kept {MIB}")
    trace.until_has("kept", MIB, MIB)
    recorder = trace.recorder()
    fill()
    # More than fits into the page that the file has begun.
    for turn in range(PAGE // 1024 + 1):
        names = [f"lost-{turn}-{i}-{'x' * 60}" for i in range(14)]
        for name in names:
            trace.say(f"touch {name} {PAGE}")
        wait_for_look(trace.pid, recorder)
        for name in names:
            trace.say(f"drop {name}")
    errors = trace.end(3)
    expect("the recording ends in the midst: No space left on device" in errors, errors)
    recording = read(trace.path)
    expect_equal(recording["cut"], True)
    expect_equal(State(recording).of("kept"), (MIB, MIB))
    text = run([VMSPACE, "report", trace.path])
    expect(text.returncode == 0 and b"It ends in the midst" in text.stdout, text)


def a_recording_stays_readable():
    with small_disk(64):
        expect_readable_to_the_end()


def a_recording_under_a_limit_too():
    need_groups(VMSPACE)
    with small_disk(64):
        expect_readable_to_the_end("--limit=1G")


def no_room_no_program():
    with small_disk(4):
        fill()
        result = run([VMSPACE, "trace", "-o", disk("new"), "--", "touch", work("ran")])
        expect_equal(result.returncode, 125, result)
        expect(b"No space left" in result.stderr, result)
        expect(not os.path.exists(work("ran")))
        result = run([VMSPACE, "report", disk("new")])
        expect_equal(result.returncode, 1, result)


# --- mounts of one's own --------------------------------------------------------


def enter():
    """Run this anew where it may mount. Returns why it cannot, or does not return."""
    for options in (["-m"], ["-rm"]):
        probe = run(["unshare", *options, "mount", "-t", "tmpfs", "probe", "/tmp"])
        if probe.returncode == 0:
            os.execvpe("unshare", ["unshare", *options, sys.executable, *sys.argv],
                       {**os.environ, INSIDE: "1"})
    return probe.stderr.decode().strip()


if INSIDE not in os.environ:
    print("1..0 # SKIP no mounts of one's own:", enter())
    sys.exit(0)
CASES = [a_report_is_whole_or_what_it_was]
if SUPERVISES:
    CASES += [the_reports_of_supervisors_too, a_recording_stays_readable,
              a_recording_under_a_limit_too, no_room_no_program]
sys.exit(main(CASES))
