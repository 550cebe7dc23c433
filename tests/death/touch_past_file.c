/* SPDX-License-Identifier: MIT */
#include "death.h"

/* A page of a mapping that lies past the end of its file. */
int main(void)
{
	vms_space *space = open_space();
	int file = memfd_create("short", MFD_CLOEXEC);
	volatile char *memory;

	must(ftruncate(file, (off_t)page_size()), "ftruncate");
	memory = vms_mmap(space, NULL, 2 * page_size(), PROT_READ, MAP_SHARED,
			  file, 0);
	if (memory == MAP_FAILED || memory[page_size() - 1] != 0)
		return 2;
	misuse();
	return memory[page_size()];
}
