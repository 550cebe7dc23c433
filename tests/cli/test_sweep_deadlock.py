# SPDX-License-Identifier: MIT
"""A trial that waits for itself for ever is ended at once, and no other is.

usage: test_sweep_deadlock.py VMSPACE
"""

import sys

from cli_test import PATIENCE, expect, expect_equal, main
from sweep_allocations import program, results, sweep

LOCKS = """
#include <semaphore.h>
#include <sys/mman.h>
#include <time.h>
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t two = PTHREAD_MUTEX_INITIALIZER;
static sem_t posted;
/* Longer than the command waits between two looks. */
static void rest(void) { usleep(400000); }
"""
POSTS = "static void post(int signal) { sem_post(&posted); }"


def outcome(name, body, before="", *options):
    """Of the trial in which the only allocation of 100 bytes fails."""
    path = program(name, "char *block = malloc(100);" + body, LOCKS + before,
                   ("-g", "-O0", "-w", "-pthread", *options))
    found = []
    for how in ((), ("--start-anew",)):
        result = sweep("--size=100", f"--timeout={PATIENCE}", *how, path)
        # Else the report is that of the sweep before.
        expect(result.returncode in (0, 1), result)
        expect_equal(len(results()), 1, result)
        found += [(one["verdict"], one["exit_status"]) for one in results()]
        # The time limit would have been waited for.
        expect(results()[0]["seconds"] < PATIENCE, results())
    expect_equal(found[0], found[1])
    return found[0]


def lock_that_is_held_is_told_at_once():
    expect_equal(outcome("held", """
        pthread_mutex_lock(&one);
        if (block)
            pthread_mutex_unlock(&one);
        pthread_mutex_lock(&one);
        return 0;"""), ("hung", None))


def threads_that_wait_for_each_other_are_told_at_once():
    expect_equal(outcome("each", """
        pthread_t thread;
        sem_init(&posted, 0, 0);
        pthread_create(&thread, NULL, work, NULL);
        pthread_mutex_lock(&one);
        sem_post(&posted);
        if (!block) {
            while (pthread_mutex_trylock(&two) == 0)
                pthread_mutex_unlock(&two);
            pthread_mutex_lock(&two);
        }
        pthread_mutex_unlock(&one);
        return pthread_join(thread, NULL);""", """
        static void *work(void *unused)
        {
            pthread_mutex_lock(&two);
            sem_wait(&posted);
            pthread_mutex_lock(&one);
            pthread_mutex_unlock(&one);
            pthread_mutex_unlock(&two);
            return NULL;
        }"""), ("hung", None))


def wait_that_another_thread_ends_is_awaited():
    expect_equal(outcome("woken", """
        pthread_t thread;
        sem_init(&posted, 0, 0);
        pthread_create(&thread, NULL, work, NULL);
        sem_wait(&posted);
        return block ? 0 : 3;""", """
        static void *work(void *unused)
        {
            rest();
            sem_post(&posted);
            return NULL;
        }"""), ("failed", 3))


def wait_with_a_limit_is_awaited():
    expect_equal(outcome("limited", """
        struct timespec until;
        sem_init(&posted, 0, 0);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 400000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        sem_timedwait(&posted, &until);
        return block ? 0 : 3;"""), ("failed", 3))


def wait_that_another_process_ends_is_awaited():
    """It is no child, so only what is waited for tells."""
    expect_equal(outcome("other", """
        int status;
        sem_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        sem_init(shared, 1, 0);
        if (fork() == 0) {
            if (fork() == 0) {
                rest();
                sem_post(shared);
            }
            _exit(0);
        }
        wait(&status);
        sem_wait(shared);
        return block ? 0 : 3;"""), ("failed", 3))


def wait_that_a_child_in_the_same_memory_ends_is_awaited():
    expect_equal(outcome("child", """
        static char stack[65536];
        sem_init(&posted, 0, 0);
        clone(post, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
        sem_wait(&posted);
        return block ? 0 : 3;""", """
        #include <sched.h>
        static int post(void *unused)
        {
            rest();
            return sem_post(&posted);
        }""", "-D_GNU_SOURCE"), ("failed", 3))


def wait_that_a_signal_ends_is_awaited():
    expect_equal(outcome("signalled", """
        sem_init(&posted, 0, 0);
        signal(SIGALRM, post);
        ualarm(400000, 0);
        sem_wait(&posted);
        return block ? 0 : 3;""", POSTS), ("failed", 3))


def wait_that_a_signal_of_a_timer_ends_is_awaited():
    """The signal may be any, and here it is one that people send, too."""
    expect_equal(outcome("timer", """
        struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
                                  .sigev_signo = SIGUSR1 };
        struct itimerspec once = { .it_value.tv_nsec = 400000000 };
        timer_t timer;
        sem_init(&posted, 0, 0);
        signal(SIGUSR1, post);
        timer_create(CLOCK_MONOTONIC, &event, &timer);
        timer_settime(timer, 0, &once, NULL);
        while (sem_wait(&posted));
        return block ? 0 : 3;""", POSTS), ("failed", 3))


def wait_that_a_signal_of_another_process_ends_is_awaited():
    expect_equal(outcome("sent", """
        const pid_t self = getpid();
        int status;
        sem_init(&posted, 0, 0);
        signal(SIGUSR2, post);
        if (fork() == 0) {
            if (fork() == 0) {
                rest();
                kill(self, SIGUSR2);
            }
            _exit(0);
        }
        wait(&status);
        while (sem_wait(&posted));
        return block ? 0 : 3;""", POSTS), ("failed", 3))


CASES = [
    lock_that_is_held_is_told_at_once,
    threads_that_wait_for_each_other_are_told_at_once,
    wait_that_another_thread_ends_is_awaited,
    wait_with_a_limit_is_awaited,
    wait_that_another_process_ends_is_awaited,
    wait_that_a_child_in_the_same_memory_ends_is_awaited,
    wait_that_a_signal_ends_is_awaited,
    wait_that_a_signal_of_a_timer_ends_is_awaited,
    wait_that_a_signal_of_another_process_ends_is_awaited,
]

sys.exit(main(CASES))
