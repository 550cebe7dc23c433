/* SPDX-License-Identifier: MIT */
#include "pool_area_batches.h"

/* An area of a former run is whatever it is when a pool is opened. */

/* --- what is right ------------------------------------------------------------------------------ */

static void batches_are_written_in_their_order(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);

	assert_int_equal(try_to_open(place, fd, &left), 0);
	must_be_in_file(place, 10, 1);
	for (uint64_t page = 11; page < 14; page++)
		must_be_in_file(place, page, 2);
	must_be_in_file(place, 14, 0);
	for (uint64_t page = 20; page < 23; page++)
		must_be_in_file(place, page, 3);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

/* What the file was known to have is not written over what it got later. */
static void what_is_settled_stays_as_it_is(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);

	put_batch(&left, 3, 2, 20, 3);
	assert_int_equal(try_to_open(place, fd, &left), 0);
	for (uint64_t page = 10; page < 14; page++)
		must_be_in_file(place, page, 0);
	must_be_in_file(place, 20, 3);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

/* All places are used, the last one in a second turn, and one is in flight. */
static void turns_of_places_are_told_apart(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = empty_area(place, fd);
	const unsigned last = VMSI_AREA_PLACES + 5;

	for (unsigned i = 1; i <= last; i++)
		put_batch(&left, i, i < VMSI_AREA_PLACES ? 0 : VMSI_AREA_PLACES - 1, 40, i);
	assert_int_equal(try_to_open(place, fd, &left), 0);
	must_be_in_file(place, 40, (int)last);
	memset((char *)head_of(&left, last + 1) + 64, 77, PAGE);
	write_state(fd, 40, 0);
	assert_int_equal(try_to_open(place, fd, &left), 0);
	must_be_in_file(place, 40, (int)last);
	/* Its head is there, and an image is not. */
	put_batch(&left, last + 1, VMSI_AREA_PLACES - 1, 40, 90);
	((char *)head_of(&left, last + 1))[VMSI_AREA_HEAD_BYTES + 2 * PAGE + 7] ^= 1;
	write_state(fd, 40, 0);
	assert_int_equal(try_to_open(place, fd, &left), 0);
	must_be_in_file(place, 40, (int)last);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

/* --- damage --------------------------------------------------------------------------------------- */

enum expected {
	IN_FLIGHT,  /* as if the batch had not been put */
	DAMAGED,
};

/* Whatever byte is wrong, no page gets anything but its image. */
static void damage_batch(const struct place *place, int fd, struct left_area *left,
			 uint64_t sequence, enum expected expected)
{
	const size_t start = (size_t)((char *)head_of(left, sequence) - left->bytes);
	const size_t head = offsetof(struct vmsi_area_head, entries) +
		IMAGES * sizeof(struct vmsi_area_entry);
	const size_t end = VMSI_AREA_HEAD_BYTES + IMAGES * PAGE;

	for (size_t i = 0; i < end; i += i < head || i > end - 8 ? 1 : 509) {
		int error;

		if (i >= head && i < VMSI_AREA_HEAD_BYTES)
			i = VMSI_AREA_HEAD_BYTES;
		left->bytes[start + i] ^= 0x10;
		restore_file(fd);
		error = try_to_open(place, fd, left);
		left->bytes[start + i] ^= 0x10;
		if (error != (expected == DAMAGED ? EBADMSG : 0))
			fail_msg("byte %zu: errno %d", i, error);
		for (uint64_t page = 10; page < 14; page++)
			must_be_in_file(place, page, expected == DAMAGED ? 0 :
					page == 10 ? 1 : 2);
		must_be_in_file(place, 20, 0);
	}
}

static void the_last_batch_may_be_torn(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);

	damage_batch(place, fd, &left, 3, IN_FLIGHT);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

static void earlier_batches_may_not(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);

	damage_batch(place, fd, &left, 2, DAMAGED);
	/* One that is settled may. */
	put_batch(&left, 3, 2, 20, 3);
	((char *)head_of(&left, 2))[20] ^= 1;
	assert_int_equal(try_to_open(place, fd, &left), 0);
	must_be_in_file(place, 20, 3);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

static void a_header_is_whole(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);

	for (size_t i = 0; i < sizeof(struct vmsi_area_header); i++) {
		left.bytes[i] ^= 0x40;
		assert_int_equal(try_to_open(place, fd, &left), i < 8 ? EEXIST : EBADMSG);
		left.bytes[i] ^= 0x40;
	}
	must_be_in_file(place, 10, 0);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

static void a_cut_area_is_damaged_or_as_before_a_batch(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);
	const size_t whole = left.length;
	const size_t third = (size_t)((char *)head_of(&left, 3) - left.bytes);

	for (left.length = 0; left.length < whole; left.length += 1531) {
		int error;

		restore_file(fd);
		error = try_to_open(place, fd, &left);
		assert_true(error == 0 || error == EBADMSG);
		if (left.length > third) {
			assert_int_equal(error, 0);
			must_be_in_file(place, 11, 2);
		}
	}
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

/* --- forgeries: sums are right, and what they are of is not ------------------------------------------ */

static void forged_headers_are_refused(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);
	const struct vmsi_area_header right = *header_of(&left);
	struct vmsi_area_header forged[] = { right, right, right, right, right, right, right };

	forged[0].page_size = 512;
	forged[1].page_size = 3 * PAGE;
	forged[2].page_size = UINT64_C(1) << 40;
	forged[3].batch_pages = VMSI_AREA_BATCH_MOST + 1;
	forged[4].batch_pages = 0;
	forged[5].places = 1;
	forged[6].places = 1u << 31;
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		*header_of(&left) = forged[i];
		vmsi_area_header_finish(header_of(&left));
		assert_int_equal(try_to_open(place, fd, &left), EBADMSG);
	}
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

/* A batch with these numbers is none. */
static void must_be_no_batch(const struct place *place, int fd, struct left_area *left,
			     uint64_t sequence, uint64_t settled, uint64_t count)
{
	struct vmsi_area_head *head = head_of(left, 3);

	put_batch(left, 3, 0, 20, 3);
	head->sequence = sequence;
	head->settled = settled;
	if (count <= VMSI_AREA_BATCH_MOST) {
		head->count = count;
		vmsi_area_head_finish(header_of(left), head);
	}
	head->count = count;
	restore_file(fd);
	assert_int_equal(try_to_open(place, fd, left), 0);
	must_be_in_file(place, 20, 0);
	must_be_in_file(place, 11, 2);
}

static void forged_batches_are_none(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);

	must_be_no_batch(place, fd, &left, 4, 0, IMAGES);
	must_be_no_batch(place, fd, &left, 3, 3, IMAGES);
	must_be_no_batch(place, fd, &left, 3, 100, IMAGES);
	must_be_no_batch(place, fd, &left, 3 + 16, 2, IMAGES);
	must_be_no_batch(place, fd, &left, 3, 0, UINT64_MAX);
	must_be_no_batch(place, fd, &left, 3, 0, VMSI_AREA_BATCH_MOST + 1);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

/* Pages that the file has not are not made, and one that is there twice is the last one. */
static void forged_pages_make_nothing(void **state)
{
	const struct place *place = *state;
	const uint64_t pages[] = { AREA_PAGES, UINT64_MAX, UINT64_MAX / PAGE + 1,
				   UINT64_C(1) << 40, 21 };
	int fd = make_pages(place->path, AREA_PAGES);
	struct left_area left = three_batches(place, fd);
	struct vmsi_area_head *head = head_of(&left, 3);
	struct stat status;

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		head->entries[2].page = pages[i];
		head->entries[2].sum = vmsi_area_sum(
			header_of(&left), 3, pages[i],
			(char *)head + VMSI_AREA_HEAD_BYTES + 2 * PAGE);
		vmsi_area_head_finish(header_of(&left), head);
		assert_int_equal(try_to_open(place, fd, &left), 0);
		must_be_in_file(place, 20, 3);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(status.st_size, AREA_PAGES * PAGE);
	}
	must_be_in_file(place, 21, -1);
	free_area(&left);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		area_test(batches_are_written_in_their_order),
		area_test(what_is_settled_stays_as_it_is),
		area_test(turns_of_places_are_told_apart),
		area_test(the_last_batch_may_be_torn),
		area_test(earlier_batches_may_not),
		area_test(a_header_is_whole),
		area_test(a_cut_area_is_damaged_or_as_before_a_batch),
		area_test(forged_headers_are_refused),
		area_test(forged_batches_are_none),
		area_test(forged_pages_make_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
