# SPDX-License-Identifier: MIT
"""The commands that run a program: their arguments, and how they compose.

usage: test_commands.py VMSPACE
"""

import json
import os
import sys

from cli_test import compiled, expect, expect_equal, main_in_groups, run, work

VMSPACE = os.path.abspath(sys.argv[1])

ASKS_ONCE = """
#include <sys/mman.h>
int main(void)
{
    return mmap(0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
        MAP_FAILED ? 9 : 0;
}
"""
ASKS_TWICE = ASKS_ONCE.replace("return", """
    if (mmap(0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        return 8;
    return""")


def limited(*arguments, size="64M", **options):
    return run([VMSPACE, "limit", size, *arguments], **options)


def wrong_arguments_are_usage_errors():
    for options in (["limit", "--quiet"], ["limit", "x", "true"], ["limit", "1M"],
                    ["limit", "0", "true"], ["limit", "--log", "true"],
                    ["limit", "1 ", "true"], ["limit", "1K ", "true"],
                    ["limit", "16777216T", "true"],
                    ["limit", "1G", "--policy=none", "true"],
                    ["limit", "--policy=none", "1G", "true"],
                    ["limit", "1G", "--fork=maybe", "true"],
                    ["limit", "1G", "--noreserve=x", "true"],
                    ["fail"], ["fail", "true"], ["fail", "--nth=1"],
                    ["fail", "--nth=x", "true"],
                    ["fail", "--nth=0", "true"],
                    ["fail", "--from=0", "true"],
                    ["fail", "--from=-1", "true"],
                    ["fail", "--prob=2", "true"],
                    ["fail", "--prob=nan", "true"],
                    ["fail", "--prob=0.5", "--seed=", "true"],
                    ["fail", "--nth=1", "--limit=0", "true"],
                    ["fail", "--nth=1", "--policy=strict", "true"],
                    ["fail", "--nth=1", "--noreserve=free", "true"]):
        result = run([VMSPACE, *options])
        expect_equal(result.returncode, 2, (options, result.stderr))
        expect_equal(result.stdout, b"", options)
        expect(result.stderr.startswith(f"vmspace {options[0]}".encode()),
               options, result.stderr)


def option_of_another_command_is_told_where_it_belongs():
    for command, option, where in (
            ("limit", "--threshold=1M", b"'vmspace heap'"),
            ("limit", "--nth=1", b"'vmspace fail'"),
            ("limit", "--commit=1G", b"'vmspace limit SIZE'"),
            ("limit", "--fail-nth=1", b"'vmspace fail'"),
            ("limit", "--backend=rlimit", b"'ulimit -d'"),
            ("heap", "--report=x", b"'vmspace limit'"),
            ("heap", "--commit=1G", b"'vmspace limit SIZE'"),
            ("fail", "--retain=1G", b"'vmspace heap'"),
            ("fail", "--only=1-2", b"'vmspace sweep'"),
            ("sweep", "--limit=1G", b"'vmspace limit SIZE'")):
        result = run([VMSPACE, command, option, "true"])
        expect_equal((result.returncode, result.stdout), (2, b""), command)
        expect(where in result.stderr, command, option, result.stderr)
        expect(result.stderr.endswith(
            f"Try 'vmspace {command} --help'.\n".encode()), result.stderr)


def option_of_the_command_itself_is_told_of_no_other():
    for arguments in (["limit", "1G", "--policy"],
                      ["limit", "1G", "--quiet=1", "true"],
                      ["limit", "--log", "-xq", "1G", "true"],
                      ["limit", "1G", "-x"], ["heap", "--retain"],
                      ["fail", "--nth"], ["sweep", "--jobs"]):
        result = run([VMSPACE, *arguments])
        expect_equal((result.returncode, result.stdout), (2, b""), arguments)
        expect_equal(len(result.stderr.splitlines()), 2, result.stderr)


def word_that_is_none_is_told_all_that_are():
    for arguments, told in (
            (["limit", "--policy=never", "1G"],
             "'never' is neither 'strict', 'always' nor 'heuristic'"),
            (["fail", "--nth=1", "--limit=1G", "--policy="],
             "'' is neither 'strict', 'always' nor 'heuristic'"),
            (["limit", "--fork=never", "1G"],
             "'never' is neither 'charge' nor 'free'")):
        result = run([VMSPACE, *arguments, "--", "true"])
        expect_equal((result.returncode, result.stdout), (2, b""), arguments)
        expect_equal(result.stderr.decode().splitlines()[0],
                     f"vmspace {arguments[0]}: {told}")


def report_is_never_a_file_named_like_an_option():
    directory = work("dashes")
    os.mkdir(directory)
    for command in (["limit", "1G"], ["fail", "--prob=0"], ["sweep"]):
        for options in (["--report", "--"], ["--report", "--quiet", "--"],
                        ["--report=-x", "--"]):
            result = run([VMSPACE, *command, *options, "true"], cwd=directory)
            expect_equal((result.returncode, result.stdout), (2, b""),
                         (command, options))
            expect(b": --report needs a file, and '-" in result.stderr,
                   command, result.stderr)
    result = run([VMSPACE, "heap", "--stats=-", "true"], cwd=directory)
    expect_equal((result.returncode, result.stdout), (2, b""))
    expect(b"'-' is ./-" in result.stderr, result.stderr)
    expect_equal(os.listdir(directory), [])


def report_to_a_dash_goes_to_standard_output():
    directory = work("dash")
    os.mkdir(directory)
    for command in (["limit", "1G"], ["fail", "--prob=0"]):
        for option in (["--report=-"], ["--report", "-"]):
            result = run([VMSPACE, *command, "--quiet", *option, "--", "echo",
                          "told"], cwd=directory)
            expect_equal((result.returncode, result.stderr), (0, b""), command)
            said, told = result.stdout.split(b"\n", 1)
            expect_equal(said, b"told")
            expect_equal(json.loads(told)["refused"], 0)
    expect_equal(os.listdir(directory), [])
    result = run([VMSPACE, "limit", "1G", "--report=./-", "true"],
                 cwd=directory)
    expect_equal((result.returncode, os.listdir(directory)), (0, ["-"]))


def size_stands_before_or_after_the_options():
    for arguments in (["64M", "--quiet", "--"], ["--quiet", "64M", "--"],
                      ["--quiet", "64M"], ["--", "64M"],
                      ["--fork=free", "64M", "--quiet"]):
        result = run([VMSPACE, "limit", *arguments, "sh", "-c", "exit 7"])
        expect_equal(result.returncode, 7, (arguments, result.stderr))


def help_is_a_screen():
    for command in ("limit", "heap", "fail", "sweep"):
        result = run([VMSPACE, command, "--help"])
        lines = result.stdout.decode().splitlines()
        expect_equal(result.returncode, 0, command)
        expect(10 < len(lines) <= 24, command, len(lines))
        expect(max(map(len, lines)) <= 80, command)
        expect_equal(run([VMSPACE, "help", command]).stdout, result.stdout)


def heap_inside_a_limit_is_the_programs_alone():
    """What starts the program is neither counted nor limited."""
    program = compiled(work("asks-once"), ASKS_ONCE)
    heap = [VMSPACE, "heap", "--retain=1M", "--", program]
    result = run([VMSPACE, "fail", "--nth=1", "--", *heap])
    expect_equal(result.returncode, 9, result.stderr)
    expect(b"1 refused\n" in result.stderr, result.stderr)
    result = run([VMSPACE, "sweep", "--", *heap])
    expect(b"1 request failed in turn\n" in result.stdout, result.stdout)
    result = limited("--", *heap)
    expect_equal(result.returncode, 0, result.stderr)
    # By another name and another path it is the same command.
    os.symlink(VMSPACE, work("other-name"))
    result = run([VMSPACE, "fail", "--nth=1", "--", work("other-name"),
                  *heap[1:]])
    expect_equal(result.returncode, 9, result.stderr)
    # What the heap refuses is told as by itself.
    result = limited("--quiet", "--", VMSPACE, "heap", "--nonsense", program)
    expect_equal(result.returncode, 2, result.stderr)
    expect(b"vmspace heap: " in result.stderr, result.stderr)
    result = limited("--quiet", "--", VMSPACE, "heap", "--help")
    expect_equal(result.returncode, 0, result.stderr)
    expect(b"usage: vmspace heap" in result.stdout, result.stdout)


def limit_inside_a_heap_works_too():
    result = run([VMSPACE, "heap", "--", VMSPACE, "limit", "64M", "--quiet",
                  "--", "sh", "-c", "exit 7"])
    expect_equal(result.returncode, 7, result.stderr)


def failing_without_a_limit_tells_of_none():
    report = work("failing.json")
    result = run([VMSPACE, "fail", "--nth=1", f"--report={report}", "--",
                  compiled(work("asks"), ASKS_ONCE)])
    expect_equal(result.returncode, 9, result.stderr)
    first, second = result.stderr.decode().splitlines()[:2]
    expect(" of " not in first and first.endswith("; 1 refused"), first)
    expect("request 1, refused on demand" in second, second)
    with open(report) as file:
        told = json.load(file)
    expect_equal((told["limit"], told["refusals"][0]["limit"]), (None, None))
    result = run([VMSPACE, "fail", "--nth=100000", "--",
                  compiled(work("asks-twice"), ASKS_TWICE)])
    expect(b"; of 2 requests none was refused\n" in result.stderr, result.stderr)
    result = run([VMSPACE, "fail", "--nth=3", "--",
                  compiled(work("asks-one"), ASKS_ONCE)])
    expect(result.stderr.endswith(b"; the only request was not refused\n"),
           result.stderr)
    result = run([VMSPACE, "fail", "--nth=3", "--size=2M", "--",
                  work("asks-one")])
    expect(result.stderr.endswith(b"; nothing was requested\n"),
           result.stderr)


def run_is_no_command_and_the_error_names_those_that_are():
    for arguments in (["run", "--heap", "true"],
                      ["run", "--commit=64M", "--", "true"],
                      ["run"], ["run", "--help"], ["help", "run"]):
        result = run([VMSPACE, *arguments])
        expect_equal((result.returncode, result.stdout), (2, b""), arguments)
        for word in (b"no command 'run'", b"'vmspace limit SIZE'",
                     b"'vmspace heap'", b"'vmspace fail'"):
            expect(word in result.stderr, word, result.stderr)
    for arguments in (["--help"], ["help"]):
        expect(b"\n  run " not in run([VMSPACE, *arguments]).stdout, arguments)


def limit_without_its_unit_is_refused_with_a_hint():
    for size, hint in (("200", b"200 bytes; did you mean 200M?"),
                       ("1", b"1 byte; did you mean 1M?"),
                       ("4096", b"4096 bytes; did you mean 4096M?"),
                       ("4K", b"no program starts in 4K\n")):
        result = limited("true", size=size)
        expect_equal(result.returncode, 2, size)
        expect(hint in result.stderr, size, result.stderr)
    # These do not compare the sum with the limit.
    for policy in ("always", "heuristic"):
        result = limited(f"--policy={policy}", "--quiet", "sh", "-c", "exit 7",
                         size="200" if policy == "always" else "200M")
        expect_equal(result.returncode, 7, policy)


def sizes_of_the_heap_below_a_page_are_refused_with_a_hint():
    page = os.sysconf("SC_PAGE_SIZE")
    for option in ("--retain", "--threshold"):
        for size, told in (
                ("200", "200 bytes are less than a page; did you mean 200K?"),
                ("1", "1 byte is less than a page; did you mean 1M?"),
                ("2", "2 bytes are less than a page; did you mean 2M?"),
                ("1K", "1K is less than a page"),
                (f"{page // 1024 - 1}k",
                 f"{page // 1024 - 1}k is less than a page")):
            result = run([VMSPACE, "heap", f"{option}={size}", "true"])
            expect_equal(result.returncode, 2, (option, size))
            expect_equal(result.stderr.decode().splitlines()[0],
                         f"vmspace heap: {told}")
        for size in ("0", "0K", str(page), f"{page // 1024}K"):
            result = run([VMSPACE, "heap", f"{option}={size}", "true"])
            expect_equal(result.returncode, 0, (option, size, result.stderr))


def chance_of_0_and_size_of_0_are_what_they_say():
    program = compiled(work("asks-once-again"), ASKS_ONCE)
    for options, status in ((["--prob=0"], 0), (["--prob=0", "--size=64K"], 0),
                            (["--size=64K", "--prob=0.0"], 0),
                            (["--prob=1"], 9), (["--size=0"], 9),
                            (["--prob=0", "--nth=1"], 9)):
        result = run([VMSPACE, "fail", *options, "--", program])
        expect_equal(result.returncode, status, (options, result.stderr))


def supervisor_inside_another_says_why_it_cannot_be():
    for inner in (["sweep"], ["limit", "64M"], ["fail", "--nth=1"]):
        result = limited("--quiet", VMSPACE, *inner, "--", "true", size="256M")
        expect_equal(result.returncode, 125, inner)
        expect(b"'vmspace limit', 'vmspace fail'" in result.stderr,
               result.stderr)
        expect(b"busy" not in result.stderr, result.stderr)
        # What makes its requests is the inner command, and no program.
        for outer in (["sweep"], ["fail", "--nth=1"],
                      ["limit", "256M", "--quiet", VMSPACE, "heap"]):
            result = run([VMSPACE, *outer, "--", VMSPACE, *inner, "--",
                          "true"])
            expect_equal((result.returncode, result.stdout), (125, b""),
                         (outer, inner))
        # The command sees it only where nothing stands between.
        result = limited("--quiet", "env", VMSPACE, *inner, "--", "true",
                         size="256M")
        expect_equal(result.returncode, 125, inner)
        expect(b"it runs under 'vmspace limit'" in result.stderr,
               result.stderr)


def explain_tells_what_it_sees_and_misses():
    result = run([VMSPACE, "limit", "1G", "--explain"])
    expect_equal((result.returncode, result.stderr), (0, b""))
    for word in (b"can be kept here", b"sees late", b"misses"):
        expect(word in result.stdout, word)


CASES = [
    wrong_arguments_are_usage_errors,
    option_of_another_command_is_told_where_it_belongs,
    option_of_the_command_itself_is_told_of_no_other,
    word_that_is_none_is_told_all_that_are,
    report_is_never_a_file_named_like_an_option,
    report_to_a_dash_goes_to_standard_output,
    size_stands_before_or_after_the_options,
    help_is_a_screen,
    heap_inside_a_limit_is_the_programs_alone,
    limit_inside_a_heap_works_too,
    failing_without_a_limit_tells_of_none,
    run_is_no_command_and_the_error_names_those_that_are,
    limit_without_its_unit_is_refused_with_a_hint,
    sizes_of_the_heap_below_a_page_are_refused_with_a_hint,
    chance_of_0_and_size_of_0_are_what_they_say,
    supervisor_inside_another_says_why_it_cannot_be,
    explain_tells_what_it_sees_and_misses,
]

sys.exit(main_in_groups(VMSPACE, CASES))
