/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "space_fixture.h"

/* vms_decommit gives memory back, and the range stays mapped. */

static size_t resident(size_t page, size_t pages)
{
	struct vmsi_range range = { (uintptr_t)at(page),
				    (uintptr_t)at(page + pages) };
	size_t count;

	assert_int_equal(vmsi_host_resident(range, &count), 0);
	return count;
}

static void fill(size_t page, size_t pages)
{
	vms_madvise(space, map_pages(page, pages), bytes(pages),
		    MADV_NOHUGEPAGE);
	memset(at(page), 7, bytes(pages));
	assert_int_equal(resident(page, pages), bytes(pages));
}

static void the_pages_go_and_the_commit_stays(void **state)
{
	(void)state;
	fill(16, 16);
	assert_int_equal(vms_decommit(space, at(20), bytes(4), 0), 0);
	assert_int_equal(resident(16, 16), bytes(12));
	assert_int_equal(stats_now().committed, bytes(16));
	assert_int_equal(stats_now().mappings, 1);
	assert_int_equal(at(20)[0], 0);
	assert_int_equal(at(19)[0], 7);
	assert_int_equal(at(24)[0], 7);
	at(21)[0] = 1;
}

static void the_commit_goes_too_on_request(void **state)
{
	struct vms_mapping_info *info;

	(void)state;
	fill(16, 16);
	assert_int_equal(vms_decommit(space, at(20), bytes(4),
				      VMS_DECOMMIT_UNCHARGE), 0);
	assert_int_equal(resident(16, 16), bytes(12));
	assert_int_equal(stats_now().committed, bytes(12));
	assert_int_equal(stats_now().mapped, bytes(16));
	info = listed_at(20);
	assert_int_equal(info->prot, PROT_NONE);
	assert_int_equal(info->length, bytes(4));
	assert_int_equal(info->committed, 0);
	/* The addresses stay the range's own. */
	assert_map_fails(vms_mmap(space, at(20), bytes(1), RW,
				  ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 EEXIST);
}

/* The kernel's own accounting lets the memory go as well: RLIMIT_DATA shows it. */
static void the_host_is_uncharged(void **state)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	vms_process_maps *maps;

	(void)state;
	fill(16, 16);
	assert_int_equal(vms_decommit(space, at(16), bytes(16),
				      VMS_DECOMMIT_UNCHARGE), 0);
	maps = vms_process_maps_open(0);
	assert_non_null(maps);
	while (vms_process_maps_next(maps, &info) == 1)
		if (info.start < (uintptr_t)at(32) &&
		    info.start + info.length > (uintptr_t)at(16))
			assert_int_equal(info.committed, 0);
	vms_process_maps_close(maps);
}

static void it_is_committed_again_by_mprotect(void **state)
{
	(void)state;
	fill(16, 16);
	vms_decommit(space, at(16), bytes(16), VMS_DECOMMIT_UNCHARGE);
	assert_int_equal(vms_mprotect(space, at(18), bytes(2), RW), 0);
	assert_int_equal(stats_now().committed, bytes(2));
	assert_int_equal(at(18)[0], 0);
	at(19)[0] = 1;
	assert_int_equal(vms_space_set_commit(space, bytes(4),
					      VMS_COMMIT_STRICT), 0);
	assert_fails(vms_mprotect(space, at(22), bytes(8), RW), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
}

static void several_mappings_at_once(void **state)
{
	for (unsigned flags = 0; flags <= VMS_DECOMMIT_UNCHARGE; flags++) {
		(void)state;
		fill(16, 8);
		map_as(24, 4, PROT_READ, ANONYMOUS);
		fill(28, 8);
		map_as(36, 4, PROT_NONE, ANONYMOUS);
		assert_int_equal(vms_decommit(space, at(18), bytes(20), flags),
				 0);
		assert_int_equal(stats_now().committed,
				 flags ? bytes(2) : bytes(16));
		assert_int_equal(at(17)[0], 7);
		assert_int_equal(resident(16, 24), bytes(2));
		assert_int_equal(vms_munmap(space, at(16), bytes(24)), 0);
		assert_int_equal(stats_now().committed, 0);
	}
}

static void what_was_advised_is_gone_with_the_commit(void **state)
{
	(void)state;
	fill(16, 4);
	vms_madvise(space, at(16), bytes(4), MADV_DONTFORK);
	vms_set_name(space, at(16), bytes(4), "named");
	vms_decommit(space, at(16), bytes(4), VMS_DECOMMIT_UNCHARGE);
	assert_int_equal(listed_at(16)->flags & VMS_MAPPING_DONTFORK, 0);
}

static void what_cannot_be_decommitted_is_refused(void **state)
{
	int file = memfd_create("decommit", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(file, (off_t)bytes(4)), 0);
	fill(16, 4);
	map_as(20, 4, RW, SHARED);
	assert_fails(vms_decommit(space, at(16), bytes(5), 0), EINVAL);
	assert_fails(vms_decommit(space, at(20), bytes(1), 0), EINVAL);
	assert_ptr_equal(vms_mmap(space, at(20), bytes(4), RW,
				  MAP_PRIVATE | MAP_FIXED, file, 0), at(20));
	assert_fails(vms_decommit(space, at(16), bytes(5),
				  VMS_DECOMMIT_UNCHARGE), EINVAL);
	assert_int_equal(vms_munmap(space, at(20), bytes(4)), 0);
	assert_fails(vms_decommit(space, at(16), bytes(5), 0), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_UNMAPPED);
	if (vms_mlock(space, at(18), bytes(1)) == 0)
		assert_fails(vms_decommit(space, at(16), bytes(4), 0), EINVAL);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(at(16 + i)[0], 7);
	assert_int_equal(stats_now().committed, bytes(4));
	close(file);
}

/* --- a host that has no memory left for records ---------------------------- */

static long (*usual_mmap)(uintptr_t address, size_t length, int prot, int flags,
			  int fd, uint64_t offset);

static long refuse_memory(uintptr_t address, size_t length, int prot, int flags,
			  int fd, uint64_t offset)
{
	return prot & PROT_WRITE ? -ENOMEM :
		usual_mmap(address, length, prot, flags, fd, offset);
}

/* Split a mapping at every second page, until the space has no record left. */
static void use_up_records(void)
{
	size_t page = 1;

	while (vms_mprotect(space, at(page), bytes(1), PROT_READ) == 0) {
		page += 2;
		assert_true(page < SPACE_PAGES - 4);
	}
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_RECORDS);
}

static void memory_goes_back_where_there_is_none_for_records(void **state)
{
	const size_t last = SPACE_PAGES - 2;
	int decommitted, unmapped;

	(void)state;
	map_pages(0, SPACE_PAGES);
	usual_mmap = vmsi_host.mmap;
	vmsi_host.mmap = refuse_memory;
	use_up_records();
	decommitted = vms_decommit(space, at(last), bytes(1),
				   VMS_DECOMMIT_UNCHARGE);
	unmapped = vms_munmap(space, at(last), bytes(2));
	vmsi_host.mmap = usual_mmap;
	assert_int_equal(decommitted, 0);
	assert_int_equal(unmapped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(the_pages_go_and_the_commit_stays),
		WITH_SPACE(the_commit_goes_too_on_request),
		WITH_SPACE(the_host_is_uncharged),
		WITH_SPACE(it_is_committed_again_by_mprotect),
		WITH_SPACE(several_mappings_at_once),
		WITH_SPACE(what_was_advised_is_gone_with_the_commit),
		WITH_SPACE(what_cannot_be_decommitted_is_refused),
		WITH_SPACE(memory_goes_back_where_there_is_none_for_records),
	};

	return cmocka_run_group_tests_name("space_decommit", tests, NULL, NULL);
}
