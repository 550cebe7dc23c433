# SPDX-License-Identifier: MIT
"""'vmspace maps' against /proc/PID of a program with mappings of many kinds.

usage: test_maps.py VMSPACE MAPPINGS
"""

import json
import os
import re
import sys

from cli_test import Mappings, Skip, expect, expect_equal, main
from maps_command import (COLUMNS, OF_PAGES, PROGRAM, VMSPACE, maps, seen, table,
                          target)

PAGE = os.sysconf("SC_PAGE_SIZE")
ROW = re.compile(rb"((?: *\S+  )+) *([0-9a-f]{12,16})-([0-9a-f]{12,16})  "
                 rb"([r-][w-][x-][ps])  (\S.*)")


def kernel_maps(pid):
    """(start, end, rights, path bytes) of each line of /proc/PID/maps."""
    lines = []
    with open(f"/proc/{pid}/maps", "rb") as file:
        for line in file.read().split(b"\n")[:-1]:
            fields = line.split(None, 5)
            start, end = (int(part, 16) for part in fields[0].split(b"-"))
            lines.append((start, end, fields[1].decode(),
                          fields[5] if len(fields) > 5 else b""))
    return lines


def kernel_figures(pid):
    """{start: {key: value}} of /proc/PID/smaps."""
    figures = {}
    with open(f"/proc/{pid}/smaps", "rb") as file:
        for line in file.read().split(b"\n")[:-1]:
            if re.match(rb"[0-9a-f]+-", line):
                current = figures[int(line.split(b"-")[0], 16)] = {}
            else:
                key, value = line.decode().split(":")
                current[key] = value.split()
    return figures


def listing(pid=None):
    return seen("--list", "--pages", str(pid or target.pid))[1]


def length(mapping):
    return int(mapping["end"], 16) - int(mapping["start"], 16)


def made(kind):
    """The JSON of a mapping of the program; skips where the host refused."""
    if kind in target.skipped:
        raise Skip(f"{kind}: {target.skipped[kind]}")
    start, size = target.made[kind]
    for mapping in listing()["list"]:
        if int(mapping["start"], 16) == start:
            expect_equal(length(mapping), size, kind)
            return mapping
    raise AssertionError(f"{kind} is not in the listing")


def text_row(kind):
    start = b"  %012x-" % target.made[kind][0]
    for line in maps("--list", str(target.pid)).split(b"\n"):
        if start in line:
            return line
    raise AssertionError(f"{kind} is not in the listing")


def text_has_every_mapping_of_the_kernel():
    for options in (["--list"], ["--list", "--pages"]):
        head = maps(*options, str(target.pid))
        expect(head.startswith(b"process %d bad\\033[2Jname: %d mappings" %
                               (target.pid, len(kernel_maps(target.pid)))),
               head)
        lines = table(*options, str(target.pid))
        expect(b"ADDRESSES" in lines[0], lines[0])
        rows = [ROW.fullmatch(line) for line in lines[1:-1]]
        expect(all(rows), lines)
        have = [(int(row[2], 16), int(row[3], 16), row[4].decode())
                for row in rows]
        expect_equal(have, [line[:3] for line in kernel_maps(target.pid)])


def text_ends_with_the_total():
    for options in ([], ["--list"], ["--all"]):
        last = maps("--bytes", *options,
                    str(target.pid)).split(b"\n")[-2].decode()
        process = seen(str(target.pid))[1]
        have = re.fullmatch(r" *(\d+) +(\d+) +(\d+) +(\d+)  total of (\d+) (\w+)",
                            last)
        expect(have, last)
        expect_equal([int(number) for number in have.groups()[:4]],
                     [process["total"][name] for name in
                      ("size", "reserved", "writable", "mappings")])
        expect_equal(int(have[5]), process["total"]["mappings"]
                     if options == ["--list"] else len(process["owners"]))


def text_columns_are_aligned():
    for options in ([], ["--bytes"], ["--pages", "--columns", "all"]):
        lines = table(*options, str(target.pid))
        column = lines[0].index(b"OWNER")
        for line in lines:
            expect(line[column - 2:column] == b"  " and
                   line[column:column + 1] != b" ", line)


def all_has_the_mappings_of_each_owner_below_it():
    lines = table("--all", "--bytes", str(target.pid))[1:-1]
    shown = {}
    for line in lines:
        row = ROW.fullmatch(line)
        figures = [int(word) for word in line.split()[:4]]
        if not row:
            owner = shown[line] = figures + [0, 0, 0, 0]
        else:
            owner[4:] = [a + b for a, b in zip(owner[4:], figures)]
    expect_equal(len(shown), len(seen(str(target.pid))[1]["owners"]))
    for line, figures in shown.items():
        expect_equal(figures[:4], figures[4:], line)


def text_never_has_control_characters():
    for options in ([], ["--list"], ["--all"], ["--total"]):
        output = maps(*options, str(target.pid))
        expect(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", output), output)
        output.decode("utf-8")
        expect(b"\xc2\x9b" not in output, output)
    expect(b"\\033[31mred\\302\\233m" in text_row("file_escape"))
    expect(b"new\\012line" in text_row("file_newline"))
    expect(b"back\\\\slash" in text_row("file_backslash"))


def text_tells_what_is_in_a_mapping():
    expect(text_row("file_private").endswith(
        b"/plain+0x%x" % (2 * PAGE)), text_row("file_private"))
    expect(text_row("file_shared").endswith(b"/shared"))
    expect(text_row("file_deleted").endswith(b"/gone+0x%x (deleted)" % PAGE))
    expect(text_row("anon_rw").endswith(b"  [anon]"))
    expect(b"[anon:ring buffer: 2]" in text_row("named")
           if "named" in target.made else True)


def json_has_every_mapping_of_the_kernel():
    for options in ([], ["--pages"]):
        process = seen("--list", *options, str(target.pid))[1]
        have = [(int(m["start"], 16), int(m["end"], 16),
                 m["prot"] + m["sharing"][0]) for m in process["list"]]
        expect_equal(have, [line[:3] for line in kernel_maps(target.pid)])


def json_has_the_figures_of_the_kernel():
    figures = kernel_figures(target.pid)

    def kib(figure, *keys):
        return 1024 * sum(int(figure.get(key, ["0"])[0]) for key in keys)

    for mapping in listing()["list"]:
        figure = figures[int(mapping["start"], 16)]
        flags = figure["VmFlags"]
        has_access = mapping["prot"] != "---"
        size = length(mapping)
        resident = kib(figure, "Rss", "Shared_Hugetlb", "Private_Hugetlb")
        anonymous = kib(figure, "Anonymous", "Private_Hugetlb")
        expect_equal(mapping["page_size"], kib(figure, "KernelPageSize"))
        expect_equal({name: mapping[name] for name in COLUMNS}, {
            "size": size if has_access else 0,
            "reserved": 0 if has_access else size,
            "writable": size if mapping["prot"][1] == "w" and
            mapping["sharing"] == "private" else 0,
            "commit": size if "ac" in flags else 0,
            "resident": resident,
            "anonymous": anonymous,
            "file": resident - anonymous,
            # It changes with what other processes do.
            "proportional": kib(figure, "Pss") if resident == anonymous else
            min(mapping["proportional"], resident),
            "swapped": kib(figure, "Swap"),
            "huge": kib(figure, "AnonHugePages", "ShmemPmdMapped",
                        "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb"),
            "locked": size if "lo" in flags else 0,
            "mappings": 1}, mapping)


def json_totals_are_the_sums():
    process = listing()
    for name in COLUMNS:
        for parts in ("list", "owners"):
            expect_equal(process["total"][name],
                         sum(part[name] for part in process[parts]), name)
    for owner in process["owners"]:
        own = [m for m in process["list"] if m["owner"] == owner["owner"]]
        for name in COLUMNS:
            expect_equal(owner[name], sum(m[name] for m in own), owner)


def json_always_has_the_same_members():
    for options in ([], ["--pages"]):
        whole, process = seen("--all", *options, str(target.pid))
        expect_equal(set(whole), {"format", "version", "difference", "pages",
                                  "processes"})
        expect_equal(whole["pages"], bool(options))
        expect_equal(set(process), {"pid", "command", "status", "bounds",
                                    "owners", "list", "total"})
        for owner in process["owners"]:
            expect_equal(set(owner) - {"name_bytes"},
                         {"owner", "kind", "name", "deleted", *COLUMNS})
        for mapping in process["list"]:
            expect_equal(set(mapping) - {"path_bytes"},
                         {"start", "end", "prot", "sharing", "content",
                          "page_size", "flags", "name", "path", "deleted",
                          "offset", "device", "inode", "owner", *COLUMNS})


def figures_that_were_not_read_are_null():
    process = seen("--list", str(target.pid))[1]
    for part in (*process["list"], *process["owners"], process["total"]):
        for name in COLUMNS:
            expect_equal(part[name] is None, name in OF_PAGES, name)
    expect_equal({m["flags"] for m in process["list"]}, {None})


def status_is_that_of_the_kernel():
    with open(f"/proc/{target.pid}/status") as file:
        figures = dict(line.split(":", 1) for line in file)
    expect_equal(seen(str(target.pid))[1]["status"], {
        name: 1024 * int(figures[key].split()[0]) for name, key in (
            ("resident", "VmRSS"), ("resident_anonymous", "RssAnon"),
            ("resident_file", "RssFile"), ("resident_shared", "RssShmem"),
            ("swapped", "VmSwap"), ("locked", "VmLck"))})


def total_alone_is_the_same_total():
    process = listing()
    short = seen("--total", "--pages", str(target.pid))[1]
    expect_equal(set(short), {"pid", "command", "status", "total"})
    for name in set(COLUMNS) - {"proportional"}:
        expect_equal(short["total"][name], process["total"][name], name)
    expect_equal(short["pid"], target.pid)
    lines = maps("--total", "--bytes", str(target.pid)).split(b"\n")
    expect_equal(len(lines), 3, lines)
    expect(str(process["total"]["size"]).encode() in lines[1].split(), lines)
    expect(lines[1].endswith(b"  %d bad\\033[2Jname" % target.pid), lines)


def self_is_the_command():
    own = seen("--list", "self")[1]
    expect_equal(own["command"], "vmspace")
    paths = {m["path"] for m in own["list"]}
    expect(os.path.realpath(VMSPACE) in paths, paths)
    expect(maps("self").startswith(b"process "))


# --- mappings -----------------------------------------------------------------


def touched_pages_are_resident_and_all_are_committed():
    mapping = made("anon_rw")
    expect_equal(mapping["resident"], 2 * PAGE)
    expect_equal(mapping["commit"], 4 * PAGE)
    expect_equal((mapping["prot"], mapping["sharing"], mapping["content"],
                  mapping["path"], mapping["name"], mapping["inode"]),
                 ("rw-", "private", "memory", None, None, None))


def memory_that_cannot_be_written_is_not_committed():
    for kind, prot in (("anon_none", "---"), ("anon_read", "r--"),
                       ("anon_exec", "r-x")):
        mapping = made(kind)
        expect_equal((mapping["commit"], mapping["prot"]), (0, prot))


def noreserve_is_not_committed():
    with open("/proc/sys/vm/overcommit_memory") as file:
        strict = file.read().strip() == "2"
    if strict:
        raise Skip("overcommit mode 2 ignores MAP_NORESERVE")
    mapping = made("noreserve")
    expect_equal(mapping["commit"], 0)
    expect("noreserve" in mapping["flags"], mapping)


def flag_case(kind):
    def case():
        expect(kind in made(kind)["flags"], made(kind))
    case.__name__ = f"{kind}_is_told"
    return case


def shared_anonymous_memory_has_no_path():
    mapping = made("shared_anon")
    expect_equal((mapping["sharing"], mapping["content"], mapping["path"],
                  mapping["commit"]), ("shared", "memory", None, 0))


def names_are_told():
    for kind, name in (("named", "ring buffer: 2"),
                       ("shared_named", "shared ring")):
        mapping = made(kind)
        expect_equal((mapping["name"], mapping["path"], mapping["content"]),
                     (name, None, "memory"))


def files_are_told():
    for kind, name, sharing, offset in (
            ("file_private", "plain", "private", 2 * PAGE),
            ("file_shared", "shared", "shared", 0),
            ("file_shared_readonly", "readonly", "shared", 0),
            ("file_spaces", " two  spaces ", "private", 0),
            ("file_newline", "new\nline", "private", 0),
            ("file_backslash", "back\\slash", "private", 0),
            ("file_escape", "\033[31mred\u009bm", "private", 0)):
        mapping = made(kind)
        path = target.path(name)
        expect_equal((mapping["path"], mapping["sharing"], mapping["deleted"],
                      int(mapping["offset"], 16), mapping["inode"],
                      mapping["content"]),
                     (path, sharing, False, offset,
                      str(os.stat(path).st_ino), "file"), kind)
        expect("path_bytes" not in mapping, mapping)


def device_is_that_of_the_file():
    device = os.stat(target.path("plain")).st_dev
    with open("/proc/self/mountinfo") as file:
        devices = {line.split()[2] for line in file}
    want = f"{os.major(device)}:{os.minor(device)}"
    if want not in devices:
        raise Skip("the file system of the files has devices of its own")
    expect_equal(made("file_private")["device"], want)


def path_that_is_not_utf8_is_given_in_bytes():
    mapping = made("file_bytes")
    expect_equal(mapping["path"],
                 target.path("caf\u00e9 \ufffd\ufffd\ufffd"))
    expect_equal(bytes.fromhex(mapping["path_bytes"]),
                 os.fsencode(target.path("")) + b"caf\xc3\xa9 \xff\xc0\xaf")


def deleted_file_is_told():
    mapping = made("file_deleted")
    expect_equal((mapping["path"], mapping["deleted"]),
                 (target.path("gone"), True))


def memfd_is_a_file():
    mapping = made("memfd")
    expect_equal((mapping["path"], mapping["deleted"], mapping["content"],
                  mapping["sharing"]),
                 ("/memfd:queue", True, "file", "shared"))


def device_that_gives_zeroes_is_a_file():
    mapping = made("zero")
    expect_equal((mapping["path"], mapping["content"]),
                 ("/dev/zero", "file"))


def system_v_segment_is_anonymous():
    mapping = made("system_v")
    expect_equal((mapping["path"], mapping["content"], mapping["sharing"],
                  mapping["name"]),
                 (None, "memory", "shared", "/SYSV00000000"))


def huge_pages_are_counted():
    mapping = made("hugetlb")
    expect("hugetlb" in mapping["flags"], mapping)
    expect_equal((mapping["resident"], mapping["content"],
                  mapping["path"], mapping["offset"]),
                 (mapping["page_size"], "memory", None, "0x0"))


def thousands_of_mappings_are_listed():
    many = Mappings(PROGRAM, 5000)
    try:
        whole = listing(many.pid)
        want = kernel_maps(many.pid)
        expect(len(want) > 5000, len(want))
        expect_equal([int(m["start"], 16) for m in whole["list"]],
                     [line[0] for line in want])
    finally:
        many.end()


CASES = [
    text_has_every_mapping_of_the_kernel,
    text_ends_with_the_total,
    text_columns_are_aligned,
    all_has_the_mappings_of_each_owner_below_it,
    text_never_has_control_characters,
    text_tells_what_is_in_a_mapping,
    json_has_every_mapping_of_the_kernel,
    json_has_the_figures_of_the_kernel,
    json_totals_are_the_sums,
    json_always_has_the_same_members,
    figures_that_were_not_read_are_null,
    status_is_that_of_the_kernel,
    total_alone_is_the_same_total,
    self_is_the_command,
    touched_pages_are_resident_and_all_are_committed,
    memory_that_cannot_be_written_is_not_committed,
    noreserve_is_not_committed,
    *[flag_case(kind) for kind in (
        "locked", "growsdown", "sealed", "dontfork", "wipeonfork", "dontdump",
        "mergeable", "hugepage", "nohugepage")],
    shared_anonymous_memory_has_no_path,
    names_are_told,
    files_are_told,
    device_is_that_of_the_file,
    path_that_is_not_utf8_is_given_in_bytes,
    deleted_file_is_told,
    memfd_is_a_file,
    device_that_gives_zeroes_is_a_file,
    system_v_segment_is_anonymous,
    huge_pages_are_counted,
    thousands_of_mappings_are_listed,
]

try:
    sys.exit(main(CASES))
finally:
    target.end()
