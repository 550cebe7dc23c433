/* SPDX-License-Identifier: MIT */
#include "cli/sight/owners.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/hash.h"
#include "procfs/label.h"

#define FIRST_PLACES 64

/* Begins the label of a name that a process has told: the kernel's have none in them. */
#define TOLD '\n'

const char *const vmsi_owner_kinds[VMSI_OWNER_KINDS] = {
	[VMSI_OWNER_FILE] = "file",
	[VMSI_OWNER_HEAP] = "heap",
	[VMSI_OWNER_ARENAS] = "malloc arenas",
	[VMSI_OWNER_STACK] = "stack",
	[VMSI_OWNER_NAMED] = "named",
	[VMSI_OWNER_ANONYMOUS] = "anonymous",
	[VMSI_OWNER_SHARED] = "shared",
	[VMSI_OWNER_MEMFD] = "memfd",
	[VMSI_OWNER_KERNEL] = "kernel",
	[VMSI_OWNER_RESERVED] = "reserved",
	[VMSI_OWNER_SPACE] = "space",
	[VMSI_OWNER_BUFFERS] = "buffers",
	[VMSI_OWNER_VMSPACE_HEAP] = "vmspace heap",
	[VMSI_OWNER_VMSPACE_FILE] = "vmspace file",
	[VMSI_OWNER_SHARE] = "share",
	[VMSI_OWNER_RING] = "ring",
	[VMSI_OWNER_STACKS] = "stacks",
	[VMSI_OWNER_CODE] = "code",
	[VMSI_OWNER_POOL] = "pool",
};

/* --- names ---------------------------------------------------------------- */

static bool is_of(const struct vmsi_name *name, struct vmsi_scan label)
{
	return name->label_length == vmsi_scan_left(&label) &&
		memcmp(name->label, label.at, name->label_length) == 0;
}

/* The place where the name is, or where it would be. */
static struct vmsi_name **place_of(const struct vmsi_owners *owners,
				   uint64_t hash, struct vmsi_scan label)
{
	size_t at = (size_t)hash & (owners->places - 1);

	while (owners->names[at] && (owners->names[at]->hash != hash ||
				     !is_of(owners->names[at], label)))
		at = (at + 1) & (owners->places - 1);
	return &owners->names[at];
}

static bool make_room(struct vmsi_owners *owners)
{
	struct vmsi_owners larger = *owners;

	if (owners->name_count < owners->places / 2)
		return true;
	larger.places = owners->places ? 2 * owners->places : FIRST_PLACES;
	larger.names = calloc(larger.places, sizeof(struct vmsi_name *));
	if (!larger.names)
		return false;
	for (size_t i = 0; i < owners->places; i++) {
		struct vmsi_name *name = owners->names[i];

		if (name)
			*place_of(&larger, name->hash, (struct vmsi_scan){
				name->label, name->label + name->label_length,
			}) = name;
	}
	free(owners->names);
	*owners = larger;
	return true;
}

static void free_name(struct vmsi_name *name)
{
	if (!name)
		return;
	free(name->label);
	free(name->text);
	free(name);
}

static struct vmsi_name *make_name(struct vmsi_scan label, uint64_t hash)
{
	const size_t length = vmsi_scan_left(&label);
	struct vmsi_name *name = calloc(1, sizeof(*name));

	if (!name)
		return NULL;
	name->hash = hash;
	name->label_length = length;
	name->label = strndup(label.at, length);
	name->text = malloc(length + 1);
	if (!name->label || !name->text) {
		free_name(name);
		return NULL;
	}
	if (length && *label.at == TOLD) {
		memcpy(name->text, name->label + 1, length);
	} else {
		name->is_deleted = vmsi_label_is_deleted(&label);
		vmsi_label_path(label, name->text, length + 1);
	}
	for (size_t i = 0; i < VMSI_OWNER_KINDS; i++)
		name->owners[i] = VMSI_NO_OWNER;
	return name;
}

struct vmsi_name *vmsi_owners_name(struct vmsi_owners *owners,
				   struct vmsi_scan label)
{
	struct vmsi_name **place;
	uint64_t hash;

	/* Mappings of one owner come one after the other. */
	if (owners->last && is_of(owners->last, label))
		return owners->last;
	if (!make_room(owners))
		return NULL;
	hash = vmsi_hash_add_bytes(VMSI_HASH_BEGIN, label.at, label.end);
	place = place_of(owners, hash, label);
	if (!*place) {
		*place = make_name(label, hash);
		owners->name_count += *place != NULL;
	}
	owners->last = *place;
	return *place;
}

struct vmsi_name *vmsi_owners_told_name(struct vmsi_owners *owners,
					const char *text)
{
	const size_t length = strlen(text);
	char *label = malloc(length + 2);
	struct vmsi_name *name;

	if (!label)
		return NULL;
	label[0] = TOLD;
	memcpy(label + 1, text, length + 1);
	name = vmsi_owners_name(owners, (struct vmsi_scan){
		label, label + 1 + length,
	});
	free(label);
	return name;
}

/* --- owners --------------------------------------------------------------- */

uint32_t vmsi_owners_find(struct vmsi_owners *owners, enum vmsi_owner_kind kind,
			  struct vmsi_name *name)
{
	uint32_t *const number = &name->owners[kind];
	struct vmsi_owner *list;

	if (*number != VMSI_NO_OWNER)
		return *number;
	list = vmsi_with_capacity(owners->list, owners->count, &owners->capacity,
				  sizeof(*list));
	if (!list)
		return VMSI_NO_OWNER;
	owners->list = list;
	*number = (uint32_t)owners->count;
	list[owners->count++] = (struct vmsi_owner){ .kind = kind, .name = name };
	return *number;
}

void vmsi_owners_free(struct vmsi_owners *owners)
{
	for (size_t i = 0; i < owners->places; i++)
		free_name(owners->names[i]);
	free(owners->names);
	free(owners->list);
	*owners = (struct vmsi_owners){ 0 };
}
