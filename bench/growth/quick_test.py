#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Check that the growth benchmarks work; their figures are not looked at.

usage: quick_test.py BUILD-DIRECTORY
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(1, str(HERE.parent.parent / 'scripts'))
# pylint: disable=wrong-import-position
from tap import Tap  # noqa: E402
import cases  # noqa: E402

BUILD = sys.argv[1]
RUN = [HERE / 'run.py', '--build', BUILD]
ALLOCATORS = ['vmspace', 'glibc', 'jemalloc', 'buffer', 'floor', 'memset-warm']


def bench(directory, *arguments, program=HERE / 'run.py'):
    """Run a bench program; its status, its output and its JSON."""
    report = directory / 'report.json'
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [program, '--build', BUILD, '--json', report, *arguments], check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done, json.loads(report.read_text()) if report.exists() else {}


def absent(done):
    """Allocators that the machine does not have, as run.py found."""
    return {line.split()[3] for line in done.stdout.splitlines()
            if line.startswith('# not there:')}


def case_problems(case, result, names):
    """What is wrong with the figures of one case."""
    for name in names:
        if not case.references and name in ('buffer', 'floor', 'memset-warm'):
            continue
        one = result['allocators'].get(name)
        where = f'{case.name}, {result["threads"]} threads, {name}'
        if not one or not one['outputs']:
            yield f'{where}: no figures: {one and one["failure"]}'
            continue
        output = one['outputs'][0]
        # What is left later may be smaller than what a figure can show.
        if case.figure != 'later' and one['median'] <= 0:
            yield f'{where}: {one["median"]} {case.unit}'
        if case.figure in ('growth', 'regrowth', 'later') and not (
                output['peak_rss'] >= output['live'] * 0.95
                and output['live'] == result['threads'] * output['size']):
            yield (f'{where}: {output["live"]} bytes live, '
                   f'at most {output["peak_rss"]} resident')
        if case.pattern == 'append-foreign' and not (
                output['placed'] + output['occupied'] > 0):
            yield f'{where}: nothing was placed behind the block'


def all_patterns(tap, directory):
    done, report = bench(directory, '--quick', '--rounds', '1',
                         '--allocators', ','.join(ALLOCATORS))
    tap.case('every pattern runs with every allocator',
             done.stdout.splitlines()[-20:] if done.returncode else [])
    results = {(result['case'], result['threads']): result
               for result in report.get('results', [])}
    names = [name for name in ALLOCATORS if name not in absent(done)]
    problems = [f'not there: {name}' for name in ('vmspace', 'buffer')
                if name not in names]
    for case in cases.CASES:
        for threads in (1, 2):
            if (case.name, threads) not in results:
                problems.append(f'{case.name}, {threads} threads: missing')
                continue
            problems += case_problems(case, results[case.name, threads], names)
    tap.case('every pattern has figures that can be', problems)
    foreign = results.get(('foreign-64k', 1), {}).get('allocators', {})
    placed = [output['placed']
              for output in foreign.get('glibc', {}).get('outputs', [])]
    tap.case('foreign mappings lie behind the block of glibc',
             [] if placed and placed[0] > 0 else [f'placed: {placed}'])


def limits(tap, directory):
    """Processes that take too long or too much are ended and reported."""
    for title, wanted, arguments in (
            ('a process that takes too long is ended', '>0.2 s',
             ['--timeout', '0.2']),
            ('a process that takes too much memory is ended',
             'too much memory', ['--memory', '100000'])):
        done, report = bench(directory, '--patterns', 'give-back',
                             '--threads', '1', '--warm', str(64 << 20),
                             '--allocators', 'glibc', *arguments)
        failures = [result['allocators']['glibc']['failure']
                    for result in report.get('results', [])]
        tap.case(title, [] if failures == [wanted] else
                 [f'{failures}'] + done.stdout.splitlines()[-20:])


def children(pid):
    return [int(word) for path in Path(f'/proc/{pid}/task').glob('*/children')
            for word in path.read_text().split()]


def is_gone(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(
            ')')[2].split()[0] == 'Z'
    except OSError:
        return True


def wait_for(condition, seconds=20):
    """What a condition comes to, once it holds or the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


def workload_of(runner):
    """The workload that a runner runs now; 0 where there is none."""
    for pid in children(runner):
        try:
            name = Path(f'/proc/{pid}/comm').read_text().strip()
        except OSError:
            continue
        if name == 'growth-workload':
            return pid
    return 0


def killed(tap):
    """Nothing is left where the runner is killed."""
    for number in ('SIGTERM', 'SIGKILL'):
        with subprocess.Popen(
                [*RUN, '--patterns', 'give-back', '--threads', '1',
                 '--warm', str(64 << 20), '--allocators', 'glibc'],
                stdout=subprocess.DEVNULL) as process:
            workload = wait_for(lambda: workload_of(process.pid))
            process.send_signal(getattr(signal, number))
            process.wait()
        gone = workload and wait_for(lambda: is_gone(workload))
        tap.case(f'{number} to the runner ends its process',
                 [] if gone else [f'the workload: {workload}'])


THP_PROGRAM = '''
import sys, time
from pathlib import Path
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import machine
machine.THP = Path(sys.argv[2])
machine.end_on_signals()
with machine.thp_mode('never'):
    print(flush=True)
    time.sleep(60)
'''


def huge_pages(tap, directory):
    """The setting of huge pages is put back; a file stands for it."""
    setting = directory / 'enabled'
    for number in ('SIGTERM', 'SIGKILL'):
        setting.write_text('always [madvise] never\n')
        with subprocess.Popen(
                ['/usr/bin/python3', '-c', THP_PROGRAM, HERE, setting],
                stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            during = setting.read_text()
            process.send_signal(getattr(signal, number))
            process.wait()
        back = wait_for(lambda: setting.read_text() == 'madvise\n')
        tap.case(f'{number} puts huge pages back as they were',
                 [] if during == 'never' and back else
                 [f'during: {during}', f'after: {setting.read_text()}'])


def programs(tap, directory):
    wanted = ['python-string-append', 'python-bytearray', 'sort']
    done, report = bench(directory, '--quick', '--programs', ','.join(wanted),
                         '--directory', directory,
                         program=HERE / 'programs.py')
    told = report.get('programs', [])
    problems = [] if done.returncode == 0 else done.stdout.splitlines()[-20:]
    if [one['program'] for one in told] != wanted:
        problems.append(f'told of: {told}')
    problems += [f'{one}' for one in told if not one.get('ratio', 0) > 0]
    tap.case('programs run bare and preloaded, and print the same', problems)
    grown = [one['heap'].get('grown-in-place', 0) + one['heap'].get('moves', 0)
             for one in told if 'heap' in one]
    tap.case('the heap grew the blocks of python',
             [] if grown and min(grown[:2]) > 0 else [f'{told}'])


def main():
    # Their parent may be somebody else's preload library.
    os.environ.pop('LD_PRELOAD', None)
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix='vmspace-growth-') as directory:
        directory = Path(directory)
        all_patterns(tap, directory)
        limits(tap, directory)
        killed(tap)
        huge_pages(tap, directory)
        programs(tap, directory)
    tap.finish()


main()
