# SPDX-License-Identifier: MIT
"""What docs/containers.md shows can be used as it stands.

usage: test_containers_guide.py VMSPACE SOURCES
"""

import json
import os
import re
import shlex
import subprocess
import sys

from cli_test import (Skip, expect, expect_equal, installed, main_in_groups, run, work,
                      written)

VMSPACE, SOURCES = (os.path.abspath(path) for path in sys.argv[1:3])

INSTRUCTIONS = {"FROM", "COPY", "WORKDIR", "RUN", "USER", "ENTRYPOINT", "CMD"}

TO_JSON = """
import json, sys, yaml
json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)
"""


def source(*names):
    with open(os.path.join(SOURCES, *names)) as file:
        return file.read()


GUIDE = source("docs", "containers.md")


def blocks(language):
    found = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.M | re.S)
    expect(found, f"the guide has no {language}")
    return found


def is_accepted(words):
    """Whether the command takes a line's words, up to the program; true is run."""
    expect_equal(words[1], "limit", words)
    own = words[1:words.index("--")]
    # Its directory is not on this machine.
    own = [re.sub(r"^--report=.*", f"--report={work('report')}", word)
           for word in own]
    result = run([VMSPACE, *own, "--", "true"])
    expect_equal(result.returncode, 0, (words, result.stderr))
    return True


def dockerfile():
    text, = blocks("dockerfile")
    lines = [line.split(None, 1) for line in text.splitlines() if line]
    given = dict((first, rest) for first, rest in lines)
    expect({first for first, _ in lines} <= INSTRUCTIONS, lines)
    is_accepted(json.loads(given["ENTRYPOINT"]) + json.loads(given["CMD"]))
    copied, to = [rest.split()[1:] for first, rest in lines
                  if rest.startswith("--from=build")][0]
    # What is copied is what the target makes, where it makes it.
    made = re.search(r"^static:.*\n\t\$\(NINJA\) -C \$\(BUILD\) (\S+)$",
                     source("Makefile"), re.M).group(1)
    expect_equal(copied, f"/src/build/{made}")
    expect_equal(to, json.loads(given["ENTRYPOINT"])[0])
    expect("scripts/install-packages build && make static && strip "
           f"build/{made}" in text, text)


def command_lines():
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    limited = 0
    for line in lines:
        words = shlex.split(line)
        if "limit" in words:
            limited += is_accepted(words[words.index("vmspace"):])
    expect_equal(limited, 4)


def manifest():
    text, = blocks("yaml")
    result = subprocess.run(["/usr/bin/python3", "-c", TO_JSON], input=text,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            check=False)
    if "No module named" in result.stderr:
        raise Skip("python3-yaml is not installed")
    expect_equal(result.returncode, 0, result.stderr)
    pod, = json.loads(result.stdout)
    container, = pod["spec"]["containers"]
    is_accepted(container["command"] + container["args"])
    expect(container["resources"]["limits"]["memory"])
    confined = {**pod["spec"]["securityContext"], **container["securityContext"]}
    expect_equal((confined["runAsNonRoot"], confined["readOnlyRootFilesystem"],
                  confined["allowPrivilegeEscalation"], confined["seccompProfile"]),
                 (True, True, False, {"type": "RuntimeDefault"}))
    # The report lies on a volume, since the root is read-only.
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    report, = [word.removeprefix("--report=") for word in container["command"]
               if word.startswith("--report=")]
    expect_equal(os.path.dirname(report), mounts["reports"])
    expect_equal([volume["name"] for volume in pod["spec"]["volumes"]], list(mounts))


def unit():
    text, = blocks("ini")
    line = re.search(r"^ExecStart=(.*)$", text, re.M).group(1)
    is_accepted(shlex.split(line.replace("%%", "%")))
    # A percent sign that stands once would be taken for one of systemd's own.
    expect("%" not in line.replace("%%", ""), line)
    verify = [installed("systemd-analyze"), "verify"]
    sound = written("sound.service", "[Service]\nExecStart=/bin/true\n")
    probe = run([*verify, sound])
    if probe.returncode != 0:
        raise Skip(f"systemd-analyze verify: {probe.stderr.decode()}")
    # It looks for the program.
    result = run([*verify, written("guide.service", text.replace(
        "/usr/bin/vmspace", VMSPACE))])
    expect_equal((result.returncode, result.stderr), (0, probe.stderr))


def messages_are_the_real_ones():
    """Each in the sources, where literals are in pieces."""
    sources = "".join(source("src", "cli", "supervise", name) for name in
                      os.listdir(os.path.join(SOURCES, "src/cli/supervise"))
                      if name.endswith(".c"))
    joined = re.sub(r'"\s*"', "", sources)
    table = GUIDE[GUIDE.index("| message |"):]
    quoted = re.findall(r"^\| `([^`]+)` \|", table, re.M)
    expect(len(quoted) >= 6, quoted)
    for message in quoted:
        # This one is the kernel's; test_containers.py has it.
        expect(message in joined or message.endswith("Read-only file system"), message)


CASES = [dockerfile, command_lines, manifest, unit, messages_are_the_real_ones]

sys.exit(main_in_groups(VMSPACE, CASES))
