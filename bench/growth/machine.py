# SPDX-License-Identifier: MIT
"""The machine that is measured: processes, its memory, its huge pages."""

import argparse
import ctypes
import json
import os
import platform
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MIB = 1 << 20
GIB = 1 << 30

PR_SET_PDEATHSIG = 1
PR_SET_THP_DISABLE = 41

THP = Path('/sys/kernel/mm/transparent_hugepage/enabled')
# Processes are ended before less than this is left.
LEFT_ALONE = 512 * MIB
# Some kernels count what they gave back to the host.
REPORTED = Path('/sys/module/page_reporting/parameters/reported_kib')

LIBC = ctypes.CDLL(None, use_errno=True)


def end_on_signals():
    """A signal ends the program through its finally clauses."""
    def end(number, _frame):
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


# --- memory ------------------------------------------------------------------

def meminfo():
    """/proc/meminfo in bytes."""
    fields = {}
    for line in Path('/proc/meminfo').read_text().splitlines():
        name, value = line.split(':')
        fields[name] = int(value.split()[0]) * 1024
    return fields


def memory_to_use():
    """The most that anything here may take: half of what is to be had."""
    return meminfo()['MemAvailable'] // 2


def free_in_pieces():
    """Bytes of free memory in pieces smaller than a huge page."""
    page = os.sysconf('SC_PAGESIZE')
    total = 0
    for line in Path('/proc/buddyinfo').read_text().splitlines():
        counts = [int(word) for word in line.split()[4:]]
        total += sum(count * (page << order)
                     for order, count in enumerate(counts)
                     if page << order < 2 * MIB)
    return total


def resident(pid):
    """Bytes of a process that are in memory; 0 where it has ended."""
    try:
        fields = Path(f'/proc/{pid}/statm').read_text().split()
        return int(fields[1]) * os.sysconf('SC_PAGESIZE')
    except (OSError, IndexError):
        return 0


def reported():
    """Bytes that were given back to the host so far; 0 where nobody counts."""
    try:
        return int(REPORTED.read_text()) * 1024
    except OSError:
        return 0


# --- processes ---------------------------------------------------------------

@dataclass
class Outcome:
    status: str             # 'done', 'timeout', 'memory' or 'failed'
    seconds: float
    processor: float = 0    # seconds of the processor, user and system
    peak: int = 0           # most bytes in memory
    code: int = 0
    message: str = ''       # the last line of one that failed
    own: float = 0          # seconds of the processor, user

    @property
    def done(self):
        return self.status == 'done'


def _prepare_child(huge_pages):
    """Between fork and exec: die with the parent, be killed first."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if not huge_pages:
        LIBC.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    Path('/proc/self/oom_score_adj').write_text('1000')


def start(command, huge_pages=True, **arguments):
    """A child that does not outlive this process."""
    # There are no threads that could hold a lock over the fork.
    # pylint: disable-next=subprocess-popen-preexec-fn
    return subprocess.Popen(
        [str(part) for part in command], stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: _prepare_child(huge_pages), **arguments)


def _watch(process, deadline, memory):
    """Wait for a process; why it had to be killed, or None."""
    descriptor = os.pidfd_open(process.pid)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    try:
        while not poll.poll(50):
            if time.monotonic() > deadline:
                return 'timeout'
            if (resident(process.pid) > memory
                    or meminfo()['MemAvailable'] < LEFT_ALONE):
                return 'memory'
        return None
    finally:
        os.close(descriptor)


def run(command, timeout, memory, huge_pages=True, **arguments):
    """Run a command within limits; its outcome."""
    begin = time.monotonic()
    process = start(command, huge_pages, **arguments)
    try:
        broken = _watch(process, begin + timeout, memory)
        seconds = time.monotonic() - begin
    finally:
        # With what it started. Not reaped yet, so that the number is its own.
        os.killpg(process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    failed = 'done' if process.returncode == 0 else 'failed'
    return Outcome(broken or failed, seconds, usage.ru_utime + usage.ru_stime,
                   usage.ru_maxrss * 1024, process.returncode,
                   own=usage.ru_utime)


# --- memory that the host backs ----------------------------------------------

class Warmth:
    """Free memory that costs what memory costs, and no more.

    The host of a virtual machine may take free pages back and gives them again
    at a fortieth of the speed. So before each measurement a process touches as
    much memory as the measurement may need and frees it, and the floor, a
    program that touches fresh memory once, tells whether that served.
    """

    SLOW = 1.5          # times the median floor: not warm
    ATTEMPTS = 6
    BASELINE = 5
    TAKEN = 32 * MIB    # the host taking more than that spoils a measurement
    WINDOW = 1.5        # seconds; longer than that nothing stays warm

    def __init__(self, programs, most, huge_pages=True):
        self.programs = programs
        self.most = most
        self.huge_pages = huge_pages
        self.floors = []
        self.repeated = 0
        self.cold = 0
        self.mark = 0

    @staticmethod
    def print_header():
        print('# before each measurement free memory is touched, so that the '
              'host of a virtual machine backs it', flush=True)

    def _floor(self, size):
        """Nanoseconds for a MiB of fresh memory."""
        outcome, output = capture(
            [self.programs / 'growth-floor', 'append', '--size', size,
             '--step', MIB], 60, self.most, self.huge_pages)
        if not outcome.done:
            raise RuntimeError(f'growth-floor: {outcome.status}')
        return output['ns'] * MIB / size

    def _touch(self, size):
        size = min(size, self.most, memory_to_use())
        small = min(free_in_pieces() if self.huge_pages else size, size)
        run([self.programs / 'growth-warm', '--small', small,
             '--huge', size - small], 120, self.most + GIB)

    def _take_baseline(self, need, size):
        for _ in range(3 * self.BASELINE):
            self._touch(need)
            self.floors.append(self._floor(size))
        # The host's pages only ever make it slower.
        self.floors = sorted(self.floors)[:self.BASELINE]

    def _is_warm(self, need):
        """Make need bytes of free memory warm; whether that served."""
        size = max(min(GIB, need // 2), 4 * MIB)
        if not self.floors:
            self._take_baseline(need, size)
        self._touch(need)
        self.mark = reported()
        floor = self._floor(size)
        # Kept where it is slow, too: the median follows the machine.
        self.floors.append(floor)
        return floor <= self.SLOW * statistics.median(self.floors)

    def measure(self, need, measurement):
        """Measure something that needs memory, when and while it is warm."""
        if need == 0:
            return measurement()
        result = None
        for _ in range(self.ATTEMPTS):
            if not self._is_warm(need):
                self.repeated += 1
                continue
            begin = time.monotonic()
            result = measurement()
            if (reported() - self.mark <= self.TAKEN
                    or time.monotonic() - begin > self.WINDOW):
                return result
            self.repeated += 1
        self.cold += 1
        return result or measurement()

    def report(self):
        """What it came to, with a line for people."""
        floors = [floor * 1024 / 1e6 for floor in self.floors] or [0]
        told = {'floor_ms_per_gib': round(statistics.median(floors), 2),
                'best_floor_ms_per_gib': round(min(floors), 2),
                'repeated': self.repeated, 'cold': self.cold}
        told['line'] = (
            f'floor {told["floor_ms_per_gib"]} ms a GiB, at best '
            f'{told["best_floor_ms_per_gib"]}; {self.repeated} measurements '
            f'repeated because memory was cold; {self.cold} stayed cold')
        return told


def capture(command, timeout, memory, huge_pages=True, **arguments):
    """Run one of our programs; its outcome and the last line it printed."""
    with tempfile.TemporaryFile('w+') as output:
        # Allocators have things to say, too.
        outcome = run(command, timeout, memory, huge_pages, stdout=output,
                      stderr=subprocess.STDOUT, **arguments)
        output.seek(0)
        lines = output.read().splitlines() or ['']
    if not outcome.done:
        outcome.message = lines[-1]
        return outcome, None
    return outcome, json.loads(lines[-1])


# --- huge pages --------------------------------------------------------------

def thp_state():
    """The system's setting: always, madvise or never."""
    try:
        words = THP.read_text().split()
    except OSError:
        return 'absent'
    return next(word.strip('[]') for word in words if word.startswith('['))


@contextmanager
def thp_set(state):
    """Set the system's huge pages, and put them back, whatever ends us."""
    before = thp_state()
    if state == before:
        yield
        return
    # Outlives this process: it puts the setting back when the pipe is closed.
    with subprocess.Popen(
            ['sh', '-c', 'trap "" TERM INT HUP; echo; read _; echo "$1" >"$2"',
             'sh', before, str(THP)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, start_new_session=True) as watchdog:
        watchdog.stdout.readline()
        try:
            THP.write_text(state)
            yield
        finally:
            watchdog.stdin.close()
            watchdog.wait()


@contextmanager
def thp_mode(mode):
    """Huge pages as asked for; gives whether processes may have them.

    'machine': as it is set. 'disabled': the processes ask for none, by prctl.
    Others: the system's setting, which needs root.
    """
    if mode in ('machine', 'disabled'):
        yield mode == 'machine'
    else:
        with thp_set(mode):
            yield True


# --- what to do on it --------------------------------------------------------

def words(known):
    """The type of an argument that is known words with commas between."""
    def parse(text):
        chosen = text.split(',')
        for word in chosen:
            if word not in known:
                raise argparse.ArgumentTypeError(
                    f'{word}; there are: {" ".join(known)}')
        return chosen
    return parse


def add_common_options(parser):
    """The options that run.py and programs.py have in common."""
    parser.add_argument('--build', type=Path, default=ROOT / 'build-bench',
                        help='the build directory (build-bench)')
    parser.add_argument('--warm', type=int, default=6 * GIB, metavar='BYTES',
                        help='most memory to make warm (6 GiB; never more '
                             'than half of what is available)')
    parser.add_argument('--quick', action='store_true',
                        help='see whether it works; the figures mean nothing')
    parser.add_argument('--json', type=Path, metavar='FILE')


# --- what it is --------------------------------------------------------------

def describe():
    """What a reader must know of the machine."""
    model = 'unknown processor'
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith(('model name\t', 'CPU part\t')):
            model = line.split(':', 1)[1].strip()
            break
    return {
        'system': f'{platform.system()} {platform.release()} '
                  f'{platform.machine()}',
        'processor': model,
        'processors': len(os.sched_getaffinity(0)),
        'memory': meminfo()['MemTotal'],
        'thp': thp_state(),
        'load': os.getloadavg()[0],
    }


def print_header(machine):
    print(f'# machine: {machine["system"]}; {machine["processor"]}; '
          f'{machine["processors"]} processors; '
          f'{machine["memory"] / GIB:.1f} GiB; THP {machine["thp"]}')
    print('# reproduce:', ' '.join(sys.argv))
    if machine['load'] > 0.5:
        print(f'# WARNING: load {machine["load"]:.1f}: '
              'something else is running, do not trust the figures')
    sys.stdout.flush()
