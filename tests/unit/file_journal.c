/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "file/journal.h"
#include "file/journal_format.h"
#include "host/host.h"

/*
 * What a journal does with what it finds: commits that are whole are applied, what is
 * torn never was, and what is another's, stale, damaged or forged is refused with
 * nothing written.
 */

#define PAGES 8

static struct {
	char directory[64], home_path[80], journal_path[80];
	int home;
	size_t page;
	struct vmsi_journal journal;
	const char *problem;
	uint8_t *bytes;        /* one page for each image */
} run;

/* --- fixture ------------------------------------------------------------------------------ */

static int set_up(void **state)
{
	(void)state;
	memset(&run, 0, sizeof(run));
	run.page = vmsi_page_size();
	strcpy(run.directory, "/tmp/vmspace-journal-XXXXXX");
	assert_non_null(mkdtemp(run.directory));
	(void)snprintf(run.home_path, sizeof(run.home_path), "%s/home",
		       run.directory);
	(void)snprintf(run.journal_path, sizeof(run.journal_path), "%s/journal",
		       run.directory);
	run.home = open(run.home_path, O_RDWR | O_CREAT, 0600);
	assert_true(run.home >= 0);
	run.bytes = calloc(PAGES, run.page);
	assert_non_null(run.bytes);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)close(run.home);
	(void)unlink(run.home_path);
	(void)unlink(run.journal_path);
	assert_int_equal(rmdir(run.directory), 0);
	free(run.bytes);
	return 0;
}

static int open_journal(enum vmsi_journal_mode mode)
{
	return vmsi_journal_open(&run.journal, run.home, run.journal_path, mode,
				 &run.problem);
}

static void must_open(void)
{
	assert_int_equal(open_journal(VMSI_JOURNAL_WRITE), 0);
}

/* As if the process had ended: nothing is written on the way. */
static void abandon(void)
{
	run.journal.is_read_only = true;
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

static struct vmsi_image image_of(uint64_t page, uint8_t value)
{
	uint8_t *bytes = run.bytes + page % PAGES * run.page;

	memset(bytes, value, run.page);
	return (struct vmsi_image){ page, bytes };
}

static int write_commit(uint64_t page, uint8_t value, struct vmsi_sizes sizes)
{
	const struct vmsi_image image = image_of(page, value);

	return vmsi_journal_write(&run.journal, VMSI_RECORD_COMMIT, sizes, &image,
				  1, NULL);
}

static void commit(uint64_t page, uint8_t value, uint64_t size)
{
	const struct vmsi_sizes sizes = { vmsi_min(size, run.journal.sizes.size),
					  size };

	assert_int_equal(write_commit(page, value, sizes), 0);
	assert_int_equal(vmsi_journal_sync(&run.journal), 0);
}

static void expect_home_size(uint64_t size)
{
	struct stat status;

	assert_int_equal(fstat(run.home, &status), 0);
	assert_int_equal(status.st_size, size);
}

static void expect_page(uint64_t page, uint8_t value)
{
	uint8_t byte[2];

	assert_int_equal(pread(run.home, &byte[0], 1,
			       (off_t)(page * run.page)), 1);
	assert_int_equal(pread(run.home, &byte[1], 1,
			       (off_t)((page + 1) * run.page - 1)), 1);
	assert_int_equal(byte[0], value);
	assert_int_equal(byte[1], value);
}

/* Change bytes of the journal's file. */
static void damage(uint64_t offset, const void *bytes, size_t length)
{
	const int fd = open(run.journal_path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
	assert_int_equal(close(fd), 0);
}

static void read_back(uint64_t offset, void *bytes, size_t length)
{
	const int fd = open(run.journal_path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, length, (off_t)offset), length);
	assert_int_equal(close(fd), 0);
}

static void expect_refused(int error, const char *words)
{
	struct stat before, after;

	assert_int_equal(stat(run.journal_path, &before), 0);
	assert_int_equal(open_journal(VMSI_JOURNAL_WRITE), error);
	assert_non_null(run.problem);
	if (!strstr(run.problem, words))
		fail_msg("it says: %s", run.problem);
	assert_int_equal(stat(run.journal_path, &after), 0);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	expect_home_size(0);
	assert_int_equal(open_journal(VMSI_JOURNAL_READ), error);
	expect_home_size(0);
}

/* Two commits of one page each, and the process ends. */
static void leave_two_commits(void)
{
	must_open();
	commit(0, 1, 2 * run.page);
	commit(1, 2, 2 * run.page);
	abandon();
}

static uint64_t record(unsigned number)
{
	return (2 + 2 * (uint64_t)number) * run.page;
}

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
	abandon();
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
	abandon();
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
	abandon();
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
	abandon();
	must_open();
	expect_page(0, 1);
	expect_page(1, 2);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

static void a_large_journal_is_cut(void **state)
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
	assert_int_equal(status.st_size, 1 << 20);
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

static void the_notice_is_what_was_written(void **state)
{
	struct vmsi_notice notice = { .commits = 5, .writing = 1 }, read;

	(void)state;
	assert_int_equal(open_journal(VMSI_JOURNAL_READ), 0);
	assert_int_equal(vmsi_journal_read_notice(&run.journal, &read), -ENOENT);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	must_open();
	assert_int_equal(vmsi_journal_write_notice(&run.journal, &notice), 0);
	commit(0, 1, run.page);
	assert_int_equal(vmsi_journal_read_notice(&run.journal, &read), 0);
	assert_memory_equal(&read, &notice, sizeof(notice));
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

/* --- what is refused ---------------------------------------------------------------------------- */

static void damage_before_the_end_is_refused(void **state)
{
	const uint8_t byte = 77;

	(void)state;
	leave_two_commits();
	damage(record(0) + run.page + 5, &byte, 1);
	expect_refused(-EBADMSG, "damaged after it was written");
}

static void a_damaged_head_is_refused(void **state)
{
	const uint8_t byte = 77;

	(void)state;
	leave_two_commits();
	damage(record(0) + 20, &byte, 1);
	expect_refused(-EBADMSG, "damaged after it was written");
}

static void what_is_no_journal_is_refused(void **state)
{
	FILE *file = fopen(run.journal_path, "w");

	(void)state;
	assert_non_null(file);
	(void)fputs("Dear diary, today I was taken for a journal of another kind.\n",
		    file);
	assert_int_equal(fclose(file), 0);
	expect_refused(-EBADMSG, "not a journal");
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(run.journal_path, 0600), 0);
	expect_refused(-EBADMSG, "no regular file");
}

static void the_file_itself_is_no_journal(void **state)
{
	(void)state;
	assert_int_equal(link(run.home_path, run.journal_path), 0);
	assert_int_equal(open_journal(VMSI_JOURNAL_WRITE), -EINVAL);
	expect_home_size(0);
}

static void a_lost_header_is_refused(void **state)
{
	const char zeros[64] = { 0 };

	(void)state;
	leave_two_commits();
	damage(0, zeros, sizeof(zeros));
	damage(run.page / 2, zeros, sizeof(zeros));
	expect_refused(-EBADMSG, "header of the journal was damaged");
}

static void change_header(void (*change)(struct vmsi_header *header))
{
	struct vmsi_header header;

	leave_two_commits();
	read_back(0, &header, sizeof(header));
	assert_int_equal(vmsi_header_state(&header), VMSI_HEADER_VALID);
	change(&header);
	damage(0, &header, sizeof(header));
}

static void of_other_pages(struct vmsi_header *header)
{
	header->block *= 2;
	vmsi_header_finish(header);
}

static void a_journal_of_other_pages_is_refused(void **state)
{
	(void)state;
	change_header(of_other_pages);
	expect_refused(-EBADMSG, "pages of another size");
}

static void of_version_two(struct vmsi_header *header)
{
	header->version = 2;
}

static void another_version_is_refused(void **state)
{
	(void)state;
	change_header(of_version_two);
	expect_refused(-EBADMSG, "another version");
}

static void with_a_flipped_bit(struct vmsi_header *header)
{
	header->salt ^= 4;
}

static void a_damaged_header_is_refused(void **state)
{
	(void)state;
	change_header(with_a_flipped_bit);
	expect_refused(-EBADMSG, "damaged");
}

static void the_journal_of_another_file_is_refused(void **state)
{
	(void)state;
	leave_two_commits();
	(void)close(run.home);
	assert_int_equal(unlink(run.home_path), 0);
	run.home = open(run.home_path, O_RDWR | O_CREAT, 0600);
	assert_true(run.home >= 0);
	expect_refused(-ESTALE, "another file");
}

static bool keeps_attributes(void)
{
	return fsetxattr(run.home, "user.vmspace.probe", "x", 1, 0) == 0;
}

static void a_journal_of_an_earlier_state_is_refused(void **state)
{
	uint8_t *old = malloc(1 << 20);

	(void)state;
	assert_non_null(old);
	if (!keeps_attributes()) {
		free(old);
		skip();
	}
	leave_two_commits();
	read_back(0, old, 1 << 20);
	must_open();
	commit(0, 7, run.page);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	assert_int_equal(close(open(run.journal_path, O_CREAT | O_RDWR, 0600)), 0);
	damage(0, old, 1 << 20);
	assert_int_equal(open_journal(VMSI_JOURNAL_WRITE), -ESTALE);
	assert_non_null(strstr(run.problem, "earlier state"));
	expect_page(0, 7);
	free(old);
}

/* --- what nobody but a forger can write ---------------------------------------------------------- */

/* Change the first record and make its check right again. */
static void forge(void (*change)(struct vmsi_head *head))
{
	struct vmsi_head *head = calloc(1, run.page);

	assert_non_null(head);
	must_open();
	commit(0, 1, 2 * run.page);
	abandon();
	read_back(record(0), head, run.page);
	change(head);
	vmsi_head_finish(head);
	damage(record(0), head, run.page);
	free(head);
}

static void with_a_page_beyond(struct vmsi_head *head)
{
	vmsi_head_entries(head)->page = 2;
}

static void with_the_last_page(struct vmsi_head *head)
{
	vmsi_head_entries(head)->page = UINT64_MAX;
}

static void with_a_huge_size(struct vmsi_head *head)
{
	head->size = UINT64_MAX;
}

static void with_sizes_reversed(struct vmsi_head *head)
{
	head->smallest = head->size + 1;
}

static void of_no_kind(struct vmsi_head *head)
{
	head->kind = 3;
}

static void a_page_beyond_the_end_is_refused(void **state)
{
	(void)state;
	forge(with_a_page_beyond);
	expect_refused(-EBADMSG, "beyond the end");
}

static void the_largest_page_is_refused(void **state)
{
	(void)state;
	forge(with_the_last_page);
	expect_refused(-EBADMSG, "beyond the end");
}

static void a_size_past_all_is_refused(void **state)
{
	(void)state;
	forge(with_a_huge_size);
	expect_refused(-EBADMSG, "impossible sizes");
}

static void sizes_in_the_wrong_order_are_refused(void **state)
{
	(void)state;
	forge(with_sizes_reversed);
	expect_refused(-EBADMSG, "impossible sizes");
}

static void an_unknown_kind_is_refused(void **state)
{
	(void)state;
	forge(of_no_kind);
	expect_refused(-EBADMSG, "unknown kind");
}

/* A count that reaches past the journal is no record. */
static void images_past_the_end_of_the_journal_are_not_read(void **state)
{
	struct vmsi_head head;

	(void)state;
	must_open();
	commit(0, 1, 2 * run.page);
	abandon();
	read_back(record(0), &head, sizeof(head));
	head.count = (uint32_t)VMSI_ENTRIES_MOST;
	damage(record(0), &head, sizeof(head));
	must_open();
	expect_home_size(0);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
		CASE(a_large_journal_is_cut),
		CASE(a_reader_gets_the_commits),
		CASE(the_notice_is_what_was_written),
		CASE(damage_before_the_end_is_refused),
		CASE(a_damaged_head_is_refused),
		CASE(what_is_no_journal_is_refused),
		CASE(what_is_no_file_is_refused),
		CASE(the_file_itself_is_no_journal),
		CASE(a_lost_header_is_refused),
		CASE(a_journal_of_other_pages_is_refused),
		CASE(another_version_is_refused),
		CASE(a_damaged_header_is_refused),
		CASE(the_journal_of_another_file_is_refused),
		CASE(a_journal_of_an_earlier_state_is_refused),
		CASE(a_page_beyond_the_end_is_refused),
		CASE(the_largest_page_is_refused),
		CASE(a_size_past_all_is_refused),
		CASE(sizes_in_the_wrong_order_are_refused),
		CASE(an_unknown_kind_is_refused),
		CASE(images_past_the_end_of_the_journal_are_not_read),
		CASE(a_commit_of_one_page_is_one_write_and_one_sync),
	};

	return cmocka_run_group_tests_name("file_journal", tests, NULL, NULL);
}
