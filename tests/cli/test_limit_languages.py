# SPDX-License-Identifier: MIT
"""Programs of many languages that ask for more than 'vmspace limit' lets them
have: each meets its language's own error, and none is killed.

usage: test_limit_languages.py VMSPACE
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys

from cli_test import (WORK, compiled, ended, expect, expect_equal, installed,
                      main_in_groups, run, work, written)

VMSPACE = os.path.abspath(sys.argv[1])
MIB = 1 << 20

# Where a hog were not refused, it would end by itself, or meet this.
SECOND_BOUND = 3 << 30

# No call announces that a stack grows.
PAGE_TABLE = 2 * MIB

# Each process has threads that take what they get and keep it until all have
# been refused. Prints how many blocks all of them got.
C_HOG = """
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
enum { PROCESSES = 3, THREADS = 2, MOST = 300, BLOCK = 1 << 20 };

static void *hog(void *context)
{
    size_t count = 0;
    char *block;

    while ((block = malloc(BLOCK)) && ++count < MOST)
        memset(block, 1, BLOCK);
    if (block || errno != ENOMEM)
        _exit(1);
    *(size_t *)context = count;
    return NULL;
}

static void run_process(int tell, int wait_for)
{
    size_t counts[THREADS] = { 0 }, sum = 0;
    pthread_t threads[THREADS];
    pthread_attr_t small;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], &small, hog, &counts[i]))
            _exit(2);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL), sum += counts[i];
    if (write(tell, &sum, sizeof sum) != sizeof sum)
        _exit(3);
    (void)!read(wait_for, &sum, 1);
    _exit(7);
}

int main(void)
{
    int told[2], ended[2], status;
    size_t sum = 0, one;

    if (pipe(told) || pipe(ended))
        return 4;
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            close(told[0]);
            close(ended[1]);
            run_process(told[1], ended[0]);
        }
    close(told[1]);
    for (int i = 0; i < PROCESSES; i++)
        if (read(told[0], &one, sizeof one) == sizeof one)
            sum += one;
    close(ended[1]);
    while (wait(&status) > 0)
        if (status != 7 << 8)
            return 5;
    printf("%zu\\n", sum);
    return 7;
}
"""

CPP_HOG = """
#include <new>
#include <thread>
#include <vector>
static void hog(int *result)
{
    std::vector<std::vector<char>> kept;
    try {
        while (kept.size() < 900)
            kept.emplace_back(1 << 20, 'x');
    } catch (const std::bad_alloc &) {
        *result = 7;
    }
}
int main()
{
    int one = 0, two = 0;
    std::thread thread(hog, &one);
    hog(&two);
    thread.join();
    return one == 7 && two == 7 ? 7 : 1;
}
"""

# The threads of a process may have to wait for each other's memory.
PYTHON_HOG = """
import os, threading

met = []

def hog():
    kept = []
    try:
        while len(kept) < 900:
            kept.append(bytearray(1 << 20))
    except MemoryError:
        met.append(1)

def work():
    thread = threading.Thread(target=hog)
    thread.start()
    hog()
    thread.join()
    os._exit(7 if len(met) == 2 else 1)

for _ in range(3):
    if os.fork() == 0:
        work()
statuses = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(3)]
print(statuses)
os._exit(7 if statuses == [7, 7, 7] else 1)
"""

PERL_HOG = """
for (1 .. 3) {
    next if fork;
    push @kept, "a" x 1000000 while @kept < 900;
    exit 5;
}
while (wait > 0) { push @statuses, $? }
print "@statuses\\n";
"""

NODE_HOG = """
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { fork } = require('child_process');

function hog() {
    const kept = [];
    try {
        while (kept.length < 30)
            kept.push(new Uint8Array(64 << 20));
    } catch (error) {
        return `${error.name}: ${error.message}`;
    }
    return 'all';
}

if (!isMainThread) {
    parentPort.postMessage(hog());
} else if (process.argv[2] === 'child') {
    process.exit(hog().startsWith('RangeError') ? 7 : 1);
} else {
    fork(__filename, ['child']).on('exit', (status, signal) => {
        console.log(status, signal);
        new Worker(__filename).on('message', (text) => {
            console.log(text);
            process.exit(hog().startsWith('RangeError') ? 7 : 1);
        });
    });
}
"""

# Large arrays: before it gives up, V8 looks for garbage again and again, which
# takes long among small objects.
NODE_HEAP_HOG = """
const kept = [];
while (kept.length < 60)
    kept.push(new Array(4 << 20).fill(0));
"""

# A thread asks for too much again and again, until the process has ended.
ENDING = """
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void *ask(void *context)
{
    for (;;)
        mmap(NULL, (size_t)1 << 40, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return context;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    if (argc != 2 || pthread_create(&thread, NULL, ask, NULL))
        return 1;
    usleep((useconds_t)atoi(argv[1]));
    _exit(7);
}
"""

JAVA_HOGS = """
import java.nio.ByteBuffer;
import java.util.ArrayList;

class Hogs {
    static String result = "";

    static void arrays() {
        ArrayList<byte[]> kept = new ArrayList<>();
        while (kept.size() < 900)
            kept.add(new byte[1 << 20]);
    }

    /* Large, so that the JVM itself gets what it asks for. */
    static void buffers() {
        ArrayList<ByteBuffer> kept = new ArrayList<>();
        while (kept.size() < 30)
            kept.add(ByteBuffer.allocateDirect(32 << 20));
    }

    static void sleep() {
        try {
            Thread.sleep(60000);
        } catch (InterruptedException ended) {
        }
    }

    static void threads() {
        for (int i = 0; i < 100; i++) {
            Thread thread = new Thread(null, Hogs::sleep, "t", 64L << 20);
            thread.setDaemon(true);
            thread.start();
        }
    }

    static void meet(Runnable hog) {
        try {
            hog.run();
            result += "all\\n";
        } catch (OutOfMemoryError error) {
            result += error + "\\n";
        }
    }

    public static void main(String[] arguments) throws Exception {
        Runnable hog = arguments[0].equals("arrays") ? Hogs::arrays :
            arguments[0].equals("buffers") ? Hogs::buffers : Hogs::threads;
        Thread thread = new Thread(() -> meet(hog));
        thread.start();
        thread.join();
        System.out.print(result);
        System.out.flush();
        Runtime.getRuntime().halt(7);
    }
}
"""


def bound():
    resource.setrlimit(resource.RLIMIT_DATA, (SECOND_BOUND, SECOND_BOUND))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def ended_run(arguments):
    return ended(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                 cwd=WORK.name, preexec_fn=bound)


def limited(mib, *arguments):
    """The finished run of a hog, and its report."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(work("report"))
    result = ended_run([VMSPACE, "limit", f"{mib}M", "--quiet",
                        f"--report={work('report')}", "--", *arguments])
    with open(work("report")) as file:
        report = json.load(file)
    expect(report["peak"] <= mib * MIB + PAGE_TABLE, report["peak"])
    return result, report


def refused(mib, *arguments):
    """Its output, where it was refused something and not killed."""
    result, report = limited(mib, *arguments)
    expect(report["refused"] > 0, "nothing was refused:", result)
    expect(report["peak"] > 0.7 * mib * MIB, report["peak"])
    expect(result.returncode >= 0, result)
    return result


def meets_enomem(program):
    result = refused(96, program)
    expect_equal(result.returncode, 7, result)
    expect(50 <= int(result.stdout) <= 96, result.stdout)


def c_gets_null():
    meets_enomem(compiled(work("hog"), C_HOG, "-pthread"))


def static_c_gets_null():
    meets_enomem(compiled(work("static"), C_HOG, "-pthread", "-static"))


def cpp_gets_bad_alloc():
    result = refused(96, compiled(work("cpp"), CPP_HOG, "-pthread",
                                  compiler="g++"))
    expect_equal(result.returncode, 7, result)


def python_gets_memory_error():
    result = refused(128, sys.executable, written("hog.py", PYTHON_HOG))
    expect_equal((result.returncode, result.stdout), (7, b"[7, 7, 7]\n"),
                 result.stderr)


def perl_is_out_of_memory():
    result = refused(96, installed("perl"), written("hog.pl", PERL_HOG))
    expect_equal((result.returncode, result.stdout), (0, b"256 256 256\n"),
                 result.stderr)
    expect_equal(result.stderr.count(b"Out of memory"), 3, result.stderr)


def shells_cannot_fork():
    # Whoever waits for the end of the output does not wait for these.
    script = ("i=0; while [ $i -lt 200 ]; do sleep 30 >/dev/null 2>&1 & "
              "i=$((i + 1)); done; echo all")
    for shell, words in (("dash", b"Cannot fork"),
                         ("bash", b"fork: Cannot allocate memory")):
        result = refused(12, installed(shell), "-c", script)
        expect(result.returncode > 0, shell, result)
        expect(words in result.stderr, shell, result.stderr)


def bash_cannot_allocate():
    result, report = limited(64, installed("bash"), "-c", """
        x=aaaaaaaaaaaaaaaa
        for i in {1..25}; do x=$x$x; done
        echo all
    """)
    expect(report["refused"] > 0, "nothing was refused", result)
    expect(result.returncode > 0, result)
    expect(b"cannot allocate" in result.stderr, result)


def node_gets_range_error():
    result = refused(640, installed("node"), written("hog.js", NODE_HOG))
    lines = result.stdout.decode().splitlines()
    expect_equal(result.returncode, 7, result)
    expect_equal(lines, ["7 null",
                         "RangeError: Array buffer allocation failed"])


def node_aborts_itself_without_heap():
    result, report = limited(512, installed("node"),
                             "--max-old-space-size=2000",
                             written("heap.js", NODE_HEAP_HOG))
    expect(report["refused"] > 0, "nothing was refused", result)
    expect(b"out of memory" in result.stderr, result)
    expect(result.returncode in (-signal.SIGABRT, -signal.SIGTRAP,
                                 -signal.SIGILL, 134), result)


def process_may_end_while_a_thread_is_refused():
    program = compiled(work("ending"), ENDING, "-pthread")
    for i in range(10):
        result, report = limited(64, program, str(20000 + i * 2000))
        expect_equal(result.returncode, 7, result)
        expect(report["refused"] > 0, "nothing was refused")


def java(mib, hog, *options):
    java, javac = installed("java"), installed("javac")
    if not os.path.exists(work("Hogs.class")):
        made = run([javac, "-d", WORK.name, written("Hogs.java", JAVA_HOGS)])
        expect_equal(made.returncode, 0, made.stderr)
    return limited(mib, java, "-XX:-UsePerfData", *options, "-cp", WORK.name,
                   "Hogs", hog)


def expect_java_error(result, words):
    text = result.stdout.decode()
    expect_equal(result.returncode, 7, result)
    expect(f"java.lang.OutOfMemoryError: {words}" in text, text)


def java_gets_out_of_memory_error_for_buffers():
    result, report = java(384, "buffers", "-Xmx64m",
                          "-XX:MaxDirectMemorySize=1g")
    expect(report["refused"] > 0, "nothing was refused")
    expect_java_error(result, "Unable to allocate 33554432 bytes")


def java_gets_out_of_memory_error_for_threads():
    result, report = java(384, "threads", "-Xmx64m")
    expect(report["refused"] > 0, "nothing was refused")
    expect_java_error(result, "unable to create native thread")


def java_gets_out_of_memory_error_where_its_heap_fits():
    """Reservations of the whole heap are free, and the JVM starts."""
    result, _ = java(384, "arrays", "-Xms16m", "-Xmx200m")
    expect_java_error(result, "Java heap space")


def java_ends_itself_where_its_heap_cannot_grow():
    """HotSpot takes ENOMEM for its heap as the end; it is not killed."""
    result, report = java(384, "arrays", "-Xmx1g")
    expect(report["refused"] > 0, "nothing was refused")
    expect_equal((result.returncode, report["signal"]), (1, None), result)
    expect(b"insufficient memory" in result.stdout + result.stderr, result)


CASES = [
    c_gets_null,
    static_c_gets_null,
    cpp_gets_bad_alloc,
    python_gets_memory_error,
    perl_is_out_of_memory,
    shells_cannot_fork,
    bash_cannot_allocate,
    node_gets_range_error,
    node_aborts_itself_without_heap,
    process_may_end_while_a_thread_is_refused,
    java_gets_out_of_memory_error_for_buffers,
    java_gets_out_of_memory_error_for_threads,
    java_gets_out_of_memory_error_where_its_heap_fits,
    java_ends_itself_where_its_heap_cannot_grow,
]

sys.exit(main_in_groups(VMSPACE, CASES))
