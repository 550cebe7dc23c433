# SPDX-License-Identifier: MIT
"""The names of spaces that 'vmspace maps' shows.

usage: test_maps_names.py VMSPACE NAMED_SPACES EXAMPLE README
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from cli_test import expect, expect_equal, main, run

VMSPACE, PROGRAM, EXAMPLE, README = map(os.path.abspath, sys.argv[1:5])
KINDS = {"space", "buffers", "vmspace heap", "vmspace file", "share", "ring",
         "stacks", "code", "pool"}


class Named:
    """The program, until the end of the block."""

    def __init__(self, *arguments, names=None):
        self.arguments = arguments
        self.environment = dict(os.environ)
        self.environment.pop("VMSPACE_NAMES", None)
        if names:
            self.environment["VMSPACE_NAMES"] = names

    def __enter__(self):
        self.process = subprocess.Popen(
            [PROGRAM, *self.arguments], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=self.environment)
        self.pid = self.process.pid
        self.lines = []
        while not self.lines or self.lines[-1] != "ready":
            line = self.process.stdout.readline().decode()
            expect(line, "the program has ended")
            self.lines.append(line.strip())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def maps(*arguments):
    result = run([VMSPACE, "maps", *arguments])
    expect_equal((result.stderr, result.returncode), (b"", 0))
    return result.stdout


def process_of(pid, *arguments):
    return json.loads(maps("--json", *arguments, str(pid)))["processes"][0]


def told(process):
    """{name: owner} of what the process has told."""
    return {bytes.fromhex(owner["name_bytes"]) if "name_bytes" in owner
            and owner["name_bytes"] else owner["name"].encode(): owner
            for owner in process["owners"] if owner["kind"] in KINDS}


def expect_spaces(owners, unnamed, path, pages):
    log = owners[b"my log"]
    expect_equal(log["kind"], "space")
    expect_equal(log["size"] + log["reserved"], 1 << 20, log)
    expect_equal(log["size"], 1 << 19, log)
    if pages:
        expect(log["resident"] >= 1 << 19, log)
    odd = owners[b"odd\n\033[1m\xff\\012 (deleted)"]
    expect_equal((odd["kind"], odd["deleted"]), ("space", False))
    expect_equal(owners[unnamed]["reserved"], 1 << 20)
    expect_equal(owners[path]["kind"], "vmspace file")


def rows(process, kind):
    return {owner["name"]: owner for owner in process["owners"]
            if owner["kind"] == kind}


def expect_shared(process, directory):
    for kind in ("share", "ring"):
        named = rows(process, kind)
        unnamed = [name for name in named if name.startswith("0x")]
        expect_equal(set(named), {f"{directory}/{kind}", *unnamed})
        expect_equal(len(unnamed), 1, named)
    # Two parts of this process in one share.
    share = rows(process, "share")
    expect_equal(share[f"{directory}/share"]["size"],
                 2 * share[unnamed_of(share)]["size"])


def unnamed_of(owners):
    return next(name for name in owners if name.startswith("0x"))


def expect_parts(process, buffer_bytes):
    """What is in a space of the program's is not counted to that."""
    stacks, code = rows(process, "stacks"), rows(process, "code")
    expect_equal(set(stacks), {"workers", "within"})
    expect_equal(set(code), {"home", unnamed_of(code)})
    expect_equal(stacks["within"]["size"] + stacks["within"]["reserved"],
                 stacks["workers"]["size"] + stacks["workers"]["reserved"])
    home = rows(process, "space")["home"]
    expect_equal(home["size"], 1 << 20)
    expect(home["reserved"] < 63 << 20, home)
    buffers = rows(process, "buffers")["home"]
    expect_equal(buffers["size"] + buffers["reserved"], buffer_bytes)
    expect_equal(set(rows(process, "pool")), {"my pages"})


def each_kind_has_its_row():
    with tempfile.TemporaryDirectory() as directory:
        with Named("kinds", directory) as named:
            for pages in ((), ("--pages",)):
                process = process_of(named.pid, *pages)
                owners = told(process)
                expect_spaces(owners, named.lines[0].encode(),
                              f"{directory}/data".encode(), pages)
                expect_shared(process, directory)
                expect_parts(process, int(named.lines[1]))
                expect_equal({owner["kind"] for owner in owners.values()},
                             KINDS)
                with open(f"/proc/{named.pid}/maps", "rb") as lines:
                    expect_equal(process["total"]["mappings"],
                                 len(lines.readlines()))
            text = maps(str(named.pid))
            expect(b"[space:my log]" in text, text)
            expect(b"\033" not in text, text)


def names_in(listing):
    """What is told in a listing, without addresses."""
    return {re.sub("0x[0-9a-f]+", "0x", name) for name in
            re.findall(r"  (\[(?:%s):.*\])$" % "|".join(KINDS), listing,
                       re.MULTILINE)}


def the_example_is_as_the_readme_shows_it():
    with tempfile.TemporaryDirectory() as directory:
        result = run([VMSPACE, "maps", "--", EXAMPLE], cwd=directory)
        expect_equal((result.stderr, result.returncode), (b"", 0))
    listing = result.stdout.decode()
    with open(README, encoding="utf-8") as file:
        shown = names_in(file.read())
    expect_equal(names_in(listing), shown)
    # Each kind that there is.
    expect_equal(len(shown), len(KINDS))
    expect("of 256M in the budget tenants\n" in listing, listing)


def mappings_have_their_owner_and_their_label():
    with tempfile.TemporaryDirectory() as directory:
        with Named("kinds", directory) as named:
            process = process_of(named.pid, "--list")
            for owner in process["owners"]:
                own = [m for m in process["list"] if m["owner"] == owner["owner"]]
                expect_equal(sum(m["size"] for m in own), owner["size"], owner)
                expect(own or owner["mappings"] == 0, owner)
                if owner["kind"] == "space":
                    expect_equal({m["name"] for m in own}, {None}, owner)
            expect(b"[anon]\n" in maps("--list", "--filter", "my log",
                                       str(named.pid)))


def filters_take_names_as_they_are_shown():
    with tempfile.TemporaryDirectory() as directory:
        with Named("kinds", directory) as named:
            for text, want in (("[space:my log]", {"my log"}),
                               ("[stacks:*", {"workers", "within"}),
                               ("my l?g", {"my log"})):
                owners = process_of(named.pid, "--filter", text)["owners"]
                expect_equal({owner["name"] for owner in owners}, want, text)


def the_environment_switches_names_off():
    with tempfile.TemporaryDirectory() as directory:
        with Named("kinds", directory, names="off") as named:
            expect_equal(told(process_of(named.pid)), {})


def a_saved_listing_keeps_them():
    with tempfile.TemporaryDirectory() as directory:
        saved = os.path.join(directory, "saved")
        with Named("kinds", directory) as named:
            with open(saved, "wb") as file:
                file.write(maps("--json", str(named.pid)))
            text = maps("--diff", saved, str(named.pid))
        expect(b"my log" not in text and b"total of 0 owners" in text, text)


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return int(children.read())


def a_child_is_not_called_as_its_parent():
    with Named("forked") as named:
        child = child_of(named.pid)
        expect_equal(set(told(process_of(named.pid))), {b"of the parent"})
        expect_equal(set(told(process_of(child))),
                     {b"of the parent", b"of the child"})
        # It has the descriptor alone.
        expect_equal(told(process_of(child_of(child))), {})


def a_hostile_table_is_read_with_distrust():
    with Named("hostile") as named:
        process = process_of(named.pid)
        with open(f"/proc/{named.pid}/maps", "rb") as lines:
            lines = lines.readlines()
        expect_equal(process["total"]["mappings"], len(lines))
        size = sum(int(line.split()[0].split(b"-")[1], 16) -
                   int(line.split()[0].split(b"-")[0], 16) for line in lines)
        expect_equal(process["total"]["size"] + process["total"]["reserved"],
                     size)
        expect(b"half" not in told(process), process)
        expect_equal(told(process)[b"whole"]["size"], 4096)
        for name in told(process):
            expect(len(name) <= 103, name)
        maps("--all", "--pages", str(named.pid))


sys.exit(main([
    each_kind_has_its_row,
    the_example_is_as_the_readme_shows_it,
    mappings_have_their_owner_and_their_label,
    filters_take_names_as_they_are_shown,
    the_environment_switches_names_off,
    a_saved_listing_keeps_them,
    a_child_is_not_called_as_its_parent,
    a_hostile_table_is_read_with_distrust,
]))
