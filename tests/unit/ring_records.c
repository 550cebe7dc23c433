/* SPDX-License-Identifier: MIT */
#include "ring_fixture.h"

/* Records go in and come out, in each kind of ring. */

static const enum vms_ring_kind kinds[] = {
	VMS_RING_SPSC, VMS_RING_MPSC, VMS_RING_BROADCAST,
};
#define EACH_KIND(kind) \
	for (const enum vms_ring_kind *kind = kinds; \
	     kind < kinds + sizeof(kinds) / sizeof(kinds[0]); kind++)

static void records_come_out_as_they_went_in(void **state)
{
	(void)state;
	EACH_KIND(kind) {
		vms_ring *ring = must_create(*kind, 1, BOTH);
		const uint64_t most = stats_of(ring).record_most;

		must_be_empty(ring);
		for (uint64_t i = 0; i < 5000; i++) {
			const size_t length = i * 37 % 400 % (most + 1);

			assert_true(put(ring, i, length));
			must_get(ring, i, length);
		}
		must_be_empty(ring);
		assert_int_equal(stats_of(ring).records, 5000);
		must_close(ring);
	}
}

static void records_come_in_batches(void **state)
{
	struct vms_ring_record records[8];

	(void)state;
	EACH_KIND(kind) {
		vms_ring *ring = must_create(*kind, 4096, BOTH);
		uint64_t next = 0;

		for (uint64_t round = 0; round < 300; round++) {
			for (uint64_t i = 0; i < 6; i++)
				assert_true(put(ring, 6 * round + i, 40 + i));
			assert_int_equal(vms_ring_peek(ring, records, 8), 6);
			/* What was peeked at is shown again. */
			assert_int_equal(vms_ring_peek(ring, records, 8), 6);
			for (uint64_t i = 0; i < 6; i++)
				assert_true(is_record(records[i].data, next++, 40 + i));
			worked(vms_ring_release(ring, &records[round % 6]));
			assert_int_equal(vms_ring_peek(ring, records, 8),
					 5 - round % 6);
			if (round % 6 != 5)
				worked(vms_ring_release(ring, &records[4 - round % 6]));
			must_be_empty(ring);
		}
		assert_int_equal(stats_of(ring).records, 1800);
		assert_int_equal(stats_of(ring).bytes, 300 * (6 * 40 + 15));
		must_close(ring);
	}
}

static void the_longest_record_fits(void **state)
{
	(void)state;
	EACH_KIND(kind) {
		vms_ring *ring = must_create(*kind, 8192, BOTH);
		const uint64_t most = stats_of(ring).record_most;

		assert_true(put(ring, 1, 3));
		must_get(ring, 1, 3);
		for (uint64_t i = 0; i < 20; i++) {
			assert_true(put(ring, i, most));
			must_get(ring, i, most);
		}
		refused_null(vms_ring_try_claim(ring, most + 1), EMSGSIZE);
		refused_null(vms_ring_try_claim(ring, SIZE_MAX), EMSGSIZE);
		must_close(ring);
	}
}

static void a_full_ring_refuses_and_counts(void **state)
{
	(void)state;
	for (enum vms_ring_kind kind = VMS_RING_SPSC; kind <= VMS_RING_MPSC; kind++) {
		vms_ring *ring = must_create(kind, 4096, BOTH);
		uint64_t count = 0;

		while (put(ring, count, 56))
			count++;
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(count, stats_of(ring).capacity / 64 -
				 (kind == VMS_RING_SPSC));
		assert_int_equal(stats_of(ring).used, count * 64);
		assert_int_equal(stats_of(ring).refused, 1);
		must_get(ring, 0, 56);
		assert_true(put(ring, count, 56));
		refused_null(vms_ring_try_claim(ring, 56), EAGAIN);
		assert_int_equal(stats_of(ring).refused, 2);
		for (uint64_t i = 1; i <= count; i++)
			must_get(ring, i, 56);
		assert_int_equal(stats_of(ring).used, 0);
		must_close(ring);
	}
}

static void claims_are_given_up_or_made_shorter(void **state)
{
	(void)state;
	EACH_KIND(kind) {
		vms_ring *ring = must_create(*kind, 4096, BOTH);

		for (uint64_t i = 0; i < 200; i++) {
			void *data = vms_ring_try_claim(ring, 500);

			assert_non_null(data);
			memset(data, 0xff, 500);
			worked(vms_ring_abort(ring, data));
			must_be_empty(ring);
			assert_true(put(ring, i, 32));
			must_get(ring, i, 32);
			must_be_empty(ring);
			data = vms_ring_try_claim(ring, 500);
			assert_non_null(data);
			memset(data, 0xff, 500);
			fill_record(data, i, 30);
			worked(vms_ring_commit(ring, data, 30));
			must_get(ring, i, 30);
		}
		assert_int_equal(stats_of(ring).aborted,
				 *kind == VMS_RING_MPSC ? 200 : 0);
		must_close(ring);
	}
}

static void what_is_no_claim_is_refused(void **state)
{
	char other[64] = { 0 };

	(void)state;
	EACH_KIND(kind) {
		vms_ring *ring = must_create(*kind, 4096, BOTH);
		char *data;

		refused(vms_ring_commit(ring, other, 0), EINVAL);
		refused(vms_ring_abort(ring, NULL), EINVAL);
		data = vms_ring_try_claim(ring, 100);
		assert_non_null(data);
		refused(vms_ring_commit(ring, data, 101), EINVAL);
		refused(vms_ring_commit(ring, data + 8, 1), EINVAL);
		refused(vms_ring_abort(ring, other), EINVAL);
		if (*kind != VMS_RING_MPSC)
			refused_null(vms_ring_try_claim(ring, 1), EBUSY);
		worked(vms_ring_commit(ring, data, 100));
		refused(vms_ring_commit(ring, data, 100), EINVAL);
		refused(vms_ring_abort(ring, data), EINVAL);
		must_close(ring);
	}
}

static void what_was_not_shown_is_not_released(void **state)
{
	struct vms_ring_record records[3];

	(void)state;
	EACH_KIND(kind) {
		vms_ring *ring = must_create(*kind, 4096, BOTH);
		struct vms_ring_record wrong;

		for (uint64_t i = 0; i < 3; i++)
			assert_true(put(ring, i, 100));
		assert_int_equal(vms_ring_peek(ring, records, 2), 2);
		wrong = records[1];
		wrong.end += 8;
		refused(vms_ring_release(ring, &wrong), EINVAL);
		wrong.end = 0;
		refused(vms_ring_release(ring, &wrong), EINVAL);
		worked(vms_ring_release(ring, &records[1]));
		refused(vms_ring_release(ring, &records[1]), EINVAL);
		refused(vms_ring_release(ring, &records[0]), EINVAL);
		must_get(ring, 2, 100);
		must_close(ring);
	}
}

static void copies_are_written_and_read(void **state)
{
	char bytes[100], copy[200];

	(void)state;
	EACH_KIND(kind) {
		vms_ring *ring = must_create(*kind, 4096, BOTH);

		refused(vms_ring_read(ring, copy, sizeof(copy), VMS_RING_NO_WAIT), EAGAIN);
		refused(vms_ring_read(ring, copy, sizeof(copy), 1000), ETIMEDOUT);
		refused(vms_ring_wait(ring, 1000), ETIMEDOUT);
		for (uint64_t i = 0; i < 500; i++) {
			const size_t length = i % (sizeof(bytes) + 1);

			fill_record(bytes, i, length);
			worked(vms_ring_write(ring, bytes, length, VMS_RING_NO_WAIT));
			worked(vms_ring_wait(ring, VMS_RING_FOREVER));
			if (length > 0)
				refused(vms_ring_read(ring, copy, length - 1, 0),
					EMSGSIZE);
			assert_int_equal(vms_ring_read(ring, copy, sizeof(copy), 0),
					 length);
			assert_true(is_record(copy, i, length));
		}
		must_close(ring);
	}
}

static void later_records_wait_for_a_claim(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, BOTH);
	void *first = vms_ring_try_claim(ring, 10);
	void *second = vms_ring_try_claim(ring, 10);
	struct vms_ring_record records[3];

	(void)state;
	assert_non_null(first);
	assert_non_null(second);
	fill_record(second, 2, 10);
	worked(vms_ring_commit(ring, second, 10));
	for (int i = 0; i < 10000; i++)
		must_be_empty(ring);
	fill_record(first, 1, 10);
	worked(vms_ring_commit(ring, first, 10));
	assert_int_equal(vms_ring_peek(ring, records, 3), 2);
	must_get(ring, 1, 10);
	must_get(ring, 2, 10);
	must_close(ring);
}

static void records_are_aligned_as_asked(void **state)
{
	(void)state;
	for (unsigned alignment = 8; alignment <= 4096; alignment *= 2) {
		vms_ring *ring = create_with(VMS_RING_MPSC, 65536, BOTH, alignment);

		assert_non_null(ring);
		assert_int_equal(stats_of(ring).alignment, alignment);
		for (uint64_t i = 0; i < 1000; i++) {
			char *data = vms_ring_try_claim(ring, i % 300);

			assert_non_null(data);
			assert_int_equal((uintptr_t)data % alignment, 0);
			fill_record(data, i, i % 300);
			worked(vms_ring_commit(ring, data, i % 300));
			must_get(ring, i, i % 300);
		}
		must_close(ring);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_as_they_went_in),
		cmocka_unit_test(records_come_in_batches),
		cmocka_unit_test(the_longest_record_fits),
		cmocka_unit_test(a_full_ring_refuses_and_counts),
		cmocka_unit_test(claims_are_given_up_or_made_shorter),
		cmocka_unit_test(what_is_no_claim_is_refused),
		cmocka_unit_test(what_was_not_shown_is_not_released),
		cmocka_unit_test(copies_are_written_and_read),
		cmocka_unit_test(later_records_wait_for_a_claim),
		cmocka_unit_test(records_are_aligned_as_asked),
	};

	return cmocka_run_group_tests_name("ring_records", tests, NULL, NULL);
}
