# SPDX-License-Identifier: MIT
"""TAP output for the checks of the tree, and the files they look at."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE_DIRECTORIES = ('include', 'src', 'tests', 'bench', 'examples')


def sources(*suffixes, directories=SOURCE_DIRECTORIES):
    """The files of the source directories with one of the suffixes."""
    return sorted(path for directory in directories
                  for path in (ROOT / directory).rglob('*')
                  if path.suffix in suffixes)


class Tap:
    def __init__(self):
        self.cases = 0
        self.failed = 0

    def case(self, name, problems):
        """One case: it passes where there are no problems."""
        self.cases += 1
        self.failed += bool(problems)
        verdict = 'not ok' if problems else 'ok'
        print(f'{verdict} {self.cases} - {name}')
        for problem in problems:
            print(f'# {problem}')

    def finish(self):
        print(f'1..{self.cases}')
        sys.exit(1 if self.failed or not self.cases else 0)
