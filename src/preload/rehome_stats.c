/* SPDX-License-Identifier: MIT */
#include "preload/rehome.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* A line without stdio; cut where it would be too long. */
struct line {
	char text[256];
	size_t length;
};

static void add_text(struct line *line, const char *text)
{
	while (*text && line->length < sizeof(line->text))
		line->text[line->length++] = *text++;
}

static void add_number(struct line *line, uint64_t number, unsigned base)
{
	char digits[24];
	size_t first = sizeof(digits) - 1;

	digits[first] = '\0';
	do {
		digits[--first] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	add_text(line, digits + first);
}

static void write_line(const struct stats *stats, const struct line *line)
{
	const char *path = getenv("VMSPACE_REHOME_STATS");
	long fd = STDERR_FILENO;

	if (stats->in_file)
		fd = vmsi_raw_call(SYS_openat, AT_FDCWD, (long)(uintptr_t)path,
				   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
				   0600, 0, 0);
	if (fd < 0)
		return;
	vmsi_raw_call(SYS_write, fd, (long)(uintptr_t)line->text,
		      (long)line->length, 0, 0, 0);
	if (stats->in_file)
		vmsi_raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static void tell_space(const struct stats *stats)
{
	struct vmsi_range space = vmsi_rehome_bounds();
	struct line line = { .length = 0 };

	add_text(&line, "vmspace-rehome: pid ");
	add_number(&line, (uint64_t)stats->process, 10);
	add_text(&line, " space ");
	add_number(&line, space.start, 16);
	add_text(&line, "-");
	add_number(&line, space.end, 16);
	add_text(&line, "\n");
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
	struct line line = { .length = 0 };

	if (!stats || stats->process !=
	    vmsi_raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0))
		return;
	add_text(&line, "vmspace-rehome: pid ");
	add_number(&line, (uint64_t)stats->process, 10);
	for (int i = 0; i < VMSI_REHOME_EVENTS; i++) {
		add_text(&line, names[i]);
		add_number(&line, stats->events[i], 10);
	}
	add_text(&line, "\n");
	write_line(stats, &line);
}
