/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_ARRAY_H
#define VMSI_BASE_ARRAY_H

#include <stddef.h>
#include <stdlib.h>

/* An array begins with about so many bytes. */
#define VMSI_FIRST_ARRAY 256

/*
 * Return an array that has place for another element, of size bytes: itself while
 * count is below *capacity, and otherwise a larger one in its place, whose capacity
 * is then in *capacity. Returns NULL without memory, and the array is as it was.
 */
static inline void *vmsi_with_capacity(void *array, size_t count,
				       size_t *capacity, size_t size)
{
	size_t more = 2 * *capacity;
	void *larger;

	if (count < *capacity)
		return array;
	if (!more)
		more = size < VMSI_FIRST_ARRAY ? VMSI_FIRST_ARRAY / size : 1;
	larger = reallocarray(array, more, size);
	if (larger)
		*capacity = more;
	return larger;
}

#endif
