/* SPDX-License-Identifier: MIT */
#include "rehome.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/line.h"

/*
 * What has been done, told when VMSPACE_REHOME_STATS asks for it: 1 tells
 * standard error, a path has the lines added to that file.
 *
 * The counts lie in a page that children share, so that the line at the end of
 * a program tells also what its forked children did, however they ended.
 */
struct stats {
	_Atomic(uint64_t) events[VMSI_REHOME_EVENTS];
	long process; /* which tells them */
	int in_file;
};

static struct stats *_Atomic the_stats;

static void write_line(const struct stats *stats, struct vmsi_output_line *line)
{
	const char *path = getenv("VMSPACE_REHOME_STATS");
	long fd = STDERR_FILENO;

	if (stats->in_file)
		fd = vmsi_raw_call(SYS_openat, AT_FDCWD, (long)(uintptr_t)path,
				   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
				   0600, 0, 0);
	if (fd < 0)
		return;
	vmsi_line_write(line, fd);
	if (stats->in_file)
		vmsi_raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static void tell_space(const struct stats *stats)
{
	struct vmsi_range space = vmsi_rehome_bounds();
	struct vmsi_output_line line = { .length = 0 };

	vmsi_line_text(&line, "vmspace-rehome: pid ");
	vmsi_line_number(&line, (uint64_t)stats->process);
	vmsi_line_text(&line, " space ");
	vmsi_line_based(&line, space.start, 16);
	vmsi_line_text(&line, "-");
	vmsi_line_based(&line, space.end, 16);
	write_line(stats, &line);
}

void vmsi_rehome_stats_begin(void)
{
	const char *wish = getenv("VMSPACE_REHOME_STATS");

	if (!wish || !*wish)
		return;

	long page = vmsi_rehome_kernel_mmap(0, sizeof(struct stats),
					    PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (vmsi_rehome_failed(page))
		return;

	struct stats *stats = (void *)(uintptr_t)page;

	stats->process = vmsi_raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	stats->in_file = strcmp(wish, "1") != 0;
	tell_space(stats);
	atomic_store_explicit(&the_stats, stats, memory_order_release);
}

void vmsi_rehome_count(enum vmsi_rehome_event event)
{
	struct stats *stats =
		atomic_load_explicit(&the_stats, memory_order_acquire);

	if (stats)
		atomic_fetch_add_explicit(&stats->events[event], 1,
					  memory_order_relaxed);
}

__attribute__((destructor)) static void tell_counts(void)
{
	static const char *const names[VMSI_REHOME_EVENTS] = {
		[VMSI_REHOME_SERVED] = " served ",
		[VMSI_REHOME_PASSED] = " passed ",
		[VMSI_REHOME_STRADDLING] = " straddling ",
	};
	struct stats *stats =
		atomic_load_explicit(&the_stats, memory_order_acquire);
	struct vmsi_output_line line = { .length = 0 };

	if (!stats || stats->process !=
	    vmsi_raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0))
		return;
	vmsi_line_text(&line, "vmspace-rehome: pid ");
	vmsi_line_number(&line, (uint64_t)stats->process);
	for (int i = 0; i < VMSI_REHOME_EVENTS; i++) {
		vmsi_line_text(&line, names[i]);
		vmsi_line_number(&line, stats->events[i]);
	}
	write_line(stats, &line);
}
