#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""That a program of bench/ works, on a tiny input.

usage: smoke.py [--kill] PROGRAM [ARGUMENT...]

It must succeed, tell machine and command, and a figure at least; and leave no file in its
directory, and no memory control group. With --kill it is run once more, and killed by
SIGKILL as soon as it has files, and in a memory control group as well where it makes any:
nothing may be left either. Prints TAP.
"""

import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

FIGURE = re.compile(r'^\S.*\d', re.MULTILINE)
GROUPS = ['/sys/fs/cgroup/memory/vmspace-bench-{}-*', '/sys/fs/cgroup/vmspace-bench-{}-*']

failures = 0
cases = 0


def case(name, is_good, why=''):
    global cases, failures
    cases += 1
    failures += not is_good
    print(f'{"" if is_good else "not "}ok {cases} - {name}', flush=True)
    if not is_good and why:
        print('\n'.join('# ' + line for line in why.splitlines()), flush=True)


def start(command, directory):
    return subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, 'VMS_BENCH_DIRECTORY': directory})


def groups_of(process):
    return [group for pattern in GROUPS for group in glob.glob(pattern.format(process))]


def files_in(directory):
    return [os.path.join(where, name)
            for where, _, names in os.walk(directory) for name in names]


def run_whole(command, directory):
    process = start(command, directory)
    output = process.communicate()[0]
    case('succeeds', process.returncode == 0, f'status {process.returncode}\n{output}')
    case('tells the machine and the command',
         output.startswith('# machine: ') and '\n# reproduce: ' in output, output)
    case('tells figures', bool(FIGURE.search(re.sub('(?m)^#.*\n', '', output))), output)
    case('leaves nothing', not os.listdir(directory) and not groups_of(process.pid),
         f'{os.listdir(directory)} {groups_of(process.pid)}')
    return output


def kill_when(command, directory, is_time):
    """Kill it when it is_time(process); whether it was there to be killed."""
    process = start(command, directory)
    while process.poll() is None and not is_time(process.pid):
        time.sleep(0.001)
    is_there = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    # Who cleans up is a process by itself; the test's end is the end of this.
    while os.listdir(directory) or groups_of(process.pid):
        time.sleep(0.01)
    return is_there


def has_group(command, directory):
    process = start(command, directory)
    seen = False
    while process.poll() is None:
        seen = seen or bool(groups_of(process.pid))
        time.sleep(0.001)
    process.communicate()
    return seen


def main():
    arguments = sys.argv[1:]
    kills = arguments[:1] == ['--kill']
    command = arguments[kills:]
    command[0] = os.path.abspath(command[0])
    with tempfile.TemporaryDirectory(prefix='vmspace-smoke-') as directory:
        run_whole(command, directory)
        if kills:
            case('leaves nothing when it is killed with its files',
                 kill_when(command, directory, lambda _: files_in(directory)),
                 'it had ended before')
        if kills and has_group(command, directory):
            case('leaves nothing when it is killed with a group',
                 kill_when(command, directory, groups_of), 'it had ended before')
    print(f'1..{cases}')
    return failures > 0


if __name__ == '__main__':
    sys.exit(main())
