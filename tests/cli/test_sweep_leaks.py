# SPDX-License-Identifier: MIT
"""Leaks on the way out of a failure, which 'vmspace sweep --leaks' finds.

usage: test_sweep_leaks.py VMSPACE
"""

import os
import sys

from cli_test import Skip, expect, expect_equal, main, work
from sweep_allocations import program, results, sweep, verdicts

HELPERS = """
#define NOINLINE __attribute__((noinline))
struct pair { char *one, *two; };
static struct pair *kept;

NOINLINE static int leaks(void)
{
    char *one = malloc(100), *two;
    if (!one)
        return -1;
    two = malloc(200);
    if (!two)
        return -1;
    free(one);
    free(two);
    return 0;
}

NOINLINE static int cleans_up(void)
{
    char *one = malloc(100), *two;
    if (!one)
        return -1;
    two = malloc(200);
    if (two)
        memset(two, 0, 200);
    free(one);
    free(two);
    return two ? 0 : -1;
}

NOINLINE static void ends(void)
{
    struct pair pair;
    pair.one = malloc(100);
    if (!pair.one)
        exit(3);
    pair.two = malloc(200);
    if (!pair.two)
        exit(3);
    memset(pair.one, 0, 100);
    free(pair.two);
    free(pair.one);
}

NOINLINE static void keeps(void)
{
    kept = malloc(sizeof *kept);
    if (!kept)
        exit(3);
    kept->one = malloc(10);
    kept->two = malloc(10);
    if (!kept->one || !kept->two)
        exit(4);
}

NOINLINE static void always_leaks(void)
{
    char *volatile block = malloc(30);
    if (block)
        block[0] = 1;
    block = NULL;
}

NOINLINE static void wipe(void)
{
    volatile char old[8192];
    memset((char *)old, 0, sizeof old);
}
"""


def swept(name, body, *options, compiled=("-g", "-w"), **how):
    result = sweep("--leaks", *options,
                   program(name, body, HELPERS, options=compiled), **how)
    if result.returncode == 126 and b"liblsan0" in result.stderr:
        raise Skip("liblsan is not installed")
    return result


def leak_on_the_way_out_is_found():
    for level in ("-O0", "-O2"):
        result = swept("leaks", "int bad = leaks(); wipe(); return bad ? 3 : 0;",
                       compiled=("-g", "-w", level))
        text = result.stdout.decode()
        expect_equal((result.returncode, verdicts()), (1, ["failed", "leaked"]),
                     (level, text, result.stderr))
        leak = next(one for one in results() if one["verdict"] == "leaked")
        expect_equal((leak["requested"], leak["exit_status"]), (200, 3), leak)
        expect(leak["leak"].startswith("100 byte(s) in 1 object(s)\nleaks ("),
               leak)
        expect("leaked, allocated by:" in text and "100 byte(s)" in text, text)


def without_the_option_it_is_no_finding():
    result = sweep(program("leaks-plain", "return leaks() ? 3 : 0;", HELPERS))
    expect_equal((result.returncode, verdicts()), (0, ["failed"] * 2), result)
    expect(all(one["leak"] is None for one in results()), results())


def sound_ways_out_have_no_finding():
    for level in ("-O0", "-O2"):
        result = swept("sound", """
            int bad = cleans_up();
            wipe();
            if (bad)
                return 3;
            ends(), wipe();
            keeps(), wipe();
            return 0;""", compiled=("-g", "-w", level))
        expect_equal((result.returncode, set(verdicts()), result.stderr),
                     (0, {"failed"}, b""), (level, result.stdout))
        for function in ("cleans_up", "ends", "keeps"):
            expect(any(function in one["backtrace"] for one in results()),
                   function, results())


def leaks_of_the_good_run_are_no_findings():
    result = swept("always", "always_leaks(); wipe(); always_leaks(); wipe();"
                   "return cleans_up() ? 3 : 0;", compiled=("-g", "-w", "-O0"))
    expect_equal((result.returncode, verdicts()),
                 (0, ["failed"] * 2 + ["same"] * 2), (result, results()))


def crash_is_a_crash_and_a_refusal_by_the_real_malloc_is_one():
    result = swept("crash", "char *block = malloc(20); memset(block, 1, 20);"
                   "free(block); return malloc((size_t)1 << 62) ? 1 : 0;")
    expect_equal([(one["verdict"], one["signal"]) for one in results()
                  if one["requested"] == 20], [("crashed", 11)], result)


def environment_is_that_of_a_run():
    result = swept("environment", """
        char *block = malloc(20);
        free(block);
        return getenv("LD_PRELOAD") || getenv("LSAN_OPTIONS") ||
            getenv("VMSPACE_FAILING") ? 7 : 0;""")
    expect_equal([(one["verdict"], one["exit_status"]) for one in results()],
                 [("same", 0)], result)


def program_that_does_not_come_to_exit_is_told():
    # No allocation is before what LeakSanitizer has a word in.
    result = swept("quick", "signal(SIGINT, SIG_IGN); free(malloc(20)); _exit(0);",
                   compiled=("-O0", "-w"))
    expect_equal((result.returncode, verdicts()), (0, ["same"]), result)
    expect(b"leaks are not looked for" in result.stderr, result.stderr)


def missing_library_is_told():
    os.makedirs(work("broken"), exist_ok=True)
    with open(work("broken/liblsan.so.0"), "w") as file:
        file.write("no library")
    result = sweep("--leaks", program("missing", "return !malloc(20);"),
                   env={**os.environ, "LD_LIBRARY_PATH": work("broken")})
    expect_equal((result.returncode, result.stdout), (126, b""), result)
    expect(b"liblsan0" in result.stderr, result.stderr)


CASES = [
    leak_on_the_way_out_is_found,
    without_the_option_it_is_no_finding,
    sound_ways_out_have_no_finding,
    leaks_of_the_good_run_are_no_findings,
    crash_is_a_crash_and_a_refusal_by_the_real_malloc_is_one,
    environment_is_that_of_a_run,
    program_that_does_not_come_to_exit_is_told,
    missing_library_is_told,
]

sys.exit(main(CASES))
