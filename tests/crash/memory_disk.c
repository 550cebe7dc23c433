/* SPDX-License-Identifier: MIT */
#include "memory_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../kernel/random.h"
#include "host/host.h"

/* --- contents ------------------------------------------------------------------------- */

static size_t page_bytes(void)
{
	return vmsi_page_size();
}

void memory_arena_open(struct memory_arena *arena, size_t size)
{
	arena->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena->bytes == MAP_FAILED)
		abort();
	arena->used = 0;
	arena->size = size;
}

void memory_arena_close(struct memory_arena *arena)
{
	(void)munmap(arena->bytes, arena->size);
}

static uint8_t *take_page(struct memory_arena *arena)
{
	uint8_t *page = arena->bytes + arena->used;

	arena->used += page_bytes();
	if (arena->used > arena->size)
		abort();
	return page;
}

void memory_disk_init(struct memory_disk *disk, struct memory_arena *arena)
{
	memset(disk, 0, sizeof(*disk));
	disk->journal = -1;
	disk->made = 1;
	disk->arena = arena;
}

void memory_disk_copy(struct memory_disk *copy, const struct memory_disk *disk,
		      struct memory_arena *arena)
{
	copy->journal = disk->journal;
	copy->made = disk->made;
	copy->arena = arena;
	for (int i = 0; i < disk->made; i++) {
		const struct memory_file *from = &disk->files[i];
		struct memory_file *to = &copy->files[i];

		memcpy(to, from, offsetof(struct memory_file, pages));
		memcpy(to->pages, from->pages,
		       from->page_count * sizeof(*from->pages));
	}
}

/* A page that this disk alone has. */
static uint8_t *own_page(struct memory_disk *disk, struct memory_file *file,
			 size_t index)
{
	const struct memory_arena *arena = disk->arena;
	const uint8_t *page;
	uint8_t *own;

	if (index >= MEMORY_PAGES)
		abort();
	while (file->page_count <= index)
		file->pages[file->page_count++] = NULL;
	page = file->pages[index];
	if (page && page >= arena->bytes && page < arena->bytes + arena->used)
		return (uint8_t *)page;
	own = take_page(disk->arena);
	if (page)
		memcpy(own, page, page_bytes());
	else
		memset(own, 0, page_bytes());
	file->pages[index] = own;
	return own;
}

/* Whole pages of zeros are no pages, as journals have many. */
static bool is_zero_page(const uint8_t *bytes, size_t length)
{
	return length == page_bytes() && bytes[0] == 0 &&
		memcmp(bytes, bytes + 1, length - 1) == 0;
}

static void write_part(struct memory_disk *disk, struct memory_file *file,
		       uint64_t offset, const uint8_t *from, size_t length)
{
	const size_t page = offset / page_bytes();

	if (!is_zero_page(from, length))
		memcpy(own_page(disk, file, page) + offset % page_bytes(), from,
		       length);
	else if (page < file->page_count)
		file->pages[page] = NULL;
}

void memory_write(struct memory_disk *disk, int index, const void *bytes,
		  size_t length, uint64_t offset)
{
	struct memory_file *file = &disk->files[index];
	const uint8_t *from = bytes;

	if (offset + length > file->size)
		file->size = offset + length;
	while (length > 0) {
		const size_t part = vmsi_min(length, page_bytes() -
						     offset % page_bytes());

		write_part(disk, file, offset, from, part);
		from += part;
		offset += part;
		length -= part;
	}
}

size_t memory_read(const struct memory_disk *disk, int index, void *bytes,
		   size_t length, uint64_t offset)
{
	const struct memory_file *file = &disk->files[index];
	uint8_t *to = bytes;
	size_t left;

	if (offset >= file->size)
		return 0;
	length = left = vmsi_min(length, file->size - offset);
	while (left > 0) {
		const size_t at = offset % page_bytes();
		const size_t page = offset / page_bytes();
		const size_t part = vmsi_min(left, page_bytes() - at);

		if (page < file->page_count && file->pages[page])
			memcpy(to, file->pages[page] + at, part);
		else
			memset(to, 0, part);
		to += part;
		offset += part;
		left -= part;
	}
	return length;
}

void memory_set_size(struct memory_disk *disk, int index, uint64_t size)
{
	struct memory_file *file = &disk->files[index];
	const size_t whole = size / page_bytes(), rest = size % page_bytes();

	if (size < file->size) {
		if (rest && whole < file->page_count && file->pages[whole])
			memset(own_page(disk, file, whole) + rest, 0,
			       page_bytes() - rest);
		file->page_count = vmsi_min(file->page_count,
					    whole + (rest != 0));
	}
	file->size = size;
}

/* --- the host's calls ------------------------------------------------------------------- */

#define FIRST_FD 100000
#define DIRECTORY_FD (FIRST_FD + MEMORY_FILES)

static struct {
	struct memory_disk *disk;
	struct vmsi_host_calls earlier;
	unsigned changes;
} host;

static int file_of(int fd)
{
	if (fd < FIRST_FD || fd >= FIRST_FD + MEMORY_FILES)
		abort();
	return fd - FIRST_FD;
}

static long memory_open_file(const char *path, int flags, mode_t mode)
{
	(void)mode;
	if (flags & O_DIRECTORY)
		return DIRECTORY_FD;
	if (strcmp(path, MEMORY_JOURNAL_PATH) != 0)
		abort();
	if (host.disk->journal >= 0)
		return flags & O_EXCL ? -EEXIST :
					FIRST_FD + host.disk->journal;
	if (!(flags & O_CREAT))
		return -ENOENT;
	if (host.disk->made == MEMORY_FILES)
		abort();
	host.changes++;
	memset(&host.disk->files[host.disk->made], 0, sizeof(struct memory_file));
	host.disk->journal = host.disk->made++;
	return FIRST_FD + host.disk->journal;
}

static long memory_unlink(const char *path)
{
	(void)path;
	if (host.disk->journal < 0)
		return -ENOENT;
	host.changes++;
	host.disk->journal = -1;
	return 0;
}

static long memory_fstat(int fd, struct stat *status)
{
	const int file = file_of(fd);

	memset(status, 0, sizeof(*status));
	status->st_dev = 1;
	status->st_ino = (ino_t)file + 1;
	status->st_nlink = 1;
	status->st_mode = S_IFREG | 0644;
	status->st_size = (off_t)host.disk->files[file].size;
	return 0;
}

static long memory_pread(int fd, void *bytes, size_t length, uint64_t offset)
{
	return (long)memory_read(host.disk, file_of(fd), bytes, length, offset);
}

static long memory_pwrite(int fd, const void *bytes, size_t length,
			  uint64_t offset)
{
	host.changes++;
	if (offset + length > MEMORY_PAGES * page_bytes())
		return -EFBIG;
	memory_write(host.disk, file_of(fd), bytes, length, offset);
	return (long)length;
}

static long memory_ftruncate(int fd, uint64_t size)
{
	host.changes++;
	if (size > MEMORY_PAGES * page_bytes())
		return -EFBIG;
	memory_set_size(host.disk, file_of(fd), size);
	return 0;
}

static long memory_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	struct memory_file *file = &host.disk->files[file_of(fd)];

	host.changes++;
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		for (uint64_t at = offset; at < offset + length; at++)
			memory_write(host.disk, file_of(fd), "", 1, at);
		return 0;
	}
	if (offset + length > MEMORY_PAGES * page_bytes())
		return -ENOSPC;
	if (offset + length > file->size)
		file->size = offset + length;
	return 0;
}

static long memory_sync(int fd)
{
	(void)fd;
	return 0;
}

static long memory_attribute(int fd, const char *name, void *value, size_t size)
{
	const struct memory_file *file = &host.disk->files[file_of(fd)];

	(void)name;
	if (file->attribute_length == 0)
		return -ENODATA;
	if (file->attribute_length > size)
		return -ERANGE;
	memcpy(value, file->attribute, file->attribute_length);
	return (long)file->attribute_length;
}

static long memory_set_attribute(int fd, const char *name, const void *value,
				 size_t size)
{
	struct memory_file *file = &host.disk->files[file_of(fd)];

	(void)name;
	if (size > MEMORY_ATTRIBUTE)
		abort();
	host.changes++;
	memcpy(file->attribute, value, size);
	file->attribute_length = size;
	return 0;
}

static long memory_birth_time(int fd, struct timespec *time)
{
	(void)fd;
	*time = (struct timespec){ 1, 2 };
	return 0;
}

/*
 * Memory for records: one region for all of them, so that a recovery does not cost the
 * page faults of its buffer. The host's mapping calls are about nothing else here.
 */
#define REGION ((size_t)1 << 20)
static uint8_t *region;

static long memory_mmap(uintptr_t address, size_t length, int prot, int flags,
			int fd, uint64_t offset)
{
	(void)flags, (void)fd, (void)offset;
	if (length > REGION)
		return -ENOMEM;
	if (!region)
		region = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (region == MAP_FAILED)
		abort();
	if (prot == PROT_NONE)
		return (long)(uintptr_t)region;
	memset((void *)address, 0, length);
	return (long)address;
}

static long memory_munmap(uintptr_t address, size_t length)
{
	(void)address, (void)length;
	return 0;
}

/* The process is alone. */
static long memory_file_lock(int fd, int command, struct flock *lock)
{
	(void)fd, (void)command, (void)lock;
	return 0;
}

void memory_disk_enter(struct memory_disk *disk)
{
	host.disk = disk;
	host.changes = 0;
	host.earlier = vmsi_host;
	vmsi_host.mmap = memory_mmap;
	vmsi_host.munmap = memory_munmap;
	vmsi_host.open_file = memory_open_file;
	vmsi_host.close = memory_sync;
	vmsi_host.unlink = memory_unlink;
	vmsi_host.fstat = memory_fstat;
	vmsi_host.pread = memory_pread;
	vmsi_host.pwrite = memory_pwrite;
	vmsi_host.ftruncate = memory_ftruncate;
	vmsi_host.fallocate = memory_fallocate;
	vmsi_host.fsync = memory_sync;
	vmsi_host.fdatasync = memory_sync;
	vmsi_host.attribute = memory_attribute;
	vmsi_host.set_attribute = memory_set_attribute;
	vmsi_host.birth_time = memory_birth_time;
	vmsi_host.file_lock = memory_file_lock;
}

void memory_disk_leave(void)
{
	vmsi_host = host.earlier;
}

int memory_disk_home(void)
{
	return FIRST_FD + MEMORY_HOME;
}

unsigned memory_disk_changes(void)
{
	return host.changes;
}
