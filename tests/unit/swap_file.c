/* SPDX-License-Identifier: MIT */
#include "swap_fixture.h"

#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "swap/object.h"
#include "swap/state.h"

/*
 * The swap file: which are taken and which are refused, and what a store makes of one that
 * has other bytes than were written.
 */

#define COUNT 1500u

static uint64_t places[COUNT];
static char path[] = "swap-file-XXXXXX";
static struct vmsi_io *io;

static int set_up(void **state)
{
	const int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	io = open_threads();
	return unlink(path);
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	vmsi_io_close(io);
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	return 0;
}

static enum page_kind kind_of(unsigned i)
{
	return i % 2 ? PAGE_TEXT : PAGE_NOISE;
}

static struct vmsi_swap *open_full(void)
{
	const struct vmsi_swap_options options = small_options(io, path);
	struct vmsi_swap *swap = open_swap(&options);

	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(put_page(swap, PAGE, kind_of(i), i, &places[i]), 0);
	assert_true(figures_of(swap).in_file > 10);
	return swap;
}

/* --- other bytes than were written -------------------------------------------------- */

struct outcome {
	unsigned right, wrong, lost;
};

static struct outcome get_all(struct vmsi_swap *swap)
{
	struct outcome outcome = { 0 };

	for (unsigned i = 0; i < COUNT; i++) {
		int error = 0;
		const enum got got = get_page(swap, PAGE, kind_of(i), i, places[i], &error);

		outcome.right += got == GOT_RIGHT;
		outcome.wrong += got == GOT_WRONG;
		outcome.lost += got == GOT_ERROR;
		if (got == GOT_ERROR)
			assert_int_equal(error, -EIO);
	}
	return outcome;
}

static bool is_in_file(struct vmsi_swap *swap, uint64_t place)
{
	const uint32_t cluster = vmsi_place_cluster(swap->places[place]);

	return swap->clusters[cluster].state == VMSI_CLUSTER_FILED;
}

static off_t offset_in_file(struct vmsi_swap *swap, uint64_t place)
{
	const uint64_t word = swap->places[place];

	return (off_t)((vmsi_place_cluster(word) + 1) * swap->cluster_bytes +
		       vmsi_place_offset(word));
}

static void flip(int fd, off_t offset, unsigned bit)
{
	unsigned char byte;

	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= (unsigned char)(1u << bit);
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
}

/* Every bit of a header, and of the bytes that follow as many as there is patience for. */
static void flip_bits_of(struct vmsi_swap *swap, int fd, unsigned i)
{
	const size_t size = vmsi_place_size(swap->places[places[i]]);
	const off_t offset = offset_in_file(swap, places[i]);
	int error;

	for (size_t bit = 0; bit < size * 8; bit += bit < 8 * 64 ? 1 : 61) {
		const off_t at = offset + (off_t)(bit / 8);
		enum got got;

		flip(fd, at, bit % 8);
		got = get_page(swap, PAGE, kind_of(i), i, places[i], &error);
		assert_int_not_equal(got, GOT_WRONG);
		/* What pads an object is nothing of it. */
		if (bit / 8 < size - VMSI_OBJECT_GRANULE)
			assert_int_equal(got, GOT_ERROR);
		if (got == GOT_ERROR)
			assert_int_equal(error, -EIO);
		flip(fd, at, bit % 8);
	}
	expect_page(swap, PAGE, kind_of(i), i, places[i]);
}

static void a_flipped_bit_is_an_error(void **state)
{
	struct vmsi_swap *swap = open_full();
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned tried = 0;

	(void)state;
	assert_true(fd >= 0);
	for (unsigned i = 0; i < COUNT && tried < 4; i += 51) {
		if (!is_in_file(swap, places[i]))
			continue;
		flip_bits_of(swap, fd, i);
		tried++;
	}
	assert_int_equal(tried, 4);
	close(fd);
	vmsi_swap_close(swap);
}

static void write_over_all(struct vmsi_swap *swap, int fd, const void *cluster)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	for (off_t at = (off_t)swap->cluster_bytes; at < status.st_size;
	     at += (off_t)swap->cluster_bytes)
		assert_int_equal(pwrite(fd, cluster, swap->cluster_bytes, at),
				 (ssize_t)swap->cluster_bytes);
}

/* Others' bytes are no page, whether they are noise or what was valid elsewhere. */
static void write_over(bool is_noise)
{
	struct vmsi_swap *swap = open_full();
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	char *cluster = malloc(swap->cluster_bytes);
	struct outcome outcome;

	assert_true(fd >= 0 && cluster);
	assert_int_equal(pread(fd, cluster, swap->cluster_bytes,
			       3 * (off_t)swap->cluster_bytes),
			 (ssize_t)swap->cluster_bytes);
	if (is_noise)
		fill_page(cluster, swap->cluster_bytes, PAGE_NOISE, 1);
	write_over_all(swap, fd, cluster);
	outcome = get_all(swap);
	assert_int_equal(outcome.wrong, 0);
	assert_true(outcome.lost > COUNT / 3);
	/* Those in memory, and those of the cluster that was written over itself. */
	assert_true(outcome.right > 10);
	assert_int_equal(figures_of(swap).failed_reads, outcome.lost);
	free(cluster);
	close(fd);
	vmsi_swap_close(swap);
}

static void noise_is_no_page(void **state)
{
	(void)state;
	write_over(true);
}

static void another_cluster_is_no_page(void **state)
{
	(void)state;
	write_over(false);
}

/* A write that was lost: what the same place of the file had earlier, with a sum. */
static void what_was_there_earlier_is_no_page(void **state)
{
	struct vmsi_swap *swap = open_full();
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	struct outcome outcome;
	struct stat status;
	char *before;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	before = malloc((size_t)status.st_size);
	assert_non_null(before);
	assert_int_equal(pread(fd, before, (size_t)status.st_size, 0), status.st_size);
	for (unsigned i = 0; i < COUNT; i++)
		vmsi_swap_free(swap, places[i]);
	/* Places are used again in the order in which they are written here. */
	for (unsigned i = COUNT; i-- > 0;)
		assert_int_equal(put_page(swap, PAGE, kind_of(i), COUNT + i, &places[i]), 0);
	assert_int_equal(pwrite(fd, before, (size_t)status.st_size, 0), status.st_size);
	for (unsigned i = 0; i < COUNT; i++) {
		int error;

		assert_int_not_equal(get_page(swap, PAGE, kind_of(i), COUNT + i, places[i],
					      &error), GOT_WRONG);
	}
	outcome = get_all(swap);
	assert_int_equal(outcome.right, 0);
	assert_true(figures_of(swap).failed_reads > COUNT / 3);
	free(before);
	close(fd);
	vmsi_swap_close(swap);
}

static void a_file_that_was_cut_is_an_error(void **state)
{
	struct vmsi_swap *swap = open_full();
	struct outcome outcome;

	(void)state;
	assert_int_equal(truncate(path, 300000), 0);
	outcome = get_all(swap);
	assert_int_equal(outcome.wrong, 0);
	assert_true(outcome.lost > COUNT / 3);
	vmsi_swap_close(swap);
}

/*
 * Pages are moved out of clusters of which bits were flipped: what is whole is moved, and
 * what is not stays an error.
 */
static void flipped_bits_are_not_moved(void **state)
{
	struct vmsi_swap_options options = small_options(io, path);
	struct vmsi_swap *swap;
	unsigned lost = 0, put = 0;
	uint64_t random = 5, other;
	int fd;

	(void)state;
	options.file_bytes = 5 << 20;
	swap = open_swap(&options);
	for (unsigned i = 0; i < 1100; i++)
		assert_int_equal(put_page(swap, PAGE, kind_of(i), i, &places[i]), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 1100; i += 64)
		if (is_in_file(swap, places[i]))
			flip(fd, offset_in_file(swap, places[i]) + draw(&random, 1500),
			     draw(&random, 8));
	for (unsigned i = 0; i < 1100; i++)
		if (i % 3 == 1)
			vmsi_swap_free(swap, places[i]);
	while (put_page(swap, PAGE, PAGE_NOISE, 1000000 + put, &other) == 0) {
		expect_page(swap, PAGE, PAGE_NOISE, 1000000 + put, other);
		put++;
	}
	for (unsigned i = 0; i < 1100; i++) {
		int error;
		enum got got;

		if (i % 3 == 1)
			continue;
		got = get_page(swap, PAGE, kind_of(i), i, places[i], &error);
		assert_int_not_equal(got, GOT_WRONG);
		lost += got == GOT_ERROR;
		if (i % 64)
			assert_int_equal(got, GOT_RIGHT);
	}
	assert_true(lost > 3);
	assert_true(figures_of(swap).collected > 0);
	close(fd);
	vmsi_swap_close(swap);
}

/* --- which files -------------------------------------------------------------------- */

static int try_to_open(void)
{
	const struct vmsi_swap_options options = small_options(io, path);
	struct vmsi_swap *swap = NULL;
	const int error = vmsi_swap_open(&options, &swap);

	if (error)
		assert_null(swap);
	else
		vmsi_swap_close(swap);
	return error;
}

static void write_file(const void *bytes, size_t length, mode_t mode)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, length, 0), (ssize_t)length);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static off_t size_of_file(void)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

static void a_file_is_made_and_left_empty(void **state)
{
	struct vmsi_swap *swap = open_full();
	struct stat status;

	(void)state;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_true(status.st_size > 1 << 20 && status.st_size <= 8 << 20);
	vmsi_swap_close(swap);
	assert_int_equal(size_of_file(), 16);
}

/* What an earlier run has left, and whatever somebody has made of that, is not read. */
static void a_file_of_a_former_run_is_emptied(void **state)
{
	static char bytes[2 << 20];
	struct vmsi_swap *swap = open_full();
	struct outcome outcome;
	int fd;

	(void)state;
	vmsi_swap_close(swap);
	fill_page(bytes, sizeof(bytes), PAGE_NOISE, 3);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 16), (ssize_t)sizeof(bytes));
	close(fd);
	assert_int_equal(try_to_open(), 0);
	assert_int_equal(size_of_file(), 16);
	swap = open_full();
	outcome = get_all(swap);
	assert_int_equal(outcome.right, COUNT);
	vmsi_swap_close(swap);
}

static void other_files_are_refused_and_left_alone(void **state)
{
	const char text[] = "A letter, which somebody still needs.";
	char read_back[sizeof(text)];
	int fd;

	(void)state;
	write_file(text, sizeof(text), 0600);
	assert_int_equal(try_to_open(), -EEXIST);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, read_back, sizeof(read_back)), sizeof(text));
	close(fd);
	assert_memory_equal(read_back, text, sizeof(text));
	/* Half of a header is none. */
	write_file("vmspace", 7, 0600);
	assert_int_equal(try_to_open(), -EEXIST);
	assert_int_equal(size_of_file(), 7);
	write_file("", 0, 0600);
	assert_int_equal(try_to_open(), 0);
}

static void a_file_has_one_store(void **state)
{
	struct vmsi_swap *swap = open_full();
	struct outcome outcome;

	(void)state;
	assert_int_equal(try_to_open(), -EBUSY);
	outcome = get_all(swap);
	assert_int_equal(outcome.right, COUNT);
	vmsi_swap_close(swap);
	assert_int_equal(try_to_open(), 0);
}

/* Which would raise a signal. */
static void a_limit_of_file_sizes_is_kept(void **state)
{
	const struct vmsi_swap_options options = small_options(io, path);
	struct rlimit before, less;
	struct vmsi_swap *swap;
	uint64_t place;
	int error = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	less = before;
	less.rlim_cur = 2 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	swap = open_swap(&options);
	for (unsigned i = 0; i < 4000 && !error; i++)
		error = put_page(swap, PAGE, PAGE_NOISE, i, &place);
	assert_int_equal(error, -ENOSPC);
	assert_true(size_of_file() <= 2 << 20 && size_of_file() > 1 << 20);
	vmsi_swap_close(swap);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flipped_bit_is_an_error),
		TEST(noise_is_no_page),
		TEST(another_cluster_is_no_page),
		TEST(what_was_there_earlier_is_no_page),
		TEST(a_file_that_was_cut_is_an_error),
		TEST(flipped_bits_are_not_moved),
		TEST(a_file_is_made_and_left_empty),
		TEST(a_file_of_a_former_run_is_emptied),
		TEST(other_files_are_refused_and_left_alone),
		TEST(a_file_has_one_store),
		TEST(a_limit_of_file_sizes_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
