/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "host/host.h"
#include "host/uring.h"

/* Threads that read many pages at a time do so by rings of their own. */

#define RAM ((size_t)32 << 20)
#define TOGETHER 32u

static struct vmsi_uring_calls real;

static struct {
	_Atomic unsigned opened, submitting;
	_Atomic int refusal;      /* of further rings */
	_Atomic bool holds, may_go_on;
} host;

static int counted_open(struct vmsi_uring *ring, unsigned entries)
{
	const int refusal = atomic_load(&host.refusal);

	atomic_fetch_add(&host.opened, 1);
	return refusal ? refusal : real.open(ring, entries);
}

/* The first to submit is held in it, as by a copy that takes its time. */
static int held_submit(struct vmsi_uring *ring)
{
	if (atomic_load(&host.holds) && atomic_fetch_add(&host.submitting, 1) == 0)
		while (!atomic_load(&host.may_go_on))
			(void)sched_yield();
	return real.submit(ring);
}

static int set_up(void **state)
{
	real = vmsi_uring;
	memset(&host, 0, sizeof(host));
	vmsi_uring.open = counted_open;
	vmsi_uring.submit = held_submit;
	return make_place(state);
}

static int tear_down(void **state)
{
	vmsi_uring = real;
	return drop_place(state);
}

/* A pool that reads by a ring; the test is over where the machine lets it have none. */
static vms_pool *open_with_ring(int fd)
{
	vms_pool *pool = must_open_pool(fd, 0, RAM, 0);

	if (pool_stats(pool).engine == VMS_POOL_URING)
		return pool;
	worked(vms_pool_close(pool));
	close(fd);
	skip();
	return NULL;
}

static void read_many(vms_pool *pool, uint64_t first)
{
	uint64_t pages[TOGETHER];
	void *addresses[TOGETHER];

	for (unsigned i = 0; i < TOGETHER; i++)
		pages[i] = first + i;
	worked(vms_pool_fix_many(pool, pages, addresses, TOGETHER, VMS_POOL_READ));
	for (unsigned i = 0; i < TOGETHER; i++)
		assert_true(page_is(addresses[i], pages[i], 0));
	worked(vms_pool_unfix_many(pool, pages, TOGETHER));
}

static void *read_first(void *pool)
{
	read_many(pool, 0);
	return NULL;
}

/* A thread that is held as it reads the first pages. */
static pthread_t begin_held(vms_pool *pool)
{
	pthread_t thread;

	atomic_store(&host.holds, true);
	assert_int_equal(pthread_create(&thread, NULL, read_first, pool), 0);
	while (!atomic_load(&host.submitting))
		(void)sched_yield();
	return thread;
}

static void let_go(pthread_t thread)
{
	atomic_store(&host.may_go_on, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void threads_do_not_wait_for_each_other(void **state)
{
	const struct place *place = *state;
	const int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = open_with_ring(fd);
	const unsigned before = atomic_load(&host.opened);
	pthread_t thread;

	read_many(pool, FILE_PAGES - TOGETHER);
	assert_int_equal(atomic_load(&host.opened), before);
	thread = begin_held(pool);
	for (uint64_t first = TOGETHER; first < FILE_PAGES - TOGETHER; first += TOGETHER)
		read_many(pool, first);
	/* One is enough for all of them. */
	assert_int_equal(atomic_load(&host.opened), before + 1);
	let_go(thread);
	worked(vms_pool_close(pool));
	close(fd);
}

static void *read_second(void *pool)
{
	read_many(pool, TOGETHER);
	return NULL;
}

static void where_there_is_no_ring_it_is_shared(void **state)
{
	const struct place *place = *state;
	const int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = open_with_ring(fd);
	const unsigned before = atomic_load(&host.opened);
	pthread_t first, second;

	atomic_store(&host.refusal, -EMFILE);
	first = begin_held(pool);
	assert_int_equal(pthread_create(&second, NULL, read_second, pool), 0);
	while (atomic_load(&host.opened) == before)
		(void)sched_yield();
	let_go(first);
	assert_int_equal(pthread_join(second, NULL), 0);
	assert_int_equal(pool_stats(pool).engine, VMS_POOL_URING);
	worked(vms_pool_close(pool));
	close(fd);
}

static unsigned rings_of_process(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;
	char target[64];

	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		const ssize_t length = readlinkat(dirfd(directory), entry->d_name, target,
						  sizeof(target) - 1);

		target[length < 0 ? 0 : length] = '\0';
		count += strstr(target, "io_uring") != NULL;
	}
	closedir(directory);
	return count;
}

static void a_child_has_none_of_them(void **state)
{
	const struct place *place = *state;
	const int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = open_with_ring(fd);
	const pthread_t thread = begin_held(pool);
	pid_t child;
	int status;

	read_many(pool, TOGETHER);
	let_go(thread);
	assert_int_equal(rings_of_process(), 2);
	child = fork();
	if (child == 0)
		_exit(rings_of_process() == 0 && vms_pool_close(pool) == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* They are the parent's as before. */
	read_many(pool, 2 * TOGETHER);
	worked(vms_pool_close(pool));
	assert_int_equal(rings_of_process(), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(threads_do_not_wait_for_each_other, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(where_there_is_no_ring_it_is_shared, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_child_has_none_of_them, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
