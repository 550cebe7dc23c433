/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_SETTINGS_H
#define VMSI_PRELOAD_HEAP_SETTINGS_H

#include <limits.h>
#include <stddef.h>

#include <vmspace/heap.h>

#pragma GCC visibility push(hidden)

/* What the environment asks for. */
struct vmsi_interposer_settings {
	struct vms_heap_options options;
	size_t threshold; /* SIZE_MAX: no block goes to the heap */
	enum { VMSI_STATS_OFF, VMSI_STATS_STDERR, VMSI_STATS_FILE } stats;
	char stats_file[PATH_MAX];
};

extern struct vmsi_interposer_settings vmsi_interposer_settings;

/* Read the environment, once; nothing happens before libc has one. */
void vmsi_interposer_read_settings(void);

/* Tell a user of something odd: "vmspace-heap: " and the parts, NULL last. */
__attribute__((sentinel)) void vmsi_interposer_complain(const char *part, ...);

#pragma GCC visibility pop

#endif
