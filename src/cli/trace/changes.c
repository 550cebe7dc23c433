/* SPDX-License-Identifier: MIT */
#include "cli/trace/known.h"

static bool is_same(const struct vmsi_recorded_event *a,
		    const struct vmsi_recorded_event *b)
{
	return a->start == b->start && a->end == b->end &&
		a->owner == b->owner && a->prot == b->prot &&
		a->is_shared == b->is_shared && a->has_pages == b->has_pages &&
		a->commit == b->commit && a->anonymous == b->anonymous &&
		a->file == b->file && a->swapped == b->swapped;
}

static void tell_unmapped(struct vmsi_recorder *recorder, uint32_t process,
			  uintptr_t start, uintptr_t end)
{
	if (start < end)
		vmsi_recorder_event(recorder, &(struct vmsi_recorded_event){
			.kind = VMSI_RECORDED_UNMAPPED, .process = process,
			.owner = VMSI_NOBODY, .stack = VMSI_NOBODY,
			.start = start, .end = end,
		});
}

/*
 * Tell what of a mapping of before is covered by none of after; *next is the first of
 * these that may lie over it.
 */
static void tell_gaps(struct vmsi_recorder *recorder,
		      const struct vmsi_recorded_event *mapping,
		      const struct vmsi_recorded_event *after, size_t count,
		      size_t *next)
{
	uintptr_t at = mapping->start;
	size_t i;

	while (*next < count && after[*next].end <= at)
		++*next;
	for (i = *next; i < count && after[i].start < mapping->end; i++) {
		tell_unmapped(recorder, mapping->process, at, after[i].start);
		at = after[i].end;
	}
	tell_unmapped(recorder, mapping->process, at, mapping->end);
}

void vmsi_known_tell_changes(struct vmsi_recorder *recorder,
			    const struct vmsi_recorded_event *before,
			    size_t before_count,
			    const struct vmsi_recorded_event *after,
			    size_t after_count)
{
	size_t old = 0, next = 0;

	/* What is gone comes first, for what is new replaces what it lies over. */
	for (size_t i = 0; i < before_count; i++)
		tell_gaps(recorder, &before[i], after, after_count, &next);
	for (size_t i = 0; i < after_count; i++) {
		while (old < before_count && before[old].start < after[i].start)
			old++;
		if (old == before_count || !is_same(&before[old], &after[i]))
			vmsi_recorder_event(recorder, &after[i]);
	}
}
