/* SPDX-License-Identifier: MIT */
#ifndef VMSI_VMA_VMA_H
#define VMSI_VMA_VMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "base/pool.h"
#include "vma/tree.h"

/*
 * The ordered map of mappings: lookup, gap search, split and merge.
 *
 * Pure: it makes no system call, takes no lock, and its records come from a
 * pool. Every operation is O(log n) in the number of mappings for each mapping
 * in the range it is given; a walk over k of them is O(log n + k). Addresses
 * are multiples of the page size; ranges are half-open and not empty.
 *
 * Neighbours that could be one mapping are one mapping: the map merges after
 * each change, whatever the host's own records look like.
 */

/* What a mapping is; bits of vmsi_attributes.flags. */
#define VMSI_SHARED         (UINT32_C(1) << 0)
/* no file: private, or a shared object */
#define VMSI_ANONYMOUS      (UINT32_C(1) << 1)
#define VMSI_HUGETLB        (UINT32_C(1) << 2)
/* MAP_HUGETLB asked, ordinary pages given */
#define VMSI_HUGE_FALLBACK  (UINT32_C(1) << 3)
#define VMSI_NORESERVE      (UINT32_C(1) << 4)
#define VMSI_GROWSDOWN      (UINT32_C(1) << 5)
#define VMSI_DROPPABLE      (UINT32_C(1) << 6)
#define VMSI_LOCKED         (UINT32_C(1) << 7)
#define VMSI_LOCK_ON_FAULT  (UINT32_C(1) << 8)
/* private and charged to the ledger */
#define VMSI_ACCOUNTED      (UINT32_C(1) << 9)
#define VMSI_SEALED         (UINT32_C(1) << 10)
#define VMSI_DONTFORK       (UINT32_C(1) << 11)
#define VMSI_WIPEONFORK     (UINT32_C(1) << 12)
#define VMSI_DONTDUMP       (UINT32_C(1) << 13)
#define VMSI_MERGEABLE      (UINT32_C(1) << 14)
#define VMSI_HUGEPAGE       (UINT32_C(1) << 15)
#define VMSI_NOHUGEPAGE     (UINT32_C(1) << 16)
#define VMSI_SEQUENTIAL     (UINT32_C(1) << 17)
#define VMSI_RANDOM         (UINT32_C(1) << 18)
/* not ours: lost to another mapping of the process */
#define VMSI_FOREIGN        (UINT32_C(1) << 19)
/* ours, unmapped, not yet given back to the reservation */
#define VMSI_LEFTOVER           (UINT32_C(1) << 20)
/* shared, of a file that may not be written to */
#define VMSI_READ_ONLY      (UINT32_C(1) << 21)
/*
 * Hints: they do not keep neighbours apart; a merged mapping has what
 * either had.
 */
/* known to have had private pages */
#define VMSI_TOUCHED        (UINT32_C(1) << 29)
/* has grown before: leave room behind it */
#define VMSI_GREW           (UINT32_C(1) << 30)

#define VMSI_HINT_FLAGS (VMSI_TOUCHED | VMSI_GREW)

struct vmsi_object; /* a file or a shared anonymous object; the map only compares */
struct vmsi_name;   /* an interned name; the map only compares */

struct vmsi_attributes {
	uint32_t prot;              /* PROT_* */
	uint32_t flags;             /* VMSI_* */
	struct vmsi_object *object; /* NULL: private anonymous */
	struct vmsi_name *name;     /* NULL: none */
	uint32_t page_shift;        /* of its pages: 21 for 2 MiB huge pages */
};

/* Whether a mapping has any of these flags. */
static inline bool vmsi_has(const struct vmsi_attributes *attributes,
			    uint32_t flags)
{
	return attributes->flags & flags;
}

/* previous, next and gap belong to src/vma. */
struct vmsi_mapping {
	uintptr_t start;
	uintptr_t end;
	struct vmsi_mapping *previous; /* NULL: the first */
	struct vmsi_mapping *next;  /* of the last: the map's end */
	size_t gap;                 /* usable free bytes just below start */
	uint64_t offset;            /* bytes into object; 0 where there is none */
	struct vmsi_attributes attributes;
};

/* Stays where it was initialised: its records point into it. */
struct vmsi_map {
	struct vmsi_range bounds;
	size_t stack_guard;         /* bytes kept free below VMSI_GROWSDOWN mappings */
	struct vmsi_pool pool;
	struct vmsi_pool nodes;     /* of both trees */
	struct vmsi_tree by_address; /* mappings, by start; their ends in the keys */
	struct vmsi_tree by_gap;    /* owners of a gap, by its length and by start */
	/*
	 * Stands for the end of the bounds, so that the gap above the last
	 * mapping is a gap below something. Never given to callers.
	 */
	struct vmsi_mapping end;
	size_t count;               /* mappings */
	size_t mapped;              /* bytes in mappings */
	/* The bits that ever were set in an address: all are multiples of the lowest. */
	uintptr_t address_bits;
};

/* How many records an operation on a range can need beyond those it has. */
#define VMSI_MAP_RECORDS 3

/*
 * An empty map of [bounds.start, bounds.end). stack_guard is the number of
 * bytes below a VMSI_GROWSDOWN mapping that a gap search does not give away.
 */
void vmsi_map_init(struct vmsi_map *map, struct vmsi_range bounds,
		   size_t stack_guard, struct vmsi_pool_source source);

/* Give back all records. */
void vmsi_map_destroy(struct vmsi_map *map);

/*
 * See to it that operations that need at most count records in all succeed:
 * insert needs 1, erase and update at most 2 each (VMSI_MAP_RECORDS covers any
 * one call). Returns 0 or -ENOMEM.
 */
int vmsi_map_reserve(struct vmsi_map *map, size_t count);

/* The mapping that holds address; NULL: none. */
struct vmsi_mapping *vmsi_map_lookup(const struct vmsi_map *map,
				     uintptr_t address);

/*
 * The first mapping that ends above address: the one that holds it, or the
 * next one. NULL: none. With range.start it begins a walk over a range.
 */
struct vmsi_mapping *vmsi_map_find(const struct vmsi_map *map,
				   uintptr_t address);

struct vmsi_mapping *vmsi_map_next(const struct vmsi_mapping *mapping);
struct vmsi_mapping *vmsi_map_previous(const struct vmsi_mapping *mapping);

/* Whether no byte of the range is in a mapping. */
bool vmsi_map_is_free(const struct vmsi_map *map, struct vmsi_range range);

/*
 * Whether b, which begins where a ends, would merge with it: equal attributes
 * but for hints, and offsets that go on where there is an object.
 */
bool vmsi_mapping_continues(const struct vmsi_mapping *a,
			    const struct vmsi_mapping *b);

/*
 * Add a mapping to a free range. Merges with neighbours. Needs one record.
 * Returns the mapping that now holds the range.
 */
struct vmsi_mapping *vmsi_map_insert(struct vmsi_map *map,
				     struct vmsi_range range, uint64_t offset,
				     const struct vmsi_attributes *attributes);

/*
 * Remove all that is mapped in a range, splitting mappings at its ends. Needs
 * two records (a hole in the middle of one mapping uses one).
 */
void vmsi_map_erase(struct vmsi_map *map, struct vmsi_range range);

/*
 * What becomes of pointers: of two mappings that merge the lower survives, of
 * two parts of a split the lower is the old record.
 */

/*
 * Change the attributes of all that is mapped in a range: splits at its ends,
 * calls change for each piece in ascending order, then merges. change may
 * write to the attributes and to nothing else. Needs two records.
 */
void vmsi_map_update(struct vmsi_map *map, struct vmsi_range range,
		     void (*change)(struct vmsi_mapping *piece, void *context),
		     void *context);

/* What a gap search looks for. */
struct vmsi_gap_request {
	size_t length;
	/*
	 * The place is congruent to residue modulo alignment (a power of two,
	 * at least a page).
	 */
	size_t alignment;
	size_t residue;
	enum vmsi_gap_end { VMSI_GAP_LOW, VMSI_GAP_HIGH } end;
};

/*
 * The smallest gap in which the request fits (best fit); of equal ones the
 * lowest or the highest as asked; in it the lowest or highest place.
 *
 * A gap whose lower neighbour has VMSI_GREW is used from its high end always,
 * so that the neighbour keeps its room.
 *
 * The search looks at a bounded number of gaps that are large enough but have
 * no place with the right alignment, then goes on to the smallest gap that is
 * certain to have one, so it may pass over a fit that exists only by luck.
 *
 * Returns 0 and *start, or -ENOMEM.
 */
int vmsi_map_find_gap(const struct vmsi_map *map,
		      const struct vmsi_gap_request *request,
		      uintptr_t *start);

/* The largest gap; empty where the map is full. */
struct vmsi_range vmsi_map_largest_gap(const struct vmsi_map *map);

/*
 * Walk the whole structure and check it: order, bounds, balance, gaps, counts,
 * and that no two neighbours could be one. Returns NULL, or what is wrong.
 */
const char *vmsi_map_check(const struct vmsi_map *map);

#endif
