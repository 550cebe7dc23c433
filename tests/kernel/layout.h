/* SPDX-License-Identifier: MIT */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "operation.h"

/* What is mapped in a window, as the space or the kernel lists it. */
#define LAYOUT_ENTRIES 2048

/* Stands for the charge among the flags, to compare it with them. */
#define LAYOUT_ACCOUNTED 0x80000000u

struct layout_entry {
	size_t start; /* bytes from the window's first */
	size_t end;
	int prot;
	bool shared;
	int file;          /* index of struct files; FILES: none of them */
	uint64_t object;   /* inode of a shared anonymous object; 0: not known */
	uint64_t offset;   /* in file or object */
	unsigned flags;    /* VMS_MAPPING_*; only where has_flags */
	bool accounted;    /* charged as private memory; only where has_flags */
	size_t committed;  /* of a space's own list */
};

struct layout {
	size_t count;
	bool has_flags;
	bool overflow;
	struct layout_entry entries[LAYOUT_ENTRIES];
};

/* Read the space's own list. Returns 0 or -errno. */
int layout_of_space(struct layout *layout, const struct caller *caller,
		    const struct files *files);

/* Read /proc/self/maps, or smaps for the flags as well. */
enum layout_detail { LAYOUT_MAPS, LAYOUT_SMAPS };
struct layout_reader {
	int maps;
	int smaps;
	char buffer[1 << 16];
};
int layout_reader_open(struct layout_reader *reader);
void layout_reader_close(struct layout_reader *reader);
int layout_of_host(struct layout *layout, struct layout_reader *reader,
		   const struct caller *caller, const struct files *files,
		   enum layout_detail detail);

/* Return the entry that holds an offset, or NULL. */
const struct layout_entry *layout_at(const struct layout *layout,
				     size_t offset);
/* Return how many entries have a part in [start, end). */
size_t layout_entries_in(const struct layout *layout, size_t start, size_t end);

/*
 * Two layouts are equal if the same offsets are mapped, with equal attributes,
 * however many entries that takes. Each shared anonymous object of one side must
 * match one of the other.
 */
#define OBJECT_PAIRS 256
struct object_pairs {
	size_t count;
	struct {
		uint64_t a, b;
	} pairs[OBJECT_PAIRS];
};

enum layout_holes {
	HOLES_ARE_FREE,     /* in both */
	HOLES_ARE_RESERVED, /* in b they are private PROT_NONE memory */
};

struct layout_difference {
	size_t offset;
	const char *what;
};

/*
 * Return false and the first difference. With pairs NULL objects are not compared.
 */
bool layout_equal(const struct layout *a, const struct layout *b,
		  enum layout_holes holes, unsigned flags_mask,
		  struct object_pairs *pairs,
		  struct layout_difference *difference);

void layout_print(FILE *stream, const struct layout *layout, size_t page);

#endif
