#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How long a program waits for a refusal under 'vmspace limit': with --quiet
and with a backtrace, in turn, each program the first time, and when its
stack was seen before. Each round starts both programs anew.

usage: refusals.py [--build DIR] [--rounds N]
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(1, str(ROOT / 'bench/growth'))
# pylint: disable=wrong-import-position
import machine  # noqa: E402

REPEATS = 20

# Asks for ten times the limit, and tells the milliseconds of each refusal.
PROGRAM = f'''
import mmap, time
for i in range({REPEATS}):
    start = time.monotonic()
    try:
        mmap.mmap(-1, 5 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        print((time.monotonic() - start) * 1e3)
    time.sleep(0.02)
'''


def refusals_ms(vmspace, options):
    command = [str(vmspace), 'limit', '500M', *options, '--',
               '/usr/bin/python3', '-I', '-c', PROGRAM]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout
    times = [float(line) for line in told.split()]
    if len(times) != REPEATS:
        sys.exit(f'{len(times)} of {REPEATS} requests were refused')
    return times


def show(name, times):
    quartiles = statistics.quantiles(times, n=4)
    print(f'{name:24} {quartiles[1]:8.3f}  ({quartiles[0]:.3f} to '
          f'{quartiles[2]:.3f}, longest {max(times):.3f})')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--build', type=Path, default=ROOT / 'build-bench')
    parser.add_argument('--rounds', type=int, default=15)
    options = parser.parse_args()
    vmspace = options.build / 'src/cli/vmspace'
    ways = {'--quiet': ['--quiet'], 'with a stack': []}
    first = {name: [] for name in ways}
    later = {name: [] for name in ways}
    machine.print_header(machine.describe())
    for _ in range(options.rounds):
        for name, words in ways.items():
            times = refusals_ms(vmspace, words)
            first[name].append(times[0])
            later[name] += times[1:]
    print(f'{"":24} {"ms":>8}  (quartiles)')
    for name in ways:
        show(f'{name}, first', first[name])
        show(f'{name}, seen', later[name])


if __name__ == '__main__':
    main()
