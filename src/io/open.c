/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include "base/align.h"
#include "host/host.h"
#include "io/end.h"
#include "io/keeper.h"
#include "io/wait.h"
#include "io/workers.h"

#define FLAGS (VMSI_IO_NO_RING | VMSI_IO_NO_THREADS)

static size_t record_bytes(void)
{
	return vmsi_align_up(sizeof(struct vmsi_io), vmsi_page_size());
}

static int map_record(struct vmsi_io **record)
{
	const long memory = vmsi_host.mmap(0, record_bytes(), PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory < 0)
		return (int)memory;
	*record = (struct vmsi_io *)memory;
	return 0;
}

static void open_ring(struct vmsi_io *io)
{
	const int error = vmsi_uring.open(&io->ring, io->depth);

	io->has_ring = error == 0;
	atomic_init(&io->problem, error);
	if (io->has_ring)
		atomic_init(&io->engine, VMSI_IO_RING);
}

static void fill_in(struct vmsi_io *io, unsigned depth, unsigned flags)
{
	vmsi_lock_init(&io->lock, VMSI_RANK_IO);
	io->depth = depth;
	io->flags = flags;
	atomic_init(&io->engine, VMSI_IO_THREADS);
}

int vmsi_io_open(unsigned depth, unsigned flags, struct vmsi_io **opened)
{
	struct vmsi_io *io;
	int error;

	if (depth < 1 || depth > VMSI_IO_DEPTH_MOST || (flags & ~FLAGS))
		return -EINVAL;
	error = map_record(&io);
	if (error)
		return error;
	fill_in(io, depth, flags);
	if (!(flags & VMSI_IO_NO_RING))
		open_ring(io);
	*opened = io;
	return 0;
}

void vmsi_io_close(struct vmsi_io *io)
{
	if (!io->is_forked) {
		vmsi_io_wait_until_over(io, NULL);
		vmsi_lock_acquire(&io->lock);
		io->is_closing = true;
		vmsi_lock_release(&io->lock);
		vmsi_keeper_join(io);
		vmsi_workers_join(io);
		if (io->has_ring)
			vmsi_uring.close(&io->ring);
		pthread_mutex_destroy(&io->lock.mutex);
	}
	vmsi_host.munmap((uintptr_t)io, record_bytes());
}

void vmsi_io_forked(struct vmsi_io *io)
{
	if (io->has_ring && !io->is_forked)
		vmsi_uring.forget(&io->ring);
	io->is_forked = true;
}

size_t vmsi_io_bytes(struct vmsi_io *io)
{
	size_t bytes = record_bytes();

	vmsi_lock_acquire(&io->lock);
	bytes += (io->worker_count + io->has_keeper) * VMSI_IO_STACK_USED;
	if (io->has_ring)
		bytes += vmsi_uring.bytes(&io->ring);
	vmsi_lock_release(&io->lock);
	return bytes;
}

size_t vmsi_io_most_bytes(unsigned depth, unsigned flags)
{
	const size_t threads = flags & VMSI_IO_NO_THREADS ? 0 :
		vmsi_min(depth, VMSI_IO_THREADS_MOST) + 1;
	size_t entries = 1;

	/* A power of two of them, each with 64 bytes, an index, and two results of 16. */
	while (entries < depth)
		entries *= 2;
	return record_bytes() + threads * VMSI_IO_STACK_USED +
		vmsi_align_up(entries * (64 + 4 + 32), vmsi_page_size()) +
		2 * vmsi_page_size();
}
