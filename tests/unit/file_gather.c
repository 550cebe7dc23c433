/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/resource.h>

#include "file_fixture.h"
#include "host/host.h"

/* Appends that are gathered in memory (VMS_FILE_GATHERS). */

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

static vms_file *open_gathering(const struct place *place)
{
	return must_open(place->path, VMS_FILE_CREATE | VMS_FILE_GATHERS, 64 * MIB);
}

/* --- what is seen ------------------------------------------------------------------------ */

static void is_a_part_of_the_file_at_once(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_gathering(place);
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };
	uint64_t at = 99;

	worked(vms_file_append(file, "abc", 3, &at));
	assert_int_equal(at, 0);
	worked(vms_file_append(file, "de", 2, &at));
	assert_int_equal(at, 3);
	assert_int_equal(vms_file_size(file), 5);
	worked(vms_file_get_stats(file, &stats));
	assert_int_equal(stats.size, 5);
	assert_int_equal(size_of(place->path), 0);
	refused_null(vms_file_at(file, 4, 2), ERANGE);
	assert_memory_equal(vms_file_at(file, 0, 5), "abcde", 5);
	assert_int_equal(size_of(place->path), 5);
	worked(vms_file_close(file));
}

enum caller { SYNC, REFRESH, RESIZE, COPY_OUT, COPY_IN, PREFETCH, DROP, ADVISE,
	      CLOSE, CALLERS };

static int call(enum caller caller, vms_file *file)
{
	char bytes[2];

	switch (caller) {
	case SYNC:
		return vms_file_sync(file, 0, 0, 0);
	case REFRESH:
		return vms_file_refresh(file);
	case RESIZE:
		return vms_file_resize(file, 6);
	case COPY_OUT:
		return vms_file_copy_out(file, 4, bytes, 2);
	case COPY_IN:
		return vms_file_copy_in(file, 4, "ef", 2);
	case PREFETCH:
		return vms_file_prefetch(file, 0, 6);
	case DROP:
		return vms_file_drop(file, 5, 1);
	case ADVISE:
		return vms_file_advise(file, 0, 6, MADV_NORMAL);
	default:
		return vms_file_close(file);
	}
}

static void each_call_adds_it_to_the_file(void **state)
{
	const struct place *place = *state;

	for (enum caller caller = 0; caller < CALLERS; caller++) {
		vms_file *file = open_gathering(place);
		char bytes[7];
		int fd;

		worked(vms_file_append(file, "abcdef", 6, NULL));
		assert_int_equal(size_of(place->path), 0);
		worked(call(caller, file));
		fd = open(place->path, O_RDONLY);
		assert_int_equal(read(fd, bytes, 7), 6);
		assert_memory_equal(bytes, "abcdef", 6);
		(void)close(fd);
		if (caller != CLOSE)
			worked(vms_file_close(file));
		assert_int_equal(unlink(place->path), 0);
	}
}

static uint64_t next(uint64_t *random)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return *random >> 33;
}

/* One addition of any length; NULL now and then. */
static void add(vms_file *file, char *expected, uint64_t *size, uint64_t *random)
{
	static const size_t most[] = { 10, 5000, 300000, 3 * MIB };
	const size_t length = next(random) % most[next(random) % 4];
	const bool zeros = next(random) % 8 == 0;
	uint64_t at = 0;

	for (size_t i = 0; i < length; i++)
		expected[*size + i] = zeros ? 0 : (char)next(random);
	worked(vms_file_append(file, zeros ? NULL : expected + *size, length, &at));
	assert_int_equal(at, *size);
	*size += length;
	assert_int_equal(vms_file_size(file), *size);
}

static void is_as_an_array(void **state)
{
	const struct place *place = *state;
	char *expected = malloc(64 * MIB);
	vms_file *file = open_gathering(place);
	uint64_t size = 0, random = 7;
	struct stat status;

	while (size < 60 * MIB) {
		add(file, expected, &size, &random);
		if (next(&random) % 16 == 0)
			assert_memory_equal(vms_file_at(file, 0, size), expected,
					    size);
	}
	refused(vms_file_append(file, expected, 64 * MIB - size + 1, NULL), EFBIG);
	worked(vms_file_close(file));
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_size, size);
	/* What was taken ahead was given back, and all that was used was taken. */
	assert_in_range((uint64_t)status.st_blocks * 512, size, size + 256 * KIB);
	file = must_open(place->path, VMS_FILE_READ_ONLY, 0);
	assert_memory_equal(vms_file_at(file, 0, size), expected, size);
	worked(vms_file_close(file));
	free(expected);
}

/* --- failures ------------------------------------------------------------------------------- */

static volatile sig_atomic_t signals;

static void note_signal(int signal)
{
	(void)signal;
	signals++;
}

static void limit_in_a_child(const char *path)
{
	const struct rlimit limit = { 2 * MIB + 5, RLIM_INFINITY };
	vms_file *file = open_with(path, VMS_FILE_CREATE | VMS_FILE_GATHERS, 0);

	child_needs(file);
	(void)signal(SIGXFSZ, note_signal);
	child_needs(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	for (size_t size = 0; size + 10 <= limit.rlim_cur; size += 10)
		child_needs(vms_file_append(file, "0123456789", 10, NULL) == 0);
	child_needs(vms_file_append(file, "0123456789", 10, NULL) == -1);
	child_needs(errno == EFBIG && signals == 0);
	child_needs(vms_file_close(file) == 0);
	child_needs(size_of(path) == limit.rlim_cur / 10 * 10);
	_exit(0);
}

static void a_limit_is_told_by_the_append(void **state)
{
	const struct place *place = *state;
	pid_t child = fork();

	if (child == 0)
		limit_in_a_child(place->path);
	must_end_well(child);
}

static struct vmsi_host_calls real;
static unsigned failures;

static long fail_append(int fd, const struct iovec *parts, int count)
{
	if (failures > 0) {
		failures--;
		return -EIO;
	}
	return real.append(fd, parts, count);
}

static void what_could_not_be_added_is_kept(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_gathering(place);

	real = vmsi_host;
	vmsi_host.append = fail_append;
	failures = 2;
	worked(vms_file_append(file, "abc", 3, NULL));
	refused(vms_file_sync(file, 0, 0, 0), EIO);
	refused_null(vms_file_at(file, 0, 3), EIO);
	assert_int_equal(vms_file_size(file), 3);
	worked(vms_file_append(file, "d", 1, NULL));
	worked(vms_file_sync(file, 0, 0, 0));
	assert_memory_equal(vms_file_at(file, 0, 4), "abcd", 4);
	worked(vms_file_append(file, "e", 1, NULL));
	failures = 1;
	refused(vms_file_close(file), EIO);
	vmsi_host = real;
	assert_int_equal(size_of(place->path), 4);
}

static long no_space_ahead(int fd, int mode, uint64_t offset, uint64_t length)
{
	(void)fd, (void)mode, (void)offset, (void)length;
	return -EOPNOTSUPP;
}

static void gathers_nothing_where_no_space_can_be_taken(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_gathering(place);

	real = vmsi_host;
	vmsi_host.fallocate = no_space_ahead;
	worked(vms_file_append(file, "abc", 3, NULL));
	assert_int_equal(size_of(place->path), 3);
	vmsi_host = real;
	worked(vms_file_close(file));
}

/* --- others ---------------------------------------------------------------------------------- */

static void keeps_others_out(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_gathering(place);
	vms_file *other = must_open(place->path, 0, 64 * MIB);

	refused(vms_file_append(other, "x", 1, NULL), EBUSY);
	refused_null(open_with(place->path, VMS_FILE_GATHERS, 0), EBUSY);
	worked(vms_file_append(file, "abc", 3, NULL));
	worked(vms_file_close(file));
	worked(vms_file_append(other, "x", 1, NULL));
	refused_null(open_with(place->path, VMS_FILE_GATHERS, 0), EBUSY);
	worked(vms_file_close(other));
	file = open_gathering(place);
	assert_memory_equal(vms_file_at(file, 0, 4), "abcx", 4);
	worked(vms_file_close(file));
}

static void tells_that_somebody_has_appended(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_gathering(place);
	const int fd = open(place->path, O_WRONLY | O_APPEND);

	worked(vms_file_append(file, "abc", 3, NULL));
	assert_int_equal(write(fd, "xy", 2), 2);
	refused(vms_file_sync(file, 0, 0, 0), EBUSY);
	worked(vms_file_append(file, "d", 1, NULL));
	worked(vms_file_sync(file, 0, 0, 0));
	assert_memory_equal(vms_file_at(file, 0, 6), "xyabcd", 6);
	(void)close(fd);
	worked(vms_file_close(file));
}

static void a_forked_child_has_nothing_of_it(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_gathering(place);
	pid_t child;

	worked(vms_file_append(file, "abc", 3, NULL));
	worked(vms_file_sync(file, 0, 0, 0));
	worked(vms_file_append(file, "def", 3, NULL));
	child = fork();
	if (child == 0) {
		child_needs(vms_file_size(file) == 3);
		child_needs(vms_file_sync(file, 0, 0, 0) == 0);
		child_needs(memcmp(vms_file_at(file, 0, 3), "abc", 3) == 0);
		child_needs(vms_file_append(file, "x", 1, NULL) == -1 &&
			    errno == EBUSY);
		child_needs(vms_file_close(file) == 0);
		_exit(0);
	}
	must_end_well(child);
	worked(vms_file_append(file, "g", 1, NULL));
	worked(vms_file_close(file));
	assert_int_equal(size_of(place->path), 7);
}

/* As a child of fork(2) has it, which has the parent's mapping and its descriptors. */
static void a_forked_child_keeps_nobody_out(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_gathering(place);
	int end[2];
	pid_t child;
	char byte;

	worked(vms_file_append(file, "abc", 3, NULL));
	assert_int_equal(pipe(end), 0);
	child = fork();
	if (child == 0) {
		child_needs(close(end[1]) == 0 && read(end[0], &byte, 1) == 0);
		child_needs(vms_file_append(file, "x", 1, NULL) == 0);
		_exit(0);
	}
	worked(vms_file_close(file));
	file = open_gathering(place);
	worked(vms_file_append(file, "d", 1, NULL));
	worked(vms_file_close(file));
	assert_int_equal(close(end[1]), 0);
	must_end_well(child);
	assert_int_equal(close(end[0]), 0);
	assert_int_equal(size_of(place->path), 5);
}

static void goes_with_some_flags_only(void **state)
{
	const struct place *place = *state;
	const unsigned others[] = { VMS_FILE_READ_ONLY, VMS_FILE_PRIVATE,
				    VMS_FILE_ATOMIC };
	vms_file *file;

	write_file(place->path, "abc", 3);
	for (size_t i = 0; i < 3; i++)
		refused_null(open_with(place->path, VMS_FILE_GATHERS | others[i], 0),
			     EINVAL);
	file = must_open(place->path, VMS_FILE_GATHERS | VMS_FILE_SPARSE, 0);
	worked(vms_file_append(file, "d", 1, NULL));
	worked(vms_file_close(file));
	assert_int_equal(size_of(place->path), 4);
}

/* One that is killed gives back nothing of what it has taken ahead. */
static void takes_back_what_a_killed_one_has_taken(void **state)
{
	const struct place *place = *state;
	const pid_t child = fork();
	struct stat status;
	vms_file *file;
	int ended;

	if (child == 0) {
		file = open_with(place->path,
				 VMS_FILE_CREATE | VMS_FILE_GATHERS, 0);
		child_needs(vms_file_append(file, "record", 6, NULL) == 0);
		child_needs(vms_file_sync(file, 0, 0, 0) == 0);
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_true(WIFSIGNALED(ended));
	assert_int_equal(stat(place->path, &status), 0);
	if (status.st_blocks < 8192)
		skip(); /* the file system takes none ahead */
	file = must_open(place->path, VMS_FILE_GATHERS, 0);
	assert_int_equal(stat(place->path, &status), 0);
	assert_true(status.st_blocks < 1024);
	worked(vms_file_append(file, "record", 6, NULL));
	worked(vms_file_close(file));
	assert_int_equal(stat(place->path, &status), 0);
	assert_true(status.st_blocks < 1024);
	assert_int_equal(status.st_size, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(is_a_part_of_the_file_at_once),
		file_test(each_call_adds_it_to_the_file),
		file_test(is_as_an_array),
		file_test(a_limit_is_told_by_the_append),
		file_test(what_could_not_be_added_is_kept),
		file_test(gathers_nothing_where_no_space_can_be_taken),
		file_test(keeps_others_out),
		file_test(tells_that_somebody_has_appended),
		file_test(a_forked_child_has_nothing_of_it),
		file_test(a_forked_child_keeps_nobody_out),
		file_test(goes_with_some_flags_only),
		file_test(takes_back_what_a_killed_one_has_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
