/* SPDX-License-Identifier: MIT */
#include "file_fixture.h"

/* Windows: where they are, sliding, and what they cost. */

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static vms_file *open_windowed(const char *path, uint64_t maximum, size_t addresses)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE | VMS_FILE_SPARSE,
		.maximum = maximum,
		.window_addresses = addresses,
	};
	vms_file *file = open_file(path, &options);

	assert_non_null(file);
	return file;
}

/* A number at each place of a large file, by its offset. */
static void write_numbers(const char *path, uint64_t size, uint64_t step)
{
	int fd = open(path, O_WRONLY);

	for (uint64_t at = 0; at + sizeof(at) <= size; at += step)
		assert_int_equal(pwrite(fd, &at, sizeof(at), (off_t)at),
				 (ssize_t)sizeof(at));
	assert_int_equal(close(fd), 0);
}

static uint64_t number_at(const vms_window *window)
{
	uint64_t number;

	memcpy(&number, vms_window_data(window), sizeof(number));
	return number;
}

static void lies_in_the_base(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, MIB);
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };
	vms_window *window;

	worked(vms_file_append(file, "abcdef", 6, NULL));
	window = vms_file_open_window(file, 1, 3);
	assert_non_null(window);
	assert_ptr_equal(vms_window_data(window), vms_file_at(file, 1, 3));
	worked(vms_window_slide(window, 3));
	assert_ptr_equal(vms_window_data(window), vms_file_at(file, 3, 3));
	assert_int_equal(vms_window_offset(window), 3);
	assert_int_equal(vms_window_length(window), 3);
	refused(vms_window_slide(window, MIB - 2), EFBIG);
	refused(vms_window_slide(window, UINT64_MAX), EFBIG);
	assert_int_equal(vms_window_offset(window), 3);
	worked(vms_window_slide(window, MIB - 3));
	worked(vms_file_get_stats(file, &stats));
	assert_int_equal(stats.windows, 1);
	worked(vms_window_close(window));
	worked(vms_window_close(NULL));
	refused_null(vms_file_open_window(file, 0, 0), EINVAL);
	refused_null(vms_file_open_window(file, 1, MIB), EFBIG);
	worked(vms_file_get_stats(file, &stats));
	assert_int_equal(stats.windows, 0);
	worked(vms_file_close(file));
}

static void shows_a_file_larger_than_its_addresses(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	const uint64_t step = GIB + 1001;
	const uint64_t size = 6 * GIB;
	vms_file *file = open_windowed(place->path, 8 * GIB, 4 * MIB);
	vms_window *window;

	refused_null(vms_file_at(file, 0, 0), ENXIO);
	worked(vms_file_resize(file, size));
	write_numbers(place->path, size, step);
	window = vms_file_open_window(file, 0, 3 * page + 1);
	assert_non_null(window);
	for (uint64_t at = 0; at + 8 <= size; at += step) {
		worked(vms_window_slide(window, at));
		assert_int_equal(number_at(window), at);
		/* The window's last byte is the file's. */
		((char *)vms_window_data(window))[3 * page] = 'w';
	}
	/* At each edge of the maximum. */
	worked(vms_window_slide(window, 8 * GIB - 3 * page - 1));
	refused(vms_window_slide(window, 8 * GIB - 3 * page), EFBIG);
	worked(vms_window_close(window));
	window = vms_file_open_window(file, 6 * GIB - 1, 1);
	assert_int_equal(*(char *)vms_window_data(window), 0);
	worked(vms_window_close(window));
	worked(vms_file_close(file));
	int fd = open(place->path, O_RDONLY);
	char byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)(step + 3 * page)), 1);
	assert_int_equal(byte, 'w');
	assert_int_equal(close(fd), 0);
}

static void ends_with_its_addresses(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *file = open_windowed(place->path, MIB, 4 * page);
	vms_window *first = vms_file_open_window(file, 0, page);
	vms_window *second = vms_file_open_window(file, page, page);

	assert_non_null(first);
	assert_non_null(second);
	refused_null(vms_file_open_window(file, 0, page), ENOMEM);
	worked(vms_window_close(first));
	first = vms_file_open_window(file, 0, 1);
	assert_non_null(first);
	worked(vms_window_close(first));
	worked(vms_window_close(second));
	worked(vms_file_close(file));
	/* A maximum of one page: the room is no larger. */
	file = open_windowed(place->path, page, page);
	worked(vms_file_append(file, "abc", 3, NULL));
	first = vms_file_open_window(file, 1, page - 1);
	assert_non_null(first);
	assert_memory_equal(vms_window_data(first), "bc", 2);
	worked(vms_window_close(first));
	worked(vms_file_close(file));
}

static void reads_only(void **state)
{
	const struct place *place = *state;
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_READ_ONLY,
		.window_addresses = MIB,
	};
	vms_file *file;
	vms_window *window;

	write_file(place->path, "abc", 3);
	file = open_file(place->path, &options);
	assert_non_null(file);
	window = vms_file_open_window(file, 1, 2);
	assert_memory_equal(vms_window_data(window), "bc", 2);
	worked(vms_window_close(window));
	worked(vms_file_close(file));
}

/* --- many -------------------------------------------------------------------------------- */

static size_t host_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t count = 0;
	int byte;

	assert_non_null(maps);
	while ((byte = fgetc(maps)) != EOF)
		count += byte == '\n';
	(void)fclose(maps);
	return count;
}

#define OPEN_AT_A_TIME 1000
#define WINDOWS 20000
/* The records, and holes that the space keeps apart, to be mapped again. */
#define SOME 100

static uint64_t random_number(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/*
 * As many host mappings as windows, and the holes between them at the most; what the
 * windows before had is given back.
 */
static void costs_no_more_than_what_is_open(void **state)
{
	const struct place *place = *state;
	const uint64_t size = GIB;
	vms_file *file = open_windowed(place->path, size, 64 * MIB);
	vms_window *windows[OPEN_AT_A_TIME] = { NULL };
	uint64_t seed = 88172645463325252u;
	size_t before, most = 0;

	worked(vms_file_resize(file, size));
	before = host_mappings();
	for (size_t i = 0; i < WINDOWS; i++) {
		vms_window **window = &windows[i % OPEN_AT_A_TIME];

		assert_int_equal(vms_window_close(*window), 0);
		*window = vms_file_open_window(
			file, random_number(&seed) % (size - 20000), 8192);
		assert_non_null(*window);
		assert_int_equal(vms_window_slide(
			*window, random_number(&seed) % (size - 20000)), 0);
		if (i % 9973 == 9972) {
			size_t now = host_mappings();

			most = now > most ? now : most;
		}
	}
	assert_true(most - before <= 2 * OPEN_AT_A_TIME + SOME);
	for (size_t i = 0; i < OPEN_AT_A_TIME; i++)
		assert_int_equal(vms_window_close(windows[i]), 0);
	assert_in_range(host_mappings(), 0, before + SOME);
	worked(vms_file_close(file));
}

/* No part of it is as large as the maximum but addresses that nobody has. */
static void a_maximum_is_no_matter_of_windows(void **state)
{
	const struct place *place = *state;
	const struct vms_file_options options = {
		.struct_size = sizeof(options), .flags = VMS_FILE_SPARSE,
		.maximum = (uint64_t)1 << 62, .window_addresses = 1 << 24,
	};
	struct vms_file_access access;
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };
	const uint64_t page = page_bytes();
	char *bytes = calloc(5, page);
	vms_window *window;
	vms_file *file;

	memset(bytes, 'x', 5 * page);
	write_file(place->path, bytes, 5 * page);
	file = open_file(place->path, &options);
	assert_non_null(file);
	worked(vms_file_get_stats(file, &stats));
	assert_int_equal(stats.maximum, (uint64_t)1 << 62);
	window = vms_file_open_window(file, 0, 5 * page);
	assert_int_equal(truncate(place->path, (off_t)page), 0);
	worked(vms_file_begin_access(file, &access));
	assert_int_equal(*((volatile char *)vms_window_data(window) + 3 * page), 0);
	refused(vms_file_end_access(&access, NULL), ENXIO);
	write_file(place->path, bytes, 5 * page);
	worked(vms_file_refresh(file));
	worked(vms_file_begin_access(file, &access));
	assert_int_equal(*((volatile char *)vms_window_data(window) + 3 * page),
			 'x');
	worked(vms_file_end_access(&access, NULL));
	worked(vms_window_close(window));
	worked(vms_file_close(file));
	free(bytes);
}

/* No file has more than 2^63 - 1 bytes, and no page beyond can be mapped. */
static void ends_where_files_end(void **state)
{
	static const uint64_t maximums[] = { UINT64_MAX, (uint64_t)1 << 63,
					     INT64_MAX };
	const struct place *place = *state;

	for (size_t i = 0; i < sizeof(maximums) / sizeof(maximums[0]); i++) {
		vms_file *file = open_windowed(place->path, maximums[i], MIB);
		struct vms_file_stats stats = { .struct_size = sizeof(stats) };
		const uint64_t end = ((uint64_t)1 << 63) - page_bytes();
		vms_window *window;

		worked(vms_file_get_stats(file, &stats));
		assert_int_equal(stats.maximum, end);
		refused_null(vms_file_open_window(file, end, 1), EFBIG);
		refused_null(vms_file_open_window(file, UINT64_MAX, 1), EFBIG);
		window = vms_file_open_window(file, end - 1, 1);
		assert_non_null(window);
		refused(vms_window_slide(window, end), EFBIG);
		worked(vms_window_slide(window, 0));
		worked(vms_window_slide(window, end - 1));
		worked(vms_window_close(window));
		refused(vms_file_resize(file, UINT64_MAX), EFBIG);
		assert_int_equal(vms_file_size(file), 0);
		worked(vms_file_close(file));
	}
	refused_null(open_with(place->path, 0, UINT64_MAX), ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* The first opens the first file, after which its handler is kept. */
		file_test(a_maximum_is_no_matter_of_windows),
		file_test(lies_in_the_base),
		file_test(shows_a_file_larger_than_its_addresses),
		file_test(ends_with_its_addresses),
		file_test(ends_where_files_end),
		file_test(reads_only),
		file_test(costs_no_more_than_what_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
