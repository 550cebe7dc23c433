#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""That programs of bench/ tell their options before they do anything.

usage: usage.py PROGRAM...

Each answers --help, and refuses what it does not know by the same text and status 2, at
once: without a figure, or the header of figures. Prints TAP.
"""

import os
import subprocess
import sys
import tempfile


def problem_of(program, options, status):
    with tempfile.TemporaryDirectory(prefix='vmspace-usage-') as directory:
        done = subprocess.run([program, *options], cwd=directory, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False,
                              env={**os.environ, 'VMS_BENCH_DIRECTORY': directory})
        told, other = done.stderr, done.stdout
        if status == 0:
            told, other = other, told
        if done.returncode != status or 'usage: ' not in told or other:
            return f'{options}: status {done.returncode}\n{done.stdout}{done.stderr}'
        return f'{options}: leaves files' if os.listdir(directory) else ''


def main():
    failures = 0
    programs = sys.argv[1:]
    print(f'1..{len(programs)}')
    for number, program in enumerate(programs, 1):
        problems = [problem for problem in (
            problem_of(os.path.abspath(program), ['--help'], 0),
            problem_of(os.path.abspath(program), ['--no-such', '1'], 2),
            problem_of(os.path.abspath(program), ['1'], 2)) if problem]
        failures += bool(problems)
        print(f'{"not " if problems else ""}ok {number} - '
              f'{os.path.basename(program)} tells its options')
        for line in '\n'.join(problems).splitlines():
            print('# ' + line)
    return failures > 0


if __name__ == '__main__':
    sys.exit(main())
