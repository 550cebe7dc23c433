/* SPDX-License-Identifier: MIT */
#include "space/sign_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "base/mman.h"
#include "host/disk.h"
#include "host/host.h"

/*
 * The memory of the table of names. Nobody can make a store into it fault: the memfd
 * is sealed against being cut, and from Linux 5.1 on against being written, and so
 * having holes punched, by others than the mapping. Its pages are there before they
 * are written, since a file in memory that finds none raises SIGBUS.
 *
 * The mapping is not passed on by fork, so that no child can write into its parent's
 * table, and others know by the mapping whose table it is.
 */

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/*
 * The descriptor is moved up to here, so that the program gets the lowest ones as
 * before. The kernel's own table for so many is a page, which each fork copies.
 */
#define DESCRIPTORS_FROM 448

enum fork_state {
	FORKED = 0, /* the kernel has wiped the page */
	SAME = 1,   /* the process that has made the table */
};

/* --- making it ------------------------------------------------------------ */

static int make_fork_page(struct vmsi_sign_memory *memory)
{
	const long page = vmsi_host_wiped_page();

	if (page < 0)
		return (int)page;
	memory->fork_state = (_Atomic unsigned *)page;
	return 0;
}

/* The first page, which holds the signs of most programs. */
static int give_size(int fd)
{
	const int error = vmsi_disk_truncate(fd, VMSI_SIGNS_BYTES);

	return error ? error : vmsi_disk_extend(fd, 0, vmsi_page_size(),
						VMSI_DISK_KEEP_SIZE);
}

static int seal(int fd)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	long error = vmsi_host.add_seals(fd, seals | F_SEAL_FUTURE_WRITE);

	if (error == -EINVAL)
		error = vmsi_host.add_seals(fd, seals);
	return (int)error;
}

static int map(struct vmsi_sign_memory *memory, int fd)
{
	const long start = vmsi_host.mmap(0, VMSI_SIGNS_BYTES,
					  PROT_READ | PROT_WRITE, MAP_SHARED,
					  fd, 0);
	long error;

	if (start < 0)
		return (int)start;
	error = vmsi_host.madvise((uintptr_t)start, VMSI_SIGNS_BYTES,
				  MADV_DONTFORK);
	if (!error)
		error = seal(fd);
	if (error) {
		vmsi_host.munmap((uintptr_t)start, VMSI_SIGNS_BYTES);
		return (int)error;
	}
	memory->table = (struct vmsi_sign_table *)start;
	return 0;
}

static int know(struct vmsi_sign_memory *memory, int fd)
{
	struct stat status;
	const long error = vmsi_host.fstat(fd, &status);

	if (!error) {
		memory->device = status.st_dev;
		memory->inode = status.st_ino;
	}
	return (int)error;
}

/* A descriptor out of the program's way, or -errno. */
static long high_descriptor(int fd)
{
	uint64_t soft = DESCRIPTORS_FROM, hard;

	if (vmsi_host.limit(RLIMIT_NOFILE, &soft, &hard) < 0)
		return -EMFILE;
	return vmsi_host.duplicate(fd, (int)vmsi_min(DESCRIPTORS_FROM,
						     soft / 2));
}

static void unmap(struct vmsi_sign_memory *memory)
{
	vmsi_host.munmap((uintptr_t)memory->table, VMSI_SIGNS_BYTES);
	memory->table = NULL;
}

static void begin(struct vmsi_sign_memory *memory, int fd)
{
	struct vmsi_sign_head *const head = &memory->table->head;

	memory->fd = fd;
	memory->backed = (unsigned)(vmsi_page_size() / VMSI_SIGN_BYTES) - 1;
	head->version = VMSI_SIGNS_VERSION;
	head->sign_bytes = VMSI_SIGN_BYTES;
	head->capacity = VMSI_SIGNS;
	/* Who reads meanwhile takes it for no table before it is one. */
	atomic_thread_fence(memory_order_release);
	head->magic = VMSI_SIGNS_MAGIC;
	atomic_store(memory->fork_state, SAME);
}

static int fill(struct vmsi_sign_memory *memory, int fd)
{
	long high;
	int error = give_size(fd);

	if (!error)
		error = know(memory, fd);
	if (!error)
		error = map(memory, fd);
	if (error)
		return error;
	high = high_descriptor(fd);
	if (high < 0) {
		unmap(memory);
		return (int)high;
	}
	begin(memory, (int)high);
	return 0;
}

int vmsi_sign_memory_make(struct vmsi_sign_memory *memory)
{
	int error = memory->fork_state ? 0 : make_fork_page(memory);
	long fd;

	if (error)
		return error;
	fd = vmsi_disk_make_memory(VMSI_SIGNS_FD_NAME, MFD_NOEXEC_SEAL);
	if (fd < 0) {
		error = (int)fd;
	} else {
		error = fill(memory, (int)fd);
		(void)vmsi_host.close((int)fd);
	}
	if (error) {
		vmsi_host.munmap((uintptr_t)memory->fork_state, vmsi_page_size());
		memory->fork_state = NULL;
	}
	return error;
}

/* --- in a child ----------------------------------------------------------- */

bool vmsi_sign_memory_is_parents(const struct vmsi_sign_memory *memory)
{
	return memory->table && atomic_load(memory->fork_state) != SAME;
}

void vmsi_sign_memory_forget(struct vmsi_sign_memory *memory)
{
	struct stat status;

	/* The program may have closed it, and have another file there. */
	if (vmsi_host.fstat(memory->fd, &status) == 0 &&
	    status.st_dev == memory->device && status.st_ino == memory->inode)
		(void)vmsi_host.close(memory->fd);
	memory->table = NULL;
	memory->fd = -1;
}

/* --- more of it ----------------------------------------------------------- */

/* Before Linux 5.14 there is no way to ask for a page that does not raise a signal. */
bool vmsi_sign_memory_back(struct vmsi_sign_memory *memory, unsigned number)
{
	const unsigned in_page = (unsigned)(vmsi_page_size() / VMSI_SIGN_BYTES);
	uintptr_t page;

	if (number < memory->backed)
		return true;
	page = vmsi_align_down((uintptr_t)&memory->table->signs[number],
			       vmsi_page_size());
	if (vmsi_host.madvise(page, vmsi_page_size(), MADV_POPULATE_WRITE) < 0)
		return false;
	memory->backed += in_page;
	return true;
}
