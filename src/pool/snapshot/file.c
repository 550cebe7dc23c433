/* SPDX-License-Identifier: MIT */
#include "pool/snapshot/file.h"

#include <fcntl.h>

#include "base/mman.h"
#include "host/disk.h"
#include "host/host.h"
#include "pool/pool.h"

/* Bytes that are locked lie far behind all that can be in the file. */
#define LOCKS ((int64_t)1 << 62)

uint64_t vmsi_snapshot_place(const struct vms_pool *pool, unsigned number,
			     enum vmsi_snapshot_part part, uint32_t place)
{
	return ((number * UINT64_C(2) + part) * pool->snapshots.capacity + place) *
		pool->page_size;
}

int vmsi_snapshot_transfer(struct vms_pool *pool, enum vmsi_io_opcode opcode, char *buffer,
			   size_t length, uint64_t offset)
{
	struct vmsi_io_request request = {
		.opcode = opcode,
		.fd = pool->snapshots.fd,
		.buffer = buffer,
		.length = length,
		.offset = offset,
	};
	int error;

	/* The kernel would raise SIGXFSZ; the limit may be another one since the pool is open. */
	if (opcode == VMSI_IO_WRITE && vmsi_disk_check_limit(offset + length) != 0)
		return -EFBIG;
	(void)vmsi_io_run(&request);
	error = vmsi_io_status(&request);
	if (error == -ENODATA && opcode == VMSI_IO_READ)
		return -EIO;
	return vmsi_store_write_error(error);
}

static struct flock byte_of(unsigned number, short kind)
{
	return (struct flock){
		.l_type = kind,
		.l_whence = SEEK_SET,
		.l_start = LOCKS + number,
		.l_len = 1,
	};
}

bool vmsi_snapshot_lock(int fd, unsigned number)
{
	struct flock byte = byte_of(number, F_WRLCK);

	return vmsi_host.file_lock(fd, F_OFD_SETLK, &byte) == 0;
}

void vmsi_snapshot_unlock(int fd, unsigned number)
{
	struct flock byte = byte_of(number, F_UNLCK);

	(void)vmsi_host.file_lock(fd, F_OFD_SETLK, &byte);
}

enum vmsi_life vmsi_snapshot_life(int fd, unsigned number)
{
	struct flock byte = byte_of(number, F_WRLCK);

	if (vmsi_host.file_lock(fd, F_OFD_GETLK, &byte) != 0)
		return VMSI_MAY_LIVE;
	return byte.l_type == F_UNLCK ? VMSI_HAS_ENDED : VMSI_LIVES;
}

long vmsi_snapshot_map(struct vms_pool *pool, struct vmsi_snapshot *snapshot, int sharing)
{
	const struct vmsi_snapshots *snapshots = &pool->snapshots;
	const long address = vmsi_host.mmap(0, snapshots->table_bytes,
					    PROT_READ | PROT_WRITE,
					    sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (address < 0)
		return address;
	snapshot->head = (struct vmsi_snapshot_head *)address;
	snapshot->saved = (struct vmsi_saved){
		.entries = (_Atomic uint64_t *)(address + VMSI_LINE),
		.mask = vmsi_saved_entries(snapshots->capacity) - 1,
		.most = snapshots->capacity,
	};
	return 0;
}
