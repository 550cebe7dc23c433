# SPDX-License-Identifier: MIT
"""What C files define and use, and what includes what, for the checks of the tree."""

import re

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[>"]', re.MULTILINE)

NO_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
                     re.DOTALL)
# Tags of types are no names that anything calls.
TAG = re.compile(r'\b(?:struct|union|enum)\s+\w+')
ATTRIBUTE = re.compile(r'\b__attribute__\s*(?=\()')

# A definition of a function that other files can call. What the preload library
# exports is malloc and the like: programs call it, and within the library the same
# name is the next malloc's.
FUNCTION = re.compile(
    r'^(?!static\b|VMSI_EXPORTED\b)[A-Za-z_][^;{}()=#]*?\b(\w+)\([^;{}]*\)\s*\{',
    re.MULTILINE)
GLOBAL = re.compile(
    r'^(?!static\b|extern\b|typedef\b|(?:struct|union|enum)\s+\w+\s*;)'
    r'[A-Za-z_][\w\s*]*[\s*](\w+)\s*(?:\[[^\]]*\]\s*)*(?:=|;)', re.MULTILINE)

# What a header defines: functions, and macros that take arguments.
INLINE = re.compile(
    r'^static\s+inline\b[^;{}()=#]*?\b(\w+)\([^;{}]*\)\s*\{(.*?)^\}',
    re.MULTILINE | re.DOTALL)
MACRO = re.compile(r'^[ \t]*#[ \t]*define[ \t]+(\w+)\(((?:[^\n]*\\\n)*[^\n]*)',
                   re.MULTILINE)

# What a file defines for itself, in its text without what stands in braces.
OWN_FUNCTION = re.compile(r'^(?:[A-Z_]+ )?static\b[^;{}()=#]*?\b(\w+)\(', re.MULTILINE)
OWN_GLOBAL = re.compile(
    r'^(?:static\b|_Thread_local\b|})[^;=#()]*?\b(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=|;)',
    re.MULTILINE)
OWN_POINTER = re.compile(
    r'^(?:static|typedef)\b[^;=#()]*\(\s*\*[^()]*?(\w+)\s*(?:\[[^\]]*\]\s*)*\)',
    re.MULTILINE)
OWN_TAG = re.compile(r'\b(?:struct|union|enum)\s+(\w+)\s*{')
OWN_TYPE = re.compile(r'^typedef\b[^;]*?\b(\w+)\)?\s*(?:\([^;]*\)|\[[^;]*\])?;',
                      re.MULTILINE)
DEFINED = re.compile(r'^[ \t]*#[ \t]*define[ \t]+(\w+)', re.MULTILINE)
ENUMERATION = re.compile(r'\benum\b\s*\w*\s*{([^{}]*)}')
ENUMERATOR = re.compile(r'(?:^|,)\s*(\w+)')


def without_attributes(text):
    """The text without __attribute__((...)), whose parentheses may be nested."""
    found = ATTRIBUTE.search(text)
    while found:
        end, depth = found.end(), 0
        while end < len(text):
            depth += {'(': 1, ')': -1}.get(text[end], 0)
            end += 1
            if depth == 0:
                break
        text = text[:found.start()] + text[end:].lstrip()
        found = ATTRIBUTE.search(text)
    return text


def code(path):
    """The text of a file without comments, texts in quotes and attributes."""
    return without_attributes(NO_CODE.sub(' ', path.read_text()))


def includes(path):
    """(quote, target) of each #include of a file."""
    return INCLUDE.findall(path.read_text())


def words_of(text):
    return set(re.findall(r'\w+', TAG.sub(' ', text)))


def without_bodies(text):
    """The text with nothing between braces."""
    kept, depth = [], 0
    for part in re.split(r'([{}])', text):
        depth -= part == '}'
        if not depth:
            kept.append(part)
        depth += part == '{'
    return ''.join(kept)


def macros_of(text):
    return set(DEFINED.findall(text))


def own_names(text):
    """The names that the code of a file defines for itself alone."""
    outside = without_bodies(text)
    names = macros_of(text)
    for pattern in (OWN_FUNCTION, OWN_GLOBAL, OWN_POINTER, OWN_TAG, OWN_TYPE):
        names.update(pattern.findall(outside))
    for body in ENUMERATION.findall(text):
        names.update(ENUMERATOR.findall(body))
    return names


class Names:
    """What the files of a directory define, and which names their code has."""

    def __init__(self, paths):
        self.words = {}    # of each file's own code, without prototypes
        self.owner = {}    # the file that defines what others can use
        self.inlined = {}  # the words in what a header defines
        for path in paths:
            self.add(path)

    def add(self, path):
        text = code(path)
        if path.suffix != '.h':
            self.words[path] = words_of(text)
            for name in FUNCTION.findall(text) + GLOBAL.findall(text):
                self.owner[name] = path
            return
        self.words[path] = set()
        for name, body in INLINE.findall(text) + MACRO.findall(text):
            words = words_of(body)
            self.inlined.setdefault(name, set()).update(words)
            self.words[path] |= words
            self.owner.setdefault(name, path)

    def used(self, path):
        """The names that a file's code has, and those that come with inlines."""
        left, all_words = list(self.words[path]), set()
        while left:
            word = left.pop()
            if word not in all_words:
                all_words.add(word)
                left += self.inlined.get(word, ())
        return all_words

    def calls(self):
        """{file: the other .c files that define what it calls or reads}."""
        return {path: {self.owner[word] for word in self.used(path)
                       if self.owner.get(word, path) != path
                       and self.owner[word].suffix != '.h'}
                for path in self.words if path.suffix != '.h'}


def in_circles(edges):
    """The part of {node: nodes} whose nodes reach themselves, or lie between such."""
    left = edges
    while True:
        # What leads to nothing that is left is in no circle, nor what nothing
        # that is left leads to.
        led_to = set().union(*left.values()) if left else set()
        kept = {node: others & left.keys() for node, others in left.items()
                if others & left.keys() and node in led_to}
        if kept == left:
            return left
        left = kept
