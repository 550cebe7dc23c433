/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <linux/magic.h>

#include <vmspace/list.h>

#include "host/host.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * Objects and names, which mappings point to. Each counts the bytes in its
 * mappings and is freed when there are none.
 */

/* Paths shorter than this have a pool of their own. */
#define SHORT_PATH_BYTES 256

void vmsi_objects_init(struct vms_space *space, struct vmsi_pool_source source)
{
	vmsi_pool_init(&space->objects.object_pool, sizeof(struct vmsi_object),
		       source);
	vmsi_pool_init(&space->objects.name_pool, sizeof(struct vmsi_name),
		       source);
	vmsi_pool_init(&space->objects.short_path_pool, SHORT_PATH_BYTES, source);
	vmsi_pool_init(&space->objects.long_path_pool, VMS_PATH_MAX, source);
}

void vmsi_objects_release(struct vms_space *space)
{
	vmsi_pool_release(&space->objects.object_pool);
	vmsi_pool_release(&space->objects.name_pool);
	vmsi_pool_release(&space->objects.short_path_pool);
	vmsi_pool_release(&space->objects.long_path_pool);
}

/* Note the path of an open file. Without it only the listing is poorer. */
static void note_path(struct vms_space *space, struct vmsi_object *object,
		      int fd)
{
	char link[VMSI_DESCRIPTOR_LINK_BYTES], path[VMS_PATH_MAX];
	struct vmsi_pool *pool;
	long length;

	vmsi_descriptor_link(link, fd);
	length = vmsi_host.readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return;
	path[length] = '\0';
	pool = length < SHORT_PATH_BYTES ? &space->objects.short_path_pool :
					   &space->objects.long_path_pool;
	if (vmsi_pool_reserve(pool, 1))
		return;
	object->path_pool = pool;
	object->path = vmsi_pool_take(pool);
	memcpy(object->path, path, (size_t)length + 1);
}

static struct vmsi_object *make_object(struct vms_space *space)
{
	struct vmsi_object *object;

	if (vmsi_pool_reserve(&space->objects.object_pool, 1))
		return NULL;
	object = vmsi_pool_take(&space->objects.object_pool);
	*object = (struct vmsi_object){ .mapped = 0 };
	return object;
}

static struct vmsi_object **bucket_of_file(struct vms_space *space,
					   uint64_t device, uint64_t inode)
{
	uint64_t hash = (inode ^ (device << 32)) * 0x9e3779b97f4a7c15u;

	return &space->objects.files[(hash >> 32) % VMSI_OBJECT_BUCKETS];
}

struct vmsi_object *vmsi_object_of_file(struct vms_space *space,
					uint64_t device, uint64_t inode, int fd)
{
	struct vmsi_object **bucket = bucket_of_file(space, device, inode);
	struct vmsi_object *object;

	for (object = *bucket; object; object = object->next)
		if (object->inode == inode && object->device == device)
			return object;
	object = make_object(space);
	if (!object)
		return NULL;
	object->device = device;
	object->inode = inode;
	object->id = (struct vmsi_object_id){ device, inode };
	object->next = *bucket;
	object->link = bucket;
	if (object->next)
		object->next->link = &object->next;
	*bucket = object;
	note_path(space, object, fd);
	return object;
}

struct vmsi_object *vmsi_object_anonymous(struct vms_space *space)
{
	struct vmsi_object *object = make_object(space);

	if (object && space->budget)
		object->id = vmsi_budget_new_object(space->budget);
	return object;
}

/* --- what budgets are charged ---------------------------------------------- */

int vmsi_bytes_in_memory(struct vms_space *space, int fd, uint64_t size,
			 size_t *bytes)
{
	unsigned long magic = 0;
	long error;

	*bytes = 0;
	if (!space->budget || (space->flags & VMS_SPACE_FILES_UNCHARGED) ||
	    size > SIZE_MAX - vmsi_page_size())
		return 0;
	error = vmsi_host.file_system(fd, &magic);
	if (error < 0)
		return (int)error;
	if (magic == TMPFS_MAGIC)
		*bytes = vmsi_align_up((size_t)size, vmsi_page_size());
	return 0;
}

void vmsi_object_note_hold(struct vmsi_object *object,
			   const struct vmsi_hold *hold,
			   enum vmsi_hold_level level)
{
	object->held = hold->bytes;
	if (level == VMSI_HOLD_HERE)
		object->charged = hold->bytes;
}

void vmsi_object_release(struct vms_space *space, struct vmsi_object *object)
{
	if (object->held == 0)
		return;
	vmsi_ledger_release(&space->ledger, object->id, object->charged);
	object->held = object->charged = 0;
}

void vmsi_object_reached(struct vms_space *space, uintptr_t address)
{
	struct vmsi_mapping *mapping = vmsi_lookup(space, address);
	struct vmsi_object *object = mapping ? mapping->attributes.object :
					       NULL;
	struct vmsi_hold hold;

	/* Anonymous memory (charged) does not grow with its mapping. */
	if (!object || object->held == 0 || object->charged ||
	    !vmsi_holds_object(&mapping->attributes))
		return;
	hold = (struct vmsi_hold){
		.id = object->id,
		.bytes = mapping->offset + (mapping->end - mapping->start),
		.before = object->held,
	};
	if (hold.bytes <= hold.before)
		return;
	/* The budget has a record of the object, so this cannot fail. */
	(void)vmsi_ledger_hold_forced(&space->ledger, &hold, VMSI_HOLD_ABOVE, 0);
	vmsi_object_note_hold(object, &hold, VMSI_HOLD_ABOVE);
}

void vmsi_object_drop(struct vms_space *space, struct vmsi_object *object)
{
	if (object->mapped)
		return;
	if (object->link) {
		*object->link = object->next;
		if (object->next)
			object->next->link = object->link;
	}
	vmsi_object_release(space, object);
	if (object->path)
		vmsi_pool_give(object->path_pool, object->path);
	vmsi_pool_give(&space->objects.object_pool, object);
}

static struct vmsi_name **bucket_of_name(struct vms_space *space,
					 const char *text)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return &space->objects.names[hash % VMSI_NAME_BUCKETS];
}

struct vmsi_name *vmsi_name_intern(struct vms_space *space, const char *text)
{
	struct vmsi_name **bucket = bucket_of_name(space, text);
	struct vmsi_name *name;

	for (name = *bucket; name; name = name->next)
		if (strcmp(name->text, text) == 0)
			return name;
	if (vmsi_pool_reserve(&space->objects.name_pool, 1))
		return NULL;
	name = vmsi_pool_take(&space->objects.name_pool);
	*name = (struct vmsi_name){ .next = *bucket, .link = bucket };
	strncpy(name->text, text, VMS_NAME_MAX);
	if (name->next)
		name->next->link = &name->next;
	*bucket = name;
	return name;
}

void vmsi_name_drop(struct vms_space *space, struct vmsi_name *name)
{
	if (name->mapped)
		return;
	*name->link = name->next;
	if (name->next)
		name->next->link = name->link;
	vmsi_pool_give(&space->objects.name_pool, name);
}
