#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What 'vmspace top' costs: the time to its first screen, and the part of a processor that it
takes at one look a second; and procps' top beside it. Processes that sleep are started until
there are as many as are asked for.

usage: run.py [--build DIR] [--processes N] [--seconds N] [--rounds N]
"""

import argparse
import fcntl
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(1, str(ROOT / 'bench/growth'))
# pylint: disable=wrong-import-position
import machine  # noqa: E402


def count_processes():
    return sum(name.isdigit() for name in os.listdir('/proc'))


def start_sleepers(count):
    """Processes that sleep until this one ends."""
    pids = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            machine.LIBC.prctl(machine.PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.pause()
            os._exit(0)
        pids.append(pid)
    return pids


class Terminal:
    """A program at a terminal of 80 by 24."""

    def __init__(self, command):
        self.began = time.monotonic()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
            os.environ.update(TERM='xterm', LC_ALL='C.UTF-8')
            os.execvp(command[0], command)
        self.output = b''

    def read(self, seconds):
        """False: nothing came in so many seconds."""
        if not select.select([self.master], [], [], max(seconds, 0))[0]:
            return False
        self.output += os.read(self.master, 65536)
        return True

    def until(self, text):
        """The seconds from the start until it has written a text."""
        while text not in self.output:
            if not self.read(60):
                sys.exit(f'error: no {text} in {self.output!r}')
        return time.monotonic() - self.began

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(end - time.monotonic())
            self.output = b''

    def quit(self):
        """The seconds of a processor that it has taken."""
        os.write(self.master, b'q')
        try:
            while self.read(60):
                pass
        except OSError:
            pass  # it has closed the terminal
        usage = os.wait4(self.pid, 0)[2]
        os.close(self.master)
        return usage.ru_utime + usage.ru_stime


def measure(command, ready, seconds, rounds):
    """(median of the first screen in seconds, part of a processor after it)."""
    first, begun = [], []
    for _ in range(rounds):
        terminal = Terminal(command)
        first.append(terminal.until(ready))
        begun.append(terminal.quit())
    terminal = Terminal(command)
    terminal.until(ready)
    terminal.watch(seconds)
    taken = terminal.quit() - statistics.median(begun)
    return statistics.median(first), max(first), taken / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('--build', type=Path, default=ROOT / 'build-bench')
    parser.add_argument('--processes', type=int, default=500)
    parser.add_argument('--seconds', type=float, default=20)
    parser.add_argument('--rounds', type=int, default=9)
    options = parser.parse_args()
    machine.end_on_signals()
    machine.print_header(machine.describe())
    pids = start_sleepers(max(options.processes - count_processes(), 0))
    try:
        print(f'{count_processes()} processes')
        commands = {'vmspace top': (
            [str(options.build / 'src/cli/vmspace'), 'top'], b'F10')}
        if shutil.which('top'):
            commands['top'] = (['top', '-d', '1'], b'COMMAND')
        for name, (command, ready) in commands.items():
            first, most, part = measure(command, ready, options.seconds,
                                        options.rounds)
            print(f'{name:12} first screen {first * 1e3:6.1f} ms (most '
                  f'{most * 1e3:.1f}), then {part * 100:5.2f} % of a processor')
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


main()
