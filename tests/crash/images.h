/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_IMAGES_H
#define VMSI_TESTS_IMAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What the programs share that try many disks of stopped machines. */

#define IMAGES_DEFAULT 5000
#define IMAGES_AT_A_STOP 3
#define IMAGE_ARENA ((size_t)64 << 20)

/* $VMS_SEED, or another one in each run. */
static inline uint64_t images_seed(void)
{
	const char *given = getenv("VMS_SEED");

	return given ? strtoull(given, NULL, 0) :
		(uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
}

#define IMAGES_DIRECTORY "/dev/shm/vmspace-crash-XXXXXX"

/* template: of at least IMAGES_DIRECTORY's length, where the name is written. */
static inline bool images_make_directory(char *template)
{
	if (mkdtemp(template))
		return true;
	(void)strcpy(template, "/tmp/vmspace-crash-XXXXXX");
	return mkdtemp(template) != NULL;
}

#endif
