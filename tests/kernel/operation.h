/* SPDX-License-Identifier: MIT */
#ifndef OPERATION_H
#define OPERATION_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "caller.h"

/* A call with its arguments, independent of the window's address. */
enum operation_kind {
	OP_MMAP,
	OP_MUNMAP,
	OP_MREMAP,
	OP_MPROTECT,
	OP_MADVISE,
	OP_MSYNC,
	OP_MLOCK,
	OP_MLOCK2,
	OP_MUNLOCK,
	OP_MINCORE,
	OP_MSEAL,
	OP_TOUCH,    /* write a byte */
	OP_TRUNCATE, /* ftruncate of a file */
	OP_KINDS,
};

/* An address, relative to the window or absolute. */
struct place {
	enum place_kind { PLACE_WINDOW, PLACE_ABSOLUTE } kind;
	uintptr_t offset;
};

struct operation {
	enum operation_kind kind;
	struct place address;
	size_t length;
	size_t new_length;        /* OP_MREMAP, OP_TRUNCATE */
	struct place new_address; /* OP_MREMAP */
	int prot;
	int flags;                /* of mmap, mremap, msync, mlock2, mseal */
	int advice;
	int file;                 /* an index of struct files */
	off_t offset;
	unsigned char byte;       /* OP_TOUCH */
};

#define ANSWERS_ADDRESS(kind) ((kind) == OP_MMAP || (kind) == OP_MREMAP)
#define MINCORE_PAGES 64

/* Descriptors to map; each caller has its own, of its own files. */
enum file_index {
	FILE_MEMORY,    /* a memfd of five pages and a bit */
	FILE_DISK,      /* of seven pages and a bit */
	FILE_READER,    /* FILE_DISK, O_RDONLY */
	FILE_WRITER,    /* FILE_DISK, O_WRONLY */
	FILE_SEALED,    /* a write-sealed memfd of three pages */
	FILE_DIRECTORY,
	FILE_PATH,      /* O_PATH */
	FILE_PIPE,
	FILE_NONE,      /* not open */
	FILES,
};

struct files {
	int fd[FILES];
	uint64_t inode[FILES]; /* 0: none that can be mapped */
	uint64_t memory;       /* the device of memfds and of shared memory */
};

/* Returns 0 or -errno. */
int files_open(struct files *files, size_t page);
void files_close(struct files *files);
/* Return the index of an inode's file, or FILES if it is none of these. */
int files_index(const struct files *files, uint64_t device, uint64_t inode);

struct answer {
	intptr_t result; /* addresses as the caller got them */
	unsigned char vector[MINCORE_PAGES];
};

void *place_address(const struct caller *caller, struct place place);

/* Make the call. A touch answers 0, -SIGSEGV or -SIGBUS. */
void operation_execute(const struct operation *operation,
		       const struct caller *caller, const struct files *files,
		       struct answer *answer);

/* Print the call as a line of C, with addresses as at(PAGE). */
void operation_print(FILE *stream, const struct operation *operation,
		     size_t page);

/*
 * Call catch_faults once in each process; then peek_page returns a digest of a page
 * that is not negative, or -SIGSEGV or -SIGBUS.
 */
void catch_faults(void);
int64_t peek_page(const char *address, size_t page);
int poke_byte(char *address, unsigned char byte);

#endif
