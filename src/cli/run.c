/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_commit.h"
#include "text/number.h"
#include "text/size.h"

static const char help_text[] =
	"usage: vmspace run --heap|--commit=SIZE [OPTION...] [--] PROGRAM "
	"[ARGUMENT...]\n"
	"\n"
	"Run a program with memory of another kind.\n"
	"\n"
	"  --heap                  large blocks go to a heap that never copies\n"
	"  --threshold=SIZE        the smallest such block; 128K\n"
	"  --retain=SIZE           freed memory that is kept for the next block;\n"
	"                          an eighth of the machine's memory\n"
	"  --reclaimable-after=MS  age at which the system may take freed memory\n"
	"                          when it is short: milliseconds, or never; 1000\n"
	"  --give-back-after=MS    age at which it is given back; 10000\n"
	"  --no-huge-pages         never ask for huge pages\n"
	"  --stats[=FILE]          at the end tell the heap's figures on standard\n"
	"                          error, or add them to FILE\n"
	"\n"
	"  --commit=SIZE           the program and all its descendants commit at\n"
	"                          most SIZE; what does not fit gets ENOMEM, and\n"
	"                          nobody is killed\n"
	"  --policy=POLICY         strict (the sum counts), heuristic (only a\n"
	"                          single request above SIZE is refused), always\n"
	"                          (nothing is, it is counted); strict\n"
	"  --fork=charge|free      whether a child's copy counts; charge\n"
	"  --noreserve=charge|free whether MAP_NORESERVE memory counts under\n"
	"                          strict; charge\n"
	"  --backend=seccomp|rlimit\n"
	"                          rlimit: RLIMIT_DATA, for each process alone\n"
	"  --report=FILE           what was refused, as JSON\n"
	"  --log                   tell refusals as they happen\n"
	"  --quiet                 tell nothing at the end\n"
	"  --fail-nth=N, --fail-from=N, --fail-prob=P, --fail-size=SIZE\n"
	"                          refuse the Nth request; it and all after it;\n"
	"                          each with a chance; count only those of at\n"
	"                          least SIZE, or refuse them all\n"
	"  --fail-loader           count what the dynamic loader asks for, too\n"
	"  --seed=N                of the chances; 0\n"
	"  --explain               tell what each back end sees and misses here\n"
	"  -h, --help              this text\n"
	"\n"
	"Sizes are bytes, or have a suffix: K, M, G, T. With --heap the program is\n"
	"not run where the heap cannot work: linked statically, set-user-ID, built with\n"
	"AddressSanitizer, with a malloc of its own.\n"
	"\n"
	"Exit status: that of the program; 2 wrong arguments, 125 the heap's\n"
	"library cannot be used or the limit cannot be enforced, 126 the program\n"
	"cannot be run, 127 there is no such program.\n";

#define HEAP_LIBRARY "libvmspace-heap.so"

/* The options, as what they put into the program's environment. */
enum run_option {
	OPTION_HEAP = 256,
	OPTION_THRESHOLD,
	OPTION_RETAIN,
	OPTION_RECLAIMABLE_AFTER,
	OPTION_GIVE_BACK_AFTER,
	OPTION_NO_HUGE_PAGES,
	OPTION_STATS,
};

static const struct option options[] = {
	{ "heap", no_argument, NULL, OPTION_HEAP },
	{ "threshold", required_argument, NULL, OPTION_THRESHOLD },
	{ "retain", required_argument, NULL, OPTION_RETAIN },
	{ "reclaimable-after", required_argument, NULL,
	  OPTION_RECLAIMABLE_AFTER },
	{ "give-back-after", required_argument, NULL, OPTION_GIVE_BACK_AFTER },
	{ "no-huge-pages", no_argument, NULL, OPTION_NO_HUGE_PAGES },
	{ "stats", optional_argument, NULL, OPTION_STATS },
	{ "commit", required_argument, NULL, VMSI_OPTION_COMMIT },
	{ "policy", required_argument, NULL, VMSI_OPTION_POLICY },
	{ "fork", required_argument, NULL, VMSI_OPTION_FORK },
	{ "noreserve", required_argument, NULL, VMSI_OPTION_NORESERVE },
	{ "backend", required_argument, NULL, VMSI_OPTION_BACKEND },
	{ "report", required_argument, NULL, VMSI_OPTION_REPORT },
	{ "log", no_argument, NULL, VMSI_OPTION_LOG },
	{ "quiet", no_argument, NULL, VMSI_OPTION_QUIET },
	{ "fail-nth", required_argument, NULL, VMSI_OPTION_FAIL_NTH },
	{ "fail-from", required_argument, NULL, VMSI_OPTION_FAIL_FROM },
	{ "fail-prob", required_argument, NULL, VMSI_OPTION_FAIL_PROB },
	{ "fail-size", required_argument, NULL, VMSI_OPTION_FAIL_SIZE },
	{ "fail-loader", no_argument, NULL, VMSI_OPTION_FAIL_LOADER },
	{ "seed", required_argument, NULL, VMSI_OPTION_SEED },
	{ "explain", no_argument, NULL, VMSI_OPTION_EXPLAIN },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* So many digits, and a unit, are surely meant. */
#define SIZE_DIGITS_MOST 12

static enum vmsi_exit put(const char *program, const char *variable,
			  const char *value)
{
	if (setenv(variable, value, 1) == 0)
		return VMSI_EXIT_OK;
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	return VMSI_EXIT_RUN_FAILED;
}

static enum vmsi_exit put_size(const char *program, const char *variable,
			       const char *text)
{
	size_t size;

	if (strspn(text, "0123456789") > SIZE_DIGITS_MOST ||
	    !vmsi_parse_size(text, VMSI_SIZE_WHOLE, &size))
		return vmsi_usage_error(program, "'%s' is not a size", text);
	/* The heap has whole pages only: this would be none, or one. */
	if (vmsi_size_lacks_unit(text) && size > 0 &&
	    size < (size_t)sysconf(_SC_PAGESIZE))
		return vmsi_usage_error(program, "%s bytes are less than a "
					"page; did you mean %sK?", text, text);
	return put(program, variable, text);
}

static enum vmsi_exit put_age(const char *program, const char *variable,
			      const char *text)
{
	uint64_t age;

	if (strcmp(text, "never") != 0 &&
	    (!vmsi_parse_number(text, &age) || strlen(text) > 9))
		return vmsi_usage_error(program, "'%s' is not a number of "
					"milliseconds", text);
	return put(program, variable, text);
}

/* An absolute path: the program may go to another directory. */
static enum vmsi_exit put_stats(const char *program, const char *file)
{
	int fd;
	char *path;
	enum vmsi_exit result;

	if (!file)
		return put(program, "VMSPACE_HEAP_STATS", "1");
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	path = fd >= 0 ? realpath(file, NULL) : NULL;
	if (fd >= 0)
		close(fd);
	if (!path) {
		vmsi_run_complain(file, "%s", strerror(errno));
		return VMSI_EXIT_RUN_FAILED;
	}
	result = put(program, "VMSPACE_HEAP_STATS", path);
	free(path);
	return result;
}

static enum vmsi_exit take_option(const char *program, int option)
{
	switch (option) {
	case OPTION_THRESHOLD:
		return put_size(program, "VMSPACE_HEAP_THRESHOLD", optarg);
	case OPTION_RETAIN:
		return put_size(program, "VMSPACE_HEAP_RETAIN", optarg);
	case OPTION_RECLAIMABLE_AFTER:
		return put_age(program, "VMSPACE_HEAP_RECLAIMABLE_AFTER",
			       optarg);
	case OPTION_GIVE_BACK_AFTER:
		return put_age(program, "VMSPACE_HEAP_GIVE_BACK_AFTER",
			       optarg);
	case OPTION_NO_HUGE_PAGES:
		return put(program, "VMSPACE_HEAP_NO_HUGE_PAGES", "1");
	case OPTION_STATS:
		return put_stats(program, optarg);
	default:
		return vmsi_usage_hint(program);
	}
}

/* What was asked for. */
struct asked {
	bool heap;
	struct vmsi_commit_options commit;
	bool commit_options;
};

static enum vmsi_exit prepare_heap(struct vmsi_program *program)
{
	struct vmsi_elf library;
	char path[PATH_MAX];
	enum vmsi_exit result;

	result = vmsi_run_find_library(HEAP_LIBRARY, path, &library);
	if (result == VMSI_EXIT_OK)
		result = vmsi_run_find(program->name, program);
	if (result == VMSI_EXIT_OK)
		result = vmsi_run_check(program, &library);
	if (result == VMSI_EXIT_OK)
		result = vmsi_run_preload(program, path);
	if (result == VMSI_EXIT_OK)
		unsetenv("VMSPACE_HEAP_DISABLE");
	return result;
}

static enum vmsi_exit run_program(struct asked *asked, char **arguments)
{
	struct vmsi_program program = { .name = arguments[0] };
	enum vmsi_exit result = asked->heap ?
		prepare_heap(&program) :
		vmsi_run_look_up(arguments[0], &program);

	if (result != VMSI_EXIT_OK)
		return result;
	if (asked->commit.asked)
		return (enum vmsi_exit)vmsi_commit_run(
			&asked->commit, program.path, arguments);
	vmsi_restore_signals();
	execv(program.path, arguments);
	return vmsi_run_explain_start(program.name, program.path, errno);
}

static enum vmsi_exit take_any_option(struct asked *asked, const char *program,
				      int option)
{
	if (option == OPTION_HEAP)
		asked->heap = true;
	else if (option < VMSI_OPTION_COMMIT)
		return take_option(program, option);
	else
		asked->commit_options = true;
	return option < VMSI_OPTION_COMMIT ?
		VMSI_EXIT_OK :
		vmsi_commit_take(&asked->commit, program, option, optarg);
}

static enum vmsi_exit run_run(int argc, char **argv)
{
	struct asked asked = { .heap = false };
	enum vmsi_exit result = VMSI_EXIT_OK;
	int option;

	vmsi_commit_init(&asked.commit);
	while ((option = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (option == 'h')
			return vmsi_show_help(&vmsi_command_run);
		result = take_any_option(&asked, argv[0], option);
		if (result != VMSI_EXIT_OK)
			return result;
	}
	if (asked.commit.explain)
		return vmsi_commit_explain();
	if (asked.commit_options)
		result = vmsi_commit_check(&asked.commit, argv[0]);
	if (result != VMSI_EXIT_OK)
		return result;
	if (!asked.heap && !asked.commit.asked)
		return vmsi_usage_error(argv[0], "nothing to run it with: say "
					"--heap or --commit");
	if (optind >= argc)
		return vmsi_usage_error(argv[0], "name a program");
	return run_program(&asked, argv + optind);
}

const struct vmsi_command vmsi_command_run = {
	.name = "run",
	.program = "vmspace run",
	.summary = "run a program with a heap that never copies, or under a "
		   "commit limit",
	.help = help_text,
	.run = run_run,
};
