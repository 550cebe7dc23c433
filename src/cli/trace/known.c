/* SPDX-License-Identifier: MIT */
#include "cli/trace/known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vmspace.h>

#include "base/array.h"

/* --- owners --------------------------------------------------------------- */

static bool is_called(const struct vmsi_known_owner *known,
		      const struct vmsi_owner *owner)
{
	return known->kind == owner->kind && known->hash == owner->name->hash &&
		strcmp(known->name, owner->name->text) == 0;
}

static uint32_t add_owner(struct vmsi_known *known, struct vmsi_recorder *recorder,
			  const struct vmsi_owner *owner)
{
	struct vmsi_known_owner *list =
		vmsi_with_capacity(known->owners, known->owner_count,
				   &known->owner_capacity, sizeof(*list));
	char *name;

	if (!list)
		return VMSI_NOBODY;
	known->owners = list;
	name = strdup(owner->name->text);
	if (!name)
		return VMSI_NOBODY;
	list[known->owner_count] = (struct vmsi_known_owner){
		.kind = owner->kind, .hash = owner->name->hash, .name = name,
		.number = vmsi_recorder_owner(recorder, known->process,
					      owner->kind, name),
	};
	return list[known->owner_count++].number;
}

/* Owners come in about the same order each time: it begins behind the last one. */
static uint32_t number_of(struct vmsi_known *known, struct vmsi_recorder *recorder,
			  const struct vmsi_owner *owner, size_t *last)
{
	for (size_t i = 0; i < known->owner_count; i++) {
		*last = *last + 1 < known->owner_count ? *last + 1 : 0;
		if (is_called(&known->owners[*last], owner))
			return known->owners[*last].number;
	}
	return add_owner(known, recorder, owner);
}

/*
 * Returns the number of each owner of the process that has a mapping, malloc's; NULL
 * without memory. An owner that gave all to another one has none, and is not told.
 */
static uint32_t *number_owners(struct vmsi_known *known,
			       struct vmsi_recorder *recorder,
			       const struct vmsi_process *process)
{
	const struct vmsi_owners *owners = &process->owners;
	uint32_t *numbers = calloc(owners->count + 1, sizeof(*numbers));
	size_t last = known->owner_count;

	for (size_t i = 0; numbers && i < owners->count; i++)
		numbers[i] = VMSI_NOBODY;
	for (size_t i = 0; numbers && i < process->count; i++) {
		const uint32_t owner = process->mappings[i].owner;

		if (numbers[owner] == VMSI_NOBODY)
			numbers[owner] = number_of(known, recorder,
						   &owners->list[owner], &last);
		if (numbers[owner] == VMSI_NOBODY) {
			free(numbers);
			return NULL;
		}
	}
	return numbers;
}

/* --- mappings ------------------------------------------------------------- */

static struct vmsi_recorded_event event_of(const struct vmsi_seen_mapping *mapping,
					   uint32_t process, uint32_t owner,
					   bool has_pages)
{
	const uint64_t *figures = mapping->figures.of;

	return (struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_MAPPING, .process = process,
		.owner = owner, .stack = VMSI_NOBODY,
		.prot = mapping->prot,
		.is_shared = (mapping->flags & VMS_MAPPING_SHARED) != 0,
		.has_pages = has_pages,
		.start = mapping->start, .end = mapping->end,
		.commit = has_pages ? figures[VMSI_COMMIT] :
				      figures[VMSI_WRITABLE],
		.anonymous = figures[VMSI_ANONYMOUS],
		.file = figures[VMSI_FILE],
		.swapped = figures[VMSI_SWAPPED],
	};
}

int vmsi_known_tell(struct vmsi_known *known, struct vmsi_recorder *recorder,
		   const struct vmsi_process *process)
{
	struct vmsi_recorded_event *after =
		calloc(process->count + 1, sizeof(*after));
	uint32_t *numbers = after ? number_owners(known, recorder, process) : NULL;

	if (!numbers) {
		free(after);
		return -ENOMEM;
	}
	for (size_t i = 0; i < process->count; i++)
		after[i] = event_of(&process->mappings[i], known->process,
				    numbers[process->mappings[i].owner],
				    (process->what & VMSI_SEE_PAGES) != 0);
	free(numbers);
	vmsi_known_tell_changes(recorder, known->mappings, known->count, after,
			       process->count);
	free(known->mappings);
	known->mappings = after;
	known->count = process->count;
	return 0;
}

void vmsi_known_end(struct vmsi_known *known, struct vmsi_recorder *recorder)
{
	if (known->count)
		vmsi_recorder_event(recorder, &(struct vmsi_recorded_event){
			.kind = VMSI_RECORDED_UNMAPPED, .process = known->process,
			.owner = VMSI_NOBODY, .stack = VMSI_NOBODY,
			.start = known->mappings[0].start,
			.end = known->mappings[known->count - 1].end,
		});
	known->count = 0;
}

void vmsi_known_free(struct vmsi_known *known)
{
	for (size_t i = 0; i < known->owner_count; i++)
		free(known->owners[i].name);
	free(known->owners);
	free(known->mappings);
	*known = (struct vmsi_known){ 0 };
}
