/* SPDX-License-Identifier: MIT */
#include "ring_fixture.h"

/* Producers and consumers that die, and children of those that have a part. */

/* A child attaches, claims twice, commits what is second, and dies. */
static void die_within_a_claim(int fd, uint64_t number)
{
	pid_t child = fork();

	if (child == 0) {
		vms_ring *ring = attach_with(fd, VMS_RING_PRODUCER);
		void *lost, *good;

		child_needs(ring);
		lost = vms_ring_try_claim(ring, 100);
		good = vms_ring_try_claim(ring, 50);
		child_needs(lost && good);
		fill_record(good, number, 50);
		child_needs(vms_ring_commit(ring, good, 50) == 0);
		(void)raise(SIGKILL);
	}
	must_be_killed(child);
}

static void must_get_soon(vms_ring *ring, uint64_t number, size_t length)
{
	worked(vms_ring_wait(ring, 60 * SECOND));
	must_get(ring, number, length);
}

static void the_claim_of_a_dead_producer_is_skipped(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, BOTH);

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		assert_true(put(ring, 2 * i, 20));
		die_within_a_claim(vms_ring_fd(ring), 2 * i + 1);
		must_get(ring, 2 * i, 20);
		must_get_soon(ring, 2 * i + 1, 50);
		must_be_empty(ring);
	}
	assert_int_equal(stats_of(ring).skipped, 100);
	assert_int_equal(stats_of(ring).used, 0);
	assert_int_equal(stats_of(ring).attached, 1);
	must_close(ring);
}

static void a_poll_finds_the_dead_too(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, BOTH);
	struct vms_ring_record record;
	int polls = 0;

	(void)state;
	die_within_a_claim(vms_ring_fd(ring), 1);
	while (vms_ring_peek(ring, &record, 1) == 0)
		assert_true(++polls < 100000);
	must_get(ring, 1, 50);
	must_close(ring);
}

/* The slot is another one's, who lives, by the time that the claim is met. */
static void the_next_owner_of_the_slot_is_not_taken_for_the_dead(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, BOTH);
	vms_ring *next;
	void *data;

	(void)state;
	die_within_a_claim(vms_ring_fd(ring), 1);
	next = must_attach(ring, VMS_RING_PRODUCER);
	data = vms_ring_try_claim(next, 10);
	assert_non_null(data);
	must_get_soon(ring, 1, 50);
	refused(vms_ring_wait(ring, 1000000), ETIMEDOUT);
	assert_int_equal(stats_of(ring).skipped, 1);
	fill_record(data, 2, 10);
	worked(vms_ring_commit(next, data, 10));
	must_get(ring, 2, 10);
	must_close(next);
	must_close(ring);
}

static void what_a_closed_ring_has_claimed_is_skipped(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, BOTH);
	vms_ring *other = must_attach(ring, VMS_RING_PRODUCER);

	(void)state;
	assert_non_null(vms_ring_try_claim(other, 10));
	assert_true(put(ring, 1, 10));
	must_be_empty(ring);
	must_close(other);
	must_get_soon(ring, 1, 10);
	must_close(ring);
}

/* The producer that died had filled the ring; who waits for room gets it. */
static void room_of_the_dead_is_free_again(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, BOTH);
	const uint64_t capacity = stats_of(ring).capacity;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		vms_ring *mine = attach_with(vms_ring_fd(ring), VMS_RING_PRODUCER);

		while (vms_ring_try_claim(mine, 64))
			;
		(void)raise(SIGKILL);
	}
	must_be_killed(child);
	refused_null(vms_ring_try_claim(ring, 1), EAGAIN);
	/* However short it is. */
	refused(vms_ring_wait(ring, 1), ETIMEDOUT);
	assert_int_equal(stats_of(ring).skipped, capacity / 64);
	assert_true(put(ring, 7, capacity));
	must_get(ring, 7, capacity);
	must_close(ring);
}

static void a_sole_producer_leaves_nothing_half_done(void **state)
{
	vms_ring *ring = must_create(VMS_RING_SPSC, 4096, VMS_RING_CONSUMER);
	pid_t child = fork();
	vms_ring *next;

	(void)state;
	if (child == 0) {
		vms_ring *mine = attach_with(vms_ring_fd(ring), VMS_RING_PRODUCER);

		child_needs(mine && put(mine, 1, 100));
		child_needs(vms_ring_try_claim(mine, 100));
		(void)raise(SIGKILL);
	}
	must_be_killed(child);
	next = must_attach(ring, VMS_RING_PRODUCER);
	refused_null(attach_with(vms_ring_fd(ring), VMS_RING_PRODUCER), EBUSY);
	assert_true(put(next, 2, 100));
	must_get(ring, 1, 100);
	must_get(ring, 2, 100);
	must_close(next);
	must_close(ring);
}

/* What was shown and not released is read again. */
static void another_consumer_goes_on(void **state)
{
	(void)state;
	for (enum vms_ring_kind kind = VMS_RING_SPSC; kind <= VMS_RING_MPSC; kind++) {
		vms_ring *ring = must_create(kind, 4096, VMS_RING_PRODUCER);
		vms_ring *next;
		pid_t child;

		for (uint64_t i = 0; i < 5; i++)
			assert_true(put(ring, i, 100));
		child = fork();
		if (child == 0) {
			vms_ring *mine = attach_with(vms_ring_fd(ring),
						     VMS_RING_CONSUMER);
			struct vms_ring_record records[4];

			child_needs(mine && vms_ring_peek(mine, records, 4) == 4);
			child_needs(vms_ring_release(mine, &records[1]) == 0);
			(void)raise(SIGKILL);
		}
		must_be_killed(child);
		next = must_attach(ring, VMS_RING_CONSUMER);
		refused_null(attach_with(vms_ring_fd(ring), VMS_RING_CONSUMER), EBUSY);
		for (uint64_t i = 2; i < 5; i++)
			must_get(next, i, 100);
		must_be_empty(next);
		assert_int_equal(stats_of(next).records, 5);
		must_close(next);
		must_close(ring);
	}
}

/* --- fork ---------------------------------------------------------------------------------- */

static void a_child_has_no_part(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, BOTH);
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct vms_ring_record record;
		vms_ring *mine;

		child_needs(!vms_ring_try_claim(ring, 1) && errno == EBADF);
		child_needs(vms_ring_peek(ring, &record, 1) == -1 && errno == EBADF);
		child_needs(vms_ring_wait(ring, SECOND) == -1 && errno == EBADF);
		mine = attach_with(vms_ring_fd(ring), VMS_RING_PRODUCER);
		child_needs(mine && put(mine, 1, 10));
		child_needs(!attach_with(vms_ring_fd(ring), VMS_RING_CONSUMER) &&
			    errno == EBUSY);
		child_needs(vms_ring_close(ring) == 0);
		child_needs(put(mine, 2, 10));
		child_needs(vms_ring_close(mine) == 0);
		_exit(0);
	}
	must_end_well(child);
	must_get(ring, 1, 10);
	must_get(ring, 2, 10);
	must_close(ring);
}

/* A parent dies within a claim, and its child lives on: the claim is a dead one's. */
static void a_child_does_not_keep_its_parents_part(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, BOTH);
	int ends[2];
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		vms_ring *mine = attach_with(vms_ring_fd(ring), VMS_RING_PRODUCER);
		char byte;

		child_needs(mine && vms_ring_try_claim(mine, 10));
		child_needs(put(mine, 1, 10));
		child = fork();
		if (child == 0) {
			(void)close(ends[1]);
			_exit(read(ends[0], &byte, 1) != 0);
		}
		(void)raise(SIGKILL);
	}
	must_be_killed(child);
	must_get_soon(ring, 1, 10);
	assert_int_equal(stats_of(ring).skipped, 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
	must_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_claim_of_a_dead_producer_is_skipped),
		cmocka_unit_test(a_poll_finds_the_dead_too),
		cmocka_unit_test(the_next_owner_of_the_slot_is_not_taken_for_the_dead),
		cmocka_unit_test(what_a_closed_ring_has_claimed_is_skipped),
		cmocka_unit_test(room_of_the_dead_is_free_again),
		cmocka_unit_test(a_sole_producer_leaves_nothing_half_done),
		cmocka_unit_test(another_consumer_goes_on),
		cmocka_unit_test(a_child_has_no_part),
		cmocka_unit_test(a_child_does_not_keep_its_parents_part),
	};

	return cmocka_run_group_tests_name("ring_death", tests, NULL, NULL);
}
