# SPDX-License-Identifier: MIT
"""The command as docs/containers.md has it run: alone in an image, as an ordinary
user, under Docker's seccomp profile.

usage: test_containers.py VMSPACE STATIC_VMSPACE
"""

import os
import platform
import shutil
import signal
import subprocess
import sys

from cli_test import (PATIENCE, Skip, compiled, expect, expect_equal, installed,
                      main_in_groups, run, wait_for, work)
from containers import (MIB, Bundle, Version2Bundle, bubblewrap, root_of,
                        runs_static)
from limit_jobs import state

VMSPACE, STATIC = (os.path.abspath(path) for path in sys.argv[1:3])

# Asks for memory in one piece, of busybox's dd.
HOG = ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]


def in_root(*options, without=()):
    root = root_of("root", STATIC)
    if not runs_static(root):
        raise Skip("bwrap makes no namespaces here, or busybox is not static")
    return bubblewrap("--ro-bind", root, "/", *options, without=without)


def refused(result):
    """An error that the program has told, not a signal."""
    expect_equal(result.returncode, 1, result.stderr)
    expect(b"out of memory" in result.stderr and b"1 refused" in result.stderr,
           result.stderr)


# --- bubblewrap --------------------------------------------------------------


def alone_in_a_root_to_be_read():
    """No library, no /dev at all, no /dev/shm, no /tmp to write to."""
    command = [*in_root("--proc", "/proc"), "/bin/vmspace", "limit", "64M", "--"]
    result = run([*command, "/bin/sh", "-c", "exit 7"])
    expect_equal(result.returncode, 7, result.stderr)
    refused(run([*command, *HOG]))


def without_proc_it_says_so():
    result = run([*in_root(), "/bin/vmspace", "limit", "64M", "--", *HOG])
    expect_equal(result.returncode, 125, result.stderr)
    expect(b"/proc is not mounted" in result.stderr, result.stderr)


def report_on_a_root_to_be_read_is_told():
    result = run([*in_root("--proc", "/proc"), "/bin/vmspace", "limit", "64M",
                  "--report=/report.json", "--", "/bin/true"])
    expect_equal(result.returncode, 125, result.stderr)
    expect(b"/report.json: Read-only file system" in result.stderr, result.stderr)


def profile_that_refuses_too_much_is_told():
    for call, told in (("seccomp", b"SECCOMP_FILTER_FLAG_NEW_LISTENER"),
                       ("memfd_create", b"memfd_create(2)")):
        result = run([*in_root("--proc", "/proc", without=[call]), "/bin/vmspace",
                      "limit", "64M", "--", "/bin/true"])
        expect_equal(result.returncode, 125, result.stderr)
        expect(b"container's seccomp profile" in result.stderr and
               told in result.stderr, result.stderr)


def other_calls_may_be_refused():
    """What the limit takes is the listener; these make it quicker, or reports better."""
    calls = ["process_vm_readv", "ptrace", "pidfd_getfd", "pidfd_open", "kcmp",
             "perf_event_open"]
    result = run([*in_root("--proc", "/proc", without=calls), "/bin/vmspace", "limit",
                  "64M", "--", *HOG])
    refused(result)
    expect(b"no stack: no thread can be traced" in result.stderr, result.stderr)


MUSL = """
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	char *block = malloc(200 << 20);
	puts(block ? "granted" : errno == ENOMEM ? "ENOMEM" : "another error");
	free(block);
	return 0;
}
"""


def beside_musl():
    """An Alpine's root: musl's loader, a program of it, and the command."""
    root = root_of("root", STATIC)
    program = compiled(os.path.join(root, "bin/musl"), MUSL, compiler="musl-gcc")
    loader = f"/lib/ld-musl-{platform.machine()}.so.1"
    if not os.path.exists(loader):
        raise Skip(f"there is no {loader}")
    os.makedirs(os.path.join(root, "lib"), exist_ok=True)
    shutil.copy(os.path.realpath(loader), root + loader)
    os.unlink(program + ".c")
    result = run([*in_root("--proc", "/proc"), "/bin/vmspace", "limit", "64M",
                  "--", "/bin/musl"])
    expect_equal((result.returncode, result.stdout), (0, b"ENOMEM\n"), result.stderr)


# --- runc and crun -----------------------------------------------------------


def limit_is_that_of_the_container(runtime):
    bundle = Bundle(runtime, STATIC)
    bundle.command("/bin/vmspace", "limit", "cgroup:90%", "--", *HOG)
    result = run(bundle.run_command())
    refused(result)
    expect(b"of 90M" in result.stderr, result.stderr)
    for program, status in (("exit 7", 7), ("kill -9 $$", 128 + signal.SIGKILL)):
        bundle.command("/bin/vmspace", "limit", "cgroup:90%", "--", "/bin/sh", "-c",
                       program)
        result = run(bundle.run_command())
        expect_equal(result.returncode, status, result.stderr)


ANSWERS = """
trap 'echo got TERM; exit 5' TERM
(sleep 0.01 & true)
echo up
while read size; do
	if dd if=/dev/zero of=/dev/null bs=${size}M count=1 2>/dev/null; then echo ok
	else echo refused; fi
done
"""


def limit_and_signals_reach_it(runtime):
    """A limit that was raised is in force at once, and the first process has TERM."""
    bundle = Bundle(runtime, STATIC, memory=48 * MIB)
    bundle.command("/bin/vmspace", "limit", "cgroup", "--quiet", "--", "/bin/sh",
                   "-c", ANSWERS)
    process = subprocess.Popen(bundle.run_command(), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)

    def ask(size):
        process.stdin.write(f"{size}\n")
        process.stdin.flush()
        return process.stdout.readline()

    def first_has_no_zombie():
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = file.read().split()
        return all(state(child) != "Z" for child in children)

    try:
        expect_equal(process.stdout.readline(), "up\n")
        with open(work("pid")) as file:
            pid = int(file.read())
        wait_for(first_has_no_zombie, "the orphan is reaped")
        limit = bundle.memory_file()
        for allowed in (72, 96, 120):
            expect_equal(ask(allowed - 24), "refused\n")
            with open(limit, "w") as file:
                file.write(str(allowed * MIB))
            expect_equal(ask(allowed - 24), "ok\n", allowed)
        os.kill(pid, signal.SIGTERM)
        expect_equal(process.stdout.readline(), "got TERM\n")
        expect_equal(process.wait(PATIENCE), 5)
    finally:
        run([installed(runtime), "delete", "--force", bundle.name])
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()


def crun_with_version_2_alone():
    bundle = Version2Bundle("crun", STATIC)
    bundle.command("/bin/vmspace", "limit", "64M", "--", *HOG)
    result = run(bundle.run_command())
    refused(result)
    expect(b"of 64M" in result.stderr, result.stderr)
    for program, status in (("exit 7", 7), ("kill -9 $$", 128 + signal.SIGKILL)):
        bundle.command("/bin/vmspace", "limit", "64M", "--", "/bin/sh", "-c", program)
        expect_equal(run(bundle.run_command()).returncode, status)


# --- /proc -------------------------------------------------------------------

# Nobody but root sees the processes of others.
HIDING_PROC = """
mount -t proc -o hidepid=2 none /proc && exec setpriv --reuid=1000 --regid=1000 \\
	--clear-groups --no-new-privs "$0" "$@"
"""


def where_proc_hides_others():
    command = [installed("unshare"), "-m", "--propagation=private", "sh",
               "-c", HIDING_PROC]
    if run([*command, "true"]).returncode != 0:
        raise Skip("/proc cannot be mounted with hidepid here")
    root = root_of("hidden", STATIC)
    # The directory of the test is its owner's alone.
    os.chmod(work(""), 0o755)
    vmspace, busybox = (os.path.join(root, "bin", name)
                        for name in ("vmspace", "busybox"))
    expect(run([*command, "ls", "/proc"]).stdout.split().count(b"1") == 0,
           "the first process is seen")
    result = run([*command, vmspace, "limit", "64M", "--", busybox, "dd", *HOG[1:]])
    refused(result)
    expect(b"no stack" not in result.stderr, result.stderr)


def of(case, runtime):
    def run_case():
        case(runtime)
    run_case.__name__ = f"{case.__name__} ({runtime})"
    return run_case


CASES = [
    alone_in_a_root_to_be_read,
    without_proc_it_says_so,
    report_on_a_root_to_be_read_is_told,
    profile_that_refuses_too_much_is_told,
    other_calls_may_be_refused,
    beside_musl,
    where_proc_hides_others,
    crun_with_version_2_alone,
    *[of(case, runtime) for runtime in ("runc", "crun")
      for case in (limit_is_that_of_the_container, limit_and_signals_reach_it)],
]

sys.exit(main_in_groups(VMSPACE, CASES))
