/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_PROCESS_MAPS_H
#define VMSI_GROUP_PROCESS_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "text/maps.h"

/* The mappings of a process, one after the other, from /proc/PID/maps. */
struct vmsi_maps {
	FILE *file;
	char buffer[4096]; /* of the file: the kernel tells no more at once */
	char *line;
	size_t capacity;
};

/* Returns false with errno where the kernel does not tell the mappings. */
bool vmsi_maps_open(struct vmsi_maps *maps, pid_t pid);

/*
 * Read the next mapping, whose label is valid until the next call. Returns false after
 * the last one.
 */
bool vmsi_maps_next(struct vmsi_maps *maps, struct vmsi_maps_line *mapping);
void vmsi_maps_close(struct vmsi_maps *maps);

/*
 * The mapping that an address is in, without its label. Returns false where
 * none is told.
 */
bool vmsi_maps_find(pid_t thread, uintptr_t address,
		    struct vmsi_maps_line *mapping);

/* Whether a mapping of the heap of brk ends there. */
bool vmsi_maps_heap_ends_at(pid_t thread, uintptr_t end);

#endif
