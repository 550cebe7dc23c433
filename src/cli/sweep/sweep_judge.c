/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/clock.h"
#include "cli/output/text.h"

/* What both sweeps do alike: how runs are compared, and what is said of them. */

double vmsi_sweep_now(void)
{
	return (double)vmsi_clock_ns() / 1e9;
}

int vmsi_sweep_open_streams(const struct vmsi_sweep_options *options,
			    const struct vmsi_sweep_output *known,
			    int *input, int *output)
{
	int error;

	*input = open(options->input ? options->input : "/dev/null",
		      O_RDONLY | O_CLOEXEC);
	if (*input < 0)
		return -errno;
	*output = known->known ?
		memfd_create("vmspace-sweep", MFD_CLOEXEC) :
		fcntl(known->file, F_DUPFD_CLOEXEC, 0);
	if (*output >= 0)
		return 0;
	error = -errno;
	close(*input);
	return error;
}

/* --- verdicts ---------------------------------------------------------------------- */

static bool are_equal(int a, int b)
{
	struct stat status_a, status_b;
	size_t length;
	void *bytes_a, *bytes_b;
	bool equal;

	if (fstat(a, &status_a) || fstat(b, &status_b) ||
	    status_a.st_size != status_b.st_size)
		return false;
	length = (size_t)status_a.st_size;
	if (length == 0)
		return true;
	bytes_a = mmap(NULL, length, PROT_READ, MAP_SHARED, a, 0);
	bytes_b = mmap(NULL, length, PROT_READ, MAP_SHARED, b, 0);
	equal = bytes_a != MAP_FAILED && bytes_b != MAP_FAILED &&
		memcmp(bytes_a, bytes_b, length) == 0;
	if (bytes_a != MAP_FAILED)
		munmap(bytes_a, length);
	if (bytes_b != MAP_FAILED)
		munmap(bytes_b, length);
	return equal;
}

enum vmsi_sweep_verdict
vmsi_sweep_judge(const struct vmsi_sweep_result *result,
		 const struct vmsi_sweep_output *output, int file, bool in_time,
		 bool has_failed)
{
	if (result->error)
		return VMSI_SWEEP_BROKEN;
	if (!in_time)
		return VMSI_SWEEP_HUNG;
	if (WIFSIGNALED(result->status))
		return VMSI_SWEEP_CRASHED;
	if (result->number > 0 && !has_failed)
		return VMSI_SWEEP_NOT_MADE;
	if (!output->known)
		return VMSI_SWEEP_SAME;
	if (result->status != output->status)
		return VMSI_SWEEP_FAILED;
	if (output->differs)
		return VMSI_SWEEP_WENT_ON;
	return are_equal(file, output->file) ? VMSI_SWEEP_SAME : VMSI_SWEEP_WRONG;
}

const char *vmsi_sweep_word(enum vmsi_sweep_verdict verdict)
{
	static const char *const words[] = {
		[VMSI_SWEEP_SAME] = "same",
		[VMSI_SWEEP_WENT_ON] = "went on",
		[VMSI_SWEEP_FAILED] = "failed",
		[VMSI_SWEEP_WRONG] = "wrong",
		[VMSI_SWEEP_LEAKED] = "leaked",
		[VMSI_SWEEP_CRASHED] = "crashed",
		[VMSI_SWEEP_HUNG] = "hung",
		[VMSI_SWEEP_NOT_MADE] = "not made",
		[VMSI_SWEEP_LEFT_OUT] = "left out",
		[VMSI_SWEEP_BROKEN] = "not run",
	};

	return words[verdict];
}

bool vmsi_sweep_is_bad(enum vmsi_sweep_verdict verdict)
{
	return verdict == VMSI_SWEEP_WRONG || verdict == VMSI_SWEEP_LEAKED ||
		verdict == VMSI_SWEEP_CRASHED || verdict == VMSI_SWEEP_HUNG ||
		verdict == VMSI_SWEEP_BROKEN;
}

/* --- what is said ---------------------------------------------------------------------- */

enum vmsi_exit vmsi_sweep_fail(const char *what, int error)
{
	fputs("vmspace sweep: ", stderr);
	vmsi_write_escaped(stderr, what);
	fprintf(stderr, ": %s\n", strerror(error));
	return VMSI_EXIT_RUN_FAILED;
}

void vmsi_sweep_say(const struct vmsi_sweep_options *options,
		    const char *format, ...)
{
	va_list values;

	fputs("vmspace sweep: ", stderr);
	vmsi_write_escaped(stderr, options->arguments[0]);
	fputc(' ', stderr);
	va_start(values, format);
	vfprintf(stderr, format, values);
	va_end(values);
	fputc('\n', stderr);
}

/* --- good runs ---------------------------------------------------------------------------- */

enum vmsi_exit vmsi_sweep_check_good(const struct vmsi_sweep_options *options,
				     const struct vmsi_sweep_result *good)
{
	if (good->error)
		return vmsi_program_explain_start(options->arguments[0],
					      options->path, good->error);
	if (good->verdict == VMSI_SWEEP_HUNG)
		return vmsi_sweep_fail("the good run did not end", ETIMEDOUT);
	if (WIFSIGNALED(good->status)) {
		vmsi_sweep_say(options, "is ended by signal %d though nothing "
			       "fails", WTERMSIG(good->status));
		return VMSI_EXIT_RUN_FAILED;
	}
	return VMSI_EXIT_OK;
}

enum vmsi_exit vmsi_sweep_compare_good(const struct vmsi_sweep_options *options,
				       struct vmsi_sweep_output *output,
				       const struct vmsi_sweep_result *first,
				       const struct vmsi_sweep_result *second)
{
	const char *what = first->kind == VMSI_SWEEP_REQUEST ? "requests" :
							       "allocations";

	if (second->verdict == VMSI_SWEEP_FAILED) {
		vmsi_sweep_say(options, "ends with status %d, and then with %d, "
			       "though nothing fails",
			       WEXITSTATUS(first->status),
			       WEXITSTATUS(second->status));
		return VMSI_EXIT_RUN_FAILED;
	}
	output->differs = second->verdict == VMSI_SWEEP_WRONG;
	if (output->differs)
		vmsi_sweep_say(options, "writes something else each time: what "
			       "it writes is not compared");
	if (first->made != second->made)
		vmsi_sweep_say(options, "makes %" PRIu64 " %s, and then %"
			       PRIu64 ": a number is not always the same one",
			       first->made, what, second->made);
	return VMSI_EXIT_OK;
}

double vmsi_sweep_time_limit(const struct vmsi_sweep_options *options,
			     const struct vmsi_sweep_result *good)
{
	if (options->timeout > 0)
		return options->timeout;
	return good->seconds > 1 ? good->seconds * 10 : 10;
}

void *vmsi_sweep_share(size_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}
