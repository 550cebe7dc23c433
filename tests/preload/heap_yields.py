#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the heap keeps of freed memory goes before a request is refused.

heap_yields.py VMSPACE PROGRAM. The program frees 40 MiB, which
the heap keeps, and asks for as much by the call that it is told.
"""

import os
import subprocess
import sys

VMSPACE, PROGRAM = map(os.path.abspath, sys.argv[1:3])

SMALL = ['malloc', 'calloc', 'realloc', 'reallocarray', 'memalign',
         'aligned_alloc', 'posix_memalign', 'valloc', 'pvalloc', 'strdup']
OTHER = ['large', 'mmap', 'mmap-shared', 'mremap', 'mprotect', 'sbrk', 'brk',
         'thread']

LIMIT = 64 << 20

# All of the heap's calls ask in the same way: under which limit that is refused need not
# be seen of each.
FEW = ['malloc', 'realloc', 'posix_memalign', 'strdup']

# The name, how the program is started, and the calls that are limited so.
LIMITS = [
    ('group', ['limit', '64M', '--quiet', '--', VMSPACE], [], SMALL + OTHER + ['fork']),
    ('RLIMIT_DATA', [], ['prlimit', f'--data={LIMIT}'], FEW + OTHER),
    # All addresses of the heap count, with memory or without: so it takes a
    # part only, and what it keeps is not what is short.
    ('RLIMIT_AS', [], ['prlimit', f'--as={700 << 20}'],
     FEW + OTHER),
]


def run(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)


def keeps(result):
    """Whether the heap has kept the block, by its figures at the end."""
    figures = [line.split() for line in result.stdout.splitlines()
               if ' allocations ' in line]
    return any(int(words[words.index('allocations') + 1]) > 0
               for words in figures)


def cases():
    for name, around, prefix, calls in LIMITS:
        for call in calls:
            command = [VMSPACE, *around, 'heap', '--retain=48M', '--stats',
                       *prefix, PROGRAM, call]
            yield f'{call} under {name}', command


def main():
    number = 0
    for name, command in cases():
        number += 1
        result = run(command)
        good = result.returncode == 0 and keeps(result)
        print('ok' if good else 'not ok', number, '-', name)
        if not good:
            print(f'# status {result.returncode}')
            for line in result.stdout.splitlines():
                print('#', line)
    print(f'1..{number}')


main()
