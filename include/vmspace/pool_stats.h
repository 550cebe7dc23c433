/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_POOL_STATS_H
#define VMSPACE_POOL_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Figures of a pool of pages (vmspace/pool.h). */

/* Of a histogram of times: place i counts those of less than 2^i microseconds. */
#define VMS_POOL_TIMES 24

/*
 * One miss in so many is timed: of each thread the first, and so on from there. Threads
 * may share a count, so that nothing hangs on which they are. A mean is miss_nanoseconds
 * by the sum of miss_times.
 */
#define VMS_POOL_TIMED 8

/* By what reads and writes are carried out that are in flight together. */
enum vms_pool_engine {
	VMS_POOL_URING = 1,   /* io_uring(7) */
	VMS_POOL_THREADS = 2, /* threads of the pool */
};

/* By what pages come that are touched (VMS_POOL_TRANSPARENT). */
enum vms_pool_faults {
	VMS_POOL_FAULTS_NONE = 0,    /* another kind of pool */
	VMS_POOL_FAULTS_SIGNAL = 1,  /* userfaultfd(2) and a handler of SIGBUS */
	VMS_POOL_FAULTS_SERVED = 2,  /* userfaultfd(2) and a thread of the pool */
	/*
	 * A memfd, mprotect(2) and a handler of SIGSEGV. Each page that is there may take
	 * two mappings of the process, of which the kernel allows so many
	 * (/proc/sys/vm/max_map_count); so the pool has at most a quarter as many slots.
	 */
	VMS_POOL_FAULTS_PROTECT = 3,
};

/* Figures of a pool. */
struct vms_pool_stats {
	/* sizeof(struct vms_pool_stats), set by the caller. */
	size_t struct_size;
	size_t page_size;
	uint64_t pages;           /* that there are */
	size_t ram;               /* bytes: the limit */
	size_t used;              /* bytes of RAM taken; above ram while that is made less */
	uint64_t slots;           /* pages for which there is room */
	uint64_t resident;        /* pages */
	uint64_t dirty;           /* pages; counted by looking at each */
	uint64_t free;            /* pages, for vms_pool_allocate */
	uint64_t hits;            /* fixes that found the page there; near enough */
	uint64_t misses;          /* pages that were read, or made */
	uint64_t reads;           /* calls of the host */
	uint64_t read_errors;
	uint64_t writes;          /* calls of the host */
	uint64_t pages_written;
	uint64_t write_errors;    /* pages that could not be written */
	uint64_t written_for_room; /* pages that a miss had to write itself */
	uint64_t syncs;
	uint64_t evictions;       /* pages */
	uint64_t ghost_hits;      /* misses of a page that had gone shortly before */
	uint64_t waits;           /* for a page that somebody else had */
	uint64_t held_back;       /* writes put off because the log was not durable */
	uint64_t durable;         /* the lsn */
	enum vms_pool_engine engine;
	int engine_error;         /* the errno with which io_uring was refused; 0: none */
	uint64_t miss_nanoseconds; /* of the misses that were timed */
	/*
	 * Misses that were timed, by the time that each took. The last place has all longer
	 * ones, too.
	 */
	uint64_t miss_times[VMS_POOL_TIMES];
	/* VMS_POOL_TRANSPARENT. */
	uint64_t faults;          /* touches that the pool had to handle */
	uint64_t read_ahead;      /* pages that came with one that was missed; no misses */
	enum vms_pool_faults fault_engine;
	int fault_engine_error;   /* the errno with which a better one was refused; 0: none */
	/* Whether system calls may touch pages that are not there: they wait, too. */
	int serves_system_calls;
	/* VMS_POOL_MEMORY and VMS_POOL_NO_STEAL; else 0. */
	enum vms_pool_codec swap_codec; /* that is in force */
	size_t swap_ram;          /* bytes of ram for what is aside: the limit */
	size_t swap_used;         /* of them, those that are taken */
	uint64_t swap_file;       /* bytes of the swap file that are in use */
	uint64_t aside;           /* pages, also those that are in RAM as well */
	uint64_t aside_zero;      /* of them, those of zeros, which take no room */
	uint64_t aside_bytes;     /* of the others, as they are kept */
	uint64_t pages_aside;     /* that were put aside, since the pool was opened */
	uint64_t pages_aside_raw; /* of them, those that could not be compressed */
	uint64_t snapshots;       /* children of which what they have is saved */
	uint64_t pages_saved;     /* for such children, before they were written */
	/* VMS_POOL_WHOLE_PAGES: batches of writes that were put into the area. */
	uint64_t area_batches;
	uint64_t area_mended;     /* pages that vms_pool_open found otherwise than there */
};

/*
 * Read the figures of a pool, while others use it.
 *
 * Returns 0; -1 with errno EINVAL, E2BIG as vms_space_get_stats; EBADF.
 */
int vms_pool_get_stats(vms_pool *pool, struct vms_pool_stats *stats);

/*
 * Write the figures as OpenMetrics text, ending with a line # EOF, as snprintf(3) does:
 * at most size bytes with a final 0. Each sample has two labels: pool, a number by which
 * pools of the process were opened, from 1 on, and name, that of the options. An
 * exposition of several pools has each family's lines together, and one # EOF.
 *
 * Returns the bytes that the whole text has without the final 0; -1 with errno EBADF.
 */
ssize_t vms_pool_metrics(vms_pool *pool, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
