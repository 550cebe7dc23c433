/* SPDX-License-Identifier: MIT */
#include "journal_fixture.h"

#include <sys/xattr.h>

/*
 * What is another's, stale, damaged or forged is refused, and nothing is written.
 */

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

/* Make a byte of the journal another one, whatever it was. */
static void flip(uint64_t offset)
{
	uint8_t byte;

	read_back(offset, &byte, 1);
	byte ^= 0x40;
	damage(offset, &byte, 1);
}

/* --- what is refused ---------------------------------------------------------------------------- */

static void damage_before_the_end_is_refused(void **state)
{
	(void)state;
	leave_two_commits();
	flip(record(0) + run.page + 5);
	expect_refused(-EBADMSG, "damaged after it was written");
}

static void a_damaged_head_is_refused(void **state)
{
	(void)state;
	leave_two_commits();
	flip(record(0) + 20);
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

/* Behind the last epoch there is none, so commits of one would not be found. */
static void of_an_epoch_past_all(struct vmsi_header *header)
{
	header->epoch = UINT64_MAX;
	vmsi_header_finish(header);
}

static void an_epoch_past_all_is_refused(void **state)
{
	struct vmsi_header header = { .epoch = VMSI_EPOCH_MOST, .salt = 5 }, now;

	(void)state;
	change_header(of_an_epoch_past_all);
	expect_refused(-EBADMSG, "not a journal");
	header.block = (uint32_t)run.page;
	vmsi_header_finish(&header);
	assert_int_equal(truncate(run.journal_path, 0), 0);
	(void)fremovexattr(run.home, "user.vmspace");
	damage(0, &header, sizeof(header));
	assert_int_equal(open_journal(VMSI_JOURNAL_WRITE), -EBADMSG);
	assert_non_null(strstr(run.problem, "epoch"));
	read_back(0, &now, sizeof(now));
	assert_memory_equal(&now, &header, sizeof(header));
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

/* The machine stopped before the header, or it was put in the journal's place. */
static void bytes_behind_no_header_are_refused(void **state)
{
	const char bytes[] = "data of another program";

	(void)state;
	assert_int_equal(close(open(run.journal_path, O_CREAT | O_RDWR, 0600)), 0);
	damage((off_t)16 * (off_t)run.page + 5, bytes, sizeof(bytes));
	damage((off_t)32 * (off_t)run.page, "", 1);
	expect_refused(-EBADMSG, "not a journal");
}

/* A hole costs whoever makes it nothing, and is not to cost more here. */
static void a_journal_longer_than_any_disk_is_no_work(void **state)
{
	(void)state;
	leave_two_commits();
	if (truncate(run.journal_path, (off_t)1 << 43) != 0)
		skip();
	assert_int_equal(open_journal(VMSI_JOURNAL_WRITE), 0);
	expect_page(1, 2);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

static void a_file_in_use_needs_its_journal(void **state)
{
	(void)state;
	if (!keeps_attributes())
		skip();
	leave_two_commits();
	assert_int_equal(rename(run.journal_path, run.elsewhere), 0);
	assert_int_equal(open_journal(VMSI_JOURNAL_WRITE), -ESTALE);
	assert_non_null(strstr(run.problem, "its journal is not here"));
	assert_int_equal(access(run.journal_path, F_OK), -1);
	assert_int_equal(open_journal(VMSI_JOURNAL_READ), -ESTALE);
	expect_home_size(0);
	assert_int_equal(rename(run.elsewhere, run.journal_path), 0);
	must_open();
	expect_page(1, 2);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	/* Closed, it needs none. */
	must_open();
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	assert_int_equal(open_journal(VMSI_JOURNAL_READ), 0);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

/* A copy of a closed file is put in its place, with its attributes, when it is in use. */
static void a_file_of_an_earlier_state_is_refused(void **state)
{
	char closed[256];
	ssize_t size;

	(void)state;
	if (!keeps_attributes())
		skip();
	must_open();
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	size = fgetxattr(run.home, "user.vmspace", closed, sizeof(closed));
	assert_true(size > 0);
	leave_two_commits();
	assert_int_equal(fsetxattr(run.home, "user.vmspace", closed, (size_t)size,
				   0), 0);
	expect_refused(-ESTALE, "earlier state than the journal");
}

static void a_journal_in_use_is_refused(void **state)
{
	struct vmsi_journal other;
	const int home = open(run.elsewhere, O_RDWR | O_CREAT, 0600);

	(void)state;
	must_open();
	assert_int_equal(vmsi_journal_open(&other, home, run.journal_path,
					   VMSI_JOURNAL_WRITE, &run.problem),
			 -EBUSY);
	assert_int_equal(access(run.journal_path, F_OK), 0);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
	assert_int_equal(vmsi_journal_open(&other, home, run.journal_path,
					   VMSI_JOURNAL_WRITE, &run.problem), 0);
	assert_int_equal(vmsi_journal_close(&other), 0);
	assert_int_equal(close(home), 0);
	assert_int_equal(unlink(run.elsewhere), 0);
}

/* --- what nobody but a forger can write ---------------------------------------------------------- */

/* Change the first record and make its check right again. */
static void forge(void (*change)(struct vmsi_head *head))
{
	struct vmsi_head *head = calloc(1, run.page);

	assert_non_null(head);
	must_open();
	commit(0, 1, 2 * run.page);
	vmsi_journal_abandon(&run.journal);
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

/* Changed by somebody since the reader has looked at it. */
static int refuse_visit(void *context, struct vmsi_image image, struct vmsi_sizes sizes)
{
	(void)context, (void)image, (void)sizes;
	return 17;
}

static void what_is_forged_later_is_refused(void **state)
{
	struct vmsi_head *head = calloc(1, run.page);

	(void)state;
	assert_non_null(head);
	must_open();
	commit(0, 1, 2 * run.page);
	vmsi_journal_abandon(&run.journal);
	assert_int_equal(open_journal(VMSI_JOURNAL_READ), 0);
	read_back(record(0), head, run.page);
	with_the_last_page(head);
	vmsi_head_finish(head);
	damage(record(0), head, run.page);
	free(head);
	assert_int_equal(vmsi_journal_each_page(&run.journal, refuse_visit, NULL),
			 -EIO);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
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
	vmsi_journal_abandon(&run.journal);
	read_back(record(0), &head, sizeof(head));
	head.count = (uint32_t)VMSI_ENTRIES_MOST;
	damage(record(0), &head, sizeof(head));
	must_open();
	expect_home_size(0);
	assert_int_equal(vmsi_journal_close(&run.journal), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(damage_before_the_end_is_refused),
		CASE(a_damaged_head_is_refused),
		CASE(what_is_no_journal_is_refused),
		CASE(what_is_no_file_is_refused),
		CASE(the_file_itself_is_no_journal),
		CASE(a_lost_header_is_refused),
		CASE(an_epoch_past_all_is_refused),
		CASE(what_is_forged_later_is_refused),
		CASE(a_journal_of_other_pages_is_refused),
		CASE(another_version_is_refused),
		CASE(a_damaged_header_is_refused),
		CASE(the_journal_of_another_file_is_refused),
		CASE(a_journal_of_an_earlier_state_is_refused),
		CASE(bytes_behind_no_header_are_refused),
		CASE(a_journal_longer_than_any_disk_is_no_work),
		CASE(a_file_in_use_needs_its_journal),
		CASE(a_file_of_an_earlier_state_is_refused),
		CASE(a_journal_in_use_is_refused),
		CASE(a_page_beyond_the_end_is_refused),
		CASE(the_largest_page_is_refused),
		CASE(a_size_past_all_is_refused),
		CASE(sizes_in_the_wrong_order_are_refused),
		CASE(an_unknown_kind_is_refused),
		CASE(images_past_the_end_of_the_journal_are_not_read),
	};

	return cmocka_run_group_tests_name("file_journal_refused", tests, NULL, NULL);
}
