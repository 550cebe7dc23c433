/* SPDX-License-Identifier: MIT */
#include "cli/top/walks.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "procfs/file.h"
#include "procfs/smaps.h"

/* Holds the longest line: a path of newlines, each of which is written as four bytes. */
#define BUFFER_BYTES ((size_t)64 << 10)
/* A walk that takes longer is given up, but for who wants all. */
#define LONGEST_NS INT64_C(30000000)
/* How many mappings are read before it is looked at how long that took. */
#define MAPPINGS_AT_ONCE 256

/* Of the processor alone: what waits for others costs nobody anything. */
static int64_t used_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* --- one walk ------------------------------------------------------------------------ */

static int sum(struct vmsi_lines *lines, int64_t deadline, struct vmsi_top_walk *walk)
{
	struct vms_mapping_info info = { 0 };
	struct vmsi_smaps_pages pages;
	unsigned count = 0;
	int result;

	while ((result = vmsi_smaps_next_pages(lines, &info, &pages)) > 0) {
		/* A kernel without figures of pages has none for us. */
		if (info.resident == VMS_NOT_COUNTED)
			return -EPROTO;
		walk->commit += info.committed;
		walk->proportional += pages.proportional;
		if (++count % MAPPINGS_AT_ONCE == 0 && used_ns() > deadline)
			return -ETIME;
	}
	return result;
}

static int read_sums(pid_t pid, int64_t deadline, struct vmsi_top_walk *walk)
{
	static char buffer[BUFFER_BYTES];
	struct vmsi_lines lines;
	int file = vmsi_procfs_open(pid, "smaps"), error;

	if (file < 0)
		return file;
	vmsi_host_lines(&lines, &file, buffer, sizeof(buffer));
	error = sum(&lines, deadline, walk);
	if (!error)
		error = vmsi_procfs_check_complete(file);
	close(file);
	return error;
}

/*
 * The sums are of this process, and not of another one with its number, where it is
 * still there after they were read.
 */
static int walk_over(const struct vmsi_top_due *due, const struct vmsi_top_wish *wish,
		     int64_t deadline, uint64_t now)
{
	struct vmsi_top_walk walk = { .born = due->walk->born, .at = now };
	struct vmsi_top_entry after = { 0 };
	int error = read_sums(due->files->pid, deadline, &walk);

	if (!error)
		error = vmsi_top_files_read(due->files, wish, &after);
	if (!error && after.id.born != walk.born)
		error = -ESRCH;
	walk.is_known = !error;
	walk.is_put_off = error && error != -ESRCH;
	walk.addresses = after.addresses;
	walk.writable = after.figures.of[VMSI_TOP_WRITABLE];
	*due->walk = walk;
	return error;
}

/* --- all of them --------------------------------------------------------------------- */

static int compare(const void *first, const void *second)
{
	const struct vmsi_top_due *one = first, *other = second;
	const int64_t mine = one->entry->figures.of[VMSI_TOP_RESIDENT];
	const int64_t yours = other->entry->figures.of[VMSI_TOP_RESIDENT];

	if (one->urgency != other->urgency)
		return one->urgency > other->urgency ? -1 : 1;
	return (mine < yours) - (mine > yours);
}

static void set_figures(const struct vmsi_top_due *due, bool all, uint64_t now)
{
	const struct vmsi_top_walk *walk = due->walk;
	struct vmsi_top_figures *figures = &due->entry->figures;

	if (!walk->is_known)
		return;
	vmsi_top_set(figures, VMSI_TOP_COMMIT, (int64_t)walk->commit);
	if (walk->at != now && vmsi_top_walk_is_old(walk, due->entry))
		figures->old |= 1u << VMSI_TOP_COMMIT;
	if (all)
		vmsi_top_set(figures, VMSI_TOP_PROPORTIONAL, (int64_t)walk->proportional);
}

size_t vmsi_top_walks_run(enum vmsi_top_walks which, struct vmsi_top_credit *credit,
			  const struct vmsi_top_wish *wish, struct vmsi_top_due *list,
			  size_t count, uint64_t now)
{
	const bool all = which == VMSI_TOP_WALKS_ALL;
	size_t refused = 0;

	vmsi_top_credit_earn(credit, now, used_ns() - credit->used);
	for (size_t i = 0; i < count; i++)
		list[i].urgency = all ? 1 : vmsi_top_walk_urgency(list[i].walk,
								  list[i].entry, now);
	if (count)
		qsort(list, count, sizeof(*list), compare);
	for (size_t i = 0; i < count && list[i].urgency; i++) {
		const int64_t begin = used_ns();
		int error;

		if (which == VMSI_TOP_WALKS_IN_TIME && credit->left <= 0)
			break;
		error = walk_over(&list[i], wish, all ? INT64_MAX : begin + LONGEST_NS,
				  now);
		refused += error == -EACCES || error == -EPERM;
		credit->left -= used_ns() - begin;
	}
	credit->used = used_ns();
	for (size_t i = 0; i < count; i++)
		set_figures(&list[i], all, now);
	return refused;
}
