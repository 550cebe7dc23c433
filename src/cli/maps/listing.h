/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_LISTING_H
#define VMSI_CLI_LISTING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace.h>

#include "cli/process_name.h"

/*
 * All mappings of a process. They are read before anything is printed, so that
 * columns can be aligned, and a process that ends meanwhile makes an error and
 * not half a listing.
 */

enum vmsi_file_state { VMSI_FILE_PRESENT, VMSI_FILE_DELETED };

/* The fields of struct vms_mapping_info, with texts of just their length. */
struct vmsi_listed {
	uintptr_t start;
	size_t length;
	int prot;
	unsigned flags;
	size_t page_size;
	uint64_t device;
	uint64_t inode;
	uint64_t offset;
	size_t committed;
	size_t resident;
	enum vmsi_file_state file_state;
	char *path; /* without " (deleted)"; "": none */
	char *name; /* "": none */
};

struct vmsi_total {
	size_t mappings;
	uint64_t size;
	uint64_t committed;
	uint64_t resident;
};

struct vmsi_listing {
	pid_t pid;
	char command[VMSI_PROCESS_NAME_SIZE];
	struct vmsi_listed *mappings;
	size_t count;
	size_t capacity;
	struct vmsi_total total;
};

/*
 * Read the mappings of process pid; 0 means this one. Returns 0, or -errno as the
 * calls of <vmspace/process.h>, or -ENOMEM. The caller frees the listing in
 * either case.
 */
int vmsi_listing_read(struct vmsi_listing *listing, pid_t pid);
void vmsi_listing_free(struct vmsi_listing *listing);

/* The word for each flag of a mapping, other than those of sharing. */
struct vmsi_flag_word {
	unsigned flag;
	const char *word;
};

/* The last entry has a NULL word. */
extern const struct vmsi_flag_word vmsi_flag_words[];

/* Protection as "rwx", with '-' for what is missing. */
struct vmsi_prot_text {
	char text[4];
};

struct vmsi_prot_text vmsi_prot_text(int prot);

#endif
