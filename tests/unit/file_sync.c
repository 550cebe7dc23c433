/* SPDX-License-Identifier: MIT */
#include "file_fixture.h"
#include "host/host.h"

/* Making files durable, and what becomes of errors. */

static struct vmsi_host_calls real;
static struct {
	unsigned fsync, fdatasync, msync;
	int last_fd;
	uintptr_t address;
	size_t length;
	long fail;             /* -errno for the next of them; 0: none */
	long fail_write_back;
} made;

static long next_failure(void)
{
	const long error = made.fail;

	made.fail = 0;
	return error;
}

static long note_fsync(int fd)
{
	long error = next_failure();

	made.fsync++;
	made.last_fd = fd;
	return error ? error : real.fsync(fd);
}

static long note_fdatasync(int fd)
{
	long error = next_failure();

	made.fdatasync++;
	return error ? error : real.fdatasync(fd);
}

static long note_msync(uintptr_t address, size_t length, int flags)
{
	long error = next_failure();

	made.msync++;
	made.address = address;
	made.length = length;
	return error ? error : real.msync(address, length, flags);
}

static long note_sync_range(int fd, uint64_t offset, uint64_t length,
			    unsigned flags)
{
	long error = made.fail_write_back;

	made.fail_write_back = 0;
	return error ? error : real.sync_range(fd, offset, length, flags);
}

static int make_place_and_note(void **state)
{
	real = vmsi_host;
	memset(&made, 0, sizeof(made));
	vmsi_host.fsync = note_fsync;
	vmsi_host.fdatasync = note_fdatasync;
	vmsi_host.msync = note_msync;
	vmsi_host.sync_range = note_sync_range;
	return make_place(state);
}

static int drop_place_and_stop(void **state)
{
	vmsi_host = real;
	return drop_place(state);
}

static void does_the_page_arithmetic(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);
	char *base = vms_file_at(file, 0, 0);

	worked(vms_file_resize(file, 10 * page - 1));
	worked(vms_file_sync(file, 0, 0, 0));
	assert_int_equal(made.fdatasync, 1);
	worked(vms_file_sync(file, page + 1, page, 0));
	assert_int_equal(made.msync, 1);
	assert_int_equal(made.address, (uintptr_t)base + page);
	assert_int_equal(made.length, 2 * page);
	worked(vms_file_sync(file, 9 * page + 1, 0, 0));
	assert_int_equal(made.msync, 2);
	assert_int_equal(made.address, (uintptr_t)base + 9 * page);
	assert_int_equal(made.length, page);
	refused(vms_file_sync(file, 10 * page, 0, 0), ERANGE);
	refused(vms_file_sync(file, 0, 10 * page, 0), ERANGE);
	refused(vms_file_sync(file, 0, 0, 2), EINVAL);
	assert_int_equal(made.msync + made.fdatasync, 3);
	worked(vms_file_close(file));
}

/* The directory of a file that was made is synced once. */
static void syncs_the_directory(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	worked(vms_file_append(file, "x", 1, NULL));
	worked(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL));
	assert_int_equal(made.fsync, 2);
	worked(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL));
	assert_int_equal(made.fsync, 3);
	worked(vms_file_close(file));
	file = must_open(place->path, VMS_FILE_CREATE, 0);
	worked(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL));
	assert_int_equal(made.fsync, 4);
	worked(vms_file_close(file));
}

/* Dirty memory of the mapping at an address, in KiB, as smaps has it. */
static size_t dirty_kib(const void *address)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool inside = false;
	size_t dirty = 0;

	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long start, end, kib;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)address >= start &&
				(uintptr_t)address < end;
		else if (inside && (sscanf(line, "Shared_Dirty: %lu", &kib) == 1 ||
				    sscanf(line, "Private_Dirty: %lu", &kib) == 1))
			dirty += kib;
	}
	(void)fclose(smaps);
	return dirty;
}

/*
 * After a sync that fails, all that is in memory is dirty again. What is checked is
 * what the next sync has to write.
 */
static void a_failed_sync_leaves_nothing_clean(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	const long errors[] = { -EIO, -ENOSPC, -EDQUOT };
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);
	char *base = vms_file_at(file, 0, 0);

	worked(vms_file_resize(file, 16 * page));
	memset(base, 'x', 16 * page);
	for (size_t i = 0; i < 3; i++) {
		worked(vms_file_sync(file, 0, 0, 0));
		if (dirty_kib(base) != 0)
			skip();
		made.fail = errors[i];
		refused(vms_file_sync(file, i ? page : 0, i ? page : 0, 0),
			(int)-errors[i]);
		assert_int_equal(dirty_kib(base) * 1024, 16 * page);
	}
	/* Told once, and what was marked is written. */
	worked(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL));
	assert_int_equal(dirty_kib(base), 0);
	worked(vms_file_close(file));
}

/* What the write-back of appends is told comes to the next sync, or to the close. */
static void an_internal_error_is_told_once(void **state)
{
	const struct place *place = *state;
	char *bytes = calloc(1, 9 << 20);
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	made.fail_write_back = -EIO;
	worked(vms_file_append(file, bytes, 9 << 20, NULL));
	refused(vms_file_sync(file, 0, 0, 0), EIO);
	worked(vms_file_sync(file, 0, 0, 0));
	made.fail_write_back = -ENOSPC;
	worked(vms_file_append(file, bytes, 9 << 20, NULL));
	refused(vms_file_close(file), ENOSPC);
	free(bytes);
}

/* A range that others have cut off cannot be marked: an error, and no signal. */
static void marks_no_page_that_is_gone(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	worked(vms_file_resize(file, 8 * page));
	memset(vms_file_at(file, 0, 8 * page), 'x', 8 * page);
	assert_int_equal(truncate(place->path, 100), 0);
	made.fail = -EIO;
	refused(vms_file_sync(file, 0, 0, 0), EIO);
	worked(vms_file_sync(file, 0, 0, 0));
	worked(vms_file_close(file));
}

static void marks_a_file_of_windows(void **state)
{
	const struct place *place = *state;
	const size_t page = page_bytes();
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE,
		.window_addresses = 1 << 20,
	};
	vms_file *file = open_file(place->path, &options);
	vms_window *window;
	char *data;

	assert_non_null(file);
	worked(vms_file_resize(file, 4 * page));
	window = vms_file_open_window(file, 0, 4 * page);
	data = vms_window_data(window);
	memset(data, 'x', 4 * page);
	worked(vms_file_sync(file, page, page, 0));
	assert_int_equal(made.fdatasync, 1);
	if (dirty_kib(data) != 0)
		skip();
	made.fail = -EIO;
	refused(vms_file_sync(file, 0, 0, 0), EIO);
	assert_int_equal(dirty_kib(data) * 1024, 4 * page);
	worked(vms_window_close(window));
	worked(vms_file_close(file));
}

/* The descriptor is closed behind its back: an error, and the addresses stay. */
static void outlasts_a_closed_descriptor(void **state)
{
	const struct place *place = *state;
	vms_file *file = must_open(place->path, VMS_FILE_CREATE, 0);

	worked(vms_file_append(file, "abc", 3, NULL));
	assert_int_equal(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL), 0);
	/* The first fsync was of the file, the second of the directory. */
	assert_int_equal(vms_file_sync(file, 0, 0, VMS_FILE_SYNC_ALL), 0);
	assert_int_equal(close(made.last_fd), 0);
	refused(vms_file_append(file, "d", 1, NULL), EBADF);
	refused(vms_file_resize(file, 1), EBADF);
	refused(vms_file_sync(file, 0, 0, 0), EBADF);
	refused(vms_file_refresh(file), EBADF);
	assert_memory_equal(vms_file_at(file, 0, 3), "abc", 3);
	refused(vms_file_close(file), EBADF);
}

#define sync_test(function)                                              \
	cmocka_unit_test_setup_teardown(function, make_place_and_note, \
					drop_place_and_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		sync_test(does_the_page_arithmetic),
		sync_test(syncs_the_directory),
		sync_test(a_failed_sync_leaves_nothing_clean),
		sync_test(an_internal_error_is_told_once),
		sync_test(marks_no_page_that_is_gone),
		sync_test(marks_a_file_of_windows),
		sync_test(outlasts_a_closed_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
