/* SPDX-License-Identifier: MIT */
#include "../unit/descriptors.h"
#include "../unit/pool_area_fixture.h"
#include "pool_sweep.h"

/*
 * Every host call of a pool that keeps its pages whole is failed in turn, once, and from
 * then on: when it is opened and what is in the area is written, when it writes and
 * flushes, and when it is closed. Whatever fails, no page is torn or lost that the area
 * has, and once the host works again so does the pool. Only a file that could not be
 * synced stays broken until it is opened again.
 */

#define CALLS_MAX 600

static struct {
	const struct place *place;
	struct left_area left;
	int fd;
	struct fault_plan plan;
	struct fault_result result;
	bool home_sync_was_refused;
	ino_t area;
} run;

static void wrong(const char *operation, const char *what)
{
	fail_msg("%s, host call %u (%s, errno %d) failed, mode %d: %s", operation, run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

static long noted_home_sync(int fd)
{
	const long result = failing_sync(fd);
	struct stat status;

	if (result < 0 && fstat(fd, &status) == 0 && status.st_ino != run.area)
		run.home_sync_was_refused = true;
	return result;
}

static void note_area(void)
{
	struct stat status;

	assert_int_equal(stat(area_path(run.place), &status), 0);
	run.area = status.st_ino;
}

/* Nor is one of these interrupted for ever. */
static struct fault_plan plan_of(int mode, int which, unsigned n)
{
	struct fault_plan plan = fault_plan_of(mode, which, n);

	if (mode == FAULT_FROM)
		plan.errors[CALL_FALLOCATE] = plan.errors[CALL_FSYNC] =
			plan.errors[CALL_FDATASYNC] = -EIO;
	return plan;
}

/* Have each call fail, in each way, until there are no more. */
static void sweep(void (*try)(void))
{
	for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
		for (int which = 0; which < FAULT_ERRNOS_SWEPT; which++)
			for (unsigned n = 1; n < CALLS_MAX; n++) {
				run.plan = plan_of(mode, which, n);
				run.home_sync_was_refused = false;
				try();
				(void)fault_sweep_refused(0, 0);
				if (!run.result.failed && run.result.calls < n)
					break;
			}
}

/* --- opening ------------------------------------------------------------------------------- */

/* All of the file is torn, as far as the area has it. */
static void tear_all(void)
{
	const struct vmsi_area_header *header = header_of(&run.left);

	for (uint64_t sequence = 1; sequence < 3; sequence++)
		for (uint64_t i = 0; i < header->batch_pages; i += 5)
			tear(run.fd, head_of(&run.left, sequence)->entries[i].page, 0, 1);
}

static void must_be_mended(void)
{
	for (uint64_t sequence = 1; sequence < 3; sequence++)
		for (uint64_t i = 0; i < header_of(&run.left)->batch_pages; i++)
			if (state_in_file(run.place->path,
					  head_of(&run.left, sequence)->entries[i].page) != 1)
				wrong("opening", "a page is not mended");
}

static void try_opening(void)
{
	const size_t before = descriptors();
	vms_pool *pool;

	put_area(run.place, &run.left);
	tear_all();
	note_area();
	fault_begin(&run.plan);
	pool = open_whole(run.place, run.fd, 0);
	run.result = fault_end();
	if (pool) {
		must_be_mended();
		assert_int_equal(vms_pool_close(pool), 0);
	}
	if (descriptors() != before)
		wrong("opening", "a descriptor is left");
	pool = open_whole(run.place, run.fd, 0);
	if (!pool)
		wrong("opening", "it cannot be opened any more");
	must_be_mended();
	assert_int_equal(vms_pool_close(pool), 0);
}

static void opening(void **state)
{
	run.place = *state;
	run.fd = make_pages(run.place->path, AREA_PAGES);
	run.left = leave_area(run.place, run.fd, 3, 1);
	sweep(try_opening);
	free_area(&run.left);
	assert_int_equal(close(run.fd), 0);
}

/* --- writing ---------------------------------------------------------------------------------- */

static unsigned state_now;

static int give_up(void *context, uint64_t written, uint64_t most)
{
	(void)context;
	(void)written;
	(void)most;
	return -1;
}

/* A batch a page, more than the area has room for, and the file is not synced by any. */
#define BATCHES (VMSI_AREA_PLACES + 3)

static int write_much(vms_pool *pool)
{
	int result = 0;

	state_now++;
	for (uint64_t page = 0; page < BATCHES; page++) {
		char *bytes = vms_pool_fix(pool, page, VMS_POOL_WRITE);

		if (!bytes)
			return -1;
		fill_page(bytes, page, state_now);
		must_unfix(pool, page);
		if (vms_pool_flush(pool, VMS_POOL_ALL, give_up, NULL) == 0 ||
		    errno != ECANCELED)
			result = -1;
	}
	return vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) != 0 ? -1 : result;
}

static void must_be_written(void)
{
	for (uint64_t page = 0; page < BATCHES; page++)
		if (state_in_file(run.place->path, page) != (int)state_now)
			wrong("writing", "the file has something else");
}

/* Make it right again as a program does by its log. */
static vms_pool *open_again(vms_pool *pool)
{
	assert_int_equal(vms_pool_close(pool), 0);
	pool = open_whole(run.place, run.fd, 0);
	if (!pool)
		wrong("writing", "it cannot be opened any more");
	return pool;
}

static void try_writing(void)
{
	vms_pool *pool = open_whole(run.place, run.fd, 0);
	int result;

	assert_non_null(pool);
	note_area();
	state_now %= 90;
	fault_begin(&run.plan);
	result = write_much(pool);
	run.result = fault_end();
	if (run.home_sync_was_refused) {
		if (result == 0 || vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) == 0 ||
		    errno != EIO)
			wrong("writing", "a file that could not be synced is not broken");
		pool = open_again(pool);
	}
	if (result != 0 && write_much(pool) != 0)
		wrong("writing", "made again, it does not work");
	must_be_written();
	assert_int_equal(vms_pool_close(pool), 0);
}

static void writing(void **state)
{
	run.place = *state;
	run.fd = make_pages(run.place->path, AREA_PAGES);
	sweep(try_writing);
	assert_int_equal(close(run.fd), 0);
}

/* --- closing ----------------------------------------------------------------------------------- */

/* Batches are pending, since nobody flushes. */
static void try_closing(void)
{
	const size_t before = descriptors();
	vms_pool *pool = open_whole(run.place, run.fd, 0);
	int states[AREA_PAGES];
	int result;

	assert_non_null(pool);
	note_area();
	state_now = state_now % 90 + 1;
	/* More than there is room for: some are written. */
	change_all(pool, state_now);
	assert_true(pool_stats(pool).area_batches > 0);
	fault_begin(&run.plan);
	result = vms_pool_close(pool);
	run.result = fault_end();
	if (result != 0)
		assert_int_equal(vms_pool_close(pool), 0);
	if (descriptors() != before)
		wrong("closing", "a descriptor is left");
	for (uint64_t page = 0; page < AREA_PAGES; page++)
		states[page] = state_in_file(run.place->path, page);
	pool = open_whole(run.place, run.fd, 0);
	if (!pool)
		wrong("closing", "it cannot be opened any more");
	assert_int_equal(vms_pool_close(pool), 0);
	for (uint64_t page = 0; page < AREA_PAGES; page++)
		if (state_in_file(run.place->path, page) != states[page])
			wrong("closing", "the area has an older page");
}

static void closing(void **state)
{
	run.place = *state;
	run.fd = make_pages(run.place->path, AREA_PAGES);
	sweep(try_closing);
	assert_int_equal(close(run.fd), 0);
}

#define area_sweep(function) \
	cmocka_unit_test_setup_teardown(function, make_light_place, drop_area)

int main(void)
{
	const struct CMUnitTest tests[] = {
		area_sweep(opening),
		area_sweep(writing),
		area_sweep(closing),
	};
	int failed;

	pool_sweep_install();
	vmsi_host.fdatasync = noted_home_sync;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fault_remove();
	return failed;
}
