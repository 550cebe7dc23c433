# SPDX-License-Identifier: MIT
"""What 'vmspace maps' and 'vmspace commit' write of machines and processes that are
files: a tree is mounted over /proc in a namespace, so that every figure is known.

usage: test_golden.py VMSPACE GOLDEN_DIRECTORY

With VMS_GOLDEN=write the outputs are written into the directory anew.
"""

import difflib
import json
import os
import sys

from cli_test import Skip, expect, expect_equal, main, on_terminal, run, work

VMSPACE, GOLDEN = os.path.realpath(sys.argv[1]), sys.argv[2]

# Of memfds and shared memory, on the machine on which this runs.
DEVICE = os.fstat(os.memfd_create("device")).st_dev
SHARED = f"{os.major(DEVICE):02x}:{os.minor(DEVICE):02x}"

# The loader finds the command's libraries by /proc/self/exe.
MOUNTS = 'mount --bind "$1" /proc && mount --bind "$2" /sys/fs/cgroup && shift 2 && exec "$@"'

def mapping(line, resident=0, flags="rd mr mw me sd", page=4, **more):
    """A mapping of smaps; the figures are in KiB."""
    figures = {"KernelPageSize": page, "MMUPageSize": page, "Rss": resident,
               "Pss": resident, "Anonymous": 0, "AnonHugePages": 0, "Swap": 0}
    figures.update(more)
    return line, "".join(f"{key + ':':16}{value:8} kB\n" for key, value in
                         figures.items()) + f"VmFlags: {flags} \n"


def editor(page=4):
    """A program with memory of many kinds, on pages of that many KiB."""
    return [
        mapping("400000-420000 r-xp 00000000 fd:01 77         /usr/bin/editor", 64,
                "rd ex mr mw me", page, Pss=32),
        mapping("420000-440000 rw-p 00020000 fd:01 77         /usr/bin/editor", 64,
                "rd wr mr mw me ac", page, Anonymous=64),
        mapping("440000-460000 rw-p 00000000 00:00 0 ", 0, "rd wr mr mw me ac", page),
        mapping("1000000-1080000 rw-p 00000000 00:00 0          [heap]", 256,
                "rd wr mr mw me ac", page, Anonymous=256, Swap=128),
        mapping("7f0000000000-7f0000100000 rw-p 00000000 00:00 0 ", 512,
                "rd wr mr mw me ac lo", page, Anonymous=512),
        mapping("7f0000100000-7f0004000000 ---p 00000000 00:00 0 ", 0,
                "mr mw me nr", page),
        mapping("7f1000000000-7f1000200000 rw-p 00000000 00:00 0          "
                "[anon:undo \x1b[31m log]", 2048, "rd wr mr mw me ac hg", page,
                Anonymous=2048, AnonHugePages=2048),
        mapping(f"7f2000000000-7f2000100000 rw-s 00000000 {SHARED} 900        "
                "/dev/zero (deleted)", 128, "rd wr sh mr mw me ms", page),
        mapping(f"7f2100000000-7f2100100000 rw-s 00000000 {SHARED} 901        "
                "/memfd:clip\\012board (deleted)", 64, "rd wr sh mr mw me ms", page),
        mapping("7f2200000000-7f2200010000 r--p 00000000 fd:01 78         "
                "/tmp/\xff\xfe gone.so (deleted)", 64, "rd mr mw me", page, Pss=16),
        mapping("7f3000000000-7f3010000000 rw-p 00000000 00:00 0 ", 0,
                "rd wr mr mw me nr", page),
        mapping("7ffc00000000-7ffc00030000 rw-p 00000000 00:00 0          [stack]", 64,
                "rd wr mr mw me gd ac", page, Anonymous=64),
        mapping("7ffc00100000-7ffc00110000 r-xp 00000000 00:00 0          [vdso]", 64,
                "rd ex mr mw me de", page, Pss=0),
    ]


STATUS = """Name:\teditor
State:\tS (sleeping)
Tgid:\t4242
PPid:\t1
VmSize:\t330000 kB
Threads:\t1
VmRSS:\t3328 kB
VmData:\t6144 kB
VmStk:\t192 kB
VmLck:\t1024 kB
RssAnon:\t2944 kB
RssFile:\t192 kB
RssShmem:\t192 kB
VmSwap:\t128 kB
"""


class Machine:
    """A tree of files that stands for /proc, and one for control groups."""

    def __init__(self, name, mode=0, ratio=50, kbytes=0, swap=0, committed=6144,
                 limit=8192, groups="0::/\n"):
        self.proc, self.groups = work(name), work(name + ".groups")
        os.makedirs(self.groups)
        self.write("self/cgroup", groups)
        self.write("self/mounts", "")
        self.write("self/status", "Tgid:\t5\nPPid:\t1\nThreads:\t1\nCapEff:\t0\n")
        self.write("self/ns/user", "")
        os.symlink(VMSPACE, os.path.join(self.proc, "self/exe"))
        self.write("meminfo", "".join(f"{key}: {value} kB\n" for key, value in (
            ("MemTotal", 16384), ("MemFree", 4096), ("MemAvailable", 8192),
            ("SwapTotal", swap), ("SwapFree", swap), ("Shmem", 192),
            ("CommitLimit", limit), ("Committed_AS", committed), ("Hugetlb", 0),
            ("Hugepagesize", 2048))) + "HugePages_Total: 0\n")
        for setting, value in (("overcommit_memory", mode), ("overcommit_ratio", ratio),
                               ("overcommit_kbytes", kbytes), ("admin_reserve_kbytes", 64),
                               ("user_reserve_kbytes", 128), ("max_map_count", 65530)):
            self.write("sys/vm/" + setting, f"{value}\n")
        self.write("sysvipc/shm", "key shmid\n")

    def write(self, path, text):
        path = os.path.join(self.proc, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="latin-1") as file:
            file.write(text)

    def has(self, pid, command, mappings, status=STATUS, parent=1):
        """A process more."""
        self.write(f"{pid}/comm", command + "\n")
        self.write(f"{pid}/status", status)
        self.write(f"{pid}/stat", f"{pid} ({command}) S {parent} " + "0 " * 48 + "\n")
        self.write(f"{pid}/maps", "".join(line + "\n" for line, _ in mappings))
        self.write(f"{pid}/smaps", "".join(line + "\n" + rest for line, rest in mappings))
        os.makedirs(os.path.join(self.proc, f"{pid}/fd"))
        return self

    def limits(self, **files):
        """Files of control groups, in which "__" stands for "/"."""
        for name, value in files.items():
            path = os.path.join(self.groups, name.replace("__", "/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path.replace("_dot_", "."), "w") as file:
                file.write(f"{value}\n")
        return self

    def command(self, *arguments):
        return ["unshare", "-rm", "sh", "-c", MOUNTS, "sh", self.proc, self.groups,
                VMSPACE, *arguments]

    def run(self, *arguments):
        return run(self.command(*arguments))


def check(name, result, status=0):
    """An output is as it was looked at once."""
    path = os.path.join(GOLDEN, name)
    have = result.stdout.decode("utf-8").replace(
        f'"{os.major(DEVICE)}:{os.minor(DEVICE)}"', '"0:1"')
    expect_equal(result.returncode, status, result.stderr)
    if os.environ.get("VMS_GOLDEN") == "write":
        with open(path, "w", encoding="utf-8") as file:
            file.write(have)
    with open(path, encoding="utf-8") as file:
        want = file.read()
    if have != want:
        raise AssertionError(f"{name} differs:\n" + "".join(difflib.unified_diff(
            want.splitlines(True), have.splitlines(True), "wanted", "written")))


def maps_case(name, *arguments, page=4):
    def case():
        machine = Machine(name.replace(".", "_")).has(4242, "editor", editor(page))
        check(name, machine.run("maps", *arguments, "4242"))

    case.__name__ = name.replace(".", "_")
    return case


def commit_case(name, *arguments, **settings):
    def case():
        if os.sysconf("SC_PAGESIZE") != 4096:
            raise Skip("pages are not of 4 KiB, in which these sums are")
        machine = Machine(name.replace(".", "_"), **settings)
        machine.has(1, "init", editor()[:3]).has(4242, "editor", editor())
        check(name, machine.run("commit", *arguments))

    case.__name__ = name.replace(".", "_")
    return case


def saved_with_large_pages():
    """What a machine with such pages has saved is compared on any."""
    for page in (16, 64):
        machine = Machine(f"saved{page}").has(4242, "editor", editor(page))
        saved = work(f"saved{page}.json")
        with open(saved, "wb") as file:
            file.write(machine.run("maps", "--pages", "--json", "4242").stdout)
        grown = Machine(f"grown{page}").has(4242, "editor", editor()[:-3])
        check("difference.txt", grown.run("maps", "--pages", "--diff", saved, "4242"))


def pages_of_each_size_are_told():
    for page in (4, 16, 64):
        machine = Machine(f"pages{page}").has(4242, "editor", editor(page))
        whole = json.loads(machine.run("maps", "--pages", "--all", "--json",
                                       "4242").stdout)
        sizes = {mapping["page_size"] for mapping in whole["processes"][0]["list"]}
        expect_equal(sizes, {page << 10})


def no_smaps():
    """A kernel without them: the plain listing works, and pages are an error."""
    machine = Machine("no_smaps").has(4242, "editor", editor())
    os.remove(os.path.join(machine.proc, "4242/smaps"))
    check("maps.txt", machine.run("maps", "4242"))
    result = machine.run("maps", "--pages", "4242")
    expect_equal((result.returncode, result.stdout), (1, b""), result.stderr)


def lines_that_are_not_understood():
    """A listing that is cut or damaged makes an error, and not half a table."""
    for number, line in enumerate(("4000", "zz-yy r--p 0 0:0 0", "1000-2000 r--p",
                                   "2000-1000 r--p 00000000 00:00 0")):
        machine = Machine(f"damaged{number}").has(4242, "editor", [
            *editor()[:1], (line, ""), *editor()[1:]])
        for options in ((), ("--pages",), ("--json",)):
            result = machine.run("maps", *options, "4242")
            expect_equal((result.returncode, result.stdout), (1, b""), result.stderr)


def a_limit_that_is_nearly_full_is_in_colour():
    machine = Machine("coloured", mode=2, committed=10000)
    machine.has(1, "init", editor()[:3])
    _, shown = on_terminal(machine.command("commit"), "stdout",
                           env={**os.environ, "TERM": "xterm", "NO_COLOR": ""})
    expect("  \x1b[1;33m9.8M of 8M (122%)\x1b[m\r\n" in shown, shown)
    expect("  \x1b[1;31mnothing\x1b[m: 1.8M more" in shown, shown)


GROUPS_V2 = {"memory_dot_max": "max", "memory_dot_current": 9 << 20,
             "pod__memory_dot_max": 4 << 20, "pod__memory_dot_current": 3 << 20,
             "pod__app__memory_dot_max": 8 << 20, "pod__app__memory_dot_current": 2 << 20}
GROUPS_V1 = {"memory__app__memory_dot_limit_in_bytes": 64 << 20,
             "memory__app__memory_dot_usage_in_bytes": 1 << 20,
             "memory__memory_dot_limit_in_bytes": 0x7ffffffffffff000,
             "memory__memory_dot_usage_in_bytes": 9 << 20}


def group_case(name, groups, files, *arguments, **settings):
    """In a container: what its control groups leave is told, and what binds first."""
    def case():
        if os.sysconf("SC_PAGESIZE") != 4096:
            raise Skip("pages are not of 4 KiB, in which these sums are")
        machine = Machine(name.replace(".", "_"), groups=groups, **settings)
        machine.has(1, "init", editor()[:3])
        check(name, machine.limits(**files).run("commit", *arguments))

    case.__name__ = name.replace(".", "_")
    return case


CASES = [
    group_case("group_v2.txt", "0::/pod/app\n", GROUPS_V2),
    group_case("group_v2_strict.txt", "0::/pod/app\n", GROUPS_V2, mode=2, committed=8000),
    group_case("group_v1.txt", "5:cpu:/\n4:memory:/app\n0::/\n", GROUPS_V1, swap=1024),
    group_case("group_what_if.txt", "0::/pod/app\n", GROUPS_V2, "--what-if",
               "mode=2,ratio=20"),
    maps_case("maps.txt"),
    maps_case("maps_all.txt", "--all", "--pages", "--columns", "all"),
    maps_case("maps_list.txt", "--list", "--bytes"),
    maps_case("maps_total.txt", "--total"),
    maps_case("maps.json", "--json"),
    maps_case("maps_pages.json", "--json", "--pages", "--all"),
    maps_case("maps_16k.txt", "--pages", "--all", page=16),
    maps_case("maps_64k.txt", "--pages", "--all", page=64),
    commit_case("heuristic.txt"),
    commit_case("always.txt", mode=1, swap=4096),
    commit_case("strict.txt", "--explain", mode=2),
    commit_case("strict_passed.txt", mode=2, committed=10000),
    commit_case("strict_kbytes.txt", "--explain", mode=2, kbytes=4096, ratio=0,
                swap=2048, limit=6144),
    commit_case("what_if.txt", "--what-if", "mode=2,ratio=80,swap=2M"),
    commit_case("what_if_refused.txt", "--what-if", "mode=2,ratio=60"),
    commit_case("what_if_request.txt", "--what-if", "mode=0,ram=1M"),
    commit_case("what_if_always.txt", "--what-if", "mode=1"),
    commit_case("what_if.json", "--json", "--what-if", "mode=2,ratio=60"),
    commit_case("audit.txt", "--audit"),
    commit_case("audit.json", "--audit", "--json", mode=2),
    a_limit_that_is_nearly_full_is_in_colour,
    saved_with_large_pages,
    pages_of_each_size_are_told,
    no_smaps,
    lines_that_are_not_understood,
]

if run(["unshare", "-rm", "sh", "-c", "mount --bind /tmp /proc"]).returncode:
    print("1..0 # SKIP unshare cannot make a namespace in which to mount")
    sys.exit(0)
sys.exit(main(CASES))
