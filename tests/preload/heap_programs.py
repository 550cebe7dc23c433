#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Run other people's programs bare and under 'vmspace heap'.

heap_programs.py VMSPACE SOURCE NAME. Each line of what a program tells is a
case, and must be the same in both runs. The heap must have been used.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

VMSPACE, SOURCE = map(os.path.abspath, sys.argv[1:3])
NAME = sys.argv[3]

# The interpreter that the system's test-suite package is for.
PYTHON = '/usr/bin/python3'


class Missing(Exception):
    """A program is not there."""


class Place:
    """A directory of a run, and how programs are started in it."""

    def __init__(self, directory, prefix):
        self.directory = directory
        self.prefix = prefix

    def path(self, name):
        return os.path.join(self.directory, name)

    def environment(self, **more):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(('GIT_', 'LD_', 'VMSPACE_HEAP'))}
        return {**clean, 'HOME': self.directory, 'LC_ALL': 'C', **more}

    def start(self, *command, **options):
        return subprocess.Popen([*self.prefix, *command], cwd=self.directory,
                                env=self.environment(), text=True,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, **options)

    def run(self, *command, text=None, **environment):
        """The lines that a program writes, and its status."""
        if not shutil.which(command[0]):
            raise Missing(command[0])
        result = subprocess.run(
            [*self.prefix, *command], input=text, text=True,
            cwd=self.directory, env=self.environment(**environment),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return [*result.stdout.splitlines(), f'exit {result.returncode}']


def python(place):
    """CPython's own tests; how many ran, and how each module ended."""
    probe = place.run(PYTHON, '-c', 'import test.test_list')
    if probe != ['exit 0']:
        raise Missing('libpython3-testsuite')
    lines = place.run(PYTHON, '-m', 'test', '-v', '--tempdir',
                      place.directory, 'test_array', 'test_bytes', 'test_list',
                      'test_mmap', 'test_fork1', 'test_thread')
    return [line for line in (re.sub(r' in [\d.]+s', '', line)
                              for line in lines)
            if re.match(r'Ran \d+ tests|OK|FAILED|exit|=== .*failed|ERROR:|'
                        r'FAIL:', line)]


SQL = """
PRAGMA cache_size = -100000;
CREATE TABLE t (id INTEGER PRIMARY KEY, number INTEGER, text TEXT);
BEGIN;
WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c
WHERE i < 200000)
INSERT INTO t SELECT i, (i * 7919) % 100003, printf('%050d', i) FROM c;
COMMIT;
CREATE INDEX by_number ON t (number, text);
SELECT count(*), sum(number), max(text) FROM t;
SELECT length(group_concat(text)) FROM t;
SELECT substr(group_concat(text, '-'), 5000000, 60) FROM t;
SELECT number, count(*) FROM t GROUP BY number ORDER BY 2 DESC, 1 LIMIT 3;
UPDATE t SET text = zeroblob(200000) WHERE id % 5000 = 0;
SELECT sum(length(text)) FROM t;
DELETE FROM t WHERE id % 3 = 0;
VACUUM;
PRAGMA integrity_check;
"""


def sqlite(place):
    return place.run('sqlite3', place.path('file.db'), text=SQL)


PERL = """
use strict; use Digest::MD5 qw(md5_hex);
my $s = ''; $s .= sprintf('%08d,', $_) for 1 .. 1_000_000;
print length($s), ' ', md5_hex($s), "\\n";
my @n = sort { $a <=> $b } map { ($_ * 7919) % 1_000_003 } 1 .. 200_000;
print "$n[0] $n[100_000] $n[-1]\\n";
my %h; $h{$_ % 50_000} .= $_ for 1 .. 300_000;
print scalar(keys %h), ' ', md5_hex(join ',', map { $h{$_} } sort keys %h);
(my $t = $s) =~ s/00/-/g; print "\\n", length($t), ' ', md5_hex($t), "\\n";
if (!(my $p = fork)) { $s x= 2; exit(length($s) == 18_000_000 ? 3 : 4) }
wait; print $? >> 8, "\\n";
print md5_hex(`cat $0` . join '', map { chr($_ % 256) } 1 .. 1_000_000), "\\n";
"""


def perl(place):
    with open(place.path('program.pl'), 'w', encoding='ascii') as file:
        file.write(PERL)
    return place.run('perl', 'program.pl')


def git(place):
    """A repository with large files, packed anew."""
    tree = place.path('tree')
    shutil.copytree(os.path.join(SOURCE, 'src'), tree)
    for number in range(3):
        with open(os.path.join(tree, f'large{number}'), 'w',
                  encoding='ascii') as file:
            file.writelines(f'{i * (number + 1) % 1000003}\n'
                            for i in range(100000))
    date = '2020-02-02T02:02:02Z'
    lines = []
    for command in ('init -q -b main', 'add .', 'commit -q -m first',
                    'rm -q large1', 'commit -q -m second', 'gc -q',
                    'repack -q -a -d -f --window=20', 'fsck --full',
                    'log --stat --format=%H:%T', 'diff HEAD~ --stat',
                    'archive --format=tar -o ../out.tar HEAD',
                    'show --format=%H HEAD~:large1'):
        lines += place.run(
            'git', '-C', tree, '-c', 'user.name=n', '-c', 'user.email=e',
            '-c', 'safe.directory=*', '-c', 'core.bigFileThreshold=1g',
            *command.split(), GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date,
            GIT_CONFIG_NOSYSTEM='1')[-2000:]
    return summed(lines, place.path('out.tar'))


def summed(lines, *files):
    """Few lines for many, and one for each file."""
    result = subprocess.run(['md5sum'], input='\n'.join(lines), text=True,
                            stdout=subprocess.PIPE, check=True)
    sums = [f'{len(lines)} lines: {result.stdout.split()[0]}']
    for file in files:
        result = subprocess.run(['md5sum', file], text=True,
                                stdout=subprocess.PIPE, check=True)
        sums.append(f'{os.path.basename(file)}: {result.stdout.split()[0]}')
    return sums + [line for line in lines if line.startswith('exit ')]


def gcc(place):
    """A file of the tree, and a large one that is made."""
    include = ['-I', os.path.join(SOURCE, 'include'),
               '-I', os.path.join(SOURCE, 'src')]
    lines = place.run('gcc', '-O2', '-D_GNU_SOURCE', *include, '-S',
                      '-o', 'small.s', os.path.join(SOURCE, 'src/vma/tree.c'))
    with open(place.path('large.c'), 'w', encoding='ascii') as file:
        for i in range(500):
            file.write(f'int f{i}(int a, int b) {{ for (int i = 0; i < a; i++)'
                       f' b = b * {i} + a / (b | 1); return b; }}\n')
        file.write('static const char text[] =\n')
        file.writelines(f'"{i:0100d}"\n' for i in range(20000))
        file.write(';\nint main(void) { return f1(text[5], 2) == 7; }\n')
    lines += place.run('gcc', '-O1', '-S', 'large.c')
    lines += place.run('gcc', '-o', 'large', 'large.s')
    lines += place.run(place.path('large'))
    return summed(lines, place.path('small.s'), place.path('large.s'))


# Debian's package of the server starts one on installation; its tools hold the
# same program under another name.
def redis_program(place):
    tool = shutil.which('redis-server') or shutil.which('redis-check-rdb')
    if not tool:
        raise Missing('redis-server')
    os.symlink(os.path.realpath(tool), place.path('redis-server'))
    return place.path('redis-server')


FILL = """
for i = 1, 20000 do redis.call('SET', 'k' .. i, string.rep(i .. ',', 20)) end
for i = 1, 20 do redis.call('SET', 'l' .. i, string.rep(i .. '.', 100000)) end
for i = 1, 2000 do redis.call('APPEND', 'grown', string.rep('a', 10000)) end
for i = 1, 50000 do redis.call('RPUSH', 'list', i, i * i) end
for i = 1, 50000 do redis.call('HSET', 'hash', 'f' .. i, i) end
return redis.status_reply('filled')
"""


class Redis:
    def __init__(self, place, program, *options):
        self.bare = Place(place.directory, [])
        self.server = place.start(
            program, '--port', '0', '--unixsocket', 'socket', '--save', '',
            '--enable-debug-command', 'local', *options)
        while self.server.poll() is None:
            if self.call('PING')[:1] == ['PONG']:
                return
            time.sleep(0.05)
        raise AssertionError(self.server.communicate()[0])

    def call(self, *arguments):
        return self.bare.run('redis-cli', '-s', 'socket', *arguments)

    def wait_for_save(self):
        """How the save ended, and a server that is alive."""
        lines = []
        while 'rdb_bgsave_in_progress:0' not in lines:
            time.sleep(0.05)
            lines = self.call('INFO', 'persistence')
        return [line for line in lines if 'bgsave_status' in line]

    def stop(self):
        self.call('SHUTDOWN', 'NOSAVE')
        return [f'server exit {self.server.wait()}']


def redis(place):
    program = redis_program(place)
    if not shutil.which('redis-cli') or not shutil.which('redis-benchmark'):
        raise Missing('redis-tools')
    bare = Place(place.directory, [])
    first = Redis(place, program)
    lines = first.call('EVAL', FILL, '0')
    before = first.call('DEBUG', 'DIGEST')
    lines += before
    lines += first.call('BGSAVE')
    benchmark = bare.run('redis-benchmark', '-s', 'socket', '-q', '-n', '500',
                         '-c', '20', '-d', '150000', '-r', '200',
                         '-t', 'set,get,lpush')
    lines += [f'benchmark {benchmark[-1]}']
    lines += first.wait_for_save()
    lines += first.stop()
    lines += bare.run('redis-check-rdb', 'dump.rdb')[-1:]
    second = Redis(place, program)
    lines += second.call('DEBUG', 'DIGEST')
    lines += [str(second.call('DEBUG', 'DIGEST') == before)]
    return lines + second.stop()


def has_heap(process):
    """Whether a process has a heap's addresses."""
    try:
        with open(f'/proc/{process}/statm', encoding='ascii') as file:
            pages = int(file.read().split()[0])
    except OSError:
        return False
    return pages * os.sysconf('SC_PAGESIZE') > 1 << 38


def children(process):
    try:
        with open(f'/proc/{process}/task/{process}/children',
                  encoding='ascii') as file:
            own = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return own + [below for child in own for below in children(child)]


def stress(place, *options):
    """Its workers end without telling figures, so they are looked at."""
    global seen
    command = ['stress-ng', *options, '--verify', '--timeout', '2',
               '--temp-path', place.directory, '--no-rand-seed']
    if not shutil.which(command[0]):
        raise Missing(command[0])
    # Memory is limited for each process, addresses are not.
    process = place.start('sh', '-c', 'ulimit -d 700000; exec "$@"', 'sh',
                          *command)
    while place.prefix and not seen and process.poll() is None:
        seen = sum(has_heap(child) for child in children(process.pid))
    output = process.communicate()[0]
    return sorted({re.sub(r'\[\d+\]| in [\d.]+s', '', line)
                   for line in output.splitlines()
                   if re.search('fail:|error:|successful', line)
                   }) + [f'exit {process.returncode}']


# Processes of a stressor that had a heap.
seen = 0


def stress_malloc(place):
    return stress(place, '--malloc', '1', '--malloc-bytes', '64M',
                  '--malloc-max', '512', '--malloc-pthreads', '2')


def stress_bigheap(place):
    return stress(place, '--bigheap', '1', '--bigheap-growth', '1M')


PROGRAMS = {
    'python': python, 'sqlite3': sqlite, 'perl': perl, 'git': git, 'gcc': gcc,
    'redis': redis, 'stress-malloc': stress_malloc,
    'stress-bigheap': stress_bigheap,
}


def run_in(directory, name, prefix):
    path = os.path.join(directory, name)
    os.mkdir(path)
    return PROGRAMS[NAME](Place(path, prefix))


def made(path):
    """The most blocks that the heap of one process has made."""
    with open(path, encoding='ascii') as file:
        return max((int(count) for count in
                    re.findall(r' allocations (\d+)', file.read())), default=0)


def main():
    with tempfile.TemporaryDirectory() as directory:
        stats = os.path.join(directory, 'stats')
        try:
            bare = run_in(directory, 'bare', [])
        except Missing as missing:
            print(f'1..0 # SKIP there is no {missing}')
            return
        heap = run_in(directory, 'heap', [VMSPACE, 'heap',
                                          f'--stats={stats}', '--'])
        count = made(stats)

    number = 0

    def case(good, name):
        nonlocal number
        number += 1
        print(f'{"ok" if good else "not ok"} {number} - '
              f'{name.replace("#", "")}')

    for i in range(max(len(bare), len(heap))):
        have = heap[i] if i < len(heap) else 'nothing'
        want = bare[i] if i < len(bare) else 'nothing'
        case(have == want, want)
        if have != want:
            print(f'# under the heap: {have}')
    case(len(bare) > 0, f'{len(bare)} lines bare')
    case(count + seen > 0, f'the heap made {count} blocks, '
                           f'{seen} workers had one')
    print(f'1..{number}')


main()
