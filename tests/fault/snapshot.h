/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SNAPSHOT_H
#define VMSI_TESTS_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/handle.h>
#include <vmspace/list.h>
#include <vmspace/space.h>

/*
 * The state of a space, page by page: in its own list, in the kernel, and its
 * contents. Places are relative to the base, so that two spaces can be compared.
 */

#define SNAPSHOT_HANDLES 4

/* What the host has at a page. */
enum host_page {
	HOST_FREE,   /* nothing: another mmap could land there */
	HOST_HELD,   /* private anonymous PROT_NONE memory */
	HOST_MAPPED, /* anything else, or a page that the space has mapped */
};

struct snapshot_page {
	bool mapped;              /* by the space's own list */
	uint8_t host;             /* enum host_page */
	bool accounted;           /* by the host */
	uint8_t prot, host_prot;
	uint16_t flags, host_flags; /* VMS_MAPPING_* */
	uint32_t file;            /* inode; 0: none */
	uint32_t name;            /* hash of the mapping's name; 0: none */
	uint64_t offset;          /* of the page, in the file or object */
	uint64_t contents;        /* hash; see UNREADABLE in snapshot.c */
};

struct snapshot {
	size_t count;             /* pages */
	uintptr_t base;
	struct vms_space_stats stats;
	size_t listed_committed;  /* the sum over the list */
	struct {
		size_t offset, length;
	} handles[SNAPSHOT_HANDLES];
	unsigned handle_count;
	struct snapshot_page *pages;
};

/* Memory for a snapshot of a space of size bytes. */
void snapshot_make(struct snapshot *snapshot, size_t size);
void snapshot_drop(struct snapshot *snapshot);

/*
 * Read the kernel's mappings without a call on the space, which might repair
 * something; then the rest.
 */
void snapshot_take_host(struct snapshot *snapshot, vms_space *space);
void snapshot_take_space(struct snapshot *snapshot, vms_space *space);
void snapshot_take_handles(struct snapshot *snapshot, vms_space *space,
			   const vms_handle *handles, unsigned handle_count);

/* All of it. */
void snapshot_take(struct snapshot *snapshot, vms_space *space,
		   const vms_handle *handles, unsigned handle_count);

/*
 * Find a page of the space that is unmapped in the kernel, after snapshot_take_host.
 * Return NULL if there is none, else what is wrong and *page.
 */
const char *snapshot_loose_hole(const struct snapshot *snapshot, size_t *page);

/*
 * Compare the list with the kernel: a mapping must be mapped, a hole held. Return
 * NULL, or what is wrong and *page.
 */
const char *snapshot_disagreement(const struct snapshot *snapshot,
				  size_t *page);

/* Return in what two pages differ, or NULL. */
const char *snapshot_page_difference(const struct snapshot *a,
				     const struct snapshot *b, size_t page);

/* Return in what figures and handles differ, or NULL. */
const char *snapshot_figures_difference(const struct snapshot *a,
					const struct snapshot *b);

/* Return the process's size of addresses in bytes. */
size_t process_bytes(void);

#endif
