/* SPDX-License-Identifier: MIT */
#include "cli/sight/belongs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <vmspace.h>

#include "cli/sight/data_end.h"

/* HEAP_MAX_SIZE of glibc's malloc where pointers have 64 bits. */
#define ARENA_BYTES ((uintptr_t)64 << 20)
/* Guards of stacks are small; what is larger is set aside for something else. */
#define GUARD_MOST ((uintptr_t)64 << 10)
/* What is less than malloc maps by itself is not worth opening a file for. */
#define ASKED_FROM ((uintptr_t)128 << 10)

static bool is_anonymous(const struct vmsi_seen_mapping *mapping)
{
	return mapping->label == VMSI_LABEL_NONE &&
		!(mapping->flags & VMS_MAPPING_SHARED);
}

static bool is_data(const struct vmsi_seen_mapping *mapping)
{
	return (mapping->prot & PROT_WRITE) &&
		!(mapping->flags & VMS_MAPPING_SHARED);
}

static uint32_t find(struct vmsi_belongs *belongs, enum vmsi_owner_kind kind,
		     struct vmsi_scan label)
{
	struct vmsi_owners *owners = &belongs->process->owners;
	struct vmsi_name *name = vmsi_owners_name(owners, label);

	return name ? vmsi_owners_find(owners, kind, name) : VMSI_NO_OWNER;
}

static uint32_t find_word(struct vmsi_belongs *belongs, enum vmsi_owner_kind kind,
			  const char *word)
{
	return find(belongs, kind, vmsi_scan_text(word));
}

/* --- told by what it lies next to ----------------------------------------- */

static struct vmsi_owner *owner_before(const struct vmsi_belongs *belongs)
{
	return &belongs->process->owners.list[belongs->before.owner];
}

/* The mapping below belongs to another one than it seemed. */
static void give_before(struct vmsi_belongs *belongs, uint32_t owner)
{
	struct vmsi_process *process = belongs->process;
	struct vmsi_seen_mapping *before = &belongs->before;

	vmsi_figures_take(&owner_before(belongs)->figures, &before->figures);
	before->owner = owner;
	vmsi_figures_add(&owner_before(belongs)->figures, &before->figures);
	if (process->count)
		process->mappings[process->count - 1].owner = owner;
}

static bool is_next(const struct vmsi_belongs *belongs,
		    const struct vmsi_seen_mapping *mapping)
{
	return belongs->before.end == mapping->start;
}

static bool is_behind_data(const struct vmsi_belongs *belongs,
			   const struct vmsi_seen_mapping *mapping)
{
	return is_next(belongs, mapping) && is_anonymous(mapping) &&
		is_data(mapping) && belongs->before.label == VMSI_LABEL_FILE &&
		is_data(&belongs->before) &&
		owner_before(belongs)->kind == VMSI_OWNER_FILE;
}

/* Where the data ends that a mapping lies behind; nowhere, where that is unknown. */
static uintptr_t data_end(const struct vmsi_belongs *belongs,
			  const struct vmsi_seen_mapping *mapping)
{
	const struct vmsi_seen_mapping *before = &belongs->before;

	if (mapping->end - mapping->start < ASKED_FROM || before->name->is_deleted)
		return VMSI_DATA_UNKNOWN;
	return vmsi_data_end_of(belongs->process->thread, before->name->text,
				before->offset, before->start);
}

/*
 * The loader maps what a program's data has beyond its file right behind it. What cannot
 * be cut where that ends belongs to whom most of it is.
 */
static bool is_rest_of_data(const struct vmsi_belongs *belongs,
			    const struct vmsi_seen_mapping *mapping)
{
	return is_behind_data(belongs, mapping) &&
		data_end(belongs, mapping) >
			mapping->start + (mapping->end - mapping->start) / 2;
}

/* An arena begins where its size divides the address; its rest is set aside. */
static bool is_rest_of_arena(const struct vmsi_belongs *belongs,
			     const struct vmsi_seen_mapping *mapping)
{
	const uintptr_t end = belongs->before.start + ARENA_BYTES;

	return is_next(belongs, mapping) && mapping->prot == PROT_NONE &&
		!vmsi_owner_is_told(owner_before(belongs)->kind) &&
		is_anonymous(&belongs->before) && is_data(&belongs->before) &&
		belongs->before.start % ARENA_BYTES == 0 &&
		/* A stack's guard may be one mapping with it. */
		mapping->end >= end && mapping->end - end <= GUARD_MOST;
}

static uint32_t find_arenas(struct vmsi_belongs *belongs)
{
	const uint32_t arenas = find_word(belongs, VMSI_OWNER_ARENAS,
					  "[malloc arenas]");

	if (arenas != VMSI_NO_OWNER)
		give_before(belongs, arenas);
	return arenas;
}

static uint32_t find_stack(struct vmsi_belongs *belongs,
			   const struct vmsi_seen_mapping *mapping,
			   const struct vmsi_thread_stack *stack)
{
	const struct vmsi_seen_mapping *before = &belongs->before;
	char word[VMSI_PROCESS_NAME_SIZE + 32];
	uint32_t owner;

	snprintf(word, sizeof(word), "[stack:%d %s]", (int)stack->thread,
		 stack->command);
	owner = find_word(belongs, VMSI_OWNER_STACK, word);
	if (owner != VMSI_NO_OWNER && is_next(belongs, mapping) &&
	    is_anonymous(before) && before->prot == PROT_NONE &&
	    !vmsi_owner_is_told(owner_before(belongs)->kind) &&
	    before->end - before->start <= GUARD_MOST)
		give_before(belongs, owner);
	return owner;
}

static uint32_t owner_of_anonymous(struct vmsi_belongs *belongs,
				   const struct vmsi_seen_mapping *mapping)
{
	const struct vmsi_thread_stack *stack;

	if (is_rest_of_data(belongs, mapping))
		return belongs->before.owner;
	if (is_rest_of_arena(belongs, mapping))
		return find_arenas(belongs);
	if (mapping->prot == PROT_NONE)
		return find_word(belongs, VMSI_OWNER_RESERVED, "[reserved]");
	stack = vmsi_stacks_find(&belongs->process->stacks, mapping->start,
				 mapping->end);
	if (stack)
		return find_stack(belongs, mapping, stack);
	return find_word(belongs, VMSI_OWNER_ANONYMOUS, "[anon]");
}

/* --- told by its label ---------------------------------------------------- */

static enum vmsi_owner_kind kind_of(enum vmsi_label_kind kind,
				    struct vmsi_scan label)
{
	if (kind == VMSI_LABEL_GIVEN)
		return VMSI_OWNER_NAMED;
	if (kind == VMSI_LABEL_FILE)
		return vmsi_scan_begins(&label, "/memfd:") ? VMSI_OWNER_MEMFD :
						       VMSI_OWNER_FILE;
	if (vmsi_scan_is(&label, "[heap]"))
		return VMSI_OWNER_HEAP;
	if (vmsi_scan_begins(&label, "[stack"))
		return VMSI_OWNER_STACK;
	return vmsi_scan_begins(&label, "/SYSV") ? VMSI_OWNER_SHARED :
					     VMSI_OWNER_KERNEL;
}

/* --- told by the process --------------------------------------------------- */

/* The first part that ends above an address; NULL: none. */
static const struct vmsi_named_part *part_at(struct vmsi_belongs *belongs,
					     uintptr_t address)
{
	const struct vmsi_names *const names = belongs->names;

	if (!names)
		return NULL;
	while (belongs->part < names->part_count &&
	       names->parts[belongs->part].end <= address)
		belongs->part++;
	return belongs->part < names->part_count ? &names->parts[belongs->part] :
						   NULL;
}

uintptr_t vmsi_belongs_end(struct vmsi_belongs *belongs,
			   const struct vmsi_seen_mapping *mapping)
{
	const uintptr_t start = mapping->start;
	const struct vmsi_named_part *part = part_at(belongs, start);
	uintptr_t end = UINTPTR_MAX, data;

	if (part)
		end = part->start > start ? part->start : part->end;
	if (is_behind_data(belongs, mapping)) {
		data = data_end(belongs, mapping);
		if (data > start && data < end)
			end = data;
	}
	return end;
}

static int set_told_owner(struct vmsi_belongs *belongs,
			  struct vmsi_seen_mapping *mapping,
			  const struct vmsi_named *named, struct vmsi_scan label)
{
	struct vmsi_owners *const owners = &belongs->process->owners;
	struct vmsi_name *name;

	mapping->name = NULL;
	if (mapping->label != VMSI_LABEL_NONE) {
		mapping->name = vmsi_owners_name(owners, label);
		if (!mapping->name)
			return -ENOMEM;
	}
	name = vmsi_owners_told_name(owners, named->text);
	mapping->owner = name ? vmsi_owners_find(owners, named->kind, name) :
				VMSI_NO_OWNER;
	return mapping->owner == VMSI_NO_OWNER ? -ENOMEM : 0;
}

/* --- each ------------------------------------------------------------------ */

static int set_owner(struct vmsi_belongs *belongs,
		     struct vmsi_seen_mapping *mapping, struct vmsi_scan label)
{
	const struct vmsi_named_part *part = part_at(belongs, mapping->start);

	if (part && part->start <= mapping->start)
		return set_told_owner(belongs, mapping, part->named, label);
	mapping->name = NULL;
	if (mapping->label != VMSI_LABEL_NONE) {
		mapping->owner = find(belongs, kind_of(mapping->label, label),
				      label);
		if (mapping->owner != VMSI_NO_OWNER)
			mapping->name = belongs->process->owners
				.list[mapping->owner].name;
	} else if (mapping->flags & VMS_MAPPING_SHARED) {
		mapping->owner = find_word(belongs, VMSI_OWNER_SHARED, "[shared]");
	} else {
		mapping->owner = owner_of_anonymous(belongs, mapping);
	}
	return mapping->owner == VMSI_NO_OWNER ? -ENOMEM : 0;
}

int vmsi_belongs_add(struct vmsi_belongs *belongs,
		     struct vmsi_seen_mapping *mapping, struct vmsi_scan label)
{
	const int error = set_owner(belongs, mapping, label);

	if (error)
		return error;
	belongs->before = *mapping;
	vmsi_figures_add(&owner_before(belongs)->figures, &mapping->figures);
	return 0;
}
