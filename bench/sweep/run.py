#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What 'vmspace sweep' finds in a time, and what libfiu's random failures find in the
same: crashes of programs whose allocations fail.

Crashes are told apart by one preload library for both: by the signal and the five
innermost frames. libfiu fails malloc, calloc and realloc, each call with a probability of
0.0003 to 0.03, in turn. Both run as many programs at a time as there are processors,
and both at the same time, so that what else the machine does holds up both alike.

usage: run.py [--build DIR] [--seconds N] [--only A,B] [--json FILE]
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(1, str(ROOT / 'bench/growth'))
# pylint: disable=wrong-import-position
import machine  # noqa: E402

PROGRAMS = {
    'sqlite3': ['sqlite3', ':memory:', 'CREATE TABLE t(a, b); INSERT INTO t VALUES'
                "(1, 'x'), (2, 'y'); SELECT b, sum(a) FROM t GROUP BY b ORDER BY a;"],
    'git': ['git', 'help', '-a'],
    'jq': ['jq', '-n', '[range(9)] | map({a: ., b: "x"}) | group_by(.a)'],
    'bash': ['bash', '-c', 'f() { local a=(1 2 3); echo "${a[@]/2/x}"; }; for i in 1 2;'
             ' do f $i; done; echo $((3 * 4))'],
    'curl': ['curl', '-s', 'file:///etc/passwd'],
    'python3': ['/usr/bin/python3', '-I', '-c', 'print(sorted({"a": 1, "b": 2}))'],
}
FIU = '/usr/lib/fiu'
CHANCES = ('0.0003', '0.001', '0.003', '0.01', '0.03')
# A run that takes longer hangs, as to the sweep.
HANGS = 10


class Places:
    """The file to which the preload library writes."""

    def __init__(self, directory, name):
        self.path = os.path.join(directory, name)
        with open(self.path, 'w', encoding='utf8'):
            pass

    def environment(self, libraries):
        return {**os.environ, 'CRASH_PLACES': self.path,
                'LD_PRELOAD': ' '.join(libraries)}

    def distinct(self):
        with open(self.path, encoding='utf8', errors='replace') as file:
            return set(file)


def sweep(command, options, places):
    """Interrupted, it prints what it has. Returns how many runs were made."""
    report = places.path + '.json'
    with subprocess.Popen(
            [str(options.build / 'src/cli/vmspace'), 'sweep', '--malloc',
             '--report=' + report, *command],
            env=places.environment([str(options.judge)]), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(options.seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
    with open(report, encoding='utf8') as file:
        return len(json.load(file))


def run_randomly(command, environment, until):
    """Returns whether the run was made in time."""
    left = until - time.monotonic()
    if left <= 0:
        return False
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          start_new_session=True) as process:
        try:
            process.wait(min(left, HANGS))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return True


def randomly(command, options, places):
    base = places.environment([str(options.judge), FIU + '/fiu_run_preload.so',
                               FIU + '/fiu_posix_preload.so'])
    until = time.monotonic() + options.seconds

    def work(first):
        runs = 0
        while True:
            chance = CHANCES[(first + runs) % len(CHANCES)]
            enable = ''.join(f'enable_random name=libc/mm/{call},probability={chance}\n'
                             for call in ('malloc', 'calloc', 'realloc'))
            if not run_randomly(command, {**base, 'FIU_ENABLE': enable}, until):
                return runs
            runs += 1

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(work, range(os.cpu_count())))


def timed(how, command, options, places):
    begin = time.monotonic()
    runs = how(command, options, places)
    return {'runs': runs, 'crashes': places.distinct(),
            'seconds': time.monotonic() - begin}


def compare(name, options, directory):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        tasks = {way: pool.submit(timed, how, PROGRAMS[name], options,
                                  Places(directory, f'{name}-{way}'))
                 for way, how in (('sweep', sweep), ('fiu', randomly))}
        found = {way: task.result() for way, task in tasks.items()}
    ours, theirs = found['sweep'], found['fiu']
    print(f'{name:10} {ours["seconds"]:7.1f} {ours["runs"]:7} '
          f'{len(ours["crashes"]):8} {theirs["seconds"]:8.1f} {theirs["runs"]:7} '
          f'{len(theirs["crashes"]):8} {len(theirs["crashes"] - ours["crashes"]):10}',
          flush=True)
    return {'name': name, **{way: {**one, 'crashes': sorted(one['crashes'])}
                             for way, one in found.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('--build', type=Path, default=ROOT / 'build-bench')
    parser.add_argument('--seconds', type=float, default=60, help='for each and each way')
    parser.add_argument('--only', metavar='A,B', default=tuple(PROGRAMS),
                        type=machine.words(tuple(PROGRAMS)), help=' '.join(PROGRAMS))
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.judge = options.build / 'bench/sweep/libcrash-place.so'
    if not os.path.exists(FIU):
        sys.exit('run.py: libfiu is not there (package fiu-utils)')
    missing = [name for name in options.only if not shutil.which(PROGRAMS[name][0])]
    if missing:
        sys.exit('run.py: not there: ' + ' '.join(missing))
    machine.print_header(machine.describe())
    print(f'{"":10} {"sweep s":>7} {"runs":>7} {"crashes":>8} {"libfiu s":>8} '
          f'{"runs":>7} {"crashes":>8} {"only there":>10}')
    with tempfile.TemporaryDirectory(prefix='vmspace-sweep-') as directory:
        results = [compare(name, options, directory) for name in options.only]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + '\n')


if __name__ == '__main__':
    main()
