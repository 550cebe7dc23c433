/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "base/align.h"
#include "file/file.h"
#include "file/view.h"
#include "host/host.h"

/*
 * Another process cuts a file off and writes it again, at random moments, while
 * threads read it in accesses and copy from it, and one of them refreshes it.
 *
 *	race-file [--seed NUMBER]
 *
 * Each byte of the file is the number of its page plus one. The cutter makes it shorter
 * by whole pages and longer by one write a page, so that no page of the file ever has
 * a zero: what reads one has seen a lost page, and must be told.
 */

#define PAGES 64
#define READERS 6
#define ROUNDS 3000
#define CROWD 1000

static uint64_t seed;
static char path[] = "/tmp/vmspace-race-XXXXXX";
static vms_file *file;
static atomic_bool wrong;
static atomic_ulong whole, lost;
static atomic_int left;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static size_t page(void)
{
	return vmsi_page_size();
}

static void write_file(int fd, size_t from)
{
	static char bytes[1 << 16];

	for (size_t i = from; i < PAGES; i++) {
		memset(bytes, (int)i + 1, page());
		if (pwrite(fd, bytes, page(), (off_t)(i * page())) < 0)
			_exit(1);
	}
}

/* --- the cutter -------------------------------------------------------------------- */

/* Cut and write until the parent is gone or ends it. */
static _Noreturn void cut_for_ever(int ready)
{
	uint64_t state = seed;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	(void)write(ready, "r", 1);
	while (getppid() != 1) {
		const size_t pages = next_random(&state) % PAGES;

		if (ftruncate(fd, (off_t)(pages * page())) != 0)
			_exit(1);
		write_file(fd, pages);
	}
	_exit(0);
}

static pid_t start_cutter(void)
{
	int ends[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		cut_for_ever(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return child;
}

static void end_cutter(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

/* --- readers ----------------------------------------------------------------------- */

/* Whether a page has another byte than its own; zeros are counted. */
static bool is_odd(const volatile unsigned char *bytes, size_t number,
		   size_t *zeros)
{
	for (size_t i = 0; i < page(); i += page() / 8) {
		const unsigned char byte = bytes[i];

		if (byte == 0)
			++*zeros;
		else if (byte != number + 1)
			return true;
	}
	return false;
}

static void count_end(int result, size_t zeros)
{
	if (result == 0) {
		atomic_fetch_add(&whole, 1);
		if (zeros)
			atomic_store(&wrong, true);
	} else if (errno == ENXIO || errno == EIO) {
		atomic_fetch_add(&lost, 1);
	} else {
		atomic_store(&wrong, true);
	}
}

static void read_in_access(uint64_t *state, size_t pages)
{
	struct vms_file_access access;
	size_t zeros = 0;

	vms_file_begin_access(file, &access);
	for (size_t i = 0; i < pages; i++) {
		const size_t number = next_random(state) % PAGES;

		if (is_odd((unsigned char *)file->base + number * page(),
			   number, &zeros))
			atomic_store(&wrong, true);
	}
	count_end(vms_file_end_access(&access, NULL), zeros);
}

static void read_by_copy(uint64_t *state)
{
	static _Thread_local unsigned char bytes[1 << 16];
	const size_t number = next_random(state) % PAGES;
	const int result = vms_file_copy_out(file, number * page(), bytes,
					     page());
	size_t zeros = 0;

	if (result != 0 && errno == ERANGE)
		return;
	if (result == 0 && is_odd(bytes, number, &zeros))
		atomic_store(&wrong, true);
	count_end(result, zeros);
}

static void *read_much(void *number)
{
	uint64_t state = seed + (uintptr_t)number * 7919 + 1;

	for (int i = 0; i < ROUNDS; i++) {
		if (i % 3)
			read_in_access(&state, 8);
		else
			read_by_copy(&state);
	}
	atomic_fetch_sub(&left, 1);
	return NULL;
}

static void *refresh_meanwhile(void *none)
{
	(void)none;
	while (atomic_load(&left) > 0)
		if (vms_file_refresh(file) != 0)
			atomic_store(&wrong, true);
	return NULL;
}

/* Windows come and go, each with a view that a handler may be looking at. */
static void *open_and_close_views(void *none)
{
	(void)none;
	while (atomic_load(&left) > 0) {
		const long at = vmsi_host.mmap(0, page(), PROT_READ, MAP_SHARED,
					       file->fd, 0);
		struct vmsi_view *view;

		vmsi_lock_acquire(&file->lock);
		view = vmsi_view_add(file, (struct vmsi_range){
			(uintptr_t)at, (uintptr_t)at + page() }, 0);
		vmsi_lock_release(&file->lock);
		vmsi_lock_acquire(&file->lock);
		vmsi_view_remove(view);
		vmsi_lock_release(&file->lock);
		vmsi_host.munmap((uintptr_t)at, page());
	}
	return NULL;
}

static void a_file_that_is_cut_off_at_random_moments(void **state)
{
	pthread_t threads[READERS + 2];
	pid_t cutter = start_cutter();

	(void)state;
	atomic_store(&left, READERS);
	for (uintptr_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_much,
						(void *)i), 0);
	assert_int_equal(pthread_create(&threads[READERS], NULL,
					refresh_meanwhile, NULL), 0);
	assert_int_equal(pthread_create(&threads[READERS + 1], NULL,
					open_and_close_views, NULL), 0);
	for (size_t i = 0; i < READERS + 2; i++)
		pthread_join(threads[i], NULL);
	end_cutter(cutter);
	print_message("# seed %llu: %lu whole, %lu lost\n",
		      (unsigned long long)seed, atomic_load(&whole),
		      atomic_load(&lost));
	assert_false(atomic_load(&wrong));
	assert_true(atomic_load(&lost) > 0);
}

/* --- a crowd ----------------------------------------------------------------------- */

static pthread_barrier_t all_in_access, cut_off;

static void *wait_in_an_access(void *number)
{
	struct vms_file_access access;
	uint64_t offset;
	const size_t mine = (uintptr_t)number % (PAGES - 1) + 1;

	vms_file_begin_access(file, &access);
	pthread_barrier_wait(&all_in_access);
	pthread_barrier_wait(&cut_off);
	if (file->base[mine * page()] != 0 ||
	    vms_file_end_access(&access, &offset) != -1 || errno != ENXIO)
		atomic_store(&wrong, true);
	return NULL;
}

static void a_thousand_threads_on_a_truncated_file(void **state)
{
	static pthread_t threads[CROWD];
	pthread_attr_t attributes;
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };

	(void)state;
	pthread_barrier_init(&all_in_access, NULL, CROWD + 1);
	pthread_barrier_init(&cut_off, NULL, CROWD + 1);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, (size_t)256 << 10);
	for (uintptr_t i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&threads[i], &attributes,
						wait_in_an_access,
						(void *)i), 0);
	pthread_barrier_wait(&all_in_access);
	assert_int_equal(truncate(path, (off_t)page()), 0);
	pthread_barrier_wait(&cut_off);
	for (size_t i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	assert_false(atomic_load(&wrong));
	assert_int_equal(vms_file_get_stats(file, &stats), 0);
	/* All that was cut off is replaced at once. */
	assert_in_range(stats.losses, 1, CROWD);
}

static int open_file(void **state)
{
	int fd;

	(void)state;
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	write_file(fd, 0);
	close(fd);
	file = vms_file_open(path, NULL);
	return file ? 0 : -1;
}

static int close_file(void **state)
{
	(void)state;
	vms_file_close(file);
	return unlink(path);
}

/* cmocka sets a handler of its own before each test; the library's is put back. */
static struct sigaction guard;

static void cuts(void **state)
{
	sigaction(SIGBUS, &guard, NULL);
	a_file_that_is_cut_off_at_random_moments(state);
}

static void crowd(void **state)
{
	sigaction(SIGBUS, &guard, NULL);
	a_thousand_threads_on_a_truncated_file(state);
}

/* Before cmocka runs, the handler is the library's. */
static void learn_guard(void)
{
	if (open_file(NULL) != 0)
		abort();
	sigaction(SIGBUS, NULL, &guard);
	close_file(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cuts, open_file, close_file),
		cmocka_unit_test_setup_teardown(crowd, open_file, close_file),
	};

	seed = argc == 3 && strcmp(argv[1], "--seed") == 0 ?
		strtoull(argv[2], NULL, 0) : (uint64_t)getpid() * 2654435761u;
	learn_guard();
	return cmocka_run_group_tests_name("file_race", tests, NULL, NULL);
}
