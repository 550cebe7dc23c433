# SPDX-License-Identifier: MIT
"""Limits that follow the control group, and the command as a container's first
process.

usage: test_limit_container.py VMSPACE
"""

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys

from cli_test import (PATIENCE, WORK, Skip, expect, expect_equal, installed,
                      main_in_groups, run, wait_for, work, written)
from limit_jobs import gone, state

VMSPACE = os.path.abspath(sys.argv[1])
MIB = 1 << 20
NAME = os.path.basename(WORK.name)

# Answers each line with what came of a mapping of so many MiB.
TALKER = """
import mmap, sys
print("up", flush=True)
for line in sys.stdin:
    try:
        kept = mmap.mmap(-1, int(line) << 20, mmap.MAP_PRIVATE)
        print("ok", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""

# Makes control groups of files: the first argument is the directory with them.
IN_CGROUP = """
mount --bind "$0" /sys/fs/cgroup && exec "$@"
"""


def in_namespaces(*options):
    """A command in namespaces of its own; skips where they cannot be made."""
    command = [installed("unshare"), *options]
    if run([*command, "true"]).returncode != 0:
        raise Skip("unshare " + " ".join(options) + " is refused")
    return command


def cgroup_files(limit):
    """A directory in place of /sys/fs/cgroup, of version 2."""
    directory = work("cgroup")
    os.makedirs(directory, exist_ok=True)
    set_limit(limit)
    return directory


def set_limit(text):
    path = os.path.join(work("cgroup"), "memory.max")
    with open(path + ".new", "w") as file:
        file.write(f"{text}\n")
    os.replace(path + ".new", path)


def with_cgroup(limit, *arguments):
    """The command for a program of which the control group has this limit."""
    with open("/proc/self/cgroup") as file:
        if not any(line.startswith("0::") for line in file):
            raise Skip("there is no control group of version 2")
    return [*in_namespaces("-m"), "sh", "-c", IN_CGROUP, cgroup_files(limit),
            *arguments]


def limit_of(*options, limit):
    report = work("report")
    result = run(with_cgroup(limit, VMSPACE, "limit", *options,
                             f"--report={report}", "--", "true"))
    expect_equal(result.returncode, 0, result.stderr)
    with open(report) as file:
        return json.load(file)["limit"], result.stderr


def cgroup_gives_the_limit():
    expect_equal(limit_of("cgroup", limit=100 * MIB)[0], 100 * MIB)
    expect_equal(limit_of("cgroup:50%", limit=100 * MIB)[0], 50 * MIB)
    expect_equal(limit_of("--warn-at=50%", "cgroup:12.5%", limit=96 * MIB)[0],
                 12 * MIB)


def without_a_cgroup_limit_it_is_the_machines():
    with open("/proc/meminfo") as file:
        total = int(file.readline().split()[1]) << 10
    for text in ("max", 1 << 60, "nonsense"):
        limit, errors = limit_of("cgroup", limit=text)
        expect_equal(limit, total, text)
        expect(b"no control group limits the memory" in errors, errors)
    expect_equal(limit_of("ram", limit="max")[0], total)
    expect_equal(limit_of("ram:50%", limit=100 * MIB)[0], total // 2)


def only_parts_of_it_are_a_limit():
    for text in ("cgroup:", "cgroup:0%", "cgroup:101%", "cgroup:50", "cgroups",
                 "ram:x%", "ram:-1%", "RAM"):
        expect_equal(run([VMSPACE, "limit", text, "true"]).returncode, 2, text)


def listed():
    groups = json.loads(run([VMSPACE, "limit", "--json"]).stdout)
    return [group for group in groups if group.get("name") == NAME][0]


def limit_follows_the_cgroup():
    process = subprocess.Popen(
        with_cgroup(64 * MIB, VMSPACE, "limit", "cgroup", "--quiet",
                    f"--name={NAME}", sys.executable,
                    written("talker.py", TALKER)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(number):
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    def has_limit(mib):
        return lambda: listed()["limit"] == mib * MIB

    try:
        expect_equal(process.stdout.readline(), "up\n")
        expect_equal(ask(90), "Cannot allocate memory")
        # It is read before a request is refused.
        set_limit(128 * MIB)
        expect_equal(ask(90), "ok")
        expect(has_limit(128)())
        set_limit(100 * MIB)
        wait_for(has_limit(100), "the lower limit")
        expect_equal(ask(40), "Cannot allocate memory")
        # One that was set by hand stays.
        expect_equal(run([VMSPACE, "limit", "--set=300M", NAME]).returncode, 0)
        set_limit(50 * MIB)
        before = listed()["seconds"]
        wait_for(lambda: listed()["seconds"] > before + 1, "some looks")
        expect_equal(listed()["limit"], 300 * MIB)
        # And follows again when that is asked for.
        result = run([VMSPACE, "limit", "--set", NAME, "cgroup:50%"])
        expect_equal(result.returncode, 0, result.stderr)
        expect_equal((listed()["limit"], listed()["limit_is"]),
                     (25 * MIB, "cgroup:50%"))
        set_limit(600 * MIB)
        expect_equal(ask(150), "ok")
        expect_equal(listed()["limit"], 300 * MIB)
        process.stdin.close()
        expect_equal(process.wait(PATIENCE), 0)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def any_group_may_follow_the_cgroup():
    """Though it was started with a size."""
    process = subprocess.Popen(
        with_cgroup("max", VMSPACE, "limit", "64M", "--quiet",
                    f"--name={NAME}", sys.executable,
                    written("talker.py", TALKER)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        expect_equal(process.stdout.readline(), "up\n")
        result = run([VMSPACE, "limit", "--set=cgroup", NAME])
        expect_equal(result.returncode, 0, result.stderr)
        expect(b"no control group limits the memory" in result.stderr,
               result.stderr)
        expect(listed()["limit"] > 1 << 30)
        set_limit(50 * MIB)
        wait_for(lambda: listed()["limit"] == 50 * MIB, "the limit")
        # It is read before a request is refused.
        set_limit(150 * MIB)
        process.stdin.write("100\n")
        process.stdin.flush()
        expect_equal(process.stdout.readline(), "ok\n")
        process.stdin.close()
        expect_equal(process.wait(PATIENCE), 0)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


# --- the first process -------------------------------------------------------


def container(*arguments, **options):
    """A PID namespace of which the command is the first process."""
    return subprocess.Popen(
        [*in_namespaces("-pf", "--mount-proc"), VMSPACE, "limit", "64M",
         "--quiet", "--", *arguments], stdout=subprocess.PIPE, text=True,
        **options)


def children(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    return []


def first_process_passes_signals_on():
    process = container("sh", "-c", "trap 'echo got; exit 5' TERM; echo up; "
                        "while :; do sleep .05; done")
    expect_equal(process.stdout.readline(), "up\n")
    job, = children(process.pid)
    os.kill(job, signal.SIGTERM)
    expect_equal(process.stdout.read(), "got\n")
    expect_equal(process.wait(PATIENCE), 5)
    process.stdout.close()


def first_process_ends_as_a_shell_would_say():
    for program, status in (("exit 7", 7), ("kill -9 $$", 137)):
        process = container("sh", "-c", program)
        process.communicate(timeout=PATIENCE)
        expect_equal(process.returncode, status, program)


def first_process_reaps_orphans():
    """Of the program, and of one that was brought in from outside."""
    nsenter = installed("nsenter")
    process = container("sh", "-c", "(sleep 0.1 & true); echo up; read line",
                        stdin=subprocess.PIPE)
    try:
        expect_equal(process.stdout.readline(), "up\n")
        job, = children(process.pid)
        result = run([nsenter, "-t", str(job), "-p", "-m", "sh", "-c",
                      "(sh -c 'read line' </dev/null & true)"])
        expect_equal(result.returncode, 0, result.stderr)

        def zombies():
            return [pid for pid in children(job) for child in
                    [pid, *children(pid)] if state(child) == "Z"]

        # The supervisor is one of its children, and alone.
        wait_for(lambda: len(children(job)) == 1 and not zombies(),
                 "the orphans are reaped")
        expect_equal(process.communicate("\n", timeout=PATIENCE)[0], "")
        expect_equal(process.returncode, 0)
        expect(gone(job))
    finally:
        process.kill()
        process.wait()


# --- what a container lacks --------------------------------------------------


def root_may_be_read_only_and_without_shared_memory():
    script = ("mount --make-rprivate / && mount -o remount,bind,ro / && "
              "mount -t tmpfs -o ro,size=4k none /dev/shm && "
              '! true 2>/dev/null >/dev/shm/x && exec "$0" "$@"')
    command = [*in_namespaces("-m"), "sh", "-c", script]
    if run([*command, "true"]).returncode != 0:
        raise Skip("the root cannot be mounted anew")
    result = run([*command, VMSPACE, "limit", "64M", "sh", "-c", "exit 7"])
    expect_equal(result.returncode, 7, result.stderr)


# A filter that refuses one call and lets everything else be made.
REFUSE = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
number = int(sys.argv.pop(1))
code = b"".join(struct.pack("HBBI", *one) for one in (
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001),
    (0x06, 0, 0, 0x7fff0000)))
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


SECCOMP = {"x86_64": "317", "aarch64": "277"}[platform.machine()]
CLONE3 = "435"


def refusing(number, *arguments):
    return run([sys.executable, "-c", REFUSE, number, *arguments])


def refused_filter_is_told_by_name():
    result = refusing(SECCOMP, VMSPACE, "limit", "64M", "true")
    expect_equal(result.returncode, 125, result.stderr)
    expect(b"seccomp user notification" in result.stderr and
           b"SECCOMP_FILTER_FLAG_NEW_LISTENER" in result.stderr, result.stderr)


THREADS = """
import threading
thread = threading.Thread(target=print, args=["from a thread"])
thread.start()
thread.join()
"""


def profile_without_clone3_is_lived_with():
    """Docker's before 20.10.10: the programs in a group have their threads there, too."""
    if refusing(CLONE3, sys.executable, "-c", THREADS).returncode == 0:
        raise Skip("the C library makes threads without clone3")
    for command in (["limit", "256M"], ["fail", "--prob=0"]):
        result = refusing(CLONE3, VMSPACE, *command, "--", sys.executable, "-c",
                          THREADS)
        expect_equal((result.returncode, result.stdout), (0, b"from a thread\n"),
                     result.stderr)


CASES = [
    cgroup_gives_the_limit,
    without_a_cgroup_limit_it_is_the_machines,
    only_parts_of_it_are_a_limit,
    limit_follows_the_cgroup,
    any_group_may_follow_the_cgroup,
    first_process_passes_signals_on,
    first_process_ends_as_a_shell_would_say,
    first_process_reaps_orphans,
    root_may_be_read_only_and_without_shared_memory,
    refused_filter_is_told_by_name,
    profile_without_clone3_is_lived_with,
]

sys.exit(main_in_groups(VMSPACE, CASES))
