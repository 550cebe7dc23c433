/* SPDX-License-Identifier: MIT */
#include <sys/wait.h>

#include "space_fixture.h"

/*
 * Foreign memory in a space is never changed, and none of the space's addresses are
 * left free for others, in a child neither.
 */

#define STACK 1000
#define NEIGHBOUR 700

/* Foreign memory in the open gap of a stack, a page below the neighbour's end. */
static char *land_in_gap(void)
{
	char *place = at(NEIGHBOUR + 60);
	char *foreign;

	map_pages(NEIGHBOUR, 2);
	assert_ptr_equal(vms_mmap(space, at(STACK), bytes(4), RW,
				  ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0),
			 at(STACK));
	foreign = mmap(place, bytes(1), RW, ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0);
	assert_ptr_equal(foreign, place);
	memset(foreign, 'f', bytes(1));
	return foreign;
}

static void expect_untouched(const char *foreign)
{
	for (size_t i = 0; i < bytes(1); i++)
		assert_int_equal(foreign[i], 'f');
}

static void munmap_across_a_gap_leaves_foreign_memory(void **state)
{
	char *foreign = land_in_gap();
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	(void)state;
	assert_int_equal(vms_munmap(space, at(NEIGHBOUR),
				    bytes(STACK + 4 - NEIGHBOUR)), 0);
	expect_untouched(foreign);
	assert_int_equal(vms_space_get_stats(space, &stats), 0);
	assert_int_equal(stats.lost, bytes(1));
	assert_ptr_equal(vms_mmap(space, foreign, bytes(1), RW,
				  ANONYMOUS | MAP_FIXED, -1, 0), MAP_FAILED);
	expect_untouched(foreign);
	assert_int_equal(munmap(foreign, bytes(1)), 0);
	assert_int_equal(vms_space_get_stats(space, &stats), 0);
	assert_int_equal(stats.lost, 0);
}

static void mlock_into_a_gap_leaves_foreign_memory(void **state)
{
	char *foreign = land_in_gap();

	(void)state;
	assert_int_equal(vms_mmap(space, at(NEIGHBOUR + 2), bytes(58), RW,
				  ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED,
			 0);
	assert_int_equal(vms_mlock(space, at(NEIGHBOUR), bytes(62)), -1);
	expect_untouched(foreign);
	assert_int_equal(munmap(foreign, bytes(1)), 0);
}

static void foreign_memory_in_a_gap_survives_the_space(void **state)
{
	char *foreign = land_in_gap();

	assert_int_equal(close_space(state), 0);
	expect_untouched(foreign);
	assert_int_equal(munmap(foreign, bytes(1)), 0);
	assert_int_equal(open_space(state), 0);
}

/* Every page of the space must be mapped on the host. */
static void expect_held(void)
{
	struct vmsi_range all = { (uintptr_t)at(0),
				  (uintptr_t)at(SPACE_PAGES) };

	/* Only the open gap behind a growing mapping is free. */
	if (space->gaps.count) {
		struct vmsi_range gap = space->gaps.all[0].open;

		if (vmsi_host_is_mapped((struct vmsi_range){ all.start,
							     gap.start }) != 1)
			_exit(1);
		all.start = gap.end;
	}
	if (vmsi_host_is_mapped(all) != 1)
		_exit(1);
}

static void a_child_holds_room_that_was_prepared(void **state)
{
	const size_t step = bytes(16);
	pid_t child;
	int status;

	(void)state;
	map_pages(0, 16);
	assert_int_equal(vms_madvise(space, at(0), step, MADV_DONTFORK), 0);
	for (size_t i = 1; i < 5; i++)
		assert_ptr_equal(vms_mremap(space, at(0), i * step,
					    (i + 1) * step, 0, NULL), at(0));
	expect_held();
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		expect_held();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static size_t lost_bytes(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_space_get_stats(space, &stats), 0);
	return stats.lost;
}

/* Foreign memory in an open gap stops the growth. */
static void foreign_memory_in_the_gap_of_growth_is_left_alone(void **state)
{
	char *foreign;

	(void)state;
	map_pages(0, 16);
	for (size_t i = 16; i < 20; i++)
		assert_ptr_equal(vms_mremap(space, at(0), bytes(i),
					    bytes(i + 1), 0, NULL), at(0));
	assert_int_equal(space->gaps.count, 1);
	assert_ptr_equal(space->gaps.all[0].open.start, at(20));
	assert_int_equal(lost_bytes(), 0);
	assert_int_equal(space->gaps.count, 1);
	foreign = mmap(at(24), bytes(1), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(foreign, at(24));
	foreign[0] = 7;
	for (size_t i = 20; i < 24; i++)
		assert_ptr_equal(vms_mremap(space, at(0), bytes(i),
					    bytes(i + 1), 0, NULL), at(0));
	assert_ptr_equal(vms_mremap(space, at(0), bytes(24), bytes(25), 0,
				    NULL), MAP_FAILED);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(lost_bytes(), bytes(1));
	assert_true(vms_mremap(space, at(0), bytes(24), bytes(25),
			       MREMAP_MAYMOVE, NULL) != MAP_FAILED);
	assert_int_equal(foreign[0], 7);
	assert_int_equal(munmap(foreign, bytes(1)), 0);
	assert_int_equal(lost_bytes(), 0);
}

/*
 * mremap unmaps its target before it refuses a move: when the charge for both places
 * does not fit, or when the source is several mappings.
 */

static struct vmsi_host_calls real;
static char *landed;

static long unmap_and_refuse(uintptr_t old, size_t old_length,
			     size_t new_length, int flags, uintptr_t target)
{
	if (!(flags & MREMAP_DONTUNMAP))
		return real.mremap(old, old_length, new_length, flags, target);
	real.munmap(target, new_length);
	return -ENOMEM;
}

/* Another thread maps a page there at once. */
static long unmap_and_lose(uintptr_t old, size_t old_length, size_t new_length,
			   int flags, uintptr_t target)
{
	if (landed || !(flags & MREMAP_FIXED))
		return real.mremap(old, old_length, new_length, flags, target);
	real.munmap(target, new_length);
	landed = mmap((void *)(target + bytes(5)), bytes(1), RW,
		      ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	memset(landed, 'f', bytes(1));
	return -EFAULT;
}

static void a_host_short_of_commit_moves_all_the_same(void **state)
{
	char *memory = map_pages(0, 8);

	(void)state;
	map_pages(100, 8)[0] = 't';
	memset(memory, 's', bytes(8));
	real = vmsi_host;
	vmsi_host.mremap = unmap_and_refuse;
	assert_ptr_equal(vms_mremap(space, memory, bytes(8), bytes(8),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(100)),
			 at(100));
	vmsi_host = real;
	for (size_t i = 0; i < bytes(8); i++)
		assert_int_equal(at(100)[i], 's');
	assert_null(vmsi_space_check(space));
	expect_held();
}

static void a_part_of_a_move_does_not_land_on_others(void **state)
{
	char *memory = map_pages(0, 8);

	(void)state;
	memset(memory, 's', bytes(8));
	real = vmsi_host;
	landed = NULL;
	vmsi_host.mremap = unmap_and_lose;
	assert_map_fails(vms_mremap(space, memory, bytes(8), bytes(8),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(100)),
			 ENOMEM);
	vmsi_host = real;
	assert_ptr_equal(landed, at(105));
	expect_untouched(landed);
	assert_int_equal(memory[0], 's');
	assert_map_fails(vms_mmap(space, at(100), bytes(8), RW,
				  ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
	expect_untouched(landed);
	expect_held();
	assert_int_equal(munmap(landed, bytes(1)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(munmap_across_a_gap_leaves_foreign_memory),
		WITH_SPACE(mlock_into_a_gap_leaves_foreign_memory),
		WITH_SPACE(foreign_memory_in_a_gap_survives_the_space),
		WITH_SPACE(a_child_holds_room_that_was_prepared),
		WITH_SPACE(foreign_memory_in_the_gap_of_growth_is_left_alone),
		WITH_SPACE(a_host_short_of_commit_moves_all_the_same),
		WITH_SPACE(a_part_of_a_move_does_not_land_on_others),
	};

	return cmocka_run_group_tests_name("space_foreign", tests, NULL, NULL);
}
