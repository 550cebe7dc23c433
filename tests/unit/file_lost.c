/* SPDX-License-Identifier: MIT */
#include "file_fixture.h"
#include "host/host.h"

/* An atomic file that another process cuts off, or whose disk cannot read it. */

#define PAGES 8u

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

/* A file of pages of 'A' and 100 bytes of 'B', all committed, and its bytes. */
struct subject {
	vms_file *file;
	char *at;
	const char *path;
	char *bytes;
	size_t length;
};

static struct subject make_subject(void **state, unsigned flags)
{
	const struct place *place = *state;
	struct subject subject = { .path = place->path,
				   .length = PAGES * page_bytes() + 100 };

	subject.bytes = malloc(subject.length);
	memset(subject.bytes, 'A', subject.length);
	memset(subject.bytes + PAGES * page_bytes(), 'B', 100);
	write_file(place->path, subject.bytes, subject.length);
	subject.file = must_open(place->path, VMS_FILE_ATOMIC | flags, 1 << 26);
	subject.at = vms_file_at(subject.file, 0, subject.length);
	return subject;
}

static void cut(const struct subject *subject, size_t length)
{
	assert_int_equal(truncate(subject->path, (off_t)length), 0);
}

/* Another process puts back what it has cut off. */
static void put_back(const struct subject *subject)
{
	const int fd = open(subject->path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, subject->bytes, subject->length, 0),
			 subject->length);
	assert_int_equal(close(fd), 0);
}

static char byte_in_file(const struct subject *subject, size_t offset)
{
	const int fd = open(subject->path, O_RDONLY | O_CLOEXEC);
	char byte = 0;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
	assert_int_equal(close(fd), 0);
	return byte;
}

static void drop_subject(struct subject *subject)
{
	(void)vms_file_close(subject->file);
	free(subject->bytes);
}

static void tell(const struct subject *subject, size_t page, char byte)
{
	worked(vms_file_will_write(subject->file, page * page_bytes(),
				   page_bytes()));
	subject->at[page * page_bytes()] = byte;
}

/* --- the library's own loads and stores ------------------------------------------------- */

static void a_commit_of_what_is_gone_is_an_error(void **state)
{
	struct subject subject = make_subject(state, VMS_FILE_TELLS);

	worked(vms_file_will_write(subject.file, 6 * page_bytes(), 10));
	cut(&subject, 0);
	refused(vms_file_commit(subject.file), ENXIO);
	put_back(&subject);
	worked(vms_file_refresh(subject.file));
	assert_int_equal(subject.at[6 * page_bytes()], 'A');
	tell(&subject, 6, 'C');
	worked(vms_file_commit(subject.file));
	assert_int_equal(byte_in_file(&subject, 6 * page_bytes()), 'C');
	assert_int_equal(byte_in_file(&subject, 6 * page_bytes() + 1), 'A');
	drop_subject(&subject);
}

static void growth_behind_what_is_gone_is_an_error(void **state)
{
	struct subject subject = make_subject(state, VMS_FILE_TELLS);

	cut(&subject, 0);
	refused(vms_file_append(subject.file, "x", 1, NULL), ENXIO);
	refused(vms_file_resize(subject.file, subject.length + 1), ENXIO);
	assert_int_equal(vms_file_size(subject.file), subject.length);
	put_back(&subject);
	worked(vms_file_refresh(subject.file));
	worked(vms_file_append(subject.file, "x", 1, NULL));
	worked(vms_file_commit(subject.file));
	assert_int_equal(byte_in_file(&subject, subject.length), 'x');
	assert_int_equal(byte_in_file(&subject, subject.length - 1), 'B');
	drop_subject(&subject);
}

static void a_cut_within_what_is_gone_is_an_error(void **state)
{
	struct subject subject = make_subject(state, VMS_FILE_TELLS);

	cut(&subject, 0);
	refused(vms_file_resize(subject.file, 5 * page_bytes() + 10), ENXIO);
	assert_int_equal(vms_file_size(subject.file), subject.length);
	put_back(&subject);
	worked(vms_file_refresh(subject.file));
	worked(vms_file_resize(subject.file, 5 * page_bytes() + 10));
	worked(vms_file_commit(subject.file));
	assert_int_equal(size_of(subject.path), 5 * page_bytes() + 10);
	assert_int_equal(byte_in_file(&subject, 5 * page_bytes() + 9), 'A');
	drop_subject(&subject);
}

/* What is to be spilled, too. */
static void a_spill_of_what_is_gone_is_an_error(void **state)
{
	const struct place *place = *state;
	struct subject subject = make_subject(state, VMS_FILE_TELLS);
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | VMS_FILE_TELLS,
		.dirty_limit = 2 * page_bytes(),
	};

	worked(vms_file_close(subject.file));
	subject.file = open_file(place->path, &options);
	subject.at = vms_file_at(subject.file, 0, subject.length);
	worked(vms_file_will_write(subject.file, 2 * page_bytes(),
				   3 * page_bytes()));
	cut(&subject, 0);
	refused(vms_file_will_write(subject.file, 0, 1), ENXIO);
	drop_subject(&subject);
}

/* --- the journal -------------------------------------------------------------------------- */

/* See homelock.c. */
#define READING_BYTE ((off_t)0x6e00000000000000 + 2)

static struct vmsi_host_calls real;
static struct subject *spilled;

/*
 * When the file has been written and what was spilled is about to show it again, another
 * thread tells that it writes to a page of that, and somebody cuts the journal off.
 */
static long cut_journal(int fd, int command, struct flock *lock)
{
	char journal[128];

	if (lock->l_type == F_UNLCK && lock->l_start == READING_BYTE) {
		vmsi_host = real;
		worked(vms_file_will_write(spilled->file, page_bytes(), 1));
		(void)snprintf(journal, sizeof(journal), "%s.journal",
			       spilled->path);
		assert_int_equal(truncate(journal, 0), 0);
	}
	return real.file_lock(fd, command, lock);
}

static struct subject make_spilled(void **state)
{
	const struct place *place = *state;
	struct subject subject = make_subject(state, VMS_FILE_TELLS);
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | VMS_FILE_TELLS,
		.dirty_limit = 2 * page_bytes(),
	};
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };

	worked(vms_file_close(subject.file));
	subject.file = open_file(place->path, &options);
	assert_non_null(subject.file);
	subject.at = vms_file_at(subject.file, 0, subject.length);
	for (uint64_t page = 0; page < 5; page++)
		tell(&subject, page, 'S');
	worked(vms_file_get_stats(subject.file, &stats));
	assert_true(stats.spilled_bytes > 0);
	return subject;
}

static void a_journal_that_is_cut_off_raises_no_signal(void **state)
{
	struct subject subject = make_spilled(state);

	real = vmsi_host;
	spilled = &subject;
	vmsi_host.file_lock = cut_journal;
	worked(vms_file_commit(subject.file));
	assert_ptr_equal(vmsi_host.file_lock, real.file_lock);
	assert_int_equal(byte_in_file(&subject, page_bytes()), 'S');
	/* What the page had is gone, and what is stored there now is not committed. */
	subject.at[page_bytes()] = 'T';
	assert_int_equal(vms_file_commit(subject.file), -1);
	assert_int_equal(byte_in_file(&subject, page_bytes()), 'S');
	(void)vms_file_close(subject.file);
	free(subject.bytes);
}

/* --- what is lost is not committed ------------------------------------------------------ */

/* One that reads what is gone has written nothing there. */
static void zeros_in_the_place_of_lost_pages_stay_out(void **state)
{
	struct subject subject = make_subject(state, 0);
	struct vms_file_access access;

	cut(&subject, 4 * page_bytes());
	worked(vms_file_begin_access(subject.file, &access));
	assert_int_equal(subject.at[6 * page_bytes()], 0);
	refused(vms_file_end_access(&access, NULL), ENXIO);
	put_back(&subject);
	subject.at[page_bytes()] = 'Z';
	/* It might have had something that was stored, too. */
	refused(vms_file_commit(subject.file), ENXIO);
	worked(vms_file_refresh(subject.file));
	worked(vms_file_commit(subject.file));
	assert_int_equal(byte_in_file(&subject, 6 * page_bytes()), 'A');
	assert_int_equal(byte_in_file(&subject, page_bytes()), 'Z');
	drop_subject(&subject);
}

/* Nobody meets the loss: the file is as long as before when it is committed. */
static void stores_that_went_with_a_cut_are_missed(unsigned flags, void **state)
{
	struct subject subject = make_subject(state, flags);

	tell(&subject, 1, 'Y');
	tell(&subject, 6, 'Z');
	cut(&subject, 4 * page_bytes());
	put_back(&subject);
	refused(vms_file_commit(subject.file), ENXIO);
	refused(vms_file_commit(subject.file), ENXIO);
	assert_int_equal(byte_in_file(&subject, page_bytes()), 'A');
	assert_int_equal(subject.at[page_bytes()], 'Y');
	worked(vms_file_rollback(subject.file));
	assert_int_equal(subject.at[page_bytes()], 'A');
	tell(&subject, 6, 'Z');
	worked(vms_file_commit(subject.file));
	assert_int_equal(byte_in_file(&subject, 6 * page_bytes()), 'Z');
	assert_int_equal(byte_in_file(&subject, page_bytes()), 'A');
	worked(vms_file_refresh(subject.file));
	drop_subject(&subject);
}

static void stores_that_went_are_missed(void **state)
{
	stores_that_went_with_a_cut_are_missed(0, state);
}

static void told_stores_that_went_are_missed(void **state)
{
	stores_that_went_with_a_cut_are_missed(VMS_FILE_TELLS, state);
}

/* The library cuts and lengthens the file itself. */
static void own_sizes_are_no_losses(void **state)
{
	static const unsigned sizes[] = { 3, 9, 0, 12, 12, 1, 2 };
	struct subject subject = make_subject(state, 0);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		worked(vms_file_resize(subject.file,
				       sizes[i] * page_bytes() + i + 1));
		*(char *)vms_file_at(subject.file, sizes[i] * page_bytes(),
				     1) = 'x';
		worked(vms_file_commit(subject.file));
	}
	cut(&subject, page_bytes());
	refused(vms_file_commit(subject.file), ENXIO);
	/* There is no file to commit to. */
	refused(vms_file_refresh(subject.file), ENXIO);
	refused(vms_file_commit(subject.file), ENXIO);
	drop_subject(&subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		atomic_test(a_commit_of_what_is_gone_is_an_error),
		atomic_test(growth_behind_what_is_gone_is_an_error),
		atomic_test(a_cut_within_what_is_gone_is_an_error),
		atomic_test(a_spill_of_what_is_gone_is_an_error),
		atomic_test(a_journal_that_is_cut_off_raises_no_signal),
		atomic_test(zeros_in_the_place_of_lost_pages_stay_out),
		atomic_test(stores_that_went_are_missed),
		atomic_test(told_stores_that_went_are_missed),
		atomic_test(own_sizes_are_no_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
