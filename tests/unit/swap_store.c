/* SPDX-License-Identifier: MIT */
#include "swap_fixture.h"

#include <sys/wait.h>

#include "host/host.h"
#include "swap/object.h"
#include "swap/state.h"

/* What a store keeps, and how much memory and file it takes for that. */

#define MANY 6000u

static uint64_t places[1 << 20];

/* --- what comes back ---------------------------------------------------------------- */

static void keep_each_kind(size_t bytes, enum vmsi_swap_codec codec, const char *path)
{
	struct vmsi_io *io = open_threads();
	const size_t least = vmsi_swap_least_bytes(bytes, codec);
	const struct vmsi_swap_options options = {
		.page_bytes = bytes, .places = 100, .ram_bytes = least + least / 2,
		.codec = codec, .io = io, .path = path, .file_bytes = 8 * least,
	};
	struct vmsi_swap *swap = open_swap(&options);
	const unsigned count = path ? 40 : 15;

	for (unsigned i = 0; i < count; i++)
		assert_int_equal(put_page(swap, bytes, (enum page_kind)(i % PAGE_KINDS), i,
					  &places[i]), 0);
	for (unsigned i = 0; i < count; i++)
		expect_page(swap, bytes, (enum page_kind)(i % PAGE_KINDS), i, places[i]);
	assert_true(vmsi_swap_bytes(swap) <= options.ram_bytes);
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

static void pages_of_all_sizes_come_back(void **state)
{
	static const enum vmsi_swap_codec codecs[] = { VMSI_SWAP_RAW, VMSI_SWAP_LZ4,
						       VMSI_SWAP_ZSTD };

	(void)state;
	for (size_t bytes = 4096; bytes <= VMSI_SWAP_PAGE_MOST; bytes *= 2)
		for (unsigned i = 0; i < 3; i++) {
			keep_each_kind(bytes, codecs[i], NULL);
			keep_each_kind(bytes, codecs[i], ".");
		}
}

/* Compression is what there was when the library was built. */
static void the_codec_in_force_is_told(void **state)
{
	struct vmsi_swap_options options = small_options(NULL, NULL);
	struct vmsi_swap *swap = open_swap(&options);
	const bool compresses = vmsi_swap_codec(swap) == VMSI_SWAP_LZ4;

	(void)state;
#ifdef VMSI_WITH_LZ4
	assert_true(compresses);
#else
	assert_int_equal(vmsi_swap_codec(swap), VMSI_SWAP_RAW);
#endif
	assert_int_equal(put_page(swap, PAGE, PAGE_HALF, 1, &places[0]), 0);
	assert_int_equal(figures_of(swap).raw_pages, !compresses);
	assert_int_equal(put_page(swap, PAGE, PAGE_NOISE, 1, &places[0]), 0);
	assert_int_equal(figures_of(swap).raw_pages, 1 + !compresses);
	vmsi_swap_close(swap);
}

static void many_are_read_together(void **state)
{
	struct vmsi_io *io = open_threads();
	const struct vmsi_swap_options options = small_options(io, ".");
	struct vmsi_swap *swap = open_swap(&options);
	static char pages[100][4096] __attribute__((aligned(4096)));
	static char expected[4096];
	void *buffers[100];
	uint64_t wanted[100];
	int errors[100];

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(put_page(swap, PAGE, (enum page_kind)(i % PAGE_KINDS), i,
					  &places[i]), 0);
	for (unsigned i = 0; i < 100; i++) {
		buffers[i] = pages[i];
		wanted[i] = i == 50 ? 999999 : places[i * 10 + i % 10];
	}
	assert_int_equal(vmsi_swap_get_many(swap, wanted, buffers, 100, errors), -EINVAL);
	for (unsigned i = 0; i < 100; i++) {
		const unsigned number = i * 10 + i % 10;

		assert_int_equal(errors[i], i == 50 ? -EINVAL : 0);
		fill_page(expected, PAGE, (enum page_kind)(number % PAGE_KINDS), number);
		if (i != 50)
			assert_memory_equal(pages[i], expected, PAGE);
	}
	assert_true(figures_of(swap).in_file > 0);
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

static void a_place_without_a_page_is_told(void **state)
{
	const struct vmsi_swap_options options = small_options(NULL, NULL);
	struct vmsi_swap *swap = open_swap(&options);
	static char page[4096];

	(void)state;
	assert_int_equal(vmsi_swap_get(swap, 0, page), -EINVAL);
	assert_int_equal(put_page(swap, PAGE, PAGE_TEXT, 1, &places[0]), 0);
	vmsi_swap_free(swap, places[0]);
	vmsi_swap_free(swap, places[0]);
	assert_int_equal(vmsi_swap_get(swap, places[0], page), -EINVAL);
	assert_int_equal(vmsi_swap_get(swap, UINT64_MAX, page), -EINVAL);
	assert_int_equal(figures_of(swap).pages, 0);
	vmsi_swap_close(swap);
}

static void options_that_cannot_be_are_refused(void **state)
{
	struct vmsi_io *io = open_threads();
	const struct vmsi_swap_options good = small_options(io, ".");
	struct vmsi_swap_options options[] = { good, good, good, good, good, good, good };
	struct vmsi_swap *swap = NULL;

	(void)state;
	options[0].page_bytes = 2048;
	options[1].page_bytes = 4096 + 512;
	options[2].page_bytes = 4 << 20;
	options[3].places = 0;
	options[4].ram_bytes--;
	options[5].io = NULL;
	options[6].file_bytes = 9 * 65536;
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(vmsi_swap_open(&options[i], &swap), -EINVAL);
	assert_null(swap);
	vmsi_io_close(io);
}

/* The same bytes have another sum elsewhere, and in the same cluster later. */
static void sums_are_of_place_and_time(void **state)
{
	const char bytes[] = "bytes of a page";
	const struct vmsi_object object = { .place = 7, .bytes = sizeof(bytes) };
	const uint64_t sum = vmsi_object_sum(&object, bytes, 100);
	struct vmsi_object other = object;

	(void)state;
	assert_true(vmsi_object_sum(&object, bytes, 100) == sum);
	assert_true(vmsi_object_sum(&object, bytes, 101) != sum);
	other.place = 8;
	assert_true(vmsi_object_sum(&other, bytes, 100) != sum);
	other.place = 7;
	other.codec = VMSI_SWAP_LZ4;
	assert_true(vmsi_object_sum(&other, bytes, 100) != sum);
}

/* --- how much ----------------------------------------------------------------------- */

static size_t resident(const struct vmsi_swap *swap)
{
	const struct vmsi_range area = { swap->area, swap->area + swap->area_bytes };
	const struct vmsi_range record = {
		(uintptr_t)swap,
		vmsi_align_up((uintptr_t)swap + sizeof(*swap), vmsi_page_size()) };
	size_t bytes, more;

	assert_int_equal(vmsi_host_resident(area, &bytes), 0);
	assert_int_equal(vmsi_host_resident(record, &more), 0);
	return bytes + more;
}

/* Pages of the kernel's figures, and not the store's own. */
static void memory_is_bounded(void **state)
{
	struct vmsi_io *io = open_threads();
	struct vmsi_swap_options options = small_options(io, ".");
	struct vmsi_swap *swap;

	(void)state;
	options.ram_bytes += options.ram_bytes / 2;
	options.file_bytes = 16 << 20;
	swap = open_swap(&options);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(put_page(swap, PAGE, i % 2 ? PAGE_TEXT : PAGE_HALF, i,
					  &places[i]), 0);
		if (i >= 2000)
			vmsi_swap_free(swap, places[i - 2000]);
		if (i % 50)
			continue;
		assert_true(resident(swap) <= vmsi_swap_bytes(swap));
		assert_true(vmsi_swap_bytes(swap) <= options.ram_bytes);
	}
	for (unsigned i = MANY - 2000; i < MANY; i++)
		expect_page(swap, PAGE, i % 2 ? PAGE_TEXT : PAGE_HALF, i, places[i]);
	assert_true(resident(swap) <= vmsi_swap_bytes(swap));
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

/* Pages of zeros have a place each, and their words become more than there is memory. */
static void records_are_in_the_bound(void **state)
{
	struct vmsi_io *io = open_threads();
	struct vmsi_swap_options options = small_options(io, ".");
	struct vmsi_swap *swap;
	unsigned count = 0;
	int error;

	(void)state;
	options.ram_bytes += options.ram_bytes / 2;
	swap = open_swap(&options);
	for (unsigned i = 0; i < 500; i++, count++)
		assert_int_equal(put_page(swap, PAGE, PAGE_TEXT, i, &places[i]), 0);
	while ((error = put_page(swap, PAGE, PAGE_ZERO, 0, &places[count])) == 0) {
		assert_true(vmsi_swap_bytes(swap) <= options.ram_bytes);
		count++;
	}
	assert_int_equal(error, -ENOSPC);
	assert_true(count * sizeof(uint64_t) > options.ram_bytes / 5);
	assert_true(resident(swap) <= options.ram_bytes);
	for (unsigned i = 0; i < 500; i++)
		expect_page(swap, PAGE, PAGE_TEXT, i, places[i]);
	vmsi_swap_free(swap, places[0]);
	assert_int_equal(put_page(swap, PAGE, PAGE_NOISE, 7, &places[0]), 0);
	expect_page(swap, PAGE, PAGE_NOISE, 7, places[0]);
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

static void zeros_take_no_memory(void **state)
{
	const struct vmsi_swap_options options = small_options(NULL, NULL);
	struct vmsi_swap *swap = open_swap(&options);
	const size_t before = vmsi_swap_bytes(swap);

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(put_page(swap, PAGE, PAGE_ZERO, 0, &places[i]), 0);
	assert_int_equal(vmsi_swap_bytes(swap), before + vmsi_page_size());
	assert_int_equal(figures_of(swap).zero_pages, 500);
	expect_page(swap, PAGE, PAGE_ZERO, 0, places[499]);
	vmsi_swap_close(swap);
}

/* --- when it is full ---------------------------------------------------------------- */

static unsigned fill_up(struct vmsi_swap *swap, enum page_kind kind, int *error)
{
	unsigned count = 0;

	while ((*error = put_page(swap, PAGE, kind, count, &places[count])) == 0)
		count++;
	return count;
}

/* Of a batch that has no room as a whole nothing is kept. */
static void expect_none_of_many(struct vmsi_swap *swap)
{
	static char pages[64][4096];
	const struct vmsi_swap_figures before = figures_of(swap);
	const void *pointers[64];
	uint64_t unused[64];

	for (unsigned i = 0; i < 64; i++) {
		fill_page(pages[i], PAGE, PAGE_NOISE, 100000 + i);
		pointers[i] = pages[i];
	}
	assert_int_equal(vmsi_swap_put(swap, pointers, 64, unused), -ENOSPC);
	assert_int_equal(figures_of(swap).pages, before.pages);
	assert_int_equal(figures_of(swap).object_bytes, before.object_bytes);
}

static void be_full(const struct vmsi_swap_options *options)
{
	struct vmsi_swap *swap = open_swap(options);
	unsigned count;
	int error;

	count = fill_up(swap, PAGE_NOISE, &error);
	assert_int_equal(error, -ENOSPC);
	/* The last few are left out: where pages are moved, a cluster or two are not full. */
	for (unsigned i = count - 50; i < count; i++)
		vmsi_swap_free(swap, places[i]);
	count -= 50;
	/* Every third is freed, here and there, and each twice: what is left has to be moved. */
	for (unsigned round = 0; round < 6; round++) {
		expect_none_of_many(swap);
		for (unsigned i = round % 3; i < count; i += 3)
			vmsi_swap_free(swap, places[i]);
		for (unsigned i = round % 3; i < count; i += 3)
			assert_int_equal(put_page(swap, PAGE, PAGE_NOISE, i, &places[i]), 0);
		for (unsigned i = 0; i < count; i++)
			expect_page(swap, PAGE, PAGE_NOISE, i, places[i]);
	}
	assert_true(figures_of(swap).collected > 0);
	vmsi_swap_close(swap);
}

static void who_is_full_tells_it_and_goes_on(void **state)
{
	struct vmsi_io *io = open_threads();
	struct vmsi_swap_options options = small_options(io, NULL);

	(void)state;
	options.ram_bytes *= 2;
	be_full(&options);
	options.path = ".";
	options.file_bytes = 4 << 20;
	be_full(&options);
	vmsi_io_close(io);
}

static void no_more_places_than_there_are(void **state)
{
	struct vmsi_swap_options options = small_options(NULL, NULL);
	struct vmsi_swap *swap;
	int error;

	(void)state;
	options.places = 30;
	swap = open_swap(&options);
	assert_int_equal(fill_up(swap, PAGE_TEXT, &error), 30);
	assert_int_equal(error, -ENOSPC);
	expect_none_of_many(swap);
	vmsi_swap_free(swap, places[13]);
	assert_int_equal(put_page(swap, PAGE, PAGE_TEXT, 13, &places[13]), 0);
	for (unsigned i = 0; i < 30; i++)
		expect_page(swap, PAGE, PAGE_TEXT, i, places[i]);
	vmsi_swap_close(swap);
}

/* --- fork --------------------------------------------------------------------------- */

static void a_child_lets_go_and_the_parent_goes_on(void **state)
{
	struct vmsi_io *io = open_threads();
	const struct vmsi_swap_options options = small_options(io, ".");
	struct vmsi_swap *swap = open_swap(&options);
	int status;
	pid_t child;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(put_page(swap, PAGE, PAGE_HALF, i, &places[i]), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		vmsi_io_forked(io);
		vmsi_swap_forked(swap);
		vmsi_swap_close(swap);
		vmsi_io_close(io);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (unsigned i = 0; i < 1000; i++)
		expect_page(swap, PAGE, PAGE_HALF, i, places[i]);
	assert_int_equal(put_page(swap, PAGE, PAGE_HALF, 1, &places[0]), 0);
	vmsi_swap_close(swap);
	vmsi_io_close(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_all_sizes_come_back),
		cmocka_unit_test(the_codec_in_force_is_told),
		cmocka_unit_test(many_are_read_together),
		cmocka_unit_test(a_place_without_a_page_is_told),
		cmocka_unit_test(options_that_cannot_be_are_refused),
		cmocka_unit_test(sums_are_of_place_and_time),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(records_are_in_the_bound),
		cmocka_unit_test(zeros_take_no_memory),
		cmocka_unit_test(who_is_full_tells_it_and_goes_on),
		cmocka_unit_test(no_more_places_than_there_are),
		cmocka_unit_test(a_child_lets_go_and_the_parent_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
