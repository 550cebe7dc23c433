/* SPDX-License-Identifier: MIT */
#include "swap/write.h"

#include <errno.h>

#include "base/panic.h"
#include "swap/clusters.h"
#include "swap/file.h"
#include "swap/object.h"

/* Who puts pages tries another cluster so often. */
#define FAILURES_BORNE 1u

/* Sums are only of use in the file, so who never goes there has none. */
static void fill_in_sums(char *bytes, size_t fill, uint64_t sequence)
{
	size_t offset = 0;

	while (offset < fill) {
		struct vmsi_object *object = (struct vmsi_object *)(bytes + offset);

		object->sum = vmsi_object_sum(object, object + 1, sequence);
		offset += vmsi_object_size(object->bytes);
	}
}

/* The store may be closed as soon as the lock is released. */
static void end_write(struct vmsi_io_request *request)
{
	struct vmsi_swap_write *write = request->context;
	struct vmsi_swap *swap = write->swap;
	const int error = vmsi_io_status(request);
	struct vmsi_cluster *cluster;

	vmsi_lock_acquire(&swap->lock);
	cluster = &swap->clusters[write->cluster];
	write->is_used = false;
	swap->writing--;
	if (error) {
		/* The others go first, or a bad spot of a disk would stop them all. */
		vmsi_cluster_queue_last(swap, write->cluster);
		cluster->has_failed = true;
		swap->failures++;
		swap->write_error = error;
	} else {
		cluster->state = VMSI_CLUSTER_FILED;
		swap->lingering++;
		swap->filed++;
		swap->figures.written++;
	}
	vmsi_cluster_settle(swap, write->cluster);
	vmsi_swap_ring_bell(swap);
	vmsi_lock_release(&swap->lock);
}

static struct vmsi_swap_write *find_unused(struct vmsi_swap *swap)
{
	for (unsigned i = 0; i < VMSI_SWAP_WRITES; i++)
		if (!swap->writes[i].is_used)
			return &swap->writes[i];
	return NULL;
}

/* A limit that was lowered since the store was opened would raise SIGXFSZ in any thread. */
static void submit(struct vmsi_swap *swap, struct vmsi_io_request *request)
{
	const uint64_t end = request->offset + request->length;

	if (end > vmsi_swap_file_limit(end)) {
		request->result = request->error = -EFBIG;
		end_write(request);
		return;
	}
	if (vmsi_swap_is_alone(swap))
		(void)vmsi_io_run(request);
	else
		vmsi_io_submit(swap->io, &request, 1);
}

/* The oldest of those with a number below one, that has not failed; or, that has. */
static uint32_t find(const struct vmsi_swap *swap, uint32_t below, bool has_failed)
{
	uint32_t id = swap->first;

	while (id != VMSI_NONE && (swap->clusters[id].has_failed != has_failed || id >= below))
		id = swap->clusters[id].next;
	return id;
}

/* What has failed is tried again when nothing else can be, or is on its way. */
static uint32_t choose(const struct vmsi_swap *swap, uint32_t below)
{
	const uint32_t id = find(swap, below, false);

	return id == VMSI_NONE && !swap->writing ? find(swap, below, true) : id;
}

/* Have room on the disk for one cluster more; or wait for who does. As vmsi_write_make. */
static int back_one(struct vmsi_swap *swap)
{
	const uint32_t id = swap->backed_clusters;
	int error;

	if (id == swap->cluster_count)
		return -ENOSPC;
	if (swap->is_backing) {
		vmsi_swap_sleep(swap);
		return 0;
	}
	swap->is_backing = true;
	vmsi_lock_release(&swap->lock);
	error = vmsi_swap_file_reserve(swap->fd, vmsi_cluster_offset(swap, id),
				       swap->cluster_bytes);
	vmsi_lock_acquire(&swap->lock);
	swap->is_backing = false;
	swap->backed_clusters += !error;
	vmsi_swap_ring_bell(swap);
	return error;
}

/* The cluster to be written next, for which the disk has room. */
static uint32_t choose_backed(struct vmsi_swap *swap)
{
	uint32_t id;

	while ((id = choose(swap, VMSI_NONE)) != VMSI_NONE && id >= swap->backed_clusters)
		if (back_one(swap) != 0)
			return choose(swap, swap->backed_clusters);
	return id;
}

bool vmsi_write_begin(struct vmsi_swap *swap)
{
	const uint32_t id = swap->fd >= 0 && find_unused(swap) ? choose_backed(swap) :
								 VMSI_NONE;
	/* Anew: the lock may have been let go of meanwhile. */
	struct vmsi_swap_write *write = find_unused(swap);
	struct vmsi_io_request *request;
	struct vmsi_cluster *cluster;

	if (id == VMSI_NONE || !write)
		return false;
	vmsi_debug_check(id < swap->backed_clusters,
			 "W8: the disk has room for what is written");
	cluster = &swap->clusters[id];
	vmsi_cluster_unqueue(swap, id);
	cluster->state = VMSI_CLUSTER_WRITING;
	swap->writing++;
	*write = (struct vmsi_swap_write){
		.request = {
			.opcode = VMSI_IO_WRITE,
			.fd = swap->fd,
			.buffer = vmsi_cluster_bytes(swap, id),
			.length = cluster->fill,
			.offset = vmsi_cluster_offset(swap, id),
			.is_detached = true,
			.done = end_write,
			.context = write,
		},
		.swap = swap,
		.cluster = id,
		.is_used = true,
	};
	request = &write->request;
	vmsi_lock_release(&swap->lock);
	fill_in_sums(request->buffer, request->length, cluster->sequence);
	submit(swap, request);
	vmsi_lock_acquire(&swap->lock);
	return true;
}

int vmsi_write_problem(const struct vmsi_swap *swap, uint64_t failures)
{
	return swap->failures - failures > FAILURES_BORNE ? swap->write_error : 0;
}

int vmsi_write_step(struct vmsi_swap *swap, uint64_t failures)
{
	const int error = vmsi_write_problem(swap, failures);

	if (error)
		return error;
	if (vmsi_write_begin(swap))
		return 0;
	if (!swap->writing && !swap->lingering)
		return -ENOSPC;
	vmsi_swap_sleep(swap);
	return 0;
}

int vmsi_write_make(struct vmsi_swap *swap, enum vmsi_need need, uint64_t failures)
{
	switch (need) {
	case VMSI_NEED_BUFFER:
		return vmsi_write_step(swap, failures);
	case VMSI_NEED_ROOM:
		return back_one(swap);
	case VMSI_NEED_NOTHING:
	case VMSI_NEED_CLUSTER:
	case VMSI_NEED_MEMORY:
		break;
	}
	return -ENOSPC;
}

void vmsi_write_drain(struct vmsi_swap *swap)
{
	while (swap->writing)
		vmsi_swap_sleep(swap);
}
