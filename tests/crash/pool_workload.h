/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_WORKLOAD_H
#define VMSI_TESTS_POOL_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images.h"
#include "recorder.h"

/*
 * Changes pages of a pool, with a log that is written ahead of them, while all that goes
 * to the disk is recorded.
 *
 * A page consists of sectors that each tell the number of their change (lsn), so that one
 * that was written in part is seen for what it is.
 */

#define PAGE 4096u
#define SECTOR 512u
#define SECTORS (PAGE / SECTOR)
#define PAGES 96u
#define CHANGES_MOST 4096u
#define FLUSHES_MOST 512u

/* The files of the disks. */
#define LOG_FILE 1
#define AREA_FILE 2  /* where there is an area, it and the log are there from the beginning */

/* The beginning of a sector; the rest of it is made of that. Zeros: never written. */
struct sector {
	uint64_t page, lsn;
	uint64_t rest[(SECTOR - 16) / 8];
};

/* A record of the log: change lsn is at lsn - 1 records from the beginning. */
struct record {
	uint64_t lsn, page, sum;
};

/* What a flush has made durable. */
struct flushed {
	uint64_t lsns[PAGES];
};

/* What is wrong, so that a disk must be found that shows it. */
enum lie {
	NO_LIE,
	LIE_LOG,   /* the log is said to be durable before it is */
	LIE_SYNC,  /* fdatasync does nothing for the area */
	LIE_AREA,  /* the pool is opened without its area after the stop */
	LIE_SETTLED, /* what the area got while the file was synced is taken for synced, too */
};

struct pool_workload {
	bool is_whole;                /* with VMS_POOL_WHOLE_PAGES */
	/*
	 * With VMS_POOL_NO_STEAL: the log is durable when the workload commits, and not
	 * before, and evictions are of pages that went aside.
	 */
	bool is_no_steal;
	bool is_plain;                /* with VMS_POOL_TRANSPARENT; some changes are plain stores */
	enum lie lie;
	char home_path[128], log_path[128], area_path[128];
	struct random random;
	size_t evictions, batches;
	size_t beside;                /* batches that were written while the file was synced */
	/* What was done. */
	uint64_t written, end;        /* records in the log, and that there are */
	uint64_t lsns[PAGES];         /* of the last change of each page */
	struct record records[CHANGES_MOST];
	struct flushed flushes[FLUSHES_MOST];
	size_t flush_count;
};

extern struct pool_workload workload;

/* Do it once more, from an empty file on, and record it. */
void workload_run(void);

/* Open a pool over a descriptor as the workload does; NULL: errno tells. */
struct vms_pool;
struct vms_pool *workload_open(int home, bool is_whole);

bool workload_sector_is_whole(const struct sector *sector, uint64_t page, size_t number);
struct record workload_record(uint64_t lsn, uint64_t page);

/* false: says so, and ends the program. */
void workload_must(bool right, const char *what);

#endif
