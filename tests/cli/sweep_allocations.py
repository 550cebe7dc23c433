# SPDX-License-Identifier: MIT
"""Programs in C whose allocations 'vmspace sweep' fails, and their sweeps."""

import json
import os
import subprocess
import sys

from cli_test import ended, must_compile, work

VMSPACE = os.path.abspath(sys.argv[1])

HEAD = """
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
"""


def program(name, body, before="", options=("-g", "-O0", "-w", "-pthread")):
    source = HEAD + before + "int main(int argc, char **argv) {" + body + "}"
    must_compile(work(name), source, *options)
    return work(name)


def sweep(*arguments, **options):
    return ended([VMSPACE, "sweep", "--malloc", f"--report={work('report')}",
                  *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                 **options)


def results():
    with open(work("report")) as file:
        return json.load(file)


def verdicts():
    return sorted(one["verdict"] for one in results())
