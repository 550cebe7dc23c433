# SPDX-License-Identifier: MIT
"""'vmspace maps' and what it prints, of the program mappings and others."""

import json
import sys

from cli_test import Mappings, expect_equal, run

VMSPACE, PROGRAM = sys.argv[1:3]
COLUMNS = ["size", "reserved", "writable", "commit", "resident", "anonymous",
           "file", "proportional", "swapped", "huge", "locked", "mappings"]
OF_PAGES = set(COLUMNS) - {"size", "reserved", "writable", "mappings"}

target = Mappings(PROGRAM)


def maps(*arguments):
    result = run([VMSPACE, "maps", *arguments])
    expect_equal(result.stderr, b"")
    expect_equal(result.returncode, 0)
    return result.stdout


def table(*arguments):
    """The lines below the head of a process: headings, rows, the total."""
    lines = maps(*arguments).split(b"\n")
    expect_equal(lines.pop(), b"")
    while b"MAPPINGS" not in lines[0]:
        lines.pop(0)
    return lines


def seen(*arguments):
    """The whole JSON, and its only process."""
    whole = json.loads(maps("--json", *arguments))
    expect_equal((whole["format"], whole["version"]), ("vmspace maps", 1))
    expect_equal(len(whole["processes"]), 1)
    return whole, whole["processes"][0]
