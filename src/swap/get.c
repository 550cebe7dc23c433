/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "swap/codec.h"
#include "swap/clusters.h"
#include "swap/object.h"
#include "swap/places.h"
#include "swap/scratch.h"

/* So many are read from the file together. */
#define ROUND 32u

_Static_assert(sizeof(((struct vmsi_swap_get *)0)->header) == sizeof(struct vmsi_object),
	       "there is room for what is read of an object");

/* --- finding it --------------------------------------------------------------------- */

static bool is_object(const struct vmsi_swap_get *get)
{
	return !get->error && vmsi_place_kind(get->word) == VMSI_PLACE_OBJECT;
}

/*
 * From here on the cluster stays, as one in memory or one in the file. A page may be moved
 * to another meanwhile: what is read is the same. Under the lock.
 */
static void find(struct vmsi_swap *swap, struct vmsi_swap_get *get)
{
	struct vmsi_cluster *cluster;

	get->error = vmsi_place_is_used(swap, get->place) ? 0 : -EINVAL;
	get->word = get->error ? 0 : swap->places[get->place];
	get->bytes = NULL;
	if (!is_object(get))
		return;
	cluster = &swap->clusters[vmsi_place_cluster(get->word)];
	get->sequence = cluster->sequence;
	if (cluster->state == VMSI_CLUSTER_FILED) {
		cluster->file_readers++;
		return;
	}
	cluster->memory_readers++;
	get->bytes = vmsi_cluster_bytes(swap, vmsi_place_cluster(get->word)) +
		vmsi_place_offset(get->word);
}

/* Under the lock. */
static void leave(struct vmsi_swap *swap, const struct vmsi_swap_get *get)
{
	struct vmsi_cluster *cluster;

	if (vmsi_place_kind(get->word) != VMSI_PLACE_OBJECT)
		return;
	cluster = &swap->clusters[vmsi_place_cluster(get->word)];
	if (get->bytes)
		cluster->memory_readers--;
	else
		cluster->file_readers--;
	swap->figures.failed_reads += get->error != 0;
	vmsi_cluster_settle(swap, vmsi_place_cluster(get->word));
}

static bool is_in_file(const struct vmsi_swap_get *get)
{
	return is_object(get) && !get->bytes;
}

/* --- restoring it ------------------------------------------------------------------- */

static bool restore(struct vmsi_swap *swap, const struct vmsi_object *object,
		    const char *bytes, void *buffer)
{
	struct vmsi_scratch scratch = { .packed = NULL };
	const bool is_in_place = bytes == buffer;
	const bool needs_scratch = is_in_place || object->codec == VMSI_SWAP_ZSTD;
	bool restored;

	if (is_in_place && object->codec == VMSI_SWAP_RAW)
		return true;
	if (needs_scratch) {
		vmsi_lock_acquire(&swap->lock);
		scratch = vmsi_scratch_take(swap, VMSI_SCRATCH_GET);
		vmsi_lock_release(&swap->lock);
	}
	if (is_in_place)
		bytes = memcpy(scratch.packed, bytes, object->bytes);
	restored = vmsi_codec_restore((enum vmsi_swap_codec)object->codec, scratch.state,
				      swap->state_bytes, bytes, object->bytes, buffer,
				      swap->page_bytes);
	if (needs_scratch) {
		vmsi_lock_acquire(&swap->lock);
		vmsi_scratch_give(swap, &scratch, VMSI_SCRATCH_GET);
		vmsi_lock_release(&swap->lock);
	}
	return restored;
}

static void get_from_memory(struct vmsi_swap *swap, struct vmsi_swap_get *get)
{
	const struct vmsi_object *object = (const struct vmsi_object *)get->bytes;

	if (vmsi_place_kind(get->word) == VMSI_PLACE_ZERO)
		memset(get->buffer, 0, swap->page_bytes);
	else if (!restore(swap, object, get->bytes + sizeof(*object), get->buffer))
		get->error = -EIO;
}

/* --- from the file ------------------------------------------------------------------ */

/* The header to its own place, the bytes into the page: they are no larger. */
static void prepare(struct vmsi_swap *swap, struct vmsi_swap_get *get,
		    struct vmsi_io_request *request)
{
	const size_t size = vmsi_place_size(get->word);

	get->parts[0] = (struct iovec){ get->header, sizeof(get->header) };
	get->parts[1] = (struct iovec){
		get->buffer, vmsi_min(size - sizeof(get->header), swap->page_bytes) };
	get->request = request;
	*request = (struct vmsi_io_request){
		.opcode = VMSI_IO_READ,
		.fd = swap->fd,
		.parts = get->parts,
		.part_count = 2,
		.length = get->parts[0].iov_len + get->parts[1].iov_len,
		.offset = vmsi_cluster_offset(swap, vmsi_place_cluster(get->word)) +
			vmsi_place_offset(get->word),
	};
}

/* A file that ends too early has lost what was written: that is no other error. */
static void finish(struct vmsi_swap *swap, struct vmsi_swap_get *get)
{
	struct vmsi_object object;

	get->error = vmsi_io_status(get->request);
	if (get->error == -ENODATA)
		get->error = -EIO;
	if (get->error)
		return;
	memcpy(&object, get->header, sizeof(object));
	if (!vmsi_object_is_sane(&object, get->place, vmsi_place_size(get->word),
				 swap->page_bytes, swap->codec) ||
	    vmsi_object_sum(&object, get->buffer, get->sequence) != object.sum ||
	    !restore(swap, &object, get->buffer, get->buffer))
		get->error = -EIO;
}

/* --- one, and many ------------------------------------------------------------------ */

bool vmsi_swap_begin_get(struct vmsi_swap *swap, struct vmsi_swap_get *get,
			 struct vmsi_io_request *request)
{
	vmsi_lock_acquire(&swap->lock);
	find(swap, get);
	vmsi_lock_release(&swap->lock);
	if (get->error)
		return false;
	if (is_in_file(get)) {
		prepare(swap, get, request);
		return true;
	}
	get_from_memory(swap, get);
	vmsi_lock_acquire(&swap->lock);
	leave(swap, get);
	vmsi_lock_release(&swap->lock);
	return false;
}

int vmsi_swap_end_get(struct vmsi_swap *swap, struct vmsi_swap_get *get)
{
	finish(swap, get);
	vmsi_lock_acquire(&swap->lock);
	leave(swap, get);
	vmsi_lock_release(&swap->lock);
	return get->error;
}

int vmsi_swap_get(struct vmsi_swap *swap, uint64_t place, void *buffer)
{
	struct vmsi_swap_get get = { .place = place, .buffer = buffer };
	struct vmsi_io_request request;

	if (!vmsi_swap_begin_get(swap, &get, &request))
		return get.error;
	(void)vmsi_io_run(&request);
	return vmsi_swap_end_get(swap, &get);
}

/* The reads of the file are in flight while what is in memory is restored. */
static void get_round(struct vmsi_swap *swap, struct vmsi_swap_get gets[], size_t count)
{
	struct vmsi_io_request *requests[ROUND], memory[ROUND];
	size_t reads = 0;

	vmsi_lock_acquire(&swap->lock);
	for (size_t i = 0; i < count; i++)
		find(swap, &gets[i]);
	vmsi_lock_release(&swap->lock);
	for (size_t i = 0; i < count; i++)
		if (is_in_file(&gets[i])) {
			requests[reads] = &memory[reads];
			prepare(swap, &gets[i], requests[reads++]);
		}
	if (reads)
		vmsi_io_submit(swap->io, requests, reads);
	for (size_t i = 0; i < count; i++)
		if (!gets[i].error && !is_in_file(&gets[i]))
			get_from_memory(swap, &gets[i]);
	for (size_t i = 0; i < count; i++)
		if (is_in_file(&gets[i])) {
			(void)vmsi_io_wait(swap->io, gets[i].request);
			finish(swap, &gets[i]);
		}
	vmsi_lock_acquire(&swap->lock);
	for (size_t i = 0; i < count; i++)
		leave(swap, &gets[i]);
	vmsi_lock_release(&swap->lock);
}

int vmsi_swap_get_many(struct vmsi_swap *swap, const uint64_t places[],
		       void *const buffers[], size_t count, int errors[])
{
	int first = 0;

	for (size_t begin = 0; begin < count; begin += ROUND) {
		const size_t part = vmsi_min(count - begin, ROUND);
		struct vmsi_swap_get gets[ROUND];

		for (size_t i = 0; i < part; i++) {
			gets[i].place = places[begin + i];
			gets[i].buffer = buffers[begin + i];
		}
		get_round(swap, gets, part);
		for (size_t i = 0; i < part; i++) {
			errors[begin + i] = gets[i].error;
			if (!first)
				first = gets[i].error;
		}
	}
	return first;
}
