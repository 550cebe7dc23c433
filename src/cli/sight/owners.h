/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_OWNERS_H
#define VMSI_CLI_OWNERS_H

#include <stdint.h>

#include "cli/sight/figures.h"
#include "text/scan.h"

/* Who the memory of a process belongs to, each with the sum of its mappings. */

enum vmsi_owner_kind {
	VMSI_OWNER_FILE,      /* a file or library, with what lies behind its data */
	VMSI_OWNER_HEAP,      /* of brk(2) */
	VMSI_OWNER_ARENAS,    /* those of glibc's malloc besides the first */
	VMSI_OWNER_STACK,
	VMSI_OWNER_NAMED,     /* anonymous memory that the program has named */
	VMSI_OWNER_ANONYMOUS,
	VMSI_OWNER_SHARED,    /* shared without a file of the program's */
	VMSI_OWNER_MEMFD,
	VMSI_OWNER_KERNEL,    /* what the kernel maps for itself */
	VMSI_OWNER_RESERVED,  /* addresses that are set aside, and nothing is in them */
	/* What a process tells of itself by its table of names, from here on. */
	VMSI_OWNER_SPACE,
	VMSI_OWNER_BUFFERS,
	VMSI_OWNER_VMSPACE_HEAP,
	VMSI_OWNER_VMSPACE_FILE,
	VMSI_OWNER_SHARE,
	VMSI_OWNER_RING,
	VMSI_OWNER_STACKS,
	VMSI_OWNER_CODE,
	VMSI_OWNER_POOL,
	VMSI_OWNER_KINDS,
};

static inline bool vmsi_owner_is_told(enum vmsi_owner_kind kind)
{
	return kind >= VMSI_OWNER_SPACE;
}

/* The words for the kinds, in JSON. */
extern const char *const vmsi_owner_kinds[VMSI_OWNER_KINDS];

#define VMSI_NO_OWNER UINT32_MAX

/* A label, or what an owner is called: one of each text in a process. */
struct vmsi_name {
	char *text;           /* may have any bytes but 0 */
	bool is_deleted;      /* a file that has no name any more */
	uint64_t hash;
	size_t label_length;  /* of the label that text was made of */
	char *label;
	uint32_t owners[VMSI_OWNER_KINDS]; /* who are called so, or VMSI_NO_OWNER */
};

struct vmsi_owner {
	enum vmsi_owner_kind kind;
	const struct vmsi_name *name;
	struct vmsi_figures figures;
};

struct vmsi_owners {
	struct vmsi_owner *list;
	size_t count, capacity;
	struct vmsi_name **names; /* by hash; a power of two of places */
	size_t name_count, places;
	struct vmsi_name *last;   /* the name that was looked for last */
};

/*
 * Get the name that a label of /proc/PID/maps makes, whose newlines are newlines, or a
 * word of ours. Returns NULL without memory. A name stays where it is until vmsi_owners_free.
 */
struct vmsi_name *vmsi_owners_name(struct vmsi_owners *owners,
				   struct vmsi_scan label);

/*
 * Get the name that is a text of any bytes but 0, which no label of the kernel's
 * makes. Returns NULL without memory.
 */
struct vmsi_name *vmsi_owners_told_name(struct vmsi_owners *owners,
					const char *text);

/* Get the number of an owner in the list; VMSI_NO_OWNER without memory. */
uint32_t vmsi_owners_find(struct vmsi_owners *owners, enum vmsi_owner_kind kind,
			  struct vmsi_name *name);

void vmsi_owners_free(struct vmsi_owners *owners);

#endif
