# SPDX-License-Identifier: MIT
"""Planted mistakes that 'vmspace sweep' finds, and sound programs.

usage: test_sweep.py VMSPACE
"""

import json
import os
import shutil
import sys

from cli_test import (Skip, compiled, expect, expect_equal, main_in_groups,
                      must_compile, run, work, written)

VMSPACE = os.path.abspath(sys.argv[1])

# Blocks are large and of mmap for good, so that each is a request of its own.
PROGRAM = """
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define LARGE (1 << 20)

struct pair { char *one, *two; };

static void checked(void)
{
    char *block = malloc(LARGE);
    if (!block)
        exit(3);
    memset(block, 1, LARGE);
    free(block);
}

static void unchecked_null(void)
{
    char *block = malloc(LARGE);
    memset(block, 1, LARGE);
    free(block);
}

static void free_pair(struct pair *pair)
{
    free(pair->one);
    free(pair->two);
}

static int make_pair(struct pair *pair)
{
    pair->one = malloc(100);
    pair->two = malloc(LARGE);
    if (pair->one && pair->two)
        return 0;
    free_pair(pair);
    return -1;
}

static void half_built_pair(void)
{
    struct pair pair;
    if (make_pair(&pair))
        puts("no pair");
    free_pair(&pair);
}

static void failed_grow(void)
{
    size_t length = 0, room = LARGE;
    char *text = malloc(room), *more;
    if (!text)
        exit(3);
    length = 1000;
    more = realloc(text, 8 * LARGE);
    if (more)
        text = more, length = 2000;
    printf("%zu\\n", length);
    free(text);
}

int main(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 17);
    checked();
    MISTAKES
    puts("done");
    return fflush(stdout) ? 4 : 0;
}
"""


def planted(name, mistakes):
    source = PROGRAM.replace("MISTAKES", mistakes)
    must_compile(work(name), source, "-g", "-O0", "-w")
    return work(name)


def sweep(*arguments):
    return run([VMSPACE, "sweep", "--kernel",
                f"--report={work('report')}", *arguments])


def results():
    with open(work("report")) as file:
        return json.load(file)


def wrong_arguments_are_usage_errors():
    for options in ([], ["--only=0", "true"], ["--only=3-2", "true"],
                    ["--only=x", "true"], ["--jobs=0", "true"],
                    ["--timeout=x", "true"], ["--minimum=x", "true"],
                    ["--nonsense", "true"]):
        result = run([VMSPACE, "sweep", *options])
        expect_equal(result.returncode, 2, (options, result.stderr))
    expect_equal(sweep("nonsense-program").returncode, 127)


def planted_mistakes_are_found_and_nothing_else():
    result = sweep(planted(
        "mistaken", "unchecked_null(); half_built_pair(); failed_grow();"))
    text = result.stdout.decode()
    expect_equal(result.returncode, 1, (text, result.stderr))
    bad = [one for one in results()
           if one["verdict"] in ("wrong", "crashed", "hung", "not run")]
    expect_equal([one["verdict"] for one in bad],
                 ["crashed", "crashed", "wrong"], text)
    for one, function, number in zip(
            bad, ("unchecked_null", "make_pair", "failed_grow"),
            (11, 6, None)):
        expect(function in one["backtrace"], function, one["backtrace"])
        expect_equal(one["signal"], number, function)
        expect(function in text, function, text)


def sound_program_has_no_finding():
    result = sweep(planted("sound", ""))
    expect_equal(result.returncode, 0, (result.stdout, result.stderr))
    verdicts = {one["verdict"] for one in results()}
    expect("failed" in verdicts, verdicts)
    expect(verdicts <= {"failed", "same"}, verdicts)


def program_that_asks_for_nothing_has_no_finding():
    source = "#include <unistd.h>\nint main(void) { _exit(0); }\n"
    must_compile(work("modest"), source, "-O0", "-w")
    result = sweep(work("modest"))
    expect_equal(result.returncode, 0, result.stderr)
    expect_equal(result.stdout, b"0 requests failed in turn\n")
    expect_equal(results(), [])
    expect_equal(sweep("--only=1", work("modest")).returncode, 125)


def only_some_requests_are_failed():
    program = planted("some", "")
    expect_equal(sweep("--only=1-2", program).returncode, 0)
    expect_equal([one["request"] for one in results()], [1, 2])
    expect_equal(sweep("--minimum=1M", "--jobs=1", program).returncode, 0)
    expect_equal([one["verdict"] for one in results()], ["failed"],
                 results())


def output_that_differs_by_itself_is_not_compared():
    program = compiled(work("differs"), """
        #include <stdio.h>
        #include <stdlib.h>
        #include <unistd.h>
        int main(void)
        {
            void *block = malloc(1 << 20);
            printf("%d\\n", (int)getpid());
            free(block);
        }""", "-O0")
    result = sweep("--minimum=1M", program)
    expect_equal(result.returncode, 0, (result.stdout, result.stderr))
    expect(b"something else each time" in result.stderr, result.stderr)
    expect_equal([one["verdict"] for one in results()], ["went on"])


def status_that_differs_by_itself_ends_the_sweep():
    log = written("log", "")
    result = sweep("sh", "-c", f"echo >> {log}; test $(wc -c < {log}) = 1")
    expect_equal(result.returncode, 125, result.stderr)
    expect(b"status 0, and then with 1" in result.stderr, result.stderr)


def sqlite_has_no_finding():
    if not shutil.which("sqlite3"):
        raise Skip("sqlite3 is not installed")
    with open(work("queries"), "w") as file:
        file.write("create table t(a, b);\n"
                   "with recursive n(i) as (select 1 union all select i + 1 "
                   "from n where i < 4000) insert into t "
                   "select i, hex(randomblob(0)) || i from n;\n"
                   "select count(*), sum(a) from t order by b;\n")
    result = sweep("--minimum=8K", f"--input={work('queries')}", "sqlite3",
                   "-bail", ":memory:")
    expect_equal(result.returncode, 0, (result.stdout, result.stderr))
    expect(len(results()) >= 2, results())


CASES = [
    wrong_arguments_are_usage_errors,
    planted_mistakes_are_found_and_nothing_else,
    sound_program_has_no_finding,
    program_that_asks_for_nothing_has_no_finding,
    only_some_requests_are_failed,
    output_that_differs_by_itself_is_not_compared,
    status_that_differs_by_itself_ends_the_sweep,
    sqlite_has_no_finding,
]

sys.exit(main_in_groups(VMSPACE, CASES))
