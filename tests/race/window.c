/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../fault/snapshot.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * A few operations leave addresses of the space unmapped for an instant. Here a
 * foreign mapping gets them right then: the table of host calls maps it after the
 * call that unmapped them.
 */

#define SPACE_PAGES 2048
#define FILE_PAGES 64
#define RW (PROT_READ | PROT_WRITE)
#define FOREIGN_BYTE 0xa5

static struct vmsi_host_calls real;
static vms_space *space;
static int file;

/* Where in the freed range the foreign mapping lands, in pages. */
static struct landing {
	enum { NOWHERE, AFTER_MUNMAP, AFTER_MREMAP } when;
	size_t first;
	size_t count;       /* 0: all of it */
	bool refuses_keeping; /* the host knows no MREMAP_DONTUNMAP */
} landing;

static char *foreign;
static size_t foreign_length;

static char *at(size_t page)
{
	return (char *)vms_space_base(space) + page * vmsi_page_size();
}

static size_t bytes(size_t pages)
{
	return pages * vmsi_page_size();
}

/* --- the host ----------------------------------------------------------------------- */

static void land(uintptr_t freed, size_t length)
{
	uintptr_t place = freed + bytes(landing.first);
	size_t wanted = landing.count ? bytes(landing.count) : length;
	long result;

	landing.when = NOWHERE;
	assert_true(bytes(landing.first) + wanted <= length);
	result = real.mmap(place, wanted, RW,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			   -1, 0);
	assert_int_equal(result, place);
	foreign = (char *)place;
	foreign_length = wanted;
	memset(foreign, FOREIGN_BYTE, foreign_length);
}

static long munmap_and_land(uintptr_t address, size_t length)
{
	long result = real.munmap(address, length);

	if (result == 0 && landing.when == AFTER_MUNMAP &&
	    vms_space_contains(space, (void *)address, length))
		land(address, length);
	return result;
}

static long mremap_and_land(uintptr_t old_address, size_t old_length,
			    size_t new_length, int flags, uintptr_t new_address)
{
	long result;

	if (landing.refuses_keeping && (flags & MREMAP_DONTUNMAP))
		return -EINVAL;
	result = real.mremap(old_address, old_length, new_length, flags,
			     new_address);
	if (result >= 0 && landing.when == AFTER_MREMAP && old_length > 0 &&
	    result != (long)old_address && !(flags & MREMAP_DONTUNMAP))
		land(old_address, old_length);
	return result;
}

/* --- what must hold --------------------------------------------------------------------- */

static size_t lost(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_space_get_stats(space, &stats), 0);
	return stats.lost;
}

static void expect_sound(void)
{
	const char *wrong = vmsi_space_check(space);

	if (wrong)
		fail_msg("%s", wrong);
}

static void expect_foreign_untouched(void)
{
	for (size_t i = 0; i < foreign_length; i++)
		if ((unsigned char)foreign[i] != FOREIGN_BYTE)
			fail_msg("byte %zu of the foreign mapping is %#x", i,
				 (unsigned char)foreign[i]);
}

/* No call on the space may change the foreign mapping. */
static void expect_foreign_survives_all(void)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	uintptr_t cursor = 0;

	while (vms_space_next_mapping(space, &cursor, &info, 0) == 1)
		assert_true(info.start + info.length <= (uintptr_t)foreign ||
			    info.start >= (uintptr_t)foreign + foreign_length);
	assert_ptr_equal(vms_mmap(space, foreign, bytes(1), RW,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0), MAP_FAILED);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
	assert_int_equal(vms_mprotect(space, foreign, bytes(1), PROT_NONE), -1);
	assert_int_equal(vms_madvise(space, foreign, bytes(1), MADV_DONTNEED),
			 -1);
	for (size_t i = 0; i < 64; i++) {
		char *other = vms_mmap(space, NULL, bytes(16), RW,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert_true(other != MAP_FAILED);
		memset(other, 1, bytes(16));
	}
	assert_int_equal(vms_munmap(space, at(0), bytes(SPACE_PAGES)), 0);
	expect_foreign_untouched();
	assert_int_equal(lost(), foreign_length);
	expect_sound();
}

/* Once the foreign mapping is gone, the reservation covers its addresses again. */
static void expect_recovery(void)
{
	struct snapshot now;
	size_t page;

	assert_int_equal(munmap(foreign, foreign_length), 0);
	assert_int_equal(lost(), 0);
	snapshot_make(&now, bytes(SPACE_PAGES));
	snapshot_take(&now, space, NULL, 0);
	assert_null(snapshot_disagreement(&now, &page));
	snapshot_drop(&now);
	assert_ptr_equal(vms_mmap(space, foreign, foreign_length, RW,
				  MAP_PRIVATE | MAP_ANONYMOUS |
					  MAP_FIXED_NOREPLACE, -1, 0), foreign);
	memset(foreign, 1, foreign_length);
	expect_sound();
}

static void expect_lost_and_found(void)
{
	assert_non_null(foreign);
	expect_sound();
	expect_foreign_untouched();
	assert_int_equal(lost(), foreign_length);
	expect_foreign_survives_all();
	expect_recovery();
}

/* --- fixture ------------------------------------------------------------------------------ */

static int open_space(void **state)
{
	(void)state;
	real = vmsi_host;
	foreign = NULL;
	landing = (struct landing){ .when = NOWHERE };
	space = vms_space_open(bytes(SPACE_PAGES), NULL);
	file = memfd_create("window", MFD_CLOEXEC);
	if (!space || file < 0 || ftruncate(file, (off_t)bytes(FILE_PAGES)))
		return -1;
	for (size_t i = 0; i < FILE_PAGES; i++) {
		unsigned char byte = (unsigned char)(i + 1);

		if (pwrite(file, &byte, 1, (off_t)bytes(i)) != 1)
			return -1;
	}
	vmsi_host.munmap = munmap_and_land;
	vmsi_host.mremap = mremap_and_land;
	return 0;
}

static int close_space(void **state)
{
	(void)state;
	vmsi_host = real;
	close(file);
	return vms_space_close(space);
}

static char *map_file(size_t page, size_t pages)
{
	char *memory = vms_mmap(space, at(page), bytes(pages), RW,
				MAP_PRIVATE | MAP_FIXED, file, 0);

	assert_ptr_equal(memory, at(page));
	/* Every other page is a private copy. */
	for (size_t i = 0; i < pages; i += 2)
		memory[bytes(i) + 1] = 'w';
	return memory;
}

static void expect_file(const char *memory, size_t written, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		assert_int_equal((unsigned char)memory[bytes(i)], i + 1);
		assert_int_equal(memory[bytes(i) + 1],
				 i < written && i % 2 == 0 ? 'w' : 0);
	}
}

/* Foreign mappings at both ends, in the middle, and on all of the range. */
static const struct landing landings[] = {
	{ .first = 0, .count = 1 },
	{ .first = 7, .count = 1 },
	{ .first = 3, .count = 2 },
	{ .first = 0, .count = 0 },
};
#define LANDINGS (sizeof(landings) / sizeof(landings[0]))

/* --- tests ----------------------------------------------------------------------------------- */

static void growth_of_a_private_file_in_place_is_lost(void **state)
{
	for (size_t i = 0; i < LANDINGS; i++) {
		char *memory = map_file(16, 8);

		landing = landings[i];
		landing.when = AFTER_MUNMAP;
		assert_ptr_equal(vms_mremap(space, memory, bytes(8), bytes(16),
					    0, NULL), MAP_FAILED);
		assert_int_equal(errno, ENOMEM);
		assert_int_not_equal(vms_last_refusal(), VMS_REFUSAL_NONE);
		expect_file(memory, 8, 8);
		expect_lost_and_found();
		close_space(state);
		assert_int_equal(open_space(state), 0);
	}
}

static void growth_of_a_private_file_moves_where_it_was_lost(void **state)
{
	for (size_t i = 0; i < LANDINGS; i++) {
		char *memory = map_file(16, 8), *moved;

		landing = landings[i];
		landing.when = AFTER_MUNMAP;
		moved = vms_mremap(space, memory, bytes(8), bytes(16),
				   MREMAP_MAYMOVE, NULL);
		assert_true(moved != MAP_FAILED && moved != memory);
		expect_file(moved, 8, 16);
		expect_lost_and_found();
		close_space(state);
		assert_int_equal(open_space(state), 0);
	}
}

/*
 * Without MREMAP_DONTUNMAP the source is unmapped for an instant, also when the
 * mapping grows by the move.
 */
static void the_source_of_a_growing_move_is_lost(void **state)
{
	for (size_t i = 0; i < LANDINGS; i++) {
		char *memory = map_file(16, 8);

		landing = landings[i];
		landing.when = AFTER_MREMAP;
		landing.refuses_keeping = true;
		/* This is more than an open gap would hold. */
		assert_ptr_equal(vms_mremap(space, memory, bytes(8), bytes(280),
					    MREMAP_MAYMOVE | MREMAP_FIXED,
					    at(64)), at(64));
		expect_file(at(64), 8, 16);
		expect_lost_and_found();
		close_space(state);
		assert_int_equal(open_space(state), 0);
	}
}

static void the_source_of_a_plain_move_is_lost(void **state)
{
	for (size_t i = 0; i < LANDINGS; i++) {
		char *memory = map_file(16, 8);

		landing = landings[i];
		landing.when = AFTER_MREMAP;
		landing.refuses_keeping = true;
		assert_ptr_equal(vms_mremap(space, memory, bytes(8), bytes(8),
					    MREMAP_MAYMOVE | MREMAP_FIXED,
					    at(64)), at(64));
		expect_file(at(64), 8, 8);
		expect_lost_and_found();
		close_space(state);
		assert_int_equal(open_space(state), 0);
	}
}

static void the_guard_gap_of_a_stack_is_lost(void **state)
{
	volatile char *stack;

	(void)state;
	landing = (struct landing){ .when = AFTER_MUNMAP, .first = 250,
				    .count = 2 };
	stack = vms_mmap(space, at(600), bytes(4), RW,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
				 MAP_GROWSDOWN, -1, 0);
	assert_ptr_equal(stack, at(600));
	assert_non_null(foreign);
	for (size_t i = 0; i < 4; i++)
		stack[bytes(i)] = (char)(i + 1);
	/*
	 * Unmapping the stack also looks at its gap, and finds the foreign mapping.
	 */
	assert_int_equal(vms_munmap(space, at(602), bytes(2)), 0);
	assert_int_equal(stack[0], 1);
	expect_foreign_untouched();
	assert_int_equal(vms_munmap(space, at(600), bytes(2)), 0);
	expect_lost_and_found();
}

/* Lose several ranges one after the other; all must be found again. */
static void many_losses_are_kept_apart(void **state)
{
	char *lands[12];

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		map_file(16 + 32 * i, 8);
		landing = (struct landing){ .when = AFTER_MREMAP, .first = 2,
					    .count = 3,
					    .refuses_keeping = true };
		assert_ptr_equal(vms_mremap(space, at(16 + 32 * i), bytes(8),
					    bytes(8),
					    MREMAP_MAYMOVE | MREMAP_FIXED,
					    at(1024 + 32 * i)),
				 at(1024 + 32 * i));
		lands[i] = foreign;
		assert_int_equal(lost(), bytes(3 * (i + 1)));
		expect_sound();
	}
	assert_int_equal(vms_munmap(space, at(0), bytes(SPACE_PAGES)), 0);
	for (size_t i = 0; i < 12; i++) {
		foreign = lands[(i * 5) % 12];
		expect_foreign_untouched();
		assert_int_equal(munmap(foreign, foreign_length), 0);
		assert_int_equal(lost(), bytes(3 * (11 - i)));
		expect_sound();
	}
}

static void a_foreign_mapping_outlives_the_space(void **state)
{
	map_file(16, 8);
	landing = (struct landing){ .when = AFTER_MREMAP, .first = 2,
				    .count = 3, .refuses_keeping = true };
	assert_ptr_equal(vms_mremap(space, at(16), bytes(8), bytes(8),
				    MREMAP_MAYMOVE | MREMAP_FIXED, at(64)),
			 at(64));
	close_space(state);
	expect_foreign_untouched();
	assert_int_equal(munmap(foreign, foreign_length), 0);
	assert_int_equal(open_space(state), 0);
}

int main(void)
{
#define WINDOW(test) cmocka_unit_test_setup_teardown(test, open_space, \
						     close_space)
	const struct CMUnitTest tests[] = {
		WINDOW(growth_of_a_private_file_in_place_is_lost),
		WINDOW(growth_of_a_private_file_moves_where_it_was_lost),
		WINDOW(the_source_of_a_growing_move_is_lost),
		WINDOW(the_source_of_a_plain_move_is_lost),
		WINDOW(the_guard_gap_of_a_stack_is_lost),
		WINDOW(many_losses_are_kept_apart),
		WINDOW(a_foreign_mapping_outlives_the_space),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
