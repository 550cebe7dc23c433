# SPDX-License-Identifier: MIT
"""What all commands have in common: colours, progress, and sizes in bytes.

usage: test_style.py VMSPACE MAKE_RECORDING MAN_PAGES with|without
The last says whether the commands are there that supervise a program.
"""

import glob
import os
import re
import subprocess
import sys

from cli_test import (expect, expect_equal, main, need_groups, on_terminal, run,
                      work)

VMSPACE, MAKE = (os.path.abspath(path) for path in sys.argv[1:3])
PAGES = sys.argv[3]
SUPERVISES = sys.argv[4] == "with"
RED, YELLOW, PLAIN = "\x1b[1;31m", "\x1b[1;33m", "\x1b[m"


def report(*arguments, path="small"):
    return [VMSPACE, "report", *arguments, work(path)]


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return {**kept, "TERM": "xterm", **more}


# --- colours ------------------------------------------------------------------


def colours_are_on_terminals_alone():
    _, shown = on_terminal(report(), "stdout", env=environment())
    expect(f"\r\n{RED}Refused{PLAIN}: 3 requests" in shown, shown)
    _, shown = on_terminal(report(path="cut"), "stdout", env=environment(NO_COLOR=""))
    expect(f"\r\n{YELLOW}It ends in the midst{PLAIN}:" in shown, shown)
    for reason in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        _, shown = on_terminal(report(), "stdout", env=environment(**reason))
        expect("Refused: 3 requests" in shown and "\x1b" not in shown, reason, shown)
    expect(b"\x1b" not in run(report(), env=environment()).stdout)
    _, shown = on_terminal([VMSPACE, "maps", "self"], "stdout", env=environment())
    expect("mappings of" in shown and "\x1b" not in shown, shown)


# --- progress -----------------------------------------------------------------


def progress_is_shown_of_long_work():
    expect_equal(run([MAKE, work("long"), "400000"]).returncode, 0)
    long = report("--format=html", path="long")
    result, shown = on_terminal(long, "stderr", env=environment())
    expect_equal(result.returncode, 0)
    parts, events = (f"of {count} {unit}\r"
                     for count, unit in ((os.path.getsize(work("long")) >> 16,
                                          "parts read"), (400000, "events")))
    expect(parts in shown and events in shown, shown)
    expect(re.search(r"events\r\x1b\[K$", shown), "it stays:", repr(shown[-200:]))
    _, shown = on_terminal(long, "stderr", env=environment(TERM="dumb"))
    expect_equal(shown, "")
    expect_equal(run(long, env=environment()).stderr, b"")


def short_work_shows_none():
    _, shown = on_terminal(report("--format=html"), "stderr", env=environment())
    expect_equal(shown, "")


def processes_are_counted_while_they_are_read():
    children = [os.fork() or os.execvp("sleep", ["sleep", "1000"]) for _ in range(70)]
    try:
        result, shown = on_terminal([VMSPACE, "maps", "--total", f"--tree={os.getpid()}"],
                                    "stderr", env=environment())
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    expect_equal(result.returncode, 0, shown)
    expect(re.match(r"1 of (7\d) processes\r2 of \1 processes\r", shown), shown)
    expect(shown.endswith("\x1b[K"), "it stays:", repr(shown))


# --- sizes --------------------------------------------------------------------

# A number with a unit, as "1.3M" is.
ROUNDED = re.compile(r"(?<![\w.])\d+(\.\d)?[KMGT]\b")


def expect_bytes(result, *numbers):
    """Each size that is told is exact, and these are among them."""
    text = (result.stdout + result.stderr).decode()
    expect(not ROUNDED.search(text), text)
    for number in numbers:
        expect(re.search(rf"(?<!\d){number}(?!\d)", text), number, text)


def sizes_are_exact_in_bytes():
    expect_bytes(run(report("--bytes")), 64 << 20, 1064960)
    expect(all(len(line) < 80 for line in
               run(report("-b")).stdout.decode("utf-8").splitlines()))
    expect_bytes(run([VMSPACE, "commit", "--bytes"]))
    expect_bytes(run([VMSPACE, "maps", "--bytes", "self"]))


# Asks for more than there is, and for little.
GREEDY = "import mmap\ntry: mmap.mmap(-1, 1 << 33)\nexcept OSError: pass\nmmap.mmap(-1, 4096)"


def supervisors_tell_bytes_too():
    need_groups(VMSPACE)
    limit = [VMSPACE, "limit", "1G"]
    program = ["--", sys.executable, "-c", GREEDY]
    result = run([*limit, "--bytes", "--log", "--warn-at=1048576", *program])
    expect_bytes(result, 1 << 30, 1 << 33)
    expect(ROUNDED.search(run([*limit, *program]).stderr.decode()))
    expect_bytes(run([VMSPACE, "fail", "--size=8G", "--bytes", *program]), 1 << 33)
    result = run([VMSPACE, "limit", "--explain", "--bytes"])
    expect_equal(result.returncode, 0, result)
    expect_bytes(result)
    expect_bytes(run([VMSPACE, "sweep", "--kernel", "--minimum=8G", "--bytes", "--",
                      sys.executable, "-c", "import mmap, os\n"
                      "try: mmap.mmap(-1, 1 << 33)\nexcept OSError: os.abort()"]),
                 1 << 33)


def lists_of_limits_tell_bytes_too():
    need_groups(VMSPACE)
    with subprocess.Popen([VMSPACE, "limit", "3G", "--quiet", "--name=exact", "--", "sh",
                           "-c", "echo up; read line"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        listed = run([VMSPACE, "limit", "--bytes"])
        told = run([VMSPACE, "limit", "--bytes", "--set=4G", "exact"])
        process.stdin.close()
    expect_bytes(listed, 3 << 30)
    expect_bytes(told, 3 << 30, 4 << 30)
    heads, *rows = listed.stdout.decode().splitlines()
    expect(all(len(row) - len(row.rstrip().rpartition(" ")[2]) == heads.index("NAME")
               for row in rows if row.endswith("exact")), listed.stdout)


# --- pages --------------------------------------------------------------------


def examples_of(page):
    """The lines of examples that call the command, those continued in one."""
    with open(page) as file:
        section = file.read().partition(".Sh EXAMPLES\n")[2].partition("\n.Sh ")[0]
    lines = re.sub(r"\|\n *", "| ", section).splitlines()
    return [line.replace("\\", "") for line in lines if "vmspace " in line]


def options_of(command, known={}):
    if command not in known:
        text = run([VMSPACE, command, "--help=all"]).stdout.decode()
        known[command] = set(re.findall(r"^ +(?:(-\w), )?(--[\w-]+)", text, re.MULTILINE))
    return {option for both in known[command] for option in both}


def examples_have_options_that_there_are():
    for page in glob.glob(os.path.join(PAGES, "vmspace*.1")):
        examples = examples_of(page)
        expect(examples, page, "has no examples")
        for example in examples:
            # Up to the program that it runs, which has options of its own.
            for command, words in re.findall(r"vmspace (\w+)(.*?)(?= -- |[|>)]|$)",
                                             example):
                if command in ("limit", "fail", "sweep", "trace") and not SUPERVISES:
                    continue
                used = {word.partition("=")[0] for word in words.split()
                        if word.startswith("-") and word.strip("-")}
                expect(used <= options_of(command), page, example, used)


def make_recordings():
    expect_equal(run([MAKE, work("small")]).returncode, 0)
    with open(work("small"), "rb") as whole, open(work("cut"), "wb") as cut:
        cut.write(whole.read()[:-1])


make_recordings()
CASES = [
    colours_are_on_terminals_alone,
    progress_is_shown_of_long_work,
    short_work_shows_none,
    processes_are_counted_while_they_are_read,
    sizes_are_exact_in_bytes,
    examples_have_options_that_there_are,
]
if SUPERVISES:
    CASES += [supervisors_tell_bytes_too, lists_of_limits_tell_bytes_too]
sys.exit(main(CASES))
