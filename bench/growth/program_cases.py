# SPDX-License-Identifier: MIT
"""The programs of programs.py: other people's, unmodified, with large blocks
and without."""

import json
import random
import shutil
import sysconfig
from dataclasses import dataclass, field

MIB = 1 << 20
GIB = 1 << 30


# --- what they read ----------------------------------------------------------

def make_numbers(path, size):
    """Lines of numbers in random order."""
    source = random.Random(1)
    block = ''.join(f'{source.randrange(10 ** 9)}\n' for _ in range(100000))
    with path.open('w') as file:
        for number in range(size // len(block) + 1):
            # Every block is another one, and costs nothing to make.
            file.write(block.replace('0', str(number % 10), number % 7))


def _text(path, size):
    """Lines of words."""
    source = random.Random(2)
    words = [''.join(source.choices('abcdefghijklmnopqrstuvwxyz',
                                    k=source.randrange(2, 10)))
             for _ in range(2000)]
    block = ''.join(' '.join(source.choices(words, k=12)) + '\n'
                    for _ in range(20000))
    with path.open('w') as file:
        for number in range(size // len(block) + 1):
            file.write(f'{number}\n{block}')


def _changed_text(path, size):
    """The text, with a line changed here and there."""
    _text(path, size)
    lines = path.read_text().splitlines(keepends=True)
    for number in range(0, len(lines), 5000):
        lines[number] = f'changed {number}\n'
    path.write_text(''.join(lines))


def _json(path, size):
    """An array of objects."""
    source = random.Random(3)
    block = [{'id': source.randrange(10 ** 9), 'name': f'name {number}',
              'tags': ['one', 'two'], 'price': source.random()}
             for number in range(10000)]
    text = json.dumps(block)[1:-1]
    path.write_text('[' + ','.join([text] * (size // len(text) + 1)) + ']')


def copy_modules(path, _size=0):
    """The standard library, without its tests."""
    shutil.copytree(sysconfig.get_path('stdlib'), path,
                    ignore=shutil.ignore_patterns(
                        'test', 'tests', '*-packages', 'config-*',
                        '__pycache__', '*.so'))


INPUTS = {
    'numbers': (make_numbers, 128 * MIB),
    'text': (_text, 256 * MIB),
    'text-small': (_text, 32 * MIB),
    'changed': (_changed_text, 256 * MIB),
    'json': (_json, 96 * MIB),
    'modules': (copy_modules, MIB),
}
QUICK_DIVISOR = 64


# --- the programs ------------------------------------------------------------

@dataclass
class Program:      # pylint: disable=too-many-instance-attributes
    name: str
    # {SIZE} and such are numbers, {numbers} and such the paths of inputs.
    command: list
    expected: float = None      # bare by preloaded, of the prototype
    numbers: dict = field(default_factory=dict)
    small: bool = False         # no large blocks: nothing may be lost
    environment: dict = field(default_factory=dict)
    redis: bool = False
    need: int = 2 * GIB         # memory to make warm

    def inputs(self):
        return [name for name in INPUTS
                if any(f'{{{name}}}' in word for word in self.command)]

    def least(self):
        return 0.99 if self.small else max(0.98, self.expected or 0)

    def words(self, paths, quick):
        values = {name: max(1, value // QUICK_DIVISOR) if quick else value
                  for name, value in self.numbers.items()}
        return [_fill(word, {**values, **paths}) for word in self.command]


def _fill(word, values):
    # Not format(): programs have braces of their own.
    for name, value in values.items():
        word = word.replace(f'{{{name}}}', str(value))
    return word


def _python(name, body, expected=None, **arguments):
    """Python in a function and with for loops: elsewhere a string that is
    appended to is copied by the interpreter itself."""
    lines = ''.join(f'    {line}\n' for line in body.splitlines())
    return Program(name, ['/usr/bin/python3', '-I', '-c',
                          f'def main():\n{lines}main()'],
                   expected, **arguments)


def _shell(name, script, expected=None, **arguments):
    return Program(name, ['/bin/sh', '-c', script], expected, **arguments)


PYTHON = [
    _python('python-string-append',
            's = ""\nchunk = "x" * 65536\n'
            'for _ in range({COUNT}):\n    s += chunk\nprint(len(s))',
            8, numbers={'COUNT': 8192}),
    _python('python-string-append-4k',
            's = ""\nchunk = "x" * 4096\n'
            'for _ in range({COUNT}):\n    s += chunk\nprint(len(s))',
            8, numbers={'COUNT': 131072}),
    _python('python-bytes-append',
            's = b""\nchunk = bytes(262144)\n'
            'while len(s) < {SIZE}:\n    s += chunk\nprint(len(s))',
            numbers={'SIZE': 64 * MIB}),
    _python('python-bytearray',
            's = bytearray()\nchunk = b"x" * 65536\n'
            'while len(s) < {SIZE}:\n    s += chunk\nprint(len(s))',
            numbers={'SIZE': 512 * MIB}),
    _python('python-list',
            'a = []\nfor i in range({COUNT}):\n    a.append(None)\n'
            'print(len(a))', 1.07, numbers={'COUNT': 50000000}),
    _python('python-array',
            'import array\na = array.array("q")\n'
            'chunk = array.array("q", range(8192))\n'
            'while len(a) < {COUNT}:\n    a.extend(chunk)\nprint(len(a))',
            numbers={'COUNT': 64 * MIB}),
    _python('python-bytesio',
            'import io\ns = io.BytesIO()\nchunk = b"x" * 65536\n'
            'while s.tell() < {SIZE}:\n    s.write(chunk)\nprint(s.tell())',
            numbers={'SIZE': 512 * MIB}),
    _python('python-join',
            'chunk = "x" * 1000\n'
            'print(len(",".join(chunk for _ in range({COUNT}))))',
            numbers={'COUNT': 300000}),
    _python('python-dict',
            'print(len({i: None for i in range({COUNT})}))',
            numbers={'COUNT': 8000000}),
    # Through a pipe, whose end nobody knows beforehand.
    _shell('python-read-pipe', 'cat {text} | /usr/bin/python3 -I -c '
           '"import sys; print(len(sys.stdin.buffer.read()))"'),
    _python('python-json-dumps',
            'import json\n'
            'print(len(json.dumps([{"id": i, "name": "name"} '
            'for i in range({COUNT})])))', numbers={'COUNT': 1000000}),
    _python('python-json-loads',
            'import json\nprint(len(json.load(open("{json}"))))'),
    _python('python-pickle',
            'import pickle\n'
            'print(len(pickle.dumps(list(range({COUNT})))))',
            numbers={'COUNT': 12000000}),
    _python('python-zlib',
            'import zlib\nd = zlib.compress(bytes({SIZE}), 1)\n'
            'for _ in range(3):\n    n = len(zlib.decompress(d))\nprint(n)',
            numbers={'SIZE': 256 * MIB}),
    _python('python-read-lines',
            'print(len(open("{numbers}").readlines()))'),
]

LANGUAGES = [
    Program('gawk-string-append',
            ['gawk', 'BEGIN { chunk = sprintf("%65536s", "x"); '
             'for (i = 0; i < {COUNT}; i++) s = s chunk; print length(s) }'],
            3.6, {'COUNT': 8192}, environment={'LC_ALL': 'C'}),
    Program('gawk-array',
            ['gawk', '{ seen[$1]++ } END { print length(seen) }',
             '{numbers}']),
    Program('gawk-slurp',
            ['gawk', 'BEGIN { RS = "^$" } { print length($0) }', '{text}']),
    Program('sqlite-group-concat',
            ['sqlite3', ':memory:',
             'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c '
             'WHERE i < {COUNT}) SELECT length(group_concat('
             'printf("%.4096c", "x"), "")) FROM c'],
            3.1, {'COUNT': 131072}),
    Program('bash-substitution',
            ['bash', '-c', 'x=$(cat "$1"); echo ${#x}', 'bash', '{text}'], 2,
            environment={'LC_ALL': 'C'}),
    Program('lua-table',
            ['lua5.4', '-e', 'local t = {} for i = 1, {COUNT} do t[i] = i end '
             'print(#t)'], 1.8, {'COUNT': 1 << 25}),
    Program('lua-concat',
            ['lua5.4', '-e', 'local t, c = {}, ("x"):rep(65536) '
             'for i = 1, {COUNT} do t[i] = c end print(#table.concat(t))'],
            numbers={'COUNT': 8192}),
    Program('lua-read-all',
            ['lua5.4', '-e', 'print(#io.open("{text}"):read("a"))']),
    Program('node-buffer-concat',
            ['/usr/bin/node', '-e', 'let b = Buffer.alloc(0); '
             'const c = Buffer.alloc(1 << 20, 1); '
             'for (let i = 0; i < {COUNT}; i++) b = Buffer.concat([b, c]); '
             'console.log(b.length)'], 1.7, {'COUNT': 256}),
    Program('node-stream',
            ['/bin/sh', '-c', 'cat "$1" | /usr/bin/node -e "$2"', 'sh',
             '{text}',
             'const c = []; process.stdin.on("data", d => c.push(d)); '
             'process.stdin.on("end", () => '
             'console.log(Buffer.concat(c).length))']),
    Program('perl-string-append',
            ['perl', '-e', 'my $c = "x" x 65536; my $s = ""; '
             '$s .= $c while length($s) < {SIZE}; print length($s), "\\n"'],
            4.7, {'SIZE': 512 * MIB}),
    Program('perl-push',
            ['perl', '-e', 'my @a; push @a, undef for 1 .. {COUNT}; '
             'print scalar(@a), "\\n"'], numbers={'COUNT': 30000000}),
    Program('perl-slurp',
            ['/bin/sh', '-c', 'cat "$1" | perl -0777 -ne "print length"',
             'sh', '{text}']),
    Program('ruby-string-append',
            ['ruby', '-e', 'c = "x" * 65536; s = +""; '
             's << c while s.bytesize < {SIZE}; puts s.bytesize'],
            numbers={'SIZE': 512 * MIB}),
    Program('tcl-append',
            ['/bin/sh', '-c', 'printf %s "$1" | tclsh', 'sh',
             'set c [string repeat x 65536]\nset s ""\n'
             'for {set i 0} {$i < {COUNT}} {incr i} {append s $c}\n'
             'puts [string length $s]\n'], numbers={'COUNT': 8192}),
]

TOOLS = [
    Program('redis-append', ['redis-server'], 3.8, {'SIZE': 500 * MIB},
            redis=True, need=4 * GIB),
    Program('jq-object', ['jq', 'length', '{json}'], 1.2),
    Program('jq-slurp-raw', ['jq', '-R', '-s', 'length', '{text}']),
    Program('shuf', ['shuf', '--random-source={text}', '{numbers}'], 1.04),
    Program('sort', ['sort', '{numbers}'], environment={'LC_ALL': 'C'}),
    Program('sort-numeric', ['sort', '-n', '--parallel=1', '{numbers}'],
            environment={'LC_ALL': 'C'}),
    _shell('tac-pipe', 'cat {text} | tac | tail -n 1'),
    _shell('tail-pipe', 'cat {text} | tail -n 1000000 | wc -c'),
    Program('grep-z', ['grep', '-z', '-c', 'a', '{text}'],
            environment={'LC_ALL': 'C'}),
    Program('sed-join-lines', ['sed', '-n', 'H;${x;s/a/b/;l 1;q}',
                               '{text-small}'], environment={'LC_ALL': 'C'}),
    Program('sed-z', ['sed', '-z', '-n', '$=', '{text}'],
            environment={'LC_ALL': 'C'}),
    _shell('diff', 'diff {text} {changed} | wc -l'),
    _shell('git-hash-stdin', 'cat {text} | git hash-object --stdin'),
    _shell('git-diff',
           'git diff --no-index --shortstat {text} {changed} || :'),
    _shell('git-add-large',
           'rm -rf {text}.git; git init -q --bare {text}.git; '
           'git -c core.compression=0 --git-dir {text}.git '
           'hash-object -w {text}'),
    _shell('xz-9', 'head -c 16000000 {text} | xz -9 -c | wc -c'),
]

SMALL = [
    Program('python-compileall',
            ['/usr/bin/python3', '-I', '-m', 'compileall', '-q', '-f',
             '{modules}'], small=True, need=256 * MIB),
    Program('python-compileall-malloc',
            ['/usr/bin/python3', '-m', 'compileall', '-q', '-f', '{modules}'],
            small=True, environment={'PYTHONMALLOC': 'malloc'},
            need=256 * MIB),
    Program('sqlite-fill',
            ['sqlite3', ':memory:',
             'CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT);'
             'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c '
             'WHERE i < {COUNT}) INSERT INTO t SELECT i, "name " || i FROM c;'
             'CREATE INDEX n ON t(name);'
             'SELECT count(*) FROM t WHERE name > "name 5";'],
            numbers={'COUNT': 1500000}, small=True, need=512 * MIB),
    Program('perl-hash',
            ['perl', '-e', 'my %h; $h{$_ % 50000} .= "x" for 1 .. {COUNT}; '
             'print scalar(keys %h), "\\n"'], numbers={'COUNT': 12000000},
            small=True, need=256 * MIB),
    Program('lua-objects',
            ['lua5.4', '-e', 'local n = 0 for i = 1, {COUNT} do '
             'local o = {id = i, name = "n" .. i} n = n + #o.name end '
             'print(n)'], numbers={'COUNT': 5000000}, small=True,
            need=256 * MIB),
    Program('jq-objects', ['jq', '-n', 'reduce range({COUNT}) as $i '
                           '(0; . + ({id: $i} | .id))'],
            numbers={'COUNT': 2000000}, small=True, need=256 * MIB),
]

PROGRAMS = [*PYTHON, *LANGUAGES, *TOOLS, *SMALL]
