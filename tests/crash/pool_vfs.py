#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""SQLite's shell, which knows nothing of pools, over a pool with a part of the RAM that its
database would take: what it answers and what is on the disk must be what it is without,
and a kill loses nothing that was committed.

usage: pool_vfs.py EXTENSION [SEED]
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

EXTENSION = os.path.splitext(os.path.abspath(sys.argv[1]))[0]
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
RAM = 1 << 20
READ_IN_PLACE = 'PRAGMA mmap_size = 1000000000; PRAGMA cache_size = 100;\n'

# Several times the RAM, with an index, a rollback and a copy of all of it.
ROWS = 30000
LOAD = """
CREATE TABLE a(id INTEGER PRIMARY KEY, number INTEGER, text TEXT);
CREATE INDEX a_number ON a(number);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ROWS)
INSERT INTO a SELECT i, (i * 7919) % 100003, printf('%0120d', i * 31) FROM n;
COMMIT;
SELECT count(*), sum(number), max(text) FROM a;
UPDATE a SET number = number + 1 WHERE id % 7 = 0;
DELETE FROM a WHERE id % 5 = 0;
SELECT count(*), sum(number * id) FROM a WHERE number BETWEEN 1000 AND 50000;
CREATE TABLE b AS SELECT number % 1000 AS key, count(*) AS many,
	group_concat(substr(text, 90)) AS all_of FROM a GROUP BY key;
SELECT count(*), sum(many), sum(length(all_of)) FROM b;
BEGIN; DELETE FROM a; UPDATE b SET all_of = NULL; ROLLBACK;
SELECT count(*), sum(length(all_of)) FROM a, b WHERE a.id = b.key;
DELETE FROM a WHERE id % 2 = 0;
VACUUM;
PRAGMA integrity_check;
SELECT count(*), sum(number * id) FROM a;
""".replace('ROWS', str(ROWS))
# The shell's process tells what it has had at most.
MEMORY = ".system grep VmHWM /proc/$PPID/status\n"


def shell_of(path, ram=RAM, on_pool=True):
    if not on_pool:
        return ['sqlite3', '-batch', str(path)]
    return ['sqlite3', '-batch', '-cmd', f'.load {EXTENSION}',
            '-cmd', f'.open file:{path}?vfs=pool&ram={ram}']


def run(path, sql, **arguments):
    result = subprocess.run(shell_of(path, **arguments), input=sql, text=True,
                            capture_output=True, check=False)
    if result.returncode or result.stderr:
        raise AssertionError(f'status {result.returncode}: {result.stderr}')
    return result.stdout


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f'{found[-2000:]!r} and not {wanted[-2000:]!r}')


def is_as_without(directory, before, load):
    """Answers, and the file byte for byte."""
    with_pool, without = directory / 'pool.db', directory / 'unix.db'
    wanted = run(without, before + load, on_pool=False)
    expect(run(with_pool, before + load), wanted)
    if with_pool.read_bytes() != without.read_bytes():
        raise AssertionError('the files differ')
    if load is LOAD and with_pool.stat().st_size < RAM * 2:
        raise AssertionError('the database is too small')


def keeps_a_rollback_journal(directory):
    is_as_without(directory, READ_IN_PLACE, LOAD)


def keeps_a_log(directory):
    is_as_without(directory, 'PRAGMA journal_mode = WAL;\n' + READ_IN_PLACE, LOAD)


def reads_by_copies_small_pages(directory):
    is_as_without(directory, 'PRAGMA page_size = 1024; PRAGMA cache_size = 100;\n', LOAD)


def reads_in_parts_large_pages(directory):
    is_as_without(directory, 'PRAGMA page_size = 16384;\n' + READ_IN_PLACE, LOAD)


def statement(chance):
    key = chance.randrange(4000)
    return chance.choice([
        f"INSERT OR REPLACE INTO r VALUES({key}, {chance.randrange(99)}, "
        f"hex(zeroblob({chance.randrange(4000)})));",
        f'DELETE FROM r WHERE id BETWEEN {key} AND {key + chance.randrange(60)};',
        f"UPDATE r SET n = n + 1, t = t || 'x' WHERE id % 97 = {key % 97};",
        f'SELECT count(*), sum(n), sum(length(t)) FROM r WHERE id > {key};',
        f'SELECT id, length(t) FROM r WHERE n = {key % 99} ORDER BY t, id LIMIT 9;',
        'SAVEPOINT s; DELETE FROM r WHERE id % 3 = 0; ROLLBACK TO s; RELEASE s;',
    ])


def does_what_chance_says(directory):
    chance = random.Random(SEED)
    print(f'# seed {SEED}')
    sql = ['CREATE TABLE r(id INTEGER PRIMARY KEY, n INTEGER, t TEXT);',
           'CREATE INDEX r_n ON r(n, t);']
    for _ in range(60):
        lines = [statement(chance) for _ in range(chance.randrange(1, 20))]
        end = chance.choice(['COMMIT;', 'COMMIT;', 'ROLLBACK;'])
        sql += ['BEGIN;', *lines, end] if chance.randrange(2) else lines[:4]
        sql += ['VACUUM;'] if chance.randrange(20) == 0 else []
    is_as_without(directory, READ_IN_PLACE, '\n'.join(sql) + '\nPRAGMA integrity_check;\n')


def memory_of(output):
    return int(re.search(r'VmHWM:\s*(\d+) kB', output).group(1)) << 10


def has_no_more_memory(directory):
    """Beside what a shell has whose database is small; a mapping would have all of it."""
    path = directory / 'large.db'
    small = run(directory / 'small.db', 'CREATE TABLE a(b);\n' + READ_IN_PLACE + MEMORY)
    large = run(path, READ_IN_PLACE + 'CREATE TABLE a(t);\n'
                'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n '
                'WHERE i < 16000) INSERT INTO a SELECT hex(zeroblob(500)) FROM n;\n'
                'SELECT count(*), max(t) > 0 FROM a;\n' + MEMORY)
    more = memory_of(large) - memory_of(small)
    if more > RAM * 1.02 + (4 << 20) or path.stat().st_size < 3 * more:
        raise AssertionError(f'{more >> 10} KiB more')


def has_two_connections(directory):
    path = directory / 'two.db'
    sql = ('CREATE TABLE a(b); INSERT INTO a VALUES(1);\n.connection 1\n'
           f'.open file:{path}?vfs=pool\nINSERT INTO a VALUES(2); SELECT sum(b) FROM a;\n'
           '.connection 0\nSELECT sum(b) FROM a; INSERT INTO a VALUES(4);\n'
           '.connection 1\nSELECT sum(b) FROM a;\n')
    expect(run(path, sql), '3\n3\n7\n')


def refuses_another_process(directory):
    path = directory / 'refused.db'
    with subprocess.Popen(shell_of(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as first:
        first.stdin.write('CREATE TABLE a(b); SELECT 1;\n')
        first.stdin.flush()
        first.stdout.readline()
        second = subprocess.run(shell_of(path), input='SELECT * FROM a;', text=True,
                                capture_output=True, check=False)
        first.stdin.close()
        first.stdout.read()
    if not second.stderr or second.stdout:
        raise AssertionError('it was not refused')


def kill_once(path, chance):
    """The last number that was committed before the kill."""
    said = 0
    sql = ''.join('INSERT INTO a SELECT coalesce(max(id), 0) + 1, hex(zeroblob(900)) FROM a;'
                  'SELECT max(id) FROM a;\n' for _ in range(400))
    with subprocess.Popen(shell_of(path, ram=1 << 20), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write('PRAGMA cache_size = 10;' + sql)
        process.stdin.flush()
        for _ in range(chance.randrange(1, 200)):
            said = int(process.stdout.readline())
        process.kill()
        for line in process.stdout:
            said = int(line) if line.endswith('\n') else said
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
    return said


def outlasts_kills(directory, mode):
    path, chance = directory / 'killed.db', random.Random(SEED)
    run(path, f'PRAGMA journal_mode = {mode}; CREATE TABLE a(id INTEGER PRIMARY KEY, t);')
    for _ in range(5):
        said = kill_once(path, chance)
        found = run(path, 'SELECT max(id) = count(*) FROM a;'
                    f'SELECT max(id) >= {said} FROM a; PRAGMA integrity_check;',
                    on_pool=bool(chance.randrange(2)))
        expect(found, '1\n1\nok\n')


def outlasts_kills_with_a_journal(directory):
    outlasts_kills(directory, 'DELETE')


def outlasts_kills_with_a_log(directory):
    outlasts_kills(directory, 'WAL')


CASES = [
    keeps_a_rollback_journal, keeps_a_log, reads_by_copies_small_pages,
    reads_in_parts_large_pages, does_what_chance_says, has_no_more_memory,
    has_two_connections, refuses_another_process, outlasts_kills_with_a_journal,
    outlasts_kills_with_a_log,
]


def why_not():
    """Why the cases cannot be run here."""
    if not shutil.which('sqlite3'):
        return 'there is no sqlite3'
    result = subprocess.run(['sqlite3', ':memory:', f'.load {EXTENSION}'], text=True,
                            capture_output=True, check=False)
    if 'unknown command' in result.stderr:
        return 'this sqlite3 loads no extensions'
    return None


def main():
    reason = why_not()
    if reason:
        print(f'1..0 # skip {reason}')
        return 0
    failures = 0
    for number, case in enumerate(CASES, 1):
        with tempfile.TemporaryDirectory(prefix='vmspace-vfs-') as directory:
            try:
                case(Path(directory))
                print(f'ok {number} - {case.__name__}', flush=True)
            except AssertionError as error:
                failures += 1
                print(f'not ok {number} - {case.__name__}\n# {error}', flush=True)
    print(f'1..{len(CASES)}')
    return failures > 0


if __name__ == '__main__':
    sys.exit(main())
