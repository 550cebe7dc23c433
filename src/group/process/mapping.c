/* SPDX-License-Identifier: MIT */
#include "group/process/proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

/* The one mapping that an address is in. */

/* Of PROCMAP_QUERY in <linux/fs.h>, which older headers do not have. */
struct query {
	uint64_t size, flags, address;
	uint64_t start, end, found_flags, page_size, offset, inode;
	uint32_t major_number, minor_number;
	uint32_t name_size, build_id_size;
	uint64_t name, build_id;
};

#define QUERY _IOWR('f', 17, struct query)
#define FOUND_WRITABLE 0x02u
#define FOUND_SHARED 0x08u

/* Returns 1, 0 where nothing is mapped there, or -1: the kernel cannot tell so. */
static int ask(int maps, uintptr_t address, struct vmsi_maps_line *mapping)
{
	struct query query = { .size = sizeof query, .address = address };

	if (ioctl(maps, QUERY, &query))
		return errno == ENOENT ? 0 : -1;
	*mapping = (struct vmsi_maps_line){
		.start = query.start, .end = query.end,
		.device = makedev(query.major_number, query.minor_number),
		.inode = query.inode, .offset = query.offset,
		.is_shared = query.found_flags & FOUND_SHARED,
		.is_writable = query.found_flags & FOUND_WRITABLE,
	};
	return 1;
}

/* Before Linux 6.11 all of them are read, up to that one. */
static bool search(FILE *maps, uintptr_t address,
		   struct vmsi_maps_line *mapping)
{
	const struct vmsi_scan none = { NULL, NULL };
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	while (!found && getline(&line, &room, maps) > 0 &&
	       vmsi_maps_line_read(vmsi_scan_text(line), mapping) &&
	       mapping->start <= address)
		found = address < mapping->end;
	free(line);
	mapping->label = none;
	return found;
}

bool vmsi_proc_mapping_at(pid_t thread, uintptr_t address,
			  struct vmsi_maps_line *mapping)
{
	FILE *maps = vmsi_proc_open(thread, "maps");
	int found;

	if (!maps)
		return false;
	found = ask(fileno(maps), address, mapping);
	if (found < 0)
		found = search(maps, address, mapping);
	fclose(maps);
	return found > 0;
}
