/* SPDX-License-Identifier: MIT */
#include "pager/engines.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include "base/mman.h"
#include "host/disk.h"
#include "host/host.h"

/*
 * The range shows a memfd, byte for byte. Memory is brought by a write to the memfd, while
 * the range has no rights there, and taken away with a hole.
 */

int vmsi_protect_open(struct vmsi_pager *pager)
{
	const int fd = (int)vmsi_disk_make_memory("vmspace-pager", MFD_NOEXEC_SEAL);
	int error;

	if (fd < 0)
		return fd;
	error = vmsi_disk_truncate(fd, vmsi_range_length(pager->range));
	if (error) {
		(void)vmsi_host.close(fd);
		return error;
	}
	pager->fd = fd;
	return 0;
}

static uint64_t offset_of(const struct vmsi_pager *pager, uintptr_t address)
{
	return address - pager->range.start;
}

static int punch(const struct vmsi_pager *pager, struct vmsi_range range)
{
	int error;

	do
		error = (int)vmsi_host.fallocate(pager->fd,
						 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						 offset_of(pager, range.start),
						 vmsi_range_length(range));
	while (error == -EINTR);
	return error;
}

static int set_rights(struct vmsi_range range, int rights)
{
	return (int)vmsi_host.mprotect(range.start, vmsi_range_length(range), rights);
}

int vmsi_protect_set_stores(const struct vmsi_pager *pager, struct vmsi_range range,
			    enum vmsi_stores stores)
{
	(void)pager;
	return set_rights(range, stores == VMSI_STORES_WORK ? PROT_READ | PROT_WRITE :
							      PROT_READ);
}

/* The rights come last, in one step: a part of what is written is seen by nobody. */
int vmsi_protect_bring(const struct vmsi_pager *pager, uintptr_t address,
		       const char *bytes, size_t length, enum vmsi_stores stores)
{
	const struct vmsi_range range = { address, address + length };
	int error = vmsi_disk_write(pager->fd, bytes, length, offset_of(pager, address));

	if (!error)
		error = vmsi_protect_set_stores(pager, range, stores);
	if (error)
		(void)punch(pager, range);
	return error;
}

/*
 * The rights go first, or somebody would read zeroes. What the memfd keeps where it lets
 * no hole be made, and no rights be given back, is overwritten when the memory is brought
 * again.
 */
int vmsi_protect_take(const struct vmsi_pager *pager, struct vmsi_range range)
{
	int error = set_rights(range, PROT_NONE);

	if (error)
		return error;
	error = punch(pager, range);
	if (error && set_rights(range, PROT_READ) != 0)
		error = 0;
	return error;
}
