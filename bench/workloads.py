# SPDX-License-Identifier: MIT
"""Other people's programs at work, for benches that run them bare and in another way."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parent / 'growth'))
# pylint: disable=wrong-import-position
from program_cases import MIB, copy_modules, make_numbers  # noqa: E402

SQL = ('CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT);'
       'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c '
       'WHERE i < 1000000) INSERT INTO t SELECT i, "name " || i FROM c;'
       'CREATE INDEX n ON t(name); SELECT count(*) FROM t;')


# Debian's redis-tools has the server, under another name. It is waited for in
# steps that are small beside what is measured, and without more programs.
REDIS = '''
(exec -a redis-server /usr/bin/redis-check-rdb --port 36379 --save '' \
    --bind 127.0.0.1 > /dev/null) &
until (: < /dev/tcp/127.0.0.1/36379) 2> /dev/null; do sleep 0.01; done
redis-benchmark -p 36379 -n 200000 -q -t set,get,lpush
redis-cli -p 36379 shutdown nosave
wait
'''


def write_c_file(path):
    """One of some size: 600 functions."""
    with path.open('w') as file:
        file.write('#include <stdio.h>\n#include <string.h>\n')
        for i in range(600):
            file.write(f'int f{i}(char *s, int n)\n{{\n'
                       f'\tchar b[{64 + i}];\n\tint sum = {i};\n'
                       '\tmemset(b, n, sizeof b);\n'
                       '\tfor (int i = 0; i < n; i++)\n'
                       '\t\tsum += b[(unsigned)i % sizeof b] * s[i];\n'
                       '\tprintf("%d %s\\n", sum, s);\n\treturn sum;\n}\n')


def workloads(directory):
    source, numbers = directory / 'many.c', directory / 'numbers'
    modules = directory / 'modules'
    write_c_file(source)
    make_numbers(numbers, 28 * MIB)
    copy_modules(modules)
    return {
        'gcc': ['gcc', '-O1', '-c', '-o', '/dev/null', str(source)],
        'compileall': ['/usr/bin/python3', '-I', '-m', 'compileall', '-q',
                       '-f', str(modules)],
        'sqlite3': ['sqlite3', ':memory:', SQL],
        'sort': ['sort', '-o', '/dev/null', str(numbers)],
        'redis': ['bash', '-c', REDIS],
        'shell': ['sh', '-c', 'for i in $(seq 200); do /bin/true; done'],
    }


def seconds(command):
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def compare(name, command, prefix, rounds):
    """Bare and behind a prefix in turn; the order changes."""
    bare, other = [], []
    for number in range(rounds):
        turns = [(bare, command), (other, prefix + command)]
        for series, words in turns[::1 if number % 2 else -1]:
            series.append(seconds(words))
    ratios = sorted(b / a for a, b in zip(bare, other))
    result = {'name': name, 'bare': statistics.median(bare),
              'other': statistics.median(other),
              'ratio': statistics.median(ratios),
              'from': ratios[0], 'to': ratios[-1],
              'best': min(other) / min(bare)}
    print(f'{name:22} {result["bare"]:8.3f} {result["other"]:8.3f} '
          f'{result["ratio"]:7.3f} {result["best"]:7.3f}  '
          f'{ratios[0]:.3f} to {ratios[-1]:.3f}')
    sys.stdout.flush()
    return result
