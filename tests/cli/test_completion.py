# SPDX-License-Identifier: MIT
"""The table of options: the help, the man pages and the completion of shells.

usage: test_completion.py VMSPACE MAN-PAGES
"""

import os
import pty
import re
import select
import signal
import sys
import time

from cli_test import (PATIENCE, Skip, expect, expect_equal, installed, main, run,
                      work, written)

VMSPACE = os.path.abspath(sys.argv[1])
MAN = sys.argv[2]

OPTION = re.compile(r"^  (?:-(\w), |    )?--([a-z-]+)", re.MULTILINE)


def commands():
    told = run([VMSPACE, "--help"]).stdout.decode()
    listed = told.split("Commands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


def help_of(command, option="--help"):
    result = run([VMSPACE, command, option])
    expect_equal((result.returncode, result.stderr), (0, b""), command)
    return result.stdout.decode()


def options_of(command):
    """{long option: its letter or ""} of the whole help."""
    return {name: letter for letter, name in
            OPTION.findall(help_of(command, "--help=all"))}


def script(shell):
    result = run([VMSPACE, "completion", shell])
    expect_equal((result.returncode, result.stderr), (0, b""), shell)
    return written(f"completion.{shell}", result.stdout.decode())


# --- the help ---------------------------------------------------------------


def help_fits_a_screen_and_the_whole_has_more():
    for command in commands():
        short, whole = help_of(command), help_of(command, "--help=all")
        expect(len(short.splitlines()) <= 24, command, short)
        for line in (short + whole).splitlines():
            expect(len(line) <= 80, command, line)
        names = OPTION.findall(short)
        expect_equal(names, [row for row in OPTION.findall(whole)
                             if row in names])
        rare = len(OPTION.findall(whole)) - len(names)
        expect_equal(f"; =all: {rare} more options, too" in short, rare > 0,
                     command)
        expect_equal("[=all]" in short, rare > 0, command)


def help_takes_nothing_else():
    for command in commands():
        result = run([VMSPACE, command, "--help=some"])
        expect_equal((result.returncode, result.stdout), (2, b""), command)
        expect(b"--help takes 'all', and no 'some'" in result.stderr,
               result.stderr)


def options_are_the_same_in_help_and_man_page():
    for command in commands():
        try:
            with open(os.path.join(MAN, f"vmspace-{command}.1")) as file:
                page = file.read()
        except FileNotFoundError:
            with open(os.path.join(MAN, "vmspace.1")) as file:
                expect(f"It Cm {command}" in file.read(), command)
            continue
        items = "\n".join(re.findall(r"^\.It .*Fl .*", page, re.MULTILINE))
        have = set(re.findall(r"Fl -([a-z-]+)", items))
        expect_equal(sorted(have), sorted(options_of(command)), command)
        letters = {letter for letter in options_of(command).values() if letter}
        expect_equal(set(re.findall(r"It Fl (\w)\b", items)), letters, command)


def each_man_page_has_examples():
    for command in commands() + [""]:
        path = os.path.join(MAN, f"vmspace-{command}.1" if command else "vmspace.1")
        if os.path.exists(path):
            with open(path) as file:
                expect(".Sh EXAMPLES" in file.read(), path)


# --- what shells complete ---------------------------------------------------

# What is typed, and words that must and must not be offered in its last place.
LISTED = [
    ("vmspace ", ["limit", "maps", "help"], ["--policy="]),
    ("vmspace ma", ["maps"], ["limit"]),
    ("vmspace help comm", ["commit"], ["maps"]),
    ("vmspace completion ", ["bash", "zsh", "fish"], []),
    ("vmspace limit ", ["cgroup"], []),
    ("vmspace limit 1G --policy=s", ["strict"], ["always"]),
    ("vmspace limit --policy ", ["strict", "heuristic", "always"], []),
    ("vmspace limit --policy strict --fork=", ["charge", "free"], ["strict"]),
    ("vmspace limit --signal=U", ["USR1", "USR2"], ["TERM"]),
    ("vmspace limit --grace-signal TER", ["TERM"], ["USR1"]),
    ("vmspace heap --give-back-after=n", ["never"], []),
    ("vmspace maps --columns=size,re", ["size,reserved", "size,resident"],
     ["size,mappings"]),
    ("vmspace maps -c s", ["size", "swapped"], ["mappings"]),
    ("vmspace maps -pc s", ["size", "swapped"], ["mappings"]),
    ("vmspace maps --user ro", ["root"], []),
    ("vmspace maps --tree=", [str(os.getpid())], ["maps"]),
    ("vmspace maps ", [str(os.getpid())], ["--pages"]),
    ("vmspace maps -- gre", ["grep"], [str(os.getpid())]),
    ("vmspace heap gre", ["grep"], ["never"]),
    ("vmspace heap --stats gre", ["grep"], []),
    ("vmspace heap --retain 1G gre", ["grep"], []),
    ("vmspace limit 1G gre", ["grep"], []),
    ("vmspace limit 1G -- gre", ["grep"], []),
    ("vmspace limit 1G cat /et", ["/etc"], ["grep"]),
    ("vmspace limit 1G cat --pol", [], ["--policy="]),
    ("vmspace heap --stats=/et", ["/etc"], []),
    ("vmspace limit --cgroup /et", ["/etc"], []),
    ("vmspace commit -- --", [], ["--json"]),
]

BASH_CASES = """
compopt() { return 0; } # which works while readline completes, and only then
. "$1"
shift
for line; do
    word=${line##* }
    read -ra words <<<"${line//=/ = }"
    case $line in *' '|*=) [[ $line != *=* || $line == *' ' ]] && words+=('') ;; esac
    COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
    COMP_LINE=$line COMP_POINT=${#line}
    _vmspace
    echo "${COMPREPLY[*]}"
done
"""


def offered_by_bash(lines, before=""):
    result = run([installed("bash"), "--norc", "-c", before + BASH_CASES, "bash",
                  script("bash"), *lines])
    expect_equal((result.returncode, result.stderr), (0, b""))
    return [line.split() for line in result.stdout.decode().splitlines()]


def offered_by_fish(lines):
    result = run([installed("fish"), "--no-config", "-c", """
        source $argv[1]
        for line in $argv[2..-1]
            echo (complete -C $line | string replace -r '\\t.*' '')
        end""", script("fish"), *lines],
        env={**os.environ, "HOME": work("")})
    expect_equal((result.returncode, result.stderr), (0, b""))
    return [line.split() for line in result.stdout.decode().splitlines()]


def check_offers(lines, offers):
    for (line, wanted, unwanted), words in zip(LISTED, offers, strict=True):
        # A shell may offer a directory with its slash, and what stands before '='.
        words = [re.sub(r"^--[a-z-]+=(?=.)", "", word).rstrip("/")
                 for word in words]
        for word in wanted:
            expect(word in words, repr(line), word, words)
        for word in unwanted:
            expect(word.rstrip("=") not in words and word not in words,
                   repr(line), word, words)


def bash_offers_what_fits():
    lines = [line for line, _, _ in LISTED]
    check_offers(lines, offered_by_bash(lines))


def bash_offers_names_of_processes():
    with open("/proc/self/comm", encoding="ascii") as file:
        name = file.read().strip()
    named, numbered = offered_by_bash([f"vmspace maps {name[:2]}",
                                       f"vmspace maps --tree={name[:2]}"])
    expect(name in named and not numbered, named, numbered)


def load_package():
    library = "/usr/share/bash-completion/bash_completion"
    if not os.path.exists(library):
        raise Skip("the package bash-completion is not installed")
    return f". {library}\n"


def bash_offers_it_with_its_package_too():
    lines = [line for line, _, _ in LISTED]
    check_offers(lines, offered_by_bash(lines, load_package()))


def bash_offers_every_option():
    lines = [f"vmspace {command} -" for command in commands()]
    for command, words in zip(commands(), offered_by_bash(lines), strict=True):
        want = [f"--{name}" for name in options_of(command)] + \
            [f"-{letter}" for letter in options_of(command).values() if letter]
        expect_equal(sorted(word.rstrip("=") for word in words), sorted(want))


def fish_offers_what_fits():
    lines = [line for line, _, _ in LISTED]
    check_offers(lines, offered_by_fish(lines))


def fish_offers_every_option():
    lines = [f"vmspace {command} --" for command in commands()]
    for command, words in zip(commands(), offered_by_fish(lines), strict=True):
        # "--help" and "--help=" are two offers.
        expect_equal({word.rstrip("=") for word in words},
                     {f"--{name}" for name in options_of(command)})


# --- at a terminal ----------------------------------------------------------

# What is typed before the key Tab, and the line that is there then.
TYPED = [
    ("vmspace lim", "vmspace limit "),
    ("vmspace limit 1G --poli", "vmspace limit 1G --policy="),
    ("vmspace limit --policy=str", "vmspace limit --policy=strict "),
    ("vmspace limit --policy str", "vmspace limit --policy strict "),
    ("vmspace maps --columns=size,mapp", "vmspace maps --columns=size,mappings"),
    ("vmspace heap --stats=/etc/hostnam", "vmspace heap --stats=/etc/hostname "),
    ("vmspace limit --signal=USR", "vmspace limit --signal=USR"),
    ("vmspace limit 1G -- cat /etc/hostnam",
     "vmspace limit 1G -- cat /etc/hostname "),
    ("vmspace maps -- cat /etc/hostnam", "vmspace maps -- cat /etc/hostname "),
    ("vmspace commit --exp", "vmspace commit --explain "),
    ("vmspace limit 1G ls --poli", "vmspace limit 1G ls --poli"),
    ("vmspace completion fi", "vmspace completion fish "),
]


class Terminal:
    """A shell at a terminal, which writes its line to a pipe at the key C-x s."""

    def __init__(self, arguments, **environment):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(environment)
            os.execvp(arguments[0], arguments)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read(self, pipe):
        """The next line of the pipe; what the terminal shows is read meanwhile."""
        shown, line, end = b"", b"", time.monotonic() + PATIENCE
        while not line.endswith(b"\n"):
            expect(time.monotonic() < end, "no answer", shown, line)
            ready, _, _ = select.select([self.terminal, pipe], [], [], 1)
            if pipe in ready:
                line += os.read(pipe, 1)
            if self.terminal in ready:
                shown += os.read(self.terminal, 4096)
        return line.decode()[:-1]

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def lines_after_tab(name, arguments, setting, midway=""):
    """What each line of TYPED has become; '!' behind it tells trailing spaces.

    midway is typed, too, when half of the lines are.
    """
    shell = os.path.basename(arguments[0])
    os.mkfifo(work(f"{name}-lines"))
    pipe = os.open(work(f"{name}-lines"), os.O_RDWR)
    terminal = Terminal(arguments, LINES_TO=work(f"{name}-lines"),
                        SCRIPT=script(shell), HOME=work(""), TERM="dumb")
    try:
        terminal.type(f". {written(f'setting.{name}', setting)}\n")
        expect_equal(terminal.read(pipe), "ready")
        lines = []
        for number, (typed, _) in enumerate(TYPED):
            if number == len(TYPED) // 2 and midway:
                terminal.type(midway + "\n")
            terminal.type(typed + "\t\x18s")
            lines.append(terminal.read(pipe).rstrip("!"))
            terminal.type("\x15")
        return lines
    finally:
        terminal.end()
        os.close(pipe)


def expect_lines(lines):
    for (typed, want), line in zip(TYPED, lines, strict=True):
        expect_equal(line, want, typed)


def check_bash_at_a_terminal(name, library):
    expect_lines(lines_after_tab(name, [installed("bash"), "--norc", "-i"],
                                 library + """
        . "$SCRIPT"
        tell() { printf '%s!\\n' "$READLINE_LINE" >"$LINES_TO"; }
        bind -x '"\\C-xs": tell'
        echo ready >"$LINES_TO"
        """))


def bash_completes_at_a_terminal():
    check_bash_at_a_terminal("bash", "")


def bash_completes_with_its_package_at_a_terminal():
    check_bash_at_a_terminal("packaged", load_package())


def zsh_completes_at_a_terminal():
    """Its file is loaded by its name, from among site-functions, and then read."""
    directory = work("site-functions")
    os.mkdir(directory)
    os.symlink(script("zsh"), os.path.join(directory, "_vmspace"))
    expect_lines(lines_after_tab("zsh", [installed("zsh"), "-f", "-i"], f"""
        fpath=({directory} $fpath)
        autoload -U compinit && compinit -u -D
        unsetopt beep
        tell() {{ print -r -- "$BUFFER!" >$LINES_TO }}
        zle -N tell
        bindkey -e
        bindkey '^Xs' tell
        [[ $_comps[vmspace] == _vmspace ]] && echo ready >$LINES_TO
        """, midway=". $SCRIPT"))


def bash_script_has_no_faults():
    result = run([installed("shellcheck"), "-s", "bash", script("bash")])
    expect_equal((result.returncode, result.stdout), (0, b""))


def wrong_arguments_of_completion_are_refused():
    for arguments in ([], ["tcsh"], ["bash", "zsh"], [""], ["--nonsense"]):
        result = run([VMSPACE, "completion", *arguments])
        expect_equal((result.returncode, result.stdout), (2, b""), arguments)
        expect(b"Try 'vmspace completion --help'.\n" in result.stderr)


CASES = [
    help_fits_a_screen_and_the_whole_has_more,
    help_takes_nothing_else,
    options_are_the_same_in_help_and_man_page,
    each_man_page_has_examples,
    bash_offers_what_fits,
    bash_offers_names_of_processes,
    bash_offers_it_with_its_package_too,
    bash_offers_every_option,
    fish_offers_what_fits,
    fish_offers_every_option,
    bash_completes_at_a_terminal,
    bash_completes_with_its_package_at_a_terminal,
    zsh_completes_at_a_terminal,
    bash_script_has_no_faults,
    wrong_arguments_of_completion_are_refused,
]

sys.exit(main(CASES))
