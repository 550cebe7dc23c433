# SPDX-License-Identifier: MIT
"""The public headers, each alone and all together, compile without a warning.

usage: test_headers.py SOURCE-INCLUDE BUILD-INCLUDE
"""

import os
import sys

from cli_test import Skip, expect_equal, main, run, work

FOLDERS = [f"-I{folder}" for folder in sys.argv[1:3]]
HEADERS = ["vmspace.h"] + sorted(
    f"vmspace/{name}" for name in os.listdir(f"{sys.argv[1]}/vmspace")
    if name.endswith(".h"))
MACROS = """
struct point { int x, y; };
VMS_VEC_DECLARE(points, struct point);
"""
C = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
CXX = [*C, "-Wshadow", "-Wold-style-cast", "-Wconversion", "-Wsign-conversion",
       "-Wzero-as-null-pointer-constant"]


def is_known(command, suffix):
    empty = work("empty." + suffix)
    with open(empty, "w") as file:
        file.write("extern int used;\n")
    try:
        return run([*command, empty]).returncode == 0
    except FileNotFoundError:
        raise Skip(f"{command[0]} is not installed")


def source_of(headers):
    text = "".join(f"#include <{header}>\n" for header in headers)
    if "vmspace/vec.h" in headers:
        text += MACROS
    return text + "extern int used;\n"


def compile_without_warning(command, suffix, headers):
    source = work("header." + suffix)
    with open(source, "w") as file:
        file.write(source_of(headers))
    result = run([*command, *FOLDERS, source])
    expect_equal(result.stderr.decode(), "", (command, headers))


def compile_all(compiler, suffix, options, standards, alone=False):
    """By the oldest and the newest standard that the compiler knows: what is right by
    both is by those between. Whether a header includes what it needs is the same for
    each standard, and for each compiler: where they are not alone they are together."""
    commands = {standard: [compiler, f"-std={standard}", *options]
                for standard in standards}
    known = [standard for standard in standards if is_known(commands[standard], suffix)]
    if not known:
        raise Skip(f"{compiler} knows none of {' '.join(standards)}")
    for standard in {known[0], known[-1]}:
        compile_without_warning(commands[standard], suffix, HEADERS[1:])
    if alone:
        for header in HEADERS:
            compile_without_warning(commands[known[0]], suffix, [header])


CXX_STANDARDS = ["c++11", "c++14", "c++17", "c++20", "c++23"]
C_STANDARDS = ["c99", "c11", "c17", "c23"]


def gcc_takes_them_as_c():
    compile_all("gcc", "c", C, C_STANDARDS, alone=True)


def clang_takes_them_as_c():
    compile_all("clang", "c", C, C_STANDARDS)


def gcc_takes_them_as_cxx():
    compile_all("g++", "cc", [*CXX, "-Wuseless-cast"], CXX_STANDARDS, alone=True)


def clang_takes_them_as_cxx():
    compile_all("clang++", "cc", CXX, CXX_STANDARDS)


sys.exit(main([gcc_takes_them_as_c, clang_takes_them_as_c,
               gcc_takes_them_as_cxx, clang_takes_them_as_cxx]))
