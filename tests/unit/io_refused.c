/* SPDX-License-Identifier: MIT */
#include "io_fake.h"
#include "io_fixture.h"

#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "host/host.h"
#include "refuse_calls.h"

/*
 * What a sandbox refuses: io_uring at open or later, and threads, too. A filter cannot be
 * taken away, so each case has a process of its own. There a failed check ends with its
 * line as the status.
 */

#define CHECK(condition) ((condition) ? (void)0 : _exit(__LINE__ % 250 + 1))

/* --- what must work all the same ---------------------------------------------------- */

static _Atomic uint32_t ended, wrong;

static void note_end(struct vmsi_io_request *request)
{
	const char *block = request->buffer;

	if (request->result != BLOCK || !is_block(block, request->offset / BLOCK))
		atomic_fetch_add(&wrong, 1);
	atomic_fetch_add(&ended, 1);
	(void)vmsi_host.futex_wake(&ended, 1);
}

/* Reads, every other one detached. */
static void read_all(struct vmsi_io *io, int fd)
{
	static char blocks[BLOCKS][BLOCK];
	static struct vmsi_io_request requests[BLOCKS];
	struct vmsi_io_request *pointers[BLOCKS];
	uint32_t seen;

	ended = wrong = 0;
	for (unsigned i = 0; i < BLOCKS; i++) {
		memset(blocks[i], 0, BLOCK);
		requests[i] = transfer(VMSI_IO_READ, fd, blocks[i], i);
		requests[i].is_detached = i % 2;
		requests[i].done = note_end;
		pointers[i] = &requests[i];
	}
	vmsi_io_submit(io, pointers, BLOCKS);
	for (unsigned i = 0; i < BLOCKS; i += 2)
		CHECK(vmsi_io_wait(io, &requests[i]) == BLOCK);
	while ((seen = ended) < BLOCKS)
		(void)vmsi_host.futex_wait(&ended, seen, 1000000000);
	CHECK(wrong == 0);
}

static bool has_io_uring(void)
{
	struct vmsi_io *io = open_io(8, 0);
	const bool has = vmsi_io_engine(io) == VMSI_IO_RING;

	if (!has)
		print_message("# no io_uring here: errno %d\n", -vmsi_io_problem(io));
	vmsi_io_close(io);
	return has;
}

static void in_a_process(void (*act)(int fd))
{
	const int fd = make_file();
	int status;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		act(fd);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(fd);
}

/* --- refused at open ---------------------------------------------------------------- */

static void expect_threads(int fd, int error)
{
	struct vmsi_io *io;

	CHECK(vmsi_io_open(16, 0, &io) == 0);
	CHECK(vmsi_io_engine(io) == VMSI_IO_THREADS);
	CHECK(vmsi_io_problem(io) == error);
	read_all(io, fd);
	vmsi_io_close(io);
}

static void be_in_docker(int fd)
{
	refuse(uring_calls, 3, EPERM);
	refuse(thread_calls + 1, 1, ENOSYS);
	expect_threads(fd, -EPERM);
}

static void have_an_old_kernel(int fd)
{
	refuse(uring_calls, 3, ENOSYS);
	expect_threads(fd, -ENOSYS);
}

static void have_no_descriptors(int fd)
{
	const struct rlimit none = { 0, 0 };

	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	expect_threads(fd, -EMFILE);
}

static void probe_is_refused(int fd)
{
	refuse(uring_calls + 2, 1, EPERM);
	expect_threads(fd, -EOPNOTSUPP);
}

static void docker_has_threads(void **state)
{
	(void)state;
	if (!has_io_uring())
		skip();
	in_a_process(be_in_docker);
}

static void an_old_kernel_has_threads(void **state)
{
	(void)state;
	if (!has_io_uring())
		skip();
	in_a_process(have_an_old_kernel);
}

static void without_descriptors_there_are_threads(void **state)
{
	(void)state;
	if (!has_io_uring())
		skip();
	in_a_process(have_no_descriptors);
}

static void what_cannot_be_probed_is_not_used(void **state)
{
	(void)state;
	if (!has_io_uring())
		skip();
	in_a_process(probe_is_refused);
}

/* --- refused later ------------------------------------------------------------------ */

static void lose_the_ring(int fd)
{
	struct vmsi_io *io;

	CHECK(vmsi_io_open(16, 0, &io) == 0);
	CHECK(vmsi_io_engine(io) == VMSI_IO_RING);
	read_all(io, fd);
	refuse(uring_calls + 1, 1, EPERM);
	read_all(io, fd);
	CHECK(vmsi_io_engine(io) == VMSI_IO_THREADS);
	CHECK(vmsi_io_problem(io) == -EPERM);
	read_all(io, fd);
	vmsi_io_close(io);
}

static void a_ring_that_is_refused_later_gives_way(void **state)
{
	(void)state;
	if (!has_io_uring())
		skip();
	in_a_process(lose_the_ring);
}

/* In flight stays what the kernel has taken, the rest goes on by threads. */
static void a_ring_that_breaks_gives_way(void **state)
{
	struct fake_plan plan = { .break_error = -EAGAIN };
	const int fd = make_file();

	(void)state;
	for (unsigned after = 1; after < 60; after += 3) {
		struct vmsi_io *io;

		plan.seed = after;
		plan.breaks_after = after;
		plan.break_error = after % 2 ? -EAGAIN : -ENXIO;
		fake_install(&plan);
		io = open_io(16, 0);
		read_all(io, fd);
		assert_int_equal(vmsi_io_engine(io), VMSI_IO_THREADS);
		assert_int_equal(vmsi_io_problem(io), plan.break_error);
		read_all(io, fd);
		vmsi_io_close(io);
		assert_int_equal(fake_counts().misuses, 0);
		fake_remove();
	}
	close(fd);
}

/* --- no threads --------------------------------------------------------------------- */

static int file;

static long no_thread(pthread_t *thread, size_t stack, void *(*run)(void *), void *context)
{
	(void)thread;
	(void)stack;
	(void)run;
	(void)context;
	return -EAGAIN;
}

static void have_nothing(int fd)
{
	refuse(uring_calls, 3, EPERM);
	refuse(thread_calls, 2, EAGAIN);
	expect_threads(fd, -EPERM);
}

static void without_threads_the_caller_does_the_work(void **state)
{
	(void)state;
	if (!has_io_uring())
		skip();
	in_a_process(have_nothing);
}

static void a_ring_without_threads_ends_detached_requests(void **state)
{
	const struct vmsi_host_calls real = vmsi_host;
	const int fd = make_file();
	struct vmsi_io *io;

	(void)state;
	vmsi_host.start_thread = no_thread;
	io = open_io(16, 0);
	read_all(io, fd);
	vmsi_io_close(io);
	vmsi_host = real;
	close(fd);
}

/* Also when it is lost with detached requests in it. */
static void a_broken_ring_without_threads_ends_all(void **state)
{
	const struct vmsi_host_calls real = vmsi_host;
	struct fake_plan plan = { .break_error = -EIO };
	const int fd = make_file();

	(void)state;
	for (unsigned after = 1; after < 60; after += 7) {
		struct vmsi_io *io;

		plan.seed = after;
		plan.breaks_after = after;
		fake_install(&plan);
		vmsi_host.start_thread = no_thread;
		io = open_io(16, 0);
		read_all(io, fd);
		vmsi_io_close(io);
		vmsi_host = real;
		assert_int_equal(fake_counts().misuses, 0);
		fake_remove();
	}
	close(fd);
}

/* Who never waits, and looks again and again, gets it done as well. */
static void who_only_looks_does_its_own(void **state)
{
	const struct vmsi_host_calls real = vmsi_host;
	struct vmsi_io_request requests[8];
	static char blocks[8][BLOCK];
	const int fd = make_file();
	struct vmsi_io *io;

	(void)state;
	vmsi_host.start_thread = no_thread;
	io = open_io(8, VMSI_IO_NO_RING);
	for (unsigned i = 0; i < 8; i++) {
		requests[i] = transfer(VMSI_IO_READ, fd, blocks[i], i);
		submit_one(io, &requests[i]);
	}
	for (unsigned i = 0; i < 8; i++)
		(void)vmsi_io_has_ended(io, &requests[7]);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(vmsi_io_has_ended(io, &requests[i]));
		assert_true(is_block(blocks[i], i));
	}
	vmsi_io_close(io);
	vmsi_host = real;
	close(fd);
}

/* So many threads wait at once, that most sleep when the ring is lost to them. */
static void *read_in_turn(void *argument)
{
	struct vmsi_io *io = argument;
	static _Atomic unsigned drawn;
	struct vmsi_io_request request;
	char block[BLOCK];

	for (unsigned i = 0; i < 20; i++) {
		const unsigned number = atomic_fetch_add(&drawn, 1) % BLOCKS;

		request = transfer(VMSI_IO_READ, file, block, number);
		submit_one(io, &request);
		if (vmsi_io_wait(io, &request) != BLOCK || !is_block(block, number))
			atomic_fetch_add(&wrong, 1);
	}
	return NULL;
}

static void who_sleeps_when_the_ring_breaks_does_its_own(void **state)
{
	const struct vmsi_host_calls real = vmsi_host;
	struct fake_plan plan = { .break_error = -ENXIO };

	(void)state;
	file = make_file();
	wrong = 0;
	for (unsigned after = 1; after < 160; after++) {
		pthread_t threads[8];
		struct vmsi_io *io;

		plan.seed = after;
		plan.breaks_after = after;
		fake_install(&plan);
		vmsi_host.start_thread = no_thread;
		io = open_io(1, 0);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, read_in_turn,
							io), 0);
		for (unsigned i = 0; i < 8; i++)
			pthread_join(threads[i], NULL);
		vmsi_io_close(io);
		vmsi_host = real;
		assert_int_equal(fake_counts().misuses, 0);
		fake_remove();
	}
	assert_int_equal(wrong, 0);
	close(file);
}

static unsigned begun;

static long count_thread(pthread_t *thread, size_t stack, void *(*work)(void *),
			 void *context)
{
	begun++;
	return no_thread(thread, stack, work, context);
}

static void want_no_threads(int fd)
{
	const unsigned flags[] = { VMSI_IO_NO_THREADS, VMSI_IO_NO_THREADS | VMSI_IO_NO_RING };

	vmsi_host.start_thread = count_thread;
	for (unsigned i = 0; i < 2; i++) {
		struct vmsi_io *io = open_io(8, flags[i]);

		read_all(io, fd);
		CHECK(vmsi_io_bytes(io) <= vmsi_io_most_bytes(8, flags[i]));
		vmsi_io_close(io);
	}
	CHECK(begun == 0);
}

static void an_io_without_threads_asks_for_none(void **state)
{
	(void)state;
	in_a_process(want_no_threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docker_has_threads),
		cmocka_unit_test(an_old_kernel_has_threads),
		cmocka_unit_test(without_descriptors_there_are_threads),
		cmocka_unit_test(what_cannot_be_probed_is_not_used),
		cmocka_unit_test(a_ring_that_is_refused_later_gives_way),
		cmocka_unit_test(a_ring_that_breaks_gives_way),
		cmocka_unit_test(without_threads_the_caller_does_the_work),
		cmocka_unit_test(a_ring_without_threads_ends_detached_requests),
		cmocka_unit_test(a_broken_ring_without_threads_ends_all),
		cmocka_unit_test(who_only_looks_does_its_own),
		cmocka_unit_test(an_io_without_threads_asks_for_none),
		cmocka_unit_test(who_sleeps_when_the_ring_breaks_does_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
