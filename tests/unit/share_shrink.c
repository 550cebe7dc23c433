/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>
#include <sys/wait.h>

#include "share_fixture.h"

/* Shrinking by agreement, and what fork makes of it. */

#define ATTACHERS 32

static void shrinks_when_all_agree(void **state)
{
	const uint64_t page = page_bytes();
	vms_share *share = must_create(8 * page, 16 * page);
	vms_share *others[ATTACHERS];
	char *bytes = vms_share_at(share, 0, 8 * page);
	const char *behind;
	uint64_t before;

	(void)state;
	memset(bytes, 'x', 8 * page);
	before = stats_of(share).allocated;
	for (int i = 0; i < ATTACHERS; i++)
		others[i] = must_attach(share);
	behind = vms_share_at(others[1], 5 * page, 1);
	for (int i = 0; i < ATTACHERS; i++) {
		refused(vms_share_shrink(share, page + 10), EBUSY);
		worked(vms_share_use(others[i], page + 10 - (uint64_t)i % 2));
		refused_null(vms_share_at(others[i], page, 11), ERANGE);
	}
	assert_int_equal(bytes[8 * page - 1], 'x');
	refused(vms_share_shrink(share, page + 9), EBUSY);
	worked(vms_share_shrink(share, page + 10));
	assert_int_equal(vms_share_size(others[0]), page + 10);
	assert_true(stats_of(share).allocated <= before - 6 * page);
	/* Who reads behind the end all the same lives. */
	assert_int_equal(*behind, 0);
	worked(vms_share_shrink(share, page + 10));
	worked(vms_share_shrink(share, 16 * page));
	assert_int_equal(vms_share_size(share), page + 10);
	/* It grows again, with zeros. */
	worked(vms_share_grow(others[3], 3 * page));
	for (uint64_t i = 0; i < 3 * page; i++)
		assert_int_equal(bytes[i], i < page + 10 ? 'x' : 0);
	assert_int_equal(stats_of(others[3]).used, 3 * page);
	for (int i = 0; i < ATTACHERS; i++)
		worked(vms_share_close(others[i]));
	worked(vms_share_shrink(share, 0));
	worked(vms_share_close(share));
}

static void what_is_used_again_stays(void **state)
{
	const uint64_t page = page_bytes();
	vms_share *share = must_create(8 * page, 8 * page);
	vms_share *other = must_attach(share);

	(void)state;
	worked(vms_share_use(other, page));
	worked(vms_share_use(other, UINT64_MAX));
	assert_int_equal(stats_of(other).used, 8 * page);
	refused(vms_share_shrink(share, page), EBUSY);
	worked(vms_share_use(other, page));
	worked(vms_share_use(share, 2 * page));
	refused(vms_share_shrink(other, page), EBUSY);
	worked(vms_share_shrink(other, 3 * page));
	/* The shrinker uses no more than before. */
	assert_int_equal(stats_of(other).used, page);
	worked(vms_share_shrink(share, 2 * page));
	worked(vms_share_close(other));
	worked(vms_share_close(share));
}

static void the_dead_have_agreed(void **state)
{
	const uint64_t page = page_bytes();
	vms_share *share = must_create(8 * page, 8 * page);
	int ends[2];
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		vms_share *own = vms_share_attach(vms_share_fd(share), NULL);

		child_needs(own && write(ends[1], "x", 1) == 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	refused(vms_share_shrink(share, page), EBUSY);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	worked(vms_share_shrink(share, page));
	worked(vms_share_close(share));
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* A child is an attachment of its own, from the first moment. */
static void a_child_agrees_for_itself(void **state)
{
	const uint64_t page = page_bytes();
	vms_share *share = must_create(8 * page, 16 * page);
	int there[2], back[2];
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(there), 0);
	assert_int_equal(pipe(back), 0);
	child = fork();
	if (child == 0) {
		child_needs(read(there[0], &byte, 1) == 1);
		strcpy(vms_share_at(share, 7 * page, 6), "child");
		child_needs(vms_share_grow(share, 9 * page) == 0);
		child_needs(vms_share_use(share, page) == 0);
		child_needs(write(back[1], "x", 1) == 1);
		child_needs(read(there[0], &byte, 1) == 1);
		_exit(vms_share_close(share) ? 1 : 0);
	}
	refused(vms_share_shrink(share, page), EBUSY);
	assert_int_equal(write(there[1], "x", 1), 1);
	assert_int_equal(read(back[0], &byte, 1), 1);
	assert_string_equal(vms_share_at(share, 7 * page, 6), "child");
	assert_int_equal(vms_share_size(share), 9 * page);
	worked(vms_share_shrink(share, page));
	/* What the child has said is not said for its parent. */
	assert_int_equal(stats_of(share).used, 16 * page);
	assert_int_equal(write(there[1], "x", 1), 1);
	must_end_well(child);
	worked(vms_share_grow(share, 16 * page));
	worked(vms_share_close(share));
	for (int i = 0; i < 2; i++) {
		(void)close(there[i]);
		(void)close(back[i]);
	}
}

static void a_child_without_a_descriptor_has_no_part(void **state)
{
	vms_share *share = must_create(100, 1 << 20);
	struct rlimit before, none;
	pid_t child;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	child = fork();
	if (child == 0) {
		child_needs(!vms_share_at(share, 0, 1) && errno == EBADF);
		child_needs(vms_share_grow(share, 200) == -1 && errno == EBADF);
		child_needs(vms_share_use(share, 1) == -1 && errno == EBADF);
		child_needs(vms_share_shrink(share, 1) == -1 && errno == EBADF);
		_exit(vms_share_close(share) ? 1 : 0);
	}
	must_end_well(child);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	worked(vms_share_shrink(share, 1));
	worked(vms_share_close(share));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shrinks_when_all_agree),
		cmocka_unit_test(what_is_used_again_stays),
		cmocka_unit_test(the_dead_have_agreed),
		cmocka_unit_test(a_child_agrees_for_itself),
		cmocka_unit_test(a_child_without_a_descriptor_has_no_part),
	};

	return cmocka_run_group_tests_name("share_shrink", tests, NULL, NULL);
}
