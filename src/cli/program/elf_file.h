/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_ELF_FILE_H
#define VMSI_CLI_ELF_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* What an ELF file says of how it is loaded. */
struct vmsi_elf {
	/* A library can be loaded into a program of the same platform. */
	struct {
		unsigned char class, order;
		uint16_t machine;
	} platform;
	uint16_t type;              /* ET_* */
	char interpreter[PATH_MAX]; /* the dynamic loader; empty: none */
	const char *sanitizer;      /* what it is built with; NULL: nothing */
	bool defines_malloc;        /* and exports it */
};

/*
 * Read a file. Returns 0; -ENOEXEC: it is no ELF file, or is damaged; another
 * -errno: it cannot be read.
 */
int vmsi_elf_read(const char *path, struct vmsi_elf *elf);

bool vmsi_elf_same_platform(const struct vmsi_elf *a, const struct vmsi_elf *b);

#endif
