/* SPDX-License-Identifier: MIT */
#include "swap_fixture.h"

#include <sys/resource.h>

#include "host/host.h"
#include "swap/state.h"

/* A disk of which some is bad, or all of it for some time. */

#define COUNT 1300u

static uint64_t places[COUNT];
static struct vmsi_host_calls real;
static size_t cluster_bytes;

static int keep_host(void **state)
{
	(void)state;
	real = vmsi_host;
	return 0;
}

static int restore_host(void **state)
{
	(void)state;
	vmsi_host = real;
	return 0;
}

static struct vmsi_swap *open_on_disk(struct vmsi_io **io)
{
	struct vmsi_swap_options options;
	struct vmsi_swap *swap;

	*io = open_threads();
	options = small_options(*io, ".");
	swap = open_swap(&options);
	cluster_bytes = swap->cluster_bytes;
	return swap;
}

static void expect_all(struct vmsi_swap *swap, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		expect_page(swap, PAGE, PAGE_NOISE, i, places[i]);
}

/* --- one bad spot ------------------------------------------------------------------- */

/* Where the third and the ninth cluster go. */
static bool is_bad_spot(uint64_t offset)
{
	return offset / cluster_bytes == 3 || offset / cluster_bytes == 9;
}

static long write_to_bad_disk(int fd, const void *buffer, size_t length, uint64_t offset)
{
	return is_bad_spot(offset) ? -EIO : real.pwrite(fd, buffer, length, offset);
}

/* What cannot be written stays in memory, and the rest of the disk is used. */
static void a_bad_spot_stops_nobody(void **state)
{
	struct vmsi_io *io;
	struct vmsi_swap *swap = open_on_disk(&io);

	(void)state;
	vmsi_host.pwrite = write_to_bad_disk;
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(put_page(swap, PAGE, PAGE_NOISE, i, &places[i]), 0);
	assert_true(figures_of(swap).failed_writes > 0);
	assert_true(figures_of(swap).in_file > 40);
	expect_all(swap, COUNT);
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

/* --- all of it ---------------------------------------------------------------------- */

static _Atomic unsigned tries;

static long refuse_write(int fd, const void *buffer, size_t length, uint64_t offset)
{
	(void)fd;
	(void)buffer;
	(void)length;
	(void)offset;
	atomic_fetch_add(&tries, 1);
	return -EDQUOT;
}

/* Who puts is told soon, and what was put stays; when the disk is well again it goes on. */
static void a_bad_disk_is_told_at_once(void **state)
{
	struct vmsi_io *io;
	struct vmsi_swap *swap = open_on_disk(&io);
	unsigned count = 0;
	int error;

	(void)state;
	vmsi_host.pwrite = refuse_write;
	while ((error = put_page(swap, PAGE, PAGE_NOISE, count, &places[count])) == 0)
		count++;
	assert_int_equal(error, -EDQUOT);
	for (unsigned i = 0; i < 20; i++) {
		const unsigned before = atomic_load(&tries);

		assert_int_equal(put_page(swap, PAGE, PAGE_NOISE, count, &places[count]),
				 -EDQUOT);
		/* Those that were begun before may end now. */
		assert_true(atomic_load(&tries) - before <= 2 + VMSI_SWAP_WRITES);
	}
	expect_all(swap, count);
	vmsi_host.pwrite = real.pwrite;
	for (; count < COUNT; count++)
		assert_int_equal(put_page(swap, PAGE, PAGE_NOISE, count, &places[count]), 0);
	expect_all(swap, COUNT);
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

/* --- a limit of file sizes ---------------------------------------------------------- */

static _Atomic uint64_t furthest;

static long note_end(int fd, const void *buffer, size_t length, uint64_t offset)
{
	uint64_t seen = atomic_load(&furthest);

	while (offset + length > seen &&
	       !atomic_compare_exchange_weak(&furthest, &seen, offset + length))
		;
	return real.pwrite(fd, buffer, length, offset);
}

/* A write beyond would raise a signal. Below it the file is used. */
static void a_limit_that_is_lowered_is_kept(void **state)
{
	struct vmsi_io *io;
	struct vmsi_swap *swap = open_on_disk(&io);
	struct rlimit before, less;
	unsigned count = 0;
	int error;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	less = before;
	less.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	vmsi_host.pwrite = note_end;
	while ((error = put_page(swap, PAGE, PAGE_NOISE, count, &places[count])) == 0)
		count++;
	assert_int_equal(error, -EFBIG);
	assert_true(furthest > (1 << 20) - 2 * cluster_bytes && furthest <= 1 << 20);
	expect_all(swap, count);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	for (; count < COUNT; count++)
		assert_int_equal(put_page(swap, PAGE, PAGE_NOISE, count, &places[count]), 0);
	expect_all(swap, COUNT);
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keep_host, restore_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_bad_spot_stops_nobody),
		TEST(a_bad_disk_is_told_at_once),
		TEST(a_limit_that_is_lowered_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
