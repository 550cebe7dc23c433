#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Check the symbols of the library as built.

usage: symbols.py HEADERS LIBRARY CORE [GROUP_LIBRARY]
"""

import os
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'scripts'))
from tap import Tap, sources  # noqa: E402

# The records of a space never live in malloc, because a malloc may be built
# on a space; stdio allocates.
HEAP = {'malloc', 'calloc', 'realloc', 'reallocarray', 'free', 'strdup',
        'strndup', 'posix_memalign', 'aligned_alloc', 'memalign', 'valloc',
        'asprintf', 'vasprintf', 'getline', 'getdelim', 'opendir', 'qsort'}
STDIO = {'fopen', 'fdopen', 'fclose', 'fread', 'fwrite', 'fputs', 'fputc',
         'puts', 'putchar', 'printf', 'fprintf', 'vprintf', 'vfprintf',
         'perror', 'fflush', 'fgets', 'fgetc', 'stdout', 'stderr', 'stdin',
         '__printf_chk', '__fprintf_chk', '__vfprintf_chk'}
# Only the host room reaches the kernel, so nothing needs libc's own calls;
# under the preload library they would come back to us.
KERNEL = {'mmap', 'mmap64', 'munmap', 'mremap', 'mprotect', 'madvise',
          'posix_madvise', 'msync', 'mlock', 'mlock2', 'munlock', 'mlockall',
          'munlockall', 'mincore', 'syscall', 'prctl', 'open', 'open64',
          'openat', 'openat64', 'close', 'read', 'pread', 'pread64', 'fstat',
          'fstat64', 'stat', 'stat64', 'getrlimit', 'getrlimit64', 'prlimit',
          'prlimit64', 'process_vm_readv'}


def symbols(path, *options):
    """Names in a library; versions and the names of members are dropped."""
    text = subprocess.run(['nm', '-P', *options, path], check=True,
                          capture_output=True, text=True).stdout
    return {line.split()[0].partition('@')[0] for line in text.splitlines()
            if line and not line.endswith(':')}


def declared_functions(headers):
    names = set()
    for path in sources('.h', directories=[headers]):
        text = re.sub(r'/\*.*?\*/', '', path.read_text(), flags=re.DOTALL)
        text = re.sub(r'^#define (?:.*\\\n)*.*$', '', text, flags=re.MULTILINE)
        names |= set(re.findall(r'\b(vms_\w+)\(', text))
        # What is the including program's own.
        names -= set(re.findall(r'^static inline [^;(]*?\b(vms_\w+)\(', text,
                                flags=re.MULTILINE))
    return names


def check_group_library(tap, library, declared):
    exported = symbols(library, '-D', '--defined-only')
    functions = {name for name in exported if not name.startswith('VMSPACE_')}
    tap.case('the library of groups exports what is declared for it',
             sorted(functions ^ declared) or
             ([] if declared else ['none is declared']))


def main(headers, library, core, group_library=None):
    exported = symbols(library, '-D', '--defined-only')
    functions = {name for name in exported if not name.startswith('VMSPACE_')}
    everywhere = declared_functions(headers)
    groups = {name for name in everywhere if name.startswith('vms_group_')}
    declared = everywhere - groups
    imported = symbols(library, '-D', '--undefined-only')
    members = symbols(core, '--defined-only', '--extern-only')
    tap = Tap()
    tap.case('only declared functions are exported',
             sorted(functions - declared))
    tap.case('every declared function is exported',
             sorted(declared - functions) or
             ([] if declared else ['none is declared']))
    tap.case('every global name of the archive is vms_ or vmsi_',
             sorted(name for name in members
                    if not re.match(r'vmsi?_', name)))
    tap.case('no heap', sorted(imported & HEAP))
    tap.case('no stdio', sorted(imported & STDIO))
    tap.case('no call into the kernel by way of libc',
             sorted(imported & KERNEL))
    if group_library:
        check_group_library(tap, group_library, groups)
    tap.finish()


main(os.path.abspath(sys.argv[1]), *sys.argv[2:5])
