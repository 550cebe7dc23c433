/* SPDX-License-Identifier: MIT */
#include <sys/xattr.h>

#include "commit_fixture.h"
#include "host/host.h"

/* Which journal belongs to a file, and a file that is not what its journal has left. */

/* --- the journal's place ---------------------------------------------------------------- */

static int in_another_directory(const char *directory)
{
	char here[4096];

	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(directory), 0);
	return open(here, O_PATH | O_CLOEXEC);
}

/* As another writer leaves one that has stopped. */
static void the_journal_stays_where_it_was_made(void **state)
{
	const struct place *place = *state;
	const int back = in_another_directory(place->directory);
	char journal[256], inner[256], other[300];
	vms_file *file = must_open("file", TELLING, 8 * page_bytes());

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	(void)snprintf(inner, sizeof(inner), "%s/inner", place->directory);
	(void)snprintf(other, sizeof(other), "%s/file.journal", inner);
	assert_int_equal(access(journal, F_OK), 0);
	assert_int_equal(mkdir(inner, 0700), 0);
	assert_int_equal(chdir(inner), 0);
	write_file(other, "not ours", 8);
	worked(vms_file_resize(file, page_bytes()));
	worked(vms_file_commit(file));
	worked(vms_file_close(file));
	assert_int_equal(access(journal, F_OK), -1);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(fchdir(back), 0);
	assert_int_equal(close(back), 0);
	assert_int_equal(rmdir(inner), 0);
}

static void a_link_has_the_journal_of_its_file(void **state)
{
	const struct place *place = *state;
	char journal[256], link[256];
	vms_file *file;

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	(void)snprintf(link, sizeof(link), "%s/link", place->directory);
	assert_int_equal(symlink("file", link), 0);
	file = must_open(link, TELLING, 8 * page_bytes());
	assert_int_equal(access(journal, F_OK), 0);
	refused_null(open_with(place->path, TELLING, 0), EBUSY);
	worked(vms_file_close(file));
	assert_int_equal(unlink(link), 0);
}

/* Another file's journal that has taken its place is not removed. */
static void only_its_own_journal_is_removed(void **state)
{
	const struct place *place = *state;
	char journal[256];
	vms_file *file = open_pages(place->path, TELLING);

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	assert_int_equal(unlink(journal), 0);
	write_file(journal, "not ours", 8);
	worked(vms_file_close(file));
	assert_int_equal(unlink(journal), 0);
}

static void the_journal_belongs_to_the_owner_of_the_file(void **state)
{
	const struct place *place = *state;
	char journal[256];
	struct stat status;
	vms_file *file;

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	write_file(place->path, "abc", 3);
	if (chown(place->path, 12345, 12346) != 0)
		skip();
	file = must_open(place->path, TELLING, 0);
	assert_int_equal(stat(journal, &status), 0);
	assert_int_equal(status.st_uid, 12345);
	assert_int_equal(status.st_gid, 12346);
	worked(vms_file_close(file));
}

static void who_reads_the_file_may_read_the_journal(void **state)
{
	const struct place *place = *state;
	char journal[256];
	struct stat status;
	vms_file *file;
	mode_t before;

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	write_file(place->path, "abc", 3);
	assert_int_equal(chmod(place->path, 0664), 0);
	before = umask(077);
	file = must_open(place->path, TELLING, 0);
	(void)umask(before);
	assert_int_equal(stat(journal, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0664);
	worked(vms_file_close(file));
}

/* --- a file that was just made -------------------------------------------------------------- */

static struct vmsi_host_calls real;
static ino_t directory;
static bool is_synced;

static long note_directory(int fd)
{
	struct stat status;

	is_synced |= fstat(fd, &status) == 0 && status.st_ino == directory;
	return real.fsync(fd);
}

/* Its commits would be lost with it, though its journal has a name elsewhere. */
static void is_in_its_directory_before_it_commits(void **state)
{
	const struct place *place = *state;
	struct vms_file_options options = {
		.struct_size = sizeof(options), .flags = TELLING,
	};
	char elsewhere[128], journal[160];
	struct stat status;
	vms_file *file;

	(void)snprintf(elsewhere, sizeof(elsewhere), "%s.d", place->directory);
	(void)snprintf(journal, sizeof(journal), "%s/journal", elsewhere);
	assert_int_equal(mkdir(elsewhere, 0700), 0);
	assert_int_equal(stat(place->directory, &status), 0);
	directory = status.st_ino;
	options.journal = journal;
	real = vmsi_host;
	vmsi_host.fsync = note_directory;
	file = open_file(place->path, &options);
	vmsi_host = real;
	assert_non_null(file);
	assert_true(is_synced);
	worked(vms_file_close(file));
	assert_int_equal(rmdir(elsewhere), 0);
}

/* --- a file that could not be closed ------------------------------------------------------ */

static bool fails;

static long fail_fsync(int fd)
{
	return fails ? -EIO : real.fsync(fd);
}

/* The journal has the only whole commit: without it the file is refused. */
static void is_in_use_until_it_is_closed(void **state)
{
	const struct place *place = *state;
	char journal[256], elsewhere[264];
	vms_file *file = open_pages(place->path, TELLING);

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s.old", journal);
	if (getxattr(place->path, "user.vmspace", NULL, 0) <= 0) {
		worked(vms_file_close(file));
		skip();
	}
	store(file, 3, 'a');
	worked(vms_file_commit(file));
	real = vmsi_host;
	vmsi_host.fsync = fail_fsync;
	fails = true;
	refused(vms_file_close(file), EIO);
	vmsi_host = real;
	assert_int_equal(rename(journal, elsewhere), 0);
	refused_null(open_with(place->path, TELLING, 0), ESTALE);
	assert_int_equal(rename(elsewhere, journal), 0);
	worked(vms_file_close(must_open(place->path, TELLING, 0)));
	assert_int_equal(home_byte(place->path, 3), 'a');
}

/* --- a file that somebody else has shortened -------------------------------------------- */

static void is_refused_when_it_was_shortened(void **state)
{
	const struct place *place = *state;
	char journal[256];
	vms_file *file = open_pages(place->path, TELLING);

	(void)snprintf(journal, sizeof(journal), "%s.journal", place->path);
	store(file, 3, 'a');
	worked(vms_file_commit(file));
	assert_int_equal(truncate(place->path, 100), 0);
	store(file, 40, 'b');
	refused(vms_file_commit(file), ENXIO);
	refused(vms_file_refresh(file), ENXIO);
	refused(vms_file_close(file), ENXIO);
	/* The journal has all of it still. */
	assert_int_equal(access(journal, F_OK), 0);
	file = open_pages(place->path, TELLING);
	assert_int_equal(vms_file_size(file), PAGES * page_bytes());
	assert_int_equal(*(char *)vms_file_at(file, 3 * page_bytes(), 1), 'a');
	assert_int_equal(*(char *)vms_file_at(file, 40 * page_bytes(), 1), 0);
	/* Now it has nothing that the file had before. */
	store(file, 3, 'c');
	worked(vms_file_commit(file));
	assert_int_equal(truncate(place->path, 100), 0);
	refused(vms_file_close(file), ENXIO);
	refused_null(open_with(place->path, TELLING, 0), ESTALE);
	assert_non_null(strstr(vms_file_journal_problem(), "shorter"));
	assert_int_equal(unlink(journal), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(the_journal_stays_where_it_was_made),
		file_test(a_link_has_the_journal_of_its_file),
		file_test(only_its_own_journal_is_removed),
		file_test(the_journal_belongs_to_the_owner_of_the_file),
		file_test(who_reads_the_file_may_read_the_journal),
		file_test(is_in_its_directory_before_it_commits),
		file_test(is_in_use_until_it_is_closed),
		file_test(is_refused_when_it_was_shortened),
	};

	return cmocka_run_group_tests_name("file_journal_place", tests, NULL, NULL);
}
