/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "file_fixture.h"
#include "host/host.h"

/* Growing and shrinking files, alone. */

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

/* --- alone ----------------------------------------------------------------------------- */

static void appends_at_the_end(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);
	char *base = vms_file_at(file, 0, 0);
	uint64_t at = 99;

	worked(vms_file_append(file, "abc", 3, &at));
	assert_int_equal(at, 0);
	worked(vms_file_append(file, NULL, 2, &at));
	assert_int_equal(at, 3);
	worked(vms_file_append(file, "", 0, &at));
	assert_int_equal(at, 5);
	worked(vms_file_append(file, "d", 1, NULL));
	assert_int_equal(vms_file_size(file), 6);
	assert_ptr_equal(vms_file_at(file, 0, 6), base);
	assert_memory_equal(base, "abc\0\0d", 6);
	base[1] = 'B';
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_READ_ONLY, 0);
	assert_memory_equal(vms_file_at(file, 0, 6), "aBc\0\0d", 6);
	worked(vms_file_close(file));
}

static void sizes_at_each_page_edge(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	for (size_t pages = 0; pages < 4; pages++)
		for (int off = -1; off <= 1; off++) {
			size_t size = pages * page + (size_t)off;

			if (size > 3 * page + 1)
				continue;
			worked(vms_file_resize(file, size));
			assert_int_equal(size_of(place->path), size);
			assert_int_equal(vms_file_size(file), size);
			if (size > 0) {
				char *last = vms_file_at(file, size - 1, 1);

				assert_int_equal(*last, 0);
				*last = 'x';
			}
			refused_null(vms_file_at(file, size, 1), ERANGE);
		}
	worked(vms_file_resize(file, page));
	worked(vms_file_resize(file, page + 1));
	assert_int_equal(*(char *)vms_file_at(file, page, 1), 0);
	worked(vms_file_close(file));
}

static uint64_t bytes_on_disk(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return (uint64_t)status.st_blocks * 512;
}

static void takes_space_unless_sparse(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	worked(vms_file_resize(file, 4 * MIB));
	assert_true(bytes_on_disk(place->path) >= 4 * MIB);
	worked(vms_file_append(file, NULL, 4 * MIB, NULL));
	assert_true(bytes_on_disk(place->path) >= 8 * MIB);
	worked(vms_file_resize(file, 0));
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_SPARSE, 64 * GIB);
	worked(vms_file_resize(file, 32 * GIB + 1));
	worked(vms_file_append(file, NULL, 7, NULL));
	assert_true(bytes_on_disk(place->path) < 8 * MIB);
	worked(vms_file_append(file, "end", 3, NULL));
	assert_int_equal(vms_file_size(file), 32 * GIB + 11);
	assert_memory_equal(vms_file_at(file, 32 * GIB + 8, 3), "end", 3);
	worked(vms_file_close(file));
}

static void ends_where_files_end(void **state)
{
	const struct place *place = *state;
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE | VMS_FILE_SPARSE,
		.maximum = (uint64_t)1 << 44,
		.window_addresses = MIB,
	};
	vms_file *file = open_file(place->path, &options);

	assert_non_null(file);
	refused(vms_file_resize(file, UINT64_MAX), EFBIG);
	refused(vms_file_resize(file, (uint64_t)1 << 63), EFBIG);
	refused(vms_file_resize(file, INT64_MAX), EFBIG);
	refused(vms_file_append(file, NULL, SIZE_MAX, NULL), EFBIG);
	assert_int_equal(vms_file_size(file), 0);
	/* What the file system itself does not have: 16 TiB for ext4. */
	errno = ERRNO_BEFORE;
	if (vms_file_resize(file, (uint64_t)1 << 44) != 0) {
		assert_int_equal(errno, EFBIG);
		assert_int_equal(vms_file_size(file), 0);
	}
	worked(vms_file_close(file));
}

/* --- private ----------------------------------------------------------------------------- */

static void private_sizes_are_its_own(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	char *bytes = malloc(2 * page);
	vms_file *file;
	char *at;

	memset(bytes, 'f', 2 * page);
	write_file(place->path, bytes, page + 10);
	file = must_open(place->path, VMS_FILE_PRIVATE, 0);
	at = vms_file_at(file, 0, page + 10);
	memset(at, 'p', 5);
	refused(vms_file_append(file, "x", 1, NULL), EINVAL);
	refused(vms_file_sync(file, 0, 0, 0), EINVAL);
	worked(vms_file_resize(file, 5 * page + 1));
	assert_int_equal(at[page + 9], 'f');
	for (size_t i = page + 10; i < 5 * page + 1; i++)
		assert_int_equal(at[i], 0);
	memset(at + page, 'q', 4 * page);
	/* What is cut off is gone, also where the file has bytes. */
	worked(vms_file_resize(file, 7));
	worked(vms_file_resize(file, 3 * page));
	assert_memory_equal(at, "pppppff", 7);
	for (size_t i = 7; i < 3 * page; i++)
		assert_int_equal(at[i], 0);
	worked(vms_file_refresh(file));
	assert_int_equal(vms_file_size(file), 3 * page);
	worked(vms_file_close(file));
	assert_int_equal(size_of(place->path), page + 10);
	free(bytes);
}

static void private_memory_is_charged(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	struct vms_budget_options limited = { .struct_size = sizeof(limited),
					      .limit = 8 * page,
					      .policy = VMS_COMMIT_STRICT };
	struct vms_file_options options = { .struct_size = sizeof(options),
					    .flags = VMS_FILE_PRIVATE };
	struct vms_budget_stats charged = { .struct_size = sizeof(charged) };
	vms_file *file;

	options.budget = vms_budget_open(&limited);
	assert_non_null(options.budget);
	write_file(place->path, "abc", 3);
	file = open_file(place->path, &options);
	assert_non_null(file);
	worked(vms_budget_get_stats(options.budget, &charged));
	assert_int_equal(charged.committed_here, page);
	worked(vms_file_resize(file, 8 * page));
	refused(vms_file_resize(file, 8 * page + 1), ENOMEM);
	assert_int_equal(vms_file_size(file), 8 * page);
	worked(vms_file_resize(file, page));
	worked(vms_budget_get_stats(options.budget, &charged));
	assert_int_equal(charged.committed_here, page);
	worked(vms_file_close(file));
	assert_int_equal(truncate(place->path, (off_t)(9 * page)), 0);
	refused_null(vms_file_open(place->path, &options), ENOMEM);
	assert_int_equal(vms_budget_close(options.budget), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(appends_at_the_end),
		file_test(sizes_at_each_page_edge),
		file_test(takes_space_unless_sparse),
		file_test(ends_where_files_end),
		file_test(private_sizes_are_its_own),
		file_test(private_memory_is_charged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
