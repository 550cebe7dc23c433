/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace/process.h>

#include "group/measure/measure.h"
#include "group/measure/shared.h"
#include "group/measure/shared_objects.h"
#include "group/process/group.h"
#include "group/process/proc.h"

/*
 * Shared objects of a process whose mappings are said here. A memfd whose inode
 * is the number of a segment takes more of the kernel's inodes than a test may.
 */

#define PAGE ((size_t)4096)
#define DEVICE 1u
#define SEGMENT_BYTES (10 * PAGE)

static struct vms_mapping_info mappings[3];
static size_t mapping_count, next_mapping;

/* --- in place of the library ---------------------------------------------- */

vms_process_maps *vms_process_maps_open(pid_t pid)
{
	(void)pid;
	next_mapping = 0;
	return (vms_process_maps *)mappings;
}

int vms_process_maps_next(vms_process_maps *maps,
			  struct vms_mapping_info *mapping)
{
	(void)maps;
	if (next_mapping == mapping_count)
		return 0;
	*mapping = mappings[next_mapping++];
	return 1;
}

void vms_process_maps_close(vms_process_maps *maps)
{
	(void)maps;
}

FILE *vmsi_proc_open(pid_t pid, const char *name)
{
	(void)pid;
	(void)name;
	return NULL;
}

size_t vmsi_proc_data(pid_t pid)
{
	(void)pid;
	return 0;
}

bool vmsi_proc_read_stat(pid_t pid, struct vmsi_proc_stat *stat)
{
	(void)pid;
	(void)stat;
	return false;
}

bool vmsi_tmpfs_has(const struct vmsi_shared *shared, uint64_t device)
{
	(void)shared;
	(void)device;
	return false;
}

/* This process, which makes the segment, is of the group. */
bool vmsi_process_is_known(const struct vms_group *group, pid_t pid)
{
	(void)group;
	return pid == getpid();
}

/* --- objects -------------------------------------------------------------- */

static struct vms_mapping_info *add_mapping(uint64_t inode, size_t bytes)
{
	struct vms_mapping_info *mapping = &mappings[mapping_count++];

	*mapping = (struct vms_mapping_info){
		.struct_size = sizeof *mapping, .flags = VMS_MAPPING_SHARED,
		.start = mapping_count * 1000 * PAGE, .length = bytes,
		.device = DEVICE, .inode = inode, .resident = bytes,
	};
	return mapping;
}

static void map_memfd(uint64_t inode, size_t bytes)
{
	struct vms_mapping_info *mapping = add_mapping(inode, bytes);

	strcpy(mapping->path, "/memfd:other");
}

/* As its label is told: see vmsi_label_classify. */
static void map_segment(uint64_t inode)
{
	struct vms_mapping_info *mapping = add_mapping(inode, SEGMENT_BYTES);

	mapping->flags |= VMS_MAPPING_ANONYMOUS;
	strcpy(mapping->name, "/SYSV00000000");
}

/* Of all that is mapped and of the segment. */
static size_t objects_bytes(void)
{
	struct vmsi_shared shared = { .made_segments = true };
	const struct vms_group group = { .shared = &shared };
	struct vmsi_shared_objects objects = { NULL, 0, 0 };
	struct vmsi_measure measure;
	size_t bytes;

	assert_int_equal(vmsi_measure_process(&group, getpid(), &measure,
					      &objects), 0);
	bytes = vmsi_shared_objects_bytes(&group, &objects);
	vmsi_shared_objects_free(&objects);
	return bytes;
}

static int make_segment(void **state)
{
	static int id;

	mapping_count = 0;
	id = shmget(IPC_PRIVATE, SEGMENT_BYTES, IPC_CREAT | 0600);
	*state = &id;
	return id < 0 ? -1 : 0;
}

static int remove_segment(void **state)
{
	return shmctl(*(int *)*state, IPC_RMID, NULL);
}

static void a_segment_counts_attached_or_not(void **state)
{
	const int id = *(int *)*state;

	assert_int_equal(objects_bytes(), SEGMENT_BYTES);
	map_segment((uint64_t)id);
	assert_int_equal(objects_bytes(), SEGMENT_BYTES);
	/* By another process, say. */
	map_segment((uint64_t)id);
	assert_int_equal(objects_bytes(), SEGMENT_BYTES);
}

static void a_memfd_with_its_number_does_not_hide_a_segment(void **state)
{
	const int id = *(int *)*state;

	map_memfd((uint64_t)id, PAGE);
	assert_int_equal(objects_bytes(), SEGMENT_BYTES + PAGE);
}

static void a_memfd_with_its_number_is_an_object_of_its_own(void **state)
{
	const int id = *(int *)*state;

	map_memfd((uint64_t)id, 3 * PAGE);
	map_segment((uint64_t)id);
	map_memfd((uint64_t)id, 3 * PAGE);
	assert_int_equal(objects_bytes(), SEGMENT_BYTES + 3 * PAGE);
}

/* --- files in memory that count ------------------------------------------- */

#define FILE_INODE 77u

static int forget_mappings(void **state)
{
	(void)state;
	mapping_count = 0;
	return 0;
}

/* As a look at all does, while nothing or something may not have been made. */
static size_t look_at_all(struct vms_group *group, bool unmade)
{
	struct vmsi_shared_objects objects = { NULL, 0, 0 };
	struct vmsi_measure measure;
	size_t bytes;

	assert_int_equal(vmsi_measure_process(group, getpid(), &measure,
					      &objects), 0);
	if (unmade)
		vmsi_shared_objects_keep(group, &objects);
	bytes = vmsi_shared_objects_bytes(group, &objects);
	vmsi_shared_objects_apply(group, &objects);
	vmsi_shared_objects_free(&objects);
	return bytes;
}

/* Nothing of it is touched; ten pages count, of which five are mapped. */
static void what_counts_stays_as_long_as_it_may_be_mapped(void **state)
{
	static struct vmsi_shared shared;
	struct vms_group group = { .shared = &shared };
	const struct vmsi_file_part part = {
		.device = DEVICE, .inode = FILE_INODE, .end = 10 * PAGE };
	struct vms_mapping_info *mapping;

	(void)state;
	vmsi_memory_files_count(&shared.files, &part);
	map_memfd(FILE_INODE, 5 * PAGE);
	mapping = &mappings[0];
	mapping->resident = 0;
	mapping->prot = PROT_READ | PROT_WRITE;
	assert_int_equal(look_at_all(&group, true), 10 * PAGE);
	assert_int_equal(vmsi_memory_files_missing(&shared.files, &part), 0);
	assert_int_equal(look_at_all(&group, false), 5 * PAGE);
	assert_int_equal(vmsi_memory_files_missing(&shared.files, &part),
			 5 * PAGE);
	/* Touched pages count besides, and what can only be read by them. */
	mapping->length = 8 * PAGE;
	mapping->resident = 7 * PAGE;
	assert_int_equal(look_at_all(&group, false), 7 * PAGE);
	mapping->prot = PROT_READ;
	mapping->resident = PAGE;
	assert_int_equal(look_at_all(&group, false), PAGE);
	assert_int_equal(shared.files.count, 1);
	mapping_count = 0;
	assert_int_equal(look_at_all(&group, false), 0);
	assert_int_equal(shared.files.count, 0);
	vmsi_memory_files_free(&shared.files);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, make_segment, remove_segment)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_segment_counts_attached_or_not),
		CASE(a_memfd_with_its_number_does_not_hide_a_segment),
		CASE(a_memfd_with_its_number_is_an_object_of_its_own),
		cmocka_unit_test_setup(
			what_counts_stays_as_long_as_it_may_be_mapped,
			forget_mappings),
	};

	return cmocka_run_group_tests_name("group_objects", tests, NULL, NULL);
}
