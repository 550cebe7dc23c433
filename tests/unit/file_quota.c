/* SPDX-License-Identifier: MIT */
#include "file_fixture.h"

/*
 * Growing files until a quota is used up. scripts/file-systems makes one, and says by
 * VMS_TEST_QUOTA that it must be found.
 */

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

/* More than the quota, and little enough for any disk. */
#define TRIED_BYTES (32 * MIB)

/* Whether the directory has a quota, by writing until it is used up. */
static bool has_quota(const char *path)
{
	static char bytes[256 * 1024];
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool found = false;

	assert_true(fd >= 0);
	memset(bytes, 'q', sizeof(bytes));
	for (size_t written = 0; written < TRIED_BYTES && !found;
	     written += sizeof(bytes))
		found = write(fd, bytes, sizeof(bytes)) < 0 && errno == EDQUOT;
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
	/* What was given back counts only when it is written. */
	if (found)
		sync();
	return found;
}

static void need_quota(const struct place *place)
{
	if (has_quota(place->path))
		return;
	assert_null(getenv("VMS_TEST_QUOTA"));
	print_message("# skipped: no quota below %s\n", place->directory);
	skip();
}

/* What is acknowledged has its space: a store never meets the quota. */
static void a_quota_is_an_error_of_the_growing_call(void **state)
{
	const struct place *place = *state;
	const size_t length = 333333;
	char *bytes;
	vms_file *file;
	uint64_t size;

	need_quota(place);
	bytes = malloc(length);
	file = must_open(place->path, VMS_FILE_CREATE, 0);
	assert_non_null(bytes);
	memset(bytes, 'f', length);
	while (vms_file_append(file, bytes, length, NULL) == 0)
		assert_true(vms_file_size(file) < TRIED_BYTES);
	assert_int_equal(errno, EDQUOT);
	size = vms_file_size(file);
	assert_true(size > 0 && size % length == 0);
	assert_int_equal(size_of(place->path), size);
	refused(vms_file_resize(file, TRIED_BYTES), EDQUOT);
	assert_int_equal(vms_file_size(file), size);
	assert_int_equal(size_of(place->path), size);
	for (uint64_t at = 0; at < size; at += length)
		assert_memory_equal(vms_file_at(file, at, length), bytes, length);
	worked(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL));
	/* btrfs has no space to cut a file, either. */
	if (vms_file_resize(file, 1) != 0)
		assert_int_equal(errno, EDQUOT);
	else
		assert_int_equal(vms_file_size(file), 1);
	worked(vms_file_close(file));
	free(bytes);
}

/* One byte a page, which tells of which commit the page is. */
static bool is_all_of(const char *path, uint64_t size, char commit)
{
	vms_file *file = must_open(path, 0, 0);
	bool all = vms_file_size(file) == size;

	for (uint64_t at = 0; all && at < size; at += page_bytes())
		all = *(const char *)vms_file_at(file, at, 1) == commit;
	assert_int_equal(vms_file_close(file), 0);
	return all;
}

/* A commit that the quota refuses leaves the last one, also after the file is opened. */
static void a_commit_over_the_quota_is_refused_whole(void **state)
{
	const struct place *place = *state;
	const uint64_t size = 256 * page_bytes();
	char commit = 'a', acknowledged = 0;
	vms_file *file;

	need_quota(place);
	file = must_open(place->path, VMS_FILE_CREATE | VMS_FILE_ATOMIC, 4 * TRIED_BYTES);
	worked(vms_file_resize(file, size));
	for (;;) {
		const uint64_t now = vms_file_size(file);

		for (uint64_t at = 0; at < now; at += page_bytes())
			*(char *)vms_file_at(file, at, 1) = commit;
		if (vms_file_commit(file) != 0)
			break;
		acknowledged = commit++;
		if (vms_file_resize(file, now + size) != 0)
			break;
		assert_true(now < TRIED_BYTES);
	}
	assert_int_equal(errno, EDQUOT);
	worked(vms_file_rollback(file));
	assert_true(acknowledged >= 'a');
	assert_true(*(char *)vms_file_at(file, 0, 1) == acknowledged);
	(void)vms_file_close(file);
	assert_true(is_all_of(place->path, (uint64_t)(acknowledged - 'a' + 1) * size,
			      acknowledged));
}

static int drop_all(void **state)
{
	const struct place *place = *state;
	char journal[128];

	(void)snprintf(journal, sizeof(journal), "%s-journal", place->path);
	(void)unlink(journal);
	return drop_place(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_quota_is_an_error_of_the_growing_call),
		cmocka_unit_test_setup_teardown(
			a_commit_over_the_quota_is_refused_whole, make_place,
			drop_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
