/* SPDX-License-Identifier: MIT */
#include "journal_fixture.h"

/*
 * Commits that are whole are applied, and what is torn or taken back never was. What a
 * commit costs of system calls is counted.
 */

/* --- what counts ----------------------------------------------------------------------------- */

static void commits_are_applied(void **state)
{
	(void)state;
	leave_two_commits();
	expect_home_size(0);
	must_open();
	expect_home_size(2 * run.page);
	expect_page(0, 1);
	expect_page(1, 2);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	assert_int_equal(access(run.journal_path, F_OK), -1);
}

static void a_torn_commit_never_was(void **state)
{
	const uint8_t byte = 77;

	(void)state;
	leave_two_commits();
	damage(record(1) + run.page + 5, &byte, 1);
	must_open();
	expect_page(0, 1);
	expect_page(1, 0);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

static void a_commit_that_was_taken_back_never_was(void **state)
{
	struct vmsi_sizes sizes = { 0, 2 * run.page };

	(void)state;
	must_open();
	assert_int_equal(write_commit(0, 9, sizes), 0);
	vmsi_journal_discard(&run.journal);
	vmsi_journal_abandon(&run.journal);
	must_open();
	expect_home_size(0);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

static void sizes_are_cut_before_they_grow(void **state)
{
	struct vmsi_sizes sizes = { 100, 2 * run.page + 10 };

	(void)state;
	must_open();
	commit(0, 1, 3 * run.page);
	commit(1, 2, 3 * run.page);
	assert_int_equal(write_commit(2, 3, sizes), 0);
	assert_int_equal(vmsi_journal_sync(&run.journal), 0);
	vmsi_journal_abandon(&run.journal);
	must_open();
	expect_home_size(2 * run.page + 10);
	expect_page(1, 0);
	assert_int_equal(pread(run.home, run.bytes, run.page, 0), run.page);
	assert_int_equal(run.bytes[99], 1);
	assert_int_equal(run.bytes[100], 0);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

/* More images than a head describes: several records, and one commit. */
static void a_large_commit_is_one(void **state)
{
	const size_t count = VMSI_ENTRIES_MOST + 3;
	struct vmsi_image *images = calloc(count, sizeof(*images));
	uint64_t *offsets = calloc(count, sizeof(*offsets));
	struct vmsi_sizes sizes = { 0, count * run.page };
	uint8_t *last = malloc(run.page);

	(void)state;
	assert_true(images && offsets && last);
	for (size_t i = 0; i < count; i++)
		images[i] = image_of(i, 4);
	for (size_t i = 0; i < count; i++)
		images[i].page = i;
	memset(run.bytes, 4, PAGES * run.page);
	must_open();
	assert_int_equal(vmsi_journal_write(&run.journal, VMSI_RECORD_COMMIT, sizes,
					    images, count, offsets), 0);
	read_back(offsets[count - 1], last, run.page);
	assert_int_equal(last[0], 4);
	assert_true(vmsi_is_aligned(offsets[0], run.page));
	assert_int_equal(vmsi_journal_sync(&run.journal), 0);
	vmsi_journal_abandon(&run.journal);
	must_open();
	expect_page(0, 4);
	expect_page(count - 1, 4);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	free(images);
	free(offsets);
	free(last);
}

static void spilled_images_come_home(void **state)
{
	struct vmsi_sizes sizes = { 0, 2 * run.page };
	struct vmsi_image image = image_of(0, 5);

	(void)state;
	must_open();
	assert_int_equal(vmsi_journal_write(&run.journal, VMSI_RECORD_SPILL, sizes,
					    &image, 1, NULL), 0);
	assert_int_equal(vmsi_journal_checkpoint(&run.journal), -EBUSY);
	image = image_of(1, 6);
	sizes.smallest = sizes.size;
	assert_int_equal(vmsi_journal_write(&run.journal, VMSI_RECORD_COMMIT, sizes,
					    &image, 1, NULL), 0);
	assert_int_equal(vmsi_journal_write(&run.journal, VMSI_RECORD_COMMIT, sizes,
					    &image, 1, NULL), -EBUSY);
	assert_int_equal(vmsi_journal_sync(&run.journal), 0);
	assert_int_equal(vmsi_journal_write_home(&run.journal, &image, 1), 0);
	expect_page(0, 5);
	expect_page(1, 6);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

static void what_cannot_be_is_not_written(void **state)
{
	struct vmsi_sizes sizes = { 0, run.page };

	(void)state;
	must_open();
	assert_int_equal(write_commit(1, 1, sizes), -EINVAL);
	sizes.smallest = 2 * run.page;
	assert_int_equal(write_commit(0, 1, sizes), -EINVAL);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

static void a_checkpoint_begins_again(void **state)
{
	(void)state;
	must_open();
	commit(0, 1, 2 * run.page);
	assert_int_equal(vmsi_journal_checkpoint(&run.journal), 0);
	expect_page(0, 1);
	assert_int_equal(run.journal.end, record(0));
	commit(1, 2, 2 * run.page);
	vmsi_journal_abandon(&run.journal);
	must_open();
	expect_page(0, 1);
	expect_page(1, 2);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

static void a_large_journal_gives_space_back(void **state)
{
	struct stat status;

	(void)state;
	must_open();
	run.journal.limit = 1 << 20;
	for (int i = 0; i < 200; i++) {
		commit(0, (uint8_t)i, run.page);
		assert_int_equal(vmsi_journal_write_home(
			&run.journal, &(struct vmsi_image){ 0, run.bytes }, 1), 0);
	}
	assert_true(vmsi_journal_is_full(&run.journal));
	assert_int_equal(vmsi_journal_checkpoint(&run.journal), 0);
	assert_int_equal(stat(run.journal_path, &status), 0);
	assert_true(status.st_blocks * 512 <= 1 << 20);
	assert_int_equal(run.journal.allocated, 1 << 20);
	/* What was given back is taken again. */
	for (int i = 0; i < 200; i++)
		commit(0, (uint8_t)i, run.page);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

/* --- readers ----------------------------------------------------------------------------------- */

static int visits;

static int count_visit(void *context, struct vmsi_image image,
		       struct vmsi_sizes sizes)
{
	assert_ptr_equal(context, &visits);
	assert_int_equal(sizes.size, 2 * run.page);
	if (image.bytes)
		assert_int_equal(*(const uint8_t *)image.bytes, image.page + 1);
	return ++visits == 3 ? 17 : 0;
}

static void a_reader_gets_the_commits(void **state)
{
	(void)state;
	visits = 0;
	assert_int_equal(open_journal(VMSI_JOURNAL_READ), 0);
	assert_int_equal(vmsi_journal_each_page(&run.journal, count_visit, &visits),
			 0);
	assert_int_equal(visits, 0);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	leave_two_commits();
	assert_int_equal(open_journal(VMSI_JOURNAL_READ), 0);
	/* A size, a page, and the next size, where it is ended. */
	assert_int_equal(vmsi_journal_each_page(&run.journal, count_visit, &visits),
			 17);
	assert_int_equal(vmsi_journal_each_page(&run.journal, count_visit, &visits),
			 0);
	assert_int_equal(visits, 7);
	assert_int_equal(write_commit(0, 1, (struct vmsi_sizes){ 0, 1 }), -EBADF);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	expect_home_size(0);
	assert_int_equal(access(run.journal_path, F_OK), 0);
}

/* --- system calls of a commit ---------------------------------------------------------------------- */

static struct vmsi_host_calls real;
static unsigned writes, syncs, others;

static long count_pwrite(int fd, const void *bytes, size_t length,
			 uint64_t offset)
{
	writes++;
	return real.pwrite(fd, bytes, length, offset);
}

static long count_fdatasync(int fd)
{
	syncs++;
	return real.fdatasync(fd);
}

static long count_pread(int fd, void *bytes, size_t length, uint64_t offset)
{
	others++;
	return real.pread(fd, bytes, length, offset);
}

static long count_fstat(int fd, struct stat *status)
{
	others++;
	return real.fstat(fd, status);
}

static long count_ftruncate(int fd, uint64_t size)
{
	others++;
	return real.ftruncate(fd, size);
}

static void a_commit_of_one_page_is_one_write_and_one_sync(void **state)
{
	const struct vmsi_image image = image_of(1, 3);

	(void)state;
	must_open();
	commit(0, 1, 2 * run.page);
	assert_int_equal(vmsi_journal_write_home(
		&run.journal, &(struct vmsi_image){ 0, run.bytes }, 1), 0);
	writes = syncs = others = 0;
	real = vmsi_host;
	vmsi_host.pwrite = count_pwrite;
	vmsi_host.fdatasync = count_fdatasync;
	vmsi_host.pread = count_pread;
	vmsi_host.fstat = count_fstat;
	vmsi_host.ftruncate = count_ftruncate;
	commit(1, 3, 2 * run.page);
	assert_int_equal(writes, 1);
	assert_int_equal(syncs, 1);
	assert_int_equal(vmsi_journal_write_home(&run.journal, &image, 1), 0);
	vmsi_host = real;
	assert_int_equal(writes, 2);
	assert_int_equal(syncs, 1);
	assert_int_equal(others, 0);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(commits_are_applied),
		CASE(a_torn_commit_never_was),
		CASE(a_commit_that_was_taken_back_never_was),
		CASE(sizes_are_cut_before_they_grow),
		CASE(a_large_commit_is_one),
		CASE(spilled_images_come_home),
		CASE(what_cannot_be_is_not_written),
		CASE(a_checkpoint_begins_again),
		CASE(a_large_journal_gives_space_back),
		CASE(a_reader_gets_the_commits),
		CASE(a_commit_of_one_page_is_one_write_and_one_sync),
	};

	return cmocka_run_group_tests_name("file_journal", tests, NULL, NULL);
}
