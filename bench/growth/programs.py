#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Other people's programs, unmodified, bare and with the heap preloaded.

Every program runs once each way first, which must print the same; then in
turn, beginning with the other way each round. The ratio is bare by preloaded,
of the wall time from start to end: the median of the rounds' ratios with its
quartiles and extremes. "blocks" is how many large blocks the heap served in a
run, and "grown" how many of its reallocs copied nothing; a program without
either has nothing to gain. "most" would be the ratio if the kernel took no time
at all: what the program computes itself stays. Before each run free memory is
made warm: see Warmth in machine.py.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from program_cases import INPUTS, PROGRAMS, QUICK_DIVISOR  # noqa: E402
from program_cases import Program  # noqa: E402
import machine  # noqa: E402
import redis_append  # noqa: E402

STATS = re.compile(r'(allocations|grown-in-place|moves|moved-bytes) (\d+)')
WAYS = ('bare', 'preloaded')


@dataclass
class Result:
    program: Program
    outcomes: dict = field(default_factory=lambda: {way: [] for way in WAYS})
    stats: dict = field(default_factory=dict)
    problem: str = ''

    def ratios(self, figure):
        """Bare by preloaded, round by round."""
        return [getattr(bare, figure) / getattr(preloaded, figure)
                for bare, preloaded in zip(*self.outcomes.values())
                if getattr(bare, figure) and getattr(preloaded, figure)]

    def median(self, way, figure):
        return statistics.median(getattr(outcome, figure)
                                 for outcome in self.outcomes[way])

    def most(self):
        own = self.median('preloaded', 'own')
        return self.median('bare', 'seconds') / own if own else None

    def summary(self):
        """What is told of a program, or what went wrong."""
        if self.problem or not self.outcomes['preloaded']:
            return {'program': self.program.name,
                    'problem': self.problem or 'no round was completed'}
        ratios = sorted(self.ratios('seconds'))
        quartiles = (statistics.quantiles(ratios, method='inclusive')
                     if len(ratios) > 1 else ratios * 3)
        return {
            'program': self.program.name, 'rounds': len(ratios),
            'ratio': statistics.median(ratios),
            'quartiles': [quartiles[0], quartiles[2]],
            'extremes': [ratios[0], ratios[-1]],
            'processor_ratio': statistics.median(self.ratios('processor')
                                                 or [1]),
            'peak_ratio': statistics.median(self.ratios('peak')),
            'most': self.most(),
            'bare_seconds': self.median('bare', 'seconds'),
            'preloaded_seconds': self.median('preloaded', 'seconds'),
            'bare_peak': self.median('bare', 'peak'),
            'preloaded_peak': self.median('preloaded', 'peak'),
            'expected': self.program.expected,
            'least': self.program.least(), 'heap': self.stats,
        }


class Runner:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.library = options.build / 'src' / 'preload' / 'libvmspace-heap.so'
        self.limit = machine.memory_to_use()
        self.paths = {}
        self.warmth = machine.Warmth(options.build / 'bench' / 'growth',
                                     options.warm)

    def provide(self, program):
        """Make the inputs of a program; its command."""
        for name in program.inputs():
            if name in self.paths:
                continue
            make, size = INPUTS[name]
            self.paths[name] = self.directory / name
            make(self.paths[name],
                 size // QUICK_DIVISOR if self.options.quick else size)
        return program.words(self.paths, self.options.quick)

    def environment(self, program, way, stats):
        environment = {name: value for name, value in os.environ.items()
                       if name != 'LD_PRELOAD'
                       and not name.startswith(('VMSPACE_', 'PYTHON'))}
        if way == 'preloaded':
            environment['LD_PRELOAD'] = str(self.library)
            if self.options.threshold:
                environment['VMSPACE_HEAP_THRESHOLD'] = self.options.threshold
        if stats:
            environment['VMSPACE_HEAP_STATS'] = str(stats)
        return {**environment, **program.environment}

    def run(self, program, command, way, stats=None):
        """One run: its outcome and the path of what it printed."""
        output = self.directory / 'output'
        environment = self.environment(program, way, stats)
        if program.redis:
            size = program.numbers['SIZE'] // (
                QUICK_DIVISOR if self.options.quick else 1)
            return redis_append.run(self.directory, environment, size,
                                    self.options.timeout, output), output
        with output.open('wb') as stdout:
            return machine.run(command, self.options.timeout, self.limit,
                               env=environment, stdout=stdout,
                               cwd=self.directory), output

    def check(self, program, command, result):
        """Both ways print the same; what the heap did."""
        seen = {}
        stats = self.directory / 'stats'
        for way in WAYS:
            outcome, output = self.run(
                program, command, way, stats if way == 'preloaded' else None)
            if not outcome.done:
                result.problem = f'{way}: {outcome.status} {outcome.code}'
                return
            with output.open('rb') as file:
                seen[way] = hashlib.file_digest(file, 'sha256').hexdigest()
        if len(set(seen.values())) > 1:
            result.problem = 'prints something else with the heap'
        elif stats.exists():
            for name, value in STATS.findall(stats.read_text()):
                result.stats[name] = result.stats.get(name, 0) + int(value)
            stats.unlink()

    def measure(self, program, rounds):
        result = Result(program)
        command = self.provide(program)
        self.check(program, command, result)
        need = min(program.need, 64 << 20 if self.options.quick else
                   self.options.warm)
        for number in range(0 if result.problem else rounds):
            for way in WAYS if number % 2 else WAYS[::-1]:
                outcome, _ = self.warmth.measure(
                    need, lambda way=way: self.run(program, command, way))
                if not outcome.done:
                    result.problem = f'{way}: {outcome.status} {outcome.code}'
                    return result
                result.outcomes[way].append(outcome)
        return result


# --- output ------------------------------------------------------------------

HEADINGS = ('program', 'bare s', 'heap s', 'ratio', 'quartiles', 'extremes',
            'cpu', 'most', 'peak MiB', 'heap MiB', 'blocks', 'grown')
LINE = ('{:26} {:>7} {:>7} {:>6} {:>13} {:>13} {:>5} {:>5} {:>8} {:>8} {:>8} '
        '{:>8}')


def span(pair):
    return f'{pair[0]:.3f}-{pair[1]:.3f}'


def print_summary(told):
    if 'problem' in told:
        print(f'{told["program"]:26} FAILED: {told["problem"]}')
        return
    heap = told['heap']
    print(LINE.format(
        told['program'], f'{told["bare_seconds"]:.3f}',
        f'{told["preloaded_seconds"]:.3f}', f'{told["ratio"]:.3f}',
        span(told['quartiles']), span(told['extremes']),
        f'{told["processor_ratio"]:.2f}',
        f'{told["most"]:.2f}' if told['most'] else '',
        f'{told["bare_peak"] / 2**20:.0f}',
        f'{told["preloaded_peak"] / 2**20:.0f}',
        heap.get('allocations', 0),
        heap.get('grown-in-place', 0) + heap.get('moves', 0)),
        '' if told['ratio'] >= told['least']
        else f'  MISSES {told["least"]:g}')


# --- arguments ---------------------------------------------------------------

def parse_arguments():
    known = [program.name for program in PROGRAMS]
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    machine.add_common_options(parser)
    parser.add_argument('--programs', metavar='A,B', default=known,
                        type=machine.words(known), help=' '.join(known))
    parser.add_argument('--threshold', metavar='BYTES',
                        help="of the heap; its own by default")
    parser.add_argument('--rounds', type=int, default=11)
    parser.add_argument('--small-rounds', type=int, default=31,
                        help='of programs without large blocks (31)')
    parser.add_argument('--timeout', type=float, default=120,
                        metavar='SECONDS', help='for a run (120)')
    parser.add_argument('--thp', default='machine', metavar='MODE',
                        choices=('machine', 'never', 'madvise', 'always'),
                        help='machine (as it is set) or never, madvise, '
                             'always, which needs root')
    parser.add_argument('--directory', type=Path, default='/dev/shm',
                        help='where the inputs go (/dev/shm)')
    return parser.parse_args()


def run_programs(options, directory, summaries):
    runner = Runner(options, directory)
    print(LINE.format(*HEADINGS))
    for program in PROGRAMS:
        if program.name not in options.programs:
            continue
        if not shutil.which(program.command[0]) and not program.redis:
            print(f'{program.name:26} not there: {program.command[0]}')
            continue
        rounds = options.small_rounds if program.small else options.rounds
        summary = runner.measure(program,
                                 1 if options.quick else rounds).summary()
        print_summary(summary)
        sys.stdout.flush()
        summaries.append(summary)
    report = runner.warmth.report()
    print(f'# {report["line"]}')
    return report


def main():
    options = parse_arguments()
    options.build = options.build.resolve()
    machine.end_on_signals()
    described = machine.describe()
    machine.print_header(described)
    machine.Warmth.print_header()
    summaries = []
    with machine.thp_mode(options.thp), tempfile.TemporaryDirectory(
            prefix='vmspace-programs-', dir=options.directory) as directory:
        report = run_programs(options, Path(directory), summaries)
    if options.json:
        options.json.write_text(json.dumps(
            {'machine': described, 'command': sys.argv, 'thp': options.thp,
             'quick': options.quick, 'warmth': report,
             'programs': summaries}, indent=1) + '\n')
    return 1 if any('problem' in summary for summary in summaries) else 0


if __name__ == '__main__':
    sys.exit(main())
