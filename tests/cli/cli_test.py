# SPDX-License-Identifier: MIT
"""Running the command and counting cases as TAP."""

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback


# Seconds: what is waited for comes, however loaded the machine is.
PATIENCE = 900
# Of the test that runs; it goes with it.
WORK = tempfile.TemporaryDirectory()


class Skip(Exception):
    """A probe has failed: the host cannot do what the case is about."""


def run(arguments, **options):
    """The finished run: returncode, stdout and stderr as bytes."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    options.setdefault("timeout", PATIENCE)
    return subprocess.run(arguments, stdin=subprocess.DEVNULL, **options)


def ended(command, seconds=PATIENCE, **options):
    """A finished run; one that does not end is killed."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                               start_new_session=True, **options)
    try:
        output, errors = process.communicate(timeout=seconds)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(command, process.returncode, output,
                                       errors)


def on_terminal(arguments, stream, **options):
    """The finished run, and what it writes to that stream, which is a terminal."""
    master, terminal = pty.openpty()
    chunks = []

    def read():
        with contextlib.suppress(OSError):
            while chunk := os.read(master, 4096):
                chunks.append(chunk)

    # It is read meanwhile, since a terminal keeps little.
    reader = threading.Thread(target=read)
    reader.start()
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: terminal}
    try:
        result = ended(arguments, **streams, **options)
    finally:
        os.close(terminal)
        reader.join()
        os.close(master)
    return result, b"".join(chunks).decode()


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


def expect_equal(have, want, what=""):
    expect(have == want, what, "have", repr(have), "want", repr(want))


def wait_for(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, "in vain:", what)
        time.sleep(0.01)


def work(name):
    return os.path.join(WORK.name, name)


def written(name, text):
    with open(work(name), "w") as file:
        file.write(text)
    return work(name)


def installed(name):
    """The path of a program that the host may not have."""
    found = shutil.which(name)
    if not found:
        raise Skip(f"{name} is not installed")
    return found


def makes_program(path, source, *options, compiler="gcc"):
    """Whether a compiler makes a program, or a library, of C."""
    with open(path + ".c", "w") as file:
        file.write(source)
    return (shutil.which(compiler) is not None and
            run([compiler, "-o", path, path + ".c", *options]).returncode == 0)


def must_compile(path, source, *options):
    """The same, where only a machine without a compiler is an excuse."""
    if shutil.which("gcc") is None:
        raise Skip("no gcc")
    expect(makes_program(path, source, *options), "gcc")


def compiled(path, source, *options, compiler="gcc"):
    """A program made of C; a case is skipped where that cannot be made."""
    if not makes_program(path, source, *options, compiler=compiler):
        raise Skip(f"{compiler} {' '.join(options)} makes no program")
    return path


class Mappings:
    """The program mappings, running, and what it says it has made."""

    def __init__(self, program, count=None):
        self.directory = tempfile.TemporaryDirectory()
        arguments = [program, self.directory.name]
        if count:
            arguments.append(str(count))
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.pid = self.process.pid
        self.made = {}
        self.skipped = {}
        for line in self.process.stdout:
            words = line.decode().split(maxsplit=2)
            if words == ["ready"]:
                return
            if words[1] == "skip":
                self.skipped[words[0]] = words[2].strip()
            else:
                self.made[words[0]] = (int(words[1], 16), int(words[2]))
        raise AssertionError("the program mappings did not get ready")

    def path(self, name):
        """The path of one of its files, as the kernel would write it."""
        return os.path.join(os.path.realpath(self.directory.name), name)

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.directory.cleanup()


def hear_signals():
    """What nohup and a shell's background ignore is ignored by every program
    that a case runs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM,
                   signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_DFL)


def main(cases):
    """Run the cases (functions without arguments) and print TAP."""
    failed = 0
    hear_signals()
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        name = case.__name__
        try:
            case()
            print(f"ok {number} - {name}")
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print("#", line)
        sys.stdout.flush()
    return 1 if failed else 0


def need_groups(vmspace):
    """Skip where the kernel does not let the command limit groups of processes."""
    probe = run([vmspace, "limit", "1G", "--quiet", "true"])
    if probe.returncode == 125:
        raise Skip(probe.stderr.decode().splitlines()[0])


def main_in_groups(vmspace, cases):
    """main, where the kernel lets the command limit groups of processes."""
    try:
        need_groups(vmspace)
    except Skip as reason:
        print("1..0 # SKIP", reason)
        return 0
    return main(cases)
