/* SPDX-License-Identifier: MIT */
/*
 * vmspace/heap.h: two arrays that grow to 200 MiB in turn, by 1 MiB steps.
 *
 * With malloc each would be in the other's way and be copied, again and again.
 * Here nothing is copied: each moves its page tables twice, when it leaves its
 * first places, and grows where it is otherwise.
 */
#include <stdio.h>
#include <string.h>

#include <vmspace/heap.h>

#define STEP ((size_t)1 << 20)
#define STEPS 200

static int report(vms_heap *heap)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };

	if (vms_heap_get_stats(heap, &stats) < 0)
		return -1;
	printf("%zu blocks of %zu MiB in all: %llu growths in place, %llu moves "
	       "of %llu MiB, which were not copied\n", stats.blocks,
	       stats.live >> 20, (unsigned long long)stats.grown_in_place,
	       (unsigned long long)stats.moves,
	       (unsigned long long)stats.moved_bytes >> 20);
	return 0;
}

int main(void)
{
	vms_heap *heap = vms_heap_open(NULL);
	char *arrays[2] = { NULL, NULL };

	if (!heap)
		goto failed;
	for (size_t step = 1; step <= STEPS; step++) {
		for (int i = 0; i < 2; i++) {
			char *grown = vms_heap_realloc(heap, arrays[i],
						       step * STEP);

			if (!grown)
				goto failed;
			arrays[i] = grown;
			memset(grown + (step - 1) * STEP, i + 1, STEP);
		}
	}
	if (arrays[0][0] != 1 || arrays[1][STEPS * STEP - 1] != 2 ||
	    report(heap) < 0)
		goto failed;
	for (int i = 0; i < 2; i++)
		vms_heap_free(heap, arrays[i]);
	printf("%zu MiB were kept for the next block and are given back\n",
	       vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL) >> 20);
	vms_heap_close(heap);
	return 0;

failed:
	perror("example-heap");
	return 1;
}
