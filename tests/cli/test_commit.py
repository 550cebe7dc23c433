# SPDX-License-Identifier: MIT
"""'vmspace commit' against /proc, and against files put in the place of those.

usage: test_commit.py VMSPACE BUDGET_HOLDER MAN_DIRECTORY
"""

import fractions
import json
import os
import re
import socket
import sys

from cli_test import Skip, expect, expect_equal, main, run
from commit_command import (Holder, MAN, VMSPACE, WORK, as_nobody, budgets_of,
                            commit, report)

PAGE = os.sysconf("SC_PAGE_SIZE")
MEMINFO = "/proc/meminfo"
SYSCTL = "/proc/sys/vm/"
STEP = re.compile(r"  ([ +x=-]) +(-?[0-9]+)(K|%|)  (.*)")

# A machine with 8 GB, 1 GB of swap and 64 huge pages.
FAKE_MEMINFO = """\
MemTotal:        8000000 kB
MemFree:         1000000 kB
SwapTotal:       1000000 kB
CommitLimit:     4934464 kB
Committed_AS:    2000000 kB
HugePages_Total:      64
Hugepagesize:       2048 kB
Hugetlb:          131072 kB
"""


def meminfo():
    """{key: bytes, or a number of pages} of /proc/meminfo."""
    figures = {}
    with open(MEMINFO) as file:
        for line in file:
            words = line.split()
            figures[words[0].rstrip(":")] = (
                int(words[1]) * (1024 if words[2:] == ["kB"] else 1))
    return figures


def setting(name):
    with open(SYSCTL + name) as file:
        return int(file.read())


def work(name, text):
    path = os.path.join(WORK.name, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def in_place_of(files):
    """Words to run a command where it sees other files: {path: text or None}.

    None is a file that cannot be opened, by whomever.
    """
    refuses = os.path.join(WORK.name, "socket")
    if not os.path.exists(refuses):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(refuses)
    words = ["unshare", "--mount"]
    if os.geteuid() != 0:
        words += ["--map-root-user"]
    script = ["set -e"]
    for path, text in files.items():
        source = (refuses if text is None else
                  work(os.path.basename(path), text))
        script.append(f"mount --bind {source} {path}")
    words += ["sh", "-c", "; ".join([*script, 'exec "$0" "$@"'])]
    if run([*words, "true"]).returncode:
        raise Skip("files of /proc cannot be covered here")
    return words


def fake(mode, text=FAKE_MEMINFO, **settings):
    """A machine in some mode with that meminfo."""
    files = {MEMINFO: text, SYSCTL + "overcommit_memory": f"{mode}\n",
             SYSCTL + "overcommit_ratio": "50\n",
             SYSCTL + "overcommit_kbytes": "0\n",
             SYSCTL + "admin_reserve_kbytes": "8192\n",
             SYSCTL + "user_reserve_kbytes": "131072\n"}
    files.update({SYSCTL + name: value for name, value in settings.items()})
    return in_place_of(files)


def expect_sums(text, unit):
    """Every sum of a text adds up; returns how many results there are."""
    results = 0
    running = None
    for line in text.decode().splitlines():
        match = STEP.fullmatch(line)
        if not match:
            expect("=" not in line[:4], line)
            running = None
            continue
        sign, number, suffix, words = match.groups()
        expect_equal(suffix, "%" if sign == "x" else unit, line)
        number = int(number)
        if sign == " ":
            running = fractions.Fraction(number)
        elif sign == "+":
            running += number
        elif sign == "-":
            running -= number
        elif sign == "x":
            running *= fractions.Fraction(number, 100)
        else:
            results += 1
            lost = running - number
            page = PAGE // (1024 if unit == "K" else 1)
            expect(0 <= lost < page if words.startswith("in whole pages")
                   else lost == 0, line, running)
            running = fractions.Fraction(number)
    return results


def limit_is_the_kernels():
    for _ in range(3):
        before, limit = meminfo(), report()["limit"]
        if before == meminfo() or before["CommitLimit"] == limit["kernel"]:
            break
    expect_equal(limit["kernel"], before["CommitLimit"])
    expect_equal(limit["ram"], before["MemTotal"])
    expect_equal(limit["swap"], before["SwapTotal"])
    if "Hugetlb" in before:
        expect_equal(limit["huge_pages"], before["Hugetlb"])
    # The sum is ours and the limit the kernel's: they meet.
    expect_equal(limit["sum"], limit["kernel"])


def promised_memory_is_the_kernels():
    # What the command itself takes, which is more with a sanitizer.
    slack = 64 << 20
    for _ in range(20):
        before = meminfo()["Committed_AS"]
        committed = report()["left"]["committed"]
        after = meminfo()["Committed_AS"]
        if (min(before, after) - slack <= committed
                <= max(before, after) + slack):
            return
    raise AssertionError(f"{before} and {after}, but {committed}")


def settings_are_the_kernels():
    whole = report()
    mode = setting("overcommit_memory")
    expect_equal(whole["policy"]["mode"], mode)
    expect_equal(whole["policy"]["name"],
                 ["heuristic", "always", "strict"][mode])
    expect_equal(whole["limit"]["ratio"], setting("overcommit_ratio"))
    expect_equal(whole["limit"]["basis"],
                 "kbytes" if setting("overcommit_kbytes") else "ratio")
    for name in ("admin_reserve", "user_reserve"):
        kept = setting(f"{name}_kbytes") * 1024
        expect_equal(whole["left"][name], kept - kept % PAGE, name)


def left_is_what_is_not_taken():
    left = report()["left"]
    expect_equal(left["page"], PAGE)
    expect_equal(left["admin_taken"],
                 0 if left["admin_exempt"] else left["admin_reserve"])
    expect_equal(left["small"], left["limit"] - left["admin_taken"] -
                 left["committed"] - left["page"])
    expect_equal(left["large"], left["small"] - left["user_reserve"])
    expect_equal(left["large_size"], 32 * left["user_reserve"])


def json_always_has_the_same_members():
    members = {
        "policy": {"mode", "name", "largest_request"},
        "limit": {"basis", "ram", "huge_pages", "usable", "ratio", "share",
                  "swap", "sum", "kernel"},
        "left": {"limit", "admin_reserve", "admin_exempt", "admin_taken",
                 "committed", "page", "small", "user_reserve", "large_size",
                 "large"}}
    unread = {SYSCTL + name: None for name in (
        "overcommit_memory", "overcommit_ratio", "overcommit_kbytes",
        "admin_reserve_kbytes", "user_reserve_kbytes")}
    wholes = [report()]
    try:
        wholes.append(report(before=in_place_of({MEMINFO: None, **unread}),
                             status=1))
    except Skip:
        pass
    for whole in wholes:
        expect_equal(set(whole), set(members) | {
            "format", "version", "supposed", "control_group", "audit",
            "refusals", "budgets", "hidden_processes"})
        expect_equal((whole["format"], whole["version"]), ("vmspace commit", 1))
        for name, keys in members.items():
            expect_equal(set(whole[name]), keys)


def sums_of_the_text_add_up():
    expect(expect_sums(commit("--explain").stdout, "K") >= 3)
    expect(expect_sums(commit("--explain", "--bytes").stdout, "") >= 3)
    for mode, results in ((0, 6), (1, 5), (2, 5)):
        text = commit("--explain", before=fake(mode)).stdout
        expect_equal(expect_sums(text, "K"), results, text)


def first_lines_say_it_all():
    for mode, lines in (
            (0, ["policy     heuristic: one request above 8.6G is refused, "
                 "nothing else",
                 "promised   1.9G of 7.6G RAM (25%), which no limit holds"]),
            (1, ["policy     always: every request is granted",
                 "promised   1.9G of 7.6G RAM (25%), which no limit holds"]),
            (2, ["policy     strict: what does not fit in the limit is refused",
                 "promised   1.9G of 4.7G (40%)"]),
            (3, ["policy     unknown"])):
        text = commit(before=fake(mode)).stdout.decode().split("\n")
        expect_equal(text[:len(lines)], lines)
        if mode == 2:
            expect(text[2].startswith("left       2.7G for you") or
                   text[2].startswith("left       2.8G for you"), text)
        elif mode < 2:
            expect(text[2].startswith("left       any amount; "), text)
    promised = FAKE_MEMINFO.replace("2000000", "5934464")
    text = commit(before=fake(2, text=promised)).stdout.decode()
    expect("left       nothing: 9" in text and
           "more is promised than the limit" in text, text)


def text_says_what_each_mode_enforces():
    texts = [commit("--explain", before=fake(mode)).stdout.decode()
             for mode in range(4)]
    for text, name in zip(texts, ("heuristic", "always", "strict",
                                  "unknown")):
        expect(f"\npolicy: {name} (vm.overcommit_memory is" in text, text)
    expect("one larger than RAM and swap together" in texts[0])
    expect("= 9000000K" in " ".join(texts[0].split()), texts[0])
    expect("every request is granted" in texts[1])
    for text in texts[1:]:
        expect("largest request" not in text, text)
    expect("were mode 2 in force" not in texts[2] and
           "only mode 2 enforces" not in texts[2], texts[2])
    for text in texts[:2]:
        expect("were mode 2 in force" in text and
               "only mode 2 enforces" in text, text)


def other_settings_can_be_supposed():
    machine = fake(0)
    for settings, limit in (("mode=2", (8000000 - 131072) * 50 // 100),
                            ("mode=2,ratio=80", (8000000 - 131072) * 80 // 100),
                            ("mode=2,kbytes=3000000", 3000000),
                            ("mode=2,kbytes=3000000,ratio=100",
                             8000000 - 131072)):
        whole = report("--what-if", settings, before=machine)
        expect_equal(whole["supposed"], True)
        expect_equal(whole["policy"]["name"], "strict")
        want = (limit * 1024 - limit * 1024 % PAGE) + (1000000 << 10)
        expect(abs(whole["limit"]["sum"] - want) < PAGE, settings,
               whole["limit"], want)
        expect_equal(whole["limit"]["kernel"], None)
        expect_equal(whole["left"]["limit"], whole["limit"]["sum"])
    whole = report("--what-if", "mode=2,swap=0,ram=4G", before=machine)
    expect_equal(whole["limit"]["swap"], 0)
    expect_equal(whole["limit"]["ram"], 4 << 30)
    text = commit("--what-if", "mode=2,ratio=1,swap=0",
                  before=machine).stdout.decode()
    expect(text.startswith("supposed   strict") and "left       nothing" in text,
           text)
    for settings in ("", "mode", "mode=3", "mode=-1", "ratio=x", "mood=2",
                     "mode=2,", "swap=much", "ram=", "ratio=99999999999"):
        result = commit("--what-if", settings, status=2)
        expect(b"is not understood" in result.stderr, settings, result.stderr)


def largest_request_is_that_of_mode_0():
    for mode, bound in ((0, 9000000 << 10), (1, None), (2, None)):
        policy = report(before=fake(mode))["policy"]
        expect_equal(policy["largest_request"], bound)


def huge_pages_are_taken_before_the_ratio():
    whole = report(before=fake(2))
    limit = whole["limit"]
    expect_equal(limit["usable"], (8000000 - 131072) << 10)
    expect_equal((limit["sum"], limit["kernel"]), (4934464 << 10,) * 2)
    expect("says the same" in commit("--explain",
                                              before=fake(2)).stdout.decode())


def kbytes_hold_in_place_of_the_ratio():
    machine = fake(2, overcommit_kbytes="3000000\n",
                   text=FAKE_MEMINFO.replace("4934464", "4000000"))
    whole = report(before=machine)
    expect_equal(whole["limit"]["basis"], "kbytes")
    expect_equal(whole["limit"]["sum"], 4000000 << 10)
    text = commit("--explain", before=machine).stdout
    expect(b"vm.overcommit_kbytes" in text and
           b"vm.overcommit_ratio" not in text, text)
    expect_equal(expect_sums(text, "K"), 3)


def difference_from_the_kernels_limit_is_told():
    machine = fake(2, text=FAKE_MEMINFO.replace("4934464", "4900000"))
    text = commit("--explain", before=machine).stdout.decode()
    expect("CommitLimit is 4900000K, 34464K less" in text, text)
    left = report(before=machine)["left"]
    expect_equal(left["limit"], 4900000 << 10)


def limit_that_is_passed_is_told():
    promised = 5934464 - PAGE // 1024
    machine = fake(2, text=FAKE_MEMINFO.replace("2000000", str(promised)))
    left = report(before=machine)["left"]
    expect_equal(left["small"],
                 -(1000000 << 10) - left["admin_taken"])
    text = commit("--explain", before=machine).stdout
    expect(b"nothing; passed by 9" in text, text)
    expect_sums(text, "K")


def file_that_cannot_be_read_is_told_and_the_rest_shown():
    for path, unknown in (
            (SYSCTL + "overcommit_memory", ("policy", "mode")),
            (SYSCTL + "overcommit_ratio", ("limit", "sum")),
            (SYSCTL + "overcommit_kbytes", ("limit", "basis")),
            (SYSCTL + "admin_reserve_kbytes", ("left", "admin_reserve")),
            (SYSCTL + "user_reserve_kbytes", ("left", "large")),
            (MEMINFO, ("limit", "kernel"))):
        for text, why in ((None, "No such device"), ("x\n", "not understood"),
                          ("", "not understood")):
            machine = in_place_of({path: text})
            result = commit("--explain", status=1, before=machine)
            expect_equal(result.stderr.decode().count("\n"), 1, result.stderr)
            expect(f"{path}: {why}" in result.stderr.decode(), result.stderr)
            expect(why.encode() in result.stdout, path, result.stdout)
            expect(b"budgets in use" in result.stdout)
            whole = report(status=1, before=machine)
            expect_equal(whole[unknown[0]][unknown[1]], None, path)


def kernel_that_tells_no_limit_is_told():
    text = "MemTotal: 8000000 kB\nMemFree: 1 kB\nSwapTotal: 0 kB\n"
    machine = in_place_of({MEMINFO: text})
    limit = report(before=machine)["limit"]
    expect_equal((limit["ram"], limit["kernel"]), (8000000 << 10, None))
    expect(b"not told by this kernel" in
           commit("--explain", before=machine).stdout)


def proc_that_is_not_there_is_no_crash():
    # Without /proc the loader does not know where the command lies.
    own = json.loads(run([VMSPACE, "maps", "--json", "self"]).stdout)
    directories = {os.path.dirname(owner["name"])
                   for owner in own["processes"][0]["owners"]
                   if "/libvmspace" in owner["name"]}
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(directories)}
    words = ["unshare", "--mount", "sh", "-c",
             'umount -l /proc && exec "$0" "$@"']
    if (os.geteuid() != 0 or
            run([*words, VMSPACE, "--version"], env=environment).returncode):
        raise Skip("/proc cannot be taken away here")
    result = commit(status=1, before=words, env=environment)
    expect(b"/proc/meminfo: No such file" in result.stderr, result.stderr)
    expect(b"budgets in use: unknown" in result.stdout, result.stdout)
    whole = report(status=1, before=words, env=environment)
    expect_equal((whole["budgets"], whole["hidden_processes"]), (None, None))
    expect_equal(whole["left"]["admin_exempt"], None)


def only_the_administrator_is_exempt():
    expect_equal(report(**as_nobody())["left"]["admin_exempt"], False)
    if os.geteuid() == 0:
        with open("/proc/self/status") as file:
            effective = int(re.search(r"CapEff:\s*(\w+)", file.read())[1], 16)
        mine = os.stat("/proc/self/ns/user").st_ino == 0xEFFFFFFD
        expect_equal(report()["left"]["admin_exempt"],
                     bool(effective >> 21 & 1) and mine)


def root_of_a_user_namespace_is_not_exempt():
    words = ["unshare", "--user", "--map-root-user"]
    if run([*words, "true"]).returncode:
        raise Skip("no user namespace can be made here")
    expect_equal(report(before=words)["left"]["admin_exempt"], False)


def lines_of_the_text_fit_a_terminal():
    with Holder("web", 1 << 30, 100 << 20):
        texts = [commit("-e").stdout, commit("-e", "-b").stdout]
    try:
        texts += [commit("-e", before=fake(mode)).stdout for mode in range(4)]
        texts.append(commit("-e", status=1, before=in_place_of(
            {MEMINFO: None})).stdout)
    except Skip:
        pass
    texts.append(run([VMSPACE, "help", "commit"]).stdout)
    for line in b"".join(texts).splitlines():
        # Budgets of other programs have names of any length.
        others = b"made by process" in line and b"  web " not in line
        expect(len(line) <= 80 or b"open in" in line or others, line)


def wrong_arguments_are_usage_errors():
    for arguments in (["--nonsense"], ["-x"], ["self"], ["--json=yes"],
                      ["--json", "1"], ["--", "-j"], [""], ["--what-if"]):
        result = commit(*arguments, status=2)
        expect_equal(result.stdout, b"", arguments)
        expect(b"vmspace commit" in result.stderr, arguments)


def output_that_cannot_be_written_is_an_error():
    for arguments in ([], ["--json"]):
        with open("/dev/full", "wb") as full:
            result = commit(*arguments, status=1, stdout=full)
        expect(b"No space left" in result.stderr, result.stderr)
        reader, writer = os.pipe()
        os.close(reader)
        result = commit(*arguments, status=1, stdout=writer)
        os.close(writer)
        expect_equal(result.stderr, b"", arguments)


def options_are_in_the_man_page():
    with open(os.path.join(MAN, "vmspace-commit.1")) as file:
        page = file.read()
    text = run([VMSPACE, "help", "commit"]).stdout.decode()
    expect(text.startswith("usage: vmspace commit"), text)
    named = re.findall(r"^ +(?:-\w, )?--([a-z-]+)", text, re.MULTILINE)
    expect_equal(named, ["audit", "explain", "what-if", "bytes", "json",
                         "help"])
    for option in named:
        expect(f"Fl -{option}" in page, option)


def members_of_json_are_in_the_man_page():
    with open(os.path.join(MAN, "vmspace-commit.1")) as file:
        page = file.read()
    with Holder("web", 1 << 30, 0) as holder:
        whole = report("--audit", "--what-if", "mode=2")
        budget = budgets_of(holder.pid)[0]
    for members in (whole, whole["policy"], whole["limit"], whole["left"],
                    whole["audit"], whole["audit"]["processes"][0],
                    whole["refusals"], whole["refusals"]["processes"][0],
                    whole["refusals"]["processes"][0]["refused"],
                    {"path", "limit", "in_use", "left"}, budget, budget["figures"], budget["holders"][0]):
        for name in members:
            expect(re.search(rf"^\.It Li .*\b{name}\b", page, re.MULTILINE),
                   name)


CASES = [
    limit_is_the_kernels,
    promised_memory_is_the_kernels,
    settings_are_the_kernels,
    left_is_what_is_not_taken,
    json_always_has_the_same_members,
    sums_of_the_text_add_up,
    first_lines_say_it_all,
    text_says_what_each_mode_enforces,
    other_settings_can_be_supposed,
    largest_request_is_that_of_mode_0,
    huge_pages_are_taken_before_the_ratio,
    kbytes_hold_in_place_of_the_ratio,
    difference_from_the_kernels_limit_is_told,
    limit_that_is_passed_is_told,
    file_that_cannot_be_read_is_told_and_the_rest_shown,
    kernel_that_tells_no_limit_is_told,
    proc_that_is_not_there_is_no_crash,
    only_the_administrator_is_exempt,
    root_of_a_user_namespace_is_not_exempt,
    lines_of_the_text_fit_a_terminal,
    wrong_arguments_are_usage_errors,
    output_that_cannot_be_written_is_an_error,
    options_are_in_the_man_page,
    members_of_json_are_in_the_man_page,
]

try:
    sys.exit(main(CASES))
finally:
    WORK.cleanup()
