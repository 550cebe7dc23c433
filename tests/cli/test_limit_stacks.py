# SPDX-License-Identifier: MIT
"""Refusals told by their stacks: a line for each, with a count.

usage: test_limit_stacks.py VMSPACE
"""

import json
import os
import sys

from cli_test import (Skip, compiled, expect, expect_equal, main_in_groups,
                      run, work)

VMSPACE = os.path.abspath(sys.argv[1])

# Each of argv[1] children is refused three times at each of four places.
MANY = """
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile size_t much = 1ul << 30;
#define PLACE(name) \\
    __attribute__((noinline)) static int name(void) \\
    { void *got = malloc(much); free(got); return got != NULL; }
PLACE(read_all) PLACE(sort_all) PLACE(link_all) PLACE(write_all)
int main(int argc, char **argv)
{
    for (int i = atoi(argv[1]); i > 0; i--) {
        pid_t child = fork();
        if (child == 0) {
            for (int times = 0; times < 3; times++)
                if (read_all() + sort_all() + link_all() + write_all())
                    _exit(2);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}
"""

# Names as compilers of C++ and Rust make them.
FOREIGN = """
#include <sys/mman.h>
#define NAMED(function, name) \\
    int function(void) __asm__(name); \\
    __attribute__((noinline)) int function(void)
static int ask(void)
{
    return mmap(0, 1ul << 30, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
        MAP_FAILED;
}
NAMED(cxx, "_ZN4shop4takeEv") { return ask() + ask() * 2; }
NAMED(rust, "_ZN5alloc3vec9from_elem17h0123456789abcdefE")
{ return ask() + ask() * 2; }
NAMED(rust_v0, "_RNvC6_123foo3bar") { return ask() + ask() * 2; }
int main(void) { return cxx() + rust() + rust_v0(); }
"""

# Nothing is left of the program when it has been refused, and ends.
GONE = """
#include <sys/mman.h>
#include <unistd.h>
__attribute__((noinline)) static int ask_and_go(char *name)
{
    int got = mmap(0, 1ul << 30, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
        MAP_FAILED;
    return unlink(name) + got * 2;
}
int main(int argc, char **argv) { return ask_and_go(argv[0]); }
"""


def limited(*arguments, **options):
    return run([VMSPACE, "limit", "64M", *arguments], **options)


def told(*program):
    """The report as JSON, and what was written beside it."""
    result = limited(f"--report={work('report')}", *program)
    expect_equal(result.returncode, 0, result.stderr)
    with open(work("report")) as file:
        return json.load(file), result.stderr.decode()


def need_stacks(report):
    if not any(stack["backtrace"] for stack in report["stacks"]):
        raise Skip("no stack can be unwound here")


def hundreds_of_refusals_are_a_screenful():
    program = compiled(work("many"), MANY, "-g", "-O1")
    report, text = told(program, "20")
    expect_equal(report["version"], 2)
    expect_equal(report["refused"], 240)
    expect_equal(len(report["refusals"]), 240)
    expect_equal(report["programs"],
                 [{"command": "many", "refusals": 240, "processes": 20}])
    expect_equal(sum(stack["refusals"] for stack in report["stacks"]) +
                 report["refusals_of_other_stacks"], 240)
    lines = text.splitlines()
    expect("; 240 refused" in lines[0], text)
    expect(any("many: 240 in 20 processes" in line for line in lines), text)
    expect(len(lines) <= 24, text)
    need_stacks(report)
    # Some come too soon after each other for a stack each.
    for place in "read_all", "sort_all", "link_all", "write_all":
        rows = [line for line in lines if f"malloc < {place} < main" in line]
        expect_equal(len(rows), 1, (place, text))
        expect(int(rows[0].split()[0]) > 1, rows)
    expect(len(report["stacks"]) <= 5, report["stacks"])


def attempts_of_one_malloc_are_one_refusal():
    program = compiled(work("many"), MANY, "-g", "-O1")
    report, text = told(program, "1")
    expect_equal(report["refused"], 12)
    expect(report["attempts"] > 12, report["attempts"])
    for refusal in report["refusals"]:
        expect_equal(refusal["attempts"][:2], ["mmap", "brk"])
        expect_equal(refusal["call"], "mmap")
    expect_equal(sum(len(refusal["attempts"])
                     for refusal in report["refusals"]), report["attempts"])
    expect_equal(sum(stack["attempts"] for stack in report["stacks"]),
                 report["attempts"])
    of_child = [process for process in report["processes"]
                if process["refusals"]]
    expect_equal([(process["refusals"], process["attempts"])
                  for process in of_child], [(12, report["attempts"])])
    # Also where no stack is taken.
    result = limited("--quiet", "--log", program, "1")
    times = [line for line in result.stderr.decode().splitlines()
             if " mmap of " in line or " brk of " in line]
    expect_equal(len(times), 12, result.stderr)


def names_are_those_of_the_sources():
    program = compiled(work("foreign"), FOREIGN, "-g", "-O1",
                       "-fno-inline", "-fno-optimize-sibling-calls")
    report, text = told(program)
    need_stacks(report)
    frames = [frame.split(" (foreign)")[0] for stack in report["stacks"]
              for frame in stack["backtrace"]]
    if "_ZN4shop4takeEv" in frames:
        raise Skip("built without libiberty")
    for name in "shop::take()", "alloc::vec::from_elem", "123foo::bar":
        expect(name in frames, name, frames)
        expect(name in text, name, text)


def program_that_is_gone_has_names():
    """Its process has ended before the names are read."""
    program = compiled(work("gone"), GONE, "-g", "-O1")
    report, text = told(program)
    expect(not os.path.exists(program), "it is still there")
    need_stacks(report)
    expect_equal(report["refused"], 1)
    expect(any(frame.startswith("ask_and_go (gone) at gone.c:")
               for frame in report["stacks"][0]["backtrace"]),
           report["stacks"])
    expect("ask_and_go (gone) at gone.c:" in text, text)


def refusals_name_their_stacks():
    program = compiled(work("many"), MANY, "-g", "-O1")
    report, _ = told(program, "2")
    for refusal in report["refusals"]:
        stack = report["stacks"][refusal["stack"]]
        expect_equal(refusal["backtrace"], stack["backtrace"])
        expect_equal(refusal["command"], stack["command"])
        expect(stack["requested_least"] <= refusal["requested"] <=
               stack["requested_most"], refusal)
        expect(stack["first_seconds"] <= refusal["seconds"] <=
               stack["last_seconds"], refusal)
        expect(bool(stack["backtrace"]) != bool(stack["why_no_backtrace"]),
               stack)


CASES = [
    hundreds_of_refusals_are_a_screenful,
    attempts_of_one_malloc_are_one_refusal,
    names_are_those_of_the_sources,
    program_that_is_gone_has_names,
    refusals_name_their_stacks,
]

sys.exit(main_in_groups(VMSPACE, CASES))
