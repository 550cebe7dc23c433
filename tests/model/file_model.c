/* SPDX-License-Identifier: MIT */
#include "../unit/file_fixture.h"
#include "arguments.h"

/*
 * Random operations on a mapped file, made on an array too: after each the file has
 * the size and the bytes of the array, through the mapping or a window, and through a
 * descriptor by pread(2). What the program stores is seen there at once, and what
 * pwrite(2) writes is seen in the mapping.
 */

#define OPERATIONS_USUAL 4000
#define OPERATIONS_PER_ROUND 200
#define PAGES_MOST 12

static struct arguments given = { .operations = OPERATIONS_USUAL };

static struct {
	uint64_t random;
	unsigned long step;
	unsigned long refused;
	const struct place *place;
	vms_file *file;
	vms_window *window;
	bool windowed;
	int fd;
	char *model;
	char *seen;
	uint64_t size, maximum;
} run;

static uint64_t random_below(uint64_t limit)
{
	run.random ^= run.random << 13;
	run.random ^= run.random >> 7;
	run.random ^= run.random << 17;
	return run.random % limit;
}

/* Often at an edge of a page. */
static uint64_t random_size(void)
{
	const uint64_t page = page_bytes();
	uint64_t size = random_below(PAGES_MOST + 2) * page;

	switch (random_below(3)) {
	case 0:
		return size + random_below(3) + (size ? (uint64_t)-1 : 0);
	case 1:
		return size + random_below(page);
	default:
		return size;
	}
}

static void fill_random(char *bytes, uint64_t length)
{
	for (uint64_t i = 0; i < length; i++)
		bytes[i] = (char)random_below(256);
}

/* --- operations ---------------------------------------------------------------------------- */

static void grow_model(uint64_t size, const char *bytes)
{
	if (size > run.size && bytes)
		memcpy(run.model + run.size, bytes, size - run.size);
	else if (size > run.size)
		memset(run.model + run.size, 0, size - run.size);
	run.size = size;
}

static void must_refuse_or(int result, bool fits)
{
	assert_int_equal(result, fits ? 0 : -1);
	if (fits)
		return;
	assert_int_equal(errno, EFBIG);
	run.refused++;
}

static void append(void)
{
	const uint64_t length = random_size();
	const bool fits = run.size + length <= run.maximum;
	char *bytes = random_below(2) ? run.seen : NULL;
	uint64_t at = 0;

	if (length > run.maximum)
		return;
	fill_random(run.seen, length);
	must_refuse_or(vms_file_append(run.file, bytes, length, &at), fits);
	if (!fits)
		return;
	assert_int_equal(at, run.size);
	grow_model(run.size + length, bytes);
}

static void resize(void)
{
	const uint64_t size = random_size();
	const bool fits = size <= run.maximum;

	must_refuse_or(vms_file_resize(run.file, size), fits);
	if (fits)
		grow_model(size, NULL);
}

/* Of the bytes that there are: where, how many, and others for them. */
static bool choose_bytes(uint64_t *offset, uint64_t *length)
{
	if (run.size == 0)
		return false;
	*offset = random_below(run.size);
	*length = 1 + random_below(run.size - *offset);
	fill_random(run.model + *offset, *length);
	return true;
}

static void store(void)
{
	uint64_t offset, length;
	char *at;

	if (!choose_bytes(&offset, &length))
		return;
	if (!run.windowed) {
		at = vms_file_at(run.file, offset, length);
		assert_non_null(at);
	} else {
		/* The window is as long as the file may be. */
		at = (char *)vms_window_data(run.window) + offset;
	}
	memcpy(at, run.model + offset, length);
}

static void write_from_outside(void)
{
	uint64_t offset, length;

	if (choose_bytes(&offset, &length))
		assert_int_equal(pwrite(run.fd, run.model + offset, length,
					(off_t)offset), (ssize_t)length);
}

static void resize_from_outside(void)
{
	const uint64_t size = random_below(run.maximum + 1);

	assert_int_equal(ftruncate(run.fd, (off_t)size), 0);
	assert_int_equal(vms_file_refresh(run.file), 0);
	grow_model(size, NULL);
}

static void handle_memory(void)
{
	const uint64_t offset = random_below(run.size + 1);
	const size_t length = random_below(run.size - offset + 1);

	switch (random_below(4)) {
	case 0:
		assert_int_equal(vms_file_drop(run.file, offset, length), 0);
		break;
	case 1:
		assert_int_equal(vms_file_prefetch(run.file, offset, length), 0);
		break;
	case 2:
		assert_int_equal(vms_file_sync(run.file, offset, length, 0), 0);
		break;
	default:
		assert_int_equal(vms_file_refresh(run.file), 0);
	}
}

static void look_through_a_window(void)
{
	uint64_t offset, length;
	vms_window *window;

	if (run.size == 0)
		return;
	offset = random_below(run.size);
	length = 1 + random_below(run.size - offset);
	window = vms_file_open_window(run.file, 0, length);
	assert_non_null(window);
	assert_int_equal(vms_window_slide(window, offset), 0);
	assert_memory_equal(vms_window_data(window), run.model + offset, length);
	assert_int_equal(vms_window_close(window), 0);
}

static void operate(void)
{
	static void (*const operations[])(void) = {
		append, append, resize, store, store, write_from_outside,
		resize_from_outside, handle_memory, look_through_a_window,
	};

	operations[random_below(sizeof(operations) / sizeof(operations[0]))]();
	run.step++;
}

/* --- comparing ----------------------------------------------------------------------------- */

static void compare(void)
{
	const char *mapped = run.windowed ? vms_window_data(run.window) :
					    vms_file_at(run.file, 0, run.size);

	assert_int_equal(vms_file_size(run.file), run.size);
	assert_int_equal(size_of(run.place->path), run.size);
	assert_int_equal(pread(run.fd, run.seen, run.size + 1, 0),
			 (ssize_t)run.size);
	assert_memory_equal(run.seen, run.model, run.size);
	assert_memory_equal(mapped, run.model, run.size);
}

static void begin_round(void)
{
	struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE |
			(random_below(2) ? VMS_FILE_SPARSE : 0),
		.maximum = run.maximum,
	};

	run.windowed = random_below(2);
	if (run.windowed)
		options.window_addresses = 4 * run.maximum;
	run.file = vms_file_open(run.place->path, &options);
	assert_non_null(run.file);
	run.fd = open(run.place->path, O_RDWR | O_CLOEXEC);
	assert_true(run.fd >= 0);
	run.size = 0;
	if (run.windowed) {
		run.window = vms_file_open_window(run.file, 0, run.maximum);
		assert_non_null(run.window);
	}
}

static void end_round(void)
{
	assert_int_equal(vms_window_close(run.window), 0);
	run.window = NULL;
	assert_int_equal(vms_file_close(run.file), 0);
	assert_int_equal(close(run.fd), 0);
	assert_int_equal(unlink(run.place->path), 0);
}

static void is_as_its_bytes(void **state)
{
	run.place = *state;
	run.random = given.seed * 2 + 1;
	run.maximum = PAGES_MOST * page_bytes();
	run.model = malloc(run.maximum);
	run.seen = malloc(3 * run.maximum);
	while (run.step < given.operations) {
		begin_round();
		for (int i = 0; i < OPERATIONS_PER_ROUND; i++) {
			operate();
			compare();
		}
		end_round();
	}
	free(run.model);
	free(run.seen);
	print_message("# %lu operations, %lu refused\n", run.step, run.refused);
	assert_true(run.refused > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		file_test(is_as_its_bytes),
	};

	read_arguments("file_model", argc, argv, &given);
	return cmocka_run_group_tests_name("file_model", tests, NULL, NULL);
}
