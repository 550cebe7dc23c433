/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_NAMES_H
#define VMSI_CLI_NAMES_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli/sight/owners.h"
#include "space/sign_table.h"

/*
 * What a process that uses the library tells of its spaces, by its table of names
 * (space/sign_table.h). A table is taken for what the process says, and no more: names
 * may have any bytes, and ranges lie anywhere.
 */

/* A space of the process, or the like. */
struct vmsi_named {
	enum vmsi_owner_kind kind;
	uint64_t start, end;
	char text[VMSI_SIGN_NAME_MAX + 1]; /* its name, or "0x" and its address */
};

/* A range of addresses that belongs to one; where several lie, to the innermost. */
struct vmsi_named_part {
	uint64_t start, end;
	const struct vmsi_named *named;
};

struct vmsi_names {
	uint64_t device, inode;        /* of the table */
	struct vmsi_named *list;       /* in ascending order of start */
	size_t count;
	struct vmsi_named_part *parts; /* in ascending order, none overlaps another */
	size_t part_count;
};

/* A process may have several open: its own, and those that it was forked with. */
#define VMSI_TABLES 8

struct vmsi_tables {
	struct vmsi_names tables[VMSI_TABLES];
	size_t count;
};

/*
 * Read the tables that a process has open. One that is none, or of another version, is
 * left out, and so are all where the caller may not look. Returns 0 or -errno. The
 * caller frees them in either case.
 */
int vmsi_tables_read(struct vmsi_tables *tables, pid_t pid);
void vmsi_tables_free(struct vmsi_tables *tables);

/*
 * Make the parts of a table of so many signs, which were read three times; signs that
 * are not whole are left out. Returns 0 or -ENOMEM, and there are none.
 */
int vmsi_names_of_signs(struct vmsi_names *names, const struct vmsi_sign *const reads[3],
		    size_t count);

#endif
