/* SPDX-License-Identifier: MIT */
#include "group/process/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "base/procmap.h"
#include "group/process/proc.h"

bool vmsi_maps_open(struct vmsi_maps *maps, pid_t pid)
{
	maps->file = vmsi_proc_open(pid, "maps");
	maps->line = NULL;
	maps->capacity = 0;
	if (maps->file)
		(void)setvbuf(maps->file, maps->buffer, _IOFBF,
			      sizeof maps->buffer);
	return maps->file != NULL;
}

bool vmsi_maps_next(struct vmsi_maps *maps, struct vmsi_maps_line *mapping)
{
	if (getline(&maps->line, &maps->capacity, maps->file) <= 0)
		return false;
	maps->line[strcspn(maps->line, "\n")] = '\0';
	return vmsi_maps_line_read(vmsi_scan_text(maps->line), mapping);
}

void vmsi_maps_close(struct vmsi_maps *maps)
{
	free(maps->line);
	fclose(maps->file);
}

/* --- the one that an address is in ---------------------------------------- */

/*
 * Write the name of the mapping as well, if it is not longer than size. Returns 1; 0
 * where nothing is mapped there, or with a longer name; -1: the kernel has no such query.
 */
static int ask(int maps, uintptr_t address, struct vmsi_maps_line *mapping,
	       char *name, uint32_t size)
{
	struct vmsi_procmap_query query = {
		.size = sizeof query, .address = address,
		.name = (uintptr_t)name, .name_size = size,
	};

	if (ioctl(maps, VMSI_PROCMAP_QUERY, &query))
		return errno == ENOENT || errno == ENAMETOOLONG ? 0 : -1;
	*mapping = (struct vmsi_maps_line){
		.start = query.start, .end = query.end,
		.device = makedev(query.major_number, query.minor_number),
		.inode = query.inode, .offset = query.offset,
		.is_shared = query.found_flags & VMSI_PROCMAP_SHARED,
		.is_writable = query.found_flags & VMSI_PROCMAP_WRITABLE,
	};
	if (query.name_size)
		mapping->label = vmsi_scan_text(name);
	return 1;
}

/* Before Linux 6.11 all of them are read, up to that one. */
static bool search(struct vmsi_maps *maps, uintptr_t address,
		   struct vmsi_maps_line *mapping)
{
	while (vmsi_maps_next(maps, mapping) && mapping->start <= address)
		if (address < mapping->end)
			return true;
	return false;
}

bool vmsi_maps_find(pid_t thread, uintptr_t address,
		    struct vmsi_maps_line *mapping)
{
	const struct vmsi_scan none = { NULL, NULL };
	struct vmsi_maps maps;
	int found;

	if (!vmsi_maps_open(&maps, thread))
		return false;
	found = ask(fileno(maps.file), address, mapping, NULL, 0);
	if (found < 0)
		found = search(&maps, address, mapping);
	vmsi_maps_close(&maps);
	mapping->label = none;
	return found > 0;
}

bool vmsi_maps_heap_ends_at(pid_t thread, uintptr_t end)
{
	struct vmsi_maps_line mapping = { .end = 0 };
	struct vmsi_maps maps;
	char name[16] = "";
	bool ends;
	int found;

	if (!vmsi_maps_open(&maps, thread))
		return false;
	found = ask(fileno(maps.file), end - 1, &mapping, name, sizeof name);
	if (found < 0)
		found = search(&maps, end - 1, &mapping);
	ends = found > 0 && mapping.end == end && mapping.label.at &&
		vmsi_scan_is(&mapping.label, "[heap]");
	vmsi_maps_close(&maps);
	return ends;
}
