# SPDX-License-Identifier: MIT
"""The screen of a command, in tmux."""

import os
import re
import shlex
import time

from cli_test import WORK, Skip, expect_equal, installed, run, wait_for

# Seconds after which a key is taken for lost.
KEY_PATIENCE = 60


class Screen:
    """A shell in tmux, which runs a command."""

    def __init__(self, *command, width=80, height=24, **environment):
        self.tmux = [installed("tmux"), "-L", f"{os.path.basename(WORK.name)}-{id(self)}",
                     "-f", "/dev/null"]
        environment = {"LC_ALL": "C.UTF-8", "PS1": "$ ", **environment}
        words = ["env", "-u", "NO_COLOR",
                 *(f"{key}={value}" for key, value in environment.items()),
                 "sh", "-i"]
        result = run([*self.tmux, "-u", "new-session", "-d", "-x", str(width), "-y",
                      str(height), shlex.join(words)])
        if result.returncode:
            raise Skip(f"tmux: {result.stderr.decode()}")
        self.size = width, height
        self.until(lambda lines: "$" in lines[0], "the shell is there")
        self.modes = self.terminal_modes()
        self.send(shlex.join(command), "Enter")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run([*self.tmux, "kill-server"])

    def pid(self):
        """Of the command, the shell's only child; None where it has ended."""
        shell = run([*self.tmux, "list-panes", "-F", "#{pane_pid}"]).stdout.decode()
        with open(f"/proc/{shell.strip()}/task/{shell.strip()}/children") as file:
            children = file.read().split()
        return int(children[0]) if children else None

    def terminal_modes(self):
        name = run([*self.tmux, "list-panes", "-F", "#{pane_tty}"]).stdout.decode()
        modes = run(["stty", "-F", name.strip(), "-a"]).stdout
        return re.sub(rb"rows \d+; columns \d+;", b"", modes)

    def send(self, *keys):
        expect_equal(run([*self.tmux, "send-keys", *keys]).returncode, 0, keys)

    def type(self, text):
        expect_equal(run([*self.tmux, "send-keys", "-l", text]).returncode, 0, text)

    def lines(self, *options):
        text = run([*self.tmux, "capture-pane", "-p", *options]).stdout.decode()
        return text.split("\n")[:self.size[1]]

    def until(self, condition, what):
        """The lines of a screen that is so."""
        lines = []

        def holds():
            nonlocal lines
            # Each look is a program that runs.
            time.sleep(.05)
            lines = self.lines()
            return condition(lines)

        try:
            wait_for(holds, what, seconds=KEY_PATIENCE)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *lines])) from None
        return lines

    def resize(self, width, height):
        self.size = width, height
        result = run([*self.tmux, "resize-window", "-x", str(width), "-y", str(height)])
        expect_equal(result.returncode, 0, result.stderr)

    def until_restored(self):
        """The shell has the terminal again, as it was."""
        self.until(lambda lines: "top" in "".join(lines) and
                   lines[-1] == "" and any(line.startswith("$") for line in lines),
                   "the shell is back")
        wait_for(lambda: self.terminal_modes() == self.modes, "modes are as before",
                 KEY_PATIENCE)
        expect_equal(run([*self.tmux, "display-message", "-p",
                          "#{alternate_on}#{cursor_flag}#{mouse_any_flag}"]).stdout,
                     b"010\n")
