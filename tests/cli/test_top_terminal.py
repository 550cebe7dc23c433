# SPDX-License-Identifier: MIT
"""The screen of 'vmspace top', driven in tmux at three sizes.

usage: test_top_terminal.py VMSPACE MAPPINGS
"""

import contextlib
import os
import re
import signal
import sys

from cli_test import Skip, expect, expect_equal, installed, main, run, wait_for
from top_command import VMSPACE, WIDE, Family, state
from tmux_screen import KEY_PATIENCE, Screen

FAMILY = [b"alpha", b"beta", WIDE.encode(), b"e\x1b[31m\nvil\xff"]
EVIL = "e\\033[31m\\012vil\\377"
NAMES = ["alpha", "beta", WIDE, EVIL]
BRANCHES = ["", "\u251c\u2500 ", "\u251c\u2500 ", "\u2514\u2500 "]
FIGURE = r" +[-+~]?[\d.]+[KMGT]?"


def top_screen(*arguments, **options):
    return Screen(VMSPACE, "top", "--delay=0.2", *arguments, **options)


def tree(family, *arguments, **options):
    return top_screen("--tree", str(family.pid), "--sort=-pid", *arguments, **options)


def has_rates(lines):
    """The second look has been."""
    return any(re.search(r"minor|\+?\d+/s", line) for line in lines[3:4])


def is_list(row, figures, history, names=NAMES, branches=BRANCHES):
    """Whether the rows are those of a family, with so many figures. Names are cut off at
    the edge, between two characters or bytes."""
    for line, name, branch in zip(row, names, branches, strict=True):
        match = re.fullmatch(r" *\d+" + FIGURE * figures + history + " " +
                             re.escape(branch) + "(.+)", line.rstrip())
        if not match or not name.startswith(match[1]) or len(match[1]) < min(
                len(name), 8):
            return False
    return True


HISTORY = " [ \u2581-\u2588]{%d}"


def screens_are_as_their_sizes_let():
    with Family(*FAMILY) as family, tree(family, width=40, height=10) as screen:
        lines = screen.until(has_rates, "rates")
        with open("/proc/sys/vm/overcommit_memory") as file:
            is_bar = int(file.read()) == 2
        expect(re.fullmatch(r"Commit \[\|* *[\d.]+[KMGT]/\S+\]" if is_bar else
                            r"Commit [\d.]+[KMGT], and no limit is in force", lines[0]),
               lines)
        expect(re.fullmatch(r"RAM    \[\|* +\S+/\S+\]", lines[1]), lines)
        expect(re.fullmatch(r"Swap   \[\|* +\S+/\S+\]", lines[2]), lines)
        expect(lines[3].startswith(f"tree of {family.pid}: 4 rows"), lines)
        expect_equal(lines[4].rstrip(), "    PID   COMMIT RESIDENT NAME")
        # The lowest numbers come last.
        screen.send("I")
        lines = screen.until(lambda lines: is_list(
            lines[5:9], 2, ""), "the tree")
        expect_equal(lines[9].rstrip(), "F1Help F4Filter F5Tree F6Sort F10Quit")

        screen.resize(80, 24)
        lines = screen.until(lambda lines: is_list(
            lines[5:9], 5, HISTORY % 8), "80x24")
        expect_equal(lines[4].rstrip(), "    PID   COMMIT RESIDENT  MINOR/S  MAJOR/S"
                                        " GROWTH/S HISTORY  NAME")
        expect(lines[1].endswith("]") and len(lines[1]) == 80, lines)
        expect_equal(lines[23].rstrip(), "F1Help F4Filter F5Tree F6Sort IInvert "
                                         "ZFreeze F10Quit")

        screen.resize(160, 50)
        lines = screen.until(lambda lines: is_list(
            lines[5:9], 9, HISTORY % 20), "160x50")
        expect_equal(lines[4].rstrip(), "    PID   COMMIT WRITABLE RESIDENT     ANON     FILE"
                     "  SWAPPED  MINOR/S  MAJOR/S GROWTH/S " + "HISTORY".ljust(21) +
                     "NAME")
        expect_equal(lines[10:49], [""] * 39)

        # While it draws, and between the reads of a key's bytes.
        for width, height in ((20, 4), (5, 2), (1, 1), (300, 90), (80, 3), (80, 24)):
            screen.send("Down", "I", "I")
            screen.resize(width, height)
        screen.until(lambda lines: is_list(
            lines[5:9], 5, HISTORY % 8), "again")
        screen.send("q")
        screen.until_restored()


def keys_do_as_they_say():
    with Family(*FAMILY) as family, tree(family) as screen:
        screen.until(has_rates, "rates")
        screen.send("F1")
        screen.until(lambda lines: "this help" in lines[5], "help")
        screen.send("Down")
        screen.until(lambda lines: "F4" in lines[5], "help moves")
        screen.send("x")
        screen.until(lambda lines: "alpha" in lines[5], "no help")
        screen.send("-")
        screen.until(lambda lines: "+ alpha" in lines[5] and not lines[6].strip(),
                     "folded")
        screen.send("*", "F5")
        screen.until(lambda lines: not any("\u2514" in line for line in lines),
                     "no tree")
        screen.send("F4")
        screen.type("BETq")
        screen.until(lambda lines: "Filter: BETq_" in lines[23], "a filter is typed")
        screen.send("BSpace", "Enter")
        screen.until(lambda lines: lines[5].rstrip().endswith(" beta") and
                     not lines[6].strip() and "with 'BET'" in lines[3], "filtered")
        screen.send("Escape")
        screen.until(lambda lines: lines[8].strip(), "no filter")
        screen.send("F6")
        screen.until(lambda lines: any(line.startswith("> PID") for line in lines),
                     "the menu")
        screen.send("Down", "Enter")
        # The name: in descending order of bytes it would be the other way round.
        screen.until(lambda lines: [line.split()[-1] for line in lines[5:9]] ==
                     ["alpha", "beta", EVIL, WIDE] or
                     "alpha" in lines[5] and WIDE in lines[8], "by name")
        screen.send("Z")
        screen.until(lambda lines: lines[3].startswith("FROZEN"), "frozen")
        family.tell("end")
        frozen = screen.lines()
        expect(any("vil" in line for line in frozen), frozen)
        screen.send("Z")
        screen.until(lambda lines: ": 3 rows" in lines[3], "it has gone")
        screen.send("c")
        screen.until(lambda lines: sys.executable[:8] in lines[5] and
                     "alpha" not in lines[5], "command lines")
        screen.send("c")
        screen.until(lambda lines: "alpha" in "".join(lines[5:8]), "names")
        screen.send("F10")
        screen.until_restored()


def the_mouse_points_and_sorts():
    with Family(*FAMILY) as family, tree(family) as screen:
        screen.until(has_rates, "rates")
        screen.send("t")

        def click(column, line):
            """As a terminal tells it."""
            place = chr(33 + column) + chr(33 + line)
            screen.type(f"\x1b[M {place}\x1b[M#{place}")

        def wheel(button):
            place = chr(33 + 3) + chr(33 + 6)
            screen.type(f"\x1b[M{chr(32 + button)}{place}")

        def is_chosen(line):
            """It alone is in the colour of the cursor."""
            lines = screen.lines("-e")[5:23]
            return [at for at, text in enumerate(lines)
                    if re.search(r"\x1b\[[\d;]*46m", text)] == [line]
        click(3, 7)
        screen.until(lambda _: is_chosen(2), "a row is pointed at")
        wheel(64)
        screen.until(lambda _: is_chosen(0), "the wheel goes up")
        wheel(65)
        screen.until(lambda _: is_chosen(3), "and down")
        click(75, 4)
        screen.until(lambda lines: "alpha" in lines[5] and WIDE in lines[8], "by name")
        click(8, 23)
        screen.until(lambda lines: lines[23].startswith("Filter:"), "a filter")
        screen.send("Escape")
        screen.send("q")
        screen.until_restored()


def signals_leave_the_terminal_as_it_was():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        with Family(*FAMILY) as family, tree(family) as screen:
            screen.until(has_rates, "rates")
            if number == signal.SIGINT:
                screen.send("C-c")
            else:
                os.kill(screen.pid(), number)
            wait_for(lambda: screen.pid() is None, "it ends", KEY_PATIENCE)
            screen.until_restored()
            screen.send("echo status $?", "Enter")
            screen.until(lambda lines: f"status {128 + number}" in lines, "its status")


def it_stops_and_goes_on():
    with Family(*FAMILY) as family, tree(family) as screen:
        screen.until(has_rates, "rates")
        pid = screen.pid()
        screen.send("C-z")
        wait_for(lambda: state(pid) == "T", "it is stopped", KEY_PATIENCE)
        screen.until(lambda lines: lines[0].startswith("$") and
                     any("top" in line for line in lines), "the shell")
        screen.resize(100, 30)
        screen.send("fg", "Enter")
        screen.until(lambda lines: "alpha" in "".join(lines[5:9]) and
                     lines[29].startswith("F1Help"), "it goes on")
        screen.send("q")
        screen.until_restored()


def a_terminal_that_goes_away_ends_it():
    with Family(*FAMILY) as family, tree(family) as screen:
        screen.until(has_rates, "rates")
        pid = screen.pid()
        screen.send("Z")
        run([*screen.tmux, "kill-server"])
        wait_for(lambda: not os.path.exists(f"/proc/{pid}") or state(pid) == "Z",
                 "it ends", KEY_PATIENCE)


def colours_are_left_out():
    def colours(lines):
        return {word for line in lines
                for words in re.findall(r"\x1b\[([\d;]*)m", line)
                for word in words.split(";") if re.fullmatch("[349]\\d|10\\d", word)
                and word not in ("39", "49")}

    with Family(*FAMILY) as family:
        with tree(family) as screen:
            screen.until(has_rates, "rates")
            expect(colours(screen.lines("-e")), screen.lines("-e"))
        for options in ({"NO_COLOR": "1"}, {"TERM": "vt100"}):
            with tree(family, **options) as screen:
                screen.until(has_rates, "rates")
                lines = screen.lines("-e")
                expect_equal(colours(lines), set(), options)
                expect(any("\x1b[7m" in line for line in lines), lines)


def another_locale_has_ascii_alone():
    with Family(*FAMILY) as family, tree(family, LC_ALL="C") as screen:
        octal = "".join(f"\\{byte:03o}" for byte in WIDE.encode())
        screen.until(has_rates, "rates")
        screen.send("I")
        lines = screen.until(lambda lines: is_list(
            lines[5:9], 5, " [ _.:=+*#-]{8}", ["alpha", "beta", octal, EVIL],
            ["", "|- ", "|- ", "`- "]), "ASCII")
        expect(all(line.isascii() for line in lines), lines)


def the_owners_of_a_process_are_shown():
    with Family(*FAMILY) as family, top_screen(str(family.pid), "--pages") as screen:
        lines = screen.until(lambda lines: any("[heap]" in line for line in lines),
                             "owners")
        expect(lines[3].startswith(f"process {family.pid} alpha: "), lines)
        expect(lines[4].rstrip().endswith("OWNER") and "COMMIT" in lines[4], lines)
        family.process.kill()
        screen.until(lambda lines: lines[3].startswith("ENDED"), "it has ended")
        screen.send("q")
        screen.until_restored()


def main_with_tmux(cases):
    with contextlib.suppress(Skip):
        installed("tmux")
        return main(cases)
    print("1..0 # SKIP tmux is not installed")
    return 0


sys.exit(main_with_tmux([
    screens_are_as_their_sizes_let,
    keys_do_as_they_say,
    the_mouse_points_and_sorts,
    signals_leave_the_terminal_as_it_was,
    it_stops_and_goes_on,
    a_terminal_that_goes_away_ends_it,
    colours_are_left_out,
    another_locale_has_ascii_alone,
    the_owners_of_a_process_are_shown,
]))
