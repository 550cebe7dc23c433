/* SPDX-License-Identifier: MIT */
#include "host/host.h"
#include "no_ring.h"
#include "pool_area_fixture.h"
#include "pool_snapshot_fixture.h"

/*
 * What forks leave that come while a pool is opened: no child keeps the lock of a file, when
 * the pool's process has ended, or the pool could not be opened.
 */

static struct {
	struct vmsi_host_calls real;
	struct signs begun, end;
	unsigned forks;
	bool fails;
} host;

static void fork_once(void)
{
	if (host.forks++)
		return;
	if (fork() == 0) {
		give_sign(&host.begun);
		_exit(!child_awaits(&host.end));
	}
	await_sign(&host.begun);
}

/* An area is begun. */
static long fork_and_sync(int fd)
{
	fork_once();
	return host.fails ? -EIO : host.real.fsync(fd);
}

/* All is open but the thread that writes. */
static long fork_and_start(pthread_t *thread, size_t stack, void *(*body)(void *),
			   void *argument)
{
	fork_once();
	return host.fails ? -EAGAIN : host.real.start_thread(thread, stack, body, argument);
}

/* --- pools with a file that is locked --------------------------------------------------------- */

struct opening {
	const struct place *place;
	int fd, saved;
	vms_pool *(*open)(const struct opening *opening);
	bool is_early;           /* the fork comes while the area is made */
	int error;               /* of an open that fails */
};

static vms_pool *open_with_area(const struct opening *opening)
{
	return open_whole_of(opening->place, opening->fd, 0, PAGE);
}

static vms_pool *open_with_snapshots(const struct opening *opening)
{
	return open_snapshots(opening->fd, opening->saved, 0, SNAPSHOT_BYTES);
}

static const char *swap_path(const struct place *place)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s.swap", place->path);
	return path;
}

static vms_pool *open_with_swap(const struct opening *opening)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_MEMORY,
		.page_size = PAGE,
		.ram = (size_t)4 << 20,
		.pages = FILE_PAGES,
		.swap_path = swap_path(opening->place),
	};

	return vms_pool_open(-1, &options);
}

/* --- an open in which a child is forked ---------------------------------------------------------- */

static vms_pool *open_and_fork(const struct opening *opening, bool fails)
{
	vms_pool *pool;

	host.real = vmsi_host;
	host.forks = 0;
	host.fails = fails;
	if (opening->is_early)
		vmsi_host.fsync = fork_and_sync;
	else
		vmsi_host.start_thread = fork_and_start;
	pool = opening->open(opening);
	vmsi_host = host.real;
	return pool;
}

/* Nobody has what the other had open. */
static void can_be_opened(const struct opening *opening)
{
	vms_pool *pool = opening->open(opening);

	assert_non_null(pool);
	give_sign(&host.end);
	worked(vms_pool_close(pool));
	drop_signs(&host.begun);
	drop_signs(&host.end);
}

static void its_process_ends(const struct opening *opening)
{
	pid_t process;

	host.begun = make_signs();
	host.end = make_signs();
	process = fork();
	if (process == 0) {
		child_needs(open_and_fork(opening, false) != NULL);
		_exit(host.forks == 0);
	}
	must_end_well(process);
	can_be_opened(opening);
}

static void it_fails(const struct opening *opening)
{
	host.begun = make_signs();
	host.end = make_signs();
	errno = 0;
	assert_null(open_and_fork(opening, true));
	assert_int_equal(errno, opening->error);
	assert_true(host.forks > 0);
	can_be_opened(opening);
}

static void no_child_keeps(void **state, struct opening opening)
{
	opening.place = *state;
	opening.fd = make_pages(opening.place->path, FILE_PAGES);
	opening.saved = make_nameless();
	its_process_ends(&opening);
	it_fails(&opening);
	assert_int_equal(close(opening.saved), 0);
	assert_int_equal(close(opening.fd), 0);
}

static void no_child_keeps_an_area_that_is_made(void **state)
{
	no_child_keeps(state, (struct opening){
		.open = open_with_area, .is_early = true, .error = EIO });
}

static void no_child_keeps_an_area(void **state)
{
	no_child_keeps(state, (struct opening){ .open = open_with_area, .error = EAGAIN });
}

static void no_child_keeps_a_file_of_snapshots(void **state)
{
	no_child_keeps(state, (struct opening){ .open = open_with_snapshots,
						.error = EAGAIN });
}

static void no_child_keeps_a_swap_file(void **state)
{
	no_child_keeps(state, (struct opening){ .open = open_with_swap, .error = EAGAIN });
}

static int drop_all(void **state)
{
	(void)unlink(swap_path(*state));
	return drop_area(state);
}

#define opening_test(function) \
	cmocka_unit_test_setup_teardown(function, make_place, drop_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		opening_test(no_child_keeps_an_area_that_is_made),
		opening_test(no_child_keeps_an_area),
		opening_test(no_child_keeps_a_file_of_snapshots),
		opening_test(no_child_keeps_a_swap_file),
	};

	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
