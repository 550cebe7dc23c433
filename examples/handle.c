/* SPDX-License-Identifier: MIT */
/*
 * vmspace/handle.h: two arrays that grow in turn, and get in each other's way.
 *
 * Each moves once, when the other lies behind it, to where it has room. The
 * handle finds it again; a pointer would not.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include <vmspace/handle.h>
#include <vmspace/mapping.h>

#define STEP ((size_t)4 << 20)
#define STEPS 8

static int start(vms_space *space, void *address, vms_handle *handle)
{
	void *memory = vms_mmap(space, address, STEP, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	*(uint32_t *)memory = 7;
	return vms_handle_open(space, memory, STEP, handle);
}

int main(void)
{
	vms_space *space = vms_space_open((size_t)1 << 33, NULL);
	char *base = space ? vms_space_base(space) : NULL;
	vms_handle arrays[2];

	if (!space || start(space, base, &arrays[0]) < 0 ||
	    start(space, base + STEP, &arrays[1]) < 0)
		goto failed;
	for (size_t step = 2; step <= STEPS; step++) {
		for (int i = 0; i < 2; i++) {
			uint32_t *array;

			if (vms_handle_resize(space, arrays[i], step * STEP) < 0)
				goto failed;
			array = vms_handle_address(space, arrays[i]);
			if (!array || array[0] != 7)
				goto failed;
			printf("array %d: %3zu MiB at %p\n", i,
			       step * STEP >> 20, (void *)array);
		}
	}
	return vms_space_close(space) < 0;

failed:
	perror("example-handle");
	return 1;
}
