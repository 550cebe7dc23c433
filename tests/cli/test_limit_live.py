# SPDX-License-Identifier: MIT
"""Groups that run: listed and followed.

usage: test_limit_live.py VMSPACE
"""

import contextlib
import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys

from cli_test import (PATIENCE, Skip, expect, expect_equal, main_in_groups, run,
                      wait_for)
from limit_groups import (BY_CGROUP, BY_RAM, FIGURES, FOLLOW, MIB, SET, SHOW,
                          VERSION, VMSPACE, Group, connected, listed, live,
                          request)
from limit_jobs import state


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


def peak_is_never_below_what_is_in_use():
    with Group("--quiet", limit="1G") as group, \
            connected(group.address()) as client:
        for _ in range(60):
            group.process.stdin.write("3\n")
            group.process.stdin.flush()
            for _ in range(20):
                client.send(request(SHOW))
                in_use, peak = FIGURES.unpack(client.recv(4096))[7:9]
                expect(in_use <= peak, (in_use, peak))
            expect_equal(group.process.stdout.readline(), "ok\n")


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
        client.send(request(FOLLOW))
        other = connected(group.address())
        for i in range(2000):
            other.send(request(SET, (100 + i % 2) * MIB))
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
                        request(SHOW, version=VERSION + 1),
                        request(3),
                        request(1 << 31)):
            with connected(address) as client:
                client.send(message)
                expect_equal(client.recv(4096), b"", message[:20])
        for message in (request(SET), request(SET, MIB, 3),
                        request(SET, MIB, 1 << 31), request(SET, kind=BY_RAM),
                        request(SET, kind=BY_RAM, parts=1.1),
                        request(SET, kind=BY_CGROUP, parts=-1.0),
                        request(SET, kind=BY_CGROUP, parts=float("nan")),
                        request(SET, kind=BY_CGROUP, parts=float("inf"))):
            with connected(address) as client:
                client.send(message)
                expect_equal(FIGURES.unpack(client.recv(4096))[1],
                             errno.EINVAL, message)
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
            client.send(request(SHOW))
            expect_equal(FIGURES.unpack(client.recv(4096))[6], 64 * MIB)
            client.close()


def figures(name, pid=1):
    return FIGURES.pack(VERSION, 0, 0, 0, pid, 1, 1, 1, 1, 1, 1, name, 0, 0, 0.0)


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
                client.send(request(SET, MIB))
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
                      ["--set", "a", "b"], ["a", "--set=b"], ["--set=cgroup:0%"],
                      ["--follow", "--quiet"], ["--follow", "a", "b"],
                      ["1G", "--name=", "true"],
                      ["1G", "--name=" + 64 * "x", "true"]):
        result = live(*arguments)
        expect_equal(result.returncode, 2, arguments)


CASES = [
    groups_are_listed_with_their_figures,
    peak_is_never_below_what_is_in_use,
    group_has_the_name_of_its_program,
    one_that_outlives_its_first_process_is_listed,
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
