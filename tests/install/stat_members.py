#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Check that JSON has every member of every struct of figures, in its order.

usage: stat_members.py HEADERS PROGRAM

PROGRAM writes a line for each struct: its name, and an object as JSON.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'scripts'))
from tap import Tap  # noqa: E402

STRUCT = re.compile(r'^struct (vms_(?:\w+_stats|stat)) \{(.*?)^\};',
                    re.DOTALL | re.MULTILINE)
MEMBER = re.compile(r'(\w+)(?:\[\w+\])?;')


def declared(headers):
    """{struct: names of its members} of the public headers."""
    structs = {}
    for path in sorted(Path(headers).rglob('*.h')):
        for name, body in STRUCT.findall(path.read_text()):
            body = re.sub(r'/\*.*?\*/', '', body, flags=re.DOTALL)
            structs[name] = [member for member in MEMBER.findall(body)
                             if member not in ('struct_size', 'known')]
    return structs


def main():
    tap = Tap()
    structs = declared(sys.argv[1])
    told = {}
    for line in subprocess.run(sys.argv[2], check=True, capture_output=True,
                               text=True).stdout.splitlines():
        name, _, text = line.partition(' ')
        told[name] = list(json.loads(text))
    # A build without libseccomp has no groups.
    if 'vms_group_stats' not in told:
        structs.pop('vms_group_stats')
    tap.case('every struct becomes JSON',
             [] if sorted(told) == sorted(structs) else
             [f'{sorted(told)} of {sorted(structs)}'])
    for name, members in sorted(structs.items()):
        have = told.get(name, [])
        tap.case(f'{name} has all its members', [] if have == members else
                 [f'{have} of {members}'])
    tap.finish()


main()
