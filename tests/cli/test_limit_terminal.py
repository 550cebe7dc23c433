# SPDX-License-Identifier: MIT
"""'vmspace limit' as a job of a shell, and at a terminal.

usage: test_limit_terminal.py VMSPACE
"""

import contextlib
import errno
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time

from cli_test import (PATIENCE, Skip, WORK, expect, expect_equal, installed,
                      main_in_groups, run, wait_for, written)
from limit_jobs import (LIMITED, VMSPACE, gone, ignores, is_stopped,
                      none_is_pending, session_processes, state, talker)

# Seconds after which a key is taken for lost.
KEY_PATIENCE = 60
CTRL_C, CTRL_D, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x04", "\x1a", "\x1c"
PROMPT, INNER_PROMPT = "outer> ", "inner> "
BASH = shutil.which("bash")
SHELL = [BASH, "--norc", "--noprofile", "--noediting", "-i"] if BASH else [
    "sh", "-i"]

TICKER = """
import os, time
os.write(1, f"up {os.getpid()}\\n".encode())
while True:
    with open(%r, "a") as file:
        file.write(".")
    time.sleep(.02)
"""


def shell_words(*words):
    return " ".join([*LIMITED, *words])


def none_is_stopped(session):
    return not any(is_stopped(pid) for pid in session_processes(session))


class Terminal:
    """A pseudo-terminal with a program in a session of its own."""

    def __init__(self, arguments):
        self.output = ""
        self.session, self.master = pty.fork()
        if self.session == 0:
            try:
                os.environ.update(PS1=PROMPT, ENV="", TERM="dumb")
                os.environ.pop("PROMPT_COMMAND", None)
                self.echo_nothing()
                os.execvp(arguments[0], arguments)
            finally:
                os._exit(127)

    @staticmethod
    def echo_nothing():
        modes = termios.tcgetattr(0)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(0, termios.TCSANOW, modes)

    def send(self, text):
        os.write(self.master, text.encode())

    def line(self, text):
        self.send(text + "\n")

    def read(self, seconds):
        if not select.select([self.master], [], [], max(seconds, 0))[0]:
            return
        try:
            self.output += os.read(self.master, 4096).decode()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            time.sleep(0.01)

    def until(self, text, seconds=PATIENCE):
        """What is written before text; both are taken."""
        end = time.monotonic() + seconds
        while text not in self.output:
            expect(time.monotonic() < end, "no", repr(text), "in",
                   repr(self.output))
            self.read(end - time.monotonic())
        before, _, self.output = self.output.partition(text)
        return before

    def press(self, key, text):
        """Likewise, after a key. While a shell hands the terminal over keys
        are lost, of a program without a limit too, some in a thousand."""
        self.send(key)
        try:
            return self.until(text, KEY_PATIENCE)
        except AssertionError:
            self.send(key)
            return self.until(text)

    def answer(self, command):
        """What a command of the shell writes."""
        self.line(command)
        return self.until(PROMPT)

    def number(self, word):
        """The number that follows a word at the beginning of a line."""
        self.until(word + " ")
        return int(self.until("\r\n").split()[0])

    def resize(self, columns, lines):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))

    def hang_up(self):
        if self.master >= 0:
            os.close(self.master)
        self.master = -1

    def close(self):
        """Nothing of it lives on, whatever the case has found."""
        self.hang_up()
        for pid in session_processes(self.session):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitpid(self.session, 0)


@contextlib.contextmanager
def terminal_of(*arguments):
    terminal = Terminal(arguments)
    try:
        yield terminal
    finally:
        terminal.close()


@contextlib.contextmanager
def job_shell():
    with terminal_of(*SHELL) as terminal:
        terminal.until(PROMPT)
        terminal.answer("ulimit -c 0")
        yield terminal


@contextlib.contextmanager
def talking_job(*signals):
    with job_shell() as shell:
        shell.line(shell_words(*talker(*signals)))
        yield shell, shell.number("up")


def expect_status(shell, status):
    expect_equal(shell.answer("echo status $?").strip(), f"status {status}")


# --- the terminal ------------------------------------------------------------


def interrupt_from_the_keyboard_ends_the_program():
    with job_shell() as shell:
        shell.line(shell_words("sh", "-c", "'echo up; exec sleep 60'"))
        shell.until("up")
        shell.press(CTRL_C, PROMPT)
        expect_status(shell, 128 + signal.SIGINT)
        expect("sleep" not in shell.answer("jobs"), "a job is left")


def quit_from_the_keyboard_ends_the_program():
    with job_shell() as shell:
        shell.line(shell_words("sh", "-c", "'echo up; exec sleep 60'"))
        shell.until("up")
        expect("Quit" in shell.press(CTRL_BACKSLASH, PROMPT),
               "the shell says nothing")
        expect_status(shell, 128 + signal.SIGQUIT)


def program_that_handles_interrupts_goes_on():
    with talking_job("SIGINT", "SIGQUIT") as (shell, pid):
        for key, name in ((CTRL_C, "SIGINT"), (CTRL_BACKSLASH, "SIGQUIT")):
            for count in (1, 2):
                shell.press(key, f"got {name} {count}\r\n")
        # What the keyboard has sent is not held against the next.
        wait_for(lambda: none_is_pending(os.getpgid(pid)), "all is taken")
        os.kill(os.getpgid(pid), signal.SIGINT)
        shell.until("got SIGINT 3\r\n")
        shell.line("still here")
        expect_equal(shell.until("heard still here"), "")
        shell.line("quit")
        shell.until(PROMPT)
        expect_status(shell, 3)


def stopped_job_gives_the_terminal_back_and_goes_on():
    with talking_job() as (shell, pid):
        for word in ("first", "second"):
            expect("Stopped" in shell.press(CTRL_Z, PROMPT),
                   "no stop was told")
            expect(is_stopped(pid), state(pid))
            expect_equal(shell.answer("echo here").strip(), "here")
            expect("Stopped" in shell.answer("jobs"), "jobs")
            shell.line("fg")
            shell.line(word)
            shell.until(f"heard {word}")
        shell.line("quit")
        shell.until(PROMPT)
        expect_status(shell, 3)


def stopped_job_goes_on_in_the_background():
    ticks = written("ticks", "")
    script = written("ticker.py", TICKER % ticks)
    with job_shell() as shell:
        shell.line(shell_words(sys.executable, script))
        pid = shell.number("up")
        shell.press(CTRL_Z, PROMPT)
        wait_for(lambda: is_stopped(pid), "the program stops")
        count = os.path.getsize(ticks)
        time.sleep(0.1)
        expect_equal(os.path.getsize(ticks), count, "it works stopped")
        shell.answer("bg")
        wait_for(lambda: os.path.getsize(ticks) > count + 3, "it goes on")
        expect("Running" in shell.answer("jobs"), "jobs")
        shell.answer("kill %1")
        wait_for(lambda: gone(pid), "the program ends")
        shell.line("wait %1")
        shell.until(PROMPT)
        expect("ticker" not in shell.answer("jobs"), "a job is left")


def background_reader_stops_until_it_is_in_front():
    with job_shell() as shell:
        shell.line(shell_words("cat", "&"))
        shell.until(PROMPT)
        wait_for(lambda: "Stopped" in shell.answer("jobs"), "it stops")
        shell.line("fg")
        shell.line("some text")
        shell.until("some text\r\n")
        shell.send(CTRL_D)
        shell.until(PROMPT)
        expect_status(shell, 0)


def window_size_reaches_the_program_once():
    with talking_job("SIGWINCH") as (shell, _):
        shell.resize(99, 33)
        shell.until("size 99x33\r\n")
        shell.resize(77, 22)
        shell.until("size 77x22\r\n")
        shell.line("over")
        expect_equal(shell.until("heard over"), "")


@contextlib.contextmanager
def shell_inside():
    if not BASH:
        raise Skip("bash is not installed")
    with job_shell() as shell:
        shell.line(f"PS1='{INNER_PROMPT}' " + shell_words(*SHELL))
        shell.until(INNER_PROMPT)
        yield shell


def shell_inside_has_job_control_of_its_own():
    with shell_inside() as shell:
        shell.line("sh -c 'echo up; exec sleep 60'")
        shell.until("up")
        expect("Stopped" in shell.press(CTRL_Z, INNER_PROMPT),
               "no stop was told")
        shell.line("cat")
        shell.line("read by cat")
        shell.until("read by cat\r\n")
        shell.press(CTRL_C, INNER_PROMPT)
        shell.line("fg")
        wait_for(lambda: none_is_stopped(shell.session), "it goes on")
        shell.press(CTRL_C, INNER_PROMPT)
        shell.answer("exit 4")
        expect_status(shell, 4)
        expect_equal(shell.answer("echo here").strip(), "here")


def shell_inside_may_suspend_itself():
    with shell_inside() as shell:
        shell.line("suspend")
        expect("Stopped" in shell.until(PROMPT), "no stop was told")
        expect_equal(shell.answer("echo here").strip(), "here")
        shell.line("fg")
        shell.until(INNER_PROMPT)
        shell.line("exit 6")
        shell.until(PROMPT)
        expect_status(shell, 6)


def pipeline_is_one_job():
    with job_shell() as shell:
        shell.line("echo up; sleep 60 | " + shell_words("cat") + " | " +
                   shell_words("cat"))
        shell.until("up")
        wait_for(lambda: len(session_processes(shell.session)) >= 8,
                 "all of the pipeline run")
        time.sleep(0.3)
        expect("Stopped" in shell.press(CTRL_Z, PROMPT),
               "no stop was told")
        shell.line("fg")
        wait_for(lambda: none_is_stopped(shell.session), "it goes on")
        shell.press(CTRL_C, PROMPT)
        expect_status(shell, 128 + signal.SIGINT)
        wait_for(lambda: session_processes(shell.session) == [shell.session],
                 "only the shell is left")


def stoppable_job_is_in_front(shell):
    """A child of a shell gets the terminal before it has ceased to ignore,
    as the shell does, the signals of the keyboard: keys are lost then."""
    front = os.tcgetpgrp(shell.master)
    return front != shell.session and not ignores(front, signal.SIGTSTP)


def stop_from_the_keyboard_while_it_starts_hangs_nothing():
    for tenths in range(0, 60, 3):
        with job_shell() as shell:
            shell.line(shell_words("sleep", "60"))
            wait_for(lambda: stoppable_job_is_in_front(shell),
                     "a job is in front")
            time.sleep(tenths / 5000)
            shell.press(CTRL_Z, "Stopped")


def stop_as_soon_as_there_is_a_supervisor_hangs_nothing():
    for _ in range(20):
        with job_shell() as shell:
            shell.line(shell_words("sleep", "60"))
            while len(session_processes(shell.session)) < 3:
                pass
            shell.press(CTRL_Z, "Stopped")


def expect_nothing_lives(session, what):
    wait_for(lambda: not session_processes(session), what)


def hang_up_ends_a_job_in_front():
    with talking_job() as (shell, pid):
        shell.hang_up()
        expect_nothing_lives(shell.session, "a job in front ends")
        expect(gone(pid), "the program lives")


def hang_up_ends_stopped_and_background_jobs():
    ticks = written("ticks", "")
    script = written("ticker.py", TICKER % ticks)
    with talking_job() as (shell, stopped):
        shell.press(CTRL_Z, PROMPT)
        shell.line(shell_words(sys.executable, script, "&"))
        running = shell.number("up")
        shell.hang_up()
        expect_nothing_lives(shell.session, "stopped and background jobs end")
        expect(gone(stopped) and gone(running), "a program lives")


def hang_up_is_told_to_a_program_without_a_shell():
    """So terminal emulators, ssh and tmux run it."""
    with terminal_of(*LIMITED, "sh", "-c", "echo up; exec sleep 60") as alone:
        alone.until("up")
        alone.hang_up()
        expect_nothing_lives(alone.session, "the program ends")


class Tmux:
    """A tmux server of the test's own, with one pane."""

    def __init__(self, command):
        self.socket = os.path.join(tempfile.mkdtemp(dir=WORK.name), "tmux")
        self.call("-f", "/dev/null", "new-session", "-d", "-x", "90", "-y",
                  "20", command)

    def call(self, *arguments):
        result = run(["tmux", "-S", self.socket, *arguments],
                     env={**os.environ, "TERM": "screen", "TMUX": ""})
        expect_equal(result.returncode, 0, (arguments, result.stderr))
        return result.stdout.decode()

    def wait_for(self, text):
        wait_for(lambda: text in self.call("capture-pane", "-p"),
                 f"{text!r} in the pane")

    def close(self):
        run(["tmux", "-S", self.socket, "kill-server"])


def program_works_in_tmux():
    installed("tmux")
    tmux = Tmux(shell_words(*talker("SIGINT", "SIGWINCH")) +
                "; echo status $?; sleep 60")
    try:
        tmux.wait_for("up")
        tmux.call("send-keys", "C-c")
        tmux.wait_for("got SIGINT 1")
        tmux.call("resize-window", "-x", "70", "-y", "15")
        tmux.wait_for("size 70x15")
        tmux.call("send-keys", "typed", "Enter")
        tmux.wait_for("heard typed")
        tmux.call("send-keys", "quit", "Enter")
        tmux.wait_for("status 3")
    finally:
        tmux.close()


def closed_tmux_leaves_no_process():
    installed("tmux")
    tmux = Tmux("exec " + shell_words("sleep", "60"))
    try:
        session = int(tmux.call("display-message", "-p", "#{pane_pid}"))
        wait_for(lambda: len(session_processes(session)) >= 3, "it runs")
    finally:
        tmux.close()
    try:
        expect_nothing_lives(session, "the program ends")
    finally:
        for pid in session_processes(session):
            os.kill(pid, signal.SIGKILL)


CASES = [
    interrupt_from_the_keyboard_ends_the_program,
    quit_from_the_keyboard_ends_the_program,
    program_that_handles_interrupts_goes_on,
    stopped_job_gives_the_terminal_back_and_goes_on,
    stopped_job_goes_on_in_the_background,
    background_reader_stops_until_it_is_in_front,
    window_size_reaches_the_program_once,
    shell_inside_has_job_control_of_its_own,
    shell_inside_may_suspend_itself,
    pipeline_is_one_job,
    stop_from_the_keyboard_while_it_starts_hangs_nothing,
    stop_as_soon_as_there_is_a_supervisor_hangs_nothing,
    hang_up_ends_a_job_in_front,
    hang_up_ends_stopped_and_background_jobs,
    hang_up_is_told_to_a_program_without_a_shell,
    program_works_in_tmux,
    closed_tmux_leaves_no_process,
]

sys.exit(main_in_groups(VMSPACE, CASES))
