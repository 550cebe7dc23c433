/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_PAGEMAP_H
#define VMSI_BASE_PAGEMAP_H

#include <stdint.h>

/*
 * /proc/self/pagemap: a word for each page, and PAGEMAP_SCAN of <linux/fs.h> (Linux
 * 6.7), which older systems' headers lack. See
 * Documentation/admin-guide/mm/pagemap.rst in the kernel's sources.
 */

struct vmsi_page_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories; /* VMSI_PAGE_IS_* */
};

struct vmsi_page_scan {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vector;
	uint64_t vector_length;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

_Static_assert(sizeof(struct vmsi_page_scan) == 96, "the kernel's layout");

#define VMSI_PAGE_IS_WRITTEN (1u << 1) /* not write-protected by userfaultfd */
#define VMSI_PAGE_IS_FILE (1u << 2)
#define VMSI_PAGE_IS_PRESENT (1u << 3)
#define VMSI_PAGE_IS_SWAPPED (1u << 4)
#define VMSI_PAGE_IS_PFNZERO (1u << 5)
#define VMSI_PAGE_IS_HUGE (1u << 6)
#define VMSI_PAGE_IS_GUARD (1u << 8) /* MADV_GUARD_INSTALL; Linux 6.15 */

/* Flags: write-protect what matches; fail where that cannot be done. */
#define VMSI_SCAN_PROTECT (1u << 0)
#define VMSI_SCAN_CHECK_PROTECT (1u << 1)

/* Bits of a word. */
#define VMSI_PAGEMAP_PRESENT (1ull << 63)
#define VMSI_PAGEMAP_SWAPPED (1ull << 62)
#define VMSI_PAGEMAP_GUARD (1ull << 58)
#define VMSI_PAGEMAP_FILE (1ull << 61) /* or shared anonymous memory */

#endif
