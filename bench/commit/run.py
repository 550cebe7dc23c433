#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What 'vmspace limit' costs: programs bare and under a limit that
refuses nothing, in turn, and loops of calls: bare, asked about by a program
that decides nothing, and limited. "best" is the ratio of the shortest runs,
which says more on a machine with other things to do. And a store that is full:
refused by the kernel's RLIMIT_DATA, and by 'vmspace limit', for as long as some
thousands of refusals take, since a group's first ones are told with all their stacks.

usage: run.py [--build DIR] [--rounds N] [--only A,B] [--json FILE]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[1:1] = [str(ROOT / 'bench'), str(ROOT / 'bench/growth')]
# pylint: disable=wrong-import-position
from workloads import compare, workloads  # noqa: E402
import machine  # noqa: E402

LIMIT = '16G'
STORE_MIB = 128
NAMES = ('gcc', 'compileall', 'sqlite3', 'sort', 'redis', 'shell', 'pair', 'store')


# --- measuring ---------------------------------------------------------------

def pair_ns(command):
    return float(subprocess.run(command, check=True, capture_output=True,
                                text=True).stdout)


def compare_pairs(directory, prefix, rounds):
    """Bare, as the kernel alone takes for it, and limited, in turn."""
    pair, floor = directory / 'commit-pair', directory / 'commit-floor'
    results = []
    for title, options, way in (
            ('mmap+munmap, written', ['--prot', '3'], 'listen'),
            ('mmap+munmap, read-only', ['--prot', '1'], 'allow'),
            ('getppid', ['--calls', '1000000'], 'allow')):
        command = [str(pair), *options]
        series = {'bare': [], 'floor': [], 'limited': []}
        for _ in range(rounds):
            series['bare'].append(pair_ns(command))
            series['floor'].append(pair_ns([str(floor), way, *command]))
            series['limited'].append(pair_ns(prefix + command))
        ns = {name: statistics.median(some) for name, some in series.items()}
        print(f'{title:22} {ns["bare"]:8.0f} {ns["floor"]:8.0f} '
              f'{ns["limited"]:8.0f} {ns["limited"] / ns["bare"]:7.3f}  '
              f'{(ns["limited"] - ns["bare"]) / 1000:.2f} us added, '
              f'{(ns["floor"] - ns["bare"]) / 1000:.2f} by the kernel')
        results.append({'name': title, 'ns': ns})
    return results


def store_figures(command):
    """Operations a second, and how many of a thousand were refused."""
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout
    return [float(word) for word in told.split()]


def compare_stores(directory, vmspace, rounds):
    """A store that keeps asking for more than it gets: of RLIMIT_DATA and
    of 'vmspace limit' in turn."""
    store = str(directory / 'commit-store')
    ways = {
        'RLIMIT_DATA': [store, '--data', str(STORE_MIB)],
        '--quiet': [vmspace, 'limit', f'{STORE_MIB}M', '--quiet', '--', store],
        'with stacks': [vmspace, 'limit', f'{STORE_MIB}M', '--', store],
    }
    runs = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[::1 if number % 2 else -1]:
            runs[name].append(store_figures(ways[name]))
    results = []
    for name in ways:
        ratios = sorted(run[0] / bare[0] for run, bare in
                        zip(runs[name], runs['RLIMIT_DATA']))
        results.append({
            'name': 'store, ' + name,
            'rate': statistics.median(run[0] for run in runs[name]),
            'refused_per_mille': statistics.median(run[1] for run
                                                   in runs[name]),
            'ratio': statistics.median(ratios)})
        print(f'{results[-1]["name"]:22} {results[-1]["rate"]:8.0f} '
              f'{results[-1]["refused_per_mille"]:8.0f} '
              f'{results[-1]["ratio"]:7.3f}  '
              f'{ratios[0]:.3f} to {ratios[-1]:.3f}')
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--build', type=Path, default=ROOT / 'build-bench')
    parser.add_argument('--rounds', type=int, default=11)
    parser.add_argument('--only', metavar='A,B', default=NAMES,
                        type=machine.words(NAMES), help=' '.join(NAMES))
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    prefix = [str(options.build / 'src/cli/vmspace'), 'limit',
              LIMIT, '--quiet', '--']
    machine.print_header(machine.describe())
    print(f'{"":22} {"bare s":>8} {"limited":>8} {"ratio":>7} {"best":>7}')
    with tempfile.TemporaryDirectory(prefix='vmspace-commit-') as directory:
        results = [compare(name, command, prefix, options.rounds)
                   for name, command in workloads(Path(directory)).items()
                   if name in options.only]
    if 'pair' in options.only:
        print(f'{"":22} {"bare ns":>8} {"kernel":>8} {"limited":>8} '
              f'{"ratio":>7}')
        results += compare_pairs(options.build / 'bench/commit', prefix,
                                 options.rounds)
    if 'store' in options.only:
        print(f'{"":22} {"rate/s":>8} {"refused":>8} {"ratio":>7}')
        results += compare_stores(options.build / 'bench/commit', prefix[0],
                                  options.rounds)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + '\n')


if __name__ == '__main__':
    main()
