# SPDX-License-Identifier: MIT
"""Trials of 'vmspace sweep' that are branches of one run: they are as runs of their own,
and where they cannot be, the program begins anew for each.

usage: test_sweep_trunk.py VMSPACE
"""

import contextlib
import os
import signal
import subprocess
import sys

from cli_test import (PATIENCE, expect, expect_equal, main, wait_for, work,
                      written)
from sweep_allocations import VMSPACE, program, results, sweep

# Whoever begins leaves a mark. Each use of NEW is a stack of its own.
BEFORE = """
#include <sys/mman.h>
static void begin(const char *marks)
{
    int file = open(marks, O_WRONLY | O_CREAT | O_APPEND, 0600);

    write(file, "x", 1);
    close(file);
}
#define NEW ({ void *block = malloc(100); if (!block) refused = 1; free(block); block; })
#define SOME NEW; NEW; NEW; NEW; NEW
#define MANY SOME; SOME; SOME; SOME
static int refused;
"""
MANY = 20


def marked(name, body, before=""):
    return program(name, "begin(argv[1]);" + body, BEFORE + before)


def swept(path, *options):
    """The results, how many processes began, and what the command wrote."""
    marks = work("marks")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(marks)
    result = sweep("--jobs=1", "--size=100", *options, path, marks)
    return results(), os.path.getsize(marks), result


# The good runs, that of the server too, and trunks.
FEW = 5


def expect_branches(path, verdict, count=MANY):
    """All trials end so, and have their beginning together."""
    tried, began, result = swept(path)
    expect_equal([one["verdict"] for one in tried], [verdict] * count, result)
    expect(began <= FEW, began, result)


def expect_as_anew(path, *findings):
    """Trials are as runs of their own, and no branches."""
    tried, began, result = swept(path)
    anew, _, _ = swept(path, "--start-anew")

    def shown(all_of_them):
        return sorted((one["verdict"], one["exit_status"] or 0, one["backtrace"])
                      for one in all_of_them)

    expect_equal(shown(tried), shown(anew), result)
    expect_equal({one["verdict"] for one in tried}, set(findings), result)
    expect(began > len(tried), began)


# --- branches ----------------------------------------------------------------


def trials_have_their_beginning_together():
    expect_branches(marked("plain", "MANY; return refused;"), "failed")


def positions_and_output_are_put_back():
    text = written("lines", "".join(f"{i}\n" for i in range(50)))
    expect_branches(marked("reads", f"""
        static char buffer[4096];
        int file = open("{text}", O_RDONLY), here;
        char line[3] = "";
        #define STEP read(file, line, 3); write(1, line, 3); NEW
        #define STEPS STEP; STEP; STEP; STEP; STEP
        STEPS; STEPS; STEPS; STEPS;
        write(1, "end", 3);
        here = lseek(file, 0, SEEK_CUR);
        return here == 60 && lseek(1, 0, SEEK_CUR) == 63 ? refused : 9;"""),
                    "failed")
    expect_equal({one["exit_status"] for one in results()}, {1})


def program_hears_nothing_of_branches():
    expect_branches(marked("hears", """
        signal(SIGCHLD, hear);
        MANY;
        return heard || waitpid(-1, NULL, WNOHANG) >= 0 ? 9 : refused;""", """
        static int heard;
        static void hear(int signal) { heard = 1; }"""), "failed")
    expect_equal({one["exit_status"] for one in results()}, {1})


def locks_that_are_held_are_the_branches_own():
    expect_branches(marked("locks", """
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
        pthread_mutex_init(&lock, &attributes);
        pthread_mutex_lock(&lock);
        MANY;
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
        return pthread_mutex_unlock(&lock);""", """
        static pthread_mutex_t lock;"""), "same")


def what_is_bad_in_a_branch_is_tried_anew():
    """A branch has another process ID than the beginning."""
    tried, began, result = swept(marked("knows", """
        pid_t self = getpid();
        SOME;
        return refused && getpid() != self ? abort(), 1 : refused;"""))
    expect_equal([one["verdict"] for one in tried], ["failed"] * 5, result)
    expect(5 < began <= 5 + FEW, began)


def programs_that_mostly_crash_are_tried_once():
    tried, began, result = swept(marked("crashes", """
        #define BAD if (!NEW) abort()
        #define BADS BAD; BAD; BAD; BAD; BAD; BAD; BAD; BAD; BAD; BAD
        BADS; BADS; BADS; BADS;
        return refused;"""))
    expect_equal([one["verdict"] for one in tried], ["crashed"] * 40, result)
    expect(began < 40 + 10 + FEW, began)


def mistakes_are_found_in_branches():
    tried, _, result = swept(marked("mistaken", """
        SOME;
        memset(malloc(100), 1, 100);
        NEW;
        return refused;"""))
    expect_equal([one["verdict"] for one in tried],
                 ["failed"] * 5 + ["crashed", "failed"], result)


def interrupted_sweep_of_a_program_that_handles_it_ends():
    """The signal reaches the trunk too, as from a terminal."""
    path = program("handles", """
        const struct sigaction action = { .sa_handler = hear };
        sigaction(SIGINT, &action, NULL);
        NEW;
        if (!NEW)
            for (close(open(argv[1], O_WRONLY | O_CREAT, 0600));;)
                pause();
        return refused;""", BEFORE + "static void hear(int signal) {}")
    with subprocess.Popen(
            [VMSPACE, "sweep", "--malloc", "--jobs=1", "--size=100",
             f"--timeout={PATIENCE}", path, work("waits")],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
            start_new_session=True) as process:
        try:
            wait_for(lambda: os.path.exists(work("waits")), "it waits")
            os.killpg(process.pid, signal.SIGINT)
            output = process.communicate(timeout=PATIENCE)[0]
        finally:
            process.kill()
    expect_equal(process.returncode, -signal.SIGINT, output)
    expect(b"1 allocation failed in turn" in output, output)


# --- what cannot branch ------------------------------------------------------


def written_files_and_pipes_begin_anew():
    """A branch would find the pipe empty that another one has read."""
    expect_as_anew(marked("writes", """
        int file = open(argv[1], O_WRONLY | O_APPEND);
        MANY;
        return refused;"""), "failed")
    expect_as_anew(marked("pipes", """
        int ends[2];
        char bytes[3];
        pipe2(ends, O_NONBLOCK);
        write(ends[1], "123", 3);
        SOME;
        return refused ? read(ends[0], bytes, 3) == 3 ? 3 : 7 : 0;"""), "failed")
    expect_equal({one["exit_status"] for one in results()}, {3})


def shared_memory_begins_anew():
    """A branch would see what another one has left there."""
    expect_as_anew(marked("shares", """
        int *seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        SOME;
        return refused ? 3 + (*seen)++ : 0;"""), "failed")
    expect_equal({one["exit_status"] for one in results()}, {3})


def threads_and_children_begin_anew():
    """A branch would have neither."""
    expect_as_anew(marked("threads", """
        pthread_t thread;
        pthread_mutex_lock(&lock);
        pthread_create(&thread, NULL, work, NULL);
        SOME;
        if (refused)
            return pthread_kill(thread, 0) ? 7 : 3;
        pthread_mutex_unlock(&lock);
        return pthread_join(thread, NULL);""", """
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static void *work(void *unused)
        {
            pthread_mutex_lock(&lock);
            return NULL;
        }"""), "failed")
    expect_equal({one["exit_status"] for one in results()}, {3})
    expect_as_anew(marked("children", """
        int status = 0;
        pid_t child = fork();
        if (child == 0)
            for (;;)
                pause();
        SOME;
        if (refused)
            return waitpid(child, &status, WNOHANG) ? 7 : 3;
        kill(child, SIGKILL);
        return waitpid(child, &status, 0) != child;"""), "failed")
    expect_equal({one["exit_status"] for one in results()}, {3})


def changed_files_count_for_nothing():
    """A branch removes what the trunk looks at: all trials are made again."""
    expect_as_anew(marked("removes", """
        char path[4096];
        snprintf(path, sizeof path, "%s-file", argv[1]);
        close(open(path, O_WRONLY | O_CREAT, 0600));
        SOME;
        if (refused)
            return unlink(path) ? 8 : 3;
        return unlink(path) ? 9 : 0;"""), "failed")
    expect_equal({one["exit_status"] for one in results()}, {3})


CASES = [
    trials_have_their_beginning_together,
    positions_and_output_are_put_back,
    program_hears_nothing_of_branches,
    locks_that_are_held_are_the_branches_own,
    what_is_bad_in_a_branch_is_tried_anew,
    programs_that_mostly_crash_are_tried_once,
    mistakes_are_found_in_branches,
    interrupted_sweep_of_a_program_that_handles_it_ends,
    written_files_and_pipes_begin_anew,
    shared_memory_begins_anew,
    threads_and_children_begin_anew,
    changed_files_count_for_nothing,
]

sys.exit(main(CASES))
