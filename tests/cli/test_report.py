# SPDX-License-Identifier: MIT
"""'vmspace report' of a recording whose figures are known.

usage: test_report.py VMSPACE MAKE_RECORDING
"""

import csv
import io
import json
import os
import re
import sys

from cli_test import expect, expect_equal, main, run, work, written

VMSPACE, MAKE = (os.path.abspath(path) for path in sys.argv[1:3])
MIB = 1 << 20
PAGE = 16384
LIBRARY = '/opt/a directory with a long name/"lib", \u20ac\n.so'
ENVIRONMENT = {"PATH": os.environ["PATH"], "TZ": "UTC"}


def report(*arguments, path=None, language="C.UTF-8"):
    result = run([VMSPACE, "report", *arguments, path or work("small")],
                 env={**ENVIRONMENT, "LC_ALL": language})
    expect_equal((result.returncode, result.stderr), (0, b""), arguments)
    return result.stdout.decode()


def rows(*arguments):
    return list(csv.DictReader(io.StringIO(report("--format=csv", *arguments),
                                           newline="")))


# --- in the terminal ----------------------------------------------------------------

# Bars go by the largest of their line.
BARS = {"C.UTF-8": " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588",
        "C": " .:-=+*%#"}
GOLDEN = """\
./grow \\033[2J --much
Linux 6.18 aarch64
2026-11-30 00:53:20, 4.000 s, 2 programs run, 16 events
resident: 65.0M at most, after 2.000 s

   GREW LARGEST  RESIDENT OVER TIME        OWNER, PROCESS
          65.0M  @111113333338888888444444@  all
   +28M   40.0M  @111111111118888888666666@  [heap] 100 grow\\033[2J
 +24.0M   24.0M  @     8888888888888      @  [anon] 101 child
      0    1.0M  @888888888888888888888888@  ...e/"lib", \u20ac\\012.so 100 grow\\033[2J

Refused: 3 requests
  2 times mmap, first of 64M after 2.000 s, 101 child
      mmap (libc.so.6)
      read_all\\033[31m (grow) at grow.c:17
      main
  1 time mmap, first of 64M after 2.000 s, 100 grow\\033[2J

Asked for: 76M by 301 calls. Most of it:
  64M by 1 call of mmap, 100 grow\\033[2J
      mmap (libc.so.6)
      read_all\\033[31m (grow) at grow.c:17
      main
  12M by 300 calls without a stack, 101 child
"""


def text_is_as_it_was():
    for language, bars in BARS.items():
        want = re.sub("@([ 1-8]*)@", lambda match: "".join(
            bars[int(level) if level != " " else 0] for level in match[1]), GOLDEN)
        have = report(language=language)
        for line, wanted in zip(have.splitlines(), want.splitlines()):
            expect_equal(line, wanted)
        expect_equal(have, want)


def text_fits_the_screen():
    for options in ([], ["--from=1", "--to=3"]):
        for line in report(*options).splitlines():
            expect(len(line) <= 80, len(line), line)
            expect(all(character.isprintable() for character in line), line)


def a_part_is_shown():
    lines = report("--from", "1.5", "--to", "2.5s").splitlines()
    expect_equal(lines[3], "shown: from 1.500 s to 2.500 s")
    grown = {line[43:].split()[0]: line.split()[0] for line in lines[7:]
             if len(line) > 43}
    expect_equal((grown["[heap]"], grown["[anon]"]), ("+38M", "0"))
    late = report("--from=2.5")
    expect("Refused" not in late and "Asked" not in late, late)


def many_of_a_name_share_a_line():
    expect_equal(run([MAKE, work("build"), "build"]).returncode, 0)
    lines = report(path=work("build")).splitlines()
    expect_equal([(line[:15].split(), line[43:]) for line in lines[7:]],
                 [(["+22.0M", "43.0M"], "[anon] 12 times cc1"), (["0", "1.0M"], "[heap] 100 make")])
    # In a part in which there are few of them each has its own.
    lines = report("--from=5.2", "--to=6.2", path=work("build")).splitlines()
    expect_equal({line[43:] for line in lines[8:]},
                 {"[anon] 104 cc1", "[anon] 105 cc1", "[anon] 106 cc1", "[heap] 100 make"})


def what_was_not_read_has_no_figures():
    expect_equal(run([MAKE, work("unread"), "unread"]).returncode, 0)
    expect_equal(report(path=work("unread")).splitlines()[2:], [
        "2026-11-30 00:53:20, 0.100 s, 1 program run, 0 events",
        "Nothing of it was read: it ended before the first look, or may not be seen."])


# --- for programs -------------------------------------------------------------------


def csv_has_a_row_for_each_change():
    table = rows()
    heap = [row for row in table if row["owner"] == "[heap]"]
    expect_equal([(row["time"], int(row["anonymous"])) for row in heap],
                 [("0.000000", 2 * MIB), ("2.000000", 40 * MIB),
                  ("3.000000", 30 * MIB), ("4.000000", 0)])
    expect_equal({row["process"] for row in heap}, {"grow\\033[2J"})
    library = [row for row in table if row["kind"] == "file"]
    expect_equal(library[0]["owner"], LIBRARY.replace("\n", "\\012"))
    expect_equal(int(library[0]["file"]), PAGE)
    calls = [row for row in table if row["what"] == "call"]
    expect_equal([(row["pid"], row["call"], row["size"], row["error"])
                  for row in calls],
                 [("101", "mmap", str(64 * MIB), "ENOMEM")] * 2 +
                 [("100", "mmap", str(64 * MIB), "ENOMEM"),
                  ("100", "mmap", str(64 * MIB), ""),
                  ("101", "brk", str(16 * MIB), "")])
    expect_equal([(row["commit"], row["calls"]) for row in calls[2:]],
                 [("", "1"), (str(64 * MIB), "1"), (str(12 * MIB), "300")])
    expect(calls[0]["stack"].endswith(" < main"), calls[0])
    machines = [row for row in table if row["what"] == "machine"]
    expect_equal([int(row["commit"]) // MIB for row in machines], [1000, 1010])
    limits = [row for row in table if row["what"] == "limit"]
    expect_equal([int(row["size"]) // MIB for row in limits], [256, 256])
    expect(all(None not in row and None not in row.values() for row in table))
    part = rows("--from=1.5", "--to=2.5")
    expect_equal([(row["time"], row["owner"]) for row in part
                  if row["what"] == "owner" and row["time"] == "1.500000"],
                 [("1.500000", "[heap]"),
                  ("1.500000", LIBRARY.replace("\n", "\\012")),
                  ("1.500000", "[anon]")])


def json_has_all():
    whole = json.loads(report("--format=json"))
    expect_equal((whole["version"], whole["page_size"], whole["cut"]), (1, PAGE, False))
    expect_equal((whole["length"], whole["began"]), (4000000, 1796000000000000))
    expect_equal([process["name"] for process in whole["processes"]],
                 ["grow\033[2J", "child"])
    expect_equal([process["status"] for process in whole["processes"]], [3 << 8, 9])
    expect_equal([owner["name"] for owner in whole["owners"]],
                 ["[heap]", LIBRARY, "[anon]"])
    expect_equal(whole["stacks"][0][0], "mmap (libc.so.6)")
    expect_equal(len(whole["events"]), 16)
    granted = [event for event in whole["events"] if "charged" in event]
    expect_equal([(event["call"], event["size"], event["charged"],
                   event.get("calls"), event.get("first")) for event in granted],
                 [("mmap", 64 * MIB, 64 * MIB, None, None),
                  ("brk", 16 * MIB, 12 * MIB, 300, 1500000)])
    expect_equal(whole["events"][2]["start"], "1000000")
    expect_equal(len(json.loads(report("--format=json", "--to=0"))["events"]), 4)


# What "Trace Event Format" says of each phase, besides what all have: the keys that
# must be there, and their types.
ALL = {"ph": str, "pid": int, "ts": int, "name": str}
PHASES = {"M": {"args": dict}, "X": {"dur": int, "tid": int, "cat": str},
          "C": {"args": dict}, "i": {"s": str, "tid": int, "cat": str, "args": dict}}


def perfetto_is_by_the_schema():
    for options in ([], ["--from=1.5"], ["--to=2"]):
        whole = json.loads(report("--format=perfetto", *options))
        expect_equal(set(whole), {"traceEvents", "displayTimeUnit", "otherData"})
        expect(whole["displayTimeUnit"] in ("ms", "ns"))
        for event in whole["traceEvents"]:
            keys = {**ALL, **PHASES[event["ph"]]}
            expect(all(isinstance(event.get(key), kind) and event[key] is not True
                       for key, kind in keys.items()), event)
            expect(set(event) <= set(keys), event)
            expect(event["ts"] >= 0 and event.get("dur", 0) >= 0, event)
            if event["ph"] == "C":
                expect(event["args"] and all(isinstance(value, int) for value in
                                             event["args"].values()), event)
            if event["ph"] == "i":
                expect(event["s"] in "gpt", event)
            if event["ph"] == "M":
                expect_equal(event["name"], "process_name")
                expect(isinstance(event["args"]["name"], str), event)
        named = {event["pid"]: event["args"]["name"] for event in whole["traceEvents"] if event["ph"] == "M"}
        expect_equal(named.get(0), "machine")
        expect({event["pid"] for event in whole["traceEvents"]} <= set(named), named)


def perfetto_has_the_figures():
    events = json.loads(report("--format=perfetto"))["traceEvents"]
    heap = [event for event in events if event["name"] == "[heap]"]
    expect_equal([(event["ts"], event["args"]["anonymous"]) for event in heap],
                 [(0, 2 * MIB), (2000000, 40 * MIB), (3000000, 30 * MIB),
                  (4000000, 0)])
    slices = [(event["name"], event["ts"], event["dur"]) for event in events
              if event["ph"] == "X"]
    expect_equal(slices, [("grow\033[2J", 0, 4000000), ("child", 1000000, 2000000)])
    refused = [event for event in events if event.get("cat") == "refused"]
    expect_equal([event["pid"] for event in refused], [101, 101, 100])
    expect_equal(refused[0]["args"]["stack"][2], "main")
    granted = [event for event in events if event.get("cat") == "granted"]
    expect_equal([(event["pid"], event["args"]["charged"],
                   event["args"].get("calls")) for event in granted],
                 [(100, 64 * MIB, None), (101, 12 * MIB, 300)])


# --- files and errors ---------------------------------------------------------------


def output_goes_into_a_file():
    for form in ("text", "csv", "json", "perfetto"):
        expect_equal(report(f"--format={form}", "-o", work("out")), "")
        with open(work("out"), encoding="utf-8", newline="") as file:
            expect_equal(file.read(), report(f"--format={form}"))


def expect_error(status, text, *arguments):
    result = run([VMSPACE, "report", *arguments])
    expect_equal((result.returncode, result.stdout), (status, b""), arguments)
    expect(text in result.stderr.decode(), result.stderr)


def errors_are_told():
    expect_error(1, "No such file", work("none"))
    expect_error(1, "no recording", written("text", "hello"))
    expect_error(1, "no recording", written("empty", ""))
    expect_error(1, "Is a directory", "/")
    expect_error(2, "is the recording itself", "-o", work("small"), work("small"))
    expect_error(2, "nothing is between", "--from=5", work("small"))
    expect_error(2, "'x' is not a time", "--from=x", work("small"))
    expect_error(2, "'x' is neither", "--format=x", work("small"))
    expect_error(2, "name one recording")
    expect_error(2, "name one recording", work("small"), work("small"))
    if os.path.exists("/dev/full"):
        expect_error(1, "No space left", "-o", "/dev/full", work("small"))


def one_that_is_cut_says_so():
    with open(work("small"), "rb") as file:
        whole = file.read()
    with open(work("cut"), "wb") as file:
        file.write(whole[:-1])
    lines = report(path=work("cut")).splitlines()
    expect(any(line.startswith("It ends in the midst") for line in lines), lines)
    expect_equal(json.loads(report("--format=json", path=work("cut")))["cut"], True)


def page_has_all():
    page = work("small.html")
    expect_equal(report("-o", page), "")
    with open(page, encoding="utf-8") as file:
        text = file.read()
    tables = json.loads(re.search('id="tables">([^<]*)<', text).group(1))
    expect_equal(tables["program"], "./grow \\033[2J --much")
    expect_equal(tables["pageSize"], PAGE)
    expect_equal([row["pid"] for row in tables["processes"]], [100, 101])
    expect_equal(text, report("--format=html"))
    for options in (["--from=1"], ["--to=2"]):
        result = run([VMSPACE, "report", "--format=html", *options, work("small")])
        expect_equal((result.returncode, result.stdout), (2, b""), options)


def many_events_are_shown():
    """All forms come to their end."""
    expect_equal(run([MAKE, work("large"), "20000"]).returncode, 0)
    for form in ("text", "csv", "json", "perfetto", "html"):
        expect(report(f"--format={form}", path=work("large")))


expect_equal(run([MAKE, work("small")]).returncode, 0)
sys.exit(main([
    text_is_as_it_was,
    text_fits_the_screen,
    a_part_is_shown,
    many_of_a_name_share_a_line,
    what_was_not_read_has_no_figures,
    csv_has_a_row_for_each_change,
    json_has_all,
    perfetto_is_by_the_schema,
    perfetto_has_the_figures,
    output_goes_into_a_file,
    errors_are_told,
    page_has_all,
    one_that_is_cut_says_so,
    many_events_are_shown,
]))
