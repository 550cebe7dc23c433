#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Record which pages SQLite reads, for bench-pool-traces.

usage: record_traces.py DIRECTORY [--rows N] [--queries N]

A database is made in a temporary directory, with a table of people, two indexes and one of
their orders. Then SQLite, with a cache of its own of next to nothing, works with it under
strace(1), which tells each page that it reads. Three files come of it in DIRECTORY:

queries  people by name, a few names very often (Zipf), with their orders
scans    the same, and now and then a sum over the whole table
updates  changes of random orders and of those of a few people, by their indexes
"""

import argparse
import os
import random
import re
import subprocess
import sqlite3
import sys
import tempfile

PAGE = 4096
READ = re.compile(r'pread64\(\d+(?:<[^>]*>)?, .*, (\d+), (\d+)\)\s+= (\d+)$')


def connect(path):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(f'PRAGMA page_size = {PAGE}')
    database.execute('PRAGMA journal_mode = OFF')
    database.execute('PRAGMA synchronous = OFF')
    database.execute('PRAGMA mmap_size = 0')
    return database


def make(path, rows, chance):
    database = connect(path)
    database.execute('CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, about TEXT)')
    database.execute('CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER, '
                     'amount INTEGER, about TEXT)')
    database.execute('BEGIN')
    names = list(range(rows))
    chance.shuffle(names)
    database.executemany('INSERT INTO people VALUES (?, ?, ?)',
                         ((i, f'name {names[i]:09d}', 'x' * chance.randint(40, 400))
                          for i in range(rows)))
    database.executemany('INSERT INTO orders VALUES (?, ?, ?, ?)',
                         ((i, chance.randrange(rows), i, 'y' * chance.randint(20, 120))
                          for i in range(2 * rows)))
    database.execute('CREATE INDEX people_by_name ON people (name)')
    database.execute('CREATE INDEX orders_by_person ON orders (person)')
    database.execute('COMMIT')
    database.close()


class Zipf:
    """Numbers below a limit, the first most often: its share falls with the rank."""

    def __init__(self, chance, limit, skew=0.9):
        self.chance, self.limit, self.power = chance, limit, 1.0 / (1.0 - skew)

    def __call__(self):
        return int(self.limit * self.chance.random() ** self.power)


def look_up(database, name):
    for person, _ in database.execute('SELECT id, about FROM people WHERE name = ?',
                                      (f'name {name:09d}',)):
        database.execute('SELECT sum(amount), max(about) FROM orders WHERE person = ?',
                         (person,)).fetchall()


def work(path, kind, rows, queries, chance):
    database = connect(path)
    database.execute('PRAGMA cache_size = 4')
    name = Zipf(chance, rows)
    for i in range(queries):
        if kind == 'updates':
            key = chance.randrange(2 * rows) if i % 2 else name()
            column = 'id' if i % 2 else 'person'
            database.execute(f'UPDATE orders SET amount = amount + 1 WHERE {column} = ?',
                             (key,))
            continue
        look_up(database, name())
        if kind == 'scans' and i % (queries // 8) == queries // 16:
            database.execute('SELECT sum(length(about)) FROM people').fetchall()
    database.close()


def record(path, kind, arguments, target):
    command = ['strace', '-f', '--seccomp-bpf', '-s', '0', '-e', 'trace=pread64',
               '-P', path, '-o', '/dev/stdout', sys.executable, __file__,
               '--work', kind, '--rows', str(arguments.rows),
               '--queries', str(arguments.queries), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, \
            open(target, 'w', encoding='ascii') as file:
        for line in process.stdout:
            match = READ.search(line.strip())
            # Less than a page is the header, which it looks at to see others' changes.
            if match and int(match[1]) == PAGE:
                file.write(f'{int(match[2]) // PAGE}\n')
    if process.returncode:
        sys.exit(f'strace: status {process.returncode}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('place')
    parser.add_argument('--rows', type=int, default=40000)
    parser.add_argument('--queries', type=int, default=10000)
    parser.add_argument('--work', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    chance = random.Random(arguments.work or 'rows')
    if arguments.work:
        work(arguments.place, arguments.work, arguments.rows, arguments.queries, chance)
        return
    os.makedirs(arguments.place, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'database')
        make(path, arguments.rows, chance)
        for kind in ('queries', 'scans', 'updates'):
            record(path, kind, arguments, os.path.join(arguments.place, kind))


if __name__ == '__main__':
    main()
