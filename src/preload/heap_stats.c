/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmspace/heap.h>

#include "preload/heap_open.h"
#include "preload/heap_range.h"
#include "preload/heap_settings.h"
#include "preload/line.h"

/*
 * The figures of the heap are written at the end of a process if
 * VMSPACE_HEAP_STATS asks for them: 1 writes to standard error, a path adds lines to
 * that file.
 */

/*
 * Programs close standard error before they end, to learn whether all of it was
 * written. So a copy is made at the start, with a number above those that programs
 * use. Before it is used, it is compared with what it was: the program may have
 * closed it and opened something else.
 */
#define COPY_FROM 200

static int copy = -1;
static struct stat copied;

__attribute__((constructor)) static void keep_stderr(void)
{
	int error = errno;

	vmsi_interposer_read_settings();
	if (vmsi_interposer_settings.stats == VMSI_STATS_STDERR) {
		copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, COPY_FROM);
		if (copy >= 0 && fstat(copy, &copied) != 0)
			copy = -1;
	}
	errno = error;
}

static int stderr_or_copy(void)
{
	struct stat now;

	if (copy >= 0 && fstat(copy, &now) == 0 &&
	    now.st_dev == copied.st_dev && now.st_ino == copied.st_ino)
		return copy;
	return STDERR_FILENO;
}

struct figure {
	const char *text; /* comes before it */
	uint64_t number;
};

static void write_figures(int fd, const struct figure *figures, size_t count)
{
	struct vmsi_output_line line = { .length = 0 };

	vmsi_line_text(&line, "vmspace-heap: pid ");
	vmsi_line_number(&line, (uint64_t)getpid());
	for (size_t i = 0; i < count; i++) {
		vmsi_line_text(&line, figures[i].text);
		vmsi_line_number(&line, figures[i].number);
	}
	vmsi_line_write(&line, fd);
}

static void write_stats(int fd, const struct vms_heap_stats *stats)
{
	const struct figure now[] = {
		{ " reserved ", stats->reserved },
		{ " live ", stats->live },
		{ " blocks ", stats->blocks },
		{ " committed ", stats->committed },
		{ " peak ", stats->committed_peak },
		{ " retained ", stats->retained },
		{ " resident ", stats->resident },
	};
	const struct figure ever[] = {
		{ " allocations ", stats->allocations },
		{ " grown-in-place ", stats->grown_in_place },
		{ " moves ", stats->moves },
		{ " moved-bytes ", stats->moved_bytes },
		{ " given-back ", stats->given_back },
		{ " refusals ", stats->refusals },
	};

	write_figures(fd, now, sizeof(now) / sizeof(*now));
	write_figures(fd, ever, sizeof(ever) / sizeof(*ever));
}

static void write_no_heap(int fd)
{
	struct vmsi_output_line line = { .length = 0 };
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	vmsi_line_text(&line, "vmspace-heap: pid ");
	vmsi_line_number(&line, (uint64_t)getpid());
	(void)getrlimit(RLIMIT_AS, &limit);
	if (!vmsi_interposer_was_refused()) {
		vmsi_line_text(&line, vmsi_interposer.threshold == SIZE_MAX ?
			       " no heap: it is disabled" :
			       " no heap: no large block came to it; none was "
			       "asked for, or something else serves malloc, as "
			       "valgrind does");
	} else if (limit.rlim_cur != RLIM_INFINITY) {
		vmsi_line_text(&line,
			       " no heap: too few addresses, RLIMIT_AS is ");
		vmsi_line_number(&line, limit.rlim_cur);
	} else {
		vmsi_line_text(&line,
			       " no heap: too few addresses or mappings");
	}
	vmsi_line_write(&line, fd);
}

static int stats_descriptor(void)
{
	const char *path = vmsi_interposer_settings.stats_file;

	if (vmsi_interposer_settings.stats == VMSI_STATS_STDERR)
		return stderr_or_copy();
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

__attribute__((destructor)) static void tell_stats(void)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };
	vms_heap *heap = vmsi_interposer_if_open();
	int fd;

	if (vmsi_interposer_settings.stats == VMSI_STATS_OFF)
		return;
	fd = stats_descriptor();
	if (fd < 0)
		return;
	if (heap && vms_heap_get_stats(heap, &stats) == 0)
		write_stats(fd, &stats);
	else
		write_no_heap(fd);
	if (vmsi_interposer_settings.stats == VMSI_STATS_FILE)
		close(fd);
}
