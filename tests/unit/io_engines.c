/* SPDX-License-Identifier: MIT */
#include "io_fake.h"
#include "io_fixture.h"

#include <sys/wait.h>

#include "host/host.h"

/* What requests end with, whatever carries them out: io_uring, threads, a false ring. */

enum engine { RING, THREADS, FALSE_RING, ENGINES };

static enum engine engine;

static struct vmsi_io *open_engine(unsigned depth)
{
	static const struct fake_plan plan = {
		.seed = 7, .shortened = 30, .put_off = 20, .refused = 30,
		.interrupted = 20, .wait_failed = 2,
	};

	if (engine == FALSE_RING)
		fake_install(&plan);
	return open_io(depth, engine == THREADS ? VMSI_IO_NO_RING : 0);
}

static void close_engine(struct vmsi_io *io)
{
	vmsi_io_close(io);
	if (engine != FALSE_RING)
		return;
	assert_int_equal(fake_counts().closed, fake_counts().opened);
	assert_int_equal(fake_counts().misuses, 0);
	fake_remove();
}

/* io_uring may be refused here. */
static bool is_missing(void)
{
	struct vmsi_io *io;
	bool missing;

	if (engine != RING)
		return false;
	io = open_io(8, 0);
	missing = vmsi_io_engine(io) != VMSI_IO_RING;
	if (missing)
		print_message("# no io_uring here: errno %d\n", -vmsi_io_problem(io));
	vmsi_io_close(io);
	return missing;
}

/* --- reads and writes --------------------------------------------------------------- */

static void many_reads_end_with_what_is_there(void **state)
{
	static char blocks[BLOCKS][BLOCK];
	static struct vmsi_io_request requests[BLOCKS];
	struct vmsi_io_request *pointers[BLOCKS];
	struct vmsi_io *io = open_engine(16);
	const int fd = make_file();

	(void)state;
	for (unsigned i = 0; i < BLOCKS; i++) {
		requests[i] = transfer(VMSI_IO_READ, fd, blocks[i], BLOCKS - 1 - i);
		pointers[i] = &requests[i];
	}
	vmsi_io_submit(io, pointers, BLOCKS);
	for (unsigned i = 0; i < BLOCKS; i++) {
		const unsigned chosen = i * 77 % BLOCKS;

		assert_int_equal(vmsi_io_wait(io, &requests[chosen]), BLOCK);
		assert_int_equal(vmsi_io_status(&requests[chosen]), 0);
		assert_true(is_block(blocks[chosen], BLOCKS - 1 - chosen));
	}
	assert_true(vmsi_io_bytes(io) <= vmsi_io_most_bytes(16, 0));
	close_engine(io);
	close(fd);
}

static void writes_are_in_the_file_when_they_have_ended(void **state)
{
	static char blocks[64][BLOCK], seen[BLOCK];
	static struct vmsi_io_request requests[64];
	struct vmsi_io_request sync = { .opcode = VMSI_IO_SYNC };
	struct vmsi_io *io = open_engine(8);
	const int fd = make_file();

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		fill_block(blocks[i], 1000 + i);
		requests[i] = transfer(VMSI_IO_WRITE, fd, blocks[i], 2 * i);
		submit_one(io, &requests[i]);
	}
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(vmsi_io_wait(io, &requests[i]), BLOCK);
	sync.fd = fd;
	submit_one(io, &sync);
	assert_int_equal(vmsi_io_wait(io, &sync), 0);
	assert_int_equal(vmsi_io_status(&sync), 0);
	for (unsigned i = 0; i < 128; i++) {
		assert_int_equal(pread(fd, seen, BLOCK, (off_t)i * BLOCK), BLOCK);
		assert_true(is_block(seen, i % 2 ? i : 1000 + i / 2));
	}
	close_engine(io);
	close(fd);
}

/* Parts that begin and end anywhere. */
static void several_ranges_are_one_transfer(void **state)
{
	static char bytes[8 * BLOCK];
	struct iovec parts[] = {
		{ bytes, 1 }, { bytes + 1, BLOCK - 2 }, { bytes + BLOCK - 1, 3 },
		{ bytes + BLOCK + 2, 2 * BLOCK }, { bytes + 3 * BLOCK + 2, BLOCK - 2 },
	};
	struct vmsi_io_request request = {
		.parts = parts, .part_count = 5, .length = 4 * BLOCK,
		.offset = 5 * BLOCK,
	};
	struct vmsi_io *io = open_engine(4);
	const int fd = make_file();

	(void)state;
	request.fd = fd;
	for (unsigned round = 0; round < 50; round++) {
		request.opcode = VMSI_IO_READ;
		memset(bytes, 0, sizeof(bytes));
		submit_one(io, &request);
		assert_int_equal(vmsi_io_wait(io, &request), 4 * BLOCK);
		for (unsigned i = 0; i < 4; i++)
			assert_true(is_block(bytes + i * BLOCK, 5 + i + round));
		for (unsigned i = 0; i < 4; i++)
			fill_block(bytes + i * BLOCK, 6 + i + round);
		request.opcode = VMSI_IO_WRITE;
		submit_one(io, &request);
		assert_int_equal(vmsi_io_wait(io, &request), 4 * BLOCK);
		assert_int_equal(vmsi_io_status(&request), 0);
	}
	close_engine(io);
	close(fd);
}

/* --- what is not there -------------------------------------------------------------- */

static void the_end_of_a_file_is_told(void **state)
{
	char block[2 * BLOCK];
	struct vmsi_io *io = open_engine(4);
	const int fd = make_file();
	struct vmsi_io_request across = transfer(VMSI_IO_READ, fd, block, BLOCKS - 1);
	struct vmsi_io_request beyond = transfer(VMSI_IO_READ, fd, block, BLOCKS);

	(void)state;
	across.length = 2 * BLOCK;
	submit_one(io, &across);
	assert_int_equal(vmsi_io_wait(io, &across), BLOCK);
	assert_int_equal(across.error, 0);
	assert_int_equal(vmsi_io_status(&across), -ENODATA);
	submit_one(io, &beyond);
	assert_int_equal(vmsi_io_wait(io, &beyond), 0);
	assert_int_equal(vmsi_io_status(&beyond), -ENODATA);
	close_engine(io);
	close(fd);
}

static void errors_come_back_with_the_request(void **state)
{
	char block[BLOCK];
	struct vmsi_io *io = open_engine(4);
	struct vmsi_io_request request = transfer(VMSI_IO_READ, -1, block, 0);
	struct vmsi_io_request sync = { .opcode = VMSI_IO_SYNC, .fd = -1 };

	(void)state;
	submit_one(io, &request);
	submit_one(io, &sync);
	assert_int_equal(vmsi_io_wait(io, &request), -EBADF);
	assert_int_equal(vmsi_io_status(&request), -EBADF);
	assert_int_equal(vmsi_io_wait(io, &sync), -EBADF);
	close_engine(io);
}

static unsigned cancelled;

/* As a file system of somebody's own may answer, for ever. */
static long cancel_read(int fd, void *buffer, size_t length, uint64_t offset)
{
	(void)fd;
	(void)buffer;
	(void)length;
	(void)offset;
	return ++cancelled < 1000 ? -ECANCELED : -EIO;
}

static void a_file_that_cancels_is_not_asked_for_ever(void **state)
{
	const struct vmsi_host_calls real = vmsi_host;
	char block[BLOCK];
	struct vmsi_io_request request = transfer(VMSI_IO_READ, 0, block, 0);

	(void)state;
	vmsi_host.pread = cancel_read;
	assert_int_equal(vmsi_io_run(&request), -ECANCELED);
	vmsi_host = real;
	assert_int_equal(cancelled, 1);
}

static void a_full_file_system_is_told(void **state)
{
	static char block[BLOCK];
	struct vmsi_io *io = open_engine(4);
	const int fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct vmsi_io_request request = transfer(VMSI_IO_WRITE, fd, block, 0);

	(void)state;
	/* Nobody has a small file system at hand: a sealed file refuses as well. */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	submit_one(io, &request);
	assert_int_equal(vmsi_io_wait(io, &request), -EPERM);
	close_engine(io);
	close(fd);
}

static void a_depth_of_nothing_is_refused(void **state)
{
	struct vmsi_io *io = NULL;

	(void)state;
	assert_int_equal(vmsi_io_open(0, 0, &io), -EINVAL);
	assert_int_equal(vmsi_io_open(VMSI_IO_DEPTH_MOST + 1, 0, &io), -EINVAL);
	assert_int_equal(vmsi_io_open(1, 8, &io), -EINVAL);
	assert_null(io);
}

/* --- detached requests -------------------------------------------------------------- */

struct detached {
	struct vmsi_io_request request;
	struct vmsi_io *io;
	char block[BLOCK] __attribute__((aligned(BLOCK)));
	unsigned number;
};

static _Atomic uint32_t ended, wrong;

/* Read the next block of each, and set it free after the last. */
static void read_next(struct vmsi_io_request *request)
{
	struct detached *detached = request->context;

	if (request->result != BLOCK || !is_block(detached->block, detached->number))
		atomic_fetch_add(&wrong, 1);
	detached->number += 16;
	if (detached->number < BLOCKS) {
		request->offset = (uint64_t)detached->number * BLOCK;
		submit_one(detached->io, request);
		return;
	}
	free(detached);
	atomic_fetch_add(&ended, 1);
	(void)vmsi_host.futex_wake(&ended, 1);
}

static void wait_for_ends(uint32_t count)
{
	uint32_t seen;

	while ((seen = atomic_load(&ended)) < count)
		(void)vmsi_host.futex_wait(&ended, seen, 1000000000);
}

static void submit_detached(struct vmsi_io *io, int fd)
{
	atomic_store(&ended, 0);
	atomic_store(&wrong, 0);
	for (unsigned i = 0; i < 16; i++) {
		struct detached *detached = aligned_alloc(BLOCK, sizeof(*detached));

		assert_non_null(detached);
		detached->request = transfer(VMSI_IO_READ, fd, detached->block, i);
		detached->request.is_detached = true;
		detached->request.done = read_next;
		detached->request.context = detached;
		detached->io = io;
		detached->number = i;
		submit_one(io, &detached->request);
	}
}

static void detached_requests_end_by_themselves(void **state)
{
	struct vmsi_io *io = open_engine(8);
	const int fd = make_file();

	(void)state;
	submit_detached(io, fd);
	wait_for_ends(16);
	assert_int_equal(wrong, 0);
	close_engine(io);
	close(fd);
}

static void closing_waits_for_what_is_in_flight(void **state)
{
	struct vmsi_io *io = open_engine(8);
	const int fd = make_file();

	(void)state;
	submit_detached(io, fd);
	close_engine(io);
	assert_int_equal(ended, 16);
	assert_int_equal(wrong, 0);
	close(fd);
}

/* --- threads ------------------------------------------------------------------------ */

#define THREADS_COUNT 4
#define AT_ONCE 6

struct reader {
	struct vmsi_io *io;
	int fd;
	unsigned number;
};

static void *read_much(void *argument)
{
	const struct reader *reader = argument;
	struct vmsi_io_request requests[AT_ONCE], *pointers[AT_ONCE];
	char blocks[AT_ONCE][BLOCK];

	for (unsigned round = 0; round < 300; round++) {
		const unsigned base = (round * 13 + reader->number * 59) % (BLOCKS - AT_ONCE);

		for (unsigned i = 0; i < AT_ONCE; i++) {
			requests[i] = transfer(VMSI_IO_READ, reader->fd, blocks[i], base + i);
			pointers[i] = &requests[i];
		}
		vmsi_io_submit(reader->io, pointers, AT_ONCE);
		while (round % 3 == 0 && !vmsi_io_has_ended(reader->io, pointers[3]))
			(void)vmsi_host.yield();
		for (unsigned i = AT_ONCE; i-- > 0;)
			if (vmsi_io_wait(reader->io, &requests[i]) != BLOCK ||
			    !is_block(blocks[i], base + i))
				atomic_fetch_add(&wrong, 1);
	}
	return NULL;
}

/* Some wait, some end others' requests, and detached ones come and go beside them. */
static void threads_share_what_is_in_flight(void **state)
{
	pthread_t threads[THREADS_COUNT];
	struct reader readers[THREADS_COUNT];
	struct vmsi_io *io = open_engine(8);
	const int fd = make_file();

	(void)state;
	submit_detached(io, fd);
	for (unsigned i = 0; i < THREADS_COUNT; i++) {
		readers[i] = (struct reader){ io, fd, i };
		assert_int_equal(pthread_create(&threads[i], NULL, read_much,
						&readers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS_COUNT; i++)
		pthread_join(threads[i], NULL);
	wait_for_ends(16);
	assert_int_equal(wrong, 0);
	assert_true(vmsi_io_bytes(io) <= vmsi_io_most_bytes(8, 0));
	close_engine(io);
	close(fd);
}

static void *submit_and_end(void *argument)
{
	const struct reader *reader = argument;

	submit_detached(reader->io, reader->fd);
	return NULL;
}

/*
 * What a thread has in flight with the kernel is cancelled when it ends: others go on
 * with it. Past the page cache, where that can be had, so that it is in flight then.
 */
static void what_a_thread_submitted_outlives_it(void **state)
{
	struct vmsi_io *io = open_engine(16);
	/* The false ring cuts where O_DIRECT may not be cut. */
	const int fd = engine == FALSE_RING ? make_file() : make_file_on_disk();
	struct reader reader = { io, fd, 0 };

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, submit_and_end, &reader), 0);
		pthread_join(thread, NULL);
		wait_for_ends(16);
		assert_int_equal(wrong, 0);
	}
	close_engine(io);
	close(fd);
}

static void a_child_lets_go_and_the_parent_goes_on(void **state)
{
	char block[BLOCK];
	struct vmsi_io *io = open_engine(8);
	const int fd = make_file();
	struct vmsi_io_request request = transfer(VMSI_IO_READ, fd, block, 3);
	int status;
	pid_t child;

	(void)state;
	submit_detached(io, fd);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		vmsi_io_forked(io);
		vmsi_io_close(io);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	submit_one(io, &request);
	assert_int_equal(vmsi_io_wait(io, &request), BLOCK);
	assert_true(is_block(block, 3));
	close_engine(io);
	assert_int_equal(ended, 16);
	close(fd);
}

/* --- all engines -------------------------------------------------------------------- */

static int set_ring(void **state)
{
	(void)state;
	engine = RING;
	return 0;
}

static int set_threads(void **state)
{
	(void)state;
	engine = THREADS;
	return 0;
}

static int set_false_ring(void **state)
{
	(void)state;
	engine = FALSE_RING;
	return 0;
}

#define EACH(test) \
	cmocka_unit_test_setup(test, set_ring), \
	{ #test ", threads", test, set_threads, NULL, NULL }, \
	{ #test ", a false ring", test, set_false_ring, NULL, NULL }

static void an_engine_is_in_force(void **state)
{
	struct vmsi_io *io;

	(void)state;
	if (is_missing())
		skip();
	io = open_engine(64);
	assert_int_equal(vmsi_io_engine(io),
			 engine == THREADS ? VMSI_IO_THREADS : VMSI_IO_RING);
	assert_int_equal(vmsi_io_problem(io), 0);
	assert_true(vmsi_io_bytes(io) <= vmsi_io_most_bytes(64, 0));
	close_engine(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(an_engine_is_in_force),
		EACH(many_reads_end_with_what_is_there),
		EACH(writes_are_in_the_file_when_they_have_ended),
		EACH(several_ranges_are_one_transfer),
		EACH(the_end_of_a_file_is_told),
		EACH(errors_come_back_with_the_request),
		cmocka_unit_test(a_file_that_cancels_is_not_asked_for_ever),
		EACH(a_full_file_system_is_told),
		cmocka_unit_test(a_depth_of_nothing_is_refused),
		EACH(detached_requests_end_by_themselves),
		EACH(closing_waits_for_what_is_in_flight),
		EACH(threads_share_what_is_in_flight),
		EACH(what_a_thread_submitted_outlives_it),
		EACH(a_child_lets_go_and_the_parent_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
