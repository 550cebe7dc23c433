# SPDX-License-Identifier: MIT
"""What the command's own processes keep of what the program was given.

usage: test_run_descriptors.py VMSPACE
"""

import json
import os
import select
import subprocess
import sys

from cli_test import PATIENCE, expect, expect_equal, main_in_groups, run, work

VMSPACE = os.path.abspath(sys.argv[1])
LIMITED = [VMSPACE, "run", "--commit=256M", "--quiet"]
REFUSED = "import sys\ntry: bytearray(1 << 30)\nexcept MemoryError: pass"


class Waiting:
    """A shell under the limit that does something, then waits for the test."""

    def __init__(self, script, **options):
        end, self.hold = os.pipe()
        others = options.pop("pass_fds", ())
        # Its own copy of the pipe is what the script reads in the end.
        self.process = subprocess.Popen(
            [*LIMITED, "sh", "-c", f"{script}; read line <&{end}"],
            pass_fds=(end, *others), **options)
        os.close(end)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        os.close(self.hold)
        self.process.wait()

    def expect_running(self):
        expect_equal(self.process.poll(), None, "the program has ended")


def expect_end(descriptor):
    ready, _, _ = select.select([descriptor], [], [], PATIENCE)
    expect(ready, "somebody keeps the other end open")
    expect_equal(os.read(descriptor, 1), b"")


def reader_of_output_sees_its_end():
    with Waiting("exec >&-", stdin=subprocess.DEVNULL,
                 stdout=subprocess.PIPE) as waiting:
        expect_end(waiting.process.stdout.fileno())
        waiting.expect_running()


def writer_of_input_sees_its_end():
    end, writer = os.pipe()
    with Waiting("exec <&-", stdin=end, stdout=subprocess.DEVNULL) as waiting:
        os.close(end)
        poll = select.poll()
        poll.register(writer, 0)
        expect(poll.poll(PATIENCE * 1000), "somebody keeps the input open")
        waiting.expect_running()
    os.close(writer)


def daemon_that_closes_descriptors_closes_them():
    reader, end = os.pipe()
    with Waiting(f"eval 'exec {end}>&-'", stdin=subprocess.DEVNULL,
                 pass_fds=(end,)) as waiting:
        os.close(end)
        expect_end(reader)
        waiting.expect_running()
    os.close(reader)


def closed_streams_are_no_obstacle():
    result = run(["sh", "-c", 'exec "$@" <&- >&-', "sh", *LIMITED,
                  "sh", "-c", "exit 7"])
    expect_equal(result.returncode, 7, result.stderr)


def report_goes_to_standard_output():
    result = run([*LIMITED, "--report=/dev/stdout", sys.executable, "-c",
                  REFUSED])
    expect_equal(result.returncode, 0, result.stderr)
    expect_equal(json.loads(result.stdout)["refusals"] != [], True)


def report_goes_to_an_inherited_descriptor():
    with open(work("inherited"), "w+") as file:
        number = file.fileno()
        result = run([*LIMITED, f"--report=/dev/fd/{number}", sys.executable,
                      "-c", REFUSED], pass_fds=(number,))
        expect_equal(result.returncode, 0, result.stderr)
    with open(work("inherited")) as file:
        expect(json.load(file)["refusals"], "no refusal in the report")


CASES = [
    reader_of_output_sees_its_end,
    writer_of_input_sees_its_end,
    daemon_that_closes_descriptors_closes_them,
    closed_streams_are_no_obstacle,
    report_goes_to_standard_output,
    report_goes_to_an_inherited_descriptor,
]

sys.exit(main_in_groups(VMSPACE, CASES))
