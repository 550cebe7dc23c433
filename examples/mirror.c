/* SPDX-License-Identifier: MIT */
/*
 * vmspace/mapping.h: a ring buffer that needs no wrapping code.
 *
 * The same memory is mapped twice, side by side, so that what is written past
 * the end of the ring appears at its start. With mmap alone, nobody could say
 * whether the second MAP_FIXED hits somebody else's memory.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace/mapping.h>

#define RING_BYTES ((size_t)64 << 10)

static char *map_ring(vms_space *space, int fd)
{
	char *ring = vms_mmap(space, NULL, 2 * RING_BYTES, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ring == MAP_FAILED)
		return NULL;
	for (size_t half = 0; half < 2; half++)
		if (vms_mmap(space, ring + half * RING_BYTES, RING_BYTES,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			     0) == MAP_FAILED)
			return NULL;
	return ring;
}

int main(void)
{
	static const char message[] = "written across the end of the ring";
	vms_space *space = vms_space_open((size_t)1 << 30, NULL);
	int fd = memfd_create("ring", MFD_CLOEXEC);
	char *ring;
	size_t at = RING_BYTES - 10;

	if (!space || fd < 0 || ftruncate(fd, (off_t)RING_BYTES) < 0 ||
	    !(ring = map_ring(space, fd))) {
		perror("example-mirror");
		return 1;
	}
	memcpy(ring + at, message, sizeof(message));
	printf("the last ten bytes: \"%.10s\"\n", ring + at);
	printf("go on at the start: \"%s\"\n", ring);
	return strcmp(ring, message + 10) != 0 || vms_space_close(space) < 0;
}
