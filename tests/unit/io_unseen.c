/* SPDX-License-Identifier: MIT */
#include "io_fake.h"
#include "io_fixture.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

/* A thread that has requests in flight is not told of them by the kernel: no call ends early. */

#define READS 64u
#define ROUNDS 30u

static int epoll, event;
static _Atomic unsigned ended;

static void note_end(struct vmsi_io_request *request)
{
	static const uint64_t one = 1;

	(void)request;
	if (atomic_fetch_add(&ended, 1) + 1 == READS)
		(void)write(event, &one, sizeof(one));
}

static int set_up(void **state)
{
	struct epoll_event wanted = { .events = EPOLLIN };

	(void)state;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	event = eventfd(0, EFD_CLOEXEC);
	return epoll < 0 || event < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted);
}

static int tear_down(void **state)
{
	(void)state;
	close(epoll);
	close(event);
	return 0;
}

static bool has_no_ring(const struct vmsi_io *io)
{
	if (vmsi_io_engine(io) == VMSI_IO_RING)
		return false;
	print_message("# no io_uring here: errno %d\n", -vmsi_io_problem(io));
	return true;
}

/* What epoll_wait answers while the reads end. */
static void expect_one_event(void)
{
	struct epoll_event found;
	uint64_t value;

	assert_int_equal(epoll_wait(epoll, &found, 1, -1), 1);
	assert_int_equal(read(event, &value, sizeof(value)), sizeof(value));
}

static void prepare(struct vmsi_io_request requests[], struct vmsi_io_request *pointers[],
		    char (*blocks)[BLOCK], int fd, unsigned round)
{
	atomic_store(&ended, 0);
	for (unsigned i = 0; i < READS; i++) {
		requests[i] = transfer(VMSI_IO_READ, fd, blocks[i],
				       (i * 37 + round) % BLOCKS);
		pointers[i] = &requests[i];
	}
}

static void detached_reads_interrupt_nobody(void **state)
{
	static _Alignas(BLOCK) char blocks[READS][BLOCK];
	static struct vmsi_io_request requests[READS];
	struct vmsi_io_request *pointers[READS];
	struct vmsi_io *io = open_io(16, 0);
	const int fd = make_file_on_disk();

	(void)state;
	for (unsigned round = 0; round < ROUNDS && !has_no_ring(io); round++) {
		prepare(requests, pointers, blocks, fd, round);
		for (unsigned i = 0; i < READS; i++) {
			requests[i].is_detached = true;
			requests[i].done = note_end;
		}
		vmsi_io_submit(io, pointers, READS);
		expect_one_event();
		for (unsigned i = 0; i < READS; i++)
			assert_true(is_block(blocks[i], (i * 37 + round) % BLOCKS));
	}
	vmsi_io_close(io);
	close(fd);
}

static _Atomic unsigned others_end;

/* Another thread keeps places of the ring, and has its own waits. */
static void *read_beside(void *argument)
{
	static _Alignas(BLOCK) char blocks[READS][BLOCK];
	static struct vmsi_io_request requests[READS];
	struct vmsi_io_request *pointers[READS];
	struct vmsi_io *io = argument;
	const int fd = make_file_on_disk();

	while (!atomic_load(&others_end)) {
		prepare(requests, pointers, blocks, fd, 0);
		vmsi_io_submit(io, pointers, READS);
		for (unsigned i = 0; i < READS; i++)
			assert_int_equal(vmsi_io_wait(io, &requests[i]), BLOCK);
	}
	close(fd);
	return NULL;
}

/* Who ends what others have in flight gives none of it to the kernel in their place. */
static void reads_of_others_interrupt_nobody(void **state)
{
	static _Alignas(BLOCK) char block[BLOCK];
	struct epoll_event found;
	struct vmsi_io *io = open_io(16, 0);
	const int fd = make_file_on_disk();
	pthread_t other;

	(void)state;
	atomic_store(&others_end, 0);
	assert_int_equal(pthread_create(&other, NULL, read_beside, io), 0);
	for (unsigned i = 0; i < 4 * ROUNDS && !has_no_ring(io); i++) {
		struct vmsi_io_request request = transfer(VMSI_IO_READ, fd, block,
							  i % BLOCKS);

		submit_one(io, &request);
		assert_int_equal(vmsi_io_wait(io, &request), BLOCK);
		assert_int_equal(epoll_wait(epoll, &found, 1, 1), 0);
	}
	atomic_store(&others_end, 1);
	assert_int_equal(pthread_join(other, NULL), 0);
	vmsi_io_close(io);
	close(fd);
}

/* The thread that gives them to the ring is called out of its wait for what is there. */
static void a_request_does_not_wait_for_those_in_the_ring(void **state)
{
	static char blocks[2][BLOCK];
	struct vmsi_io_request requests[2], *pointers[2] = { &requests[0], &requests[1] };
	struct vmsi_io *io = open_io(4, 0);
	const int fd = make_file();
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	requests[0] = transfer(VMSI_IO_READ, ends[0], blocks[0], 0);
	requests[0].length = 1;
	requests[0].is_detached = true;
	requests[0].done = note_end;
	if (!has_no_ring(io))
		vmsi_io_submit(io, &pointers[0], 1);
	/* The first one may still find the thread before its wait. */
	for (unsigned i = 1; i < 8 && !has_no_ring(io); i++) {
		requests[1] = transfer(VMSI_IO_READ, fd, blocks[1], i);
		requests[1].is_detached = true;
		requests[1].done = note_end;
		atomic_store(&ended, READS - 1);
		vmsi_io_submit(io, &pointers[1], 1);
		expect_one_event();
		assert_true(is_block(blocks[1], i));
	}
	assert_int_equal(write(ends[1], "x", 1), 1);
	vmsi_io_close(io);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* Where it cannot be called, the ring is left, and threads do what is not in it. */
static void a_ring_that_does_not_wake_gives_way(void **state)
{
	static char blocks[2][BLOCK];
	struct vmsi_io_request requests[2], *pointers[2] = { &requests[0], &requests[1] };
	const struct fake_plan plan = { .seed = 3, .breaks_after = 1, .break_error = -EPERM };
	const int fd = make_file();
	struct vmsi_io *io;

	(void)state;
	fake_install(&plan);
	io = open_io(4, 0);
	atomic_store(&ended, READS - 2);
	for (unsigned i = 0; i < 2; i++) {
		requests[i] = transfer(VMSI_IO_READ, fd, blocks[i], i);
		requests[i].is_detached = true;
		requests[i].done = note_end;
	}
	fake_delay(FAKE_FOR_EVER);
	vmsi_io_submit(io, &pointers[0], 1);
	while (!fake_counts().late)
		(void)sched_yield();
	vmsi_io_submit(io, &pointers[1], 1);
	while (atomic_load(&ended) < READS - 1)
		(void)sched_yield();
	assert_int_equal(vmsi_io_engine(io), VMSI_IO_THREADS);
	assert_int_equal(vmsi_io_problem(io), -EPERM);
	assert_true(is_block(blocks[1], 1));
	fake_delay(0);
	expect_one_event();
	vmsi_io_close(io);
	assert_int_equal(fake_counts().misuses, 0);
	fake_remove();
	close(fd);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(detached_reads_interrupt_nobody),
		TEST(reads_of_others_interrupt_nobody),
		TEST(a_request_does_not_wait_for_those_in_the_ring),
		TEST(a_ring_that_does_not_wake_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
