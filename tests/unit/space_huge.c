/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "space_fixture.h"

/*
 * MAP_HUGETLB with an empty pool and with a real one. The pool is the machine's: a
 * guardian process restores it, even when the test is killed.
 */

#define POOL "/proc/sys/vm/nr_hugepages"
#define POOL_PAGES 4

static size_t huge;

static unsigned long pool_pages(void)
{
	FILE *file = fopen(POOL, "re");
	unsigned long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages;
}

static bool set_pool(unsigned long pages)
{
	FILE *file = fopen(POOL, "we");

	if (!file)
		return false;
	fprintf(file, "%lu\n", pages);
	return fclose(file) == 0 && pool_pages() == pages;
}

/* --- the guardian -------------------------------------------------------------------- */

static int guardian_end = -1;
static pid_t guardian;

/* Wait until the test process is gone, in whichever way. */
static _Noreturn void guard(int end, unsigned long pages)
{
	char byte;

	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	while (read(end, &byte, 1) < 0 && errno == EINTR)
		;
	/* The kernel may take a moment to free the dead process's pages. */
	for (int i = 0; i < 100 && !set_pool(pages); i++)
		usleep(10000);
	_exit(0);
}

static void post_guardian(unsigned long pages)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	guardian = fork();
	assert_true(guardian >= 0);
	if (guardian == 0) {
		close(ends[1]);
		guard(ends[0], pages);
	}
	close(ends[0]);
	guardian_end = ends[1];
}

static void dismiss_guardian(void)
{
	close(guardian_end);
	assert_int_equal(waitpid(guardian, NULL, 0), guardian);
}

/* --- fixture ------------------------------------------------------------------------- */

static int open_for_huge(void **state)
{
	(void)state;
	huge = vmsi_hugetlb_page_size();
	if (huge == 0)
		huge = vmsi_huge_page_size();
	space = vms_space_open(16 * huge, NULL);
	return space ? 0 : -1;
}

#define HUGE(test) \
	cmocka_unit_test_setup_teardown(test, open_for_huge, close_space)

static void need_hugetlb(void)
{
	if (vmsi_hugetlb_page_size() == 0) {
		print_message("# the kernel has no MAP_HUGETLB\n");
		skip();
	}
}

static char *map_huge(size_t length, int flags)
{
	return vms_mmap(space, NULL, length, RW, flags | MAP_HUGETLB, -1, 0);
}

static struct vms_mapping_info *listed(const char *memory)
{
	return listed_at((size_t)(memory - at(0)) / bytes(1));
}

/* --- no huge pages to be had ------------------------------------------------------------ */

static void expect_fallback(char *memory, size_t length)
{
	struct vms_mapping_info *info;

	assert_true(memory != MAP_FAILED);
	assert_true(vmsi_is_aligned((uintptr_t)memory, huge));
	info = listed(memory);
	assert_int_equal(info->length, length);
	assert_int_equal(info->page_size, bytes(1));
	assert_true(info->flags & VMS_MAPPING_HUGE_FALLBACK);
	assert_false(info->flags & VMS_MAPPING_HUGETLB);
	/* The fallback is usable up to its end. */
	memset(memory, 1, length);
	assert_int_equal(vms_munmap(space, memory, length), 0);
}

static void an_empty_pool_gives_ordinary_pages(void **state)
{
	(void)state;
	need_hugetlb();
	if (pool_pages() > 0)
		skip();
	expect_fallback(map_huge(2 * huge, ANONYMOUS), 2 * huge);
	assert_int_equal(stats_now().huge_fallbacks, 1);
	assert_int_equal(stats_now().committed_peak, 2 * huge);
	/* The length is rounded up as for huge pages. */
	expect_fallback(map_huge(huge + 1, ANONYMOUS), 2 * huge);
	expect_fallback(map_huge(huge, SHARED), huge);
	expect_fallback(map_huge(huge, ANONYMOUS | MAP_NORESERVE), huge);
	assert_int_equal(stats_now().huge_fallbacks, 4);
}

static void a_fixed_fallback_replaces_what_was_there(void **state)
{
	(void)state;
	need_hugetlb();
	if (pool_pages() > 0)
		skip();
	map_pages(0, 4)[0] = 9;
	assert_ptr_equal(vms_mmap(space, at(0), huge, RW,
				  ANONYMOUS | MAP_FIXED | MAP_HUGETLB, -1, 0),
			 at(0));
	assert_int_equal(at(0)[0], 0);
	expect_fallback(at(0), huge);
}

static void exactly_huge_pages_can_be_asked_for(void **state)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_SPACE_HUGETLB_EXACT,
	};
	vms_space *fallback = space;
	unsigned char resident;

	(void)state;
	need_hugetlb();
	if (pool_pages() > 0)
		skip();
	space = vms_space_open(16 * huge, &options);
	assert_non_null(space);
	map_pages(0, 4)[0] = 9;
	assert_map_fails(map_huge(huge, ANONYMOUS), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_HOST);
	assert_int_equal(at(0)[0], 9);
	/* As on Linux, the target is unmapped before the pool refuses. */
	assert_map_fails(vms_mmap(space, at(0), huge, RW,
				  ANONYMOUS | MAP_FIXED | MAP_HUGETLB, -1, 0),
			 ENOMEM);
	assert_int_equal(stats_now().mapped, 0);
	assert_int_equal(stats_now().committed, 0);
	assert_int_equal(mincore(at(0), bytes(1), &resident), 0);
	map_pages(0, 4);
	assert_int_equal(close_space(state), 0);
	space = fallback;
}

static void a_fallback_is_charged_and_can_be_refused(void **state)
{
	(void)state;
	need_hugetlb();
	if (pool_pages() > 0)
		skip();
	assert_int_equal(vms_space_set_commit(space, huge, VMS_COMMIT_STRICT),
			 0);
	assert_map_fails(map_huge(2 * huge, ANONYMOUS), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	assert_int_equal(stats_now().huge_fallbacks, 0);
	assert_int_equal(stats_now().committed, 0);
	expect_fallback(map_huge(huge, ANONYMOUS), huge);
}

static void a_size_that_no_machine_has_is_refused(void **state)
{
	(void)state;
	assert_map_fails(vms_mmap(space, NULL, huge, RW,
				  ANONYMOUS | MAP_HUGETLB |
					  (int)(1u << MAP_HUGE_SHIFT), -1, 0),
			 EINVAL);
}

/* --- a real pool ------------------------------------------------------------------------- */

static void expect_huge(char *memory, size_t length)
{
	struct vms_mapping_info *info;

	assert_true(memory != MAP_FAILED);
	info = listed(memory);
	assert_int_equal(info->length, length);
	assert_int_equal(info->page_size, huge);
	assert_true(info->flags & VMS_MAPPING_HUGETLB);
	assert_false(info->flags & VMS_MAPPING_HUGE_FALLBACK);
}

static void use_pool(void)
{
	char *memory = map_huge(2 * huge, ANONYMOUS), *moved;

	expect_huge(memory, 2 * huge);
	memset(memory, 3, 2 * huge);
	/* The ledger is not charged for pages of the pool. */
	assert_int_equal(stats_now().committed, 0);
	assert_fails(vms_munmap(space, memory, bytes(1)), EINVAL);
	assert_map_fails(vms_mremap(space, memory, 2 * huge, 3 * huge,
				    MREMAP_MAYMOVE, NULL), EINVAL);
	/* A move must not be placed on a part of a huge page. */
	moved = map_pages(6 * huge / bytes(1), 4);
	*moved = 9;
	assert_map_fails(vms_mremap(space, moved, bytes(4), bytes(8),
				    MREMAP_MAYMOVE | MREMAP_FIXED,
				    memory + 2 * huge - bytes(4)), EINVAL);
	assert_int_equal(memory[2 * huge - 1], 3);
	assert_int_equal(*moved, 9);
	assert_int_equal(vms_munmap(space, moved, bytes(4)), 0);
	moved = vms_mremap(space, memory, 2 * huge, 2 * huge,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   at(0) + 10 * huge);
	assert_ptr_equal(moved, at(0) + 10 * huge);
	assert_int_equal(moved[2 * huge - 1], 3);
	assert_int_equal(stats_now().lost, 0);
	assert_int_equal(stats_now().huge_fallbacks, 0);
	/* What the pool cannot give whole is made of ordinary pages. */
	memory = map_huge(POOL_PAGES * huge, ANONYMOUS | MAP_NORESERVE);
	expect_fallback(memory, POOL_PAGES * huge);
	assert_int_equal(vms_munmap(space, moved, 2 * huge), 0);
	expect_huge(map_huge(huge, SHARED), huge);
}

static void huge_pages_are_used_where_the_pool_has_them(void **state)
{
	unsigned long before = pool_pages();
	bool raised;

	(void)state;
	need_hugetlb();
	if (before > 0 || access(POOL, W_OK) != 0) {
		print_message("# the pool is in use or not ours to change\n");
		skip();
	}
	post_guardian(before);
	raised = set_pool(POOL_PAGES);
	if (raised)
		use_pool();
	vms_munmap(space, at(0), 16 * huge);
	set_pool(before);
	dismiss_guardian();
	assert_int_equal(pool_pages(), before);
	if (!raised) {
		print_message("# the pool cannot be raised\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HUGE(an_empty_pool_gives_ordinary_pages),
		HUGE(a_fixed_fallback_replaces_what_was_there),
		HUGE(exactly_huge_pages_can_be_asked_for),
		HUGE(a_fallback_is_charged_and_can_be_refused),
		HUGE(a_size_that_no_machine_has_is_refused),
		HUGE(huge_pages_are_used_where_the_pool_has_them),
	};

	return cmocka_run_group_tests_name("space_huge", tests, NULL, NULL);
}
