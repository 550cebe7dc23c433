# SPDX-License-Identifier: MIT
"""Planted mistakes that 'vmspace sweep' finds by failing allocations, and the calls
that it fails.

usage: test_sweep_malloc.py VMSPACE
"""

import glob
import os
import sys

from cli_test import Skip, expect, expect_equal, installed, main, run, work
from sweep_allocations import program, results, sweep, verdicts


# --- planted mistakes --------------------------------------------------------

MISTAKES = """
#define NOINLINE __attribute__((noinline))
struct pair { char *one, *two; };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

NOINLINE static void checked(void)
{
    char *block = malloc(10);
    if (!block)
        exit(3);
    free(block);
}

NOINLINE static void unchecked(void)
{
    char *block = malloc(20);
    memset(block, 1, 20);
    free(block);
}

NOINLINE static void freed_twice(void)
{
    char *text = strdup("0123456789"), *more;
    if (!text)
        exit(3);
    more = realloc(text, 3000);
    if (!more) {
        free(text);
        more = text;
    }
    free(more);
}

NOINLINE static int make_pair(struct pair *pair)
{
    pair->one = malloc(30);
    if (!pair->one)
        exit(3);
    pair->two = calloc(1, 40);
    return 0;
}

NOINLINE static void half_built(void)
{
    struct pair pair;
    make_pair(&pair);
    pair.two[0] = 1;
    free(pair.one);
    free(pair.two);
}

NOINLINE static int locked(void)
{
    pthread_mutex_lock(&lock);
    char *block = malloc(50);
    if (!block)
        return -1;
    free(block);
    pthread_mutex_unlock(&lock);
    return 0;
}

NOINLINE static void deadlock(void)
{
    if (locked())
        pthread_mutex_lock(&lock);
}

NOINLINE static void loses(void)
{
    char *block = aligned_alloc(64, 64);
    printf("%d\\n", block ? 64 : 0);
    free(block);
}
"""
ALL = ("static char buffer[4096]; setvbuf(stdout, buffer, _IOFBF, 4096);"
       "checked(); unchecked(); freed_twice(); half_built(); deadlock();"
       "loses(); checked(); return 0;")
FOUND = {("crashed", "unchecked", "malloc"), ("crashed", "freed_twice", "realloc"),
         ("crashed", "make_pair", "calloc"), ("hung", "locked", "malloc"),
         ("wrong", "loses", "aligned_alloc")}


def planted_mistakes_are_found_and_nothing_else():
    mistaken = program("mistaken", ALL, MISTAKES)
    for how in ((), ("--start-anew",)):
        result = sweep("--timeout=6", *how, mistaken)
        text = result.stdout.decode()
        expect_equal(result.returncode, 1, (text, result.stderr))
        found = {(one["verdict"], one["backtrace"].split()[0], one["call"])
                 for one in results()
                 if one["verdict"] not in ("same", "failed")}
        expect_equal(found, FOUND, (how, text))
        for _, function, _ in FOUND:
            expect(function in text, function, text)
        expect_equal(verdicts().count("failed"), 4, (how, results()))


def two_unchecked_mallocs_are_two_findings():
    unchecked = program("two", "char *p = malloc(64); strcpy(p, argv[0]);"
                        "char *q = malloc(100); memset(q, 0, 100); return 0;")
    result = sweep(unchecked)
    expect_equal(verdicts(), ["crashed"] * 2, result)
    expect_equal([one["requested"] for one in results()], [64, 100])


def sound_program_has_no_finding():
    result = sweep(program("sound", "checked(); checked(); return 0;",
                           MISTAKES))
    expect_equal((result.returncode, verdicts()), (0, ["failed"] * 2), result)
    expect_equal(result.stderr, b"")


# --- which calls are failed --------------------------------------------------

CALLS = {
    "malloc": "!malloc(10)",
    "calloc": "!calloc(2, 10)",
    "realloc": "!realloc(nothing, 10)",
    "reallocarray": "!reallocarray(nothing, 2, 10)",
    "aligned_alloc": "!aligned_alloc(64, 64)",
    "posix_memalign": "posix_memalign(&block, 64, 64) == ENOMEM",
    "memalign": "!memalign(64, 64)",
    "valloc": "!valloc(10)",
    "pvalloc": "!pvalloc(10)",
}
OTHERS = {"strdup": '!strdup("text")', "strndup": '!strndup("text", 2)'}
CHECK = """
static int refused;
/* The compiler would call malloc for a block that it knows to be NULL. */
static void *volatile nothing;
static void *block;
static void check(const char *name, int is_refused)
{
    if (is_refused && errno != ENOMEM && strcmp(name, "posix_memalign"))
        exit(9);
    if (is_refused) {
        write(1, name, strlen(name));
        refused++;
    }
}
"""


def lines_of(calls):
    return "".join(f'errno = 0; check("{name}", {call});'
                   for name, call in calls.items())


def expect_each_fails(**options):
    result = sweep(program("calls", lines_of({**CALLS, **OTHERS})
                           + "return refused > 1;", CHECK), **options)
    expect_equal(verdicts(), ["wrong"] * 11, result)
    expect_equal(sorted(one["call"] for one in results()),
                 sorted([*CALLS, "malloc", "malloc"]))
    expect(any("strdup" in one["backtrace"] for one in results()), results())


def each_call_is_failed():
    expect_each_fails()


CXX = """
#include <cstdio>
#include <new>
struct alignas(64) wide { char bytes[64]; };
static int handled;
static void handle() { handled++; std::set_new_handler(nullptr); }
template <typename F> static void attempt(const char *name, F allocate)
{
    try {
        if (!allocate())
            std::printf("%s gives NULL\\n", name);
    } catch (const std::bad_alloc &) {
        std::printf("%s throws\\n", name);
    }
}
static char buffer[4096];
int main()
{
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    attempt("new", [] { return ::operator new(10); });
    attempt("new[]", [] { return ::operator new[](10); });
    attempt("nothrow", [] { return ::operator new(10, std::nothrow); });
    attempt("nothrow[]", [] { return ::operator new[](10, std::nothrow); });
    attempt("aligned", [] { return new wide; });
    attempt("aligned nothrow", [] { return new (std::nothrow) wide; });
    std::set_new_handler(handle);
    attempt("handler", [] { return ::operator new(10); });
    std::printf("%d\\n", handled);
}
"""


def cxx_program():
    with open(work("cxx.cc"), "w") as file:
        file.write(CXX)
    installed("g++")
    expect_equal(run(["g++", "-std=c++17", "-g", "-o", work("cxx"),
                      work("cxx.cc")]).returncode, 0, "g++")
    return work("cxx")


def operators_throw_or_give_null():
    result = sweep(cxx_program())
    # The runtime of C++ begins before and takes a pool for exceptions.
    ours = [one for one in results() if "attempt" in one["backtrace"]]
    expect_equal([one["verdict"] for one in ours], ["wrong"] * 7,
                 (result, results()))


def library(name):
    found = glob.glob(f"/usr/lib/*/lib{name}.so*")
    if not found:
        raise Skip(f"lib{name} is not installed")
    return found[0]


def under_another_malloc(name):
    environment = {**os.environ, "LD_PRELOAD": library(name)}
    expect_each_fails(env=environment)
    result = sweep(cxx_program(), env=environment)
    ours = [one for one in results() if "attempt" in one["backtrace"]]
    expect_equal([one["verdict"] for one in ours], ["wrong"] * 7,
                 (name, result, results()))


def allocations_of_jemalloc_are_failed():
    under_another_malloc("jemalloc")


def allocations_of_mimalloc_are_failed():
    under_another_malloc("mimalloc")


def allocations_of_tcmalloc_are_failed():
    under_another_malloc("tcmalloc_minimal")


CASES = [
    planted_mistakes_are_found_and_nothing_else,
    two_unchecked_mallocs_are_two_findings,
    sound_program_has_no_finding,
    each_call_is_failed,
    operators_throw_or_give_null,
    allocations_of_jemalloc_are_failed,
    allocations_of_mimalloc_are_failed,
    allocations_of_tcmalloc_are_failed,
]

sys.exit(main(CASES))
