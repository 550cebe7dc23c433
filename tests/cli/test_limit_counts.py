# SPDX-License-Identifier: MIT
"""What counts under 'vmspace limit', and what the peak is.

usage: test_limit_counts.py VMSPACE
"""

import json
import os
import sys

from cli_test import (WORK, expect, expect_equal, main_in_groups,
                      must_compile, run, work)

VMSPACE = os.path.abspath(sys.argv[1])

ODD = """
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#define M (1ul << 20)
#define RW (PROT_READ | PROT_WRITE)

static const char *said(int got) { return got ? "ok" : strerrorname_np(errno); }
static int map(size_t bytes)
{
    return mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
        MAP_FAILED;
}
static pid_t waiting_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        map(4096);
        for (;;)
            pause();
    }
    return child;
}

static char stack[65536];
static int asks_later(void *unused)
{
    map(4096);
    usleep(500000);
    return map(30 * M);
}
/* In a child: what a process that shares its memory gets in the end. */
static int of_a_sharer(int flags, int pause)
{
    int status = 0;
    if (fork() == 0) {
        map(25 * M);
        clone(asks_later, stack + sizeof stack, CLONE_VM | flags | SIGCHLD,
              NULL);
        usleep(pause);
        _exit(0);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = 0; i < 2; i++) {
        int one;
        wait(&one);
        status |= one;
    }
    errno = ENOMEM;
    return WEXITSTATUS(status);
}
static int sharer_that_is_left(void)
{
    map(10 * M);
    return of_a_sharer(0, 100000);
}
static int sharer_of_a_brother(void)
{
    return of_a_sharer(CLONE_PARENT, 800000);
}
static int later_copy(void)
{
    void *high = mmap(NULL, 60 * M, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(high, 60 * M);
    map(5 * M);
    if (fork() == 0)
        _exit(0);
    map(20 * M);
    if (waiting_child() < 0)
        return 0;
    usleep(50000);
    return map(5 * M) && map(25 * M);
}
static volatile int done;
static char *low;
static void *move(void *unused)
{
    char *high = low + 200 * M;
    while (!done) {
        mremap(high, 30 * M, 30 * M, MREMAP_MAYMOVE | MREMAP_FIXED, low);
        mremap(low, 30 * M, 30 * M, MREMAP_MAYMOVE | MREMAP_FIXED, high);
    }
    return NULL;
}
static int beside_what_moves(void)
{
    pthread_t thread;
    int got = 0;
    low = mmap(NULL, 300 * M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mmap(low + 200 * M, 30 * M, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
         -1, 0);
    /* So that the figures are not read at once. */
    for (int i = 0; i < 300; i++)
        mmap(low + 100 * M + 8192ul * i, 4096, PROT_READ,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    pthread_create(&thread, NULL, move, NULL);
    for (int i = 0; i < 500; i++) {
        char *more = mmap(NULL, 35 * M, RW, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0);
        if (more != MAP_FAILED && munmap(more, 35 * M) == 0)
            got++;
    }
    done = 1;
    pthread_join(thread, NULL);
    errno = ENOMEM;
    return got;
}
static int hidden_heap(void)
{
    /* The supervisor may not look at it. */
    prctl(PR_SET_DUMPABLE, 0);
    if (sbrk(M) == (void *)-1)
        return 0;
    return sbrk(1000 * M) != (void *)-1 || sbrk(1000 * M) != (void *)-1;
}

#define CASE(name) if (strcmp(argv[1], #name) == 0) puts(said(name()))
int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    CASE(sharer_that_is_left);
    CASE(sharer_of_a_brother);
    CASE(later_copy);
    CASE(beside_what_moves);
    CASE(hidden_heap);
    kill(0, SIGKILL);
}
"""


def limited(*arguments, size="64M", **options):
    return run([VMSPACE, "limit", size, *arguments], **options)


def peak_counts_nothing_twice():
    """What is looked at while the thread that was granted it runs on."""
    source = """
    #define _GNU_SOURCE
    #include <sys/mman.h>
    #include <time.h>
    #include <unistd.h>
    int main(void)
    {
        int file = memfd_create("runs on", 0);
        clock_t end;
        char *shared;

        if (ftruncate(file, 4096))
            return 1;
        /* Files in memory that are mapped have the group look at figures by itself. */
        shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        shared[0] = 1;
        for (int i = 0; i < 3; i++) {
            void *block = mmap(NULL, 300 << 20, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (block == MAP_FAILED)
                return 2;
            end = clock() + CLOCKS_PER_SEC / 2;
            while (clock() < end)
                continue;
            munmap(block, 300 << 20);
        }
        return 0;
    }
    """
    must_compile(work("runs on"), source, "-O0", "-w")
    result = run([VMSPACE, "limit", "500M", "--quiet",
                  f"--report={work('report')}", work("runs on")])
    expect_equal(result.returncode, 0, result.stderr)
    with open(work("report"), encoding="utf-8") as file:
        report = json.load(file)
    expect_equal(report["refused"], 0)
    expect(300 << 20 <= report["peak"] < 310 << 20, report["peak"])


def peak_is_what_was_committed():
    """Also where a program asks twice, and then for long not again."""
    source = """
    #include <sys/mman.h>
    #include <time.h>
    #include <unistd.h>
    static void map(size_t mib)
    {
        mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    int main(void)
    {
        usleep(50000);
        map(40);
        map(18);
        while (clock() < CLOCKS_PER_SEC / 2)
            continue;
        return 0;
    }
    """
    must_compile(work("twice"), source, "-O0", "-w")
    expect_equal(limited("--quiet", f"--report={work('report')}",
                         work("twice")).returncode, 0)
    with open(work("report"), encoding="utf-8") as file:
        peak = json.load(file)["peak"]
    expect(58 << 20 <= peak <= 60 << 20, peak)


def odd_requests_are_counted_as_they_are():
    must_compile(work("odd"), ODD, "-O0", "-w", "-pthread")
    os.chmod(WORK.name, 0o755)
    for name, said in (("sharer_that_is_left", "ENOMEM"),
                       ("sharer_of_a_brother", "ok"),
                       ("later_copy", "ENOMEM"),
                       ("beside_what_moves", "ENOMEM")):
        # In a session of its own: it kills its process group at the end.
        result = limited("--quiet", "--", "setsid", "-w", work("odd"), name)
        expect_equal(result.stdout.decode(), f"{said}\n", name)


def copies_and_noreserve_are_free_where_asked_for():
    script = """
import mmap, os
kept = bytearray(40 << 20)
try:
    print("fork", os.waitpid(os.fork() or os._exit(0), 0)[1])
    NORESERVE = 0x4000
    mmap.mmap(-1, 100 << 20,
              mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE)
    print("mapped")
except OSError as error:
    print(os.strerror(error.errno))
"""
    refused = b"Cannot allocate memory\n"
    for fork, noreserve, want in (
            ("charge", "free", refused),
            ("free", "charge", b"fork 0\n" + refused),
            ("free", "free", b"fork 0\nmapped\n")):
        result = limited("--quiet", f"--fork={fork}",
                         f"--noreserve={noreserve}", sys.executable, "-uc",
                         script)
        expect_equal(result.stdout, want, (fork, noreserve, result.stderr))


def heap_that_hides_is_limited():
    must_compile(work("odd"), ODD, "-O0", "-w", "-pthread")
    os.chmod(WORK.name, 0o755)
    user = [] if os.getuid() else ["setpriv", "--reuid=65534",
                                   "--clear-groups"]
    result = run([*user, VMSPACE, "limit", "64M", "--quiet", "--",
                  "setsid", "-w", work("odd"), "hidden_heap"])
    expect_equal(result.stdout, b"ENOMEM\n", result.stderr)


def policies_do_what_they_say():
    script = ("x = []\ntry:\n for i in range(6): x.append(bytearray(20 << 20))"
              "\nexcept MemoryError: print(i)\nelse: print('all')\n"
              "try: bytearray(90 << 20); print('big')\n"
              "except MemoryError: print('too big')")
    for policy, want in (("strict", b"2\ntoo big\n"),
                         ("heuristic", b"all\ntoo big\n"),
                         ("always", b"all\nbig\n")):
        result = limited("--quiet", f"--policy={policy}", sys.executable,
                         "-c", script)
        expect_equal(result.stdout, want, (policy, result.stderr))


CASES = [
    peak_counts_nothing_twice,
    peak_is_what_was_committed,
    odd_requests_are_counted_as_they_are,
    copies_and_noreserve_are_free_where_asked_for,
    heap_that_hides_is_limited,
    policies_do_what_they_say,
]

sys.exit(main_in_groups(VMSPACE, CASES))
