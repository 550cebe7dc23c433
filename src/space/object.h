/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_OBJECT_H
#define VMSI_SPACE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/mapping.h>

#include "base/pool.h"
#include "commit/commit.h"
#include "vma/vma.h"

/* Objects and names, which mappings point to; see objects.c. */

struct vms_space;

/*
 * A file, or shared anonymous memory. It lives as long as any byte of it is
 * mapped in the space.
 */
struct vmsi_object {
	struct vmsi_object *next;   /* in its hash bucket, for files */
	struct vmsi_object **link;  /* the pointer to it; NULL: in no bucket */
	uint64_t device;
	uint64_t inode;   /* 0: shared anonymous memory */
	size_t mapped;    /* bytes in all its mappings */
	size_t seen;      /* of mapped, in the walk of invariants.c; else 0 */
	size_t charged;   /* bytes in the space's ledger; 0 for files */
	struct vmsi_object_id id; /* by which budgets know it */
	size_t held;      /* bytes that the budget is charged; 0: not held */
	size_t holding;   /* bytes in mappings of vmsi_holds_object */
	char *path;       /* of a file, when first mapped; NULL: not known */
	struct vmsi_pool *path_pool;
};

struct vmsi_name {
	struct vmsi_name *next;
	struct vmsi_name **link;
	size_t mapped;    /* bytes in mappings of this name */
	char text[VMS_NAME_MAX + 1];
};

#define VMSI_OBJECT_BUCKETS 1024
#define VMSI_NAME_BUCKETS 64

/* The objects and names of a space. */
struct vmsi_objects {
	struct vmsi_object *files[VMSI_OBJECT_BUCKETS]; /* by identity */
	struct vmsi_name *names[VMSI_NAME_BUCKETS];
	struct vmsi_pool object_pool;
	struct vmsi_pool name_pool;
	struct vmsi_pool short_path_pool;
	struct vmsi_pool long_path_pool;
};

/* Begin and end the pools of objects, names and paths. */
void vmsi_objects_init(struct vms_space *space, struct vmsi_pool_source source);
void vmsi_objects_release(struct vms_space *space);

/*
 * Find or make the object of a file. Returns NULL if there is no memory for it.
 * If nothing is mapped of it afterwards, the caller drops it.
 */
struct vmsi_object *vmsi_object_of_file(struct vms_space *space, uint64_t device,
					uint64_t inode, int fd);
/* Make an object for shared anonymous memory. NULL: no memory. */
struct vmsi_object *vmsi_object_anonymous(struct vms_space *space);

/* Whether a mapping is one of those for which its object is charged. */
static inline bool vmsi_holds_object(const struct vmsi_attributes *attributes)
{
	return attributes->object &&
		vmsi_has(attributes, VMSI_SHARED) &&
		!vmsi_has(attributes, VMSI_NORESERVE | VMSI_HUGETLB);
}

/*
 * How many bytes a budget is charged for a file of this size: its pages if the
 * file is in memory (tmpfs); 0 if not, or if the space charges no budget for
 * files. Returns 0, or -errno if the host does not tell what the file is on.
 */
int vmsi_bytes_in_memory(struct vms_space *space, int fd, uint64_t size,
			 size_t *bytes);

/* Note what the ledger has charged for an object, in held and charged. */
void vmsi_object_note_hold(struct vmsi_object *object,
			   const struct vmsi_hold *hold,
			   enum vmsi_hold_level level);

/* Uncharge an object whose last mapping that held it is gone. */
void vmsi_object_release(struct vms_space *space, struct vmsi_object *object);

/*
 * After the mapping at an address has grown: if it holds a file in memory,
 * charge the budget for the file up to the mapping's new end.
 */
void vmsi_object_reached(struct vms_space *space, uintptr_t address);

/* Uncharge and free an object, unless it is mapped. */
void vmsi_object_drop(struct vms_space *space, struct vmsi_object *object);

/* Find or make the record of a name (NULL: no memory); free an unused one. */
struct vmsi_name *vmsi_name_intern(struct vms_space *space, const char *text);
void vmsi_name_drop(struct vms_space *space, struct vmsi_name *name);

#endif
