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

/* What mappings point to, counted by mapped bytes; see objects.c. */

struct vms_space;

/*
 * What is behind a mapping: a file, or an anonymous object that mappings
 * share. It lives as long as any byte of it is mapped in the space.
 */
struct vmsi_object {
	struct vmsi_object *next;   /* in its hash bucket, for files */
	struct vmsi_object **link;  /* what points to it; NULL: in no bucket */
	uint64_t device;
	uint64_t inode;   /* 0: shared anonymous memory */
	size_t mapped;    /* bytes, over all mappings of it */
	size_t seen;      /* of mapped, by the walk of invariants.c; else 0 */
	size_t charged;   /* bytes in the ledger: of shared anonymous memory only */
	/* The identity by which a budget charges it once for all its holders. */
	struct vmsi_object_id id;
	size_t held;      /* bytes that this space holds of it; 0: none */
	size_t holding;   /* bytes of the mappings that keep it held */
	char *path;       /* of a file, when it was mapped; NULL: not known */
	struct vmsi_pool *path_pool;
};

struct vmsi_name {
	struct vmsi_name *next;
	struct vmsi_name **link;
	size_t mapped;    /* bytes that have this name */
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

/* Begin and end the pools that objects, names and paths come from. */
void vmsi_objects_init(struct vms_space *space, struct vmsi_pool_source source);
void vmsi_objects_release(struct vms_space *space);

/*
 * The object of a file; made where the space does not know it yet. NULL where
 * there is no memory for it. With nothing mapped it is let go by
 * vmsi_object_drop.
 */
struct vmsi_object *vmsi_object_of_file(struct vms_space *space, uint64_t device,
					uint64_t inode, int fd);
/* A new shared anonymous object, which nothing is charged for. NULL: no memory. */
struct vmsi_object *vmsi_object_anonymous(struct vms_space *space);

/* Whether a mapping keeps its object charged. */
static inline bool vmsi_holds_object(const struct vmsi_attributes *attributes)
{
	return attributes->object &&
		vmsi_has(attributes, VMSI_SHARED) &&
		!vmsi_has(attributes, VMSI_NORESERVE | VMSI_HUGETLB);
}

/*
 * What a mapping of a file of this size holds: its pages, if it is in memory and
 * the space has a budget to charge them to, or 0. Returns 0, or -errno where the
 * host does not tell what the file is on.
 */
int vmsi_bytes_in_memory(struct vms_space *space, int fd, uint64_t size,
			 size_t *bytes);

/* Note that the ledger has let the space hold so many bytes of an object. */
void vmsi_object_note_hold(struct vmsi_object *object,
			   const struct vmsi_hold *hold,
			   enum vmsi_hold_level level);

/* Give back what is charged for an object that nothing holds any more. */
void vmsi_object_release(struct vms_space *space, struct vmsi_object *object);

/*
 * The mapping at an address has grown. If it holds a file in memory, the file is
 * held up to the mapping's new end.
 */
void vmsi_object_reached(struct vms_space *space, uintptr_t address);
/* Let an object go that nothing maps. */
void vmsi_object_drop(struct vms_space *space, struct vmsi_object *object);

/* An interned name; NULL: no memory. Let go of as objects are. */
struct vmsi_name *vmsi_name_intern(struct vms_space *space, const char *text);
void vmsi_name_drop(struct vms_space *space, struct vmsi_name *name);

#endif
