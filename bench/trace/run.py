#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What 'vmspace trace' costs: programs bare and traced, in turn; how large the recording
is of a program that stays as it is; and how long 'vmspace report' takes for a recording
of a million events. "best" is the ratio of the shortest runs, which says more on a
machine with other things to do.

usage: run.py [--build DIR] [--rounds N] [--only A,B] [--seconds N] [--events N] [--calls]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[1:1] = [str(ROOT / 'bench'), str(ROOT / 'bench/growth')]
# pylint: disable=wrong-import-position
from workloads import compare, seconds, workloads  # noqa: E402
import machine  # noqa: E402

PROGRAMS = ('gcc', 'sqlite3', 'redis', 'shell')
NAMES = (*PROGRAMS, 'steady', 'report')
FORMATS = ('text', 'csv', 'json', 'perfetto', 'html')
# It has memory, and writes to some of it again and again.
STEADY = """
import sys, time
kept = [bytearray(1 << 20) for _ in range(200)]
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for block in kept:
        block[:4096] = bytes(4096)
    time.sleep(0.01)
"""


def record_steady(vmspace, directory, duration):
    file = directory / 'steady'
    subprocess.run([vmspace, 'trace', '-o', str(file), '--', '/usr/bin/python3', '-I',
                    '-c', STEADY, str(duration)], check=True)
    size = file.stat().st_size
    print(f'{"steady":22} {size:8} bytes in {duration:g} s, '
          f'{size * 60 / duration / 1024:.0f} KiB a minute')


def report(vmspace, maker, directory, events, rounds):
    file = directory / 'events'
    subprocess.run([str(maker), str(file), str(events)], check=True)
    print(f'report of {events} events, {file.stat().st_size / 1e6:.1f} MB:')
    for form in FORMATS:
        times = sorted(seconds([vmspace, 'report', f'--format={form}', '-o',
                                str(directory / form), str(file)])
                       for _ in range(rounds))
        print(f'{form:22} {statistics.median(times):8.3f} s  '
              f'{times[0]:.3f} to {times[-1]:.3f}, '
              f'{(directory / form).stat().st_size / 1e6:.1f} MB', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('--build', type=Path, default=ROOT / 'build-bench')
    parser.add_argument('--rounds', type=int, default=11)
    parser.add_argument('--only', metavar='A,B', default=NAMES,
                        type=machine.words(NAMES), help=' '.join(NAMES))
    parser.add_argument('--seconds', type=float, default=60, help='of the steady program')
    parser.add_argument('--events', type=int, default=1000000)
    parser.add_argument('--calls', action='store_true', help='trace --calls')
    options = parser.parse_args()
    build = options.build.resolve()
    vmspace = str(build / 'src/cli/vmspace')
    machine.print_header(machine.describe())
    with tempfile.TemporaryDirectory(prefix='vmspace-trace-') as name:
        directory = Path(name)
        prefix = [vmspace, 'trace', *(['--calls'] if options.calls else []),
                  '-o', str(directory / 'recording'), '--']
        commands = workloads(directory)
        print(f'{"":22} {"bare s":>8} {"traced":>8} {"ratio":>7} {"best":>7}')
        for program in PROGRAMS:
            if program in options.only:
                compare(program, commands[program], prefix, options.rounds)
        if 'steady' in options.only:
            record_steady(vmspace, directory, options.seconds)
        if 'report' in options.only:
            report(vmspace, build / 'tests/cli/make-recording', directory,
                   options.events, min(options.rounds, 5))


if __name__ == '__main__':
    main()
