/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"
#include "refuse_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

/*
 * A pool where a sandbox refuses io_uring, userfaultfd and threads, or takes the ring away
 * later: it works, and tells by what. A filter cannot be taken away, so each case has a
 * process of its own. There a failed check ends with its line as the status.
 */

#define CHECK(condition) ((condition) ? (void)0 : _exit(__LINE__ % 250 + 1))
#define TOGETHER 32
#define RAM ((size_t)2 << 20)

static const int enter_call[] = { SCMP_SYS(io_uring_enter) };
static const int clone3_call[] = { SCMP_SYS(clone3) };

/* --- what must work all the same ---------------------------------------------------- */

static void read_together(vms_pool *pool, uint64_t first, unsigned state)
{
	uint64_t pages[TOGETHER];
	void *addresses[TOGETHER];

	for (size_t i = 0; i < TOGETHER; i++)
		pages[i] = (first + 5 * i) % FILE_PAGES;
	CHECK(vms_pool_fix_many(pool, pages, addresses, TOGETHER, VMS_POOL_READ) == 0);
	for (size_t i = 0; i < TOGETHER; i++)
		CHECK(page_is(addresses[i], pages[i], state));
	CHECK(vms_pool_unfix_many(pool, pages, TOGETHER) == 0);
}

static void read_ahead(vms_pool *pool, uint64_t first, unsigned state)
{
	uint64_t pages[TOGETHER];

	for (size_t i = 0; i < TOGETHER; i++)
		pages[i] = (first + 3 * i) % FILE_PAGES;
	CHECK(vms_pool_prefetch(pool, pages, TOGETHER) >= 0);
	for (size_t i = 0; i < TOGETHER; i++) {
		const char *bytes = vms_pool_fix(pool, pages[i], VMS_POOL_READ);

		CHECK(bytes && page_is(bytes, pages[i], state));
		CHECK(vms_pool_unfix(pool, pages[i]) == 0);
	}
}

static void use(vms_pool *pool, unsigned state)
{
	for (uint64_t i = 0; i < 8; i++) {
		read_together(pool, i * 61, state);
		read_ahead(pool, i * 67, state);
	}
	for (uint64_t page = 0; page < FILE_PAGES; page++) {
		char *bytes = vms_pool_fix(pool, page, VMS_POOL_WRITE);

		CHECK(bytes);
		fill_page(bytes, page, state + 1);
		CHECK(vms_pool_unfix(pool, page) == 0);
	}
	CHECK(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) == 0);
	for (uint64_t i = 0; i < 8; i++)
		read_together(pool, i * 61, state + 1);
}

static void expect_engine(vms_pool *pool, enum vms_pool_engine engine, int error)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
	static char text[1 << 16];

	CHECK(vms_pool_get_stats(pool, &stats) == 0);
	CHECK(stats.engine == engine);
	CHECK(stats.engine_error == error);
	CHECK(vms_pool_metrics(pool, text, sizeof(text)) > 0);
	CHECK(strstr(text, engine == VMS_POOL_URING ? "} 1\n# TYPE vmspace_pool_fault_engine " :
						   "} 0\n# TYPE vmspace_pool_fault_engine "));
}

static void in_a_process(void **state, void (*act)(int fd))
{
	const struct place *place = *state;
	const int fd = make_pages(place->path, FILE_PAGES);
	int status;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		act(fd);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(close(fd), 0);
}

static bool has_io_uring(void **state)
{
	const struct place *place = *state;
	const int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = must_open_pool(fd, 0, RAM, 0);
	const struct vms_pool_stats stats = pool_stats(pool);

	if (stats.engine != VMS_POOL_URING)
		print_message("# no io_uring here: errno %d\n", stats.engine_error);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
	return stats.engine == VMS_POOL_URING;
}

#define NEEDS_URING(state) \
	do { \
		if (!has_io_uring(state)) \
			skip(); \
	} while (0)

/* --- refused at open ---------------------------------------------------------------- */

static void expect_threads(int fd, unsigned flags, int error)
{
	vms_pool *pool = open_pool_of(fd, flags, RAM, 0);

	CHECK(pool);
	expect_engine(pool, VMS_POOL_THREADS, error);
	use(pool, 0);
	expect_engine(pool, VMS_POOL_THREADS, error);
	CHECK(vms_pool_close(pool) == 0);
}

/* Docker's default profile since version 25. */
static void be_in_docker(int fd)
{
	refuse(uring_calls, 3, EPERM);
	refuse(fault_calls, 1, EPERM);
	refuse(clone3_call, 1, ENOSYS);
	expect_threads(fd, 0, EPERM);
}

static void have_an_old_kernel(int fd)
{
	refuse(uring_calls, 3, ENOSYS);
	refuse(fault_calls, 1, ENOSYS);
	expect_threads(fd, VMS_POOL_ADDRESSED, ENOSYS);
}

/* A pool that needs no thread has all work done by who calls. */
static void have_no_threads(int fd)
{
	refuse(uring_calls, 3, EPERM);
	refuse(thread_calls, 2, EAGAIN);
	CHECK(!open_pool_of(fd, 0, RAM, 0) && errno == EAGAIN);
	expect_threads(fd, VMS_POOL_NO_WRITER, EPERM);
}

static void docker_refuses_io_uring(void **state)
{
	NEEDS_URING(state);
	in_a_process(state, be_in_docker);
}

static void an_old_kernel_has_no_io_uring(void **state)
{
	NEEDS_URING(state);
	in_a_process(state, have_an_old_kernel);
}

static void neither_a_ring_nor_a_thread(void **state)
{
	NEEDS_URING(state);
	in_a_process(state, have_no_threads);
}

/* --- lost later --------------------------------------------------------------------- */

static vms_pool *open_with_ring(int fd)
{
	vms_pool *pool = open_pool_of(fd, 0, RAM, 0);

	CHECK(pool);
	expect_engine(pool, VMS_POOL_URING, 0);
	read_together(pool, 0, 0);
	return pool;
}

static void expect_lost(vms_pool *pool, int error)
{
	use(pool, 0);
	expect_engine(pool, VMS_POOL_THREADS, error);
	use(pool, 1);
	CHECK(vms_pool_close(pool) == 0);
}

static void be_refused_later(int fd)
{
	vms_pool *pool = open_with_ring(fd);

	refuse(enter_call, 1, EPERM);
	expect_lost(pool, EPERM);
}

/* The descriptor of the only ring of the process. */
static int find_ring(void)
{
	DIR *list = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = -1;

	CHECK(list);
	while ((entry = readdir(list))) {
		char target[64] = "";

		(void)readlinkat(dirfd(list), entry->d_name, target, sizeof(target) - 1);
		if (strcmp(target, "anon_inode:[io_uring]") == 0)
			found = atoi(entry->d_name);
	}
	(void)closedir(list);
	CHECK(found >= 0);
	return found;
}

/* As programs do that close all descriptors that they do not know. */
static void lose_the_descriptor(int fd)
{
	vms_pool *pool = open_with_ring(fd);

	CHECK(close(find_ring()) == 0);
	expect_lost(pool, EBADF);
}

static void have_it_replaced(int fd)
{
	vms_pool *pool = open_with_ring(fd);
	const int ring = find_ring(), other = open("/dev/null", O_RDWR | O_CLOEXEC);

	CHECK(dup2(other, ring) == ring);
	expect_lost(pool, EOPNOTSUPP);
}

/* With reads in flight: what the kernel has taken it ends. */
static void lose_it_in_flight(int fd)
{
	vms_pool *pool = open_with_ring(fd);
	uint64_t pages[TOGETHER];

	for (size_t i = 0; i < TOGETHER; i++)
		pages[i] = 400 + i;
	CHECK(vms_pool_prefetch(pool, pages, TOGETHER) == TOGETHER);
	CHECK(close(find_ring()) == 0);
	expect_lost(pool, EBADF);
}

static void io_uring_is_refused_later(void **state)
{
	NEEDS_URING(state);
	in_a_process(state, be_refused_later);
}

static void somebody_closes_the_ring(void **state)
{
	NEEDS_URING(state);
	in_a_process(state, lose_the_descriptor);
	in_a_process(state, lose_it_in_flight);
}

static void somebody_takes_its_descriptor(void **state)
{
	NEEDS_URING(state);
	in_a_process(state, have_it_replaced);
}

/* All descriptors are closed: no page is lost silently, and nobody waits for ever. */
static void lose_all_descriptors(int fd)
{
	vms_pool *pool = open_with_ring(fd);
	char *bytes = vms_pool_fix(pool, 1, VMS_POOL_WRITE);

	CHECK(bytes);
	fill_page(bytes, 1, 1);
	CHECK(vms_pool_unfix(pool, 1) == 0);
	for (int i = 3; i < 64; i++)
		(void)close(i);
	CHECK(!vms_pool_fix(pool, 500, VMS_POOL_READ) && errno == EBADF);
	CHECK(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) == -1 && errno == EBADF);
	bytes = vms_pool_fix(pool, 1, VMS_POOL_READ);
	CHECK(bytes && page_is(bytes, 1, 1));
	CHECK(vms_pool_unfix(pool, 1) == 0);
	CHECK(vms_pool_close(pool) == 0);
}

static void somebody_closes_all(void **state)
{
	NEEDS_URING(state);
	in_a_process(state, lose_all_descriptors);
}

/* --- signals ------------------------------------------------------------------------ */

static _Atomic bool is_over;
static _Atomic unsigned signals;

static void note_signal(int signal)
{
	(void)signal;
	signals++;
}

static void *send_signals(void *target)
{
	while (!is_over) {
		(void)pthread_kill(*(pthread_t *)target, SIGUSR1);
		(void)sched_yield();
	}
	return NULL;
}

/* Calls that are interrupted all the time, by a handler that restarts none. */
static void storm(int fd, bool has_ring)
{
	const struct sigaction action = { .sa_handler = note_signal };
	pthread_t self = pthread_self(), sender;
	vms_pool *pool;

	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	if (!has_ring)
		refuse(uring_calls, 3, EPERM);
	pool = open_pool_of(fd, 0, RAM, 0);
	CHECK(pool);
	CHECK(pthread_create(&sender, NULL, send_signals, &self) == 0);
	for (unsigned state = 0; state < 3; state++)
		use(pool, state);
	is_over = true;
	CHECK(pthread_join(sender, NULL) == 0);
	CHECK(signals > 0);
	CHECK(vms_pool_close(pool) == 0);
}

static void storm_on_a_ring(int fd)
{
	storm(fd, true);
}

static void storm_on_threads(int fd)
{
	storm(fd, false);
}

static void signals_come_all_the_time(void **state)
{
	NEEDS_URING(state);
	in_a_process(state, storm_on_a_ring);
	in_a_process(state, storm_on_threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(docker_refuses_io_uring),
		file_test(an_old_kernel_has_no_io_uring),
		file_test(neither_a_ring_nor_a_thread),
		file_test(io_uring_is_refused_later),
		file_test(somebody_closes_the_ring),
		file_test(somebody_takes_its_descriptor),
		file_test(somebody_closes_all),
		file_test(signals_come_all_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
