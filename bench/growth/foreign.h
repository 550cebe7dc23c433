/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_GROWTH_FOREIGN_H
#define VMSI_BENCH_GROWTH_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Foreign mappings in the way of a block: a page without access behind its end,
 * as another library's mapping would lie there. Only the newest are kept, so
 * that the number of mappings stays bounded.
 */
#define FOREIGN_KEPT 1024

struct foreign {
	void *pages[FOREIGN_KEPT];
	size_t next;
	uint64_t placed;
	uint64_t occupied;
	uint64_t ns;        /* spent in here; no allocator's doing */
};

/* Put a page at the first page boundary not below end, unless it is taken. */
void foreign_place(struct foreign *foreign, const char *end);

/* Unmap those that are left. */
void foreign_clear(struct foreign *foreign);

#endif
