# SPDX-License-Identifier: MIT
"""What the command does when things go wrong, and its help.

usage: test_errors.py VMSPACE MAPPINGS VERSION MAN_DIRECTORY
"""

import os
import resource
import shutil
import subprocess
import sys

from cli_test import Mappings, Skip, expect, expect_equal, main, run

VMSPACE, PROGRAM, VERSION, MAN = sys.argv[1:5]
NOBODY = 65534


def expect_usage(*arguments):
    result = run([VMSPACE, *arguments])
    expect_equal(result.returncode, 2, arguments)
    expect_equal(result.stdout, b"", arguments)
    expect(b"vmspace" in result.stderr, arguments, result.stderr)


def expect_failure(text, *arguments, **options):
    result = run([VMSPACE, *arguments], **options)
    expect_equal(result.returncode, 1, arguments)
    expect_equal(result.stdout or b"", b"", arguments)
    expect(text in result.stderr.decode(), text, "not in", result.stderr)
    expect_equal(result.stderr.count(b"\n"), 1, result.stderr)


def wrong_arguments_are_usage_errors():
    expect_usage()
    expect_usage("nonsense")
    expect_usage("")
    expect_usage("--nonsense")
    expect_usage("-x", "maps", "self")
    expect_usage("maps")
    expect_usage("maps", "--nonsense", "self")
    expect_usage("maps", "--json=yes", "self")
    expect_usage("maps", "--")
    expect_usage("maps", "self", "--", "true")
    expect_usage("maps", "--columns", "size,sighs", "self")
    expect_usage("maps", "--columns", "", "self")
    expect_usage("maps", "--sort", "sighs", "self")
    expect_usage("maps", "--tree", "self")
    expect_usage("maps", "--user", "no such user")
    expect_usage("maps", "--list", "--diff", "FILE", "self")
    expect_usage("help", "nonsense")
    expect_usage("help", "maps", "help")
    expect_usage("help", "--nonsense")


def wrong_process_numbers_are_usage_errors():
    for number in ("", "0", "00", "2147483648", "4294967297", "9" * 30):
        expect_usage("maps", number)


def names_that_no_process_has_are_told():
    for name in ("+1", " 1", "1 ", "x", "1x", "0x1", "1.5", "selfish", "1\n",
                 "\u0661"):
        expect_failure("no such process", "maps", name)


def process_that_never_was_is_an_error():
    with open("/proc/sys/kernel/pid_max") as file:
        largest = int(file.read())
    expect_failure("No such process", "maps", str(largest + 1))
    expect_failure("No such process", "maps", "2147483647")


def process_that_has_ended_is_an_error():
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    expect_failure("has ended", "maps", str(ended.pid))
    expect_failure("has ended", "maps", "--json", str(ended.pid))
    ended.wait()
    expect_failure("No such process", "maps", str(ended.pid))


def kernel_thread_is_an_error():
    try:
        with open("/proc/2/status") as file:
            if "Kthread:\t1" not in file.read():
                raise Skip("process 2 is no kernel thread here")
    except FileNotFoundError:
        raise Skip("there is no process 2 here")
    expect_failure("kernel thread", "maps", "2")


def process_of_somebody_else_is_an_error():
    if os.geteuid() != 0:
        expect_failure("Permission denied", "maps", "1")
        return
    probe = run(["test", "-x", VMSPACE], user=NOBODY, group=NOBODY,
                extra_groups=[])
    if probe.returncode:
        raise Skip("the command is in a directory that others cannot enter")
    expect_failure("Permission denied", "maps", str(os.getpid()), user=NOBODY,
                   group=NOBODY, extra_groups=[])


ALL_OUTPUT = (["maps", "self"], ["maps", "--json", "self"],
              ["maps", "--total", "self"], ["--help"], ["--version"],
              ["help"], ["help", "maps"], ["maps", "--help"])


def reader_that_is_gone_ends_the_output_quietly():
    for arguments in ALL_OUTPUT:
        reader, writer = os.pipe()
        os.close(reader)
        result = run([VMSPACE, *arguments], stdout=writer)
        os.close(writer)
        expect_equal(result.returncode, 1, arguments)
        expect_equal(result.stderr, b"", arguments)


def reader_that_goes_away_midway_ends_the_output_quietly():
    many = Mappings(PROGRAM, 5000)
    try:
        for options in (["--list"], ["--list", "--json"]):
            command = subprocess.Popen(
                [VMSPACE, "maps", *options, str(many.pid)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            expect(command.stdout.read(10))
            command.stdout.close()
            expect_equal(command.stderr.read(), b"")
            command.stderr.close()
            expect_equal(command.wait(), 1)
    finally:
        many.end()


def full_disk_is_an_error():
    for arguments in ALL_OUTPUT:
        with open("/dev/full", "wb") as full:
            expect_failure("No space left", *arguments, stdout=full)


def closed_output_is_an_error():
    result = run(["sh", "-c", 'exec "$0" maps self >&-', VMSPACE])
    expect_equal(result.returncode, 1)
    expect(b"cannot write" in result.stderr, result.stderr)


def no_memory_is_an_error():
    # A listing is written while it is made: what takes memory is to keep the mappings.
    many = Mappings(PROGRAM, 30000)
    refused = 0
    try:
        for mib in range(4, 40, 2):
            limit = (mib << 20, mib << 20)
            result = run([VMSPACE, "maps", "--json", "--list", str(many.pid)],
                         preexec_fn=lambda: resource.setrlimit(
                             resource.RLIMIT_AS, limit))
            if result.returncode == 1:
                expect(not result.stdout.endswith(b"}\n"), result.stdout[-80:])
                expect(b"Cannot allocate" in result.stderr, result.stderr)
                refused += 1
                continue
            # 127: the loader itself had no memory.
            expect(result.returncode in (0, 127), mib, result)
            if result.returncode == 0:
                break
    finally:
        many.end()
    if not refused and result.returncode != 0:
        raise Skip("the command does not even start within 40 MiB")
    expect(refused, "no limit was small enough")


def help_is_the_same_from_everywhere():
    texts = [run([VMSPACE, *arguments]) for arguments in (
        ["help", "maps"], ["maps", "--help"], ["maps", "-h"],
        ["maps", "-h", "--nonsense"])]
    for text in texts:
        expect_equal(text.returncode, 0)
        expect_equal(text.stdout, texts[0].stdout)
        expect_equal(text.stderr, b"")
    expect(texts[0].stdout.startswith(b"usage: vmspace maps"))


def overview_names_every_command():
    overview = run([VMSPACE, "--help"]).stdout.decode()
    expect_equal(run([VMSPACE, "help"]).stdout.decode(), overview)
    listed = overview.split("Commands:\n")[1].split("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines()]
    expect("maps" in names and "help" in names, names)
    for name in names:
        text = run([VMSPACE, "help", name])
        expect_equal(text.returncode, 0)
        expect(text.stdout.startswith(b"usage: vmspace %s" % name.encode()))
    with open(os.path.join(MAN, "vmspace.1")) as file:
        page = file.read()
    for name in names:
        expect(name in page, name, "is not in vmspace(1)")


def lines_of_help_fit_a_terminal():
    for arguments in (["--help"], ["help", "maps"], ["help", "help"]):
        for line in run([VMSPACE, *arguments]).stdout.splitlines():
            expect(len(line) <= 80, line)


def version_is_that_of_the_build():
    result = run([VMSPACE, "--version"])
    expect_equal(result.returncode, 0)
    expect_equal(result.stdout.decode(), f"vmspace {VERSION}\n")


def man_pages_are_well_formed():
    if not shutil.which("mandoc"):
        raise Skip("mandoc is not installed")
    for page in ("vmspace.1", "vmspace-maps.1", "vmspace-limit.1", "vmspace-heap.1", "vmspace-fail.1",
                 "vmspace-heap.7"):
        result = run(["mandoc", "-T", "lint", "-W", "warning",
                      os.path.join(MAN, page)])
        expect_equal((result.returncode, result.stdout), (0, b""), page)


CASES = [
    wrong_arguments_are_usage_errors,
    wrong_process_numbers_are_usage_errors,
    names_that_no_process_has_are_told,
    process_that_never_was_is_an_error,
    process_that_has_ended_is_an_error,
    kernel_thread_is_an_error,
    process_of_somebody_else_is_an_error,
    reader_that_is_gone_ends_the_output_quietly,
    reader_that_goes_away_midway_ends_the_output_quietly,
    full_disk_is_an_error,
    closed_output_is_an_error,
    no_memory_is_an_error,
    help_is_the_same_from_everywhere,
    overview_names_every_command,
    lines_of_help_fit_a_terminal,
    version_is_that_of_the_build,
    man_pages_are_well_formed,
]

sys.exit(main(CASES))
