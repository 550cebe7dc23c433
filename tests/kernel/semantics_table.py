#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print docs/semantics-tests.md, or with --check compare it with the tests.

usage: semantics_table.py [--check FILE] PROGRAM...

Each PROGRAM lists its cases with --list as "name<TAB>line of docs/semantics.md".
"""

import os
import subprocess
import sys

HEAD = """# Which test is for which line of docs/semantics.md

Made by `tests/kernel/semantics_table.py PROGRAM...` of what the programs list
themselves; a test compares the two. Every test runs on the kernel's own calls
and then on a space; those of policies and of NULL on a space alone, which the
kernel has not, and that of brk on the kernel. Run one by its name:
`kernel-semantics_mremap old_size_0`.

| section | line | test | file |
|---|---|---|---|
"""


def cases(program):
    """The cases of a program: (section, line, name, file)."""
    listed = subprocess.run(
        [program, "--list"], check=True, capture_output=True, text=True
    )
    source = os.path.basename(program).removeprefix("kernel-") + ".c"
    for text in listed.stdout.splitlines():
        name, line = text.split("\t")
        section, _, rest = line.partition(": ")
        yield section, rest, name, source


def order(case):
    """Sections as docs/semantics.md has them; hard cases by their number."""
    sections = ["mremap", "mmap", "munmap", "mprotect", "madvise", "msync",
                "mlock", "mincore", "mseal", "Commit", "hard case", "bounds",
                "limits"]
    for i, section in enumerate(sections):
        if case[0] == section:
            return i, 0
        if case[0].startswith(section + " "):
            return i, int(case[0].removeprefix(section + " "))
    raise ValueError(f"unknown section: {case[0]}")


def table(programs):
    """The whole page."""
    found = sorted((case for p in programs for case in cases(p)), key=order)
    return HEAD + "".join(
        f"| {section} | {line} | `{name}` | {source} |\n"
        for section, line, name, source in found
    )


def main(arguments):
    """Print the table, or check a file as TAP."""
    if arguments[:1] != ["--check"]:
        sys.stdout.write(table(arguments))
        return 0
    with open(arguments[1], encoding="utf-8") as file:
        same = file.read() == table(arguments[2:])
    print("1..1")
    print(f"{'ok' if same else 'not ok'} 1 - the table of tests is current")
    return 0 if same else 1


sys.exit(main(sys.argv[1:]))
