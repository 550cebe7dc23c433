#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Growth, churn and small blocks with every allocator in turn.

Each measurement is a process of its own. In every round each allocator runs
once, beginning with another one each time, so that all meet the same state of
the machine; figures are medians over the rounds. Before each measurement free
memory is made warm: see Warmth in machine.py.

A process that takes longer than the time limit is reported as ">20 s" and its
allocator is not run again for that pattern. "times" is how many times
vmspace's figure the other's is, the median over the rounds with its extremes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from cases import ALLOCATORS, CASES, GOALS, MIB, REFERENCES  # noqa: E402
from cases import Allocator, Case, Figures  # noqa: E402
import machine  # noqa: E402


@dataclass
class Series:
    """The rounds of one allocator with one pattern."""
    allocator: Allocator
    limit: float                # seconds that a process may take
    case: Case
    outputs: list = field(default_factory=list)
    rounds: dict = field(default_factory=dict)      # round: figure
    failure: str = ''

    def add(self, number, outcome, output):
        if not outcome.done:
            self.failure = {'timeout': f'>{self.limit:g} s',
                            'memory': 'too much memory'}.get(
                outcome.status, f'exit {outcome.code}: {outcome.message}')
            return
        self.outputs.append(output)
        self.rounds[number] = self.case.value(output)

    @property
    def median(self):
        values = [*self.rounds.values()]
        return statistics.median(values) if values else None

    @property
    def bound(self):
        """The median, or what it is at least."""
        if self.median is None and self.failure.startswith('>'):
            if self.case.unit == 'ms':
                return self.limit * 1000
        return self.median

    def ratios(self, other):
        """This series by another, round by round."""
        return [value / other.rounds[number]
                for number, value in self.rounds.items()
                if other.rounds.get(number)]

    def peak(self):
        """Peak of memory by what was live."""
        live = [output['peak_rss'] / output['live']
                for output in self.outputs if output['live'] >= MIB]
        return statistics.median(live) if live else None


def find_library(name, build):
    """What LD_PRELOAD gets for a library; None where it is not there."""
    if name.startswith('libvmspace'):
        path = build / 'src' / 'preload' / name
        return str(path) if path.exists() else None
    # Some cannot be loaded into a process that runs already.
    tried = subprocess.run(['/bin/true'], check=False, capture_output=True,
                           env={'LD_PRELOAD': name})
    return None if tried.stderr else name


class Bench:
    def __init__(self, options):
        self.options = options
        self.programs = options.build / 'bench' / 'growth'
        self.limit = options.memory or machine.memory_to_use()
        self.subjects = []
        for allocator in ALLOCATORS + REFERENCES:
            self._take(allocator)

    def _take(self, allocator):
        if allocator.name not in self.options.allocators:
            return
        if allocator.library and not find_library(allocator.library,
                                                  self.options.build):
            print(f'# not there: {allocator.name} ({allocator.library})')
        elif not (self.programs / allocator.program).exists():
            print(f'# not there: {allocator.name} ({allocator.program})')
        else:
            self.subjects.append(allocator)

    def _environment(self, allocator):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ('LD_PRELOAD', 'GLIBC_TUNABLES',
                                       'MALLOC_CONF')
                       and not name.startswith(('VMSPACE_', 'MALLOC_',
                                                'MIMALLOC_', 'TCMALLOC_'))}
        if allocator.library:
            environment['LD_PRELOAD'] = find_library(allocator.library,
                                                     self.options.build)
        return {**environment, **allocator.environment}

    def _measure(self, allocator, case, threads, warmth):
        command = [self.programs / allocator.program, case.pattern,
                   '--threads', threads]
        for name, value in case.options.items():
            command += [f'--{name}', value]
        # An allocator that copies needs about twice what is live, and more.
        need = min(case.size * threads * 5 // 2, self.options.warm)
        return warmth.measure(need, lambda: machine.capture(
            command, self.options.timeout, self.limit, warmth.huge_pages,
            env=self._environment(allocator)))

    def run_case(self, case, threads, warmth):
        """All rounds of a pattern; a series an allocator."""
        series = [Series(subject, self.options.timeout, case)
                  for subject in self.subjects
                  if case.references or subject not in REFERENCES]
        for number in range(case.rounds or self.options.rounds):
            # Whoever comes after whom changes.
            turn = number % len(series) if series else 0
            for one in series[turn:] + series[:turn]:
                if one.failure:
                    continue
                one.add(number, *self._measure(one.allocator, case, threads,
                                               warmth))
        return {one.allocator.name: one for one in series}


# --- output ------------------------------------------------------------------

def shown(value, width=9):
    if value is None:
        return ' ' * (width - 1) + '-'
    digits = 0 if value >= 1000 else 1 if value >= 100 else 2
    return f'{value:{width}.{digits}f}'


def print_case(case, threads, mode, series):
    print(f'\n{case.name}, {threads} thread{"s" if threads > 1 else ""}, '
          f'THP {mode}')
    print(f'  {"":16}{case.unit:>9} {"from":>9} {"to":>9} {"times":>8}'
          f' {"from":>8} {"to":>8} {"peak/live":>9}')
    own = series.get('vmspace')
    for name, one in series.items():
        values = [*one.rounds.values()]
        ratios = one.ratios(own) if own else []
        if not values:
            print(f'  {name:16}{one.failure or "not run":>9}')
            continue
        print(f'  {name:16}{shown(one.median)} {shown(min(values))} '
              f'{shown(max(values))} '
              f'{shown(statistics.median(ratios) if ratios else None, 8)} '
              f'{shown(min(ratios, default=None), 8)} '
              f'{shown(max(ratios, default=None), 8)} {shown(one.peak())}'
              f'{"  then " + one.failure if one.failure else ""}')


def judge(case, series):
    """What the goals say of a case, printed."""
    verdicts = [goal.verdict(case, Figures(series)) for goal in GOALS]
    verdicts = [verdict for verdict in verdicts if verdict]
    for verdict in verdicts:
        word = 'within' if verdict['within'] else 'MISSES'
        best = f' ({verdict["best"]})' if verdict['best'] else ''
        print(f'  {word}: {verdict["goal"]}{best}: {verdict["value"]:g}, '
              f'asked {verdict["bound"]}')
    return verdicts


def as_json(case, threads, mode, series, verdicts):
    return {
        'case': case.name, 'threads': threads, 'thp': mode, 'unit': case.unit,
        'goals': verdicts,
        'allocators': {
            name: {'median': one.median, 'rounds': one.rounds,
                   'failure': one.failure, 'peak_to_live': one.peak(),
                   'outputs': one.outputs}
            for name, one in series.items()},
    }


# --- arguments ---------------------------------------------------------------

def numbers(text):
    return [int(word) for word in text.split(',')]


def parse_arguments():
    names = [one.name for one in ALLOCATORS + REFERENCES]
    cases = [case.name for case in CASES]
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    machine.add_common_options(parser)
    parser.add_argument('--allocators', metavar='A,B', default=names,
                        type=machine.words(names), help=' '.join(names))
    parser.add_argument('--patterns', metavar='A,B', default=cases,
                        type=machine.words(cases), help=' '.join(cases))
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--threads', type=numbers, default=[1, 2],
                        metavar='N,N', help='1,2')
    parser.add_argument(
        '--thp', metavar='MODE,MODE', default=['machine'],
        type=machine.words(
            ('machine', 'disabled', 'never', 'madvise', 'always')),
        help='machine (as it is set), disabled (by prctl, for the processes), '
             'never, madvise, always (the system\'s setting; needs root)')
    parser.add_argument('--timeout', type=float, default=20,
                        metavar='SECONDS', help='for a process (20)')
    parser.add_argument('--memory', type=int, default=0, metavar='BYTES',
                        help='most memory for a process (half of what is '
                             'available)')
    return parser.parse_args()


def run_mode(bench, mode, results):
    """Every pattern with one setting of huge pages."""
    options = bench.options
    with machine.thp_mode(mode) as huge_pages:
        warmth = machine.Warmth(bench.programs, options.warm, huge_pages)
        for case in CASES:
            if case.name not in options.patterns:
                continue
            if options.quick:
                case = case.quick()
            for threads in options.threads:
                series = bench.run_case(case, threads, warmth)
                print_case(case, threads, mode, series)
                verdicts = [] if options.quick else judge(case, series)
                sys.stdout.flush()
                results.append(as_json(case, threads, mode, series, verdicts))
        report = warmth.report()
    print(f'\n# THP {mode}: {report["line"]}')
    return {'thp': mode, **report}


def main():
    options = parse_arguments()
    machine.end_on_signals()
    described = machine.describe()
    machine.print_header(described)
    machine.Warmth.print_header()
    bench = Bench(options)
    results, warmth = [], []
    try:
        for mode in options.thp:
            warmth.append(run_mode(bench, mode, results))
    finally:
        if options.json:
            options.json.write_text(json.dumps(
                {'machine': described, 'command': sys.argv,
                 'quick': options.quick, 'warmth': warmth,
                 'results': results}, indent=1) + '\n')
    failed = [f'{result["case"]}: {name}: {one["failure"]}'
              for result in results
              for name, one in result['allocators'].items()
              if one['failure'].startswith('exit')]
    for line in failed:
        print(f'# FAILED: {line}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
