/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "pool_fixture.h"

/* Nobody is kept from a page for ever by others who use it all the time. */

static vms_pool *pool;

/* --- a writer among readers ---------------------------------------------------------------- */

#define READERS 3
#define HANDOVERS 2000
#define HOLD_NANOSECONDS 30000000

static _Atomic unsigned turns, has_ended;
static _Atomic unsigned writer_came;

static uint64_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/*
 * Each reader has the page until the next one has it, too, so that there is always one; but
 * not for ever, since the next one may have to wait for a writer.
 */
static void *overlap(void *argument)
{
	const unsigned mine = *(unsigned *)argument;
	uint64_t end;

	while (atomic_load(&turns) < HANDOVERS && !atomic_load(&writer_came)) {
		if (atomic_load(&turns) % READERS != mine) {
			(void)sched_yield();
			continue;
		}
		if (!vms_pool_fix(pool, 3, VMS_POOL_READ))
			break;
		atomic_fetch_add(&turns, 1);
		end = now() + HOLD_NANOSECONDS;
		while (now() < end &&
		       atomic_load(&turns) % READERS == (mine + 1) % READERS)
			(void)sched_yield();
		(void)vms_pool_unfix(pool, 3);
	}
	atomic_fetch_add(&has_ended, 1);
	return NULL;
}

static void a_writer_comes_among_readers(void **state)
{
	const struct place *place = *state;
	unsigned numbers[READERS], turns_then;
	pthread_t readers[READERS];
	int fd = make_pages(place->path, 8);

	pool = must_open_pool(fd, 0, SMALL_RAM, 0);
	must_be(pool, 3, 0);
	atomic_store(&turns, 0);
	atomic_store(&writer_came, 0);
	for (unsigned i = 0; i < READERS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&readers[i], NULL, overlap, &numbers[i]), 0);
	}
	while (atomic_load(&turns) < READERS)
		(void)sched_yield();
	change(pool, 3, 1, 0);
	turns_then = atomic_load(&turns);
	atomic_store(&writer_came, 1);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	assert_true(turns_then < HANDOVERS);
	must_be(pool, 3, 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- a writer among many readers ------------------------------------------------------------ */

#define MANY 8
#define READS_MOST 8000

static _Atomic unsigned reads;

static void *read_all_the_time(void *argument)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	(void)argument;
	while (atomic_load(&reads) < READS_MOST && !atomic_load(&writer_came)) {
		if (!vms_pool_fix(pool, 3, VMS_POOL_READ))
			break;
		atomic_fetch_add(&reads, 1);
		(void)nanosleep(&moment, NULL);
		(void)vms_pool_unfix(pool, 3);
	}
	return NULL;
}

/* That one of them goes is no reason for the others to come back. */
static void a_writer_comes_among_many_readers(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 8);
	pthread_t readers[MANY];
	unsigned reads_then;

	pool = must_open_pool(fd, 0, SMALL_RAM, 0);
	must_be(pool, 3, 0);
	atomic_store(&writer_came, 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time,
						NULL), 0);
	while (atomic_load(&reads) < 2 * MANY)
		(void)sched_yield();
	change(pool, 3, 1, 0);
	reads_then = atomic_load(&reads);
	atomic_store(&writer_came, 1);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	assert_true(reads_then < READS_MOST);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- a reader that reads twice ------------------------------------------------------------- */

static _Atomic bool writer_is_there;

static void *write_once(void *argument)
{
	(void)argument;
	atomic_store(&writer_is_there, true);
	change(pool, 3, 1, 0);
	return NULL;
}

/* A writer waits for a reader that fixes the page once more: it must not wait for it. */
static void a_reader_reads_again(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, 8);
	pthread_t writer;

	pool = must_open_pool(fd, 0, SMALL_RAM, 0);
	(void)must_fix(pool, 3, VMS_POOL_READ);
	assert_int_equal(pthread_create(&writer, NULL, write_once, NULL), 0);
	while (!atomic_load(&writer_is_there))
		(void)sched_yield();
	for (unsigned i = 0; i < 2; i++) {
		(void)must_fix(pool, 3, VMS_POOL_READ);
		must_unfix(pool, 3);
		(void)sched_yield();
	}
	must_unfix(pool, 3);
	assert_int_equal(pthread_join(writer, NULL), 0);
	must_be(pool, 3, 1);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- a page that is changed all the time ----------------------------------------------------- */

/* Who makes the log durable asks the writer for one more change, and waits for its answer. */
static _Atomic unsigned asked, answered;
static _Atomic bool is_over;
static uint64_t lsn;

#define TRIES 100

static void *change_on_demand(void *argument)
{
	(void)argument;
	while (!atomic_load(&is_over)) {
		char *bytes;

		if (atomic_load(&asked) == atomic_load(&answered)) {
			(void)sched_yield();
			continue;
		}
		bytes = vms_pool_try_fix(pool, 3, VMS_POOL_WRITE);
		if (bytes) {
			lsn++;
			fill_page(bytes, 3, 1 + (unsigned)(lsn % 90));
			(void)vms_pool_dirty(pool, 3, lsn);
			(void)vms_pool_unfix(pool, 3);
		}
		atomic_fetch_add(&answered, 1);
	}
	return NULL;
}

static int make_durable(void *context, uint64_t number)
{
	(void)context;
	(void)number;
	if (atomic_fetch_add(&asked, 1) == TRIES)
		return -1;
	while (atomic_load(&asked) != atomic_load(&answered))
		(void)sched_yield();
	return 0;
}

/* While its log is made durable the page gets another change, whenever it can. */
static void a_page_that_changes_is_flushed(void **state)
{
	const struct place *place = *state;
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_NO_WRITER,
		.page_size = PAGE,
		.ram = SMALL_RAM,
		.make_durable = make_durable,
	};
	int fd = make_pages(place->path, 8);
	pthread_t writer;

	pool = vms_pool_open(fd, &options);
	assert_non_null(pool);
	lsn = 1;
	change(pool, 3, 1, lsn);
	assert_int_equal(pthread_create(&writer, NULL, change_on_demand, NULL), 0);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_true(state_in_file(place->path, 3) >= 1);
	atomic_store(&is_over, true);
	assert_int_equal(pthread_join(writer, NULL), 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_writer_comes_among_readers),
		file_test(a_writer_comes_among_many_readers),
		file_test(a_reader_reads_again),
		file_test(a_page_that_changes_is_flushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
