/* SPDX-License-Identifier: MIT */
#include "contender.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/file.h>

/* The floor, which no commit can pass: the pages written in place and synced. */

static int floor_fd;

static void make_file(const char *path, size_t pages)
{
	static char zeros[1 << 20];
	const int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);

	if (fd < 0)
		bench_fail(path);
	for (size_t i = 0; i < pages * PAGE_BYTES / sizeof(zeros); i++)
		if (write(fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros))
			bench_fail("write");
	if (fsync(fd) != 0)
		bench_fail("fsync");
	close(fd);
}

static void floor_make(const char *directory, size_t pages)
{
	make_file(bench_path(directory, "floor"), pages);
	floor_fd = open(bench_path(directory, "floor"), O_RDWR);
	if (floor_fd < 0)
		bench_fail("open");
}

static void *floor_join(void)
{
	char *buffer = malloc(PAGE_BYTES);

	if (!buffer)
		bench_fail("malloc");
	return memset(buffer, 1, PAGE_BYTES);
}

static void floor_commit(void *thread, const uint32_t *pages, size_t count,
			 uint64_t stamp)
{
	memcpy(thread, &stamp, sizeof(stamp));
	for (size_t i = 0; i < count; i++)
		if (pwrite(floor_fd, thread, PAGE_BYTES,
			   (off_t)(pages[i] * PAGE_BYTES)) !=
		    (ssize_t)PAGE_BYTES)
			bench_fail("pwrite");
	if (fdatasync(floor_fd) != 0)
		bench_fail("fdatasync");
}

static void floor_remove(const char *directory)
{
	close(floor_fd);
	unlink(bench_path(directory, "floor"));
}

const struct contender contender_floor = {
	"write and fdatasync", floor_make, floor_join, free, floor_commit,
	floor_remove,
};

/* --- vmspace ------------------------------------------------------------------------ */

static vms_file *file;

static void vmspace_make(const char *directory, size_t pages)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | VMS_FILE_TELLS,
		.maximum = pages * PAGE_BYTES,
	};

	make_file(bench_path(directory, "vmspace"), pages);
	file = vms_file_open(bench_path(directory, "vmspace"), &options);
	if (!file)
		bench_fail("vms_file_open");
}

static void *vmspace_join(void)
{
	return file;
}

static void vmspace_leave(void *thread)
{
	(void)thread;
}

static void vmspace_commit(void *thread, const uint32_t *pages, size_t count,
			   uint64_t stamp)
{
	(void)thread;
	vms_file_begin_update(file);
	for (size_t i = 0; i < count; i++) {
		const uint64_t offset = pages[i] * PAGE_BYTES;

		if (vms_file_will_write(file, offset, PAGE_BYTES) != 0)
			bench_fail("vms_file_will_write");
		memset(vms_file_at(file, offset, PAGE_BYTES), (int)stamp,
		       PAGE_BYTES);
	}
	vms_file_end_update(file);
	if (vms_file_commit(file) != 0)
		bench_fail("vms_file_commit");
}

static void vmspace_remove(const char *directory)
{
	if (vms_file_close(file) != 0)
		bench_fail("vms_file_close");
	unlink(bench_path(directory, "vmspace"));
}

const struct contender contender_vmspace = {
	"vms_file_commit", vmspace_make, vmspace_join, vmspace_leave,
	vmspace_commit, vmspace_remove,
};
