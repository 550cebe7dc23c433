/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "../unit/ring_fixture.h"
#include "ring_steps_kill.h"

/*
 * Processes that use a ring are ended by SIGKILL, at each of their accesses to what they
 * share in turn (the room is compiled with steps), and at random moments. Each record
 * knows its producer, its number and its bytes.
 *
 * usage: ring-kill [KILLS [SEED]]
 */

#define CAPACITY 4096
#define STEPS_MOST 2000
#define PRODUCERS 3

struct body {
	uint32_t producer;
	uint32_t number;
};

/* What processes tell each other besides the ring: told after it was done. */
static struct told {
	_Atomic uint32_t committed[1 << 16];   /* of each producer, how many */
	_Atomic uint32_t released;             /* by a consumer that is killed */
} *told;

static unsigned steps_left;   /* until this process ends; 0: it does not */

void kill_step(void)
{
	if (steps_left != 0 && --steps_left == 0)
		(void)raise(SIGKILL);
}

/* --- records ------------------------------------------------------------------------------- */

static size_t length_of(uint32_t producer, uint32_t number)
{
	return sizeof(struct body) + (producer * 31 + number * 17) % 300;
}

static bool put_record(vms_ring *ring, uint32_t producer, uint32_t number, int64_t timeout)
{
	const struct body body = { producer, number };
	const size_t length = length_of(producer, number);
	char *data = vms_ring_claim(ring, length, timeout);

	if (!data)
		return false;
	memcpy(data, &body, sizeof(body));
	/* Some take their time, so that more die within a claim. */
	for (unsigned i = 0; i < (number % 4 == 3 ? 100 : 1); i++)
		fill_record(data + sizeof(body), number, length - sizeof(body));
	return vms_ring_commit(ring, data, length) == 0;
}

static struct body must_be_record(const struct vms_ring_record *record)
{
	struct body body;

	assert_true(record->length >= sizeof(body));
	memcpy(&body, record->data, sizeof(body));
	assert_int_equal(record->length, length_of(body.producer, body.number));
	assert_true(is_record((const char *)record->data + sizeof(body), body.number,
			      record->length - sizeof(body)));
	return body;
}

/* --- at each step ----------------------------------------------------------------------------- */

#define ROUNDS 4

/* Attach, and give one claim up and commit one, several times. */
static void produce_and_die(int fd, uint32_t producer, unsigned steps)
{
	vms_ring *ring;

	steps_left = steps;
	ring = attach_with(fd, VMS_RING_PRODUCER);
	child_needs(ring);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		void *data = vms_ring_try_claim(ring, 100);

		child_needs(data && vms_ring_abort(ring, data) == 0);
		child_needs(put_record(ring, producer, i, 0));
		atomic_store(&told->committed[producer], i + 1);
	}
	child_needs(vms_ring_close(ring) == 0);
	_exit(0);
}

/* Whether the child was killed, and not done before. */
static bool was_killed(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	else
		assert_int_equal(WTERMSIG(status), SIGKILL);
	return !WIFEXITED(status);
}

/* How many records there are to be seen. */
static uint32_t shown(vms_ring *ring)
{
	struct vms_ring_record records[2 * ROUNDS];
	ssize_t count = vms_ring_peek(ring, records, 2 * ROUNDS);

	assert_true(count >= 0);
	return (uint32_t)count;
}

/* All of the ring can be used again, several times. */
static void must_go_round(vms_ring *producer, vms_ring *consumer)
{
	const size_t most = stats_of(producer).record_most;

	for (uint64_t i = 0; i < 3 * stats_of(producer).capacity / 64; i++) {
		assert_true(put(producer, i, 40));
		must_get(consumer, i, 40);
	}
	assert_true(put(producer, 9, most));
	must_get(consumer, 9, most);
	must_be_empty(consumer);
}

/* All that the child said it committed, and maybe one more, then what comes after. */
static void must_get_what_was_committed(vms_ring *ring, uint32_t producer,
					uint32_t committed, uint32_t next,
					uint32_t least)
{
	struct vms_ring_record record;
	struct body body;

	for (;;) {
		assert_int_equal(vms_ring_wait(ring, 60 * SECOND), 0);
		assert_int_equal(vms_ring_peek(ring, &record, 1), 1);
		body = must_be_record(&record);
		assert_int_equal(vms_ring_release(ring, &record), 0);
		if (body.producer != producer)
			break;
		assert_int_equal(body.number, next++);
	}
	assert_int_equal(body.producer, 0);
	assert_true(next == committed || next == committed + 1);
	assert_true(next >= least);
}

/* When the consumer meets the claim of the dead: before another one produces, or after. */
enum meeting { MEETS_BEFORE, MEETS_AFTER };

/* Release all there is, behind what was skipped; return how many records. */
static uint32_t meet_the_dead(vms_ring *ring, uint32_t producer)
{
	struct vms_ring_record record;
	uint32_t next = 0;

	while (vms_ring_wait(ring, 3000000) == 0) {
		assert_int_equal(vms_ring_peek(ring, &record, 1), 1);
		assert_int_equal(must_be_record(&record).producer, producer);
		assert_int_equal(must_be_record(&record).number, next++);
		assert_int_equal(vms_ring_release(ring, &record), 0);
	}
	return next;
}

/* A broadcast consumer misses nothing here, since so little is written. */
static void producers_die(enum vms_ring_kind kind, enum meeting meeting)
{
	bool killed = true;

	for (unsigned steps = 1; killed; steps++) {
		vms_ring *consumer = must_create(kind, CAPACITY, VMS_RING_CONSUMER);
		vms_ring *other;
		uint32_t met, least;
		pid_t child;

		assert_true(steps < STEPS_MOST);
		atomic_store(&told->committed[1], 0);
		child = fork();
		if (child == 0)
			produce_and_die(vms_ring_fd(consumer), 1, steps);
		killed = was_killed(child);
		/* What was seen once is not written over by who produces next. */
		met = meeting == MEETS_BEFORE ? meet_the_dead(consumer, 1) : 0;
		least = met + shown(consumer);
		other = must_attach(consumer, VMS_RING_PRODUCER);
		assert_true(put_record(other, 0, steps, 0));
		must_get_what_was_committed(consumer, 1,
					    atomic_load(&told->committed[1]), met,
					    least);
		must_be_empty(consumer);
		must_go_round(other, consumer);
		must_close(other);
		must_close(consumer);
	}
}

static void producers_die_at_each_step(void **state)
{
	(void)state;
	producers_die(VMS_RING_SPSC, MEETS_AFTER);
	producers_die(VMS_RING_SPSC, MEETS_BEFORE);
	producers_die(VMS_RING_MPSC, MEETS_AFTER);
	producers_die(VMS_RING_MPSC, MEETS_BEFORE);
	producers_die(VMS_RING_BROADCAST, MEETS_AFTER);
}

static void consume_and_die(int fd, unsigned steps)
{
	struct vms_ring_record records[3];
	uint32_t next = 0;
	vms_ring *ring;
	ssize_t count;

	steps_left = steps;
	ring = attach_with(fd, VMS_RING_CONSUMER);
	child_needs(ring);
	while ((count = vms_ring_peek(ring, records, 3)) > 0) {
		struct body body;

		memcpy(&body, records[0].data, sizeof(body));
		child_needs(body.number == next);
		child_needs(vms_ring_release(ring, &records[count - 1]) == 0);
		next += (uint32_t)count;
		atomic_store(&told->released, next);
	}
	child_needs(count == 0 && vms_ring_close(ring) == 0);
	_exit(0);
}

/* The next consumer begins behind what the child said it released, or one batch more. */
static void consumers_die(enum vms_ring_kind kind)
{
	bool killed = true;

	for (unsigned steps = 1; killed; steps++) {
		vms_ring *producer = must_create(kind, CAPACITY, VMS_RING_PRODUCER);
		vms_ring *other;
		struct vms_ring_record record;
		uint32_t next;
		pid_t child;

		assert_true(steps < STEPS_MOST);
		for (uint32_t i = 0; i < 8; i++)
			assert_true(put_record(producer, 0, i, 0));
		atomic_store(&told->released, 0);
		child = fork();
		if (child == 0)
			consume_and_die(vms_ring_fd(producer), steps);
		killed = was_killed(child);
		next = atomic_load(&told->released);
		other = must_attach(producer, VMS_RING_CONSUMER);
		assert_true(put_record(producer, 0, 8, 0));
		for (bool is_first = true; next < 9; next++, is_first = false) {
			struct body body;

			assert_int_equal(vms_ring_peek(other, &record, 1), 1);
			body = must_be_record(&record);
			if (is_first && body.number != next) {
				assert_true(body.number == next + 3 || body.number == 8);
				next = body.number;
			}
			assert_int_equal(body.number, next);
			assert_int_equal(vms_ring_release(other, &record), 0);
		}
		must_be_empty(other);
		assert_int_equal(stats_of(other).used, 0);
		must_go_round(producer, other);
		must_close(other);
		must_close(producer);
	}
}

static void consumers_die_at_each_step(void **state)
{
	(void)state;
	consumers_die(VMS_RING_SPSC);
	consumers_die(VMS_RING_MPSC);
}

/* --- at random moments ------------------------------------------------------------------------- */

static unsigned kills = 200;
static uint64_t seed = 11;

static uint64_t random_number(void)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static _Noreturn void produce_for_ever(int fd, uint32_t producer)
{
	vms_ring *ring = attach_with(fd, VMS_RING_PRODUCER);

	child_needs(ring);
	for (uint32_t i = 0;; i++) {
		child_needs(put_record(ring, producer, i, VMS_RING_FOREVER));
		atomic_store(&told->committed[producer], i + 1);
	}
}

static struct {
	pid_t process;
	uint32_t producer;
} running[PRODUCERS];

static uint32_t expected[1 << 16];
static uint32_t producers_begun;

static void begin_producer(vms_ring *ring, unsigned i)
{
	running[i].producer = producers_begun++ % (1 << 16);
	expected[running[i].producer] = 0;
	atomic_store(&told->committed[running[i].producer], 0);
	running[i].process = fork();
	assert_true(running[i].process >= 0);
	if (running[i].process == 0)
		produce_for_ever(vms_ring_fd(ring), running[i].producer);
}

/* Read some records: each is the next one of its producer. Returns whether there were. */
static bool read_some(vms_ring *ring)
{
	struct vms_ring_record records[8];
	ssize_t count = vms_ring_peek(ring, records, 8);

	assert_true(count >= 0);
	for (ssize_t i = 0; i < count; i++) {
		const struct body body = must_be_record(&records[i]);

		assert_int_equal(body.number, expected[body.producer]);
		expected[body.producer]++;
	}
	if (count > 0)
		assert_int_equal(vms_ring_release(ring, &records[count - 1]), 0);
	return count > 0;
}

/* After a producer has died and another one's record has passed, all of its were read. */
static void must_have_read_all_of(vms_ring *ring, uint32_t producer)
{
	vms_ring *mine = must_attach(ring, VMS_RING_PRODUCER);
	const uint32_t mark = producers_begun++ % (1 << 16);
	uint32_t committed = atomic_load(&told->committed[producer]);

	expected[mark] = 0;
	while (!put_record(mine, mark, 0, 0)) {
		assert_int_equal(errno, EAGAIN);
		(void)read_some(ring);
	}
	while (expected[mark] == 0)
		if (!read_some(ring))
			assert_int_equal(vms_ring_wait(ring, 60 * SECOND), 0);
	assert_true(expected[producer] == committed || expected[producer] == committed + 1);
	must_close(mine);
}

static void producers_die_at_random(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, CAPACITY, VMS_RING_CONSUMER);
	const uint64_t first_seed = seed;

	(void)state;
	for (unsigned i = 0; i < PRODUCERS; i++)
		begin_producer(ring, i);
	for (unsigned k = 0; k < kills; k++) {
		const unsigned i = (unsigned)(random_number() % PRODUCERS);

		for (uint64_t reads = random_number() % 100; reads > 0; reads--)
			(void)read_some(ring);
		assert_int_equal(kill(running[i].process, SIGKILL), 0);
		must_be_killed(running[i].process);
		must_have_read_all_of(ring, running[i].producer);
		begin_producer(ring, i);
	}
	for (unsigned i = 0; i < PRODUCERS; i++) {
		assert_int_equal(kill(running[i].process, SIGKILL), 0);
		must_be_killed(running[i].process);
	}
	printf("# %u kills, seed %llu: %llu records, %llu dead claims skipped\n", kills,
	       (unsigned long long)first_seed, (unsigned long long)stats_of(ring).records,
	       (unsigned long long)stats_of(ring).skipped);
	must_close(ring);
}

static _Noreturn void consume_for_ever(int fd)
{
	vms_ring *ring = attach_with(fd, VMS_RING_CONSUMER);
	struct vms_ring_record records[8];

	child_needs(ring);
	for (;;) {
		ssize_t count = vms_ring_peek(ring, records, 8);
		struct body body;

		child_needs(count >= 0);
		if (count == 0) {
			child_needs(vms_ring_wait(ring, VMS_RING_FOREVER) == 0);
			continue;
		}
		memcpy(&body, records[count - 1].data, sizeof(body));
		child_needs(body.number + 1 >= atomic_load(&told->released));
		child_needs(is_record((const char *)records[0].data + sizeof(body),
				      body.number + 1 - (uint32_t)count,
				      records[0].length - sizeof(body)));
		child_needs(vms_ring_release(ring, &records[count - 1]) == 0);
		atomic_store(&told->released, body.number + 1);
	}
}

/* The parent produces; whoever consumes goes on where the last one was. */
static void consumers_die_at_random(void **state)
{
	(void)state;
	for (enum vms_ring_kind kind = VMS_RING_SPSC; kind <= VMS_RING_MPSC; kind++) {
		vms_ring *ring = must_create(kind, CAPACITY, VMS_RING_PRODUCER);
		uint32_t number = 0;

		atomic_store(&told->released, 0);
		for (unsigned k = 0; k < kills / 2; k++) {
			const uint32_t until = number + (uint32_t)(random_number() % 200);
			pid_t child = fork();

			if (child == 0)
				consume_for_ever(vms_ring_fd(ring));
			for (; number < until; number++)
				assert_true(put_record(ring, 0, number, 60 * SECOND));
			assert_int_equal(kill(child, SIGKILL), 0);
			must_be_killed(child);
			assert_true(atomic_load(&told->released) <= number);
		}
		must_close(ring);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(producers_die_at_each_step),
		cmocka_unit_test(consumers_die_at_each_step),
		cmocka_unit_test(producers_die_at_random),
		cmocka_unit_test(consumers_die_at_random),
	};

	if (argc > 1)
		kills = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("ring_kill", tests, NULL, NULL);
}
