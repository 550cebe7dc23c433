# SPDX-License-Identifier: MIT
"""What 'vmspace sweep' writes for CI: a baseline of known findings, JUnit XML, SARIF.

usage: test_sweep_outputs.py VMSPACE
"""

import json
import os
import sys
import xml.etree.ElementTree as xml

from cli_test import (Skip, expect, expect_equal, installed, main, run, work,
                      written)
from sweep_allocations import VMSPACE, program, results, sweep

FINDINGS = """
__attribute__((noinline)) static void crashes(void) { *(char *)malloc(10) = 1; }
__attribute__((noinline)) static void loses(void) { write(1, "lost", malloc(20) ? 0 : 4); }
__attribute__((noinline)) static void notices(void) { if (!malloc(30)) exit(3); }
"""


def faulty(name="faulty", calls="crashes(); loses(); notices();"):
    return program(name, calls + "return 0;", FINDINGS)


def baseline_of_all_findings_makes_the_sweep_pass():
    known = work("known")
    result = sweep(f"--write-baseline={known}", faulty())
    expect_equal(result.returncode, 1, result)
    with open(known) as file:
        lines = file.read().splitlines()
    expect_equal([line.split(" (")[0] for line in lines[1:]],
                 ["crashed by signal 11: malloc < crashes",
                  "wrong: malloc < loses"], lines)
    result = sweep(f"--baseline={known}", faulty())
    expect_equal(result.returncode, 0, result)
    expect(b"2 of them known\n" in result.stdout, result.stdout)
    expect_equal([one["known"] for one in results()],
                 [one["verdict"] != "failed" for one in results()])
    # The lines of the source are others, and the order of the calls too.
    other = program("other", "\n\nloses();\nnotices(); crashes(); return 0;",
                    "\n\n" + FINDINGS)
    os.rename(other, work("faulty"))
    expect_equal(sweep(f"--baseline={known}", work("faulty")).returncode, 0)


def finding_that_is_not_known_is_told():
    path = faulty()
    sweep(f"--write-baseline={work('known')}", path)
    with open(work("known")) as file:
        lines = file.read().splitlines()
    some = written("some", "\n".join(["# one of two", "", lines[1]]))
    result = sweep(f"--baseline={some}", path)
    expect_equal(result.returncode, 1, result)
    expect(b"wrong with status 0" in result.stdout, result.stdout)
    expect(b"crashed by" not in result.stdout, result.stdout)
    expect(b"1 of them known\n" in result.stdout, result.stdout)
    # And one can be brought up to date in place.
    result = sweep(f"--baseline={some}", f"--write-baseline={some}", path)
    expect_equal(result.returncode, 1, result)
    expect_equal(sweep(f"--baseline={some}", path).returncode, 0)


def strange_baselines_are_met():
    path = faulty()
    result = sweep(f"--baseline={work('none')}/none", path)
    expect_equal((result.returncode, result.stdout), (125, b""), result)
    with open(work("bytes"), "wb") as file:
        file.write(b"\0\xff\n" * 1000 + b"x" * 100000)
    expect_equal(sweep(f"--baseline={work('bytes')}", path).returncode, 1)
    expect_equal(sweep(f"--baseline={written('empty', '')}",
                       path).returncode, 1)
    result = sweep(f"--baseline={os.path.dirname(path)}", path)
    expect_equal(result.returncode, 125, result.stderr)
    expect(b"Is a directory" in result.stderr, result.stderr)


def names_with_newlines_make_no_frames():
    path = work("ugly\n      forged (libc.so.6)")
    os.rename(faulty(), path)
    result = sweep(path)
    expect_equal(result.returncode, 1, result)
    lines = result.stdout.decode().splitlines()
    lines += [line for one in results() for line in one["backtrace"].splitlines()]
    expect(any("ugly\\" in line for line in lines), lines)
    expect(not any(line.strip().startswith("forged") for line in lines), lines)


def junit_has_a_case_for_each_trial():
    result = sweep(f"--junit={work('junit')}", faulty("<&\"\\x01"))
    expect_equal(result.returncode, 1, result)
    suite, = xml.parse(work("junit")).getroot().findall("testsuite")
    expect_equal({name: suite.get(name) for name in
                  ("tests", "failures", "errors", "skipped")},
                 {"tests": "3", "failures": "2", "errors": "0", "skipped": "0"})
    expect("<&\"" in suite.get("name"), suite.get("name"))
    cases = suite.findall("testcase")
    expect_equal({case.get("classname") for case in cases}, {"allocation"})
    for function, verdict in (("crashes", "crashed"), ("loses", "wrong"),
                              ("notices", None)):
        case, = [case for case in cases if function in case.get("name")]
        failure = case.find("failure")
        expect_equal(failure.get("type") if failure is not None else None,
                     verdict)
        expect(verdict is None or function in failure.text, function)
    sweep(f"--write-baseline={work('known')}", faulty())
    sweep(f"--junit={work('junit')}", f"--baseline={work('known')}", faulty())
    suite, = xml.parse(work("junit")).getroot().findall("testsuite")
    expect_equal((suite.get("failures"), suite.get("skipped")), ("0", "2"))


def sarif_has_each_finding():
    result = sweep(f"--sarif={work('sarif')}", faulty())
    expect_equal(result.returncode, 1, result)
    with open(work("sarif")) as file:
        log = json.load(file)
    expect_equal(log["version"], "2.1.0")
    one, = log["runs"]
    expect_equal(one["tool"]["driver"]["name"], "vmspace sweep")
    rules = {rule["id"] for rule in one["tool"]["driver"]["rules"]}
    found = {finding["ruleId"]: finding for finding in one["results"]}
    expect_equal(set(found), {"crashed", "wrong"})
    expect(set(found) <= rules, rules)
    for verdict, function in (("crashed", "crashes"), ("wrong", "loses")):
        finding = found[verdict]
        location, = finding["locations"]
        expect(location["logicalLocations"][0]["name"].startswith(function),
               location)
        place = location["physicalLocation"]
        expect_equal(place["artifactLocation"]["uri"], "faulty.c")
        expect(place["region"]["startLine"] > 0, place)
        expect("malloc" in finding["message"]["text"], finding)
        frames = finding["stacks"][0]["frames"]
        expect_equal(frames[0]["location"], location)
        expect("baselineState" not in finding, finding)
    sweep(f"--write-baseline={work('known')}", faulty())
    sweep(f"--sarif={work('sarif')}", f"--baseline={work('known')}", faulty())
    with open(work("sarif")) as file:
        expect_equal([finding["baselineState"] for finding
                      in json.load(file)["runs"][0]["results"]],
                     ["unchanged"] * 2)


def files_that_cannot_be_written_are_told_before_anything_runs():
    for option in ("--junit", "--sarif", "--write-baseline"):
        result = sweep(f"{option}={work('none')}/none", faulty())
        expect_equal((result.returncode, result.stdout), (125, b""), option)
        result = run([VMSPACE, "sweep", f"{option}=-x", "true"])
        expect_equal(result.returncode, 2, option)


# --- names -------------------------------------------------------------------

CXX = """
#include <cstdlib>
#include <sys/mman.h>
namespace shop {
struct basket {
    __attribute__((noinline)) int fill(int size) {
        *static_cast<volatile char *>(std::malloc(size)) = 1;
        return 0;
    }
};
namespace {
__attribute__((noinline)) int hidden(long size) {
    return std::malloc(size) ? 0 : 3;
}
}
__attribute__((noinline)) int map(unsigned long size) {
    void *got = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char *>(got) = 1;
    return 0;
}
}
int main() {
    shop::basket basket;
    return basket.fill(700) + shop::hidden(701) + shop::map(9ul << 20);
}
"""


def cxx_program():
    installed("g++")
    source = written("names.cc", CXX)
    expect_equal(run(["g++", "-g", "-O0", "-o", work("names"),
                      source]).returncode, 0, "g++")
    return work("names")


def demangles():
    """Whether the command has libiberty, by a text of its own."""
    with open(VMSPACE, "rb") as file:
        return b"global constructors keyed to " in file.read()


def names_are_those_of_the_source_everywhere():
    result = sweep("--size=700-701", f"--junit={work('junit')}",
                   f"--sarif={work('sarif')}", cxx_program())
    if b"_ZN4shop6basket4fillEi" in result.stdout and not demangles():
        raise Skip("the command is built without libiberty")
    expect(b"shop::basket::fill(int) (names)" in result.stdout, result.stdout)
    for name in ("report", "junit", "sarif"):
        with open(work(name)) as file:
            text = file.read()
        expect("shop::basket::fill(int) (names)" in text, name, text)
        expect("_ZN" not in text, name, text)


def functions_are_chosen_by_their_names_of_the_source():
    path = cxx_program()
    sweep("--size=700-701", path)
    if any("_ZN4shop" in one["backtrace"] for one in results()):
        expect(not demangles(), results())
        raise Skip("the command is built without libiberty")
    for function, sizes in (("fill", [700]), ("basket::fill", [700]),
                            ("shop::basket::fill", [700]),
                            ("shop::basket::fill(int)", [700]),
                            ("hidden", [701]), ("main", [700, 701]),
                            ("shop", []), ("int", []), ("ill", []),
                            ("names", [])):
        sweep("--size=700-701", f"--function={function}", path)
        expect_equal(sorted(one["requested"] for one in results()), sizes,
                     function)


def names_in_stacks_of_requests_are_those_of_the_source():
    result = run([VMSPACE, "sweep", "--kernel", "--minimum=9M",
                  f"--report={work('report')}", cxx_program()])
    if result.returncode == 125:
        raise Skip(result.stderr.decode())
    stacks = [one["backtrace"] for one in results()]
    if any("_ZN4shop" in stack for stack in stacks) and not demangles():
        raise Skip("the command is built without libiberty")
    expect(any("shop::map(unsigned long)" in stack for stack in stacks),
           stacks)


CASES = [
    names_are_those_of_the_source_everywhere,
    functions_are_chosen_by_their_names_of_the_source,
    names_in_stacks_of_requests_are_those_of_the_source,
    baseline_of_all_findings_makes_the_sweep_pass,
    finding_that_is_not_known_is_told,
    strange_baselines_are_met,
    names_with_newlines_make_no_frames,
    junit_has_a_case_for_each_trial,
    sarif_has_each_finding,
    files_that_cannot_be_written_are_told_before_anything_runs,
]

sys.exit(main(CASES))
