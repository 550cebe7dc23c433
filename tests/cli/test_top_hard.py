# SPDX-License-Identifier: MIT
"""What 'vmspace top' shows where /proc hides processes, of swap, and of control groups.

usage: test_top_hard.py VMSPACE
"""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys

from cli_test import Skip, expect, expect_equal, installed, main, run, work, written
from top_command import VMSPACE, Family, accounted

NOBODY = "65534"
JSON = f"{shlex.quote(VMSPACE)} top --json --delay=0"


def inside(mounts, script):
    """What a shell prints whose mounts are its own; only these are probed."""
    shell = [installed("unshare"), "--mount", "sh", "-c"]
    probe = run([*shell, f"set -e\n{mounts}"])
    if probe.returncode:
        raise Skip(f"no such mounts: {probe.stderr.decode().strip()}")
    result = run([*shell, f"set -e\n{mounts}\n{script}"])
    expect_equal((result.returncode, result.stderr), (0, b""), script)
    return result.stdout


def processes(output):
    return {row["pid"]: row for row in json.loads(output)["processes"]}


# --- what is hidden -------------------------------------------------------


def what_proc_hides_is_not_shown():
    """Of other users' processes nothing can be opened, or they are not there at all."""
    if os.getuid():
        raise Skip("this takes root")
    user = f"{installed('setpriv')} --reuid={NOBODY} --regid={NOBODY} --clear-groups"
    with Family() as family:
        for hides, untold in ((1, True), (2, False)):
            output = inside(f"mount -t proc -o hidepid={hides} proc /proc",
                            f"{user} {JSON}")
            have = json.loads(output)
            # There may be others of that user.
            expect("vmspace" in {row["name"] for row in have["processes"]}, have)
            expect_equal(have["not_told"] > 0, untold, have["not_told"])
            expect(not {1, family.pid, *family.children} &
                   {row["pid"] for row in have["processes"]})
        text = inside("mount -t proc -o hidepid=1 proc /proc",
                      f"{user} {shlex.quote(VMSPACE)} top --once --delay=0").decode()
        expect(re.search(r"^\d+ not told all processes: \d+ row", text, re.M), text)


def commit_of_others_is_not_known_to_a_user():
    if os.getuid():
        raise Skip("this takes root")
    with Family() as family:
        output = run([installed("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}",
                      "--clear-groups", VMSPACE, "top", "--json", "--delay=0"]).stdout
        row = processes(output)[family.pid]
        expect_equal(row["commit"], None)
        expect(row["writable"] > 0 and row["resident"] > 0, row)
        expect_equal(json.loads(output)["total"]["commit"], None)
        expect(any(row["name"] == "vmspace" and row["commit"]
                   for row in processes(output).values()), output)


# --- swap -----------------------------------------------------------------


def replaced(path, pattern, text):
    """A copy of a file with a line replaced, or added where there is none."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line for line in file.read().splitlines() if not re.match(pattern, line)]
    return written(path.replace("/", "-"), "\n".join([*lines, text, ""]))


def swap_is_what_the_kernel_tells():
    """A machine with swap in use, by files in place of the kernel's."""
    if os.getuid():
        raise Skip("this takes root")
    with Family() as family:
        meminfo = replaced("/proc/meminfo", "Swap(Total|Free):",
                           "SwapTotal: 4194304 kB\nSwapFree: 1048576 kB")
        status = replaced(f"/proc/{family.pid}/status", "VmSwap:", "VmSwap:\t 12345 kB")
        mounts = (f"mount --bind {meminfo} /proc/meminfo\n"
                  f"mount --bind {status} /proc/{family.pid}/status")
        output = inside(mounts, f"{JSON} --tree {family.pid}")
        expect_equal(processes(output)[family.pid]["swapped"], 12345 << 10)
        for pid in family.children:
            with open(f"/proc/{pid}/status", encoding="utf-8",
                      errors="surrogateescape") as file:
                swapped = re.search(r"VmSwap:\s*(\d+)", file.read())
            expect_equal(processes(output)[pid]["swapped"],
                         int(swapped[1]) << 10 if swapped else None)
        have = json.loads(output)["machine"]
        expect_equal((have["swap"], have["swap_free"]), (4 << 30, 1 << 30))
        text = inside(mounts, f"{shlex.quote(VMSPACE)} top --once --delay=0 --sort=swapped "
                      f"--tree {family.pid}").decode()
        expect(re.search(r"^Swap   \[\|+ +3G/4G\]$", text, re.M), text)
        expect(re.search(r" 12\.1M .*alpha$", text, re.M), text)


# --- control groups -------------------------------------------------------


def control_group_is_a_group():
    """One that has no limit, of version 2, with a group below it."""
    family = Family()
    with family:
        name = f"/sys/fs/cgroup/vmspace-{os.getpid()}"
        output = inside(
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
            f"""mkdir -p {name}/below
            trap 'for pid in {family.pid} {family.children[0]}; do
                echo $pid > /sys/fs/cgroup/cgroup.procs; done
                rmdir {name}/below {name}' EXIT
            echo {family.pid} > {name}/cgroup.procs
            echo {family.children[0]} > {name}/below/cgroup.procs
            {JSON} --group={name}""")
        have = json.loads(output)
        expect_equal((have["view"], set(processes(output)), have["limit"]),
                     ("group", {family.pid, family.children[0]}, None))
        for pid, row in processes(output).items():
            expect_equal(row["commit"], accounted(pid))


def memory_limit_of_a_control_group_is_told():
    directory, limit = next(
        ((path, name) for path, name in (
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"))
         if os.path.exists(f"{path}/memory.stat")), (None, None))
    if not directory:
        raise Skip("no control group of memory is mounted")
    name = f"{directory}/vmspace-{os.getpid()}"
    try:
        os.mkdir(name)
        with open(f"{name}/{limit}", "w") as file:
            file.write("100M")
    except OSError as error:
        with contextlib.suppress(OSError):
            os.rmdir(name)
        raise Skip(f"no limit can be set: {error}") from error
    try:
        output = subprocess.run(
            ["sh", "-c", f"echo $$ > {name}/cgroup.procs && exec {JSON} --group={name}"],
            check=True, capture_output=True, timeout=600).stdout
        told = json.loads(output)["limit"]
        expect_equal((told["name"], told["kind"], told["limit"], told["committed"]),
                     (name, "memory", 100 << 20, None))
        expect(0 < told["in_use"] <= 100 << 20, told)
        text = run([VMSPACE, "top", "--once", "--delay=0", f"--group={name}"]).stdout
        expect(re.match(rb"Memory \[\|* +\S+/100M\]\n", text), text)
        metrics = run([VMSPACE, "top", "--format=openmetrics", f"--group={name}"]).stdout
        expect(f'vmspace_limit_limit_bytes{{group="{name}"}} {100 << 20}\n'.encode()
               in metrics, metrics)
    finally:
        os.rmdir(name)


def no_control_group_is_told_in_words():
    for path in ("/nothing", work(".")):
        result = run([VMSPACE, "top", "--once", f"--group={path}"])
        expect_equal((result.returncode, result.stdout), (1, b""))
        expect(b"no control group can be read there" in result.stderr, result.stderr)


sys.exit(main([
    what_proc_hides_is_not_shown,
    commit_of_others_is_not_known_to_a_user,
    swap_is_what_the_kernel_tells,
    control_group_is_a_group,
    memory_limit_of_a_control_group_is_told,
    no_control_group_is_told_in_words,
]))
