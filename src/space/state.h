/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_STATE_H
#define VMSI_SPACE_STATE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <vmspace/mapping.h>
#include <vmspace/space.h>

#include "base/lock.h"
#include "base/pool.h"
#include "budget/budget.h"
#include "commit/commit.h"
#include "host/host.h"
#include "space/gap.h"
#include "space/hold.h"
#include "space/inside.h"
#include "space/limits.h"
#include "space/move.h"
#include "vma/vma.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

/* What the state of a space is, shared by the files of this room. */

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
	size_t seen;      /* of a walk that checks the ledger; else 0 */
	size_t charged;   /* bytes in the ledger; of shared anonymous memory */
	/* What it is charged as above the ledger, with all that hold it. */
	struct vmsi_object_id id;
	size_t held;      /* bytes; 0: it is not held */
	size_t holding;   /* bytes of mappings that hold it */
	char *path;       /* of a file, when it was mapped; NULL: not known */
	struct vmsi_pool *path_pool;
};

#define VMSI_OBJECT_BUCKETS 1024
#define VMSI_NAME_BUCKETS 64

struct vmsi_name {
	struct vmsi_name *next;
	struct vmsi_name **link;
	size_t mapped;    /* bytes that have this name */
	char text[VMS_NAME_MAX + 1];
};

/*
 * A MAP_GROWSDOWN mapping. The host grows it into addresses that are free, so
 * the guard gap below it is not covered by the reservation.
 */
struct vmsi_stack {
	struct vmsi_stack *next;
	uintptr_t start;        /* of the mapping, as the map has it */
	uintptr_t open_from;    /* the host has nothing in [open_from, start) */
};

/* Hulls of what the space does not hold; see hold.c. */
#define VMSI_UNSETTLED_HULLS 8

#define VMSI_LEFT_PLACES 16

struct vmsi_handles; /* handle.c */

struct vms_space {
	struct vmsi_lock lock;
	struct vmsi_range range;
	struct vmsi_map map;
	struct vmsi_ledger ledger;
	struct vms_budget *budget;    /* above the ledger; NULL: none */
	enum vms_placement placement;
	unsigned flags;
	char name[VMS_NAME_MAX + 1];

	struct vmsi_object *objects[VMSI_OBJECT_BUCKETS]; /* files, by identity */
	struct vmsi_name *names[VMSI_NAME_BUCKETS];
	struct vmsi_pool object_pool;
	struct vmsi_pool name_pool;
	struct vmsi_pool stack_pool;
	struct vmsi_pool short_path_pool;
	struct vmsi_pool long_path_pool;

	struct vmsi_warm_hole warm[VMSI_WARM_HOLES];
	unsigned warm_count;
	unsigned warm_misses;         /* holes made while all places were taken */

	struct vmsi_gap gaps[VMSI_GAPS]; /* the oldest first */
	unsigned gap_count;

	struct vmsi_limits limits;

	struct vmsi_stack *stacks;
	bool has_stacks;              /* some mapping was MAP_GROWSDOWN before */

	unsigned unchecked;           /* calls since the invariants were checked */

	struct vmsi_range unsettled[VMSI_UNSETTLED_HULLS];
	unsigned unsettled_count;

	struct vmsi_handles *_Atomic handles;

	/* Debug builds: places that mappings moved away from, the latest ones. */
	struct vmsi_range left[VMSI_LEFT_PLACES];
	unsigned left_count;

	uint64_t huge_fallbacks;
	uint64_t moves;
	uint64_t grown_in_place;
	size_t metadata;              /* bytes of chunks that the host gave */
	bool has_locked;              /* some mapping was locked before */
	bool has_dontfork;            /* some mapping was MADV_DONTFORK before */
	uintptr_t limit_probe;        /* vmsi_host_at_map_limit */
	_Atomic unsigned *fork_state; /* wiped by fork; see fork.c */
	size_t bytes;                 /* of this struct's own mapping */
	struct vms_space *next;       /* in the registry */
};

/* --- entry.c: entry and exit of every public call ------------------------- */

/* Lock a space for an operation. Returns 0, or -EINVAL for NULL. */
int vmsi_enter(struct vms_space *space);

/* Unlock; debug builds check the invariants first. */
void vmsi_leave(struct vms_space *space);

/* As vmsi_status: an address, or MAP_FAILED and errno. */
void *vmsi_address_or_failed(long result);

/* Say why there is no memory for records; returns -ENOMEM. */
int vmsi_refuse_records(struct vms_space *space);

/* The same for a charge, by what vmsi_ledger_charge answered. */
int vmsi_refuse_charge(int error);

static inline bool vmsi_try_again(struct vms_space *space, long result,
				  struct vmsi_attempts *attempts)
{
	return result == -ENOMEM && vmsi_ask_for_room(space, attempts);
}

/*
 * Pass on what the host answered; -ENOMEM also gets its reason. Returns error.
 */
int vmsi_refused_by_host(struct vms_space *space, long error);

/* Whether a range lies in the space. */
static inline bool vmsi_inside(const struct vms_space *space,
			       struct vmsi_range range)
{
	return range.start >= space->range.start &&
		range.end <= space->range.end && range.start <= range.end;
}

/*
 * The range of an address and a length that is rounded up to a page; false
 * where that wraps.
 */
bool vmsi_page_range(uintptr_t address, size_t length,
		     struct vmsi_range *range);

/* --- walk.c: the map without the records of what is not held ------------- */

/* A record of addresses that are no mapping, yet not in the reservation. */
static inline bool vmsi_is_unheld(const struct vmsi_mapping *mapping)
{
	return vmsi_has(&mapping->attributes, VMSI_FOREIGN | VMSI_OWED);
}

static inline struct vmsi_range
vmsi_mapping_range(const struct vmsi_mapping *mapping)
{
	return (struct vmsi_range){ mapping->start, mapping->end };
}

/* As vmsi_map_lookup, vmsi_map_find, vmsi_map_next. */
struct vmsi_mapping *vmsi_lookup(const struct vms_space *space,
				 uintptr_t address);
struct vmsi_mapping *vmsi_first(const struct vms_space *space,
				struct vmsi_range range);
struct vmsi_mapping *vmsi_following(const struct vmsi_mapping *mapping,
				    struct vmsi_range range);

/* Bytes of the records of what is not held. */
size_t vmsi_unheld_bytes(const struct vms_space *space);

/* Bytes of mappings in a range. */
size_t vmsi_mapped_bytes(const struct vms_space *space, struct vmsi_range range);

/* Where the mappings that follow each other from address on end, up to limit. */
uintptr_t vmsi_run_end(const struct vms_space *space, uintptr_t address,
		       uintptr_t limit);

/* The first such run that reaches into [from, limit); false: all is a hole. */
bool vmsi_next_run(const struct vms_space *space, uintptr_t from,
		   uintptr_t limit, struct vmsi_range *run);

/* Whether any mapping in a range is sealed. */
bool vmsi_has_sealed(const struct vms_space *space, struct vmsi_range range);

/* for (each mapping that has a part in range) */
#define vmsi_for_each(space, mapping, range) \
	for (struct vmsi_mapping *mapping = vmsi_first(space, range); mapping; \
	     mapping = vmsi_following(mapping, range))

/* The part of a mapping that lies in a range. */
static inline struct vmsi_range vmsi_piece(const struct vmsi_mapping *mapping,
					   struct vmsi_range range)
{
	return vmsi_range_common(vmsi_mapping_range(mapping), range);
}

/*
 * Make a host call over a run of mappings; such calls work from low to high
 * addresses and change what is before a failure. *done is the end of what was
 * changed. Returns 0 or -errno.
 */
struct vmsi_range_call {
	long (*call)(struct vmsi_range range, void *context);
	void *context;
};
int vmsi_call_run(struct vms_space *space, struct vmsi_range run,
		  struct vmsi_range_call call, uintptr_t *done);

/* --- records.c: publishing in the map, the ledger and the objects -------- */

/* Reserve records for one operation. Returns 0 or -ENOMEM, with its reason. */
int vmsi_reserve_records(struct vms_space *space);

/*
 * Likewise, for an operation that gives memory back. The others leave what it
 * needs, so that it works where the host has no memory left for records.
 */
int vmsi_reserve_to_give_back(struct vms_space *space);

/*
 * Put a mapping into the map, in the place of what is there. The charge has
 * been made. Needs vmsi_reserve_records.
 */
void vmsi_publish(struct vms_space *space, struct vmsi_range range,
		  uint64_t offset, const struct vmsi_attributes *attributes);

/* The same for a range that is free in the map, which is quicker. */
void vmsi_publish_free(struct vms_space *space, struct vmsi_range range,
		       uint64_t offset,
		       const struct vmsi_attributes *attributes);

/* Take a range out of the map: uncharges, lets objects, names, handles go. */
void vmsi_forget(struct vms_space *space, struct vmsi_range range);

/*
 * Change attributes of a range; keeps objects and names counted. Before the
 * host's call, vmsi_learn_touched has looked at what is split.
 */
void vmsi_change(struct vms_space *space, struct vmsi_range range,
		 void (*change)(struct vmsi_mapping *piece, void *context),
		 void *context);

/* What of a range is charged as private memory, bytes. */
size_t vmsi_charged_in(const struct vms_space *space, struct vmsi_range range);

/* Mapping flags that are not charged when private and writable. */
#define VMSI_COMMIT_EXEMPT \
	(VMSI_SHARED | VMSI_HUGETLB | VMSI_NORESERVE | VMSI_DROPPABLE)

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

/* Note that an object is held with so many bytes. */
void vmsi_object_note_hold(struct vmsi_object *object,
			   const struct vmsi_hold *hold,
			   enum vmsi_hold_level level);

/* Give back what is charged for an object that nothing holds any more. */
void vmsi_object_release(struct vms_space *space, struct vmsi_object *object);

/* A mapping of a file that is held has grown: it is held up to its end. */
void vmsi_object_reached(struct vms_space *space, uintptr_t address);
/* Let an object go that nothing maps. */
void vmsi_object_drop(struct vms_space *space, struct vmsi_object *object);

/* An interned name; NULL: no memory. Let go of as objects are. */
struct vmsi_name *vmsi_name_intern(struct vms_space *space, const char *text);
void vmsi_name_drop(struct vms_space *space, struct vmsi_name *name);

/* Whether memory of this kind loses its charge when it was never touched. */
static inline bool vmsi_is_private_anonymous(const struct vmsi_attributes *a)
{
	return vmsi_has(a, VMSI_ANONYMOUS) && !vmsi_has(a, VMSI_SHARED);
}

/*
 * Find out whether a mapping that is charged, or may be charged later and keep
 * that, was ever touched, before an operation that hides it (a split, a move, a
 * discard) and note it. VMSI_LEARN_SPLIT passes over a mapping that lies in the
 * range whole.
 */
enum vmsi_learn { VMSI_LEARN_ALL, VMSI_LEARN_SPLIT };
void vmsi_learn_touched(struct vms_space *space, struct vmsi_range range,
			enum vmsi_learn which);

/* --- stack.c: MAP_GROWSDOWN ---------------------------------------------- */

/* The bytes that the host keeps free below a growing stack. */
size_t vmsi_stack_guard(void);

/* Learn how far stacks have grown by being touched. */
void vmsi_stacks_refresh(struct vms_space *space);

/* Open the gaps of new stacks, close those of stacks that are gone. */
void vmsi_stacks_update(struct vms_space *space);

/* A growing mapping may begin here now. */
void vmsi_stack_note(struct vms_space *space, uintptr_t start);

/* The reservation was put over a range: gaps in it are closed. */
void vmsi_stacks_closed(struct vms_space *space, struct vmsi_range range);

/* Close the gaps that reach into a range, finding out what is foreign there. */
void vmsi_stacks_close(struct vms_space *space, struct vmsi_range range);

/* --- place.c ---------------------------------------------------------------- */

enum vmsi_growth { VMSI_MAY_GROW, VMSI_STAYS };

/* A place for a mapping; residue: its address modulo alignment. */
struct vmsi_place_request {
	size_t length;
	size_t alignment;
	size_t residue;
	enum vmsi_growth growth;
};
int vmsi_place(struct vms_space *space, const struct vmsi_place_request *request,
	       uintptr_t *start);

/*
 * In a debug build: do not place anything here for a while, so that a stale
 * pointer faults.
 */
void vmsi_note_left(struct vms_space *space, struct vmsi_range range);

/* A place to move [old, old + old_length) to, cheap to move to. */
int vmsi_place_move(struct vms_space *space, const struct vmsi_mapping *mapping,
		    uintptr_t old, size_t new_length, uintptr_t *start);

/* --- memlock.c ---------------------------------------------------------------- */

/*
 * Whether a mapping is locked at an address, as the host has it: mlockall and
 * munlockall, which are not of the space, change that unseen. What the map has
 * of a lock that is gone is set right, which can merge the mapping with others.
 */
bool vmsi_is_locked(struct vms_space *space, uintptr_t address);

/* --- the operations ---------------------------------------------------------- */

int vmsi_unmap(struct vms_space *space, struct vmsi_range range);
/* Grow a mapping into the gap behind it (gap.c), or into the hole. grow.c */
enum vmsi_extend_by { VMSI_EXTEND_IN_GAP, VMSI_EXTEND_IN_HOLE };
int vmsi_extend(struct vms_space *space, struct vmsi_mapping *mapping,
		size_t extension, enum vmsi_extend_by by);
int vmsi_map_extension(struct vms_space *space, uintptr_t start, size_t length,
		       const struct vmsi_attributes *attributes); /* grow.c */
/* Let the host grow the mapping that ends at end, into a hole behind it. */
int vmsi_extend_by_window(struct vms_space *space, uintptr_t end,
			  struct vmsi_range extension);          /* grow.c */
/* Map what follows the shared mapping that ends at end to another place. */
int vmsi_alias_extension(struct vms_space *space, uintptr_t end,
			 struct vmsi_range extension);           /* grow.c */

long vmsi_remap(struct vms_space *space, uintptr_t old, size_t old_length,
		size_t new_length, int flags, uintptr_t new_address);

/* --- handle.c ------------------------------------------------------------------ */

void vmsi_handles_unmapped(struct vms_space *space, struct vmsi_range range);
void vmsi_handles_moved(struct vms_space *space, struct vmsi_range source,
			struct vmsi_range target);
void vmsi_handles_resized(struct vms_space *space, uintptr_t start,
			  size_t old_length, size_t new_length);
void vmsi_handles_release(struct vms_space *space);

/* --- fork.c, invariants.c ------------------------------------------------------- */

/* Register a space for fork; undo. */
int vmsi_fork_watch(struct vms_space *space);
void vmsi_fork_unwatch(struct vms_space *space);
/* In a child that fork handlers did not reach, mend the copy first. */
void vmsi_fork_notice(struct vms_space *space);
/* Mend the child's copy of a space. */
void vmsi_fork_child(struct vms_space *space);

/* The list of all spaces, and its lock. */
extern struct vmsi_lock vmsi_registry_lock;
extern struct vms_space *vmsi_registry;

#endif
