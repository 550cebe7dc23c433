# SPDX-License-Identifier: MIT
"""'vmspace maps' and 'vmspace commit --audit' of processes that are hard to look at.

usage: test_sight_hard.py VMSPACE
"""

import contextlib
import json
import os
import re
import subprocess
import sys

from cli_test import Skip, expect, expect_equal, main, run

VMSPACE = sys.argv[1]
PYTHON = "/usr/bin/python3"
NOBODY = "65534"
MIB = 1 << 20
# Nothing of these may come to a terminal: all but newlines of the table itself.
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")

LEADER_ENDS = f"""
import ctypes, mmap, os, sys, threading, time
libc = ctypes.CDLL(None)
memory = mmap.mmap(-1, 64 * {MIB}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

def stay():
    while ") Z " not in open("/proc/self/stat").read():
        time.sleep(0.01)
    print("ready", flush=True)
    os.read(0, 1)
    os._exit(0)

threading.Thread(target=stay).start()
libc.syscall({60 if os.uname().machine == "x86_64" else 93}, 0)
"""

NAMED = """
import ctypes, os
ctypes.CDLL(None).prctl(15, b"a\\nb\\x1b[31m\\xff)", 0, 0, 0)
print("ready", flush=True)
os.read(0, 1)
"""

# Forks, maps, executes, renames itself and ends, again and again.
STORM = f"""
import ctypes, mmap, os, signal, sys, time
libc = ctypes.CDLL(None)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print("ready", flush=True)
number = 0
while True:
    number += 1
    libc.prctl(15, b"storm\\n%d" % number, 0, 0, 0)
    child = os.fork()
    if child == 0:
        memory = [mmap.mmap(-1, 4096 * (1 + i % 7)) for i in range(200)]
        memory[::2] = [None] * 100
        if number % 3 == 0:
            os.execv("/bin/true", ["true"])
        os._exit(0)
    os.waitpid(child, 0)
    time.sleep(0.001)
"""


@contextlib.contextmanager
def waiting(program):
    """A Python program that says "ready", and its number."""
    process = subprocess.Popen([PYTHON, "-I", "-c", program], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        expect_equal(process.stdout.readline(), b"ready\n")
        yield process.pid
    finally:
        process.terminate()
        process.stdin.close()
        process.stdout.close()
        process.wait()


def audit(*before, **options):
    result = run([*before, VMSPACE, "commit", "--audit", "--json"], **options)
    expect_equal(result.returncode, 0, result.stderr)
    return json.loads(result.stdout)["audit"]


def is_clean(text):
    found = CONTROL.search(text)
    expect(not found, "a control character in", text)
    text.decode("utf-8")


def first_thread_has_ended():
    with waiting(LEADER_ENDS) as pid:
        for options in ((), ("--pages",)):
            result = run([VMSPACE, "maps", "--json", *options, str(pid)])
            expect_equal(result.returncode, 0, result.stderr)
            process = json.loads(result.stdout)["processes"][0]
            expect_equal(process["pid"], pid)
            expect(process["total"]["writable"] >= 64 * MIB, process["total"])
        tree = json.loads(run([VMSPACE, "maps", "--json", "--tree",
                               str(os.getpid())]).stdout)
        expect(pid in {process["pid"] for process in tree["processes"]}, tree)
        held = {holder["pid"]: holder["committed"] for holder in audit()["processes"]}
        expect(held.get(pid, 0) >= 64 * MIB, "the audit has", held)


def names_with_any_bytes():
    with waiting(NAMED) as pid:
        for options in ((), ("--total",), ("--pages", "--all")):
            result = run([VMSPACE, "maps", *options, str(pid)])
            expect_equal(result.returncode, 0, result.stderr)
            is_clean(result.stdout)
            expect(b"a\\012b\\033[31m\\377)" in result.stdout, result.stdout)
        whole = json.loads(run([VMSPACE, "maps", "--json", str(pid)]).stdout)
        expect_equal(whole["processes"][0]["command"], "a\nb\x1b[31m\ufffd)")
        text = run([VMSPACE, "commit", "--audit"]).stdout
        is_clean(text)


def processes_that_change_while_they_are_read():
    with contextlib.ExitStack() as stack:
        pids = [str(stack.enter_context(waiting(STORM))) for _ in range(2)]
        for number in range(4):
            result = run([VMSPACE, "maps", "--json", *(["--pages"] if number % 2 else []),
                          "--tree", str(os.getpid())])
            # One that was asked for by its number, or is of another user, is an error.
            expect(result.returncode in (0, 1), result.returncode, result.stderr)
            is_clean(result.stderr)
            for process in json.loads(result.stdout)["processes"]:
                for column in ("size", "mappings"):
                    expect_equal(sum(owner[column] for owner in process["owners"]),
                                 process["total"][column])
            result = run([VMSPACE, "maps", "--all", *pids])
            expect(result.returncode in (0, 1), result.returncode, result.stderr)
            is_clean(result.stdout)
            whole = audit()
            expect_equal(whole["explained"], sum(
                holder["committed"] for holder in whole["processes"]) + sum(
                whole[kind] for kind in ("shared_anonymous", "system_v", "memfd",
                                         "tmpfs", "elsewhere")))


def must_run(*command):
    """Skip where the host does not let us make what the case is about."""
    if run([*command, "true"]).returncode:
        raise Skip(" ".join(command[:4]) + " is refused")


def in_another_namespace_of_processes():
    inside = ("unshare", "-Urpf", "--mount-proc")
    must_run(*inside)
    result = run([*inside, VMSPACE, "maps", "--json", "self"])
    expect_equal(result.returncode, 0, result.stderr)
    expect_equal(json.loads(result.stdout)["processes"][0]["pid"], 1)
    whole = audit(*inside)
    expect_equal([holder["pid"] for holder in whole["processes"]], [1])
    expect(whole["committed"] >= whole["processes"][0]["committed"], whole)
    expect_equal(whole["not_listed"], ["namespace"])


def with_hidden_processes():
    """As hidepid=2 leaves it to others than root: only one's own are there."""
    inside = ("unshare", "-m", "sh", "-c", "mount -t proc -o hidepid=2 proc /proc && "
              f"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups \"$@\"", "sh")
    must_run(*inside)
    must_run(*inside, VMSPACE, "--version")
    whole = audit(*inside)
    expect(os.getpid() not in {holder["pid"] for holder in whole["processes"]})
    expect(len(whole["processes"]) >= 1, whole)
    expect("hidepid" in whole["not_listed"], whole)
    text = run([*inside, VMSPACE, "commit", "--audit"]).stdout
    expect(b"\n  processes of other users are not listed in /proc: hidepid\n" in text,
           text)
    result = run([*inside, VMSPACE, "maps", str(os.getpid())])
    expect_equal((result.returncode, result.stdout), (1, b""))
    expect(b"vmspace maps: process" in result.stderr, result.stderr)


def nobody_may_look():
    """Of one that is another's nothing is shown, and why is said."""
    as_other = ("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups")
    must_run(*as_other)
    must_run(*as_other, VMSPACE, "--version")
    result = run([*as_other, VMSPACE, "maps", str(os.getpid())])
    expect_equal((result.returncode, result.stdout), (1, b""))
    expect(b"another user's" in result.stderr, result.stderr)
    # One line has all that were only found.
    result = run([*as_other, VMSPACE, "maps", "--user", str(os.getuid())])
    expect_equal((result.returncode, result.stdout), (1, b""))
    expect(re.fullmatch(rb"vmspace maps: process \d+ \([^\n]*\) and \d+ others?: "
                        rb"Permission denied: they are other users', or protected\n",
                        result.stderr), result.stderr)


CASES = [
    first_thread_has_ended,
    names_with_any_bytes,
    processes_that_change_while_they_are_read,
    in_another_namespace_of_processes,
    with_hidden_processes,
    nobody_may_look,
]

sys.exit(main(CASES))
