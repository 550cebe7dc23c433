# SPDX-License-Identifier: MIT
"""Limits that the kernel keeps, where it may refuse to be traced: what it lacks is told
by name, no program is run without its limit, and nothing is left behind. What such a
limit does is tried by scripts/bpf-check, in a kernel of Debian's.

usage: test_limit_by_kernel.py VMSPACE with|without
"""

import os
import shlex
import sys

from cli_test import Skip, expect, expect_equal, installed, main, run

VMSPACE = os.path.abspath(sys.argv[1])
IS_BUILT = sys.argv[2] == "with"
BUILT_WITHOUT = "this command was built without libbpf, clang or bpftool"


def limit(*arguments, **options):
    return run([VMSPACE, "limit", *arguments], **options)


def inside(script):
    """What a shell prints whose file systems of BPF and of control groups are its own."""
    mounts = """set -e
        mount -t bpf bpf /sys/fs/bpf
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        """
    shell = [installed("unshare"), "--mount", "sh", "-c"]
    if run([*shell, mounts]).returncode:
        raise Skip("no file systems of BPF and of control groups can be mounted")
    result = run([*shell, f"{mounts}\nset +e\nV={shlex.quote(VMSPACE)}\n{script}"])
    return (result.stdout + result.stderr).decode()


def must_be_built():
    if not IS_BUILT:
        raise Skip(BUILT_WITHOUT)


def help_and_explain_tell_of_it():
    told = limit("--help").stdout.decode()
    expect("--cgroup=DIRECTORY" in told and "--backend=supervisor|bpf" in told, told)
    explained = limit("--explain").stdout.decode()
    expect("--backend=bpf is kept by the kernel" in explained, explained)
    expect_equal(BUILT_WITHOUT in explained, not IS_BUILT)


def wrong_arguments_are_refused():
    for arguments in (["--cgroup=/tmp"], ["--cgroup=/tmp", "x"], ["--cgroup=", "1G"],
                      ["--cgroup=/tmp", "0"], ["--cgroup=/tmp", "1G", "true"],
                      ["1G", "--cgroup=/tmp", "true"],
                      ["--cgroup=/tmp", "1G", "--json"],
                      ["--cgroup=/tmp", "1G", "--quiet"],
                      ["--backend=bpf", "1G", "--quiet", "true"],
                      ["--backend=bpf", "cgroup", "true"],
                      ["--backend=bpf", "none", "true"],
                      ["--set=x", "/tmp"], ["--set=none", "/tmp"],
                      ["--backend=x", "1G", "true"]):
        if not IS_BUILT and arguments[-1] in ("x", "0"):
            continue
        expect_equal(limit(*arguments).returncode, 2, arguments)


def without_libbpf_it_is_told():
    if IS_BUILT:
        raise Skip("it was built with libbpf")
    for arguments, status in ((["--cgroup=/tmp", "1G"], 1),
                              (["--backend=bpf", "1G", "echo", "x"], 125)):
        result = limit(*arguments)
        expect_equal(result.returncode, status)
        expect_equal(result.stdout, b"")
        expect(BUILT_WITHOUT in result.stderr.decode(), result.stderr)


def what_is_no_control_group_is_told():
    must_be_built()
    result = limit("--cgroup=/tmp", "1G")
    expect_equal(result.returncode, 1)
    expect(b"/tmp: the kernel cannot keep a limit: it is a directory of cgroup v2: "
           b"it is not" in result.stderr, result.stderr)
    result = limit("--cgroup=/none", "1G")
    expect_equal(result.returncode, 1)
    expect(b"/none: No such file or directory" in result.stderr, result.stderr)


def only_one_with_a_limit_is_set_or_followed():
    for arguments in (["--set=1G", "/tmp"], ["--set", "/tmp", "1G"],
                      ["--follow", "/tmp"]):
        result = limit(*arguments)
        expect_equal(result.returncode, 1, arguments)
        expect(b"/tmp: it has no limit that the kernel keeps" in result.stderr,
               result.stderr)


def program_is_not_run_without_its_limit():
    must_be_built()
    told = inside("""
        umount /sys/fs/bpf
        mount -t tmpfs tmpfs /sys/fs/bpf
        "$V" limit --backend=bpf 1G echo has run; echo $?
        "$V" limit --cgroup=/sys/fs/cgroup 1G; echo $?
        ls /sys/fs/bpf; ls /sys/fs/cgroup | grep vmspace-
        """)
    expect_equal(told.split("vmspace limit")[0].split(), ["125", "1"], told)
    expect_equal(told.count("/sys/fs/bpf is a file system of BPF: it is not"), 2, told)


def kernel_keeps_it_or_says_why_not():
    must_be_built()
    told = inside("""
        exec 2>&1
        group=/sys/fs/cgroup/vmspace-test-$$
        mkdir $group
        "$V" limit --cgroup=$group 1G && "$V" limit --cgroup=$group none
        echo $?
        rmdir $group
        "$V" limit --backend=bpf 1G echo has run; echo $?
        "$V" limit >/dev/null
        ls /sys/fs/bpf
        """)
    if "cannot keep" in told:
        expect("it takes root, or CAP_BPF" in told or "this kernel refuses" in told,
               told)
        expect("has run" not in told and "\n125\n" in told, told)
    else:
        expect("0\nhas run\n0\n" in told, told)
    expect(told.endswith("\nvmspace-lock\n"), told)


def control_group_of_a_refused_program_is_removed():
    must_be_built()
    told = inside("""
        "$V" limit --backend=bpf 1G true 2>/dev/null
        "$V" limit >/dev/null
        find /sys/fs/cgroup -name 'vmspace-[0-9]*'
        """)
    expect_equal(told, "")


def another_user_is_refused_and_sees_none():
    must_be_built()
    told = inside(f"""
        user="{installed("setpriv")} --reuid=65534 --regid=65534 --clear-groups"
        $user "$V" limit --cgroup=/sys/fs/cgroup 1G; echo $?
        mkdir -m 700 /sys/fs/bpf/vmspace /sys/fs/bpf/vmspace-lock
        $user "$V" limit --cgroup=/sys/fs/cgroup 1G; echo $?
        $user "$V" limit >/dev/null; echo $?
        $user "$V" --help >/dev/null || echo not reached
        """)
    if "not reached" in told:
        raise Skip("other users do not reach the command")
    expect("it takes root, or CAP_BPF" in told, told)
    expect_equal([word for word in told.split() if word.isdigit()], ["1", "1", "0"],
                 told)


def what_others_have_put_there_is_left_alone():
    must_be_built()
    told = inside("""
        mkdir -m 700 /sys/fs/bpf/vmspace
        chown 65534 /sys/fs/bpf/vmspace
        "$V" limit --cgroup=/sys/fs/cgroup 1G; echo $?
        "$V" limit >/dev/null; echo $?
        mkdir -m 777 /sys/fs/bpf/vmspace-other
        rmdir /sys/fs/bpf/vmspace-lock
        mv /sys/fs/bpf/vmspace-other /sys/fs/bpf/vmspace-lock
        rmdir /sys/fs/bpf/vmspace
        "$V" limit --cgroup=/sys/fs/cgroup 1G; echo $?
        ls /sys/fs/bpf
        """)
    expect_equal(told.count("is another version's, or not of this command"), 3, told)
    expect_equal([word for word in told.split() if word.isdigit()], ["1", "1", "1"],
                 told)
    expect("vmspace-lock\n" in told, told)


sys.exit(main([
    help_and_explain_tell_of_it,
    wrong_arguments_are_refused,
    without_libbpf_it_is_told,
    what_is_no_control_group_is_told,
    only_one_with_a_limit_is_set_or_followed,
    program_is_not_run_without_its_limit,
    kernel_keeps_it_or_says_why_not,
    control_group_of_a_refused_program_is_removed,
    another_user_is_refused_and_sees_none,
    what_others_have_put_there_is_left_alone,
]))
