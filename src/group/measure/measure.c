/* SPDX-License-Identifier: MIT */
#include "group/measure/measure.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <vmspace/process.h>

#include "group/measure/shared_objects.h"
#include "group/process/group.h"
#include "group/process/maps.h"
#include "group/process/proc.h"

/*
 * What the kernel has charged a process for, read from its mappings. Private
 * memory is the process's own; shared memory belongs to an object, which counts
 * once in the group.
 */

static size_t charge_of(const struct vms_group *group,
			const struct vms_mapping_info *mapping)
{
	if (mapping->flags & (VMS_MAPPING_SHARED | VMS_MAPPING_HUGETLB))
		return 0;
	if ((mapping->flags & VMS_MAPPING_NORESERVE) &&
	    (mapping->prot & PROT_WRITE) &&
	    group->counts_noreserve)
		return mapping->length;
	return mapping->committed;
}

/* Whether memory stays free whatever mprotect makes of it. */
static bool is_never_charged(const struct vms_group *group,
			     const struct vms_mapping_info *mapping)
{
	return (mapping->flags & VMS_MAPPING_HUGETLB) ||
		((mapping->flags & VMS_MAPPING_NORESERVE) &&
		 !group->counts_noreserve);
}

/* --- processes ---------------------------------------------------------- */

/*
 * Whether a file is the dynamic loader, by its name. That of musl is the C
 * library too and asks for memory as long as the program runs, so it does not
 * count as a loader.
 */
static bool is_loader(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && strncmp(slash, "/ld-", 4) == 0 &&
		strncmp(slash, "/ld-musl", 8) != 0 && strstr(slash, ".so");
}

static void note_loader(struct vmsi_measure *measure,
			uintptr_t start, uintptr_t end)
{
	if (!measure->loader_start)
		measure->loader_start = start;
	measure->loader_end = end;
}

/*
 * A program that hides its mappings from the supervisor: only a sum is told,
 * and not where its heap ends.
 */
static int measure_from_outside(pid_t thread, struct vmsi_measure *measure)
{
	const int error = errno;

	*measure = (struct vmsi_measure){ .committed = vmsi_proc_data(thread) };
	return (error == EACCES || error == EPERM) && measure->committed ?
		0 : -error;
}

int vmsi_measure_process(const struct vms_group *group, pid_t thread,
			 struct vmsi_measure *measure,
			 struct vmsi_shared_objects *objects)
{
	struct vms_mapping_info mapping = { .struct_size = sizeof mapping };
	vms_process_maps *maps = vms_process_maps_open(thread);
	struct vmsi_proc_stat stat;
	int got;

	if (!maps)
		return measure_from_outside(thread, measure);
	*measure = (struct vmsi_measure){ .committed = 0 };
	while ((got = vms_process_maps_next(maps, &mapping)) == 1) {
		const size_t charge = charge_of(group, &mapping);

		measure->committed += charge;
		if (!charge && (mapping.prot & PROT_WRITE) &&
		    !(mapping.flags & VMS_MAPPING_SHARED))
			measure->free += mapping.length;
		if (mapping.flags & VMS_MAPPING_DONTFORK)
			measure->not_copied += charge;
		if (mapping.flags & VMS_MAPPING_GROWSDOWN)
			measure->stack += mapping.length;
		if (strcmp(mapping.name, "[heap]") == 0)
			measure->data_end = mapping.start + mapping.length;
		if (objects && (mapping.flags & VMS_MAPPING_SHARED))
			vmsi_shared_objects_add(group, objects, &mapping);
	}
	got = got < 0 ? -errno : 0;
	vms_process_maps_close(maps);
	if (!got && !measure->data_end && vmsi_proc_read_stat(thread, &stat))
		measure->data_end = stat.heap_start;
	return got;
}

static void count_line(const struct vmsi_maps_line *mapping,
		       struct vmsi_measure *measure)
{
	if (mapping->is_writable && !mapping->is_shared)
		measure->committed += mapping->end - mapping->start;
	if (vmsi_scan_is(&mapping->label, "[stack]"))
		measure->stack = mapping->end - mapping->start;
	if (*mapping->label.at == '/' && is_loader(mapping->label.at))
		note_loader(measure, mapping->start, mapping->end);
}

int vmsi_measure_image(pid_t thread, struct vmsi_measure *measure)
{
	struct vmsi_maps_line mapping;
	struct vmsi_maps maps;

	if (!vmsi_maps_open(&maps, thread))
		return measure_from_outside(thread, measure);
	*measure = (struct vmsi_measure){ .committed = 0 };
	while (vmsi_maps_next(&maps, &mapping))
		count_line(&mapping, measure);
	vmsi_maps_close(&maps);
	return measure->committed ? 0 : -ESRCH;
}

static size_t overlap(const struct vms_mapping_info *mapping, uintptr_t start,
		      uintptr_t end)
{
	uintptr_t from = mapping->start, to = from + mapping->length;

	if (from < start)
		from = start;
	if (to > end)
		to = end;
	return from < to ? to - from : 0;
}

int vmsi_measure_range(const struct vms_group *group, pid_t thread,
		       uintptr_t start, uintptr_t end, size_t *private,
		       size_t *charged)
{
	struct vms_mapping_info mapping = { .struct_size = sizeof mapping };
	vms_process_maps *maps = vms_process_maps_open(thread);
	int got;

	if (!maps)
		return -errno;
	*private = *charged = 0;
	while ((got = vms_process_maps_next(maps, &mapping)) == 1 &&
	       mapping.start < end) {
		size_t bytes = overlap(&mapping, start, end);

		if ((mapping.flags & VMS_MAPPING_SHARED) ||
		    is_never_charged(group, &mapping))
			continue;
		*private += bytes;
		if (charge_of(group, &mapping))
			*charged += bytes;
	}
	got = got < 0 ? -errno : 0;
	vms_process_maps_close(maps);
	return got;
}

uintptr_t vmsi_measure_start(pid_t thread, uintptr_t address, uintptr_t end)
{
	struct vmsi_maps_line mapping;
	struct vmsi_maps maps;
	uintptr_t start = 0;

	if (!vmsi_maps_open(&maps, thread))
		return 0;
	while (!start && vmsi_maps_next(&maps, &mapping) && mapping.start < end)
		if (mapping.end > address)
			start = mapping.start;
	vmsi_maps_close(&maps);
	return start;
}
