# SPDX-License-Identifier: MIT
"""'vmspace trace': what a program with known growth is recorded to have.

usage: test_trace.py VMSPACE TRACED
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys

from cli_test import (Skip, compiled, expect, expect_equal, main, run, wait_for,
                      work)
from traces import MIB, TRACED, VMSPACE, State, Trace, processes, read, report


def memory_that_comes_and_goes_is_recorded():
    trace = Trace("grow")
    trace.say("rename grower")
    trace.say(f"touch one {8 * MIB}")
    trace.say(f"map two {64 * MIB}")
    trace.until_has("one", 8 * MIB, 8 * MIB)
    trace.until_has("two", 64 * MIB, 0)
    trace.say("half one")
    trace.until_has("one", 4 * MIB, 4 * MIB)
    trace.say("drop two")
    trace.until_has("two", 0, 0)
    expect_equal(trace.end(7), "")
    recording = read(trace.path)
    expect_equal((recording["version"], recording["cut"]), (1, False))
    expect_equal(recording["program"], TRACED)
    expect_equal(recording["page_size"], os.sysconf("SC_PAGE_SIZE"))
    first = recording["processes"][0]
    expect_equal((first["pid"], first["ended"], first["status"]),
                 (trace.pid, True, 7 << 8))
    expect_equal(State(recording).mappings[0], {})
    times = [event["time"] for event in recording["events"]]
    expect_equal(times, sorted(times))
    machines = [event for event in recording["events"] if event["what"] == "machine"]
    expect(machines and machines[0]["commit"] and machines[0]["available"], machines)
    expect_equal(machines[0]["limit"], commit_limit())


def commit_limit():
    """The machine's, in the one mode in which it is kept; else 0."""
    with open("/proc/sys/vm/overcommit_memory", encoding="ascii") as file:
        if int(file.read()) != 2:
            return 0
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("CommitLimit:"))


def children_and_programs_are_followed():
    trace = Trace("fork")
    trace.say(f"touch of-all {4 * MIB}")
    trace.say("thread")
    child = int(trace.say("fork")[1])
    trace.until(lambda recording: State(recording).of("of-all") ==
                (8 * MIB, 8 * MIB), "the child's copy")
    trace.say("end")
    recording = trace.until(
        lambda recording: any(process["pid"] == child and process["ended"]
                              for process in recording["processes"]),
        "the end of the child")
    number = [process["pid"] for process in recording["processes"]].index(child)
    expect_equal(recording["processes"][number]["parent"], 0)
    expect_equal(State(recording).of("of-all"), (4 * MIB, 4 * MIB))
    shutil.copy(TRACED, work("another"))
    expect_equal(trace.say(f"exec {work('another')}"), [b"up", b"%d" % trace.pid])
    recording = trace.until(
        lambda recording: processes(recording, "another") and
        State(recording).of(work("another"))[0], "the other program")
    number = processes(recording, "another")[0]
    old, new = recording["processes"][0], recording["processes"][number]
    expect_equal((old["pid"], new["pid"]), (trace.pid, trace.pid))
    expect(old["ended"] and "status" not in old and old["end"] <= new["begin"], old)
    expect_equal(State(recording).of("of-all"), (0, 0))
    expect_equal(trace.end(3), "")
    expect_equal(read(trace.path)["processes"][number]["status"], 3 << 8)


def orphans_are_recorded_after_the_program():
    reader, writer = os.pipe()
    trace = subprocess.run(
        [VMSPACE, "trace", "-o", work("orphan"), "--", "sh", "-c",
         f"(exec >&- 2>&-; read line; exec {TRACED} <&-) <&{reader} & exit 4"],
        pass_fds=[reader], stdin=subprocess.DEVNULL, check=False)
    expect_equal(trace.returncode, 4)
    os.close(reader)
    expect_equal(read(work("orphan"))["cut"], True)
    os.close(writer)
    wait_for(lambda: not read(work("orphan"))["cut"], "the end of the recording")
    recording = read(work("orphan"))
    expect(all(process["ended"] for process in recording["processes"]), recording)


def a_program_that_ends_at_once_is_there():
    expect_equal(run([VMSPACE, "trace", "-o", work("true"), "true"]).returncode, 0)
    recording = read(work("true"))
    expect_equal(recording["cut"], False)
    expect(len(recording["processes"]) <= 1, recording["processes"])
    for arguments, status in ((["sh", "-c", "exit 9"], 9), (["no-such"], 127),
                              (["/"], 126)):
        result = run([VMSPACE, "trace", "-o", work("true"), *arguments])
        expect_equal(result.returncode, status, arguments)


def names_that_a_terminal_obeys_stay_what_they_are():
    path = work("bad\033[2J.\n\"x\"")
    shutil.copy(TRACED, path)
    trace = Trace("names", program=path)
    trace.say("rename \033]0;x\007")
    trace.say(f"touch \033[31mred {MIB}")
    trace.until_has("\033[31mred", MIB, MIB)
    expect_equal(trace.end(), "")
    for form in ("text", "csv", "json", "perfetto"):
        output = report(trace.path, f"--format={form}")
        expect(not any(byte < 32 and byte not in b"\r\n" for byte in output), output)


# --- a limit ----------------------------------------------------------------------


REFUSED = """
#include <stdio.h>
#include <stdlib.h>
static void *asks_for_too_much(void)
{
	return malloc((size_t)512 << 20);
}
int main(void)
{
	char *small = malloc((size_t)2 << 20);
	return !small || asks_for_too_much() ? 1 : 6;
}
"""


def what_a_limit_refuses_is_recorded_with_its_stack():
    program = compiled(work("refused"), REFUSED, "-O0", "-g", "-fno-builtin")
    result = run([VMSPACE, "trace", "-o", work("limit"), "--limit=64M", program])
    if result.returncode == 125:
        raise Skip(result.stderr.decode())
    expect_equal((result.returncode, result.stderr), (6, b""))
    recording = read(work("limit"))
    expect_equal(recording["cut"], False)
    refusals = [event for event in recording["events"] if event["what"] == "call"]
    expect(refusals and all(event["error"] == "ENOMEM" for event in refusals), refusals)
    expect(refusals[0]["size"] >= 512 * MIB, refusals[0])
    stack = recording["stacks"][refusals[0]["stack"]]
    expect(any("asks_for_too_much" in frame for frame in stack), stack)
    process = recording["processes"][refusals[0]["process"]]
    expect_equal((process["name"], process["status"]), ("refused", 6 << 8))
    expect_equal({process["name"] for process in recording["processes"]}, {"refused"})
    limits = [event for event in recording["events"] if event["what"] == "limit"]
    expect_equal({event["limit"] for event in limits}, {64 * MIB})
    text = report(work("limit")).decode()
    expect("Refused: " in text and "asks_for_too_much" in text, text)


def a_program_under_a_limit_is_recorded_as_others_are():
    trace = Trace("limited", "--limit=1G")
    trace.say(f"touch one {8 * MIB}")
    trace.until_has("one", 8 * MIB, 8 * MIB)
    child = int(trace.say("fork")[1])
    trace.until(lambda recording: any(process["pid"] == child for process in
                                      recording["processes"]), "the child")
    trace.say("end")
    expect_equal(trace.end(7), "")
    recording = read(trace.path)
    expect_equal((recording["cut"], recording["processes"][0]["status"]),
                 (False, 7 << 8))


# --- calls ------------------------------------------------------------------------


ASKS = """
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define MIB ((size_t)1 << 20)
static void *map(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
}
static void load_rows(void)
{
	for (int i = 0; i < 5; i++)
		map(3 * MIB);
}
static void build_index(void)
{
	for (int i = 0; i < 3000; i++)
		munmap(map(MIB / 16), MIB / 16);
}
static void ask_in_a_child(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(map(7 * MIB) == MAP_FAILED);
	waitpid(child, NULL, 0);
}
int main(int argc, char **argv)
{
	load_rows();
	ask_in_a_child();
	if (argc > 1 && strcmp(argv[1], "many") == 0)
		build_index();
	if (argc > 1 && strcmp(argv[1], "abort") == 0)
		abort();
	return map(512 * MIB) == MAP_FAILED ? 6 : 5;
}
"""


def asks():
    program = compiled(work("asks"), ASKS, "-O0", "-g", "-fno-builtin")
    return program


def trace_calls(name, *arguments):
    result = run([VMSPACE, "trace", "-o", work(name), "--calls", *arguments])
    if result.returncode == 125:
        raise Skip(result.stderr.decode())
    expect_equal(result.stderr, b"")
    return result.returncode, read(work(name))


def by_function(recording):
    """{function of ASKS: [events of calls that came from it]}"""
    found = {}
    for event in recording["events"]:
        frames = recording["stacks"][event["stack"]] if "stack" in event else []
        for frame in frames:
            name = frame.split()[0]
            if event["what"] == "call" and name in ("load_rows", "build_index",
                                                    "ask_in_a_child", "main"):
                found.setdefault(name, []).append(event)
                break
    return found


def calls_that_are_granted_are_recorded_with_their_stacks():
    status, recording = trace_calls("calls", asks())
    expect_equal((status, recording["cut"]), (5, False))
    calls = by_function(recording)
    expect_equal([(event["call"], event["size"], event["charged"])
                  for event in calls["load_rows"]], [("mmap", 3 * MIB, 3 * MIB)] * 5)
    expect_equal([event["size"] for event in calls["main"]], [512 * MIB])
    expect_equal({event["call"] for event in calls["ask_in_a_child"]},
                 {"mmap", "fork"})
    expect(not any("error" in event for event in recording["events"]), recording)
    expect(not any(event["what"] == "limit" for event in recording["events"]), "limit")
    parent = {event["process"] for event in calls["load_rows"]}
    child = {event["process"] for event in calls["ask_in_a_child"]
             if event["call"] == "mmap"}
    expect_equal((len(parent), len(child), parent & child), (1, 1, set()))
    expect_equal(recording["processes"][parent.pop()]["status"], 5 << 8)
    text = report(work("calls")).decode()
    asked = text[text.index("Asked for: "):].splitlines()
    expect("512M by 1 call of mmap" in asked[1] and "asks" in asked[1], asked)
    expect(any("15M by 5 calls of mmap" in line for line in asked), asked)
    expect(b",mmap,," in report(work("calls"), "--format=csv"))
    instants = [event for event in json.loads(
        report(work("calls"), "--format=perfetto"))["traceEvents"]
        if event.get("cat") == "granted" and event["args"]["size"] == 512 * MIB]
    expect_equal([(event["name"], event["args"]["charged"]) for event in instants],
                 [("mmap", 512 * MIB)])
    expect("main" in instants[0]["args"]["stack"][2], instants)


def what_a_limit_refuses_is_recorded_among_them():
    status, recording = trace_calls("calls-limit", "--limit=128M", asks())
    expect_equal(status, 6)
    calls = by_function(recording)
    expect_equal([event.get("error") for event in calls["main"]], ["ENOMEM"])
    expect_equal(len(calls["load_rows"]), 5)
    expect(any(event["what"] == "limit" for event in recording["events"]), "no limit")


def many_calls_are_told_for_the_most_part_without_a_stack():
    """After the first ones stacks are taken for a tenth of the time."""
    status, recording = trace_calls("calls-many", asks(), "many")
    expect_equal(status, 5)
    small = [event for event in recording["events"] if event["what"] == "call" and
             event["size"] == MIB // 16 * event.get("calls", 1)]
    expect_equal(sum(event.get("calls", 1) for event in small), 3000)
    taken = by_function(recording)["build_index"]
    expect(300 < len(taken) < 3000, len(taken))
    expect("without a stack" in report(work("calls-many")).decode())


def a_program_cannot_tell_that_its_calls_are_recorded():
    expect_equal(trace_calls("calls-abort", asks(), "abort")[0], -signal.SIGABRT)
    expect_equal(trace_calls("calls-exit", "sh", "-c", "ulimit -v 1000000; exit 9")[0], 9)


# --- the recorder -----------------------------------------------------------------


def what_was_written_outlives_the_recorder():
    trace = Trace("killed")
    trace.say(f"touch kept {2 * MIB}")
    trace.until_has("kept", 2 * MIB, 2 * MIB)
    os.kill(trace.recorder(), signal.SIGKILL)
    trace.say(f"touch lost {2 * MIB}")
    errors = trace.end(5)
    expect("the recorder has ended" in errors, errors)
    recording = read(trace.path)
    expect_equal(recording["cut"], True)
    expect_equal(State(recording).of("kept"), (2 * MIB, 2 * MIB))
    with open(trace.path, "rb") as file:
        whole = file.read()
    with open(trace.path, "wb") as file:
        file.write(whole[:-3])
    expect_equal(read(trace.path)["cut"], True)
    expect("in the midst" in run([VMSPACE, "report", trace.path]).stdout.decode())


def parent_of(pid):
    with open(f"/proc/{pid}/stat", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def signals_reach_the_program_after_the_recorder():
    trace = Trace("signalled")
    trace.until(lambda recording: recording["processes"], "the begin")
    os.kill(trace.recorder(), signal.SIGKILL)
    wait_for(lambda: parent_of(trace.pid) == trace.process.pid, "another parent")
    trace.process.send_signal(signal.SIGTERM)
    expect_equal(trace.process.wait(), -signal.SIGTERM)


def signals_are_passed_on():
    trace = Trace("term")
    trace.process.send_signal(signal.SIGTERM)
    expect_equal(trace.process.wait(), -signal.SIGTERM)
    expect_equal(trace.process.stderr.read(), b"")
    recording = read(trace.path)
    expect_equal((recording["cut"], recording["processes"][0]["status"]), (False, 15))


def a_program_that_stops_stops_the_command():
    trace = Trace("stopped")
    os.kill(trace.pid, signal.SIGSTOP)
    expect(os.WIFSTOPPED(os.waitpid(trace.process.pid, os.WUNTRACED)[1]))
    trace.process.send_signal(signal.SIGCONT)
    expect_equal(trace.end(6), "")


def a_file_that_may_not_grow_is_told_and_the_program_goes_on():
    trace = Trace("full")
    trace.say(f"touch kept {MIB}")
    trace.until_has("kept", MIB, MIB)
    # Not even the head of a frame fits.
    most = os.path.getsize(trace.path) + 4
    resource.prlimit(trace.recorder(), resource.RLIMIT_FSIZE, (most, most))
    size = os.path.getsize(trace.path)
    trace.say(f"touch lost-{'x' * 60} {MIB}")
    errors = trace.end(2)
    expect("the recording ends in the midst: File too large" in errors, errors)
    expect_equal(os.path.getsize(trace.path), size)
    recording = read(trace.path)
    expect_equal(recording["cut"], True)
    expect_equal(State(recording).of("kept"), (MIB, MIB))


def no_file_no_program():
    result = run([VMSPACE, "trace", "-o", "/nonexistent/x", "--", "touch", work("ran")])
    expect_equal(result.returncode, 125)
    expect(b"No such file" in result.stderr, result.stderr)
    if os.path.exists("/dev/full"):
        result = run([VMSPACE, "trace", "-o", "/dev/full", "--", "touch", work("ran")])
        expect_equal(result.returncode, 125)
        expect(b"No space left" in result.stderr, result.stderr)
    expect(not os.path.exists(work("ran")))


def two_at_once_have_a_file_each():
    first, second = Trace("first"), Trace("second")
    first.say(f"touch mine {MIB}")
    second.say(f"touch yours {MIB}")
    first.until_has("mine", MIB, MIB)
    second.until_has("yours", MIB, MIB)
    result = run([VMSPACE, "trace", "-o", first.path, "true"])
    expect_equal(result.returncode, 125)
    expect(b"another recording" in result.stderr, result.stderr)
    expect_equal((first.end(), second.end()), ("", ""))
    for trace, other in ((first, "yours"), (second, "mine")):
        recording = read(trace.path)
        expect_equal((recording["cut"], len(recording["processes"])), (False, 1))
        expect(other not in [owner["name"] for owner in recording["owners"]])
    expect_equal(run([VMSPACE, "trace", "-o", first.path, "true"]).returncode, 0)


def wrong_arguments_are_usage_errors():
    for arguments in ([], ["true"], ["-o", work("x")], ["-o", "-x", "true"],
                      ["--every=5", "-o", work("x"), "true"],
                      ["--every=1h", "-o", work("x"), "true"],
                      ["--every=1ns", "-o", work("x"), "true"],
                      ["--limit=x", "-o", work("x"), "true"],
                      ["--nonsense", "-o", work("x"), "true"]):
        result = run([VMSPACE, "trace", *arguments])
        expect_equal((result.returncode, result.stdout), (2, b""), arguments)
        expect(result.stderr.startswith(b"vmspace trace: "), result.stderr)


CASES = [
    memory_that_comes_and_goes_is_recorded,
    children_and_programs_are_followed,
    orphans_are_recorded_after_the_program,
    a_program_that_ends_at_once_is_there,
    names_that_a_terminal_obeys_stay_what_they_are,
    what_a_limit_refuses_is_recorded_with_its_stack,
    a_program_under_a_limit_is_recorded_as_others_are,
    calls_that_are_granted_are_recorded_with_their_stacks,
    what_a_limit_refuses_is_recorded_among_them,
    many_calls_are_told_for_the_most_part_without_a_stack,
    a_program_cannot_tell_that_its_calls_are_recorded,
    what_was_written_outlives_the_recorder,
    signals_reach_the_program_after_the_recorder,
    signals_are_passed_on,
    a_program_that_stops_stops_the_command,
    a_file_that_may_not_grow_is_told_and_the_program_goes_on,
    no_file_no_program,
    two_at_once_have_a_file_each,
    wrong_arguments_are_usage_errors,
]

sys.exit(main(CASES))
