/* SPDX-License-Identifier: MIT */
#include "swap/write.h"

#include <errno.h>

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

/* The oldest; what has failed is tried again when nothing else can be, or is on its way. */
static uint32_t choose(const struct vmsi_swap *swap)
{
	uint32_t id = swap->first;

	while (id != VMSI_NONE && swap->clusters[id].has_failed)
		id = swap->clusters[id].next;
	return id == VMSI_NONE && !swap->writing ? swap->first : id;
}

bool vmsi_write_begin(struct vmsi_swap *swap)
{
	const uint32_t id = choose(swap);
	struct vmsi_swap_write *write = find_unused(swap);
	struct vmsi_io_request *request;
	struct vmsi_cluster *cluster;

	if (swap->fd < 0 || id == VMSI_NONE || !write)
		return false;
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

void vmsi_write_drain(struct vmsi_swap *swap)
{
	while (swap->writing)
		vmsi_swap_sleep(swap);
}
