/* SPDX-License-Identifier: MIT */
#include "ring_fixture.h"

/* One producer, many consumers, and what a slow one is told. */

static void each_consumer_sees_all(void **state)
{
	vms_ring *producer = must_create(VMS_RING_BROADCAST, 4096, VMS_RING_PRODUCER);
	vms_ring *first = must_attach(producer, VMS_RING_CONSUMER);
	vms_ring *second = must_attach(producer, VMS_RING_CONSUMER);

	(void)state;
	refused_null(attach_with(vms_ring_fd(producer), VMS_RING_PRODUCER), EBUSY);
	for (uint64_t i = 0; i < 100; i++)
		for (uint64_t k = 0; k < 10; k++) {
			assert_true(put(producer, 10 * i + k, 30));
			must_get(first, 10 * i + k, 30);
			if (k == 9)
				for (uint64_t j = 0; j < 10; j++)
					must_get(second, 10 * i + j, 30);
		}
	must_be_empty(first);
	must_be_empty(second);
	assert_int_equal(stats_of(second).records, 1000);
	assert_int_equal(stats_of(second).missed_records, 0);
	assert_int_equal(stats_of(producer).attached, 3);
	must_close(first);
	must_close(second);
	must_close(producer);
}

/* Where a consumer is told that it missed n, the next record has the number n on. */
static void a_slow_consumer_is_told_what_it_missed(void **state)
{
	vms_ring *producer = must_create(VMS_RING_BROADCAST, 4096, VMS_RING_PRODUCER);
	vms_ring *slow = must_attach(producer, VMS_RING_CONSUMER);
	const uint64_t span = 48;
	const uint64_t records = 10 * stats_of(producer).capacity / span;
	uint64_t seen = 0;

	(void)state;
	for (uint64_t i = 0; i < records; i++)
		assert_true(put(producer, i, 30));
	for (; seen + stats_of(slow).missed_records < records; seen++) {
		struct vms_ring_record record;

		assert_int_equal(vms_ring_peek(slow, &record, 1), 1);
		assert_true(is_record(record.data,
				      seen + stats_of(slow).missed_records, 30));
		worked(vms_ring_release(slow, &record));
	}
	must_be_empty(slow);
	assert_int_equal(seen, stats_of(slow).capacity / span);
	assert_int_equal(stats_of(slow).missed_bytes,
			 span * stats_of(slow).missed_records);
	must_close(slow);
	must_close(producer);
}

static void what_was_overwritten_is_stale(void **state)
{
	vms_ring *producer = must_create(VMS_RING_BROADCAST, 4096, VMS_RING_PRODUCER);
	vms_ring *slow = must_attach(producer, VMS_RING_CONSUMER);
	struct vms_ring_record records[4];

	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		assert_true(put(producer, i, 500));
	assert_int_equal(vms_ring_peek(slow, records, 4), 4);
	for (uint64_t i = 4; i < stats_of(slow).capacity / 520 + 1; i++)
		assert_true(put(producer, i, 500));
	refused(vms_ring_release(slow, &records[3]), ESTALE);
	assert_int_equal(vms_ring_peek(slow, records, 4), 4);
	must_get(slow, 1, 500);
	assert_int_equal(stats_of(slow).missed_records, 1);
	must_close(slow);
	must_close(producer);
}

static void a_consumer_begins_now_or_with_the_oldest(void **state)
{
	vms_ring *producer = must_create(VMS_RING_BROADCAST, 4096, VMS_RING_PRODUCER);
	vms_ring *early = must_attach(producer, VMS_RING_CONSUMER | VMS_RING_FROM_OLDEST);
	const uint64_t held = stats_of(producer).capacity / 40;
	vms_ring *late, *oldest;

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		assert_true(put(producer, i, 20));
	late = must_attach(producer, VMS_RING_CONSUMER);
	oldest = must_attach(producer, VMS_RING_CONSUMER | VMS_RING_FROM_OLDEST);
	must_be_empty(late);
	assert_true(put(producer, 5, 20));
	must_get(late, 5, 20);
	for (uint64_t i = 0; i < 6; i++) {
		must_get(oldest, i, 20);
		must_get(early, i, 20);
	}
	for (uint64_t i = 6; i < 6 + 2 * held; i++)
		assert_true(put(producer, i, 20));
	must_get(late, 6 + held, 20);
	assert_int_equal(stats_of(late).missed_records, held);
	must_close(early);
	must_close(late);
	must_close(oldest);
	must_close(producer);
}

static void another_producer_goes_on_with_the_numbers(void **state)
{
	vms_ring *producer = must_create(VMS_RING_BROADCAST, 4096, VMS_RING_PRODUCER);
	vms_ring *consumer = must_attach(producer, VMS_RING_CONSUMER);
	vms_ring *next;
	pid_t child;

	(void)state;
	for (uint64_t i = 0; i < 10; i++)
		assert_true(put(producer, i, 20));
	must_close(producer);
	for (uint64_t i = 0; i < 10; i++)
		must_get(consumer, i, 20);
	/* This one dies within a claim, when it has moved the floor. */
	child = fork();
	if (child == 0) {
		producer = attach_with(vms_ring_fd(consumer), VMS_RING_PRODUCER);
		child_needs(producer);
		for (uint64_t i = 10; i < 200; i++)
			child_needs(put(producer, i, 20));
		child_needs(vms_ring_try_claim(producer, 1000));
		(void)raise(SIGKILL);
	}
	must_be_killed(child);
	next = must_attach(consumer, VMS_RING_PRODUCER);
	assert_true(put(next, 200, 20));
	while (stats_of(consumer).records + stats_of(consumer).missed_records < 201) {
		struct vms_ring_record record;

		assert_int_equal(vms_ring_peek(consumer, &record, 1), 1);
		assert_true(is_record(record.data, stats_of(consumer).records +
				      stats_of(consumer).missed_records, 20));
		worked(vms_ring_release(consumer, &record));
	}
	must_be_empty(consumer);
	must_close(consumer);
	must_close(next);
}

/* --- a producer that never stops ----------------------------------------------------------- */

static pid_t produce_for_ever(int fd)
{
	pid_t child = fork();

	if (child == 0) {
		vms_ring *mine = attach_with(fd, VMS_RING_PRODUCER);

		child_needs(mine);
		for (uint64_t i = 0;; i++)
			child_needs(vms_ring_write(mine, &i, sizeof(i), 0) == 0);
	}
	return child;
}

/* What was read and what was missed, from the first record on, is all there was. */
static uint64_t must_account_for_all(vms_ring *ring, unsigned reads)
{
	uint64_t first = 0, missed = 0, got = 0, number;

	for (; reads > 0; reads--) {
		if (vms_ring_read(ring, &number, sizeof(number), 0) < 0) {
			assert_int_equal(errno, EAGAIN);
			continue;
		}
		if (got++ == 0) {
			first = number;
			missed = stats_of(ring).missed_records;
		}
		assert_int_equal(number, first + got - 1 +
				 stats_of(ring).missed_records - missed);
	}
	return got;
}

static void a_producer_that_never_stops_keeps_nobody_out(void **state)
{
	vms_ring *ring = must_create(VMS_RING_BROADCAST, 4096, 0);
	pid_t child = produce_for_ever(vms_ring_fd(ring));
	uint64_t got = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		vms_ring *mine = must_attach(ring, VMS_RING_CONSUMER |
					     (i % 2 ? VMS_RING_FROM_OLDEST : 0));

		got += must_account_for_all(mine, 5);
		must_close(mine);
	}
	assert_true(got > 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	must_be_killed(child);
	must_close(ring);
}

/* What an earlier peek has shown is not there any more, and no record to be released. */
static void what_is_lost_cannot_be_released(void **state)
{
	vms_ring *producer = must_create(VMS_RING_BROADCAST, 4096, VMS_RING_PRODUCER);
	vms_ring *slow = must_attach(producer, VMS_RING_CONSUMER);
	struct vms_ring_record old, record;

	(void)state;
	assert_true(put(producer, 0, 20));
	assert_int_equal(vms_ring_peek(slow, &old, 1), 1);
	for (uint64_t i = 1; i < 400; i++)
		assert_true(put(producer, i, 20));
	assert_int_equal(vms_ring_peek(slow, &record, 0), 0);
	refused(vms_ring_release(slow, &old), EINVAL);
	assert_int_equal(vms_ring_peek(slow, &record, 1), 1);
	refused(vms_ring_release(slow, &old), EINVAL);
	worked(vms_ring_release(slow, &record));
	must_close(slow);
	must_close(producer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_consumer_sees_all),
		cmocka_unit_test(a_slow_consumer_is_told_what_it_missed),
		cmocka_unit_test(what_was_overwritten_is_stale),
		cmocka_unit_test(a_consumer_begins_now_or_with_the_oldest),
		cmocka_unit_test(another_producer_goes_on_with_the_numbers),
		cmocka_unit_test(a_producer_that_never_stops_keeps_nobody_out),
		cmocka_unit_test(what_is_lost_cannot_be_released),
	};

	return cmocka_run_group_tests_name("ring_broadcast", tests, NULL, NULL);
}
