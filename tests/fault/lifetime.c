/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host_fault.h"
#include "scenario.h"
#include "snapshot.h"
#include "space/inside.h"

/* Every host call of opening, closing and forking spaces is failed in turn. */

#define SPACE_PAGES 1024
#define CALLS_MAX 200

static const enum fault_mode modes[] = { FAULT_ONCE, FAULT_FROM };
#define MODES (sizeof(modes) / sizeof(modes[0]))

static vms_space *open_space(void)
{
	return vms_space_open(SPACE_PAGES * vmsi_page_size(), NULL);
}

/* Make a space with a mapping of each kind, and with records that have grown. */
static void furnish(struct stage *stage)
{
	*stage = (struct stage){
		.space = open_space(),
		.page = vmsi_page_size(),
		.file = memfd_create("furniture", MFD_CLOEXEC),
	};
	assert_non_null(stage->space);
	assert_true(stage->file >= 0);
	put_filled(stage, 16, 8);
	put_file(stage, 32, 8, RW, MAP_SHARED, 0);
	put(stage, 48, 8, RW, SHARED);
	put(stage, 900, 4, RW, ANONYMOUS | MAP_GROWSDOWN);
	hold_range(stage, 16, 8);
	assert_int_equal(vms_set_name(stage->space, at(stage, 48),
				      pages(stage, 8), "furniture"), 0);
}

/* --- open ------------------------------------------------------------------------- */

/* The result of a plan. */
struct attempt {
	bool made;      /* the plan's call was made */
	bool leaked;    /* addresses were left behind */
};

/*
 * Return whether the plan's call was made. The C library may map memory too, though
 * not each time, so a leak must be seen several times.
 */
static bool try_plan(struct attempt (*try)(const struct fault_plan *plan),
		     const struct fault_plan *plan)
{
	struct attempt attempt = try(plan);

	for (int i = 0; attempt.leaked && i < 3; i++)
		attempt = try(plan);
	assert_false(attempt.leaked);
	return attempt.made;
}

static struct attempt try_open(const struct fault_plan *plan)
{
	size_t before = process_bytes();
	struct fault_result result;
	vms_space *space;
	int error;

	errno = 0;
	fault_begin(plan);
	space = open_space();
	result = fault_end();
	error = errno;
	if (space) {
		assert_int_equal(error, 0);
		assert_null(vmsi_space_check(space));
		assert_int_equal(vms_space_close(space), 0);
	} else {
		assert_true(error == ENOMEM || error == EAGAIN);
		assert_true(error != ENOMEM ||
			    vms_last_refusal() == VMS_REFUSAL_RECORDS ||
			    vms_last_refusal() == VMS_REFUSAL_MAP_COUNT ||
			    vms_last_refusal() == VMS_REFUSAL_HOST ||
			    vms_last_refusal() == VMS_REFUSAL_OPEN);
	}
	fault_sweep_refused(0, 0);
	return (struct attempt){ result.calls >= plan->n,
				 process_bytes() != before };
}

static void a_space_that_cannot_be_opened_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(vms_space_close(open_space()), 0);
	for (size_t i = 0; i < MODES; i++)
		for (enum fault_errno which = 0; which < FAULT_ERRNOS; which++) {
			struct fault_plan plan = { .mode = modes[i],
						   .which = which };

			do
				assert_true(++plan.n < CALLS_MAX);
			while (try_plan(try_open, &plan));
		}
}

/* --- close ------------------------------------------------------------------------ */

static struct snapshot before_close, after_close;

static void expect_same_space(struct stage *stage)
{
	const char *wrong;

	snapshot_take(&after_close, stage->space, stage->handles, 1);
	for (size_t i = 0; i < before_close.count; i++) {
		wrong = snapshot_page_difference(&before_close, &after_close,
						 i);
		if (wrong)
			fail_msg("page %zu after a refused close: %s", i, wrong);
	}
	wrong = snapshot_figures_difference(&before_close, &after_close);
	if (wrong)
		fail_msg("after a refused close: %s", wrong);
}

static struct attempt try_close(const struct fault_plan *plan)
{
	size_t bytes = process_bytes();
	struct fault_result result;
	struct stage stage;
	int status, error;

	furnish(&stage);
	snapshot_take(&before_close, stage.space, stage.handles, 1);
	errno = 0;
	fault_begin(plan);
	status = vms_space_close(stage.space);
	result = fault_end();
	error = errno;
	if (status != 0) {
		assert_int_equal(error, ENOMEM);
		assert_int_not_equal(vms_last_refusal(), VMS_REFUSAL_NONE);
		assert_ptr_equal(vms_space_of(at(&stage, 20)), stage.space);
		expect_same_space(&stage);
		assert_int_equal(vms_space_close(stage.space), 0);
	}
	close(stage.file);
	fault_sweep_refused(0, 0);
	return (struct attempt){ result.calls >= plan->n,
				 process_bytes() != bytes };
}

static void a_space_that_cannot_be_closed_is_as_before(void **state)
{
	(void)state;
	snapshot_make(&before_close, SPACE_PAGES * vmsi_page_size());
	snapshot_make(&after_close, SPACE_PAGES * vmsi_page_size());
	for (size_t i = 0; i < MODES; i++) {
		struct fault_plan plan = { .mode = modes[i] };

		do
			assert_true(++plan.n < CALLS_MAX);
		while (try_plan(try_close, &plan));
	}
	snapshot_drop(&before_close);
	snapshot_drop(&after_close);
}

/* --- fork -------------------------------------------------------------------------- */

enum child_end {
	CHILD_MADE_NO_SUCH_CALL = 0,
	CHILD_WELL = 1,
	CHILD_UNSOUND,
	CHILD_HOLE_NOT_HELD,
	CHILD_DISAGREES,
	CHILD_STILL_LOCKED,
	CHILD_STILL_HAS_UNFORKED,
	CHILD_CANNOT_MAP,
};

static bool child_lists(struct stage *stage, size_t page, unsigned *flags)
{
	static struct vms_mapping_info info;
	uintptr_t cursor = (uintptr_t)at(stage, page);

	info.struct_size = sizeof(info);
	if (vms_space_next_mapping(stage->space, &cursor, &info, 0) != 1 ||
	    info.start != (uintptr_t)at(stage, page))
		return false;
	*flags = info.flags;
	return true;
}

static enum child_end judge_child(struct stage *stage, unsigned n)
{
	struct fault_result result = fault_end();
	struct snapshot now;
	unsigned flags = 0;
	size_t page;

	if (vmsi_space_check(stage->space))
		return CHILD_UNSOUND;
	snapshot_make(&now, SPACE_PAGES * vmsi_page_size());
	/* The next call on the space repairs what the host refused to. */
	snapshot_take_space(&now, stage->space);
	snapshot_take_host(&now, stage->space);
	if (snapshot_loose_hole(&now, &page))
		return CHILD_HOLE_NOT_HELD;
	snapshot_take_space(&now, stage->space);
	if (snapshot_disagreement(&now, &page))
		return CHILD_DISAGREES;
	if (child_lists(stage, 16, &flags))
		return CHILD_STILL_HAS_UNFORKED;
	if (!child_lists(stage, 48, &flags) || (flags & VMS_MAPPING_LOCKED))
		return CHILD_STILL_LOCKED;
	if (vms_mmap(stage->space, at(stage, 16), stage->page, RW,
		     ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		return CHILD_CANNOT_MAP;
	return result.calls >= n ? CHILD_WELL : CHILD_MADE_NO_SUCH_CALL;
}

static enum child_end try_fork(struct stage *stage,
			       const struct fault_plan *plan)
{
	int status;
	pid_t child;

	fault_begin(plan);
	child = fork();
	if (child == 0)
		_exit(judge_child(stage, plan->n));
	fault_end();
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return (enum child_end)WEXITSTATUS(status);
}

static void a_child_is_sound_whatever_the_host_refuses(void **state)
{
	struct stage stage;

	(void)state;
	furnish(&stage);
	assert_int_equal(vms_madvise(stage.space, at(&stage, 16),
				     pages(&stage, 8), MADV_DONTFORK), 0);
	assert_int_equal(vms_mlock(stage.space, at(&stage, 48),
				   pages(&stage, 8)), 0);
	for (size_t i = 0; i < MODES; i++) {
		struct fault_plan plan = { .mode = modes[i] };
		enum child_end end;

		do {
			assert_true(++plan.n < CALLS_MAX);
			end = try_fork(&stage, &plan);
			if (end > CHILD_WELL)
				fail_msg("host call %u failed (mode %d): %d",
					 plan.n, plan.mode, end);
		} while (end == CHILD_WELL);
	}
	close(stage.file);
	assert_int_equal(vms_space_close(stage.space), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_space_that_cannot_be_opened_leaves_nothing),
		cmocka_unit_test(a_space_that_cannot_be_closed_is_as_before),
		cmocka_unit_test(a_child_is_sound_whatever_the_host_refuses),
	};

	fault_install();
	return cmocka_run_group_tests_name("lifetime", tests, NULL, NULL);
}
