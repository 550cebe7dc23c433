#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Run CPython's own test_mmap bare and under the preload library.

cpython.py LIBRARY. Each of its tests is a case, and must end as it does bare.
The interpreter is the one of the system's test-suite package
(libpython3-testsuite), which need not be the first python3 on PATH.
"""

import os
import re
import subprocess
import sys
import tempfile

PYTHON = '/usr/bin/python3'

# "test_x (test.test_mmap.MmapTests.test_x) ... ok", with a docstring or the
# program's own output possibly before the outcome.
RESULT = re.compile(r'^(test_\w+) \(([\w.]+)\)', re.MULTILINE)
OUTCOME = re.compile(r'\.\.\. .*?\b(ok|FAIL|ERROR|skipped|expected failure|'
                     r'unexpected success)\b', re.DOTALL)


def run(environment, directory):
    """The outcome of each test, and the exit status."""
    process = subprocess.run(
        [PYTHON, '-m', 'test', '-v', '--tempdir', directory, 'test_mmap'],
        env={**os.environ, **environment}, cwd=directory, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    starts = list(RESULT.finditer(process.stdout))
    ends = [match.start() for match in starts[1:]] + [len(process.stdout)]
    outcomes = {}
    for match, end in zip(starts, ends):
        outcome = OUTCOME.search(process.stdout, match.end(), end)
        # Failures are told again at the end, without an outcome.
        outcomes.setdefault(match.group(2),
                            outcome.group(1) if outcome else 'unfinished')
    return outcomes, process.returncode, process.stdout


def served(path):
    with open(path, encoding='ascii') as file:
        return max((int(count) for count in
                    re.findall(r'served (\d+)', file.read())), default=0)


def has_test_suite():
    probe = subprocess.run([PYTHON, '-c', 'import test.test_mmap'],
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
    return probe.returncode == 0


def main(library):
    if not has_test_suite():
        print('1..0 # SKIP no test.test_mmap: libpython3-testsuite')
        return
    with tempfile.TemporaryDirectory() as directory:
        stats = os.path.join(directory, 'stats')
        bare, bare_status, _ = run({}, directory)
        preloaded, status, output = run(
            {'LD_PRELOAD': library, 'VMSPACE_REHOME_STATS': stats}, directory)
        calls = served(stats)

    number = 0

    def case(good, name):
        nonlocal number
        number += 1
        print(f'{"ok" if good else "not ok"} {number} - {name}')

    for name in sorted(bare | preloaded):
        case(bare.get(name) == preloaded.get(name),
             f'{name}: bare {bare.get(name)}, '
             f'under the preload {preloaded.get(name)}')
    case(len(bare) >= 20, f'{len(bare)} tests were found')
    case(status == bare_status, f'exit status {status}, bare {bare_status}')
    case(calls >= 100, f'the space served {calls} calls')
    print(f'1..{number}')
    if status != bare_status:
        for line in output.splitlines():
            print('#', line)


if __name__ == '__main__':
    main(os.path.abspath(sys.argv[1]))
