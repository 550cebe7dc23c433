# SPDX-License-Identifier: MIT
"""What the command's own processes keep of what the program was given.

usage: test_limit_descriptors.py VMSPACE
"""

import json
import os
import resource
import select
import subprocess
import sys

from cli_test import (PATIENCE, compiled, ended, expect, expect_equal,
                      main_in_groups, run, wait_for, work, written)
from limit_jobs import session_processes

VMSPACE = os.path.abspath(sys.argv[1])
LIMITED = [VMSPACE, "limit", "256M", "--quiet"]
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


def expect_no_reader(writer):
    poll = select.poll()
    poll.register(writer, 0)
    expect(poll.poll(PATIENCE * 1000), "somebody keeps the input open")


def reader_of_output_sees_its_end():
    with Waiting("exec >&-", stdin=subprocess.DEVNULL,
                 stdout=subprocess.PIPE) as waiting:
        expect_end(waiting.process.stdout.fileno())
        waiting.expect_running()


def writer_of_input_sees_its_end():
    end, writer = os.pipe()
    with Waiting("exec <&-", stdin=end, stdout=subprocess.DEVNULL) as waiting:
        os.close(end)
        expect_no_reader(writer)
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


def report_leaves_what_else_is_written_to_a_stream():
    """The file of a stream is the shell's: it has written there, and goes on."""
    log = work("log")
    for stream, option in (("1", "--report=/dev/stdout"),
                           ("2", "--report=/dev/stderr"),
                           ("7", "--report=/dev/fd/7"),
                           ("1", "--report=/proc/self/fd/1")):
        script = (f'echo before >&{stream}; "$@" {option} true; '
                  f'echo after >&{stream}')
        for mode in (">", ">>"):
            written("log", "" if mode == ">" else "older\n")
            run(["sh", "-c", f"{{ {script}; }} {stream}{mode}{log}", "sh",
                 *LIMITED])
            with open(log) as file:
                lines = file.read().splitlines()
            before, after = lines.index("before"), lines.index("after")
            expect_equal(before, int(mode == ">>"), (option, lines))
            expect_equal(after, len(lines) - 1, (option, lines))
            expect("peak" in json.loads("\n".join(lines[before + 1:after])),
                   option, lines)


def report_to_the_file_of_a_stream_leaves_what_the_program_wrote():
    """Whatever path names the file, and also where a descendant that outlives the
    program is refused later."""
    out, link = work("both"), work("link-to-both")
    os.symlink(out, link)
    outlives = ("import os, sys\n"
                "os.write(int(sys.argv[1]), b'written\\n')\n"
                "if os.fork():\n    os._exit(0)\n"
                "try: bytearray(1 << 30)\nexcept MemoryError: pass\n")
    for stream, mode, path in (("1", ">", out), ("1", ">>", link),
                               ("2", ">", "both"), ("1", "<>", out),
                               ("7", ">", out)):
        written("both", "")
        reader, end = os.pipe()
        # The pipe ends with the last process of the group, but not before.
        result = run(["sh", "-c", f'"$@" {stream}{mode}{out}', "sh", *LIMITED,
                      f"--report={path}", sys.executable, "-c", outlives,
                      stream], cwd=os.path.dirname(out), pass_fds=(end,))
        os.close(end)
        expect_equal(os.read(reader, 1), b"")
        os.close(reader)
        expect_equal(result.returncode, 0, result.stderr)
        with open(out) as file:
            first, _, rest = file.read().partition("\n")
        expect_equal(first, "written", (stream, mode, path))
        expect("peak" in json.JSONDecoder().raw_decode(rest)[0], rest)


def report_of_a_sweep_to_its_own_output_leaves_that():
    out = work("sweep-output")
    result = run(["sh", "-c", f'"$@" > {out}', "sh", VMSPACE, "sweep",
                  "--only=1-1", f"--report={out}", sys.executable, "-c",
                  "pass"])
    with open(out) as file:
        told = file.read()
    expect("1 request failed in turn\n" in told, told, result.stderr)
    expect('"verdict"' in told, told)


def descriptor_that_takes_no_report_is_told_before_the_start():
    for redirection, option in ((">&-", "/dev/stdout"), ("7<&-", "/dev/fd/7"),
                                ("7</dev/null", "/dev/fd/7")):
        result = run(["sh", "-c", f'exec "$@" {redirection}', "sh", *LIMITED,
                      f"--report={option}", "sh", "-c", "echo started >&2"])
        expect_equal(result.returncode, 125, (option, result.stderr))
        expect(option.encode() in result.stderr, result.stderr)
        expect(b"started" not in result.stderr, result.stderr)


def rest_of_the_input_is_for_the_next_command():
    script = '"$@" sh -c "read line; echo 1 \\$line"; read line; echo 2 $line'
    file = written("lines", "one\ntwo\n")
    for feed in (f"cat {file} | ", f"< {file} "):
        result = run(["sh", "-c", f"{feed}sh -c '{script}' sh \"$@\"", "sh",
                      *LIMITED])
        expect_equal(result.stdout, b"1 one\n2 two\n", (feed, result.stderr))


def nobody_stays_in_the_directory():
    """It can be removed then, and what is mounted there be unmounted."""
    reader, end = os.pipe()
    hold, waited = os.pipe()
    with subprocess.Popen(
            [*LIMITED, "--report=report", "sh", "-c",
             f"cd /; echo >&{end}; read line <&{hold}; :"], cwd=os.path.dirname(
                 work("report")), start_new_session=True,
            stdin=subprocess.DEVNULL, pass_fds=(end, hold)) as process:
        try:
            os.read(reader, 1)
            wait_for(lambda: {os.readlink(f"/proc/{pid}/cwd") for pid in
                              session_processes(process.pid)} == {"/"},
                     "all have left the directory")
            expect_equal(process.poll(), None, "it has ended")
        finally:
            os.close(waited)
    for descriptor in (reader, end, hold):
        os.close(descriptor)
    expect_equal(process.returncode, 0)
    with open(work("report")) as file:
        expect_equal(json.load(file)["exit_status"], 0)


def few_descriptors_hold_up_nobody():
    """Either there are enough for a supervisor, or it says so and starts nothing."""
    for most in range(5, 24):
        result = ended([*LIMITED, "true"], stderr=subprocess.PIPE, preexec_fn=lambda:
                       resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
        expect(result.returncode == 0 or most < 16 and result.returncode in (125, 126)
               and b"Too many open files" in result.stderr, most, result)


# --- of a sweep --------------------------------------------------------------

# Its third run, the last of a sweep of one request, waits for the test when
# it has closed what it was given.
SWEPT = """
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct stat status;
    int log = open(argv[1], O_WRONLY | O_APPEND), hold = atoi(argv[2]);
    char byte = 0;

    (void)!mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)!write(log, &byte, 1);
    fstat(log, &status);
    if (status.st_size != 3)
        return 0;
    close(0);
    for (int i = 3; i < argc; i++)
        close(atoi(argv[i]));
    (void)!read(hold, &byte, 1);
    return 0;
}
"""


class Sweep:
    """A sweep whose last run waits for the test; pass_fds are closed in it."""

    def __init__(self, *options, stdin=subprocess.DEVNULL, pass_fds=()):
        program = compiled(work("swept"), SWEPT)
        end, self.hold = os.pipe()
        self.process = subprocess.Popen(
            [VMSPACE, "sweep", "--kernel", "--minimum=4M", "--only=1", *options, program,
             written("log", ""), str(end), *map(str, pass_fds)],
            stdin=stdin, stdout=subprocess.PIPE, pass_fds=(end, *pass_fds))
        os.close(end)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        os.close(self.hold)
        told = self.process.communicate()[0]
        expect_equal((self.process.returncode, os.path.getsize(work("log"))),
                     (0, 3), told)

    def expect_running(self):
        expect_equal(self.process.poll(), None, "the sweep has ended")


def sweep_keeps_no_descriptor():
    reader, end = os.pipe()
    with Sweep(pass_fds=(end,)) as sweep:
        os.close(end)
        expect_end(reader)
        sweep.expect_running()
    os.close(reader)


def sweep_keeps_no_input():
    end, writer = os.pipe()
    with Sweep(stdin=end) as sweep:
        os.close(end)
        expect_no_reader(writer)
        sweep.expect_running()
    os.close(writer)


def sweep_reads_its_own_input():
    result = run(["sh", "-c", '"$@" --input=/dev/stdin --only=1 sh -c '
                  f'"read a; echo \\$a >> {work("read")}" < '
                  + written("line", "line\n"), "sh", VMSPACE, "sweep"])
    expect_equal(result.returncode, 0, result.stderr)
    with open(work("read")) as file:
        expect_equal(file.read()[:10], "line\nline\n")


def every_run_of_a_sweep_has_the_same_descriptors():
    program = compiled(work("counting"), """
        #include <fcntl.h>
        #include <stdio.h>
        #include <sys/mman.h>
        int main(void)
        {
            (void)!mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            for (int i = 0; i < 100; i++)
                if (fcntl(i, F_GETFD) >= 0)
                    printf("%d ", i);
            return 0;
        }""")
    result = run([VMSPACE, "sweep", "--kernel", "--minimum=4M", f"--report={work('all')}",
                  program])
    expect_equal((result.returncode, result.stderr), (0, b""))
    with open(work("all")) as file:
        expect_equal([one["verdict"] for one in json.load(file)], ["same"])


CASES = [
    rest_of_the_input_is_for_the_next_command,
    nobody_stays_in_the_directory,
    sweep_keeps_no_descriptor,
    sweep_keeps_no_input,
    sweep_reads_its_own_input,
    every_run_of_a_sweep_has_the_same_descriptors,
    reader_of_output_sees_its_end,
    writer_of_input_sees_its_end,
    daemon_that_closes_descriptors_closes_them,
    closed_streams_are_no_obstacle,
    report_goes_to_standard_output,
    report_goes_to_an_inherited_descriptor,
    report_leaves_what_else_is_written_to_a_stream,
    report_to_the_file_of_a_stream_leaves_what_the_program_wrote,
    report_of_a_sweep_to_its_own_output_leaves_that,
    descriptor_that_takes_no_report_is_told_before_the_start,
    few_descriptors_hold_up_nobody,
]

sys.exit(main_in_groups(VMSPACE, CASES))
