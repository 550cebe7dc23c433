/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_GROUP_FAMILY_H
#define VMSI_TESTS_GROUP_FAMILY_H

#include <stddef.h>
#include <sys/types.h>

#define FAMILY_MOST 8192

/* The descendants of a process, those of the first generation first. */
struct family {
	pid_t list[FAMILY_MOST];
	size_t count;
};

void find_family(pid_t ancestor, struct family *family);

#endif
