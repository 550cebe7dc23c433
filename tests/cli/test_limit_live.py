# SPDX-License-Identifier: MIT
"""Groups that run: listed, followed, and with another limit.

usage: test_limit_live.py VMSPACE
"""

import contextlib
import errno
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys

from cli_test import (PATIENCE, WORK, Skip, expect, expect_equal,
                      main_in_groups, run, wait_for, work, written)
from limit_jobs import state

VMSPACE = os.path.abspath(sys.argv[1])
MIB = 1 << 20

# Maps so many MiB for each number that it reads, unmaps the last for "-", and
# tells what came of it.
TALKER = """
import mmap, os, sys
kept = []
print("up", os.getpid(), os.getppid(), flush=True)
for word in sys.stdin:
    try:
        if word == "fork\\n":
            if os.fork():
                os._exit(0)
        elif word == "-\\n":
            kept.pop().close()
        else:
            kept.append(mmap.mmap(-1, int(word) << 20, mmap.MAP_PRIVATE))
        print("ok", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""

# As struct vmsi_control_request and vmsi_control_figures have them.
REQUEST = struct.Struct("=IIQ")
FIGURES = struct.Struct("=IIIiiIQQQQQ64s")
VERSION = 1
SHOW, SET, FOLLOW = range(3)


class Group:
    """A talker under a limit."""

    def __init__(self, *options, limit="64M", **popen):
        # A name that no other group of the machine has.
        self.name = f"{os.path.basename(WORK.name)}-{id(self):x}"
        popen.setdefault("stderr", subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [VMSPACE, "limit", limit, f"--name={self.name}", *options, "--",
             sys.executable, written("talker.py", TALKER)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **popen)
        words = self.process.stdout.readline().split()
        self.pid, self.supervisor = int(words[1]), int(words[2])

    def ask(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status

    def kill(self):
        for pid in (self.pid, self.supervisor):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def address(self):
        """Of the supervisor's socket."""
        inodes = set()
        for name in os.listdir(f"/proc/{self.supervisor}/fd"):
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(f"/proc/{self.supervisor}/fd/{name}"))
        for fields in sockets():
            if f"socket:[{fields[6]}]" in inodes:
                return "\0" + fields[7][1:]
        raise AssertionError("no socket")

    def set(self, size):
        return live(f"--set={size}", self.name)


def sockets():
    with open("/proc/net/unix", errors="replace") as file:
        for line in file:
            fields = line.split()
            if len(fields) == 8 and fields[7].startswith("@vmspace-limit/"):
                yield fields


def live(*arguments):
    return run([VMSPACE, "limit", *arguments])


def listed():
    """By name."""
    result = live("--json")
    expect_equal(result.returncode, 0, result.stderr)
    return {group.get("name"): group for group in json.loads(result.stdout)}


def connected(address):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(PATIENCE)
    client.connect(address)
    return client


def fake(name, backlog=8):
    """A socket that is named as a supervisor's."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind("\0vmspace-limit/" + name)
    if backlog:
        listener.listen(backlog)
    return listener


# --- what is told ---------------------------------------------------------


def groups_are_listed_with_their_figures():
    with Group() as group, Group("--quiet", limit="128M") as other:
        expect_equal(group.ask(20), "ok")
        expect_equal(group.ask(50), "Cannot allocate memory")

        def refusal_is_told():
            return listed()[group.name]["refused"] == 1

        wait_for(refusal_is_told, "the refusal stands")
        have = listed()
        mine = have[group.name]
        expect_equal((mine["pid"], mine["supervisor"], mine["uid"]),
                     (group.pid, group.supervisor, os.getuid()))
        expect_equal((mine["limit"], mine["processes"], mine["state"]),
                     (64 * MIB, 1, "runs"))
        expect(20 * MIB <= mine["committed"] <= 40 * MIB, mine)
        expect(20 * MIB <= mine["peak"] <= 64 * MIB and mine["seconds"] > 0,
               mine)
        expect_equal(have[other.name]["limit"], 128 * MIB)
        rows = [line.split() for line in live().stdout.decode().splitlines()]
        expect_equal(rows[0][0], "PID")
        expect([str(group.pid), "64M"] in [row[:2] for row in rows], rows)
    expect(group.name not in listed() and other.name not in listed())


def group_has_the_name_of_its_program():
    process = subprocess.Popen([VMSPACE, "limit", "64M", "--quiet", "/bin/cat"],
                               stdin=subprocess.PIPE)
    try:
        wait_for(lambda: "cat" in listed(), "it is listed")
    finally:
        process.stdin.close()
        process.wait(PATIENCE)


def one_that_outlives_its_first_process_is_listed():
    with Group("--quiet") as group:
        group.process.stdin.write("fork\n")
        group.process.stdin.flush()
        expect_equal(group.process.stdout.readline(), "ok\n")
        expect_equal(group.process.wait(PATIENCE), 0)
        wait_for(lambda: listed()[group.name]["state"] == "first ended",
                 "its first process has ended")
        expect_equal(listed()[group.name]["exit_status"], 0)
    wait_for(lambda: group.name not in listed(), "it ends")


# --- another limit --------------------------------------------------------


def limit_goes_up_and_down():
    with Group("--quiet") as group:
        expect_equal(group.ask(40), "ok")
        expect_equal(group.ask(40), "Cannot allocate memory")
        result = group.set("128M")
        expect_equal(result.returncode, 0, result.stderr)
        expect(b"128M instead of 64M" in result.stdout, result.stdout)
        expect_equal(group.ask(40), "ok")
        result = group.set("50M")
        expect(b"stay" in result.stdout, result.stdout)
        expect_equal(group.ask(1), "Cannot allocate memory")
        expect_equal(group.ask("-"), "ok")
        expect_equal(group.ask(1), "ok")
        expect_equal(group.ask(20), "Cannot allocate memory")
        expect_equal(live("--set", "1G", str(group.pid)).returncode, 0)
        expect_equal(listed()[group.name]["limit"], 1 << 30)
        result = live("--json", "--set=2G", group.name)
        expect_equal(json.loads(result.stdout)["limit"], 2 << 30)


def changed_limit_makes_no_memory_unrefusable():
    for sizes in (("128M", "128M"), ("10M", "10M")):
        with Group("--quiet", f"--report={work('report')}") as group:
            expect_equal(group.ask(40), "ok")
            for size in sizes:
                expect_equal(group.set(size).returncode, 0)
            group.ask(40)
            expect_equal(group.end(), 0)
        with open(work("report")) as file:
            expect_equal(json.load(file)["unrefusable"], 0, sizes)


def thresholds_go_with_the_limit():
    with Group("--warn-at=50%", stderr=subprocess.PIPE) as group:
        expect_equal(group.ask(20), "ok")
        expect_equal(group.set("32M").returncode, 0)
        line = group.process.stderr.readline()
        expect("of 32M in use, past --warn-at=50%" in line, line)
        group.process.stderr.close()


def two_at_once_are_both_obeyed():
    with Group("--quiet") as group:
        for _ in range(5):
            both = [subprocess.Popen([VMSPACE, "limit", f"--set={size}M",
                                      group.name], stdout=subprocess.DEVNULL)
                    for size in (100, 200)]
            expect_equal([one.wait(PATIENCE) for one in both], [0, 0])
            expect(listed()[group.name]["limit"] in (100 * MIB, 200 * MIB))


def group_must_be_the_only_one_that_is_meant():
    with Group("--quiet") as group, \
            Group("--quiet", f"--name={group.name}") as other:
        result = live("--set=1G", group.name)
        expect_equal(result.returncode, 1)
        expect(str(group.pid).encode() in result.stderr and
               str(other.pid).encode() in result.stderr, result.stderr)
        expect_equal(live("--set=1G", str(other.pid)).returncode, 0)
        expect_equal(live("--set=1G", group.name + "x").returncode, 1)


# --- following ------------------------------------------------------------


def follower(*arguments):
    return subprocess.Popen([VMSPACE, "limit", "--follow", *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


def follower_sees_each_change_until_the_end():
    with Group("--quiet") as group:
        text, data = follower(group.name), follower("--json", str(group.pid))
        expect("of 64M in use" in text.stdout.readline())
        expect_equal(json.loads(data.stdout.readline())["state"], "runs")
        group.set("100M")
        # What is in use may be measured anew meanwhile.
        while "of 100M in use" not in text.stdout.readline():
            pass
        while json.loads(data.stdout.readline())["limit"] != 100 * MIB:
            pass
        expect_equal(group.ask(30), "ok")
        while json.loads(data.stdout.readline())["committed"] < 30 * MIB:
            pass
        expect_equal(group.end(), 0)
        lines = text.communicate(timeout=PATIENCE)[0].splitlines()
        expect("all have ended" in lines[-1], lines)
        last = json.loads(data.communicate(timeout=PATIENCE)[0]
                          .splitlines()[-1])
        expect_equal((last["state"], last["exit_status"]), ("ended", 0))
        expect_equal((text.returncode, data.returncode), (0, 0))


def follower_is_told_that_the_supervisor_was_killed():
    with Group("--quiet") as group:
        text = follower(group.name)
        text.stdout.readline()
        os.kill(group.supervisor, signal.SIGKILL)
        errors = text.communicate(timeout=PATIENCE)[1]
        expect_equal(text.returncode, 1)
        expect("the supervisor has ended" in errors, errors)
        # Nothing is left of it.
        expect(group.name not in listed())


def follower_that_does_not_read_holds_nobody_up():
    with Group("--quiet") as group, connected(group.address()) as client:
        client.send(REQUEST.pack(VERSION, FOLLOW, 0))
        other = connected(group.address())
        for i in range(2000):
            other.send(REQUEST.pack(VERSION, SET, (100 + i % 2) * MIB))
            other.recv(4096)
        other.close()
        expect_equal(group.ask(20), "ok")
        # It hears of the newest, once there is room again.
        group.set("77M")
        while FIGURES.unpack(client.recv(4096))[6] != 77 * MIB:
            pass


# --- hostile ---------------------------------------------------------------


def nonsense_is_not_answered():
    with Group("--quiet") as group:
        address = group.address()
        for message in (b"", b"x", b"x" * 15, b"x" * 17, b"x" * 100000,
                        REQUEST.pack(VERSION + 1, SHOW, 0),
                        REQUEST.pack(VERSION, 3, 0),
                        REQUEST.pack(VERSION, 1 << 31, 0)):
            with connected(address) as client:
                client.send(message)
                expect_equal(client.recv(4096), b"", message[:20])
        with connected(address) as client:
            client.send(REQUEST.pack(VERSION, SET, 0))
            expect(FIGURES.unpack(client.recv(4096))[1] != 0)
        many = []
        for _ in range(40):
            with contextlib.suppress(OSError):
                many.append(connected(address))
        expect_equal(group.ask(20), "ok")
        for client in many:
            client.close()
        expect_equal(listed()[group.name]["limit"], 64 * MIB)


def without_descriptors_the_supervisor_rests():
    with Group("--quiet") as group:
        address, pid = group.address(), group.supervisor
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        free = next(i for i in range(limits[0]) if i not in used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, limits[1]))
        waiting = [connected(address) for _ in range(3)]
        # One that tries again and again never sleeps.
        for _ in range(20):
            wait_for(lambda: state(pid) == "S", "it sleeps")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        expect_equal(listed()[group.name]["limit"], 64 * MIB)
        for client in waiting:
            client.send(REQUEST.pack(VERSION, SHOW, 0))
            expect_equal(FIGURES.unpack(client.recv(4096))[6], 64 * MIB)
            client.close()


def figures(name, pid=1):
    return FIGURES.pack(VERSION, 0, 0, 0, pid, 1, 1, 1, 1, 1, 1, name)


def others_names_hide_no_group():
    names = [f"{i:016x}" for i in range(1, 6)]
    fakes = [fake(name) for name in names]
    fakes += [fake("x" * 16), fake("1" * 15), fake("1" * 17),
              fake("9" * 16, backlog=0),
              fake("8" * 16 + "\n0 0 0 0 0 0 0 @vmspace-limit/" + "7" * 16)]

    def answering(listener, message):
        pid = os.fork()
        if pid == 0:
            while True:
                client = listener.accept()[0]
                with contextlib.suppress(OSError):
                    client.recv(4096)
                    client.send(message)
                client.close()
        return pid

    pids = [answering(fakes[0], b"x"), answering(fakes[1], b"x" * 4096),
            answering(fakes[2], figures(b"\x1b[31m" + b"n" * 59)),
            answering(fakes[3], figures(b"same pid", 4711))]
    try:
        with Group("--quiet") as group:
            have = listed()
            expect_equal(have[group.name]["pid"], group.pid)
            # The one that says nothing is listed without figures.
            expect(not have[None]["answers"], have)
            text = live().stdout
            expect(b"\x1b" not in text and b"does not answer" in text, text)
            expect_equal(group.set("1G").returncode, 0)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for listener in fakes:
            listener.close()


def name_that_nobody_serves_is_of_no_user():
    listener = fake("6" * 16, backlog=0)
    listener.listen(0)
    waiting = connected("\0vmspace-limit/" + "6" * 16)
    try:
        found = [group for group in json.loads(live("--json").stdout)
                 if not group["answers"] and group["uid"] is None]
        expect_equal([group["supervisor"] for group in found], [None])
        expect(b"nobody answers" in live().stdout, live().stdout)
    finally:
        waiting.close()
        listener.close()


def answer_to_another(address):
    """The errno that another user gets."""
    try:
        os.setgroups([])
        os.setgid(12345)
        os.setuid(12345)
        with connected(address) as client:
            with contextlib.suppress(BrokenPipeError):
                client.send(REQUEST.pack(VERSION, SET, MIB))
            answer = FIGURES.unpack(client.recv(4096))
            return answer[1] if answer[6] == 0 else 255
    except ConnectionResetError:
        # It was refused before it had asked.
        return errno.EPERM
    except BaseException:
        return 255


def another_user_is_refused():
    if os.getuid() != 0:
        raise Skip("only root can become another user")
    with Group("--quiet") as group:
        address = group.address()
        pid = os.fork()
        if pid == 0:
            os._exit(answer_to_another(address))
        expect_equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),
                     errno.EPERM)
        expect_equal(listed()[group.name]["limit"], 64 * MIB)


def only_own_groups_are_asked():
    """What another user says is neither shown nor waited for."""
    if os.getuid() != 0:
        raise Skip("only root can become another user")
    with Group("--quiet") as group:
        command = ("import os, sys\nos.setgroups([])\nos.setgid(12345)\n"
                   "os.setuid(12345)\nos.execv(sys.argv[1], sys.argv[1:])")
        try:
            result = run([sys.executable, "-c", command, VMSPACE, "limit",
                          "--set=1G", group.name])
        except PermissionError:
            raise Skip("another user cannot run the command")
        if result.returncode == 1 and b"PermissionError" in result.stderr:
            raise Skip("another user cannot run the command")
        expect_equal(result.returncode, 1, result.stderr)
        expect(b"no group" in result.stderr, result.stderr)
        expect_equal(listed()[group.name]["limit"], 64 * MIB)


# --- arguments -------------------------------------------------------------


def wrong_arguments_are_refused():
    for arguments in (["--set=x"], ["--set=0"], ["--set=1G", "--follow"],
                      ["--json", "1G", "true"], ["1G", "--json", "true"],
                      ["1G", "--set=2G", "true"], ["--json", "name"],
                      ["--follow", "--quiet"], ["--follow", "a", "b"],
                      ["1G", "--name=", "true"],
                      ["1G", "--name=" + 64 * "x", "true"]):
        result = live(*arguments)
        expect_equal(result.returncode, 2, arguments)


CASES = [
    groups_are_listed_with_their_figures,
    group_has_the_name_of_its_program,
    one_that_outlives_its_first_process_is_listed,
    limit_goes_up_and_down,
    changed_limit_makes_no_memory_unrefusable,
    thresholds_go_with_the_limit,
    two_at_once_are_both_obeyed,
    group_must_be_the_only_one_that_is_meant,
    follower_sees_each_change_until_the_end,
    follower_is_told_that_the_supervisor_was_killed,
    follower_that_does_not_read_holds_nobody_up,
    nonsense_is_not_answered,
    without_descriptors_the_supervisor_rests,
    others_names_hide_no_group,
    name_that_nobody_serves_is_of_no_user,
    another_user_is_refused,
    only_own_groups_are_asked,
    wrong_arguments_are_refused,
]

sys.exit(main_in_groups(VMSPACE, CASES))
