# SPDX-License-Identifier: MIT
"""What 'vmspace top' writes without a screen, against /proc.

usage: test_top.py VMSPACE MAPPINGS
"""

import json
import os
import pty
import re
import resource
import subprocess
import sys

from cli_test import (Mappings, Skip, expect, expect_equal, main, run, wait_for,
                      written)
from limit_groups import Group
from top_command import (HOSTILE, VMSPACE, WIDE, Family, Promised, accounted, rows, told,
                         top)

PAGE = os.sysconf("SC_PAGE_SIZE")
FIGURES = {"commit", "writable", "reserved", "resident", "anonymous", "file",
           "proportional", "swapped", "minor_faults", "major_faults", "growth",
           "mappings"}
# Prometheus's own parser, of the system's Python.
PARSER = """
import sys
try:
    from prometheus_client.openmetrics import parser
except ImportError:
    sys.exit(77)
for family in parser.text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        print(repr((family.name, family.type, family.unit, sample.name,
                    sample.labels, sample.value)))
"""


def parsed(text):
    """{(name, label values): value} of OpenMetrics text."""
    result = subprocess.run(["/usr/bin/python3", written("parser.py", PARSER)],
                            input=text, capture_output=True, check=False)
    if result.returncode == 77:
        raise Skip("no python3-prometheus-client")
    expect_equal(result.returncode, 0, result.stderr.decode())
    samples = {}
    for line in result.stdout.decode().splitlines():
        _, _, _, name, labels, value = eval(line)
        samples[name, *labels.values()] = value
    return samples


# --- figures --------------------------------------------------------------


def rows_have_the_figures_of_the_kernel():
    with Family() as family:
        have = rows("--delay=0")
        for pid in [family.pid, *family.children]:
            with open(f"/proc/{pid}/statm") as file:
                _, resident, shared, _, _, data, _ = map(int, file.read().split())
            with open(f"/proc/{pid}/stat", "rb") as file:
                stat = file.read().rpartition(b")")[2].split()
            row = have[pid]
            expect_equal((row["resident"], row["file"], row["anonymous"],
                          row["writable"]),
                         (resident * PAGE, shared * PAGE,
                          (resident - shared) * PAGE, data * PAGE))
            expect_equal((row["parent"], row["started"], row["minor_faults_total"]),
                         (int(stat[1]), int(stat[19]), int(stat[7])))
            expect(FIGURES < set(row), row)


def rates_take_two_looks():
    with Family() as family:
        first = told("--tree", str(family.pid), "--delay=0")
        expect_equal(first["seconds"], None)
        expect_equal({row["minor_faults"] for row in first["processes"]}, {None})
        process = subprocess.Popen([VMSPACE, "top", "--json", "--delay=2", "--tree",
                                    str(family.pid)], stdout=subprocess.PIPE)
        # The first look has been: it sleeps.
        wait_for(lambda: b"nanosleep" in wchan(process.pid), "it sleeps")
        family.tell(1000)
        both = json.loads(process.communicate()[0])
        row, = [row for row in both["processes"] if row["pid"] == family.pid]
        expect(1.9 < both["seconds"] < 60, both["seconds"])
        grown = row["growth"] * both["seconds"] / PAGE
        expect(990 < grown < 1100, row, both["seconds"])
        # A fault may bring in several pages.
        expect(row["minor_faults"] > 0 and row["major_faults"] == 0, row)
        child, = [row for row in both["processes"]
                  if row["pid"] == family.children[0]]
        expect_equal((child["growth"], child["minor_faults"]), (0, 0))


def wchan(pid):
    with open(f"/proc/{pid}/wchan", "rb") as file:
        return file.read()


def total_is_the_sum_of_the_rows():
    with Family() as family:
        all_of_it = told("--tree", str(family.pid), "--delay=0")
        for name in ("resident", "writable", "anonymous", "file"):
            expect_equal(all_of_it["total"][name],
                         sum(row[name] for row in all_of_it["processes"]))
        expect_equal((all_of_it["format"], all_of_it["version"], all_of_it["view"],
                      all_of_it["limit"]), ("vmspace top", 1, "tree", None))
        with open("/proc/meminfo") as file:
            ram = int(re.search(r"MemTotal: *(\d+)", file.read())[1])
        expect_equal(all_of_it["machine"]["ram"], ram << 10)


def tree_has_descendants_alone():
    with Family() as family, Family(b"other", b"child") as other:
        expect_equal(set(rows("--tree", str(family.pid), "--delay=0")),
                     {family.pid, *family.children})
        everybody = rows("--delay=0")
        expect({family.pid, *family.children, other.pid, *other.children,
                os.getpid()} <= set(everybody), everybody.keys())


def processes_that_come_and_go_make_no_wrong_figure():
    """A storm of forks, executions and ends."""
    storm = subprocess.Popen(
        ["sh", "-c", "while :; do true & /bin/true; (/bin/true; exit) & wait; done"],
        start_new_session=True)
    try:
        with Family() as family:
            process = subprocess.Popen(
                [VMSPACE, "top", "--json", "--delay=0.1", "--tree", str(storm.pid)],
                stdout=subprocess.PIPE)
            machine = [rows("--delay=0.05") for _ in range(8)]
            for have in machine:
                for pid in family.children:
                    expect_equal((have[pid]["minor_faults"], have[pid]["growth"]),
                                 (0, 0))
                for row in have.values():
                    expect(row["resident"] == row["anonymous"] + row["file"] and
                           row["minor_faults"] is None or row["minor_faults"] >= 0,
                           row)
            tree = json.loads(process.communicate()[0])["processes"]
            expect({row["name"] for row in tree} <= {"sh", "true"}, tree)
            expect(not set(family.children) & {row["pid"] for row in tree}, tree)
    finally:
        os.killpg(storm.pid, 9)
        storm.wait()


def few_descriptors_are_enough():
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))

    with Family() as family:
        have = rows("--tree", str(family.pid), "--delay=0.1", preexec_fn=lower)
        expect_equal(set(have), {family.pid, *family.children})
        expect_equal({row["minor_faults"] for row in have.values()}, {0})


def commit_is_what_the_kernel_accounts():
    """Not what may be written: what never counts, and what counts on, differ from it."""
    with Promised() as promised:
        row = rows("--delay=0")[promised.pid]
        expect_equal(row["commit"], accounted(promised.pid))
        # 1000 GiB without reserve are writable, and 40 MiB that were are not any more.
        expect(row["writable"] >= 1000 << 30, row)
        expect(40 << 20 <= row["commit"] < 200 << 20, row)
        samples = parsed(top("--format=openmetrics"))
        expect_equal(samples["vmspace_process_commit_bytes", str(promised.pid),
                             "promised"], row["commit"])
        text, = (line.split() for line in
                 top("--once", "--bytes", "--delay=0", "--sort=commit").decode()
                 .splitlines()[6:] if line.split()[0] == str(promised.pid))
        expect_equal(text[1], str(row["commit"]))


def pages_tell_more_of_the_resident():
    with Family() as family:
        for row in rows("--pages", "--delay=0", "--tree",
                        str(family.pid)).values():
            expect_equal(row["commit"], accounted(row["pid"]))
            expect(0 < row["proportional"] <= row["resident"] + (64 << 10), row)
        all_of_it = told("--delay=0", "--tree", str(family.pid))
        expect_equal(all_of_it["total"]["commit"],
                     sum(row["commit"] for row in all_of_it["processes"]))
        expect_equal({row["proportional"] for row in all_of_it["processes"]}, {None})
        result = run([VMSPACE, "top", "--once", "--sort=proportional"])
        expect_equal(result.returncode, 2)


def large_memory_is_walked_over_by_request_alone():
    """More than 1 GiB resident, in huge pages where there are."""
    with Promised(resident=(1 << 30) + (64 << 20)) as promised:
        row = rows("--delay=0")[promised.pid]
        if row["resident"] <= 1 << 30:
            raise Skip("no gibibyte of memory stays resident")
        expect_equal(row["commit"], None)
        expect_equal(told("--delay=0", "--tree", str(promised.pid))["total"]["commit"],
                     None)
        row, = rows("--delay=0", "--pages", "--tree", str(promised.pid)).values()
        expect_equal(row["commit"], accounted(promised.pid))


def owners_are_those_of_maps():
    target = Mappings(sys.argv[2])
    try:
        owners = told("--delay=0", str(target.pid))["owners"]
        process, = json.loads(run([VMSPACE, "maps", "--json",
                                   str(target.pid)]).stdout)["processes"]
        expect_equal(
            {(owner["kind"], owner["name"], owner["deleted"], owner["writable"],
              owner["reserved"], owner["mappings"]) for owner in owners},
            {(owner["kind"], owner["name"], owner["deleted"], owner["writable"],
              owner["reserved"], owner["mappings"]) for owner in process["owners"]})
        expect_equal({owner["resident"] for owner in owners}, {None})
        of_pages = told("--delay=0", "--pages", str(target.pid))
        expect(of_pages["total"]["commit"] > 0 and
               of_pages["total"]["resident"] > 0, of_pages["total"])
    finally:
        target.end()


def a_process_that_ends_between_looks_has_ended():
    with Family(b"alpha") as family:
        process = subprocess.Popen([VMSPACE, "top", "--json", "--delay=2",
                                    str(family.pid)], stdout=subprocess.PIPE)
        wait_for(lambda: b"nanosleep" in wchan(process.pid), "it sleeps")
        family.process.kill()
        family.process.wait()
        both = json.loads(process.communicate()[0])
        expect_equal((process.returncode, both["ended"], both["owners"]),
                     (0, True, []))


def group_has_its_limit_and_its_processes():
    probe = run([VMSPACE, "limit", "1G", "--quiet", "true"])
    if probe.returncode == 125:
        raise Skip(probe.stderr.decode().splitlines()[0])
    with Group("--quiet") as group, Family() as stranger:
        expect_equal(group.ask(20), "ok")
        expect_equal(group.ask(50), "Cannot allocate memory")
        for name in (group.name, str(group.pid)):
            have = told("--group", name, "--delay=0.1")
            expect_equal([row["pid"] for row in have["processes"]], [group.pid])
            limit = have["limit"]
            expect_equal((limit["name"], limit["pid"], limit["limit"],
                          limit["refused"], limit["ended"]),
                         (group.name, group.pid, 64 << 20, 1, False))
            expect(20 << 20 <= limit["committed"] <= 40 << 20, limit)
        samples = parsed(top("--format=openmetrics", "--group", group.name))
        expect_equal(samples["vmspace_limit_refusals_total", str(group.pid),
                             group.name], 1)
        expect(stranger.pid not in [row["pid"] for row in have["processes"]])
    result = run([VMSPACE, "top", "--once", "--group", group.name])
    expect_equal(result.returncode, 1)
    expect(b"no group of that name" in result.stderr, result.stderr)


# --- text -----------------------------------------------------------------


def text_has_no_controls_and_is_aligned():
    with Family() as family:
        for locale in ("C.UTF-8", "C"):
            output = top("--once", "--delay=0", "--tree", str(family.pid),
                         env={**os.environ, "LC_ALL": locale})
            expect(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", output), output)
            lines = output.decode().splitlines()
            expect_equal([line.split()[0] for line in lines[:3]],
                         ["Commit", "RAM", "Swap"])
            expect(lines[3].startswith(f"tree of {family.pid}: 4 rows"), lines[3])
            expect_equal(lines[5].split()[:3], ["PID", "COMMIT", "WRITABLE"])
            column = lines[5].index("NAME")
            names = {line[column:] for line in lines[6:]}
            branch = ("\u251c\u2500 ", "\u2514\u2500 ") if locale != "C" else (
                "|- ", "`- ")
            wide = WIDE if locale != "C" else "".join(
                f"\\{byte:03o}" for byte in WIDE.encode())
            expect_equal({name.removeprefix(branch[0]).removeprefix(branch[1])
                          for name in names},
                         {"alpha", "beta", wide, "e\\033[31m\\012vil\\377"})


def once_goes_with_any_format():
    for arguments in (("--format=openmetrics", "--once"), ("--once", "--json"),
                      ("--json", "--once")):
        output = top("--delay=0", "--tree", str(os.getpid()), *arguments)
        expect(output[:1] in b"#{", arguments, output[:80])


def a_filter_and_an_order_are_options():
    with Family() as family:
        lines = top("--once", "--delay=0", "--filter=BET", "--sort=-pid",
                    ).decode().splitlines()[6:]
        expect(all("bet" in line.lower() for line in lines), lines)
        expect(str(family.children[0]) in [line.split()[0] for line in lines], lines)
        numbers = [int(line.split()[0]) for line in
                   top("--once", "--delay=0", "--sort=pid").decode().splitlines()[6:]]
        expect_equal(numbers, sorted(numbers))


# --- OpenMetrics ----------------------------------------------------------


def openmetrics_are_what_the_reference_parser_reads():
    with Family() as family:
        text = top("--format=openmetrics")
        expect(text.endswith(b"\n# EOF\n"), text[-80:])
        samples = parsed(text)
        have = rows("--delay=0")
        hostile = family.children[-1]
        name = "e\\033[31m\\012vil\\377"
        expect_equal(HOSTILE[:1], b"e")
        expect_equal(samples["vmspace_process_resident_bytes", str(hostile), name],
                     have[hostile]["resident"])
        expect_equal(samples["vmspace_process_minor_faults_total",
                             str(family.pid), "alpha"],
                     have[family.pid]["minor_faults_total"])
        expect_equal(samples["vmspace_machine_ram_bytes",],
                     told("--delay=0")["machine"]["ram"])
        target = Mappings(sys.argv[2])
        try:
            owned = parsed(top("--format=openmetrics", str(target.pid)))
        finally:
            target.end()
        expect(owned["vmspace_owner_writable_bytes", "stack", "false", "[stack]"] > 0,
               owned)


# --- what is refused ------------------------------------------------------


def wrong_arguments_are_told():
    for arguments, word in (
            (["--sort=nothing"], b"no column 'nothing'"),
            (["--delay=x"], b"'x'"), (["--delay=-1"], b"'-1'"),
            (["--delay=nan"], b"'nan'"), (["--delay=1e99"], b"'1e99'"),
            (["--delay=0"], b"at least"),
            (["--tree=0"], b"'0'"), (["--tree=1", "1"], b"at a time"),
            (["--format=xml"], b"'xml'"), (["--listen=here"], b"'here'"),
            (["--listen=127.0.0.1:70000"], b"70000"),
            (["--listen=127.0.0.1:0", "--json"], b"openmetrics"),
            (["--listen=127.0.0.1:0", "--once"], b"openmetrics"),
            (["--filter=" + "x" * 64], b"63 bytes"), (["--nothing"], b"nothing")):
        result = run([VMSPACE, "top", *arguments])
        expect_equal(result.returncode, 2, arguments)
        expect(word in result.stderr, arguments, result.stderr)
    for arguments, word in ((["--once", "--tree=2147483647"], b"no such process"),
                            (["--once", "2147483647"], b"no memory to list"),
                            (["--once", "no such name"], b"no process has that")):
        result = run([VMSPACE, "top", *arguments])
        expect_equal(result.returncode, 1, arguments)
        expect(word in result.stderr and result.stdout == b"", arguments,
               result.stderr)


def without_a_terminal_there_is_no_screen():
    result = run([VMSPACE, "top"])
    expect_equal((result.returncode, result.stdout), (1, b""))
    expect(b"--once" in result.stderr, result.stderr)
    for name in ("dumb", "no-such-terminal", None):
        master, slave = pty.openpty()
        environment = {**os.environ, "TERM": name} if name else {
            key: value for key, value in os.environ.items() if key != "TERM"}
        result = subprocess.run([VMSPACE, "top"], stdin=slave, stdout=slave,
                                stderr=subprocess.PIPE, env=environment, timeout=600)
        expect_equal(result.returncode, 1, name)
        expect(b"--once" in result.stderr, result.stderr)
        os.set_blocking(master, False)
        try:
            expect_equal(os.read(master, 4096), b"", name)
        except BlockingIOError:
            pass
        os.close(master)
        os.close(slave)


sys.exit(main([
    rows_have_the_figures_of_the_kernel,
    rates_take_two_looks,
    total_is_the_sum_of_the_rows,
    tree_has_descendants_alone,
    processes_that_come_and_go_make_no_wrong_figure,
    few_descriptors_are_enough,
    commit_is_what_the_kernel_accounts,
    pages_tell_more_of_the_resident,
    large_memory_is_walked_over_by_request_alone,
    owners_are_those_of_maps,
    a_process_that_ends_between_looks_has_ended,
    group_has_its_limit_and_its_processes,
    text_has_no_controls_and_is_aligned,
    once_goes_with_any_format,
    a_filter_and_an_order_are_options,
    openmetrics_are_what_the_reference_parser_reads,
    wrong_arguments_are_told,
    without_a_terminal_there_is_no_screen,
]))
