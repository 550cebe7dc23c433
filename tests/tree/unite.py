#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What scripts/unite lets stand together, and what not.

usage: unite.py ROOT
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(sys.argv[1])
sys.path.insert(0, str(ROOT / 'scripts'))
sys.dont_write_bytecode = True
from tap import Tap  # noqa: E402

# Each is apart from the text that it is with.
APART = {
    'functions': ('static int f(int a)\n{\n\treturn a;\n}\n',
                  'APART static void *f(const char *text,\n\t\tint b)\n{\n}\n'),
    'objects': ('static int f;\n', 'static struct {\n\tint a;\n} f;\n'),
    'a function and an object': ('static void f(void);\n', 'static int f[2] = { 1 };\n'),
    'pointers to functions': ('static int f;\n', 'static int (*f)(int);\n'),
    'threads\' objects': ('static _Thread_local int f;\n', 'static void f(int a) { }\n'),
    'structs': ('struct f {\n\tint a;\n};\n', 'struct f {\n\tint b;\n};\n'),
    'types': ('typedef int f;\n', 'typedef void (*f)(void);\n'),
    'enumerators': ('enum {\n\te,\n\tf = 2,\n};\n', 'static int f;\n'),
    'macros': ('#define f 1\n', '#define f 2\n'),
    'a macro and a member': ('#define f 1\n', 'int g(struct s *s)\n{\n\treturn s->f;\n}\n'),
    'a member and a macro': ('int g(struct s *s)\n{\n\treturn s->f;\n}\n', '#define f 1\n'),
}
TOGETHER = {
    'a function and a parameter': ('static int f(int a)\n{\n\treturn a;\n}\n',
                                   'int g(int f)\n{\n\treturn f;\n}\n'),
    'local names': ('int g(void)\n{\n\tint f = 1;\n\treturn f;\n}\n',
                    'int h(void)\n{\n\tint f = 2;\n\treturn f;\n}\n'),
    'what is declared for both': ('struct f *g(void);\n', 'struct f *h(void);\n'),
    'a macro and a remark': ('#define f 1\n', '/* f */\n'),
}


def unite(directory, *sources):
    result = subprocess.run([ROOT / 'scripts' / 'unite', directory / 'united', *sources],
                            stdout=subprocess.PIPE, check=True, text=True)
    return result.stdout.split()


def united_texts(texts):
    """What is printed for sources, and the sources."""
    with tempfile.TemporaryDirectory() as name:
        sources = [str(Path(name) / f'{number}.c') for number in range(len(texts))]
        for source, text in zip(sources, texts):
            Path(source).write_text(text)
        printed = unite(Path(name), *sources)
        return printed, sources, [Path(path).read_text() for path in printed]


def apart_problems(texts):
    printed, sources, _ = united_texts(texts)
    return [] if printed == sources else [f'have {printed}']


def alone_problems():
    """What is named as such is alone, and the others are not."""
    texts = ['int f;\n', 'int g;\n', 'int h;\n']
    with tempfile.TemporaryDirectory() as name:
        sources = [str(Path(name) / f'{number}.c') for number in range(len(texts))]
        for source, text in zip(sources, texts):
            Path(source).write_text(text)
        printed = unite(Path(name), *sources, '--alone', sources[0])
        return [] if len(printed) == 2 and sources[0] in printed else [f'have {printed}']


def together_problems(texts):
    printed, sources, have = united_texts(texts)
    want = ''.join(f'#include "{Path(source).resolve()}"\n' for source in sources)
    return [] if have == [want] else [f'have {printed}: {have}']


def tree_problems():
    """Each source of the tree stands in one file, and most are not alone."""
    sources = sorted(str(path) for path in (ROOT / 'src').resolve().rglob('*.c'))
    with tempfile.TemporaryDirectory() as name:
        printed = unite(Path(name), *sources)
        found = [path for path in printed if not path.startswith(name)]
        for path in set(printed) - set(found):
            found += [line.split('"')[1] for line in Path(path).read_text().splitlines()]
    problems = [] if sorted(found) == sources else ['sources are lost, or there twice']
    if 2 * len(printed) > len(sources):
        problems.append(f'{len(printed)} files of {len(sources)} sources')
    return problems


def main():
    tap = Tap()
    for name, texts in APART.items():
        tap.case(f'{name}: apart', apart_problems(texts))
    for name, texts in TOGETHER.items():
        tap.case(f'{name}: together', together_problems(texts))
    tap.case('what is to be alone is', alone_problems())
    tap.case('each source of the tree stands in one file', tree_problems())
    tap.finish()


main()
