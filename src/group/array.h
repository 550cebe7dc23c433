/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_ARRAY_H
#define VMSI_GROUP_ARRAY_H

#include <stddef.h>
#include <stdlib.h>

/* An array with room for one more of size bytes; NULL: no memory. */
static inline void *vmsi_with_room(void *array, size_t count, size_t *room,
				   size_t size)
{
	const size_t more = *room ? 2 * *room : 16;
	void *larger;

	if (count < *room)
		return array;
	larger = reallocarray(array, more, size);
	if (larger)
		*room = more;
	return larger;
}

#endif
