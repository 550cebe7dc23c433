/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>

#include "host/host.h"
#include "no_ring.h"
#include "pool_fixture.h"

/* Figures of pools, and what a child has of a pool. */

/* --- figures ---------------------------------------------------------------------------------------- */

static void figures(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, 0, SMALL_RAM, 0);
	struct vms_pool_stats stats = { .struct_size = 3 };
	char text[16384], part[10];
	uint64_t times = 0;
	ssize_t length;

	for (uint64_t page = 0; page < 10; page++)
		must_be(pool, page, 0);
	must_be(pool, 0, 0);
	refused(vms_pool_get_stats(pool, &stats), EINVAL);
	refused(vms_pool_get_stats(pool, NULL), EINVAL);
	stats = pool_stats(pool);
	assert_int_equal(stats.hits, 1);
	assert_int_equal(stats.misses, 10);
	assert_int_equal(stats.reads, 10);
	assert_int_equal(stats.resident, 10);
	for (size_t i = 0; i < VMS_POOL_TIMES; i++)
		times += stats.miss_times[i];
	/* The first and the ninth. */
	assert_int_equal(VMS_POOL_TIMED, 8);
	assert_int_equal(times, 2);
	length = vms_pool_metrics(pool, text, sizeof(text));
	assert_int_equal(length, strlen(text));
	assert_non_null(strstr(text, "\",name=\"pool\"} 1\n# TYPE vmspace_pool_misses counter\n"));
	assert_non_null(strstr(text, "\nvmspace_pool_misses_total{pool=\""));
	assert_non_null(strstr(text, "\",name=\"pool\"} 2\nvmspace_pool_miss_seconds_sum{"));
	assert_non_null(strstr(text, "\",name=\"pool\",le=\"0.000001\"} "));
	assert_string_equal(text + length - 6, "# EOF\n");
	assert_int_equal(vms_pool_metrics(pool, part, sizeof(part)), length);
	assert_int_equal(strlen(part), sizeof(part) - 1);
	assert_int_equal(vms_pool_metrics(pool, NULL, 0), length);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* A line of the text, with its labels; its number is told. */
static unsigned pool_number(vms_pool *pool, const char *name)
{
	char text[16384], rest[64];
	unsigned number = 0;
	const char *line;

	assert_true(vms_pool_metrics(pool, text, sizeof(text)) < (ssize_t)sizeof(text));
	line = strstr(text, "\nvmspace_pool_page_bytes{pool=\"");
	assert_non_null(line);
	assert_int_equal(sscanf(line, "\nvmspace_pool_page_bytes{pool=\"%u\",name=%63[^}]",
				&number, rest), 2);
	assert_string_equal(rest, name);
	return number;
}

static void metrics_tell_pools_apart(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	struct vms_pool_options options = { .struct_size = sizeof(options),
					    .ram = SMALL_RAM, .name = "an \"index\"" };
	vms_pool *one = vms_pool_open(fd, &options), *other;
	unsigned number;

	assert_non_null(one);
	options.name = NULL;
	other = vms_pool_open(fd, &options);
	assert_non_null(other);
	number = pool_number(one, "\"an \\\"index\\\"\"");
	assert_int_equal(pool_number(other, "\"pool\""), number + 1);
	worked(vms_pool_close(one));
	worked(vms_pool_close(other));
	assert_int_equal(close(fd), 0);
}

/* --- fork -------------------------------------------------------------------------------------------- */

static void be_a_child(vms_pool *pool)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
	uint64_t ticket = 0, page = 0;
	void *address;

#define answers_ebadf(call) (errno = 0, (call), errno == EBADF)
	child_needs(answers_ebadf(vms_pool_fix(pool, 0, VMS_POOL_READ)));
	child_needs(answers_ebadf(vms_pool_try_fix(pool, 0, VMS_POOL_READ)));
	child_needs(answers_ebadf(vms_pool_unfix(pool, 0)));
	child_needs(answers_ebadf(vms_pool_begin(pool, 0, &ticket)));
	child_needs(answers_ebadf(vms_pool_upgrade(pool, 0, 0)));
	child_needs(answers_ebadf(vms_pool_downgrade(pool, 0)));
	child_needs(answers_ebadf(vms_pool_prefetch(pool, &page, 1)));
	child_needs(answers_ebadf(vms_pool_fix_many(pool, &page, &address, 1,
						    VMS_POOL_READ)));
	child_needs(answers_ebadf(vms_pool_allocate(pool, &page)));
	child_needs(answers_ebadf(vms_pool_free(pool, 0)));
	child_needs(answers_ebadf(vms_pool_grow(pool, 5)));
	child_needs(answers_ebadf(vms_pool_set_ram(pool, SMALL_RAM)));
	child_needs(answers_ebadf(vms_pool_hint(pool, 0, VMS_POOL_KEEP)));
	child_needs(answers_ebadf(vms_pool_dirty(pool, 0, 1)));
	child_needs(answers_ebadf(vms_pool_durable(pool, 1)));
	child_needs(answers_ebadf(vms_pool_flush(pool, 1, NULL, NULL)));
	child_needs(answers_ebadf(vms_pool_get_stats(pool, &stats)));
	child_needs(answers_ebadf(vms_pool_metrics(pool, NULL, 0)));
	child_needs(vms_pool_pages(pool) == 0);
	child_needs(vms_pool_close(pool) == 0);
	_exit(0);
}

static void a_child_has_no_pool(void **state)
{
	const struct place *place = *state;

	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES), status;
		vms_pool *pool = must_open_pool(fd, flags, SMALL_RAM, 0);
		char *bytes;
		pid_t child;

		change(pool, 1, 1, 0);
		child = fork();
		if (child == 0)
			be_a_child(pool);
		must_end_well(child);
		bytes = must_fix(pool, 1, VMS_POOL_READ);
		child = fork();
		if (child == 0) {
			(void)signal(SIGSEGV, SIG_DFL);
			_exit(*(volatile char *)bytes);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
		must_unfix(pool, 1);
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
		assert_int_equal(state_in_file(place->path, 1), 1);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

static vms_pool *forked_pool;
static long (*real_sync)(int fd);
static unsigned forks;

/* The child ends before this returns, or waits for ever. */
static void *fork_in_thread(void *ended_well)
{
	const pid_t child = fork();
	int status = -1;

	if (child == 0) {
		child_needs(vms_pool_close(forked_pool) == 0);
		_exit(0);
	}
	*(bool *)ended_well = waitpid(child, &status, 0) == child && status == 0;
	return NULL;
}

/* Here the pool's own locks are held, and no one in the child gives them back. */
static long fork_and_sync(int fd)
{
	bool ended_well = false;
	pthread_t thread;

	forks++;
	assert_int_equal(pthread_create(&thread, NULL, fork_in_thread, &ended_well), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(ended_well);
	return real_sync(fd);
}

static void a_fork_waits_for_no_disk(void **state)
{
	const struct place *place = *state;

	vmsi_uring.open = no_ring;
	real_sync = vmsi_host.fdatasync;
	for (unsigned flags = 0; flags <= VMS_POOL_ADDRESSED; flags++) {
		int fd = make_pages(place->path, FILE_PAGES);

		forked_pool = must_open_pool(fd, flags, SMALL_RAM, 0);
		change(forked_pool, 1, 1, 0);
		forks = 0;
		vmsi_host.fdatasync = fork_and_sync;
		worked(vms_pool_flush(forked_pool, VMS_POOL_ALL, NULL, NULL));
		vmsi_host.fdatasync = real_sync;
		assert_true(forks > 0);
		assert_int_equal(state_in_file(place->path, 1), 1);
		worked(vms_pool_close(forked_pool));
		assert_int_equal(close(fd), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(figures),
		file_test(metrics_tell_pools_apart),
		file_test(a_child_has_no_pool),
		file_test(a_fork_waits_for_no_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
