# SPDX-License-Identifier: MIT
"""The command in containers of Podman and of Docker themselves, with their default
seccomp profiles, as docs/containers.md has it run.

usage: test_container_engines.py VMSPACE STATIC_VMSPACE
"""

import json
import os
import sys

from cli_test import Skip, expect, expect_equal, main_in_groups, wait_for
from engines import Docker, Podman

VMSPACE, STATIC = (os.path.abspath(path) for path in sys.argv[1:3])
MIB = 1 << 20

# Asks for memory in one piece, of busybox's dd.
HOG = ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]
STAYS = 'trap "exit 5" TERM; while :; do sleep 0.05; done'


def limit_is_that_of_the_container(engine):
    result = engine.run("--rm", "--memory=100m", command=[
        "/bin/vmspace", "limit", "cgroup:90%", "--", *HOG])
    expect_equal(result.returncode, 1, result.stderr)
    expect(b"out of memory" in result.stderr and b" of 90M; 1 refused" in
           result.stderr, result.stderr)
    for program, status in (("exit 7", 7), ("kill -9 $$", 137)):
        result = engine.run("--rm", command=["/bin/vmspace", "limit", "64M", "--",
                                             "/bin/sh", "-c", program])
        expect_equal(result.returncode, status, result.stderr)


def group_is_asked_inside_and_ends_with_the_container(engine):
    """By 'exec', and 'stop' sends SIGTERM to the first process."""
    name = f"{engine.name}-1"
    result = engine.run("--detach", f"--name={name}", "--memory=100m", command=[
        "/bin/vmspace", "limit", "cgroup:50%", "--name=app", "--", "/bin/sh", "-c",
        STAYS])
    expect_equal(result.returncode, 0, result.stderr)

    def listed():
        told = engine.ask("exec", name, "/bin/vmspace", "limit", "--json")
        groups = json.loads(told.stdout) if told.returncode == 0 else []
        return {group["name"]: group["limit"] for group in groups}

    wait_for(lambda: listed() == {"app": 50 * MIB}, "it is listed")
    result = engine.ask("exec", name, "/bin/vmspace", "limit", "--set", "app", "70M")
    expect_equal(result.returncode, 0, result.stderr)
    expect_equal(listed(), {"app": 70 * MIB})
    result = engine.ask("stop", "--time=600", name)
    expect_equal(result.returncode, 0, result.stderr)
    expect_equal(engine.ask("wait", name).stdout, b"5\n")
    expect_equal(engine.ask("rm", name).returncode, 0)


def of(engine_class):
    def engine_runs_it():
        if os.getuid() != 0:
            raise Skip("the engines are started as root")
        with engine_class(STATIC) as engine:
            limit_is_that_of_the_container(engine)
            group_is_asked_inside_and_ends_with_the_container(engine)
    engine_runs_it.__name__ = f"limit_works_in_{engine_class.__name__.lower()}"
    return engine_runs_it


CASES = [of(Podman), of(Docker)]

sys.exit(main_in_groups(VMSPACE, CASES))
