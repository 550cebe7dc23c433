/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../unit/code_machine.h"
#include "code/check.h"
#include "host_fault.h"

/*
 * Every host call of every operation on a pool of code is failed in turn: once, and
 * from then on. An operation that fails has left the blocks as they were, published
 * code runs on, and the pool is as usable as before.
 */

#define CALLS_MAX 400
#define ERRNO_BEFORE 4711
#define KEPT 4

static struct {
	enum vms_code_mode mode;
	vms_code *code;
	struct vms_code_block kept[KEPT]; /* published, and run after each failure */
	struct vms_code_block block;      /* what the operation is about */
	size_t blocks, unpublished;       /* before it */
	struct fault_plan plan;
	struct fault_result result;
} run;

struct scenario {
	const char *name;
	void (*arrange)(void);
	int (*act)(void);
};

static void wrong(const struct scenario *scenario, const char *what)
{
	fail_msg("%s, mode %d, host call %u (%s, errno %d) failed, plan %d: %s",
		 scenario->name, (int)run.mode, run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

/* --- scenarios ----------------------------------------------------------------------- */

static struct vms_code_block make(size_t size, uint32_t value)
{
	struct vms_code_block block;

	assert_int_equal(vms_code_alloc(run.code, size, &block), 0);
	write_return(block.write, value);
	return block;
}

static struct vms_code_block make_published(size_t size, uint32_t value)
{
	struct vms_code_block block = make(size, value);

	assert_int_equal(vms_code_publish(run.code, &block), 0);
	return block;
}

static void nothing(void)
{
}

/* The chunk that blocks come from is nearly full. */
static void nearly_full(void)
{
	run.kept[KEPT - 1] = make_published(60000, KEPT - 1);
}

/* No chunk has a view. */
static void settled(void)
{
	assert_int_equal(vms_code_settle(run.code), 0);
}

static void unpublished(void)
{
	run.block = make(3000, 50);
}

static void unpublished_elsewhere(void)
{
	unpublished();
	settled();
}

static void unpublished_in_parts(void)
{
	unpublished();
	run.block.size = 100;
}

static void large(void)
{
	run.block = make(200000, 50);
}

static void published(void)
{
	run.block = make_published(3000, 50);
}

static void published_and_settled(void)
{
	published();
	settled();
}

static void published_large(void)
{
	run.block = make_published(200000, 50);
}

/* Between blocks that stay, in a chunk that is not the current one. */
static void published_in_between(void)
{
	run.block = make_published(9000, 50);
	run.kept[KEPT - 1] = make_published(100, KEPT - 1);
	settled();
}

/* Pages of the chunk have gone back. */
static void pages_gone(void)
{
	published_in_between();
	assert_int_equal(vms_code_free(run.code, &run.block), 0);
}

static void unpublished_in_parts_elsewhere(void)
{
	run.block = make(20000, 50);
	run.kept[KEPT - 1] = make_published(100, KEPT - 1);
	settled();
	run.block.size = 100;
}

static int alloc(void)
{
	return vms_code_alloc(run.code, 8000, &run.block);
}

static int alloc_large(void)
{
	return vms_code_alloc(run.code, 300000, &run.block);
}

static int publish(void)
{
	return vms_code_publish(run.code, &run.block);
}

static int free_block(void)
{
	return vms_code_free(run.code, &run.block);
}

static int settle(void)
{
	return vms_code_settle(run.code);
}

static int nothing_to_do(void)
{
	return 0;
}

static int name(void)
{
	return vms_code_name(run.code, &run.block, "name");
}

static const struct scenario scenarios[] = {
	{ "first alloc", nothing, alloc },
	{ "alloc in another chunk", nearly_full, alloc },
	{ "alloc in a settled chunk", settled, alloc },
	{ "alloc of a large block", nothing, alloc_large },
	{ "alloc where pages have no memory", pages_gone, alloc },
	{ "publish", unpublished, publish },
	{ "publish less, and pages go back", unpublished_in_parts_elsewhere,
	  publish },
	{ "publish the last of a chunk", unpublished_elsewhere, publish },
	{ "publish less", unpublished_in_parts, publish },
	{ "publish a large block", large, publish },
	{ "free", published, free_block },
	{ "free in a settled chunk", published_and_settled, free_block },
	{ "free pages", published_in_between, free_block },
	{ "free a large block", published_large, free_block },
	{ "free what is not published", unpublished_elsewhere, free_block },
	{ "settle", published, settle },
	{ "name", published, name },
};

/* --- what must hold -------------------------------------------------------------------- */

static struct vms_code_stats figures(void)
{
	struct vms_code_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_code_get_stats(run.code, &stats), 0);
	return stats;
}

static int open_pool(void)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.reserve = (size_t)2 << 20,
		.mode = run.mode,
		.flags = VMS_CODE_GDB,
	};

	run.code = vms_code_open(&options);
	return run.code ? 0 : -1;
}

static void check_kept(const struct scenario *scenario)
{
	const char *broken = vmsi_code_check(run.code, VMSI_CHECK_ALL);

	if (broken)
		wrong(scenario, broken);
	for (int i = 0; i < KEPT; i++)
		if (run.kept[i].run && call(run.kept[i].run) != i)
			wrong(scenario, "other code is in the place");
}

static void begin(const struct scenario *scenario)
{
	memset(run.kept, 0, sizeof(run.kept));
	memset(&run.block, 0, sizeof(run.block));
	assert_int_equal(open_pool(), 0);
	if (scenario->arrange != nothing)
		for (int i = 0; i < KEPT - 1; i++)
			run.kept[i] = make_published(100, (uint32_t)i);
	scenario->arrange();
	run.blocks = figures().blocks;
	run.unpublished = figures().unpublished;
}

static void check_failed(const struct scenario *scenario,
			 const struct vms_code_block *before)
{
	if (memcmp(before, &run.block, sizeof(*before)) != 0)
		wrong(scenario, "the block was changed");
	if (figures().blocks != run.blocks ||
	    figures().unpublished != run.unpublished)
		wrong(scenario, "the figures differ");
	check_kept(scenario);
	/* And now it works. */
	if (scenario->act() != 0)
		wrong(scenario, "it fails ever after");
}

static void end(const struct scenario *scenario)
{
	struct vms_code_block more;

	check_kept(scenario);
	more = make_published(100, 77);
	if (call(more.run) != 77)
		wrong(scenario, "new code does not run");
	if (run.block.run && run.block.write) {
		write_return(run.block.write, 50);
		assert_int_equal(vms_code_publish(run.code, &run.block), 0);
	}
	if (run.block.run && call(run.block.run) != 50)
		wrong(scenario, "its code does not run");
	assert_int_equal(vms_code_close(run.code), 0);
	(void)fault_sweep_refused(0, 0);
}

/* One run; false: no call was left to fail. */
static bool run_once(const struct scenario *scenario)
{
	struct vms_code_block before;
	int result, error;

	begin(scenario);
	before = run.block;
	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	result = scenario->act();
	error = errno;
	run.result = fault_end();
	if (result == 0 && error != ERRNO_BEFORE)
		wrong(scenario, "a success has changed errno");
	if (result != 0 && error == ERRNO_BEFORE)
		wrong(scenario, "errno is not set");
	if (result != 0 && !run.result.failed)
		wrong(scenario, "it fails by itself");
	if (result != 0)
		check_failed(scenario, &before);
	end(scenario);
	return run.result.failed;
}

static void sweep(const struct scenario *scenario, enum fault_mode mode,
		  enum fault_errno which)
{
	run.plan = (struct fault_plan){ .mode = mode, .n = 1, .which = which };
	while (run_once(scenario)) {
		fault_next(&run.plan);
		assert_true(run.plan.n < CALLS_MAX);
	}
}

static void every_call_may_fail(void **state)
{
	const struct scenario *scenario = *state;

	for (run.mode = VMS_CODE_VIEWS; run.mode <= VMS_CODE_FLIPS; run.mode++) {
		sweep(scenario, FAULT_ONCE, FAULT_USUAL);
		sweep(scenario, FAULT_ONCE, FAULT_OTHER);
		sweep(scenario, FAULT_FROM, FAULT_USUAL);
		sweep(scenario, FAULT_FROM, FAULT_OTHER);
	}
}

/* --- open and close ---------------------------------------------------------------------- */

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 200; fd++)
		count += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
	return count;
}

static const struct scenario opening = { "open", nothing, open_pool };

static bool open_once(void)
{
	const int before = open_descriptors();
	int result;

	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	result = open_pool();
	run.result = fault_end();
	if (result == 0 && errno != ERRNO_BEFORE)
		wrong(&opening, "a success has changed errno");
	if (result != 0 && !run.result.failed)
		wrong(&opening, "it fails by itself");
	if (result == 0) {
		struct vms_code_block block = make_published(100, 3);

		if (call(block.run) != 3)
			wrong(&opening, "code does not run");
		assert_int_equal(vms_code_close(run.code), 0);
	}
	if (open_descriptors() != before)
		wrong(&opening, "a descriptor is left");
	(void)fault_sweep_refused(0, 0);
	return run.result.failed;
}

static void opening_may_fail(void **state)
{
	(void)state;
	for (run.mode = VMS_CODE_ANY; run.mode <= VMS_CODE_FLIPS; run.mode++)
		for (int which = 0; which < FAULT_ERRNOS; which++)
			for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++) {
				run.plan = (struct fault_plan){
					.mode = (enum fault_mode)mode,
					.n = 1,
					.which = (enum fault_errno)which,
				};
				while (open_once())
					run.plan.n++;
			}
}

static const struct scenario closing = { "close", nothing, nothing_to_do };

static bool close_once(void)
{
	int result, error;

	assert_int_equal(open_pool(), 0);
	run.kept[0] = make_published(100, 0);
	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	result = vms_code_close(run.code);
	error = errno;
	run.result = fault_end();
	if (result == 0 && error != ERRNO_BEFORE)
		wrong(&closing, "a success has changed errno");
	if (result != 0) {
		check_kept(&closing);
		assert_int_equal(vms_code_close(run.code), 0);
	}
	(void)fault_sweep_refused(0, 0);
	return run.result.failed;
}

static void closing_may_fail(void **state)
{
	(void)state;
	memset(run.kept, 0, sizeof(run.kept));
	for (run.mode = VMS_CODE_VIEWS; run.mode <= VMS_CODE_FLIPS; run.mode++)
		for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++) {
			run.plan = (struct fault_plan){
				.mode = (enum fault_mode)mode, .n = 1,
			};
			while (close_once())
				run.plan.n++;
		}
}

static int install(void **state)
{
	(void)state;
	fault_install();
	return 0;
}

static int uninstall(void **state)
{
	(void)state;
	fault_remove();
	return 0;
}

#define SCENARIOS (sizeof(scenarios) / sizeof(*scenarios))

int main(void)
{
	struct CMUnitTest tests[SCENARIOS + 2];

	for (size_t i = 0; i < SCENARIOS; i++)
		tests[i] = (struct CMUnitTest){
			.name = scenarios[i].name,
			.test_func = every_call_may_fail,
			.initial_state = (void *)(uintptr_t)&scenarios[i],
		};
	tests[SCENARIOS] = (struct CMUnitTest)
		cmocka_unit_test(opening_may_fail);
	tests[SCENARIOS + 1] = (struct CMUnitTest)
		cmocka_unit_test(closing_may_fail);
	return cmocka_run_group_tests_name("code_sweep", tests, install,
					   uninstall);
}
