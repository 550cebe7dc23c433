# SPDX-License-Identifier: MIT
"""Files in memory under 'vmspace limit': what is refused, what is told.

usage: test_limit_files.py VMSPACE
"""

import json
import os
import sys

from cli_test import expect, expect_equal, main_in_groups, must_compile, run, work

VMSPACE = os.path.abspath(sys.argv[1])


def limited(*arguments):
    return run([VMSPACE, "limit", "64M", *arguments])


QUICK = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define M (1ul << 20)
int main(int argc, char **argv)
{
    size_t bytes = strtoul(argv[1], NULL, 10) * M;
    size_t piece = strtoul(argv[2], NULL, 10) * M;
    int file = memfd_create("quick", 0);
    if (ftruncate(file, bytes))
        return 1;
    for (size_t at = 0; at < bytes; at += piece) {
        char *part = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_SHARED,
                          file, at);
        if (part == MAP_FAILED)
            return 7;
        memset(part, 1, piece);
    }
    return 0;
}
"""


def quick_program_does_not_pass_the_limit_by_a_memfd():
    """In pieces or whole: it is refused, or its peak is within the limit."""
    must_compile(work("quick"), QUICK, "-O0", "-w")
    for mib, piece, status in ((40, 2, 0), (60, 60, 0), (80, 2, 7),
                               (80, 80, 7)):
        result = limited(f"--report={work('report')}", work("quick"),
                         str(mib), str(piece))
        expect_equal(result.returncode, status, (mib, piece, result.stderr))
        with open(work("report"), encoding="utf-8") as file:
            report = json.load(file)
        expect_equal(report["refused"], int(status == 7), report)
        expect(report["peak"] <= report["limit"], report)
        expect_equal(report["unrefusable"], 0, report)
        expect(b"nothing can refuse" not in result.stderr, result.stderr)


def memory_that_nothing_can_refuse_is_told_as_such():
    """A file that grows under its mapping, until the group has seen it."""
    source = """
    #define _GNU_SOURCE
    #include <string.h>
    #include <sys/mman.h>
    #include <unistd.h>
    int main(void)
    {
        int file = memfd_create("grows", 0);
        char *all = mmap(NULL, 100 << 20, PROT_READ | PROT_WRITE, MAP_SHARED,
                         file, 0);
        if (all == MAP_FAILED || ftruncate(file, 100 << 20))
            return 1;
        memset(all, 1, 100 << 20);
        for (;;) {
            void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (page == MAP_FAILED)
                return 7;
            munmap(page, 4096);
            usleep(1000);
        }
    }
    """
    must_compile(work("grows"), source, "-O0", "-w")
    result = limited(f"--report={work('report')}", work("grows"))
    expect_equal(result.returncode, 7, result.stderr)
    with open(work("report"), encoding="utf-8") as file:
        report = json.load(file)
    expect(report["peak"] >= 100 << 20, report)
    expect_equal(report["unrefusable"], report["peak"] - report["limit"])
    expect(b"of it memory that nothing can refuse; 1 refused" in
           result.stderr, result.stderr)


CASES = [
    quick_program_does_not_pass_the_limit_by_a_memfd,
    memory_that_nothing_can_refuse_is_told_as_such,
]

sys.exit(main_in_groups(VMSPACE, CASES))
