/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_MEMORY_DISK_H
#define VMSI_TESTS_MEMORY_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A file system in memory, with one home file and one journal: as many images of a
 * crashed machine as one likes, without a file. Contents are shared between copies
 * until they are written.
 */

/* Files that were ever made; 0 is the home file, the others are journals. */
#define MEMORY_FILES 24
#define MEMORY_HOME 0
#define MEMORY_PAGES 2048 /* of a file */
#define MEMORY_ATTRIBUTE 64

struct memory_file {
	uint64_t size;
	size_t attribute_length;
	uint8_t attribute[MEMORY_ATTRIBUTE];
	size_t page_count;               /* of pages that may be not NULL */
	const uint8_t *pages[MEMORY_PAGES]; /* NULL: zeros */
};

/* Where the pages of copies come from; all of them go at once. */
struct memory_arena {
	uint8_t *bytes;
	size_t used, size;
};

struct memory_disk {
	struct memory_file files[MEMORY_FILES];
	int journal;                     /* index of the file of that name; -1: none */
	int made;                        /* files that there were */
	struct memory_arena *arena;
};

void memory_arena_open(struct memory_arena *arena, size_t size);
void memory_arena_close(struct memory_arena *arena);

void memory_disk_init(struct memory_disk *disk, struct memory_arena *arena);

/* What a disk has, for another one to change: with an arena of its own. */
void memory_disk_copy(struct memory_disk *copy, const struct memory_disk *disk,
		      struct memory_arena *arena);

void memory_write(struct memory_disk *disk, int file, const void *bytes,
		  size_t length, uint64_t offset);
size_t memory_read(const struct memory_disk *disk, int file, void *bytes,
		   size_t length, uint64_t offset);
void memory_set_size(struct memory_disk *disk, int file, uint64_t size);

/* Let the host's calls go to a disk; back to what was there. */
#define MEMORY_JOURNAL_PATH "/memory/journal"
void memory_disk_enter(struct memory_disk *disk);
void memory_disk_leave(void);

/* A descriptor of the home file. */
int memory_disk_home(void);

/* Files that were changed since memory_disk_enter, by any call. */
unsigned memory_disk_changes(void);

#endif
