/* SPDX-License-Identifier: MIT */
#include "file_death.h"

/* Accesses that end in the order in which they began; only debug builds look. */
int main(void)
{
	struct vms_file_access outer, inner;
	int fd;
	vms_file *file = open_file(&fd);

	must(vms_file_begin_access(file, &outer), "vms_file_begin_access");
	must(vms_file_begin_access(file, &inner), "vms_file_begin_access");
	misuse();
	must(vms_file_end_access(&outer, NULL), "vms_file_end_access");
	return 0;
}
