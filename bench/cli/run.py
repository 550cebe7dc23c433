#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""'vmspace maps' of a process with 60,000 mappings beside reading its listing and beside
pmap (procps), with and without figures of pages, and 'vmspace commit --audit' of 500
processes beside smem; and how much of Committed_AS the audit explains, with the machine as
it is and beside 256 MiB of each kind of memory. All of a comparison run in turn. "ratio" is the median of the
ratios to the first of each, "processor" is their time on a processor, which other things
to do disturb less.

usage: run.py [--build DIR] [--rounds N] [--only A,B] [--processes N] [--json FILE]
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(1, str(ROOT / 'bench/growth'))
# pylint: disable=wrong-import-position
import machine  # noqa: E402

NAMES = ('maps', 'pages', 'audit', 'explained')
MAPPINGS = 60000
MIB = 1 << 20


# --- what is looked at -------------------------------------------------------

@contextlib.contextmanager
def waiting(command, count):
    """Processes that have said that they are ready, and go when this ends."""
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for process in processes:
            if process.stdout.readline() != b'ready\n':
                sys.exit(f'{command[0]} is not ready')
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.stdin.close()
            process.wait()
            process.stdout.close()


# --- measuring ---------------------------------------------------------------

def times(command):
    """Seconds that passed, and seconds on a processor."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f'{" ".join(command)} has ended with {process.returncode}')
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime


def compare(title, commands, rounds):
    """Each command by a name; the first is what the others are compared with."""
    commands = {name: command for name, command in commands.items()
                if shutil.which(command[0])}
    series = {name: [] for name in commands}
    for number in range(rounds):
        for name in list(commands)[::1 if number % 2 else -1]:
            series[name].append(times(commands[name]))
    first = series[next(iter(series))]
    results = []
    for name, some in series.items():
        ratios = [[own[i] / other[i] if other[i] else 0 for own, other in
                   zip(some, first)] for i in (0, 1)]
        results.append({
            'name': f'{title}: {name}',
            'seconds': statistics.median(wall for wall, _ in some),
            'processor': statistics.median(processor for _, processor in some),
            'ratio': statistics.median(ratios[0]),
            'processor_ratio': statistics.median(ratios[1])})
        print(f'{results[-1]["name"]:40} {results[-1]["seconds"]:8.3f} '
              f'{results[-1]["processor"]:9.3f} {results[-1]["ratio"]:7.3f} '
              f'{results[-1]["processor_ratio"]:7.3f}', flush=True)
    return results


def compare_maps(vmspace, many, names, rounds):
    results = []
    with waiting([many, '--mappings', str(MAPPINGS)], 1) as (pid,):
        if 'maps' in names:
            results += compare(f'{MAPPINGS} mappings', {
                'cat maps': ['cat', f'/proc/{pid}/maps'],
                'vmspace maps': [vmspace, 'maps', str(pid)],
                'vmspace maps --list': [vmspace, 'maps', '--list', str(pid)],
                'pmap': ['pmap', str(pid)],
            }, rounds)
        if 'pages' in names:
            results += compare('with pages', {
                'cat smaps': ['cat', f'/proc/{pid}/smaps'],
                'vmspace maps --pages': [vmspace, 'maps', '--pages', str(pid)],
                '... --list': [vmspace, 'maps', '--pages', '--list', str(pid)],
                'pmap -X': ['pmap', '-X', str(pid)],
            }, rounds)
    return results


def compare_audits(vmspace, count, rounds):
    """Programs as small as they come, since smem and the audit look at all pages."""
    with waiting(['sh', '-c', 'echo ready; read x'], count):
        return compare(f'{count} processes', {
            'smem': ['smem'],
            'vmspace commit --audit': [vmspace, 'commit', '--audit'],
        }, rounds)


def tell_explained(vmspace, title):
    audit = json.loads(subprocess.run([vmspace, 'commit', '--audit', '--json'], check=True,
                                      stdout=subprocess.PIPE).stdout)['audit']
    share = audit['explained'] / audit['committed']
    print(f'{title}: Committed_AS is {audit["committed"] / MIB:.1f} MiB, of which '
          f'{share:.1%} is explained; {audit["hidden"]} that may not be looked at '
          f'have {audit["hidden_most"] / MIB:.1f} MiB at most')
    return [{'name': f'explained {title}', 'ratio': share, **{
        key: audit[key] for key in ('committed', 'explained', 'hidden', 'hidden_most')}}]


def explain(vmspace, hogs):
    kinds = subprocess.run([hogs], check=True, stdout=subprocess.PIPE, text=True).stdout
    results = tell_explained(vmspace, 'as it is')
    with contextlib.ExitStack() as stack:
        for kind in kinds.split():
            stack.enter_context(waiting([hogs, kind, str(256 * MIB)], 1))
        results += tell_explained(vmspace, 'beside each kind')
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--build', type=Path, default=ROOT / 'build-bench')
    parser.add_argument('--rounds', type=int, default=11)
    parser.add_argument('--only', metavar='A,B', default=NAMES,
                        type=machine.words(NAMES), help=' '.join(NAMES))
    parser.add_argument('--processes', type=int, default=500)
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    vmspace = str(options.build / 'src/cli/vmspace')
    many = str(options.build / 'bench/cli/cli-many')
    machine.print_header(machine.describe())
    results = []
    if set(options.only) != {'explained'}:
        print(f'{"":40} {"seconds":>8} {"processor":>9} {"ratio":>7} {"":>7}')
    if {'maps', 'pages'} & set(options.only):
        results += compare_maps(vmspace, many, options.only, options.rounds)
    if 'audit' in options.only:
        results += compare_audits(vmspace, options.processes, options.rounds)
    if 'explained' in options.only:
        results += explain(vmspace, str(options.build / 'tests/cli/hogs'))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + '\n')


if __name__ == '__main__':
    main()
