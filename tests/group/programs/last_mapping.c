/* SPDX-License-Identifier: MIT */
#include "last_mapping.h"

#include <errno.h>
#include <sys/mman.h>

void *last = MAP_FAILED;
size_t last_bytes;

int keep(void *mapped, size_t bytes)
{
	if (mapped == MAP_FAILED)
		return errno;
	last = mapped;
	last_bytes = bytes;
	return 0;
}
