/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <pthread.h>

#include "ring_fixture.h"

/* Waiting by futex, by eventfd, and in threads. */

#define RECORDS 20000

struct work {
	vms_ring *ring;
	uint64_t first;      /* of the numbers of its records */
	bool blocks;
};

/* What a thread ends with where something is wrong. */
static char write_failed[] = "a write failed";
static char read_failed[] = "a read failed";
static char wrong_record[] = "a record is wrong";
static char not_told[] = "what was missed is not told";

/* Each record begins with its number. */
static void *produce(void *argument)
{
	const struct work *work = argument;

	for (uint64_t i = work->first; i < work->first + RECORDS; i++) {
		const size_t length = 8 + i % 60;
		char bytes[68];

		fill_record(bytes, i, length);
		memcpy(bytes, &i, sizeof(i));
		while (vms_ring_write(work->ring, bytes, length,
				      work->blocks ? VMS_RING_FOREVER : 0) != 0)
			if (errno != EAGAIN)
				return write_failed;
	}
	return NULL;
}

/* Count the records of one producer; 0: this one is wrong. */
static bool is_next(const struct vms_ring_record *record, uint64_t *next)
{
	uint64_t number;
	char bytes[68];

	if (record->length < sizeof(number) || record->length > sizeof(bytes))
		return false;
	memcpy(&number, record->data, sizeof(number));
	if (number / RECORDS > 3 || number != next[number / RECORDS] ||
	    record->length != 8 + number % 60)
		return false;
	next[number / RECORDS]++;
	fill_record(bytes, number, record->length);
	return memcmp((const char *)record->data + 8, bytes + 8,
		      record->length - 8) == 0;
}

static void consume(vms_ring *ring, unsigned producers, bool blocks)
{
	uint64_t next[4] = { 0, RECORDS, 2 * RECORDS, 3 * RECORDS };
	struct vms_ring_record records[16];

	for (uint64_t left = producers * RECORDS; left > 0;) {
		ssize_t count;

		if (blocks)
			assert_int_equal(vms_ring_wait(ring, VMS_RING_FOREVER), 0);
		count = vms_ring_peek(ring, records, 16);
		assert_true(count >= 0);
		for (ssize_t i = 0; i < count; i++)
			assert_true(is_next(&records[i], next));
		if (count > 0)
			assert_int_equal(vms_ring_release(ring, &records[count - 1]), 0);
		left -= (uint64_t)count;
	}
	must_be_empty(ring);
}

static void threads_pass_records(enum vms_ring_kind kind, unsigned producers, bool blocks)
{
	vms_ring *ring = must_create(kind, 4096, BOTH);
	pthread_t threads[4];
	struct work works[4];
	void *problem;

	for (unsigned i = 0; i < producers; i++) {
		works[i] = (struct work){ ring, i * RECORDS, blocks };
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &works[i]), 0);
	}
	consume(ring, producers, blocks);
	for (unsigned i = 0; i < producers; i++) {
		assert_int_equal(pthread_join(threads[i], &problem), 0);
		assert_null(problem);
	}
	must_close(ring);
}

static void one_thread_and_another(void **state)
{
	(void)state;
	threads_pass_records(VMS_RING_SPSC, 1, true);
}

static void one_thread_and_another_that_poll(void **state)
{
	(void)state;
	threads_pass_records(VMS_RING_SPSC, 1, false);
}

static void many_threads_and_another(void **state)
{
	(void)state;
	threads_pass_records(VMS_RING_MPSC, 4, true);
}

static void many_threads_and_another_that_poll(void **state)
{
	(void)state;
	threads_pass_records(VMS_RING_MPSC, 4, false);
}

/* --- broadcast ------------------------------------------------------------------------------ */

static void *hear(void *argument)
{
	vms_ring *ring = argument;
	uint64_t heard = 0, number = 0;
	char bytes[68], want[68];

	while (number != RECORDS - 1) {
		ssize_t length = vms_ring_read(ring, bytes, sizeof(bytes),
					       VMS_RING_FOREVER);
		uint64_t last = number;

		if (length < 8)
			return read_failed;
		memcpy(&number, bytes, sizeof(number));
		fill_record(want, number, sizeof(want));
		if (number < last || (size_t)length != 8 + number % 60 ||
		    memcmp(bytes + 8, want + 8, (size_t)length - 8) != 0)
			return wrong_record;
		if (number != heard++ + stats_of(ring).missed_records)
			return not_told;
	}
	return NULL;
}

/* The producer waits for nobody, so some is missed, and known. */
static void threads_hear_a_broadcast(void **state)
{
	vms_ring *ring = must_create(VMS_RING_BROADCAST, 8192, VMS_RING_PRODUCER);
	struct work work = { ring, 0, true };
	vms_ring *consumers[3];
	pthread_t threads[3];
	void *problem;

	(void)state;
	for (int i = 0; i < 3; i++) {
		consumers[i] = must_attach(ring, VMS_RING_CONSUMER);
		assert_int_equal(pthread_create(&threads[i], NULL, hear, consumers[i]), 0);
	}
	assert_null(produce(&work));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(threads[i], &problem), 0);
		assert_null(problem);
		must_close(consumers[i]);
	}
	must_close(ring);
}

/* --- sleeps ---------------------------------------------------------------------------------- */

static bool is_asleep(pid_t process)
{
	char path[64], line[256] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	(void)fclose(file);
	return strstr(line, ") S") != NULL;
}

/* The child sleeps until the parent commits, or releases. */
static void a_process_is_woken(void **state)
{
	vms_ring *ring = must_create(VMS_RING_SPSC, 4096, 0);
	vms_ring *producer;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		vms_ring *mine = attach_with(vms_ring_fd(ring), VMS_RING_CONSUMER);
		char bytes[10];

		child_needs(mine);
		for (uint64_t i = 0; i < 3; i++) {
			child_needs(vms_ring_read(mine, bytes, 10, VMS_RING_FOREVER) == 10);
			child_needs(is_record(bytes, i, 10));
		}
		_exit(0);
	}
	producer = must_attach(ring, VMS_RING_PRODUCER);
	for (uint64_t i = 0; i < 3; i++) {
		while (stats_of(ring).records < i || !is_asleep(child))
			(void)usleep(1000);
		assert_true(put(producer, i, 10));
	}
	must_end_well(child);
	must_close(producer);
	must_close(ring);
}

static void a_producer_waits_for_room(void **state)
{
	(void)state;
	for (enum vms_ring_kind kind = VMS_RING_SPSC; kind <= VMS_RING_MPSC; kind++) {
		vms_ring *ring = must_create(kind, 4096, VMS_RING_CONSUMER);
		pid_t child = fork();

		if (child == 0) {
			vms_ring *mine = attach_with(vms_ring_fd(ring),
						     VMS_RING_PRODUCER);
			char bytes[4000];

			child_needs(mine);
			for (uint64_t i = 0; i < 3; i++) {
				fill_record(bytes, i, sizeof(bytes));
				child_needs(vms_ring_write(mine, bytes, sizeof(bytes),
							   VMS_RING_FOREVER) == 0);
			}
			child_needs(!vms_ring_claim(mine, 4000, 1000) &&
				    errno == ETIMEDOUT);
			child_needs(!vms_ring_claim(mine, 4000, VMS_RING_NO_WAIT) &&
				    errno == EAGAIN);
			_exit(0);
		}
		worked(vms_ring_wait(ring, VMS_RING_FOREVER));
		for (uint64_t i = 0; i < 2; i++) {
			while (!is_asleep(child))
				(void)usleep(1000);
			worked(vms_ring_wait(ring, VMS_RING_FOREVER));
			must_get(ring, i, 4000);
		}
		must_end_well(child);
		must_get(ring, 2, 4000);
		must_close(ring);
	}
}

static void handle(int number)
{
	(void)number;
}

static void a_signal_ends_a_wait(void **state)
{
	struct sigaction action = { .sa_handler = handle };
	struct sigaction earlier;
	vms_ring *ring = must_create(VMS_RING_SPSC, 4096, BOTH);
	pid_t child;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, &earlier), 0);
	child = fork();
	if (child == 0)
		for (;;) {
			(void)usleep(2000);
			(void)kill(getppid(), SIGUSR1);
		}
	refused(vms_ring_wait(ring, VMS_RING_FOREVER), EINTR);
	(void)kill(child, SIGKILL);
	must_be_killed(child);
	assert_int_equal(sigaction(SIGUSR1, &earlier, NULL), 0);
	must_close(ring);
}

/* --- the eventfd ------------------------------------------------------------------------------ */

static bool is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void an_armed_ring_writes_to_its_eventfd(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, VMS_RING_CONSUMER | VMS_RING_EVENT);
	const int fd = vms_ring_event_fd(ring);
	const struct vms_ring_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_RING_PRODUCER | VMS_RING_EVENT_FD,
		.event_fd = fd,
	};
	vms_ring *without = must_attach(ring, VMS_RING_PRODUCER);
	vms_ring *with = vms_ring_attach(vms_ring_fd(ring), &options);
	uint64_t count;

	(void)state;
	assert_non_null(with);
	assert_true(put(with, 0, 10));
	assert_false(is_readable(fd));
	assert_int_equal(vms_ring_arm(ring), 1);
	must_get(ring, 0, 10);
	assert_int_equal(vms_ring_arm(ring), 0);
	assert_true(put(without, 1, 10));
	assert_false(is_readable(fd));
	assert_true(put(with, 2, 10));
	assert_true(is_readable(fd));
	assert_true(put(with, 3, 10));
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	for (uint64_t i = 1; i < 4; i++)
		must_get(ring, i, 10);
	assert_int_equal(stats_of(with).wakes, 1);
	must_close(without);
	must_close(with);
	must_close(ring);
}

/* The consumer sleeps in poll whenever nothing is there, and never for nothing. */
static void a_consumer_waits_by_poll(void **state)
{
	vms_ring *ring = must_create(VMS_RING_SPSC, 4096, BOTH | VMS_RING_EVENT);
	struct pollfd poll_fd = { .fd = vms_ring_event_fd(ring), .events = POLLIN };
	struct work work = { ring, 0, true };
	uint64_t next[4] = { 0 }, count;
	struct vms_ring_record record;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, produce, &work), 0);
	while (next[0] < RECORDS) {
		while (vms_ring_peek(ring, &record, 1) == 1) {
			assert_true(is_next(&record, next));
			worked(vms_ring_release(ring, &record));
		}
		if (next[0] == RECORDS || vms_ring_arm(ring) == 1)
			continue;
		assert_int_equal(poll(&poll_fd, 1, -1), 1);
		assert_int_equal(read(poll_fd.fd, &count, sizeof(count)), sizeof(count));
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	must_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_and_another),
		cmocka_unit_test(one_thread_and_another_that_poll),
		cmocka_unit_test(many_threads_and_another),
		cmocka_unit_test(many_threads_and_another_that_poll),
		cmocka_unit_test(threads_hear_a_broadcast),
		cmocka_unit_test(a_process_is_woken),
		cmocka_unit_test(a_producer_waits_for_room),
		cmocka_unit_test(a_signal_ends_a_wait),
		cmocka_unit_test(an_armed_ring_writes_to_its_eventfd),
		cmocka_unit_test(a_consumer_waits_by_poll),
	};

	return cmocka_run_group_tests_name("ring_wait", tests, NULL, NULL);
}
