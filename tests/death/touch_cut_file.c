/* SPDX-License-Identifier: MIT */
#include "file_death.h"

/* A file that was cut off, touched after an access has ended. */
int main(void)
{
	struct vms_file_access access;
	int fd;
	vms_file *file = open_file(&fd);
	volatile char *memory = vms_file_at(file, 0, 8 * page_size());

	must(vms_file_begin_access(file, &access), "vms_file_begin_access");
	memory[7 * page_size()] = 1;
	must(vms_file_end_access(&access, NULL), "vms_file_end_access");
	must(ftruncate(fd, (off_t)page_size()), "ftruncate");
	misuse();
	return memory[7 * page_size()];
}
