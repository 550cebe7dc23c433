/* SPDX-License-Identifier: MIT */
#include "space/walk.h"
#include "space_fixture.h"

/*
 * One mapping of the space may be several in the kernel: touched memory that was
 * moved beside other touched memory. If the kernel refuses midway to move them, all
 * must be where it was.
 */

static struct vmsi_host_calls real;
static unsigned moves, refused_from;
static bool refuse_all;

static long refuse_later(uintptr_t old, size_t old_length, size_t new_length,
			 int flags, uintptr_t target)
{
	if (!(flags & MREMAP_FIXED) ||
	    (!refuse_all && !(flags & MREMAP_DONTUNMAP)))
		return real.mremap(old, old_length, new_length, flags, target);
	/* The kernel never refuses a move back. */
	if (target < (uintptr_t)at(100) || ++moves < refused_from)
		return real.mremap(old, old_length, new_length, flags, target);
	/* Linux has unmapped the target before it refuses. */
	real.munmap(target, new_length);
	return -ENOMEM;
}

static void fill(char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		memset(memory + bytes(i), (int)i + 1, bytes(1));
}

static void expect_filled(const char *memory, size_t pages)
{
	for (size_t i = 0; i < bytes(pages); i++)
		if (memory[i] != (char)(i / bytes(1) + 1))
			fail_msg("byte %zu is lost", i);
}

/* Map sixteen pages as one mapping of the space and two of the kernel. */
static char *map_joined(void)
{
	struct vmsi_mapping *mapping;

	fill(map_pages(50, 4), 4);
	fill(map_pages(0, 16), 16);
	assert_ptr_equal(vms_mremap(space, at(50), bytes(4), bytes(4),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(0)),
			 at(0));
	mapping = vmsi_lookup(space, (uintptr_t)at(0));
	assert_int_equal(mapping->end - mapping->start, bytes(16));
	assert_true(vmsi_host_is_several((struct vmsi_range){
		(uintptr_t)at(0), (uintptr_t)at(16) }));
	expect_filled(at(0), 16);
	return at(0);
}

static void move_with(bool all, char *expected)
{
	char *memory = map_joined(), *moved;

	real = vmsi_host;
	refuse_all = all;
	for (refused_from = 1; refused_from < 3; refused_from++) {
		moves = 0;
		vmsi_host.mremap = refuse_later;
		moved = vms_mremap(space, memory, bytes(16), bytes(16),
				   MREMAP_MAYMOVE | MREMAP_FIXED, at(100));
		vmsi_host = real;
		if (expected)
			assert_ptr_equal(moved, expected);
		else
			assert_ptr_equal(moved, MAP_FAILED);
		expect_filled(expected ? expected : memory, 16);
		assert_null(vmsi_space_check(space));
		if (expected)
			break;
	}
}

static void a_move_that_is_refused_midway_is_undone(void **state)
{
	(void)state;
	move_with(true, NULL);
}

/*
 * The kernel may refuse to charge both places at once; the move works all the same.
 */
static void a_host_short_of_commit_midway_moves_all_the_same(void **state)
{
	(void)state;
	move_with(false, at(100));
}

static void expect_several_when_split(void)
{
	char *memory = map_pages(0, 16);
	const struct vmsi_range range = { (uintptr_t)memory,
					  (uintptr_t)memory + bytes(16) };

	memset(memory, 1, bytes(16));
	assert_false(vmsi_host_is_several(range));
	assert_int_equal(vms_mprotect(space, memory, bytes(4), PROT_READ), 0);
	assert_true(vmsi_host_is_several(range));
	assert_int_equal(vms_munmap(space, memory, bytes(16)), 0);
}

static void one_mapping_is_not_several(void **state)
{
	(void)state;
	expect_several_when_split();
}

static long has_no_query(int fd, void *argument)
{
	(void)fd;
	(void)argument;
	return -ENOTTY;
}

static long has_no_proc(const char *path)
{
	(void)path;
	return -ENOENT;
}

/* Without PROCMAP_QUERY and /proc, the space cannot ask. */
static void one_mapping_is_not_several_where_proc_does_not_tell(void **state)
{
	(void)state;
	real = vmsi_host;
	vmsi_host.maps_query = has_no_query;
	expect_several_when_split();
	vmsi_host = real;
	vmsi_host.open = has_no_proc;
	expect_several_when_split();
	vmsi_host = real;
}

static unsigned asked;

static long count_growth(uintptr_t old, size_t old_length, size_t new_length,
			 int flags, uintptr_t target)
{
	asked += new_length > old_length;
	return real.mremap(old, old_length, new_length, flags, target);
}

static bool proc_tells(void)
{
	/* struct procmap_query of the kernel, all but its size and an address. */
	uint64_t query[13] = { sizeof(query), 0, (uintptr_t)&real };
	long fd = vmsi_host.open("/proc/self/maps");
	bool tells = fd >= 0 && vmsi_host.maps_query((int)fd, query) == 0;

	if (fd >= 0)
		vmsi_host.close((int)fd);
	return tells;
}

/* A seccomp filter that judges by length must not see one for all addresses. */
static void a_move_asks_for_no_more_than_it_moves(void **state)
{
	char *memory = map_joined();

	(void)state;
	if (!proc_tells()) {
		print_message("# SKIP /proc/self/maps has no PROCMAP_QUERY\n");
		return;
	}
	real = vmsi_host;
	asked = 0;
	vmsi_host.mremap = count_growth;
	assert_ptr_equal(vms_mremap(space, memory, bytes(16), bytes(16),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(100)),
			 at(100));
	vmsi_host = real;
	assert_int_equal(asked, 0);
	expect_filled(at(100), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SPACE(a_move_that_is_refused_midway_is_undone),
		WITH_SPACE(a_host_short_of_commit_midway_moves_all_the_same),
		WITH_SPACE(one_mapping_is_not_several),
		WITH_SPACE(one_mapping_is_not_several_where_proc_does_not_tell),
		WITH_SPACE(a_move_asks_for_no_more_than_it_moves),
	};

	return cmocka_run_group_tests_name("space_several", tests, NULL, NULL);
}
