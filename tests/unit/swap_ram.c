/* SPDX-License-Identifier: MIT */
#include "swap_fixture.h"

#include <stdatomic.h>

#include "host/host.h"
#include "swap/state.h"

/* Memory of a store that becomes less and more, and reads in two steps. */

#define COUNT 400u

static uint64_t places[2 * COUNT];
/* Threads of an io call the host, so that its table is as it is before any begins. */
static struct vmsi_host_calls real;
static atomic_bool cannot_be_written;

static size_t least(void)
{
	return vmsi_swap_least_bytes(PAGE, VMSI_SWAP_LZ4);
}

static struct vmsi_swap *open_large(struct vmsi_io *io, const char *path)
{
	struct vmsi_swap_options options = small_options(io, path);

	options.ram_bytes = 3 * least();
	return open_swap(&options);
}

static unsigned put_noise(struct vmsi_swap *swap, unsigned from, unsigned count)
{
	for (unsigned i = from; i < from + count; i++)
		if (put_page(swap, PAGE, PAGE_NOISE, i, &places[i]) != 0)
			return i - from;
	return count;
}

static void expect_noise(struct vmsi_swap *swap, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		expect_page(swap, PAGE, PAGE_NOISE, i, places[i]);
}

/* The kernel's figure, and not the store's own. */
static size_t resident(const struct vmsi_swap *swap)
{
	const struct vmsi_range area = { swap->area, swap->area + swap->area_bytes };
	size_t bytes;

	assert_int_equal(vmsi_host_resident(area, &bytes), 0);
	return bytes;
}

/* --- less and more ------------------------------------------------------------------ */

static void what_is_too_much_goes_to_the_file(void **state)
{
	struct vmsi_io *io = open_threads();
	struct vmsi_swap *swap = open_large(io, ".");
	const size_t ram = least() + (64 << 10);
	uint64_t written;

	(void)state;
	assert_int_equal(put_noise(swap, 0, COUNT), COUNT);
	assert_true(vmsi_swap_bytes(swap) > ram);
	written = figures_of(swap).written;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vmsi_swap_set_ram(swap, ram), 0);
		assert_true(vmsi_swap_bytes(swap) <= ram);
		assert_true(resident(swap) <= ram);
		assert_true(figures_of(swap).written > written);
		assert_int_equal(vmsi_swap_set_ram(swap, 3 * least()), 0);
		/* What was given up is memory again. */
		assert_int_equal(put_noise(swap, COUNT, COUNT), COUNT);
		assert_true(vmsi_swap_bytes(swap) > 2 * least());
		assert_true(resident(swap) <= 3 * least());
		expect_noise(swap, 2 * COUNT);
		for (unsigned j = COUNT; j < 2 * COUNT; j++)
			vmsi_swap_free(swap, places[j]);
		written = figures_of(swap).written - 1;
	}
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

static void without_a_file_it_is_refused(void **state)
{
	struct vmsi_swap *swap = open_large(NULL, NULL);
	const unsigned count = put_noise(swap, 0, 2 * COUNT);
	const size_t bytes = vmsi_swap_bytes(swap);

	(void)state;
	assert_true(count > 10 && count < 2 * COUNT);
	assert_int_equal(vmsi_swap_set_ram(swap, least()), -ENOSPC);
	assert_int_equal(swap->ram_bytes, 3 * least());
	assert_int_equal(vmsi_swap_bytes(swap), bytes);
	expect_noise(swap, count);
	/* Most of it is free in each cluster: the rest is moved together. */
	for (unsigned i = 0; i < count; i++)
		if (i % 8)
			vmsi_swap_free(swap, places[i]);
	assert_int_equal(vmsi_swap_set_ram(swap, least() + (128 << 10)), 0);
	for (unsigned i = 0; i < count; i += 8)
		expect_page(swap, PAGE, PAGE_NOISE, i, places[i]);
	vmsi_swap_close(swap);
}

static long bad_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	return atomic_load(&cannot_be_written) ? -EIO :
						 real.pwrite(fd, buffer, length, offset);
}

static void a_disk_that_fails_is_told(void **state)
{
	struct vmsi_io *io = open_threads();
	struct vmsi_swap *swap = open_large(io, ".");
	unsigned count;

	(void)state;
	atomic_store(&cannot_be_written, true);
	count = put_noise(swap, 0, 250);
	assert_int_equal(vmsi_swap_set_ram(swap, least()), -EIO);
	assert_int_equal(swap->ram_bytes, 3 * least());
	atomic_store(&cannot_be_written, false);
	expect_noise(swap, count);
	assert_int_equal(vmsi_swap_set_ram(swap, least()), 0);
	expect_noise(swap, count);
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

static void limits_that_cannot_be_are_refused(void **state)
{
	struct vmsi_swap_options options = small_options(NULL, NULL);
	struct vmsi_swap *swap = NULL;

	(void)state;
	options.ram_most = options.ram_bytes - 1;
	assert_int_equal(vmsi_swap_open(&options, &swap), -EINVAL);
	options.ram_most = 4 * options.ram_bytes;
	swap = open_swap(&options);
	assert_int_equal(vmsi_swap_set_ram(swap, options.ram_bytes - 1), -EINVAL);
	assert_int_equal(vmsi_swap_set_ram(swap, options.ram_most + 1), -EINVAL);
	assert_int_equal(vmsi_swap_set_ram(swap, options.ram_most), 0);
	assert_true(put_noise(swap, 0, COUNT) > 400 / 2);
	assert_true(vmsi_swap_bytes(swap) > 2 * options.ram_bytes);
	assert_true(vmsi_swap_bytes(swap) <= options.ram_most);
	vmsi_swap_close(swap);
}

/* --- reads in two steps ---------------------------------------------------------------- */

static void reads_can_be_in_flight(void **state)
{
	struct vmsi_io *io = open_threads();
	const struct vmsi_swap_options options = small_options(io, ".");
	struct vmsi_swap *swap = open_swap(&options);
	static char bytes[PAGE], expected[PAGE];
	unsigned from_file = 0, from_memory = 0;

	(void)state;
	assert_int_equal(put_noise(swap, 0, COUNT), COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		struct vmsi_swap_get get = { .place = places[i], .buffer = bytes };
		struct vmsi_io_request request, *submitted = &request;

		if (vmsi_swap_begin_get(swap, &get, &request)) {
			vmsi_io_submit(io, &submitted, 1);
			(void)vmsi_io_wait(io, &request);
			assert_int_equal(vmsi_swap_end_get(swap, &get), 0);
			from_file++;
		} else {
			assert_int_equal(get.error, 0);
			from_memory++;
		}
		fill_page(expected, PAGE, PAGE_NOISE, i);
		assert_memory_equal(bytes, expected, PAGE);
	}
	assert_true(from_file > 0 && from_memory > 0);
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_too_much_goes_to_the_file),
		cmocka_unit_test(without_a_file_it_is_refused),
		cmocka_unit_test(a_disk_that_fails_is_told),
		cmocka_unit_test(limits_that_cannot_be_are_refused),
		cmocka_unit_test(reads_can_be_in_flight),
	};

	real = vmsi_host;
	vmsi_host.pwrite = bad_pwrite;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
