# SPDX-License-Identifier: MIT
"""Programs under 'vmspace limit' whose handlers do not restart calls,
while signals come in numbers: they do what they do without a limit.

usage: test_limit_storms.py VMSPACE [TIMES]: so many times the usual work
"""

import os
import sys

from cli_test import (compiled, expect, expect_equal, installed, main_in_groups,
                      run, work, written)

VMSPACE = os.path.abspath(sys.argv[1])
TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 1
LIMITED = [VMSPACE, "limit", "4G", "--"]
PIPELINES = 10 * TIMES
RECIPES = 40 * TIMES
ROUNDS = 10 * TIMES

# Waits by SIGCHLD.
DASH = """
i=0; bad=0
while [ $i -lt "$1" ]; do
    x=$(echo abc | cat | cat) && [ "$x" = abc ] || bad=$((bad + 1))
    i=$((i + 1))
done
echo "$i pipelines, $bad bad"
"""

PYTHON = """
import signal, sys
ticks = 0
def tick(*_):
    global ticks
    ticks += 1
signal.signal(signal.SIGALRM, tick)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, .01, .01)
left = int(sys.argv[1])
while left > 0 or ticks < 3:
    small = [bytearray(b"x" * 60000) for _ in range(64)]
    large = [bytearray(b"y" * (1 << 20)) for _ in range(8)]
    if any(block != b"x" * 60000 for block in small):
        sys.exit("changed")
    left -= 1
signal.setitimer(signal.ITIMER_REAL, 0)
print("all")
"""

PERL = """
use Time::HiRes qw(ualarm);
my $ticks = 0;
$SIG{ALRM} = sub { $ticks++ };
ualarm(10000, 10000);
my $left = $ARGV[0];
while ($left-- > 0 or $ticks < 3) {
    my @small = map { "x" x 60000 } 1 .. 64;
    my $large = "y" x (1 << 21);
    length == 60000 or die "changed" for @small;
}
ualarm(0);
print "all\\n";
"""

# Its blocks are below the threshold of mmap, and move the break.
C = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t ticks;
static void tick(int number) { (void)number; ticks++; }

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = tick };
    struct itimerval timer = { { 0, 300 }, { 0, 300 } };
    char *blocks[64];

    (void)argc;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (long left = atol(argv[1]); left > 0 || ticks < 3; left--) {
        for (int i = 0; i < 64; i++)
            memset(blocks[i] = malloc(60000), i, 60000);
        for (int i = 64; i-- > 0; free(blocks[i]))
            if (blocks[i][0] != i || blocks[i][59999] != i)
                return 3;
    }
    puts("all");
    return 0;
}
"""


def expect_all(program, *arguments, said=b"all\n"):
    """A storm may be long: the whole run's limit is the only clock."""
    result = run([*LIMITED, program, *arguments], timeout=None)
    expect_equal((result.returncode, result.stdout), (0, said), result.stderr)
    expect(b"nothing was refused" in result.stderr, result.stderr)
    expect(b"interrupt" not in result.stderr, result.stderr)


def dash_loses_no_pipeline():
    expect_all(installed("dash"), written("pipes.sh", DASH), str(PIPELINES),
               said=f"{PIPELINES} pipelines, 0 bad\n".encode())


def make_runs_all_recipes():
    names = [f"recipe{i}" for i in range(RECIPES)]
    lines = [f"all: {' '.join(names)}\n"]
    lines += [f"{name}:\n\t@echo {name} | cat >/dev/null; true\n"
              for name in names]
    makefile = written("Makefile", "".join(lines))
    expect_all(installed("make"), "-s", "-j4", "-f", makefile, said=b"")


def python_keeps_its_memory():
    expect_all(sys.executable, written("storm.py", PYTHON), str(ROUNDS))


def perl_keeps_its_memory():
    expect_all(installed("perl"), written("storm.pl", PERL), str(ROUNDS))


def glibc_keeps_its_break():
    expect_all(compiled(work("dynamic"), C, "-O1"), str(ROUNDS))


def static_glibc_keeps_its_break():
    expect_all(compiled(work("static"), C, "-O1", "-static"), str(ROUNDS))


def musl_keeps_its_break():
    expect_all(compiled(work("musl"), C, "-O1", "-static",
                        compiler="musl-gcc"), str(ROUNDS))


sys.exit(main_in_groups(VMSPACE, [
    dash_loses_no_pipeline,
    make_runs_all_recipes,
    python_keeps_its_memory,
    perl_keeps_its_memory,
    glibc_keeps_its_break,
    static_glibc_keeps_its_break,
    musl_keeps_its_break,
]))
