/* SPDX-License-Identifier: MIT */
#include "file_disk.h"

/* A disk that cannot read what it has: the image behind it was cut off. */

#define FILE_BYTES ((size_t)8 << 20)

/* A file on the disk that is in no page cache. */
static void make_uncached(const char *path)
{
	char *bytes = malloc(FILE_BYTES);
	const int fd = open(path, O_RDWR | O_CREAT, 0600);

	memset(bytes, 'x', FILE_BYTES);
	assert_int_equal(write(fd, bytes, FILE_BYTES), FILE_BYTES);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	(void)close(fd);
	free(bytes);
}

/* Read the file to the offset that cannot be read; the file's end: all can. */
static uint64_t first_unread(vms_file *file)
{
	char byte;

	for (uint64_t at = 0; at < FILE_BYTES; at += page_bytes())
		if (vms_file_copy_out(file, at, &byte, 1) != 0) {
			assert_int_equal(errno, EIO);
			return at;
		}
	return FILE_BYTES;
}

static void reads_what_the_disk_has(vms_file *file)
{
	struct vms_file_access access;
	uint64_t lost = 99;
	uint64_t sum = 0;

	worked(vms_file_begin_access(file, &access));
	for (uint64_t at = 0; at < FILE_BYTES; at += page_bytes())
		sum += *(const unsigned char *)vms_file_at(file, at, 1);
	errno = 0;
	assert_int_equal(vms_file_end_access(&access, &lost), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(lost % page_bytes(), 0);
	assert_true(sum < FILE_BYTES / page_bytes() * 'x');
}

static void is_an_error_of_the_access(void **state)
{
	const struct place *place = *state;
	struct disk disk;
	vms_file *file;

	if (!mount_disk(&disk, place->directory))
		skip();
	make_uncached(place->path);
	file = must_open(place->path, 0, 0);
	assert_int_equal(truncate(disk.image, 0), 0);
	reads_what_the_disk_has(file);
	assert_true(first_unread(file) < FILE_BYTES);
	/* The disk is as long as before, and what was cut off reads as zeros. */
	assert_int_equal(truncate(disk.image, DISK_BYTES), 0);
	worked(vms_file_refresh(file));
	assert_int_equal(first_unread(file), FILE_BYTES);
	worked(vms_file_close(file));
	unmount_disk(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(is_an_error_of_the_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
