# SPDX-License-Identifier: MIT
"""What 'vmspace heap' runs, what it refuses, and what it says then.

usage: test_heap.py VMSPACE LIBRARY BLOCKS MAN_DIRECTORY
"""

import os
import re
import resource
import signal
import sys

from cli_test import (Skip, WORK, compiled, expect, expect_equal, installed,
                      main, run, work)
from heap_command import (BLOCKS, LIBRARY, MAN, PLAIN, VMSPACE, expect_refused,
                          expect_run, run_heap)


def wrong_arguments_are_usage_errors():
    for arguments in ((), ("--",), ("--nonsense", "true"),
                      ("--heap", "true"), ("--threshold",),
                      ("--no-huge-pages=1", "true")):
        result = run([VMSPACE, "heap", *arguments])
        expect_equal(result.returncode, 2, arguments)
        expect_equal(result.stdout, b"", arguments)
        expect(b"vmspace heap" in result.stderr, arguments, result.stderr)


def wrong_numbers_are_usage_errors():
    for option in ("--threshold", "--retain"):
        for size in ("", "x", "-1", "1x", "1KB", "K", "1.5M", " 1", "1 ",
                     "0x10", "9" * 13):
            result = run_heap(f"{option}={size}", "true")
            expect_equal(result.returncode, 2, (option, size))
            expect(b"not a size" in result.stderr, result.stderr)
    for option in ("--reclaimable-after", "--give-back-after"):
        for age in ("", "x", "-1", "1s", "1K", "ever", "9" * 10):
            result = run_heap(f"{option}={age}", "true")
            expect_equal(result.returncode, 2, (option, age))
            expect(b"milliseconds" in result.stderr, result.stderr)


def program_is_run_as_it_is():
    result = run_heap("sh", "-c", 'echo "$1" "$0"; exit 7', "a b", "--stats")
    expect_equal((result.returncode, result.stdout, result.stderr),
                 (7, b"--stats a b\n", b""))
    result = run_heap("--", "sh", "-c", "kill -9 $$")
    expect_equal(result.returncode, -signal.SIGKILL)


def program_without_a_slash_is_looked_for_in_path():
    os.makedirs(work("first"), exist_ok=True)
    os.makedirs(work("second"), exist_ok=True)
    with open(work("first/listed"), "w") as file:
        file.write("not executable\n")
    expect_refused(126, "Permission denied", "listed",
                   env={"PATH": work("first")})
    with open(work("second/listed"), "w") as file:
        file.write("#!/bin/sh\necho second\n")
    os.chmod(work("second/listed"), 0o755)
    for path in (f"{work('first')}:{work('second')}", f":{work('second')}",
                 f"/nowhere:{work('second')}:/bin"):
        result = expect_run("listed", env={"PATH": path})
        expect_equal(result.stdout, b"second\n")
    result = expect_run("listed", env={"PATH": "/nowhere:"},
                        cwd=work("second"))
    expect_equal(result.stdout, b"second\n")


def program_that_is_not_there_is_127():
    for name in ("nonsense-program", "/nowhere/program", "./nonsense", "",
                 work("first/listed/below")):
        expect_refused(127, "vmspace heap: ", name)


def file_that_is_no_program_is_126():
    with open(work("text"), "w") as file:
        file.write("just text\n")
    expect_refused(126, "Permission denied", work("text"))
    os.chmod(work("text"), 0o755)
    expect_refused(126, "neither a program nor a script", work("text"))
    expect_refused(126, "Permission denied", WORK.name)
    open(work("empty"), "w").close()
    os.chmod(work("empty"), 0o755)
    expect_refused(126, "neither a program nor a script", work("empty"))


def script_is_judged_by_its_interpreter():
    def script(name, line):
        with open(work(name), "w") as file:
            file.write(line + "\n")
        os.chmod(work(name), 0o755)
        return work(name)

    result = expect_run(script("shell", "#!/bin/sh\necho $0 $1"), "argument")
    expect_equal(result.stdout.decode(), f"{work('shell')} argument\n")
    expect_equal(expect_run(script("outer", f"#! \t{work('shell')} x"))
                 .stdout.decode(), f"{work('shell')} x\n")
    expect_refused(126, "No such file", script("gone", "#!/nowhere/sh"))
    expect_refused(126, "neither a program nor a script",
                   script("nothing", "#!  "))
    expect_refused(126, "neither a program nor a script",
                   script("long", "#!/" + "x" * 300))
    script("loop", f"#!{work('loop')}")
    expect_refused(126, "Too many levels", work("loop"))
    static = compiled(work("interpreter"), PLAIN, "-static")
    expect_refused(126, "linked statically",
                   script("static-script", f"#!{static}"))


def libraries_beside_a_program_are_found_through_a_link():
    os.makedirs(work("beside"), exist_ok=True)
    compiled(work("beside/libbeside.so"), "int here;\n", "-shared")
    compiled(work("beside/program"), PLAIN, "-Wl,--no-as-needed",
             f"-L{work('beside')}", "-l:libbeside.so", "-Wl,-rpath,$ORIGIN")
    os.symlink(work("beside/program"), work("program-link"))
    expect_run(work("program-link"))


def other_preload_libraries_stay():
    line = 'echo "$LD_PRELOAD"'
    expect_equal(expect_run("sh", "-c", line).stdout.decode(),
                 os.path.realpath(LIBRARY) + "\n")
    result = expect_run("sh", "-c", line, env={"LD_PRELOAD": "libc.so.6"})
    expect_equal(result.stdout.decode(),
                 os.path.realpath(LIBRARY) + ":libc.so.6\n")


def ignored_signals(**options):
    result = expect_run("grep", "SigIgn", "/proc/self/status", **options)
    return int(result.stdout.split()[1], 16)


def signals_are_as_they_were():
    pipe = 1 << signal.SIGPIPE - 1
    expect_equal(ignored_signals() & pipe, 0)
    # Python itself ignores it.
    expect_equal(ignored_signals(restore_signals=False) & pipe, pipe)


def figures(*arguments, **options):
    """The figures of the last process that told them, by name."""
    path = work("figures")
    if os.path.exists(path):
        os.unlink(path)
    expect_run(f"--stats={path}", *arguments, **options)
    with open(path) as file:
        text = file.read()
    expect(text.startswith("vmspace-heap: pid "), text)
    return {name: int(number) for name, number in
            re.findall(r"([a-z-]+) (\d+)", text)}


def threshold_says_which_blocks_are_the_heaps():
    def made(size, *options, **more):
        return figures(*options, BLOCKS, str(size), **more).get(
            "allocations", 0)

    expect_equal(made(100), 0)
    expect_equal(made(65535), 0)
    expect_equal(made(65536), 1)
    expect_equal(made(300000), 1)
    expect_equal(made(65536, "--threshold=1M"), 0)
    expect_equal(made(600000, "--threshold=1m"), 1)
    expect_equal(made(20000, "--threshold=16K"), 1)
    expect_equal(made(20000, "--threshold", "16384"), 1)
    expect_equal(made(20000, env={"VMSPACE_HEAP_THRESHOLD": "16K"}), 1)
    expect_equal(made(20000, "--threshold=1M",
                      env={"VMSPACE_HEAP_THRESHOLD": "16K"}), 0)


def retained_memory_is_what_was_asked_for():
    expect(figures(BLOCKS, "5000000")["retained"] > 0)
    expect_equal(figures("--retain=0", BLOCKS, "5000000")["retained"], 0)


def run_is_with_the_heap_whatever_the_environment_says():
    found = figures(BLOCKS, "1000000", env={"VMSPACE_HEAP_DISABLE": "1"})
    expect(found["allocations"] > 0, found)


def stats_go_to_standard_error():
    result = expect_run("--stats", BLOCKS, "1000000")
    expect_equal(result.stderr.count(b"vmspace-heap: pid "), 2)
    # Also where the program closes it before it ends.
    result = expect_run("--stats", BLOCKS, "1000000", "quiet")
    expect_equal(result.stderr.count(b"vmspace-heap: pid "), 2)
    result = expect_run("--stats", BLOCKS, "1")
    expect(b"no heap" in result.stderr, result.stderr)
    expect_equal(expect_run(BLOCKS, "1000000").stderr, b"")


def few_addresses_make_a_small_heap():
    result = expect_run("--stats", "sh", "-c",
                        'ulimit -v 3000000; exec "$0" 1000000', BLOCKS)
    expect(b" reserved 1073741824 " in result.stderr, result.stderr)
    result = expect_run("--stats", BLOCKS, "1000000",
                        env={"VMSPACE_HEAP_RESERVE": "512M"})
    expect(b" reserved 536870912 " in result.stderr, result.stderr)


def no_addresses_for_a_heap_are_told():
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))

    result = expect_run("--stats", BLOCKS, "1000000", preexec_fn=limit)
    expect(b"runs without a heap" in result.stderr, result.stderr)
    expect(b"no heap: too few addresses, RLIMIT_AS is 419430400"
           in result.stderr, result.stderr)


def stats_file_is_the_one_where_the_command_was_run():
    os.makedirs(work("here"), exist_ok=True)
    expect_run("--stats=file", "sh", "-c", 'cd / && exec "$0" 1000000',
               BLOCKS, cwd=work("here"))
    with open(work("here/file")) as file:
        expect("allocations" in file.read())
    expect_refused(125, "/nowhere", "--stats=/nowhere/file", "true")


def environment_that_makes_no_sense_is_told_and_ignored():
    for name, value in (("THRESHOLD", "much"), ("THRESHOLD", "1KB"),
                        ("RETAIN", "-1"), ("RECLAIMABLE_AFTER", "soon"),
                        ("GIVE_BACK_AFTER", "1.5"), ("DISABLE", "yes"),
                        ("NO_HUGE_PAGES", "2"),
                        ("THRESHOLD", "99999999999999999999"),
                        ("RETAIN", "99999999999T")):
        result = run([BLOCKS, "1000000"], env={
            "LD_PRELOAD": LIBRARY, f"VMSPACE_HEAP_{name}": value,
            "VMSPACE_HEAP_STATS": "1"})
        expect_equal(result.returncode, 0, (name, value))
        text = f"VMSPACE_HEAP_{name}={value} is not understood"
        expect_equal(result.stderr.decode().count(text), 1, result.stderr)
        expect(b"allocations 1" in result.stderr, result.stderr)


def environment_says_what_the_options_say():
    for name, value in (("RETAIN", "0"), ("RETAIN", "64M"),
                        ("RECLAIMABLE_AFTER", "never"),
                        ("GIVE_BACK_AFTER", "0"), ("NO_HUGE_PAGES", "1"),
                        ("THRESHOLD", "1"), ("DISABLE", "0")):
        result = run([BLOCKS, "1000000"], env={
            "LD_PRELOAD": LIBRARY, f"VMSPACE_HEAP_{name}": value,
            "VMSPACE_HEAP_STATS": "1"})
        expect_equal(result.returncode, 0, (name, value))
        expect(b"not understood" not in result.stderr, result.stderr)
        expect(b" allocations " in result.stderr, result.stderr)


def variables_are_in_the_man_page():
    with open(os.path.join(MAN, "vmspace-heap.7")) as file:
        page = file.read()
    with open(LIBRARY, "rb") as file:
        names = set(re.findall(rb"VMSPACE_HEAP_[A-Z_]+", file.read()))
    expect(len(names) >= 7, names)
    for name in names:
        expect(name.decode() in page, name)


def heap_that_another_malloc_leaves_idle_says_so():
    """valgrind takes malloc over by its address, past every library."""
    program = compiled(work("large-block"), PLAIN)
    under = [installed("valgrind"), "-q", program]
    if run(under).returncode != 0:
        raise Skip("valgrind runs no program here")
    told = expect_run("--stats", *under).stderr.decode()
    expect("no heap: no large block came to it" in told, told)
    expect("something else serves malloc, as valgrind does" in told, told)
    expect_equal(told.count("vmspace-heap: pid"), 1, told)
    bare = expect_run("--stats", program).stderr.decode()
    expect("allocations 1 " in bare and "no heap" not in bare, bare)


CASES = [
    wrong_arguments_are_usage_errors,
    wrong_numbers_are_usage_errors,
    program_is_run_as_it_is,
    program_without_a_slash_is_looked_for_in_path,
    program_that_is_not_there_is_127,
    file_that_is_no_program_is_126,
    script_is_judged_by_its_interpreter,
    libraries_beside_a_program_are_found_through_a_link,
    other_preload_libraries_stay,
    signals_are_as_they_were,
    threshold_says_which_blocks_are_the_heaps,
    retained_memory_is_what_was_asked_for,
    run_is_with_the_heap_whatever_the_environment_says,
    stats_go_to_standard_error,
    few_addresses_make_a_small_heap,
    no_addresses_for_a_heap_are_told,
    stats_file_is_the_one_where_the_command_was_run,
    environment_that_makes_no_sense_is_told_and_ignored,
    environment_says_what_the_options_say,
    variables_are_in_the_man_page,
    heap_that_another_malloc_leaves_idle_says_so,
]

sys.exit(main(CASES))
