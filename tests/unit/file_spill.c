/* SPDX-License-Identifier: MIT */
#include "file_fixture.h"
#include "file/atomic_state.h"
#include "file/file.h"
#include "host/host.h"

/* Commits that are larger than what may be in memory. */

static int drop_place_and_journal(void **state)
{
	const struct place *place = *state;
	char journal[128];

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	(void)unlink(journal);
	return drop_place(state);
}

#define atomic_test(function) \
	cmocka_unit_test_setup_teardown(function, make_place, \
					drop_place_and_journal)

static vms_file *open_limited(const char *path, unsigned flags, size_t pages)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE | VMS_FILE_ATOMIC | VMS_FILE_TELLS | flags,
		.maximum = (uint64_t)1 << 30,
		.dirty_limit = pages * page_bytes(),
	};
	vms_file *file = open_file(path, &options);

	assert_non_null(file);
	return file;
}

static uint64_t spilled(vms_file *file)
{
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };

	worked(vms_file_get_stats(file, &stats));
	return stats.spilled_bytes;
}

/* --- appends ------------------------------------------------------------------------------ */

#define RECORDS 3000u
#define RECORD_BYTES 1000u

static void append_records(vms_file *file)
{
	char record[RECORD_BYTES];

	for (unsigned i = 0; i < RECORDS; i++) {
		memset(record, (int)('a' + i % 23), sizeof(record));
		worked(vms_file_append(file, record, sizeof(record), NULL));
	}
}

static void must_have_records(const char *path)
{
	vms_file *file = must_open(path, VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY, 0);
	const char *at;

	assert_int_equal(vms_file_size(file), RECORDS * RECORD_BYTES);
	at = vms_file_at(file, 0, RECORDS * RECORD_BYTES);
	for (unsigned i = 0; i < RECORDS * RECORD_BYTES; i++)
		assert_int_equal(at[i], 'a' + i / RECORD_BYTES % 23);
	worked(vms_file_close(file));
}

static void appends_are_spilled(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_limited(place->path, 0, 16);

	append_records(file);
	assert_true(spilled(file) >= RECORDS * RECORD_BYTES -
		    20 * page_bytes());
	worked(vms_file_commit(file));
	must_have_records(place->path);
	worked(vms_file_close(file));
	must_have_records(place->path);
}

static void appends_of_an_update_are_spilled(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_limited(place->path, 0, 16);

	vms_file_begin_update(file);
	append_records(file);
	assert_true(spilled(file) >= RECORDS * RECORD_BYTES -
		    20 * page_bytes());
	vms_file_end_update(file);
	worked(vms_file_commit(file));
	worked(vms_file_close(file));
	must_have_records(place->path);
}

/* --- mappings ----------------------------------------------------------------------------- */

static uint64_t maps_most(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	unsigned long long most = 0;

	if (file) {
		if (fscanf(file, "%llu", &most) != 1)
			most = 0;
		(void)fclose(file);
	}
	return most;
}

static uint64_t maps(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	uint64_t lines = 0;
	int byte;

	assert_non_null(file);
	while ((byte = getc(file)) != EOF)
		lines += byte == '\n';
	(void)fclose(file);
	return lines;
}

/* Pages that lie apart, as many as a quarter of the mappings that there may be. */
static void scattered_pages_leave_mappings_for_others(void **state)
{
	const struct place *place = *state;
	const uint64_t most = maps_most();
	const uint64_t pages = most / 4;
	const uint64_t before = maps();
	vms_file *file;
	char *at;

	/* It takes too long where there are millions. */
	if (most == 0 || most > 100000)
		skip();
	file = open_limited(place->path, VMS_FILE_SPARSE, 64);
	worked(vms_file_resize(file, 2 * pages * page_bytes()));
	worked(vms_file_commit(file));
	at = vms_file_at(file, 0, 2 * pages * page_bytes());
	for (uint64_t i = 0; i < pages; i++) {
		worked(vms_file_will_write(file, 2 * i * page_bytes(), 8));
		memcpy(at + 2 * i * page_bytes(), &i, 8);
	}
	assert_true(spilled(file) > 0);
	assert_true(maps() <= before + most / 4 + 64);
	worked(vms_file_commit(file));
	for (uint64_t i = 0; i < pages; i++)
		assert_memory_equal(at + 2 * i * page_bytes(), &i, 8);
	assert_true(maps() <= before + 64);
	/* The next commit is spilled again. */
	for (uint64_t i = 0; i < 1000; i++) {
		worked(vms_file_will_write(file, 2 * i * page_bytes(), 8));
		memset(at + 2 * i * page_bytes(), 'x', 8);
	}
	assert_true(spilled(file) > 0);
	worked(vms_file_commit(file));
	assert_memory_equal(at + 1998 * page_bytes(), "xxxxxxxx", 8);
	worked(vms_file_close(file));
}

/* --- a disk that fails ------------------------------------------------------------------- */

static struct vmsi_host_calls real;
static vms_file *dropped; /* the journal's next sync drops what it cannot write */

/* The disk has something else there, which is read from now on. */
static long sync_and_drop(int fd)
{
	static const char zeros[65536];
	const struct vmsi_journal *journal;

	if (!dropped)
		return real.fdatasync(fd);
	journal = &dropped->atomic->journal;
	dropped = NULL;
	for (uint64_t at = journal->end; at < journal->next_end; at += 65536)
		(void)real.pwrite(fd, zeros, sizeof(zeros), at);
	return -EIO;
}

static void write_pages(vms_file *file, char byte)
{
	for (uint64_t page = 0; page < 20; page++) {
		const uint64_t offset = page * page_bytes();

		worked(vms_file_will_write(file, offset, page_bytes()));
		memset(vms_file_at(file, offset, page_bytes()), byte, page_bytes());
	}
}

/* Pages that were in the journal alone are nowhere then, so nothing is committed. */
static void what_the_disk_has_dropped_is_no_commit(void **state)
{
	const struct place *place = *state;
	vms_file *file = open_limited(place->path, 0, 5);

	worked(vms_file_resize(file, 20 * page_bytes()));
	write_pages(file, 'a');
	worked(vms_file_commit(file));
	write_pages(file, 'b');
	assert_true(spilled(file) > 0);
	real = vmsi_host;
	vmsi_host.fdatasync = sync_and_drop;
	dropped = file;
	refused(vms_file_commit(file), EIO);
	refused(vms_file_commit(file), EIO);
	worked(vms_file_rollback(file));
	assert_int_equal(*(char *)vms_file_at(file, 0, 1), 'a');
	write_pages(file, 'c');
	worked(vms_file_commit(file));
	vmsi_host = real;
	worked(vms_file_close(file));
	file = open_limited(place->path, 0, 5);
	for (uint64_t page = 0; page < 20; page++)
		assert_int_equal(*(char *)vms_file_at(file, page * page_bytes(), 1),
				 'c');
	worked(vms_file_close(file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		atomic_test(appends_are_spilled),
		atomic_test(appends_of_an_update_are_spilled),
		atomic_test(scattered_pages_leave_mappings_for_others),
		atomic_test(what_the_disk_has_dropped_is_no_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
