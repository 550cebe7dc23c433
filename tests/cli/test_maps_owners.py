# SPDX-License-Identifier: MIT
"""Whose memory 'vmspace maps' says it is, of which processes, and what has changed.

usage: test_maps_owners.py VMSPACE MAPPINGS
"""

import json
import os
import pwd
import subprocess
import sys

from cli_test import Skip, compiled, expect, expect_equal, main, run, work
from maps_command import COLUMNS, PROGRAM, VMSPACE, maps, seen, table, target


def owners(*arguments, pid=None):
    """{name: owner} of all that have one name."""
    process = seen(*arguments, str(pid or target.pid))[1]
    return {owner["name"]: owner for owner in process["owners"]}


# --- owners -------------------------------------------------------------------


def each_owner_has_its_kind():
    have = owners()
    for name, kind in (("[heap]", "heap"), ("[stack]", "stack"),
                       ("[vdso]", "kernel"), ("[anon]", "anonymous"),
                       ("[reserved]", "reserved"), ("[shared]", "shared"),
                       ("/memfd:queue", "memfd"),
                       (target.path("plain"), "file"),
                       (os.path.realpath(PROGRAM), "file")):
        if name == "[vdso]" and name not in have:
            continue
        expect_equal(have[name]["kind"], kind)
    expect(have[target.path("gone")]["deleted"])
    if "named" in target.made:
        expect_equal(have["ring buffer: 2"]["kind"], "named")
    if "system_v" in target.made:
        expect_equal(have["/SYSV00000000"]["kind"], "shared")


def reservations_are_apart_from_memory():
    have = owners()["[reserved]"]
    expect(have["reserved"] > 0 and have["size"] == 0, have)
    expect_equal(have["writable"], 0)


THREADS = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
static char zeros[1 << 20];
static int ready[2];
static void *wait_with(void *name)
{
    char *memory = malloc(100000), byte = 0;
    prctl(PR_SET_NAME, name);
    memset(memory, 1, 100000);
    write(ready[1], &byte, 1);
    pause();
    return memory;
}
int main(void)
{
    pthread_t thread;
    char byte;
    memset(zeros, 1, sizeof zeros);
    pipe(ready);
    for (int i = 0; i < 3; i++) {
        pthread_create(&thread, NULL, wait_with, "worker");
        read(ready[0], &byte, 1);
    }
    puts("ready");
    fflush(stdout);
    getchar();
}
"""


class Program:
    """A program of C that says "ready" and stays until its input ends."""

    def __init__(self, name, source, *options, arguments=()):
        self.path = compiled(work(name), source, *options)
        self.process = subprocess.Popen([self.path, *arguments],
                                        stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.pid = self.process.pid
        expect_equal(self.process.stdout.readline(), b"ready\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def threads_of(pid):
    return sorted(int(thread) for thread in os.listdir(f"/proc/{pid}/task"))[1:]


def may_trace(pid):
    try:
        with open(f"/proc/{pid}/syscall") as file:
            return file.read() != ""
    except OSError:
        return False


def stacks_are_told_by_thread():
    with Program("threads", THREADS, "-pthread") as program:
        if not may_trace(program.pid):
            raise Skip("this user may not trace another process")
        have = owners(pid=program.pid)
        for thread in threads_of(program.pid):
            stack = have[f"[stack:{thread} worker]"]
            expect_equal(stack["kind"], "stack")
            # With the guard below it.
            expect_equal((stack["mappings"], stack["reserved"] > 0), (2, True),
                         stack)


def arenas_of_malloc_are_told():
    with Program("arenas", THREADS, "-pthread") as program:
        arenas = owners(pid=program.pid).get("[malloc arenas]")
        if not arenas and b"GNU" not in run(["ldd", "--version"]).stdout:
            raise Skip("the malloc is not glibc's")
        expect_equal(arenas["kind"], "malloc arenas")
        expect(arenas["writable"] >= 3 * 100000, arenas)
        expect((arenas["writable"] + arenas["reserved"]) >= 3 << 26, arenas)


def zeros_of_a_program_are_its_own():
    with Program("zeros", THREADS, "-pthread") as program:
        own = owners(pid=program.pid)[os.path.realpath(program.path)]
        expect(own["writable"] >= 1 << 20, own)


BEHIND = """
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#define PART (1 << 20)
static char zeros[PART];
extern char end;
static char *map(char *at, int more, int file)
{
    return mmap(at, PART, PROT_READ | PROT_WRITE, MAP_PRIVATE | more, file, 0);
}
int main(int argc, char **argv)
{
    long page = sysconf(_SC_PAGESIZE);
    char *behind = (char *)(((unsigned long)&end + page - 1) & -page);
    char *data = mmap(NULL, 4 * PART, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
    zeros[0] = 1;
    ftruncate(file, PART);
    map(data, MAP_FIXED, file);
    map(data + PART, MAP_FIXED | MAP_ANONYMOUS, -1)[0] = 1;
    for (int i = 0; i < 3; i++)
        if (map(behind + i * PART, MAP_FIXED_NOREPLACE | MAP_ANONYMOUS, -1) !=
            behind + i * PART)
            return 1;
    puts("ready");
    fflush(stdout);
    getchar();
}
"""


def what_lies_behind_zeros_is_not_a_files():
    file = work("data")
    with Program("behind", BEHIND, "-w", arguments=[file]) as program:
        for options in ([], ["--pages"]):
            own = owners(*options, pid=program.pid)
            zeros = own[os.path.realpath(program.path)]["writable"]
            expect(zeros < (1 << 20) + (256 << 10), zeros)
            # With pages a mapping is whole, and most of it is not the program's.
            expect(zeros >= 1 << 20 or options, zeros)
            expect_equal(own[os.path.realpath(file)]["writable"], 1 << 20)
            expect(own["[anon]"]["writable"] >= 4 << 20, own["[anon]"])


def owners_are_sorted():
    for column in ("size", "mappings", "reserved"):
        for sign in ("", "-"):
            process = seen("--sort", sign + column, str(target.pid))[1]
            have = [owner[column] for owner in process["owners"]]
            expect_equal(have, sorted(have, reverse=not sign), column)
    names = [os.fsencode(owner["name"]) for owner in
             seen("--sort", "name", str(target.pid))[1]["owners"]
             if "name_bytes" not in owner]
    expect_equal(names, sorted(names))


def filters_take_a_part_a_pattern_or_a_kind():
    paths = {name for name in owners() if name.startswith("/")}
    for text, want in (("plain", {target.path("plain")}),
                       ("*/plain", {target.path("plain")}),
                       ("pl?in*", {target.path("plain")}),
                       ("heap", {"[heap]"}),
                       ("[heap]", {"[heap]"})):
        expect_equal(set(owners("--filter", text)), want, text)
    expect_equal(set(owners("--filter", "/*")), paths)
    process = seen("--filter", "plain", "--list", str(target.pid))[1]
    expect_equal({m["path"] for m in process["list"]}, {target.path("plain")})
    expect_equal(process["total"]["mappings"], len(process["list"]))


def columns_are_chosen():
    lines = table("--columns", "mappings,swapped", str(target.pid))
    expect_equal(lines[0].split(), [b"MAPPINGS", b"SWAPPED", b"OWNER"])


# --- what has changed, and a program at its end -----------------------------------

GROWS = """
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int main(void)
{
    for (int i = 0; i < 3; i++) {
        char *memory = i < 2 ? mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE,
            (i ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0) : NULL;
        if (memory)
            memset(memory, 1, 1 << 20);
        puts("ready");
        fflush(stdout);
        getchar();
    }
}
"""


def changes(*arguments):
    whole = json.loads(maps("--json", *arguments))
    expect_equal((whole["difference"], len(whole["processes"])), (True, 1))
    return whole["processes"][0]


def differences_are_told():
    with Program("grows", GROWS, "-O0") as program:
        pid = str(program.pid)
        with open(work("before.json"), "wb") as file:
            file.write(maps("--json", "--pages", pid))
        same = changes("--pages", "--diff", work("before.json"), pid)
        for name in set(COLUMNS) - {"proportional"}:
            expect_equal(same["total"][name], 0, name)
        program.process.stdin.write(b"\n")
        program.process.stdin.flush()
        program.process.stdout.readline()
        with open(work("after.json"), "wb") as file:
            file.write(maps("--json", "--pages", pid))
        for after in (pid, work("after.json")):
            grown = changes("--pages", "--diff", work("before.json"), after)
            expect_equal(grown["pid"], program.pid)
            shared = {owner["name"]: owner for owner in
                      grown["owners"]}["[shared]"]
            expect_equal({name: shared[name] for name in
                          ("size", "mappings", "commit", "anonymous")},
                         {"size": 8 << 20, "mappings": 1, "commit": 0,
                          "anonymous": 0})
            expect(shared["resident"] >= 1 << 20, shared)
            expect_equal(grown["total"]["size"], 8 << 20)
        # What was saved with pages has their figures, asked for or not.
        whole = json.loads(maps("--json", "--diff", work("after.json"),
                                work("before.json")))
        expect_equal(whole["pages"], True)
        shrunk = whole["processes"][0]["total"]
        expect_equal(shrunk["size"], -(8 << 20))
        expect(shrunk["resident"] <= -(1 << 20), shrunk)
        lines = maps("--diff", work("after.json"),
                     work("before.json")).decode().split("\n")
        expect(lines[0].endswith(": -1 mappings"), lines[0])
        expect(lines[1].endswith(" swapped"), lines[1])
        expect(any(line.split() == ["-8M", "0", "0", "-1", "[shared]"]
                   for line in lines), lines)


def what_was_saved_must_have_what_is_asked_for():
    with open(work("cheap.json"), "wb") as file:
        file.write(maps("--json", str(target.pid)))
    for options, why in ((["--pages"], b"without --pages"),
                         (["--columns", "commit"], b"without --pages"),
                         (["--all"], b"no single mappings")):
        result = run([VMSPACE, "maps", *options, "--diff", work("cheap.json"),
                      str(target.pid)])
        expect(result.returncode > 0 and why in result.stderr, result)
        expect_equal(result.stdout, b"")


def damaged_listings_are_refused():
    whole = maps("--json", "--pages", str(target.pid))
    process = json.loads(whole)

    def changed(change):
        copy = json.loads(whole)
        change(copy)
        return json.dumps(copy).encode()

    owner = process["processes"][0]["owners"][0]
    expect(owner["size"] >= 0)
    damages = [whole[:part] for part in range(0, len(whole), 997)]
    damages += [changed(change) for change in (
        lambda copy: copy.update(version=2),
        lambda copy: copy.update(format="another"),
        lambda copy: copy.update(processes={}),
        lambda copy: copy.update(difference=True),
        lambda copy: copy["processes"].append(None),
        lambda copy: copy["processes"][0].update(pid=-1),
        lambda copy: copy["processes"][0].update(owners=7),
        lambda copy: copy["processes"][0].pop("status"),
        lambda copy: copy["processes"][0]["owners"].append({}),
        lambda copy: copy["processes"][0]["owners"][0].update(kind="new"),
        lambda copy: copy["processes"][0]["owners"][0].update(size=-1),
        lambda copy: copy["processes"][0]["owners"][0].update(size="1"),
        lambda copy: copy["processes"][0]["owners"][0].update(
            name_bytes="0"  "0"))]
    damages.append(b"[" * 100000)
    for damage in damages:
        with open(work("damaged.json"), "wb") as file:
            file.write(damage)
        result = run([VMSPACE, "maps", "--diff", work("damaged.json"),
                      str(target.pid)])
        expect_equal((result.returncode, result.stdout), (1, b""), damage[-200:])
        expect(b"damaged.json: " in result.stderr, result.stderr)


def names_of_any_bytes_come_back():
    with open(work("names.json"), "wb") as file:
        file.write(maps("--json", str(target.pid)))
    expect_equal(changes("--diff", work("names.json"),
                         str(target.pid))["owners"], [])


def a_program_is_shown_at_its_end():
    def shown(*arguments, **options):
        return run([VMSPACE, "maps", "--json", *arguments], **options)

    result = shown("--", sys.executable, "-c",
                   "import os; kept = bytearray(50 << 20); "
                   "os.write(1, b'x' * 10 + bytes([10])); os._exit(0)")
    expect_equal(result.returncode, 0, result.stderr)
    said, _, listing_of = result.stdout.partition(b"\n")
    expect_equal(said, b"x" * 10)
    process = json.loads(listing_of)["processes"][0]
    expect(process["total"]["writable"] > 50 << 20, process["total"])
    for script, status in (("exit 7", 7), ("kill -TERM $$", 128 + 15),
                           ("kill -STOP $$ & wait; exit 3", 3)):
        result = subprocess.Popen(
            [VMSPACE, "maps", "--total", "--", "sh", "-c",
             script.replace("kill -STOP $$ &", "(kill -CONT $$) &")],
            stdout=subprocess.PIPE)
        output = result.communicate()[0]
        expect_equal(result.returncode, status, script)
        expect(output.endswith(b" sh\n"), output)
    for arguments, status in ((["--", "/no/such/program"], 127),
                              (["--", "/etc/passwd"], 126),
                              (["--"], 2), (["1", "--", "true"], 2)):
        result = shown(*arguments)
        expect_equal((result.returncode, result.stdout), (status, b""),
                     arguments)
        expect(result.stderr, arguments)


# --- several processes ----------------------------------------------------------


def processes_are_found_by_name_and_user():
    with Program("found-by-name", THREADS, "-pthread") as program:
        for name in ("found-by-name", "found-by-name"[:15]):
            expect_equal(seen(name)[1]["pid"], program.pid)
        user = pwd.getpwuid(os.getuid()).pw_name
        for who in (user, str(os.getuid())):
            result = run([VMSPACE, "maps", "--json", "--total", "--user", who])
            pids = {process["pid"] for process in
                    json.loads(result.stdout)["processes"]}
            expect({program.pid, target.pid} <= pids, pids)
            expect(result.returncode == 0 or b"maps: process" in result.stderr,
                   result.stderr)


def a_tree_has_all_descendants():
    shell = subprocess.Popen(["sh", "-c", "(echo ready; cat; :); :"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        expect_equal(shell.stdout.readline(), b"ready\n")
        whole = json.loads(maps("--json", "--tree", str(shell.pid)))
        pids = [process["pid"] for process in whole["processes"]]
        expect_equal(pids[0], shell.pid)
        expect(len(pids) >= 2, pids)
        text = maps("--total", "--tree", str(shell.pid)).split(b"\n")
        expect(b"total of %d processes" % len(pids) in text[-2], text)
    finally:
        shell.stdin.close()
        shell.stdout.close()
        shell.wait()


def several_are_shown_one_after_the_other():
    lines = maps(str(target.pid), "self", "--bytes").split(b"\n")
    heads = [line for line in lines if line.startswith(b"process ")]
    expect_equal(len(heads), 2, heads)
    expect(lines[-2].endswith(b"total of 2 processes"), lines[-2])
    once = maps("--total", "--bytes", str(target.pid), str(target.pid))
    expect_equal(len(once.split(b"\n")), 3, once)


def processes_are_sorted_where_that_is_asked():
    pids = [target.pid, os.getpid()]

    def rows(*options):
        text = maps("--total", "--bytes", "--columns=size", *options, *map(str, pids))
        return [line.split() for line in text.decode().splitlines()[1:-1]]

    expect_equal([int(row[1]) for row in rows()], pids)
    sizes = [int(row[0]) for row in rows("--sort=size")]
    expect_equal(sizes, sorted(sizes, reverse=True))
    sizes = [int(row[0]) for row in rows("--sort=-size")]
    expect_equal(sizes, sorted(sizes))
    names = [row[2] for row in rows("--sort=name")]
    expect_equal(names, sorted(names))


def one_that_cannot_be_read_does_not_hide_the_others():
    for nobody in (["2147483647"], ["no-such-name"], ["--user", "2147483647"]):
        result = run([VMSPACE, "maps", "--json", *nobody, str(target.pid)])
        expect_equal(result.returncode, 1)
        expect(nobody[-1].encode() in result.stderr, result.stderr)
        expect_equal([process["pid"] for process in
                      json.loads(result.stdout)["processes"]], [target.pid])
    result = run([VMSPACE, "maps", "no-such-name"])
    expect_equal((result.returncode, result.stdout, result.stderr), (
        1, b"", b"vmspace maps: no-such-name: there is no such process\n"))


def processes_that_come_and_go_do_no_harm():
    churn = subprocess.Popen(
        ["sh", "-c", "while :; do /bin/true; done"], start_new_session=True)
    try:
        for _ in range(30):
            for options in ([], ["--pages"]):
                result = run([VMSPACE, "maps", "--json", *options, "--tree",
                              str(churn.pid)])
                expect_equal((result.returncode, result.stderr), (0, b""))
                whole = json.loads(result.stdout)
                expect_equal(whole["processes"][0]["pid"], churn.pid)
                for process in whole["processes"]:
                    expect_equal(process["total"]["mappings"], sum(
                        owner["mappings"] for owner in process["owners"]))
    finally:
        churn.kill()
        churn.wait()


CASES = [
    each_owner_has_its_kind,
    reservations_are_apart_from_memory,
    stacks_are_told_by_thread,
    arenas_of_malloc_are_told,
    zeros_of_a_program_are_its_own,
    what_lies_behind_zeros_is_not_a_files,
    owners_are_sorted,
    filters_take_a_part_a_pattern_or_a_kind,
    columns_are_chosen,
    differences_are_told,
    what_was_saved_must_have_what_is_asked_for,
    damaged_listings_are_refused,
    names_of_any_bytes_come_back,
    a_program_is_shown_at_its_end,
    processes_are_found_by_name_and_user,
    a_tree_has_all_descendants,
    several_are_shown_one_after_the_other,
    processes_are_sorted_where_that_is_asked,
    one_that_cannot_be_read_does_not_hide_the_others,
    processes_that_come_and_go_do_no_harm,
]

try:
    sys.exit(main(CASES))
finally:
    target.end()
