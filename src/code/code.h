/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_CODE_H
#define VMSI_CODE_CODE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <vmspace/code.h>

#include "base/align.h"
#include "base/lock.h"
#include "code/bits.h"
#include "space/inside.h"

/*
 *	run              run + reserved          run + 2 * reserved
 *	| chunk | chunk | ...   | view | view | ...            |
 *	  executable              writable, delta further on
 *	| chunk | chunk | ...   |
 *	  the memfd, from offset 0
 *
 * The address that a byte runs at, minus run, is its offset in the memfd, and its
 * unit and granule are that divided by their sizes. With VMS_CODE_COPIES private
 * memory is in the place of the views; with VMS_CODE_FLIPS there is neither view nor
 * memfd, and delta is 0.
 *
 * A chunk is one granule; for a block that is longer, as many as it needs. Bytes of a
 * chunk that are in no block trap (invariant C1).
 *
 *	                alloc           publish          free
 *	free units   -> unpublished  -> published     -> free units
 *	                     \---------- free ---------/
 */

/* The bytes of a unit, of which blocks are made. */
#define VMSI_UNIT ((size_t)64)

/* A chunk. Positions are units of the pool. */
struct vmsi_chunk {
	size_t start, end;   /* end 0: the granule begins no chunk */
	size_t free;         /* number of units in no block */
	size_t hint;         /* no unit before this one is free */
	size_t fresh;        /* all units from this one on are free */
	size_t fails;        /* no run of so many free units is found */
	size_t unpublished;  /* number of blocks that are not published */
	bool has_view;       /* its writable view, or its private memory, is there */
	uint64_t freed;      /* frees of the pool when a block was freed in it latest */
	bool shared;         /* the memory is the parent's, in the child of a fork */
	size_t previous, next; /* granules of chunks; VMSI_NO_CHUNK */
};

#define VMSI_NO_CHUNK SIZE_MAX

enum vmsi_code_file_kind {
	VMSI_FILE_NOT_TO_RUN, /* MFD_NOEXEC_SEAL: execve(2) is refused it */
	VMSI_FILE_TO_RUN,     /* MFD_EXEC: where a host maps no other executable */
};

struct vms_code {
	struct vmsi_lock lock;
	struct vms_code *next_pool; /* of all of the process */

	/* Written when the pool is opened, and never again. */
	vms_space *space;
	struct vmsi_range run;
	size_t reserved;      /* bytes of addresses from run.start on */
	size_t delta;
	size_t granule;       /* bytes, a power of two */
	size_t granules;      /* number of them */
	size_t step;          /* units on whose multiples blocks begin and end; as well */
	size_t bytes;         /* of this record, with the arrays */
	const char *problem;
	enum vms_code_mode mode;
	enum vmsi_code_file_kind file_kind;
	unsigned flags;
	unsigned unit_shift;  /* of the units in a granule */
	unsigned page_shift;  /* of the units in a page */
	int refused;          /* errno */
	bool own_space;
	struct vmsi_space_sign sign; /* of a pool in a space of the program's */
	bool core_sync;
	bool has_guards;      /* by MADV_GUARD_INSTALL, at least in memory of no file */

	/* Guarded by lock. */
	bool shared;          /* the memory is the parent's, in the child of a fork */
	bool sealed;
	int fd;               /* of the memfd; -1 with VMS_CODE_FLIPS */
	int run_fd;           /* the same, read-only: for executable views */
	struct {
		int fd, run_fd; /* of the memfd that a child has, or makes; -1 */
		bool copied;    /* all chunks are copied to it, before the fork */
		bool made;      /* all chunks are in it, and it is the pool's */
	} own;                /* see share.c */
	int perf_fd;          /* -1: not open */
	uint64_t file_size;
	size_t first_chunk;
	size_t current;       /* where blocks come from; VMSI_NO_CHUNK */
	size_t used;          /* units in blocks */
	size_t pages_without; /* number of pages of chunks that have no memory */
	size_t blocks, unpublished, chunk_count, mapped, writable;
	uint64_t core_syncs;
	uint64_t frees;       /* number of blocks that were freed and had been published */
	long perf_process;
	struct vmsi_code_names *names;

	/* frees that a round of membarrier has come after. */
	_Atomic uint64_t synced;

	/* Arrays behind the record. */
	uint64_t *in_block;   /* a bit a unit */
	uint64_t *last;       /* the last unit of each block */
	uint64_t *published;  /* the first unit of each block that is published */
	uint64_t *no_memory;  /* the pages of chunks that have none (pages.h) */
	uint64_t *in_chunk;   /* a bit a granule */
	struct vmsi_chunk *chunks; /* by first granule */
};

static inline struct vmsi_chunk *vmsi_chunk_of_unit(struct vms_code *code,
						    size_t unit)
{
	size_t granule = unit >> code->unit_shift;

	/* Most often it is the one that blocks come from. */
	if (code->current != VMSI_NO_CHUNK &&
	    unit >= code->chunks[code->current].start &&
	    unit < code->chunks[code->current].end)
		return &code->chunks[code->current];
	/* A chunk of several granules begins in an earlier one. */
	while (code->chunks[granule].end == 0)
		granule--;
	return &code->chunks[granule];
}

static inline size_t vmsi_chunk_index(const struct vms_code *code,
				      const struct vmsi_chunk *chunk)
{
	return (size_t)(chunk - code->chunks);
}

/* The address at which a unit runs. */
static inline uintptr_t vmsi_unit_address(const struct vms_code *code, size_t unit)
{
	return code->run.start + unit * VMSI_UNIT;
}

#endif
