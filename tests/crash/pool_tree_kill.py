# SPDX-License-Identifier: MIT
"""A tree over a pool is filled by a process that is killed again and again: what it said
is durable must be there, and nothing else.

usage: pool_tree_kill.py PROGRAM KILLS SEED
"""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM, KILLS, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

# The pool has 1 MiB, and a leaf that is two thirds full 170 keys.
KEYS = 200000
RAM = 1 << 20


def check(path):
    result = subprocess.run([PROGRAM, path, "check"], capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return int(result.stdout)


def kill_once(path, lines):
    """Returns how many keys were said to be durable before the kill."""
    said = 0
    with subprocess.Popen([PROGRAM, path, "fill", str(KEYS)], stdout=subprocess.PIPE,
                          text=True) as process:
        for _ in range(lines):
            line = process.stdout.readline()
            if not line:
                break
            said = int(line)
        process.kill()
        for line in process.stdout:
            if line.endswith("\n"):
                said = int(line)
    return said


def outlasts_kills(path):
    chance = random.Random(SEED)
    for _ in range(KILLS):
        said = kill_once(path, chance.randrange(1, 100))
        there = check(path)
        if there < said:
            raise AssertionError(f"{said} were durable, and {there} are there")


def is_larger_than_the_pool(path):
    result = subprocess.run([PROGRAM, path, "fill", str(KEYS)], capture_output=True)
    if result.returncode != 0 or check(path) != KEYS:
        raise AssertionError(result.stderr)
    if Path(path).stat().st_size < 4 * RAM:
        raise AssertionError("the file is too small")


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "tree")
        for number, case in enumerate((outlasts_kills, is_larger_than_the_pool), 1):
            try:
                case(path)
                print(f"ok {number} - {case.__name__}")
            except AssertionError as error:
                failed += 1
                print(f"not ok {number} - {case.__name__}\n# seed {SEED}: {error}")
    print("1..2")
    return failed != 0


sys.exit(main())
