# SPDX-License-Identifier: MIT
"""The allocators and the patterns of run.py, and what is asked of them."""

from collections.abc import Callable
from dataclasses import dataclass, field

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30


# --- allocators --------------------------------------------------------------

@dataclass
class Allocator:
    name: str
    library: str = ''           # what LD_PRELOAD gets
    environment: dict = field(default_factory=dict)
    tuned: bool = False         # not as people get it
    program: str = 'growth-workload'

    @property
    def is_other(self):
        """Somebody else's allocator."""
        return self.program == 'growth-workload' and self.name != 'vmspace'


# What is above the brk heap's limits here never becomes a mapping of its own.
GLIBC_BRK = ('glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=17179869184:'
             'glibc.malloc.trim_threshold=17179869184:'
             'glibc.malloc.top_pad=67108864')

# jemalloc: TUNING.md, "prioritizing CPU utilization", with huge pages for
# everything. mimalloc: both names of the option, versions differ. tcmalloc has
# no option for huge pages; keeping freed memory and a larger cache is what its
# manual has for speed.
ALLOCATORS = [
    Allocator('vmspace', 'libvmspace-heap.so'),
    Allocator('glibc'),
    Allocator('glibc-thp', '',
              {'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1'}, tuned=True),
    Allocator('glibc-brk', '', {'GLIBC_TUNABLES': GLIBC_BRK}, tuned=True),
    Allocator('jemalloc', 'libjemalloc.so.2'),
    Allocator('jemalloc-tuned', 'libjemalloc.so.2',
              {'MALLOC_CONF': 'thp:always,metadata_thp:always,retain:true,'
                              'background_thread:true,dirty_decay_ms:30000,'
                              'muzzy_decay_ms:30000'}, tuned=True),
    Allocator('mimalloc', 'libmimalloc.so.2'),
    Allocator('mimalloc-tuned', 'libmimalloc.so.2',
              {'MIMALLOC_LARGE_OS_PAGES': '1',
               'MIMALLOC_ALLOW_LARGE_OS_PAGES': '1'}, tuned=True),
    Allocator('tcmalloc', 'libtcmalloc_minimal.so.4'),
    Allocator('tcmalloc-tuned', 'libtcmalloc_minimal.so.4',
              {'TCMALLOC_RELEASE_RATE': '0',
               'TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES': '1073741824'},
              tuned=True),
]

# Growth without an allocator.
REFERENCES = [
    Allocator('buffer', program='growth-buffer'),
    Allocator('floor', program='growth-floor'),
    Allocator('memset-warm', program='growth-memset-warm'),
]


# --- patterns ----------------------------------------------------------------

@dataclass
class Case:
    name: str
    pattern: str
    options: dict = field(default_factory=dict)
    # What the figure is: 'growth' and 'regrowth' milliseconds, 'operation'
    # nanoseconds, 'later' MiB.
    figure: str = 'growth'
    size: int = GIB             # bytes that a thread has live, about
    references: bool = True
    rounds: int = 0             # 0: as asked for

    @property
    def unit(self):
        return {'growth': 'ms', 'regrowth': 'ms', 'operation': 'ns',
                'later': 'MiB'}[self.figure]

    def value(self, output):
        """The figure of a run, in its unit."""
        if self.figure == 'growth':
            return output['ns'] / 1e6
        if self.figure == 'regrowth':
            return output['again_ns'] / 1e6
        if self.figure == 'later':
            return output['later_rss'] / MIB
        return output['ns'] * output['threads'] / output['operations']

    def quick(self):
        """The same in a moment; its figures mean nothing."""
        options = dict(self.options)
        if 'operations' in options:
            options['operations'] = max(64, options['operations'] // 500)
        else:
            options['size'] = 8 * MIB
        if self.figure == 'later':
            options['wait'] = 100
        return Case(self.name, self.pattern, options, self.figure,
                    min(self.size, 16 * MIB), self.references, 1)


STEPS = {'4k': 4 * KIB, '64k': 64 * KIB, '1m': MIB}


def _steps(name, pattern):
    return [Case(f'{name}-{label}', pattern, {'step': step})
            for label, step in STEPS.items()]


CASES = [
    *_steps('append', 'append'),
    *_steps('foreign', 'append-foreign'),
    *_steps('arrays', 'arrays'),
    Case('doubling', 'doubling'),
    Case('half-again', 'half-again'),
    Case('regrow', 'regrow', figure='regrowth'),
    Case('give-back', 'give-back', figure='later', references=False,
         rounds=1),
    Case('churn', 'churn', {'operations': 600}, 'operation',
         references=False),
    Case('churn-medium', 'churn-medium', {'operations': 16000}, 'operation',
         64 * MIB, references=False),
    Case('sparse-calloc', 'sparse-calloc', {'operations': 300}, 'operation',
         128 * MIB, references=False),
    Case('in-slot', 'in-slot', {'operations': 8000000}, 'operation', 0,
         references=False),
    Case('in-page', 'in-page', {'operations': 8000000}, 'operation', 0,
         references=False),
    Case('small-pair', 'small-pair', {'operations': 20000000}, 'operation', 0,
         references=False),
    Case('small-live', 'small-live', {'operations': 4000000}, 'operation', 0,
         references=False),
]


# --- what is asked -----------------------------------------------------------

class Figures:
    """The figures of a case, by allocator, for the goals to look at."""

    def __init__(self, series):
        self.series = series
        self.best = ''      # who that was, of times()

    def value(self, name):
        """The median; None where there is none."""
        series = self.series.get(name)
        return series.median if series else None

    def times(self, tuned, names=None):
        """How many times the best of some others is vmspace's figure.

        One that ran out of time counts as its limit.
        """
        own = self.value('vmspace')
        others = [series for series in self.series.values()
                  if series.allocator.is_other
                  and tuned in (None, series.allocator.tuned)
                  and (not names or series.allocator.name in names)
                  and series.bound is not None]
        if not own or not others:
            return None
        best = min(others, key=lambda series: series.bound)
        self.best = best.allocator.name
        return best.bound / own

    def against(self, name, reference):
        """What a figure is, measured by another."""
        own, other = self.value(name), self.value(reference)
        return own / other if own and other else None

    def beyond(self, name, reference):
        """How much a figure is larger than another."""
        own, other = self.value(name), self.value(reference)
        return own - other if own and other else None

    def excess(self):
        """The worst peak of memory: MiB beyond 1.02 times what was live."""
        series = self.series.get('vmspace')
        if not series or not series.outputs:
            return None
        return max(output['peak_rss'] - 1.02 * output['live']
                   for output in series.outputs) / MIB


@dataclass
class Goal:
    cases: tuple                # beginnings of names
    title: str
    figure: Callable            # of Figures; None where it cannot be had
    least: float = None
    most: float = None

    def verdict(self, case, figures):
        """A line, or None where the goal is not about this case."""
        if not case.name.startswith(self.cases):
            return None
        value = self.figure(figures)
        if value is None:
            return None
        good = value >= self.least if self.most is None else value <= self.most
        bound = (f'at least {self.least}' if self.most is None
                 else f'at most {self.most}')
        return {'goal': self.title, 'best': figures.best,
                'value': round(value, 3), 'bound': bound, 'within': good}


GROWTH = ('append', 'foreign', 'arrays', 'doubling', 'half-again')

GOALS = [
    Goal(('append', 'arrays'), 'times the best other, as people get it',
         lambda f: f.times(False), least=7),
    Goal(('foreign',), 'times the best other, as people get it',
         lambda f: f.times(False), least=11),
    Goal(('append', 'foreign', 'arrays'), 'times the best other, tuned',
         lambda f: f.times(True), least=1),
    Goal(('doubling', 'half-again'), 'times tuned glibc',
         lambda f: f.times(True, ('glibc-thp',)), least=1.2),
    Goal(('doubling', 'half-again'), 'times the best other, as people get it',
         lambda f: f.times(False), least=2.5),
    Goal(GROWTH, 'heap, of the floor',
         lambda f: f.against('vmspace', 'floor'), most=1.1),
    Goal(GROWTH, 'vms_buffer, of the floor',
         lambda f: f.against('buffer', 'floor'), most=1.05),
    Goal(('regrow',), 'rate of memset on resident memory',
         lambda f: f.against('memset-warm', 'vmspace'), least=0.8),
    Goal((*GROWTH, 'regrow'), 'peak, MiB beyond 1.02 times what is live',
         Figures.excess, most=8),
    Goal(('give-back',), 'MiB that remain', lambda f: f.value('vmspace'),
         most=16),
    Goal(('in-slot', 'in-page'), 'ns a call', lambda f: f.value('vmspace'),
         most=5),
    Goal(('churn',), 'times the best other', lambda f: f.times(None), least=1),
    Goal(('churn-medium', 'sparse-calloc'), 'times glibc',
         lambda f: f.times(None, ('glibc',)), least=1),
    Goal(('small-pair',), 'ns more than glibc',
         lambda f: f.beyond('vmspace', 'glibc'), most=1.5),
]
