/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <signal.h>

#include "share/layout.h"
#include "share/share.h"
#include "share_steps.h"

/*
 * Processes that make, attach to, grow, shrink and fork with a share end by SIGKILL at
 * each of their steps in turn. The others find one of the sizes before and after, with
 * memory under all of it, what was written below, and zeros in what is new.
 */

#define PAGES 3
#define PAGES_MOST 16

static size_t page;

static char pattern(uint64_t offset)
{
	return (char)(offset * 131 + (offset >> 12) * 7 + 1);
}

static vms_share *must_make(void)
{
	vms_share *share = must_create(PAGES * page, PAGES_MOST * page);
	char *bytes = vms_share_base(share);

	for (uint64_t i = 0; i < PAGES * page; i++)
		bytes[i] = pattern(i);
	worked(vms_share_use(share, page));
	return share;
}

static void must_have_pattern(vms_share *share, uint64_t end)
{
	const char *bytes = vms_share_base(share);

	for (uint64_t i = 0; i < end; i++)
		assert_int_equal(bytes[i], pattern(i));
}

/* Nobody keeps the others from anything, and all that is new is zero. */
static void must_go_on(vms_share *share)
{
	const uint64_t size = vms_share_size(share);
	const char *bytes = vms_share_base(share);

	assert_true(stats_of(share).allocated >= size + page);
	worked(vms_share_grow(share, size + 3 * page));
	assert_int_equal(vms_share_size(share), size + 3 * page);
	assert_true(stats_of(share).allocated >= size + 4 * page);
	for (uint64_t i = size; i < size + 3 * page; i++)
		assert_int_equal(bytes[i], 0);
	worked(vms_share_shrink(share, page));
	must_have_pattern(share, page);
	assert_true(stats_of(share).allocated <= 2 * page);
	worked(vms_share_grow(share, PAGES_MOST * page));
	for (uint64_t i = page; i < PAGES_MOST * page; i++)
		assert_int_equal(bytes[i], 0);
}

static vms_share *attach_in_child(const vms_share *share)
{
	vms_share *other = vms_share_attach(vms_share_fd(share), NULL);

	child_needs(other);
	return other;
}

static void growers_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = must_make();
		const pid_t child = fork_stepped(steps);
		uint64_t size;

		if (child == 0) {
			vms_share *other = attach_in_child(share);

			child_needs(vms_share_use(other, 2 * page) == 0);
			child_needs(vms_share_grow(other, 5 * page) == 0);
			child_needs(vms_share_extend(other, 10, &size) == 0);
			child_needs(vms_share_close(other) == 0);
			_exit(0);
		}
		killed = was_killed(child);
		size = vms_share_size(share);
		assert_true(size == PAGES * page || size == 5 * page ||
			    size == 5 * page + 10);
		must_have_pattern(share, PAGES * page);
		must_go_on(share);
		worked(vms_share_close(share));
	}
}

static void shrinkers_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = must_make();
		const pid_t child = fork_stepped(steps);
		uint64_t size;

		if (child == 0) {
			vms_share *other = attach_in_child(share);

			child_needs(vms_share_close(share) == 0);
			child_needs(vms_share_shrink(other, page + 10) == 0);
			_exit(0);
		}
		killed = was_killed(child);
		size = vms_share_size(share);
		assert_true(size == PAGES * page || size == page + 10);
		must_have_pattern(share, size);
		must_go_on(share);
		worked(vms_share_close(share));
	}
}

/* As after the death of a shrinker that had lowered the size. */
static vms_share *must_make_unswept(void)
{
	vms_share *share = must_make();

	share->head->size = (page + 10) | VMSI_SHARE_UNSWEPT;
	assert_int_equal(vms_share_size(share), page + 10);
	return share;
}

static void sweepers_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = must_make_unswept();
		const pid_t child = fork_stepped(steps);
		uint64_t size;

		if (child == 0) {
			vms_share *other = attach_in_child(share);

			child_needs(vms_share_grow(other, 2 * page) == 0);
			_exit(0);
		}
		killed = was_killed(child);
		size = vms_share_size(share);
		assert_true(size == page + 10 || size == 2 * page);
		must_have_pattern(share, page + 10);
		must_go_on(share);
		worked(vms_share_close(share));
	}
}

/* Who shrinks again, and who forbids writers, finish what the dead have begun as well. */
static void what_the_dead_have_left_is_finished(void **state)
{
	vms_share *share = must_make_unswept();

	(void)state;
	worked(vms_share_shrink(share, page + 10));
	assert_true(stats_of(share).allocated <= 3 * page);
	assert_int_equal(share->head->size, page + 10);
	worked(vms_share_close(share));
	share = must_make_unswept();
	if (vms_share_forbid_writers(share) == 0) {
		worked(vms_share_grow(share, 3 * page));
		assert_int_equal(*((char *)vms_share_base(share) + page + 10), 0);
		must_have_pattern(share, page + 10);
		refused(vms_share_shrink(share, page), EPERM);
		must_have_pattern(share, page + 10);
	}
	worked(vms_share_close(share));
}

/* --- making, and fork -------------------------------------------------------------------------- */

static unsigned files_in(const char *directory)
{
	DIR *entries = opendir(directory);
	unsigned count = 0;

	assert_non_null(entries);
	while (readdir(entries))
		count++;
	(void)closedir(entries);
	return count - 2;
}

/* The path is that of a complete share, or of nothing. */
static void makers_die_at_each_step(void **state)
{
	const struct place *place = *state;
	bool killed = true;

	for (unsigned steps = 1; killed; steps++) {
		const pid_t child = fork_stepped(steps);
		vms_share *share;

		if (child == 0) {
			share = vms_share_create(place->path, PAGES * page,
						 PAGES_MOST * page, NULL);
			child_needs(share && vms_share_close(share) == 0);
			_exit(0);
		}
		killed = was_killed(child);
		share = vms_share_attach_path(place->path, NULL);
		if (!share) {
			assert_true(killed);
			assert_int_equal(errno, ENOENT);
			assert_int_equal(files_in(place->directory), 0);
			continue;
		}
		assert_int_equal(vms_share_size(share), PAGES * page);
		worked(vms_share_shrink(share, 0));
		worked(vms_share_close(share));
		assert_int_equal(unlink(place->path), 0);
	}
}

/* Parent or child dies while it forks: neither keeps others from shrinking. */
static void those_who_fork_die_at_each_step(void **state)
{
	bool killed = true;

	(void)state;
	for (unsigned steps = 1; killed; steps++) {
		vms_share *share = must_make();
		const pid_t child = fork_stepped(steps);

		if (child == 0) {
			const pid_t grandchild = fork();

			if (grandchild > 0)
				(void)waitpid(grandchild, NULL, 0);
			_exit(0);
		}
		killed = was_killed(child);
		/* The grandchild may live a little longer than its parent. */
		while (vms_share_shrink(share, page) != 0) {
			assert_int_equal(errno, EBUSY);
			(void)usleep(1000);
		}
		must_go_on(share);
		worked(vms_share_close(share));
	}
}

static void a_size_that_always_changes_keeps_nobody(void **state)
{
	vms_share *share = must_make();
	uint64_t at;

	(void)state;
	spoil(&share->head->size);
	refused(vms_share_grow(share, PAGES_MOST * page), EAGAIN);
	refused(vms_share_extend(share, 1, &at), EAGAIN);
	worked(vms_share_shrink(share, 0));
	spoil(NULL);
	assert_int_equal(vms_share_size(share), 0);
	assert_int_equal(stats_of(share).used, page);
	worked(vms_share_close(share));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		step_test(growers_die_at_each_step),
		step_test(shrinkers_die_at_each_step),
		step_test(sweepers_die_at_each_step),
		cmocka_unit_test(what_the_dead_have_left_is_finished),
		cmocka_unit_test(a_size_that_always_changes_keeps_nobody),
		file_test(makers_die_at_each_step),
		step_test(those_who_fork_die_at_each_step),
	};

	page = page_bytes();
	return cmocka_run_group_tests_name("share_size_steps", tests, NULL, NULL);
}
