/* SPDX-License-Identifier: MIT */
#include "../unit/stat_fixture.h"

#include "../unit/descriptors.h"
#include "host_fault.h"

/*
 * Every host call of reading the figures of each kind of object is failed in turn: where
 * it fails nothing is written, no descriptor is left, and the next call has it all.
 */

#define CALLS_MAX 50

static struct objects all;

static int begin(void **state)
{
	(void)state;
	open_all(&all);
	return 0;
}

static int end(void **state)
{
	(void)state;
	close_all(&all);
	return 0;
}

/* Returns whether a call was failed. */
static bool fail_one(int kind, const struct fault_plan *plan)
{
	const struct vms_stat none = { .struct_size = sizeof(none) };
	struct vms_stat stat;
	struct fault_result result;
	const size_t open_before = descriptors();
	int answer;

	memset(&stat, 0, sizeof(stat));
	stat.struct_size = sizeof(stat);
	fault_begin(plan);
	answer = stat_kind(&all, kind, VMS_STAT_PAGES, &stat);
	result = fault_end();
	if (answer != 0 && memcmp(&stat, &none, sizeof(stat)) != 0)
		fail_msg("%s, host call %u (%s): something was written",
			 kind_name(kind), plan->n, fault_call_name(result.call));
	/* Without the request the words tell; close never fails a call that was made. */
	if (result.failed && answer == 0 && result.call != CALL_PAGEMAP_SCAN &&
	    result.call != CALL_CLOSE && kind != KIND_BUDGET)
		fail_msg("%s, host call %u (%s): success", kind_name(kind), plan->n,
			 fault_call_name(result.call));
	/* What close is refused stays open here. */
	if (result.call != CALL_CLOSE || !result.failed)
		assert_int_equal(descriptors(), open_before);
	(void)stat_now(&all, kind, VMS_STAT_PAGES);
	return result.failed;
}

static void each_call_fails_once_and_from_then_on(void **state)
{
	(void)state;
	for (int kind = 0; kind < KINDS; kind++)
		for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
			for (int which = 0; which < FAULT_ERRNOS; which++) {
				unsigned n = 1;

				while (fail_one(kind, &(struct fault_plan){
					.mode = (enum fault_mode)mode, .n = n,
					.which = (enum fault_errno)which }))
					assert_true(n++ < CALLS_MAX);
				assert_true(n > 1 || kind == KIND_BUDGET);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_fails_once_and_from_then_on),
	};
	int failed;

	fault_install();
	failed = cmocka_run_group_tests(tests, begin, end);
	fault_remove();
	return failed;
}
