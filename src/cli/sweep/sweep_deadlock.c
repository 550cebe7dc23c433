/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_deadlock.h"

#include <dirent.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/*
 * Threads are looked at one after the other, and one that waits could be woken by one that
 * is looked at later. So all are looked at twice: where none has run in between, there was
 * a moment at which all waited.
 */

/* What is read of all threads of a process. */
struct look {
	uint64_t switches; /* how often they have gone to sleep */
	size_t threads;
};

static FILE *open_of(pid_t process, const char *thread, const char *name)
{
	char path[96];

	snprintf(path, sizeof path, "/proc/%d/task/%.20s/%s", process, thread,
		 name);
	return fopen(path, "re");
}

/* "NUMBER FIRST SECOND ...", in hexadecimal but for the number; or "running". */
static bool waits_for_futex(pid_t process, const char *thread)
{
	FILE *file = open_of(process, thread, "syscall");
	uint64_t futex, operation, value, time_limit;
	long number = -1;
	bool is_read = file &&
		fscanf(file, "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
		       &number, &futex, &operation, &value, &time_limit) == 5;

	if (file)
		fclose(file);
	if (!is_read || number != SYS_futex || time_limit ||
	    !(operation & FUTEX_PRIVATE_FLAG))
		return false;
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		return true;
	default:
		return false;
	}
}

/* A child may share the memory, or end and be waited for. */
static bool has_children(pid_t process, const char *thread)
{
	FILE *file = open_of(process, thread, "children");
	const bool has = !file || fgetc(file) != EOF;

	if (file)
		fclose(file);
	return has;
}

/*
 * Signals that a timer, a file or another process of the program may send. Those of faults
 * come to no thread that waits, and those by which people end programs are not expected.
 */
static bool may_be_sent(uint64_t caught)
{
	const uint64_t sent = UINT64_C(1) << (SIGALRM - 1) |
		UINT64_C(1) << (SIGVTALRM - 1) | UINT64_C(1) << (SIGPROF - 1) |
		UINT64_C(1) << (SIGIO - 1) | UINT64_C(1) << (SIGURG - 1) |
		UINT64_C(1) << (SIGUSR1 - 1) | UINT64_C(1) << (SIGUSR2 - 1) |
		/* Real-time signals; 32 and 33 are the C library's own. */
		~UINT64_C(0) << 33;

	return caught & sent;
}

/* Returns false where a handler could end the wait, or nothing is known. */
static bool take_status(pid_t process, const char *thread, uint64_t *switches)
{
	FILE *file = open_of(process, thread, "status");
	uint64_t caught = UINT64_MAX, number = 0;
	bool knows = false;
	char line[256];

	while (file && fgets(line, sizeof line, file)) {
		(void)sscanf(line, "SigCgt: %" SCNx64, &caught);
		if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64,
			   &number) == 1)
			knows = true;
	}
	if (file)
		fclose(file);
	*switches += number;
	return knows && !may_be_sent(caught);
}

static bool waits(pid_t process, const char *thread, struct look *look)
{
	look->threads++;
	return take_status(process, thread, &look->switches) &&
		waits_for_futex(process, thread) &&
		!has_children(process, thread);
}

static bool all_wait(pid_t process, struct look *look)
{
	char path[48];
	const struct dirent *entry;
	bool all = true;
	DIR *threads;

	snprintf(path, sizeof path, "/proc/%d/task", process);
	threads = opendir(path);
	while (threads && all && (entry = readdir(threads)))
		if (entry->d_name[0] != '.')
			all = waits(process, entry->d_name, look);
	if (threads)
		closedir(threads);
	return all && look->threads > 0;
}

bool vmsi_sweep_is_deadlocked(pid_t process)
{
	struct look first = { 0 }, second = { 0 };

	return all_wait(process, &first) && all_wait(process, &second) &&
		first.switches == second.switches &&
		first.threads == second.threads;
}
