/* SPDX-License-Identifier: MIT */
/*
 * vmspace/list.h: who has committed what, and what of it is in memory.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <vmspace/list.h>
#include <vmspace/mapping.h>

#define MIB ((size_t)1 << 20)

static int add(vms_space *space, const char *name, size_t length, size_t used)
{
	char *memory = vms_mmap(space, NULL, length, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	memset(memory, 1, used);
	return vms_set_name(space, memory, length, name);
}

int main(void)
{
	vms_space *space = vms_space_open((size_t)1 << 32, NULL);
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	uintptr_t cursor = 0;
	int more;

	if (!space || add(space, "index", 16 * MIB, 16 * MIB) < 0 ||
	    add(space, "blocks", 256 * MIB, 8 * MIB) < 0 ||
	    add(space, "log", 4 * MIB, 0) < 0) {
		perror("example-listing");
		return 1;
	}
	while ((more = vms_space_next_mapping(space, &cursor, &info,
					      VMS_LIST_RESIDENT)) > 0)
		printf("%-8s %4zu MiB committed, %4zu MiB in memory\n",
		       info.name, info.committed / MIB, info.resident / MIB);
	return more < 0 || vms_space_close(space) < 0;
}
