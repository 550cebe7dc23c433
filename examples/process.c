/* SPDX-License-Identifier: MIT */
/*
 * vmspace/process.h: what any process has mapped, charged and in memory.
 *
 *   example-process [PID]          (default: this program itself)
 */
#include <stdio.h>
#include <stdlib.h>

#include <vmspace/process.h>

int main(int argc, char **argv)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	vms_process_maps *maps =
		vms_process_maps_open(argc > 1 ? (pid_t)strtol(argv[1], NULL, 10) : 0);
	size_t count = 0, mapped = 0, committed = 0, resident = 0;
	int more;

	if (!maps) {
		perror("example-process");
		return 1;
	}
	while ((more = vms_process_maps_next(maps, &info)) > 0) {
		count++;
		mapped += info.length;
		committed += info.committed;
		resident += info.resident;
	}
	if (more < 0)
		perror("example-process");
	vms_process_maps_close(maps);
	printf("%zu mappings: %zu KiB of addresses, %zu KiB committed, %zu KiB in memory\n",
	       count, mapped >> 10, committed >> 10, resident >> 10);
	return more < 0;
}
