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
 * It makes no system call, takes no lock, and its records come from a pool.
 * Operations cost O(log n), n mappings, for each mapping in their range; a walk
 * over k mappings costs O(log n + k). Addresses are multiples of the page size;
 * ranges are half-open and not empty.
 *
 * After each change the map merges neighbours that can be one mapping, whether
 * the host has merged its own or not.
 */

/* What a mapping is; bits of vmsi_attributes.flags. */
#define VMSI_SHARED         (UINT32_C(1) << 0)
/* without a file: private, or a shared anonymous object */
#define VMSI_ANONYMOUS      (UINT32_C(1) << 1)
#define VMSI_HUGETLB        (UINT32_C(1) << 2)
/* asked for with MAP_HUGETLB, made of ordinary pages */
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
/* no mapping of the space: another part of the process has these addresses */
#define VMSI_FOREIGN        (UINT32_C(1) << 19)
/* unmapped by the space, but the host refused to put the reservation over it */
#define VMSI_LEFTOVER           (UINT32_C(1) << 20)
/* shared, of a file that was opened for reading only */
#define VMSI_READ_ONLY      (UINT32_C(1) << 21)
/*
 * Hints: neighbours merge even if they differ in them, and the result has the
 * hints of both.
 */
/* found to have private pages once */
#define VMSI_TOUCHED        (UINT32_C(1) << 29)
/* has grown before: the gap behind it is kept for it as long as possible */
#define VMSI_GREW           (UINT32_C(1) << 30)

#define VMSI_HINT_FLAGS (VMSI_TOUCHED | VMSI_GREW)

struct vmsi_object; /* a file or a shared anonymous object; the map only compares */
struct vmsi_name;   /* an interned name; the map only compares */

struct vmsi_attributes {
	uint32_t prot;              /* PROT_* */
	uint32_t flags;             /* VMSI_* */
	struct vmsi_object *object; /* NULL: private anonymous */
	struct vmsi_name *name;     /* NULL: none */
	uint32_t page_shift;        /* of the page size: 21 for 2 MiB */
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
	struct vmsi_mapping *next;  /* of the last one: the map's end */
	size_t gap;                 /* length of the gap below start: see gap.h */
	uint64_t offset;            /* bytes into object; 0 without one */
	struct vmsi_attributes attributes;
};

/* Must not be copied: its records point into it. */
struct vmsi_map {
	struct vmsi_range bounds;
	size_t stack_guard;         /* bytes kept free below VMSI_GROWSDOWN mappings */
	struct vmsi_pool pool;
	struct vmsi_pool nodes;     /* of both trees */
	struct vmsi_tree by_address; /* mappings, by start; their ends in the keys */
	struct vmsi_tree by_gap;    /* owners of a gap, by its length and by start */
	/*
	 * Stands for the end of the bounds, so that the gap above the last mapping
	 * has an owner too. Callers never get it.
	 */
	struct vmsi_mapping end;
	size_t count;               /* mappings */
	size_t mapped;              /* bytes in mappings */
	/* All addresses ever used, or-ed: its lowest bit divides them all. */
	uintptr_t address_bits;
};

/* One operation on a range needs at most so many new records. */
#define VMSI_MAP_RECORDS 3

/*
 * Make an empty map of bounds. stack_guard is the number of bytes below a
 * VMSI_GROWSDOWN mapping that a gap search does not give away.
 */
void vmsi_map_init(struct vmsi_map *map, struct vmsi_range bounds,
		   size_t stack_guard, struct vmsi_pool_source source);

/* Give back all records. */
void vmsi_map_destroy(struct vmsi_map *map);

/*
 * Make operations that need at most count records in all succeed: insert needs 1,
 * erase and update at most 2 each (VMSI_MAP_RECORDS covers any one call). Returns
 * 0 or -ENOMEM.
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
 * Whether b, which begins where a ends, would merge with it: all but the hints is
 * equal, and b's offset into the object, if any, continues a's.
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

/* Unmap a range, splitting mappings at its ends. Needs two records. */
void vmsi_map_erase(struct vmsi_map *map, struct vmsi_range range);

/*
 * Pointers to mappings: when two merge, the record of the lower one stays; when
 * one is split, its record becomes the lower part.
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
 * Find a place in the shortest gap that holds the request (best fit); of equal
 * ones the lowest or highest, as request->end says, and the lowest or highest
 * place in it. Above a mapping with VMSI_GREW, which will grow again, always the
 * highest place.
 *
 * Of gaps that are long enough but have no place with the right alignment, the
 * search tries a bounded number. Then it takes the shortest that is certain to
 * have such a place, so it may miss a shorter one that happens to have one.
 *
 * Returns 0 and *start, or -ENOMEM.
 */
int vmsi_map_find_gap(const struct vmsi_map *map,
		      const struct vmsi_gap_request *request,
		      uintptr_t *start);

/* The largest gap; empty where the map is full. */
struct vmsi_range vmsi_map_largest_gap(const struct vmsi_map *map);

/* Check all invariants of the map. Returns NULL, or what is wrong. */
const char *vmsi_map_check(const struct vmsi_map *map);

#endif
