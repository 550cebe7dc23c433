/* SPDX-License-Identifier: MIT */
#include "cli/top/one.h"

#include <errno.h>
#include <stdio.h>

#include "cli/clock.h"
#include "cli/hash.h"
#include "cli/top/machine.h"
#include "procfs/stat.h"

/* Returns false where there is no such process. */
static bool look_at_birth(pid_t pid, uint64_t *born)
{
	char text[VMSI_STAT_BYTES];
	struct vmsi_stat stat;

	if (!vmsi_process_stat(pid, text, &stat))
		return false;
	*born = stat.start_time;
	return true;
}

/*
 * Read it, and make sure that all of it is of the process that was looked at before:
 * one that has got its number began later.
 */
static int see(struct vmsi_top_one *one)
{
	uint64_t before = 0, after = 0;
	int error;

	if (!look_at_birth(one->pid, &before))
		return -ESRCH;
	if (one->has_begun && before != one->born)
		return -ESRCH;
	error = vmsi_process_see(&one->process, one->pid,
				 one->pages ? VMSI_SEE_PAGES : 0);
	if (!error && (!look_at_birth(one->pid, &after) || after != before))
		error = -ESRCH;
	if (error)
		return error;
	one->born = before;
	one->has_begun = true;
	return 0;
}

static void set_figures(struct vmsi_top_figures *figures, const uint64_t *of,
			bool pages)
{
	static const struct {
		enum vmsi_column from;
		enum vmsi_top_column to;
		bool needs_pages;
	} columns[] = {
		{ VMSI_COMMIT, VMSI_TOP_COMMIT, true },
		{ VMSI_WRITABLE, VMSI_TOP_WRITABLE, false },
		{ VMSI_RESERVED, VMSI_TOP_RESERVED, false },
		{ VMSI_RESIDENT, VMSI_TOP_RESIDENT, true },
		{ VMSI_ANONYMOUS, VMSI_TOP_ANONYMOUS, true },
		{ VMSI_FILE, VMSI_TOP_FILE, true },
		{ VMSI_PROPORTIONAL, VMSI_TOP_PROPORTIONAL, true },
		{ VMSI_SWAPPED, VMSI_TOP_SWAPPED, true },
		{ VMSI_MAPPINGS, VMSI_TOP_MAPPINGS, false },
	};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (pages || !columns[i].needs_pages)
			vmsi_top_set(figures, columns[i].to,
				     (int64_t)of[columns[i].from]);
}

static int add_owner(struct vmsi_top_sample *sample, const struct vmsi_owner *owner,
		     bool pages)
{
	struct vmsi_top_entry *entry = vmsi_top_sample_add(sample);

	if (!entry)
		return -ENOMEM;
	entry->name = owner->name->text;
	entry->kind = vmsi_owner_kinds[owner->kind];
	entry->is_deleted = owner->name->is_deleted;
	entry->id.number = vmsi_hash_add(VMSI_HASH_BEGIN, entry->name);
	entry->id.born = 2u * (unsigned)owner->kind + entry->is_deleted;
	set_figures(&entry->figures, owner->figures.of, pages);
	return 0;
}

int vmsi_top_one_read(struct vmsi_top_one *one, struct vmsi_top_sample *sample)
{
	int error;

	sample->at = vmsi_clock_ns();
	sample->count = 0;
	vmsi_top_machine_read(&sample->machine);
	vmsi_process_free(&one->process);
	error = see(one);
	sample->has_ended = error == -ESRCH && one->has_begun;
	if (sample->has_ended)
		return 0;
	for (size_t i = 0; !error && i < one->process.owners.count; i++)
		error = add_owner(sample, &one->process.owners.list[i], one->pages);
	return error;
}

void vmsi_top_one_free(struct vmsi_top_one *one)
{
	vmsi_process_free(&one->process);
}
