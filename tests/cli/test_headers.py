# SPDX-License-Identifier: MIT
"""The public headers, each alone, compile without a warning.

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


def compile_each(command, suffix, standard):
    for header in HEADERS:
        source = work("header." + suffix)
        with open(source, "w") as file:
            file.write(f"#include <{header}>\n")
            if header == "vmspace/vec.h":
                file.write(MACROS)
            file.write("extern int used;\n")
        result = run([*command, *FOLDERS, source])
        expect_equal(result.stderr.decode(), "", (standard, header))


def compile_all(compiler, suffix, options, standards):
    """By the oldest and the newest standard that the compiler knows: what is right by
    both is by those between."""
    commands = {standard: [compiler, f"-std={standard}", *options]
                for standard in standards}
    known = [standard for standard in standards if is_known(commands[standard], suffix)]
    if not known:
        raise Skip(f"{compiler} knows none of {' '.join(standards)}")
    for standard in {known[0], known[-1]}:
        compile_each(commands[standard], suffix, standard)


CXX_STANDARDS = ["c++11", "c++14", "c++17", "c++20", "c++23"]
C_STANDARDS = ["c99", "c11", "c17", "c23"]


def gcc_takes_them_as_c():
    compile_all("gcc", "c", C, C_STANDARDS)


def clang_takes_them_as_c():
    compile_all("clang", "c", C, C_STANDARDS)


def gcc_takes_them_as_cxx():
    compile_all("g++", "cc", [*CXX, "-Wuseless-cast"], CXX_STANDARDS)


def clang_takes_them_as_cxx():
    compile_all("clang++", "cc", CXX, CXX_STANDARDS)


sys.exit(main([gcc_takes_them_as_c, clang_takes_them_as_c,
               gcc_takes_them_as_cxx, clang_takes_them_as_cxx]))
