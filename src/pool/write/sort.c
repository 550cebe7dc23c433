/* SPDX-License-Identifier: MIT */
#include "pool/write/sort.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static uint64_t key_of(const char *array, size_t place, size_t size)
{
	uint64_t key;

	memcpy(&key, array + place * size, sizeof(key));
	return key;
}

static void exchange(char *array, size_t a, size_t b, size_t size)
{
	char kept[VMSI_SORT_MOST];

	memcpy(kept, array + a * size, size);
	memcpy(array + a * size, array + b * size, size);
	memcpy(array + b * size, kept, size);
}

/* Let what is at a place sink below what is larger. */
static void sink(char *array, size_t place, size_t count, size_t size)
{
	for (;;) {
		size_t child = 2 * place + 1;

		if (child >= count)
			return;
		if (child + 1 < count && key_of(array, child, size) <
						 key_of(array, child + 1, size))
			child++;
		if (key_of(array, place, size) >= key_of(array, child, size))
			return;
		exchange(array, place, child, size);
		place = child;
	}
}

/* What is sorted often comes in its order. */
static bool is_sorted(const char *array, size_t count, size_t size)
{
	for (size_t i = 1; i < count; i++)
		if (key_of(array, i - 1, size) > key_of(array, i, size))
			return false;
	return true;
}

void vmsi_sort(void *array, size_t count, size_t size)
{
	if (is_sorted(array, count, size))
		return;
	for (size_t i = count / 2; i-- > 0;)
		sink(array, i, count, size);
	for (size_t end = count; end-- > 1;) {
		exchange(array, 0, end, size);
		sink(array, 0, end, size);
	}
}
