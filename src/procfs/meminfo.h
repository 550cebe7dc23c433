/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PROCFS_MEMINFO_H
#define VMSI_PROCFS_MEMINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "text/lines.h"

/* The memory of the machine: /proc/meminfo (proc_meminfo(5)). Bytes. */
struct vmsi_meminfo {
	uint64_t ram;
	uint64_t ram_free;
	uint64_t ram_available;
	uint64_t shared;          /* shared memory and tmpfs, in RAM */
	uint64_t swap;
	uint64_t swap_free;
	uint64_t commit_limit;    /* of overcommit mode 2 */
	uint64_t committed;
	uint64_t huge_page_size;  /* the default one; 0 without hugetlb */
	uint64_t huge_pages;      /* pages in its pool */
	uint64_t huge_pages_free; /* pages */
	uint64_t huge_pages_reserved; /* pages */
	uint64_t hugetlb;         /* in the pools of all page sizes */
	bool tells_commit;  /* the file has commit_limit and committed */
	bool tells_hugetlb; /* the file has hugetlb (Linux 4.16 on) */
};

/*
 * Returns 0 and the figures, 0 for those that this kernel does not tell; -EPROTO
 * where the text is not a meminfo file, or -errno of the read, and *meminfo is as
 * before.
 */
int vmsi_meminfo_read(struct vmsi_lines *lines, struct vmsi_meminfo *meminfo);

#endif
