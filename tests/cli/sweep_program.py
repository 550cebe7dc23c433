# SPDX-License-Identifier: MIT
"""A program for 'vmspace sweep' that does what it is told, and its sweep."""

import contextlib
import json
import os
import re
import subprocess
import sys

from cli_test import compiled, ended, work

VMSPACE = os.path.abspath(sys.argv[1])

# Each block is a request of its own, and no other is as large; a small request
# that follows keeps it from being taken for another try at the refused one.
# Processes that wait are known by the marker, their first argument, and end by
# themselves.
PROGRAM = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *marker;
static unsigned pause_ms;

static char *map(size_t bytes)
{
    char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

static char *block(void)
{
    char *start = map(4 << 20);

    map(4096);
    return start;
}

static void wait_long(void)
{
    FILE *file = fopen(marker, "a");

    fprintf(file, "%d\\n", (int)getpid());
    fclose(file);
    sleep(100);
}

static void hang(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            wait_long();
        _exit(0);
    }
    if (fork() == 0)
        wait_long();
    wait_long();
}

static void stop(void)
{
    raise(SIGSTOP);
}

static void crash(void)
{
    abort();
}

static void leave(void)
{
    exit(3);
}

static void kill_supervisor(void)
{
    kill(getppid(), SIGKILL);
    sleep(1);
    abort();
}

static void leave_another_behind(void)
{
    if (fork() == 0) {
        setsid();
        wait_long();
    }
    while (access(marker, F_OK))
        usleep(1000);
    exit(3);
}

static void tell(void)
{
    puts("refused");
}

static void go_on(void)
{
}

static void one_of_many(void (*refused)(void))
{
    if (!block())
        refused();
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    marker = argv[1];
    pause_ms = (unsigned)atoi(argv[2]);
    (void)hang, (void)stop, (void)crash, (void)leave, (void)tell, (void)go_on;
    (void)leave_another_behind, (void)one_of_many, (void)block;
    (void)kill_supervisor;
    usleep(pause_ms * 1000);
    STEPS
    puts("done");
    return 0;
}
"""


def program_of(name, *steps):
    """A program that has a request for each step, on a line of its own."""
    lines = "\n".join(step if ";" in step else f"if (!block()) {step}();"
                      for step in steps)
    return compiled(work(name), PROGRAM.replace("STEPS", lines), "-g", "-O0")


def command(program, *options, pause_ms=0):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(work("marker"))
    return [VMSPACE, "sweep", "--kernel", f"--report={work('report')}",
            "--minimum=4M",
            *options, "--", program, work("marker"), str(pause_ms)]


def sweep(program, *options, pause_ms=0):
    return ended(command(program, *options, pause_ms=pause_ms),
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def results():
    with open(work("report"), "rb") as file:
        return json.load(file)


def verdicts():
    return [one["verdict"] for one in results()]


def table(output):
    """How many requests of each verdict the table tells."""
    lines = output.decode(errors="replace").splitlines()
    found = [re.fullmatch(r" +(\d+)  ([a-z ]+)", line) for line in lines]
    return {match[2]: int(match[1]) for match in found if match}


def counts():
    told = verdicts()
    return {verdict: told.count(verdict) for verdict in told}
