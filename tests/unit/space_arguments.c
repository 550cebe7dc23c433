/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/resource.h>

#include "space_fixture.h"

/*
 * Each public call gets each of its arguments wrong: it must give the errno of its
 * header and change nothing.
 */

static struct vms_space_stats before;

static int open_furnished(void **state)
{
	if (open_space(state))
		return -1;
	memset(map_pages(16, 8), 7, bytes(8));
	map_as(32, 8, RW, SHARED);
	before = stats_now();
	return 0;
}

static int close_unchanged(void **state)
{
	struct vms_space_stats now = stats_now();
	int same = now.mapped == before.mapped &&
		now.mappings == before.mappings &&
		now.committed == before.committed;

	for (size_t i = 0; i < bytes(8); i++)
		same = same && at(16)[i] == 7;
	return close_space(state) || !same ? -1 : 0;
}

#define UNCHANGED(test) \
	cmocka_unit_test_setup_teardown(test, open_furnished, close_unchanged)

static void a_null_space_is_invalid(void **state)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };
	unsigned char vector[1];
	uintptr_t cursor = 0;
	vms_handle handle;
	char *place = at(16);

	(void)state;
	assert_map_fails(vms_mmap(NULL, NULL, bytes(1), RW, ANONYMOUS, -1, 0),
			 EINVAL);
	assert_fails(vms_munmap(NULL, place, bytes(1)), EINVAL);
	assert_map_fails(vms_mremap(NULL, place, bytes(1), bytes(2),
				    MREMAP_MAYMOVE, NULL), EINVAL);
	assert_fails(vms_mprotect(NULL, place, bytes(1), PROT_READ), EINVAL);
	assert_fails(vms_madvise(NULL, place, bytes(1), MADV_DONTNEED), EINVAL);
	assert_fails(vms_msync(NULL, place, bytes(1), MS_SYNC), EINVAL);
	assert_fails(vms_mlock(NULL, place, bytes(1)), EINVAL);
	assert_fails(vms_mlock2(NULL, place, bytes(1), 0), EINVAL);
	assert_fails(vms_munlock(NULL, place, bytes(1)), EINVAL);
	assert_fails(vms_mincore(NULL, place, bytes(1), vector), EINVAL);
	assert_fails(vms_mseal(NULL, place, bytes(1), 0), EINVAL);
	assert_fails(vms_decommit(NULL, place, bytes(1), 0), EINVAL);
	assert_fails(vms_set_name(NULL, place, bytes(1), "x"), EINVAL);
	assert_fails(vms_space_set_commit(NULL, 0, VMS_COMMIT_ALWAYS), EINVAL);
	assert_fails(vms_space_get_stats(NULL, &stats), EINVAL);
	assert_fails(vms_space_next_mapping(NULL, &cursor, &info, 0), EINVAL);
	assert_fails(vms_handle_open(NULL, place, bytes(1), &handle), EINVAL);
}

static void null_pointers_are_invalid(void **state)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	uintptr_t cursor = 0;

	(void)state;
	assert_fails(vms_space_get_stats(space, NULL), EINVAL);
	assert_fails(vms_space_next_mapping(space, NULL, &info, 0), EINVAL);
	assert_fails(vms_space_next_mapping(space, &cursor, NULL, 0), EINVAL);
	assert_fails(vms_handle_open(space, at(16), bytes(1), NULL), EINVAL);
	assert_fails(vms_mincore(space, at(16), bytes(1), NULL), EFAULT);
}

static void struct_sizes_must_be_known(void **state)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) - 8 };
	struct vms_space_stats stats = { .struct_size = sizeof(stats) - 8 };
	uintptr_t cursor = 5;

	(void)state;
	assert_fails(vms_space_get_stats(space, &stats), EINVAL);
	stats.struct_size = 0;
	assert_fails(vms_space_get_stats(space, &stats), EINVAL);
	assert_fails(vms_space_next_mapping(space, &cursor, &info, 0), EINVAL);
	info.struct_size = 0;
	assert_fails(vms_space_next_mapping(space, &cursor, &info, 0), EINVAL);
	assert_int_equal(cursor, 5);
}

static void unknown_flags_are_refused(void **state)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	uintptr_t cursor = 0;
	long seal = vmsi_host.mseal((uintptr_t)at(0), 0, 0);

	(void)state;
	assert_fails(vms_space_next_mapping(space, &cursor, &info, 2), EINVAL);
	assert_fails(vms_decommit(space, at(16), bytes(1), 2), EINVAL);
	assert_fails(vms_space_set_commit(space, 0,
					  (enum vms_commit_policy)7), EINVAL);
	assert_map_fails(vms_mremap(space, at(16), bytes(1), bytes(2), 64,
				    NULL), EINVAL);
	assert_fails(vms_madvise(space, at(16), bytes(1), 9999), EINVAL);
	assert_fails(vms_msync(space, at(16), bytes(1), 1 << 20), EINVAL);
	assert_fails(vms_msync(space, at(16), bytes(1), MS_SYNC | MS_ASYNC),
		     EINVAL);
	assert_fails(vms_mlock2(space, at(16), bytes(1), 1u << 9), EINVAL);
	assert_fails(vms_mseal(space, at(16), bytes(1), 1),
		     seal == -ENOSYS ? ENOSYS : EINVAL);
	assert_fails(vms_mprotect(space, at(16), bytes(1), 1 << 20), EINVAL);
	assert_fails(vms_mprotect(space, at(16), bytes(1),
				  PROT_READ | PROT_GROWSDOWN), EINVAL);
}

static void addresses_must_be_on_pages(void **state)
{
	unsigned char vector[2];
	vms_handle handle;
	char *odd = at(16) + 1;

	(void)state;
	assert_fails(vms_munmap(space, odd, bytes(1)), EINVAL);
	assert_map_fails(vms_mremap(space, odd, bytes(1), bytes(2),
				    MREMAP_MAYMOVE, NULL), EINVAL);
	assert_map_fails(vms_mremap(space, at(16), bytes(1), bytes(1),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(40) + 8),
			 EINVAL);
	assert_fails(vms_mprotect(space, odd, bytes(1), PROT_READ), EINVAL);
	assert_fails(vms_madvise(space, odd, bytes(1), MADV_DONTNEED), EINVAL);
	assert_fails(vms_msync(space, odd, bytes(1), MS_SYNC), EINVAL);
	assert_fails(vms_mincore(space, odd, bytes(1), vector), EINVAL);
	assert_fails(vms_decommit(space, odd, bytes(1), 0), EINVAL);
	assert_fails(vms_set_name(space, odd, bytes(1), "x"), EINVAL);
	assert_fails(vms_handle_open(space, odd, bytes(1), &handle), EINVAL);
	assert_map_fails(vms_mmap(space, odd, bytes(1), RW,
				  ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	assert_map_fails(vms_mmap(space, NULL, bytes(1), RW, ANONYMOUS, -1, 1),
			 EINVAL);
}

static void lengths_of_nothing(void **state)
{
	vms_handle handle;

	(void)state;
	assert_map_fails(vms_mmap(space, NULL, 0, RW, ANONYMOUS, -1, 0),
			 EINVAL);
	assert_fails(vms_munmap(space, at(16), 0), EINVAL);
	assert_map_fails(vms_mremap(space, at(16), bytes(1), 0, 0, NULL),
			 EINVAL);
	assert_fails(vms_decommit(space, at(16), 0, 0), EINVAL);
	assert_fails(vms_handle_open(space, at(16), 0, &handle), EINVAL);
	assert_int_equal(vms_mprotect(space, at(16), 0, PROT_NONE), 0);
	assert_int_equal(vms_madvise(space, at(16), 0, MADV_DONTNEED), 0);
	assert_int_equal(vms_msync(space, at(16), 0, MS_SYNC), 0);
	assert_int_equal(vms_mlock(space, at(16), 0), 0);
	assert_int_equal(vms_set_name(space, at(16), 0, "x"), 0);
}

/* A range not all in the space is as one past the end of memory. */
static void ranges_must_lie_in_the_space(void **state)
{
	char *last = at(SPACE_PAGES - 1), *low = at(0) - bytes(1);
	vms_handle handle;

	(void)state;
	assert_fails(vms_munmap(space, last, bytes(2)), EINVAL);
	assert_fails(vms_munmap(space, low, bytes(2)), EINVAL);
	assert_fails(vms_munmap(space, at(16), SIZE_MAX), EINVAL);
	assert_map_fails(vms_mmap(space, last, bytes(2), RW,
				  ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
	assert_map_fails(vms_mmap(space, low, bytes(2), RW,
				  ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 ENOMEM);
	assert_map_fails(vms_mmap(space, NULL, bytes(SPACE_PAGES + 1), RW,
				  ANONYMOUS, -1, 0), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
	assert_map_fails(vms_mremap(space, at(16), bytes(2), bytes(2),
				    MREMAP_MAYMOVE | MREMAP_FIXED, last),
			 EINVAL);
	assert_map_fails(vms_mremap(space, low, bytes(1), bytes(2),
				    MREMAP_MAYMOVE, NULL), EFAULT);
	assert_fails(vms_mprotect(space, last, bytes(2), PROT_READ), ENOMEM);
	assert_fails(vms_madvise(space, low, bytes(2), MADV_DONTNEED), ENOMEM);
	assert_fails(vms_mlock(space, last, bytes(2)), ENOMEM);
	assert_fails(vms_set_name(space, last, bytes(2), "x"), ENOMEM);
	assert_fails(vms_decommit(space, last, bytes(2), 0), ENOMEM);
	assert_fails(vms_handle_open(space, last, bytes(2), &handle), EFAULT);
}

static void descriptors_must_be_good(void **state)
{
	int path = open("/", O_PATH | O_CLOEXEC);
	int directory = open("/", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_map_fails(vms_mmap(space, NULL, bytes(1), RW, MAP_SHARED, -1, 0),
			 EBADF);
	/* The descriptor is checked before the length. */
	assert_map_fails(vms_mmap(space, NULL, 0, RW, MAP_SHARED, -1, 0),
			 EBADF);
	assert_map_fails(vms_mmap(space, NULL, bytes(1), PROT_READ, MAP_PRIVATE,
				  path, 0), EBADF);
	assert_map_fails(vms_mmap(space, NULL, bytes(1), PROT_READ, MAP_PRIVATE,
				  directory, 0), ENODEV);
	close(path);
	close(directory);
}

static void types_of_mapping_must_be_known(void **state)
{
	(void)state;
	assert_map_fails(vms_mmap(space, NULL, bytes(1), RW, MAP_ANONYMOUS, -1,
				  0), EINVAL);
	assert_map_fails(vms_mmap(space, NULL, bytes(1), RW,
				  MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0),
			 EINVAL);
	assert_map_fails(vms_mmap(space, NULL, bytes(1), RW,
				  SHARED | MAP_GROWSDOWN, -1, 0), EINVAL);
}

/* Linux checks the offset before the flags, and these before limits. */
static void an_offset_that_overflows_comes_before_flags_and_limits(void **state)
{
	const int unknown = 0x400000;
	const int types[] = { MAP_SHARED, MAP_SHARED_VALIDATE | unknown };
	const off_t last = (off_t)(INT64_MAX - bytes(1) + 1);
	const off_t offsets[] = { 0, last - (off_t)bytes(1), last };
	int fd = memfd_create("arguments", MFD_CLOEXEC);
	struct rlimit usual, none;

	(void)state;
	assert_true(fd >= 0);
	/* Let the space allocate its records first, and that of a file. */
	assert_ptr_not_equal(vms_mmap(space, NULL, bytes(1), PROT_READ,
				      MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(getrlimit(RLIMIT_AS, &usual), 0);
	none = (struct rlimit){ bytes(1), usual.rlim_max };
	for (size_t i = 0; i < 6; i++) {
		int ours, kernels;

		assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
		errno = 0;
		(void)mmap(NULL, bytes(2), PROT_READ, types[i % 2], fd,
			   offsets[i / 2]);
		kernels = errno;
		errno = 0;
		(void)vms_mmap(space, NULL, bytes(2), PROT_READ, types[i % 2],
			       fd, offsets[i / 2]);
		ours = errno;
		assert_int_equal(setrlimit(RLIMIT_AS, &usual), 0);
		assert_int_equal(ours, kernels);
	}
	close(fd);
}

static void a_success_leaves_errno_alone(void **state)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };
	unsigned char vector[1];
	uintptr_t cursor = 0;
	vms_handle handle;
	char *memory;

	(void)state;
	errno = 4711;
	memory = vms_mmap(space, NULL, bytes(1), RW, ANONYMOUS, -1, 0);
	memory[0] = 1;
	memory = vms_mremap(space, memory, bytes(1), bytes(100), MREMAP_MAYMOVE,
			    NULL);
	vms_mprotect(space, memory, bytes(1), PROT_READ);
	vms_madvise(space, memory, bytes(1), MADV_DONTNEED);
	vms_mincore(space, memory, bytes(1), vector);
	vms_set_name(space, memory, bytes(2), "x");
	vms_decommit(space, memory, bytes(2), VMS_DECOMMIT_UNCHARGE);
	vms_handle_open(space, memory, bytes(2), &handle);
	vms_handle_address(space, handle);
	vms_handle_close(space, handle);
	vms_space_next_mapping(space, &cursor, &info, VMS_LIST_RESIDENT);
	vms_space_get_stats(space, &stats);
	assert_int_equal(vms_munmap(space, memory, bytes(100)), 0);
	assert_int_equal(errno, 4711);
}

static void refusals_have_texts(void **state)
{
	(void)state;
	for (int i = VMS_REFUSAL_NONE; i <= VMS_REFUSAL_OPEN; i++) {
		const char *text = vms_refusal_text((enum vms_refusal)i);

		assert_non_null(text);
		assert_true(strlen(text) > 8);
		for (int j = VMS_REFUSAL_NONE; j < i; j++)
			assert_string_not_equal(
				text, vms_refusal_text((enum vms_refusal)j));
	}
	assert_non_null(vms_refusal_text((enum vms_refusal)99));
}

static void each_refusal_has_its_reason(void **state)
{
	(void)state;
	assert_map_fails(vms_mmap(space, NULL, bytes(SPACE_PAGES), RW,
				  ANONYMOUS, -1, 0), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
	assert_int_equal(vms_space_set_commit(space, bytes(8),
					      VMS_COMMIT_STRICT), 0);
	assert_map_fails(vms_mmap(space, NULL, bytes(1), RW, ANONYMOUS, -1, 0),
			 ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	assert_fails(vms_mprotect(space, at(20), bytes(8), RW), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_UNMAPPED);
	/* A failure that is not ENOMEM leaves the reason of the last refusal. */
	assert_fails(vms_munmap(space, at(16), 0), EINVAL);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_UNMAPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNCHANGED(a_null_space_is_invalid),
		UNCHANGED(null_pointers_are_invalid),
		UNCHANGED(struct_sizes_must_be_known),
		UNCHANGED(unknown_flags_are_refused),
		UNCHANGED(addresses_must_be_on_pages),
		UNCHANGED(lengths_of_nothing),
		UNCHANGED(ranges_must_lie_in_the_space),
		UNCHANGED(descriptors_must_be_good),
		UNCHANGED(types_of_mapping_must_be_known),
		WITH_SPACE(an_offset_that_overflows_comes_before_flags_and_limits),
		WITH_SPACE(a_success_leaves_errno_alone),
		cmocka_unit_test(refusals_have_texts),
		UNCHANGED(each_refusal_has_its_reason),
	};

	return cmocka_run_group_tests_name("space_arguments", tests, NULL,
					   NULL);
}
