/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "space_fixture.h"

/* The listing and the figures of a space. */

static size_t list_all(struct vms_mapping_info *infos, size_t most,
		       unsigned flags)
{
	static struct vms_mapping_info info;
	uintptr_t cursor = 0;
	size_t count = 0;
	int more;

	info.struct_size = sizeof(info);
	while ((more = vms_space_next_mapping(space, &cursor, &info, flags)) ==
	       1) {
		assert_true(count < most);
		infos[count++] = info;
	}
	assert_int_equal(more, 0);
	/* A cursor at the end stays there. */
	assert_int_equal(vms_space_next_mapping(space, &cursor, &info, flags),
			 0);
	return count;
}

static struct vms_mapping_info infos[16];

static void an_empty_space_has_no_mappings(void **state)
{
	(void)state;
	assert_int_equal(list_all(infos, 16, 0), 0);
}

static void every_field_is_filled(void **state)
{
	char path[] = "/tmp/vmspace-list-XXXXXX";
	int file = mkstemp(path);
	struct stat status;
	const struct vms_mapping_info *info;

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, (off_t)bytes(8)), 0);
	assert_int_equal(fstat(file, &status), 0);
	assert_ptr_equal(vms_mmap(space, at(16), bytes(4), RW,
				  MAP_SHARED | MAP_FIXED, file,
				  (off_t)bytes(2)), at(16));
	assert_int_equal(vms_set_name(space, at(16), bytes(4), "the file"), 0);
	info = listed_at(16);
	assert_int_equal(info->length, bytes(4));
	assert_int_equal(info->prot, RW);
	assert_int_equal(info->flags, VMS_MAPPING_SHARED);
	assert_int_equal(info->page_size, bytes(1));
	assert_int_equal(info->device, status.st_dev);
	assert_int_equal(info->inode, status.st_ino);
	assert_int_equal(info->offset, bytes(2));
	assert_int_equal(info->committed, 0);
	assert_true(info->resident == VMS_NOT_COUNTED);
	assert_string_equal(info->name, "the file");
	assert_string_equal(info->path, path);
	unlink(path);
	close(file);
}

static void mappings_come_in_order_and_once(void **state)
{
	(void)state;
	map_pages(100, 2);
	map_pages(16, 4);
	map_as(20, 4, PROT_READ, ANONYMOUS);
	map_as(50, 1, PROT_NONE, ANONYMOUS);
	map_as(SPACE_PAGES - 1, 1, RW, SHARED);
	assert_int_equal(list_all(infos, 16, 0), 5);
	assert_int_equal(infos[0].start, (uintptr_t)at(16));
	assert_int_equal(infos[0].committed, bytes(4));
	assert_int_equal(infos[1].start, (uintptr_t)at(20));
	assert_int_equal(infos[1].committed, 0);
	assert_int_equal(infos[2].start, (uintptr_t)at(50));
	assert_int_equal(infos[3].start, (uintptr_t)at(100));
	assert_int_equal(infos[4].start, (uintptr_t)at(SPACE_PAGES - 1));
}

static void neighbours_that_are_alike_are_one(void **state)
{
	(void)state;
	map_pages(16, 4);
	map_pages(24, 4);
	map_pages(20, 4);
	assert_int_equal(list_all(infos, 16, 0), 1);
	assert_int_equal(infos[0].length, bytes(12));
	assert_int_equal(vms_mprotect(space, at(18), bytes(2), PROT_READ), 0);
	assert_int_equal(list_all(infos, 16, 0), 3);
	assert_int_equal(vms_mprotect(space, at(18), bytes(2), RW), 0);
	assert_int_equal(list_all(infos, 16, 0), 1);
}

/* A cursor may be any address: the next mapping at or above it is listed. */
static void a_cursor_can_be_an_address(void **state)
{
	struct vms_mapping_info info;

	(void)state;
	map_pages(16, 4);
	map_pages(32, 4);
	assert_true(listed_from(16, &info));
	assert_int_equal(info.start, (uintptr_t)at(16));
	assert_true(listed_from(17, &info));
	assert_int_equal(info.start, (uintptr_t)at(32));
	assert_false(listed_from(33, &info));
	assert_false(listed_from(SPACE_PAGES, &info));
}

static void what_changes_between_calls_is_seen_once(void **state)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	uintptr_t cursor = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		map_pages(16 + 8 * i, 4);
	assert_int_equal(vms_space_next_mapping(space, &cursor, &info, 0), 1);
	assert_int_equal(info.start, (uintptr_t)at(16));
	/* The mapping that was listed last grows into the next one. */
	map_pages(20, 4);
	/* A mapping ahead of the cursor is unmapped, and another is made. */
	assert_int_equal(vms_munmap(space, at(32), bytes(4)), 0);
	map_pages(60, 1);
	assert_int_equal(vms_space_next_mapping(space, &cursor, &info, 0), 1);
	assert_int_equal(info.start, (uintptr_t)at(40));
	assert_int_equal(vms_space_next_mapping(space, &cursor, &info, 0), 1);
	assert_int_equal(info.start, (uintptr_t)at(60));
	assert_int_equal(vms_space_next_mapping(space, &cursor, &info, 0), 0);
}

static void resident_memory_is_counted_on_request(void **state)
{
	(void)state;
	map_pages(16, 8);
	vms_madvise(space, at(16), bytes(8), MADV_NOHUGEPAGE);
	at(16)[0] = at(19)[0] = 1;
	map_as(40, 4, PROT_NONE, ANONYMOUS);
	assert_int_equal(list_all(infos, 16, VMS_LIST_RESIDENT), 2);
	assert_int_equal(infos[0].resident, bytes(2));
	assert_int_equal(infos[1].resident, 0);
	assert_int_equal(vms_decommit(space, at(16), bytes(1), 0), 0);
	assert_int_equal(list_all(infos, 16, VMS_LIST_RESIDENT), 2);
	assert_int_equal(infos[0].resident, bytes(1));
}

/* The first mapping of a shared object shows the object's charge. */
static void a_shared_object_shows_its_charge_once(void **state)
{
	(void)state;
	map_as(64, 8, RW, SHARED);
	assert_ptr_equal(vms_mremap(space, at(64), 0, bytes(4),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(16)),
			 at(16));
	assert_int_equal(list_all(infos, 16, 0), 2);
	assert_int_equal(infos[0].committed, bytes(8));
	assert_int_equal(infos[1].committed, 0);
	assert_int_equal(stats_now().committed, bytes(8));
	assert_int_equal(vms_munmap(space, at(64), bytes(8)), 0);
	assert_int_equal(list_all(infos, 16, 0), 1);
	assert_int_equal(infos[0].committed, bytes(8));
	assert_int_equal(vms_munmap(space, at(16), bytes(4)), 0);
	assert_int_equal(stats_now().committed, 0);
}

static void flags_are_shown(void **state)
{
	(void)state;
	map_as(16, 1, RW, ANONYMOUS | MAP_NORESERVE);
	assert_int_equal(listed_at(16)->flags,
			 VMS_MAPPING_ANONYMOUS | VMS_MAPPING_NORESERVE);
	map_pages(20, 1);
	vms_madvise(space, at(20), bytes(1), MADV_DONTFORK);
	vms_madvise(space, at(20), bytes(1), MADV_DONTDUMP);
	vms_madvise(space, at(20), bytes(1), MADV_WIPEONFORK);
	assert_int_equal(listed_at(20)->flags,
			 VMS_MAPPING_ANONYMOUS | VMS_MAPPING_DONTFORK |
				 VMS_MAPPING_DONTDUMP |
				 VMS_MAPPING_WIPEONFORK);
	map_pages(24, 1);
	if (vms_mlock(space, at(24), 1) == 0)
		assert_true(listed_at(24)->flags & VMS_MAPPING_LOCKED);
	assert_int_equal(vms_munlock(space, at(24), 1), 0);
	assert_int_equal(listed_at(24)->flags, VMS_MAPPING_ANONYMOUS);
}

/* --- figures ------------------------------------------------------------------------- */

static void figures_follow_the_mappings(void **state)
{
	struct vms_space_stats stats;

	(void)state;
	map_pages(16, 8);
	map_as(32, 4, PROT_READ, ANONYMOUS);
	stats = stats_now();
	assert_int_equal(stats.mapped, bytes(12));
	assert_int_equal(stats.mappings, 2);
	assert_int_equal(stats.committed, bytes(8));
	assert_int_equal(vms_munmap(space, at(18), bytes(2)), 0);
	stats = stats_now();
	assert_int_equal(stats.mapped, bytes(10));
	assert_int_equal(stats.mappings, 3);
	assert_int_equal(stats.committed, bytes(6));
	assert_int_equal(stats.committed_peak, bytes(8));
}

static void growths_and_moves_are_counted(void **state)
{
	struct vms_space_stats stats;
	char *memory = map_pages(16, 4);

	(void)state;
	assert_ptr_equal(vms_mremap(space, memory, bytes(4), bytes(8), 0, NULL),
			 memory);
	stats = stats_now();
	assert_int_equal(stats.grown_in_place, 1);
	assert_int_equal(stats.moves, 0);
	map_as(24, 1, PROT_READ, ANONYMOUS);
	memory = vms_mremap(space, memory, bytes(8), bytes(16), MREMAP_MAYMOVE,
			    NULL);
	assert_true(memory != MAP_FAILED);
	stats = stats_now();
	assert_int_equal(stats.grown_in_place, 1);
	assert_int_equal(stats.moves, 1);
	/* A shrink counts neither as a move nor as growth in place. */
	vms_mremap(space, memory, bytes(16), bytes(2), 0, NULL);
	assert_int_equal(stats_now().moves, 1);
	assert_int_equal(stats_now().grown_in_place, 1);
}

static void metadata_grows_with_mappings(void **state)
{
	size_t before = stats_now().metadata;

	(void)state;
	for (size_t i = 0; i < SPACE_PAGES; i += 2)
		map_pages(i, 1);
	assert_int_equal(stats_now().mappings, SPACE_PAGES / 2);
	assert_true(stats_now().metadata > before + SPACE_PAGES / 2 * 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(an_empty_space_has_no_mappings),
		WITH_SPACE(every_field_is_filled),
		WITH_SPACE(mappings_come_in_order_and_once),
		WITH_SPACE(neighbours_that_are_alike_are_one),
		WITH_SPACE(a_cursor_can_be_an_address),
		WITH_SPACE(what_changes_between_calls_is_seen_once),
		WITH_SPACE(resident_memory_is_counted_on_request),
		WITH_SPACE(a_shared_object_shows_its_charge_once),
		WITH_SPACE(flags_are_shown),
		WITH_SPACE(figures_follow_the_mappings),
		WITH_SPACE(growths_and_moves_are_counted),
		WITH_SPACE(metadata_grows_with_mappings),
	};

	return cmocka_run_group_tests_name("space_list", tests, NULL, NULL);
}
