# SPDX-License-Identifier: MIT
"""Which allocations 'vmspace sweep' fails, in which programs, and how its trials run.

usage: test_sweep_trials.py VMSPACE
"""

import os
import signal
import subprocess
import sys

from cli_test import (PATIENCE, Skip, compiled, expect, expect_equal, main,
                      makes_program, must_compile, run, wait_for, work, written)
from sweep_allocations import (HEAD, VMSPACE, program, results, sweep,
                               verdicts)


# --- which allocations are tried ---------------------------------------------

MANY = """
__attribute__((noinline)) static void *inner(size_t size) { return malloc(size); }
__attribute__((noinline)) static void *outer(size_t size) { return inner(size); }
"""


def each_stack_is_tried_once_the_most_called_last():
    many = program("many", """
        int refused = 0;
        for (int i = 0; i < 50; i++)
            refused += !outer(100);
        refused += !outer(200);
        refused += !inner(300);
        return refused;""", MANY)
    sweep("--jobs=1", many)
    expect_equal([(one["requested"], one["calls"], one["exit_status"])
                  for one in results()], [(200, 1, 1), (300, 1, 1), (100, 50, 1)])
    sweep("--depth=1", many)
    expect_equal([one["calls"] for one in results()], [52])
    result = sweep("--each", many)
    expect_equal(verdicts(), ["failed"] * 52)
    expect_equal({one["allocation"] for one in results()}, set(range(1, 53)))
    expect(b"52 allocations failed in turn, of 52 from 3 stacks\n"
           in result.stdout, result.stdout)
    sweep("--from-here-on", many)
    expect_equal({one["requested"]: one["exit_status"] for one in results()},
                 {100: 52, 200: 2, 300: 1})


def one_stack_of_each_call_and_place_is_tried_first():
    many = program("places", """
        return !deep(10) + !deep(20) + !deep(30) + !outer(100) + !malloc(200);""",
                   MANY + """
__attribute__((noinline)) static void *deep(size_t size) { return outer(size); }
""")
    sweep("--jobs=1", many)
    expect_equal([one["requested"] for one in results()], [10, 200, 100, 20, 30])


def filters_choose():
    many = program("many", "return !outer(100) + !outer(200) + !inner(300);",
                   MANY)
    for options, sizes in ((["--function=outer"], [100, 200]),
                           (["--function=nobody"], []),
                           (["--size=200-"], [200, 300]),
                           (["--size=100-200"], [100, 200]),
                           (["--size=300"], [300]),
                           (["--minimum=150"], [200, 300]),
                           (["--library=many"], [100, 200, 300]),
                           (["--library=libc"], [100, 200, 300]),
                           (["--library=libm"], [])):
        result = sweep(*options, many)
        expect_equal((result.returncode, result.stderr), (0, b""), options)
        expect_equal(sorted(one["requested"] for one in results()), sizes,
                     options)


def kinds_are_what_was_asked_for():
    both = program("both", "return !malloc(100);")
    for options, keys in (([], {"allocation", "request"}),
                          (["--malloc"], {"allocation"}),
                          (["--each"], {"allocation"}),
                          (["--kernel"], {"request"}),
                          (["--only=1"], {"request"}),
                          (["--kernel", "--each"], {"allocation", "request"})):
        result = run([VMSPACE, "sweep", f"--report={work('report')}", *options,
                      both])
        if result.returncode == 125:
            raise Skip(result.stderr.decode())
        expect_equal({key for one in results() for key in one}
                     & {"allocation", "request"}, keys, (options, result))


def wrong_arguments_are_usage_errors():
    for option in ("--depth=0", "--depth=1000", "--size=", "--size=3-2",
                   "--size=x", "--library=", "--function="):
        result = run([VMSPACE, "sweep", option, "true"])
        expect_equal(result.returncode, 2, (option, result.stderr))


# --- a trial is as a run -----------------------------------------------------


def environment_of_a_trial_is_that_of_a_run():
    same = program("plain", r"""
        char line[100] = "", here[4096], there[4096];
        if (getenv("LD_PRELOAD") || getenv("VMSPACE_FAILING"))
            return 5;
        for (int i = 3; i < 1024; i++)
            if (fcntl(i, F_GETFD) >= 0)
                return 6;
        if (read(0, line, 100) != 5 || strcmp(line, "text\n"))
            return 7;
        readlink("/proc/self/cwd", here, 4096);
        if (strncmp(here, argv[1], strlen(argv[1])) || argc != 2)
            return 8;
        for (int i = 0; i < 5; i++)
            free(malloc(10 + i));
        free(malloc(1)), free(malloc(2));
        struct sigaction action;
        sigaction(SIGCHLD, NULL, &action);
        if (action.sa_handler != SIG_DFL)
            return 9;
        write(1, "done", 4);
        return 0;""")
    here = os.path.realpath(os.path.dirname(same))
    for how in ((), ("--start-anew",)):
        result = sweep(f"--input={written('text', 'text' + chr(10))}", *how,
                       same, here, cwd=here)
        expect_equal((result.returncode, verdicts()), (0, ["same"] * 3),
                     (how, result))
        expect_equal([one["exit_status"] for one in results()], [0] * 3, how)


def threads_and_forks_are_swept_and_other_programs_are_not():
    source = """
        static void *work(void *unused) { return malloc(400); }
        """
    several = program("several", r"""
        pthread_t thread;
        void *block;
        int status, refused = 0;
        pthread_create(&thread, NULL, work, NULL);
        pthread_join(thread, &block);
        refused += !block;
        if (fork() == 0)
            _exit(!malloc(500));
        wait(&status);
        refused += WEXITSTATUS(status);
        if (fork() == 0)
            execl("/bin/ls", "ls", "/dev/null", NULL);
        wait(&status);
        return status ? 9 : refused;""", source)
    sweep("--size=400-500", several)
    expect_equal([(one["requested"], one["exit_status"]) for one in results()],
                 [(400, 1), (500, 1)])


def program_with_threads_before_it_begins_is_started_anew():
    must_compile(work("libearly.so"), HEAD + """
        static void *wait_for_ever(void *unused) { pause(); return NULL; }
        __attribute__((constructor)) static void begin(void)
        {
            pthread_t thread;
            pthread_create(&thread, NULL, wait_for_ever, NULL);
        }""", "-shared", "-fPIC", "-w", "-pthread")
    threaded = program("threaded", "return !malloc(10);", options=(
        "-g", "-w", "-Wl,--no-as-needed", work("libearly.so"),
        f"-Wl,-rpath,{os.path.dirname(work('libearly.so'))}"))
    result = sweep("--size=10", threaded)
    expect(b"is started anew" in result.stderr, result.stderr)
    expect_equal((result.returncode, verdicts()), (0, ["failed"]), result)


def run_whose_server_was_killed_is_not_the_same():
    killing = program("killing", """
        if (!malloc(10))
            kill(getppid(), SIGKILL), sleep(1), abort();
        return !malloc(20);""")
    result = sweep("--jobs=1", killing)
    expect_equal((result.returncode, [one["verdict"] for one in results()]),
                 (1, ["not run", "failed"]), result)


def processes_left_behind_are_gone():
    leaving = program("leaving", """
        if (!malloc(10) && fork() == 0) {
            setsid();
            if (fork() == 0) {
                FILE *file = fopen(argv[1], "a");
                fprintf(file, "%d\\n", getpid());
                fclose(file);
            }
            sleep(100);
        }
        while (!malloc(20) && access(argv[1], F_OK))
            usleep(1000);
        return 0;""")
    result = sweep("--size=10", leaving, work("marker"))
    expect_equal(result.returncode, 0, result)
    if os.path.exists(work("marker")):
        with open(work("marker")) as file:
            for pid in map(int, file):
                expect(not os.path.exists(f"/proc/{pid}"), pid)


def interrupted_sweep_prints_what_it_has():
    hanging = program("hanging", """
        if (!malloc(10))
            return 3;
        if (!malloc(20)) {
            fclose(fopen(argv[1], "w"));
            signal(SIGINT, SIG_IGN);
            for (;;)
                pause();
        }
        return !malloc(30);""")
    process = subprocess.Popen(
        [VMSPACE, "sweep", "--malloc", "--jobs=1", f"--timeout={PATIENCE}",
         "--size=10-30", hanging, work("hangs")], stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: os.path.exists(work("hangs")), "it hangs")
        os.killpg(process.pid, signal.SIGINT)
        output = process.communicate(timeout=PATIENCE)[0]
    finally:
        process.kill()
        process.wait()
    expect_equal(process.returncode, -signal.SIGINT, output)
    expect(b"1 allocation failed in turn" in output, output)
    expect(b"1  failed\n" in output, output)
    expect(b"interrupted before the other 2\n" in output, output)
    expect(b"hung" not in output, output)


# --- programs that cannot be swept so ----------------------------------------


def expect_a_word(name, options, why):
    try:
        path = compiled(work(name), HEAD + "int main(void) { return 0; }",
                        "-w", *options)
    except Skip as reason:
        raise Skip(f"{name}: {reason}") from reason
    result = sweep(path)
    expect_equal((result.returncode, result.stdout), (126, b""), result)
    expect(why in result.stderr, result.stderr)
    result = run([VMSPACE, "sweep", "--minimum=1M", path])
    first = result.stderr.splitlines()[0]
    expect(why in first and b"only its requests to the kernel" in first or
           result.returncode == 125, result)


def static_program_has_its_requests_failed_and_a_word():
    expect_a_word("static", ["-static"], b"it is linked statically")


def program_of_a_sanitizer_has_its_requests_failed_and_a_word():
    expect_a_word("asan", ["-fsanitize=address"],
                  b"it is built with AddressSanitizer")


def requests_of_a_sanitizer_are_no_findings():
    probe = "int main(void) { return 0; }"
    source = HEAD + """
int main(void)
{
    char *block = malloc(8 << 20);

    if (!block)
        return 3;
    free(block);
    puts("done");
    return 0;
}
"""
    tried = 0
    for compiler in ("gcc", "clang"):
        path = work("of-" + compiler)
        if not makes_program(path, probe, "-fsanitize=address",
                             compiler=compiler) or run([path]).returncode:
            continue
        tried += 1
        expect(makes_program(path, source, "-w", "-g", "-fsanitize=address",
                             compiler=compiler), compiler)
        result = run([VMSPACE, "sweep", "--minimum=1M",
                      "--report=" + work("report"), path])
        if result.returncode == 125:
            raise Skip(result.stderr)
        expect_equal(result.returncode, 0, (compiler, result.stdout))
        expect(b"whose own requests are left out" in result.stderr,
               result.stderr)
        found = {one["verdict"] for one in results()}
        expect(found <= {"same", "failed", "left out"} and
               {"left out", "failed"} <= found, compiler, found)
        expect(any("main" in one["backtrace"] for one in results()
                   if one["verdict"] == "failed"), compiler)
    if not tried:
        raise Skip("no compiler makes programs with AddressSanitizer")


CASES = [
    each_stack_is_tried_once_the_most_called_last,
    one_stack_of_each_call_and_place_is_tried_first,
    filters_choose,
    kinds_are_what_was_asked_for,
    wrong_arguments_are_usage_errors,
    environment_of_a_trial_is_that_of_a_run,
    threads_and_forks_are_swept_and_other_programs_are_not,
    program_with_threads_before_it_begins_is_started_anew,
    run_whose_server_was_killed_is_not_the_same,
    processes_left_behind_are_gone,
    interrupted_sweep_prints_what_it_has,
    static_program_has_its_requests_failed_and_a_word,
    program_of_a_sanitizer_has_its_requests_failed_and_a_word,
    requests_of_a_sanitizer_are_no_findings,
]

sys.exit(main(CASES))
