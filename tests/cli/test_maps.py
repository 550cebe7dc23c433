# SPDX-License-Identifier: MIT
"""'vmspace maps' against /proc/PID of a program with mappings of many kinds.

usage: test_maps.py VMSPACE MAPPINGS
"""

import json
import os
import re
import sys

from cli_test import Mappings, Skip, expect, expect_equal, main, run

VMSPACE, PROGRAM = sys.argv[1:3]
PAGE = os.sysconf("SC_PAGE_SIZE")
ROW = re.compile(
    rb"([0-9a-f]{12,16})-([0-9a-f]{12,16}) +(\S+)  ([r-][w-][x-])   "
    rb"(private|shared )  +(\S+) +(\S+)  (\S+) +(\S.*)")

target = Mappings(PROGRAM)


def maps(*arguments):
    result = run([VMSPACE, "maps", *arguments])
    expect_equal(result.stderr, b"")
    expect_equal(result.returncode, 0)
    return result.stdout


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
    return json.loads(maps("--json", str(pid or target.pid)))


def made(kind):
    """The JSON of a mapping of the program; skips where the host refused."""
    if kind in target.skipped:
        raise Skip(f"{kind}: {target.skipped[kind]}")
    start, length = target.made[kind]
    for mapping in listing()["mappings"]:
        if int(mapping["start"], 16) == start:
            expect_equal(mapping["size"], length, kind)
            return mapping
    raise AssertionError(f"{kind} is not in the listing")


def text_row(kind):
    start = b"%012x-" % target.made[kind][0]
    for line in maps(str(target.pid)).split(b"\n"):
        if line.startswith(start):
            return line
    raise AssertionError(f"{kind} is not in the listing")


def text_has_every_mapping_of_the_kernel():
    lines = maps(str(target.pid)).split(b"\n")
    expect_equal(lines[0], b"process %d: bad\\033[2Jname" % target.pid)
    expect(lines[1].startswith(b"ADDRESS"), lines[1])
    expect_equal(lines[-1], b"")
    rows = [ROW.fullmatch(line) for line in lines[2:-2]]
    expect(all(rows), lines)
    have = [(int(row[1], 16), int(row[2], 16),
             row[4].decode() + row[5].decode()[0]) for row in rows]
    expect_equal(have, [line[:3] for line in kernel_maps(target.pid)])


def text_ends_with_the_total():
    last = maps("--bytes", str(target.pid)).split(b"\n")[-2].decode()
    total = listing()["total"]
    have = re.fullmatch(r"total (\d+) mappings +(\d+) +(\d+) +(\d+)", last)
    expect(have, last)
    expect_equal([int(number) for number in have.groups()],
                 [total["mappings"], total["size"], total["committed"],
                  total["resident"]])


def text_columns_are_aligned():
    for options in ([], ["--bytes"]):
        lines = maps(*options, str(target.pid)).split(b"\n")[1:-2]
        column = lines[0].index(b"CONTENT")
        for line in lines:
            if b"[vsyscall]" not in line:
                expect(line[column - 1:column] == b" " and
                       line[column:column + 1] != b" ", line)


def text_never_has_control_characters():
    output = maps(str(target.pid))
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
    expect(text_row("anon_rw").endswith(b"[anon]"))
    expect(b"[anon:ring buffer: 2]" in text_row("named")
           if "named" in target.made else True)


def json_has_every_mapping_of_the_kernel():
    have = [(int(m["start"], 16), int(m["end"], 16),
             m["prot"] + m["sharing"][0]) for m in listing()["mappings"]]
    expect_equal(have, [line[:3] for line in kernel_maps(target.pid)])


def json_has_the_figures_of_the_kernel():
    figures = kernel_figures(target.pid)
    for mapping in listing()["mappings"]:
        figure = figures[int(mapping["start"], 16)]
        size = int(mapping["end"], 16) - int(mapping["start"], 16)
        expect_equal(mapping["size"], size)
        expect_equal(mapping["resident"], 1024 * sum(
            int(figure[key][0])
            for key in ("Rss", "Shared_Hugetlb", "Private_Hugetlb")))
        expect_equal(mapping["page_size"],
                     1024 * int(figure["KernelPageSize"][0]))
        expect_equal(mapping["committed"],
                     size if "ac" in figure["VmFlags"] else 0, mapping)


def json_totals_are_the_sums():
    whole = listing()
    total = whole["total"]
    expect_equal(total["mappings"], len(whole["mappings"]))
    for key in ("size", "committed", "resident"):
        expect_equal(total[key], sum(m[key] for m in whole["mappings"]), key)


def json_always_has_the_same_members():
    keys = {"start", "end", "size", "prot", "sharing", "anonymous",
            "committed", "resident", "page_size", "flags", "name", "path",
            "deleted", "offset", "device", "inode"}
    for mapping in listing()["mappings"]:
        expect_equal(set(mapping) - {"path_bytes"}, keys)


def total_alone_is_the_same_total():
    whole = listing()
    short = json.loads(maps("-jt", str(target.pid)))
    expect_equal(set(short), {"pid", "command", "total"})
    expect_equal(short["total"], whole["total"])
    expect_equal(short["pid"], target.pid)
    lines = maps("--total", "--bytes", str(target.pid)).split(b"\n")
    expect_equal(len(lines), 4, lines)
    expect(str(whole["total"]["size"]).encode() in lines[2].split(), lines)


def self_is_the_command():
    own = json.loads(maps("self", "--json"))
    expect_equal(own["command"], "vmspace")
    paths = {m["path"] for m in own["mappings"]}
    expect(os.path.realpath(VMSPACE) in paths, paths)
    expect(maps("self").startswith(b"process "))


def touched_pages_are_resident_and_all_are_committed():
    mapping = made("anon_rw")
    expect_equal(mapping["resident"], 2 * PAGE)
    expect_equal(mapping["committed"], 4 * PAGE)
    expect_equal((mapping["prot"], mapping["sharing"], mapping["anonymous"],
                  mapping["path"], mapping["name"], mapping["inode"]),
                 ("rw-", "private", True, None, None, None))


def memory_that_cannot_be_written_is_not_committed():
    for kind, prot in (("anon_none", "---"), ("anon_read", "r--"),
                       ("anon_exec", "r-x")):
        mapping = made(kind)
        expect_equal((mapping["committed"], mapping["prot"]), (0, prot))


def noreserve_is_not_committed():
    with open("/proc/sys/vm/overcommit_memory") as file:
        strict = file.read().strip() == "2"
    if strict:
        raise Skip("overcommit mode 2 ignores MAP_NORESERVE")
    mapping = made("noreserve")
    expect_equal(mapping["committed"], 0)
    expect("noreserve" in mapping["flags"], mapping)


def flag_case(kind):
    def case():
        expect(kind in made(kind)["flags"], made(kind))
    case.__name__ = f"{kind}_is_told"
    return case


def shared_anonymous_memory_has_no_path():
    mapping = made("shared_anon")
    expect_equal((mapping["sharing"], mapping["anonymous"], mapping["path"],
                  mapping["committed"]), ("shared", True, None, 0))


def names_are_told():
    for kind, name in (("named", "ring buffer: 2"),
                       ("shared_named", "shared ring")):
        mapping = made(kind)
        expect_equal((mapping["name"], mapping["path"], mapping["anonymous"]),
                     (name, None, True))


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
                      mapping["anonymous"]),
                     (path, sharing, False, offset,
                      str(os.stat(path).st_ino), False), kind)
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
    expect_equal((mapping["path"], mapping["deleted"], mapping["anonymous"],
                  mapping["sharing"]),
                 ("/memfd:queue", True, False, "shared"))


def device_that_gives_zeroes_is_a_file():
    mapping = made("zero")
    expect_equal((mapping["path"], mapping["anonymous"]),
                 ("/dev/zero", False))


def system_v_segment_is_anonymous():
    mapping = made("system_v")
    expect_equal((mapping["path"], mapping["anonymous"], mapping["sharing"],
                  mapping["name"]),
                 (None, True, "shared", "/SYSV00000000"))


def huge_pages_are_counted():
    mapping = made("hugetlb")
    expect("hugetlb" in mapping["flags"], mapping)
    expect_equal((mapping["resident"], mapping["anonymous"],
                  mapping["path"], mapping["offset"]),
                 (mapping["page_size"], True, None, "0x0"))


def thousands_of_mappings_are_listed():
    many = Mappings(PROGRAM, 5000)
    try:
        whole = listing(many.pid)
        want = kernel_maps(many.pid)
        expect(len(want) > 5000, len(want))
        expect_equal([int(m["start"], 16) for m in whole["mappings"]],
                     [line[0] for line in want])
    finally:
        many.end()


CASES = [
    text_has_every_mapping_of_the_kernel,
    text_ends_with_the_total,
    text_columns_are_aligned,
    text_never_has_control_characters,
    text_tells_what_is_in_a_mapping,
    json_has_every_mapping_of_the_kernel,
    json_has_the_figures_of_the_kernel,
    json_totals_are_the_sums,
    json_always_has_the_same_members,
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
