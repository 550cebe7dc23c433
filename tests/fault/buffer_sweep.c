/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "host_fault.h"
#include "space/inside.h"

/*
 * Every host call of every operation on a buffer is failed in turn: once, from
 * then on, and with its target destroyed. An operation that fails has left the
 * buffer, its contents and the ledger as they were, and the buffer is as usable
 * as before.
 */

/* No operation makes nearly as many host calls. */
#define CALLS_MAX 500
#define SPACE_HUGE_PAGES 32
#define ERRNO_BEFORE 4711

static struct {
	vms_space *space;
	vms_buffer buffer;
	struct vms_detached detached;
	struct fault_plan plan;
	struct fault_result result;
	size_t huge, page;
	size_t stride;       /* distance of the bytes that are compared */
} run;

struct scenario {
	const char *name;
	size_t maximum;      /* huge pages; 0: none */
	void (*arrange)(void);
	int (*act)(void);
	size_t size_after;   /* huge pages; UNCHANGED: what it was */
};

#define UNCHANGED SIZE_MAX

static void wrong(const struct scenario *scenario, const char *what)
{
	fail_msg("%s, host call %u (%s, errno %d) failed, mode %d: %s",
		 scenario->name, run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

static char pattern(size_t offset)
{
	return (char)(offset * 131 + (offset >> 12) * 7 + 1);
}

/* Comparing a byte of every eighth page suffices: moves are of far more. */
static void write_pattern(size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i += run.stride)
		run.buffer.data[i] = pattern(i);
}

static bool has_pattern(const char *data, size_t end)
{
	for (size_t i = 0; i < end; i += run.stride)
		if (data[i] != pattern(i))
			return false;
	return true;
}

/* --- scenarios ------------------------------------------------------------------- */

static void extend_to(size_t size)
{
	size_t begin = run.buffer.size;

	assert_non_null(vms_buffer_extend(&run.buffer, size - begin));
	write_pattern(begin, size);
}

static void nothing(void)
{
}

static void some(void)
{
	extend_to(3 * run.huge);
}

static void cut(void)
{
	extend_to(8 * run.huge);
	assert_int_equal(vms_buffer_truncate(&run.buffer, 3 * run.huge), 0);
}

static void emptied(void)
{
	extend_to(4 * run.huge);
	vms_buffer_clear(&run.buffer);
}

/*
 * Change the advice of a part that shrink gave back, so that it is another mapping.
 */
static void unadvised(void)
{
	cut();
	assert_int_equal(vms_buffer_shrink(&run.buffer), 0);
	assert_int_equal(vms_madvise(run.space, run.buffer.data + 4 * run.huge,
				     run.huge, MADV_DONTDUMP), 0);
}

static void blocked(void)
{
	extend_to(3 * run.huge);
	assert_true(vms_mmap(run.space, run.buffer.data + run.buffer.committed,
			     run.page, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			     -1, 0) != MAP_FAILED);
}

static int extend(void)
{
	size_t begin = run.buffer.size;

	if (!vms_buffer_extend(&run.buffer, 6 * run.huge - begin))
		return -1;
	write_pattern(begin, run.buffer.size);
	return 0;
}

static int resize(void)
{
	size_t begin = run.buffer.size;

	if (vms_buffer_resize(&run.buffer, 6 * run.huge) != 0)
		return -1;
	for (size_t i = begin; i < run.buffer.size; i += run.stride)
		assert_int_equal(run.buffer.data[i], 0);
	write_pattern(begin, run.buffer.size);
	return 0;
}

static int reserve(void)
{
	return vms_buffer_reserve(&run.buffer, 6 * run.huge);
}

static int shrink(void)
{
	return vms_buffer_shrink(&run.buffer);
}

static int detach(void)
{
	return vms_buffer_detach(&run.buffer, &run.detached);
}

static int release(void)
{
	return vms_buffer_free(&run.buffer);
}

static const struct scenario scenarios[] = {
	{ "first extend", 16, nothing, extend, 6 },
	{ "extend", 16, some, extend, 6 },
	{ "extend what was shrunk", 16, unadvised, extend, 6 },
	{ "resize over what was", 16, cut, resize, 6 },
	{ "reserve", 16, some, reserve, UNCHANGED },
	{ "shrink", 16, cut, shrink, UNCHANGED },
	{ "shrink to nothing", 16, emptied, shrink, UNCHANGED },
	{ "detach", 16, cut, detach, 0 },
	{ "detach nothing", 16, emptied, detach, 0 },
	{ "free", 16, some, release, 0 },
	{ "first extend, moving", 0, nothing, extend, 6 },
	{ "extend, moving", 0, some, extend, 6 },
	{ "extend by a move", 0, blocked, extend, 6 },
	{ "resize by a move", 0, blocked, resize, 6 },
	{ "reserve, moving", 0, some, reserve, UNCHANGED },
	{ "shrink, moving", 0, cut, shrink, UNCHANGED },
	{ "shrink to nothing, moving", 0, emptied, shrink, UNCHANGED },
	{ "detach, moving", 0, cut, detach, 0 },
	{ "free, moving", 0, some, release, 0 },
};

#define SCENARIOS (sizeof(scenarios) / sizeof(*scenarios))

/* --- what must hold --------------------------------------------------------------- */

static struct vms_space_stats stats_now(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_space_get_stats(run.space, &stats), 0);
	return stats;
}

static void expect_as_before(const struct scenario *scenario,
			     const vms_buffer *before)
{
	vms_buffer now = run.buffer;

	/* Where the host refuses the undo as well, more may stay committed. */
	if (run.result.failed > 1 && now.committed > before->committed)
		now.committed = before->committed;
	if (memcmp(&now, before, sizeof(now)) != 0)
		wrong(scenario, "the buffer has changed");
}

static void expect_done(const struct scenario *scenario,
			const vms_buffer *before)
{
	size_t size = scenario->size_after == UNCHANGED ?
		before->size : scenario->size_after * run.huge;

	if (run.buffer.size != size)
		wrong(scenario, "the size is not what it should be");
	if (errno != ERRNO_BEFORE)
		wrong(scenario, "a success has changed errno");
	if (scenario->act == detach && before->size &&
	    !has_pattern(run.detached.address, run.detached.size))
		wrong(scenario, "what was detached has lost its contents");
}

/*
 * The space must be charged for, and map, the buffer, what was detached and the
 * blocker.
 */
static void expect_accounted(const struct scenario *scenario)
{
	const size_t blocker = scenario->arrange == blocked ? run.page : 0;
	const char *unsound;

	if (stats_now().committed !=
	    run.buffer.committed + run.detached.length)
		wrong(scenario, "the ledger is not right");
	if (stats_now().mapped !=
	    run.buffer.reserved + run.detached.length + blocker)
		wrong(scenario, "the map is not right");
	unsound = vmsi_space_check(run.space);
	if (unsound)
		wrong(scenario, unsound);
}

static void expect_usable(const struct scenario *scenario)
{
	size_t size = run.buffer.size;

	if (!run.buffer.space)
		return;
	if (!vms_buffer_extend(&run.buffer, 7 * run.huge))
		wrong(scenario, "it cannot grow any more");
	write_pattern(size, run.buffer.size);
	if (!has_pattern(run.buffer.data, run.buffer.size))
		wrong(scenario, "it is not usable any more");
}

/* --- runs -------------------------------------------------------------------------- */

static void begin_run(const struct scenario *scenario)
{
	struct vms_buffer_options options = { .struct_size = sizeof(options) };

	run.huge = vmsi_min(vmsi_huge_page_size(), 2 << 20);
	run.page = vmsi_page_size();
	run.stride = 8 * run.page;
	run.space = vms_space_open(SPACE_HUGE_PAGES * vmsi_huge_page_size(),
				   NULL);
	assert_non_null(run.space);
	options.space = run.space;
	run.detached = (struct vms_detached){ 0 };
	assert_int_equal(vms_buffer_init(&run.buffer,
					 scenario->maximum * run.huge,
					 &options), 0);
	scenario->arrange();
}

static void try(const struct scenario *scenario)
{
	vms_buffer before;
	int status;

	begin_run(scenario);
	before = run.buffer;
	errno = ERRNO_BEFORE;
	fault_begin(&run.plan);
	status = scenario->act();
	run.result = fault_end();
	if (status == 0)
		expect_done(scenario, &before);
	else if (errno != ENOMEM && errno != EAGAIN)
		wrong(scenario, "a surprising errno");
	else
		expect_as_before(scenario, &before);
	if (run.buffer.space &&
	    !has_pattern(run.buffer.data, run.buffer.size))
		wrong(scenario, "the contents have changed");
	expect_accounted(scenario);
	expect_usable(scenario);
	assert_int_equal(vms_detached_free(&run.detached), 0);
	assert_int_equal(vms_buffer_free(&run.buffer), 0);
	expect_accounted(scenario);
	assert_int_equal(vms_space_close(run.space), 0);
}

static void every_host_call_is_failed(void **state)
{
	const struct scenario *scenario = *state;

	for (enum fault_errno which = 0; which < FAULT_ERRNOS_SWEPT; which++)
		for (enum fault_mode mode = FAULT_ONCE;
		     mode <= FAULT_DESTROYING; mode++) {
			run.plan = (struct fault_plan){ .mode = mode,
							.which = which };
			do {
				fault_next(&run.plan);
				assert_true(run.plan.n < CALLS_MAX);
				try(scenario);
			} while (run.result.calls >= run.plan.n);
		}
}

/* --- init, which opens the shared space first ------------------------------------ */

static int init_in_child(size_t maximum)
{
	vms_buffer buffer = { .size = 5 };
	int status, error;

	fault_begin(&run.plan);
	status = vms_buffer_init(&buffer, maximum, NULL);
	error = errno;
	run.result = fault_end();
	if (status != 0 && (buffer.size != 5 ||
			    (error != ENOMEM && error != EAGAIN)))
		return 1;
	if (status != 0 && vms_buffer_init(&buffer, maximum, NULL) != 0)
		return 2;
	if (vms_buffer_append(&buffer, "abc", 4) != 0 ||
	    vms_buffer_free(&buffer) != 0)
		return 3;
	return run.result.calls >= run.plan.n ? 0 : 100;
}

/* Each try needs a process in which the shared space is not open. */
static bool init_has_more_calls(size_t maximum)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(init_in_child(maximum));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 100)
		fail_msg("init fails with %d at host call %u",
			 WEXITSTATUS(status), run.plan.n);
	return WEXITSTATUS(status) == 0;
}

static void every_host_call_of_init_is_failed(void **state)
{
	(void)state;
	for (size_t maximum = 0; maximum <= 1 << 20; maximum += 1 << 20)
		for (enum fault_mode mode = FAULT_ONCE; mode <= FAULT_FROM;
		     mode++) {
			run.plan = (struct fault_plan){ .mode = mode };
			do {
				run.plan.n++;
				assert_true(run.plan.n < CALLS_MAX);
			} while (init_has_more_calls(maximum));
		}
}

int main(void)
{
	struct CMUnitTest tests[SCENARIOS + 1] = {
		cmocka_unit_test(every_host_call_of_init_is_failed),
	};

	for (size_t i = 0; i < SCENARIOS; i++)
		tests[i + 1] = (struct CMUnitTest){
			.name = scenarios[i].name,
			.test_func = every_host_call_is_failed,
			.initial_state = (void *)&scenarios[i],
		};
	fault_stay_on_one_processor();
	fault_install();
	return cmocka_run_group_tests_name("fault-buffer", tests, NULL, NULL);
}
