/* SPDX-License-Identifier: MIT */
#include "swap/collect.h"

#include <errno.h>

#include "swap/append.h"
#include "swap/memory.h"
#include "swap/places.h"
#include "swap/write.h"

/* So many clusters are looked at before the best of them is taken. */
#define LOOKS 4096u

/* --- which -------------------------------------------------------------------------- */

/* One that is open would be the best, but it fills up by itself. */
static bool may_collect(const struct vmsi_cluster *cluster)
{
	return (cluster->state == VMSI_CLUSTER_SEALED ||
		cluster->state == VMSI_CLUSTER_FILED) && !cluster->is_bad;
}

/*
 * An eighth at least is won, or so much would be moved for so little. What is behind the
 * last object is not won: the next one that was put had no room there, either. So each
 * time there is less to be won, and it comes to an end.
 */
static bool is_worth_it(const struct vmsi_swap *swap, uint32_t dead)
{
	return dead >= swap->cluster_bytes / 8;
}

/*
 * The cluster with the most that is no longer used; VMSI_NONE: no one is worth it.
 * is_coming: one is empty already, but for those who read it.
 */
static uint32_t choose(struct vmsi_swap *swap, bool *is_coming)
{
	uint32_t chosen = VMSI_NONE, most = 0;

	*is_coming = false;
	for (uint32_t i = 0; i < swap->fresh_cluster; i++) {
		const uint32_t id = swap->hand++ % swap->fresh_cluster;
		const struct vmsi_cluster *cluster = &swap->clusters[id];

		if (!may_collect(cluster))
			continue;
		*is_coming |= cluster->live == 0;
		if (cluster->live > 0 && cluster->fill - cluster->live > most) {
			chosen = id;
			most = cluster->fill - cluster->live;
		}
		if (i >= LOOKS && is_worth_it(swap, most))
			break;
	}
	return is_worth_it(swap, most) ? chosen : VMSI_NONE;
}

void vmsi_collect_again(struct vmsi_swap *swap)
{
	for (uint32_t id = 0; swap->has_bad && id < swap->fresh_cluster; id++)
		swap->clusters[id].is_bad = false;
	swap->has_bad = false;
}

/* --- what is in it ------------------------------------------------------------------ */

struct victim {
	uint32_t id;
	char *bytes;
	bool is_from_file;
	uint64_t failures;
};

/* Put an object behind others elsewhere, unless it is freed while there is no room yet. */
static int move(struct vmsi_swap *swap, const struct victim *victim,
		const struct vmsi_object *object, uint64_t word)
{
	uint64_t moved;

	while (swap->places[object->place] == word) {
		const enum vmsi_need need = vmsi_append(swap, VMSI_FILL_MOVE, object,
							object + 1, &moved);
		int error;

		if (need == VMSI_NEED_NOTHING) {
			swap->places[object->place] = moved;
			swap->clusters[victim->id].live -= (uint32_t)vmsi_place_size(word);
			return 0;
		}
		error = vmsi_write_make(swap, need, victim->failures);
		if (error)
			return error;
	}
	return 0;
}

static bool is_whole(const struct vmsi_swap *swap, const struct victim *victim,
		     const struct vmsi_object *object)
{
	return !victim->is_from_file ||
		vmsi_object_sum(object, object + 1, swap->clusters[victim->id].sequence) ==
		object->sum;
}

/*
 * Move what is live. What came from the file may be anything: nothing of it is believed
 * but where a place has that object there, and its sum is right. What cannot be moved
 * stays where it is, and its readers are told.
 */
static int move_all(struct vmsi_swap *swap, const struct victim *victim)
{
	const size_t fill = swap->clusters[victim->id].fill;
	size_t offset = 0;

	while (offset + sizeof(struct vmsi_object) <= fill) {
		const struct vmsi_object *object =
			(const struct vmsi_object *)(victim->bytes + offset);
		const uint64_t place = object->place;
		const size_t size = vmsi_object_size(object->bytes);
		const uint64_t word = vmsi_place_of_object(victim->id, offset, size);
		int error;

		if (size > fill - offset ||
		    !vmsi_object_is_sane(object, place, size, swap->page_bytes,
					 swap->codec))
			break;
		offset += size;
		if (place >= swap->fresh_place || swap->places[place] != word ||
		    !is_whole(swap, victim, object))
			continue;
		error = move(swap, victim, object, word);
		if (error)
			return error;
	}
	return 0;
}

/* --- the whole ---------------------------------------------------------------------- */

static int collect_from_memory(struct vmsi_swap *swap, struct victim *victim)
{
	int error;

	vmsi_cluster_unqueue(swap, victim->id);
	swap->clusters[victim->id].state = VMSI_CLUSTER_VICTIM;
	victim->bytes = vmsi_cluster_bytes(swap, victim->id);
	error = move_all(swap, victim);
	vmsi_cluster_queue_first(swap, victim->id);
	return error;
}

/* A cluster that cannot be read is left alone. The lock is not held meanwhile. */
static int read_victim(struct vmsi_swap *swap, const struct victim *victim)
{
	struct vmsi_io_request request = {
		.opcode = VMSI_IO_READ,
		.fd = swap->fd,
		.buffer = victim->bytes,
		.length = swap->clusters[victim->id].fill,
		.offset = vmsi_cluster_offset(swap, victim->id),
	};

	vmsi_lock_release(&swap->lock);
	(void)vmsi_io_run(&request);
	vmsi_lock_acquire(&swap->lock);
	return vmsi_io_status(&request);
}

static int collect_from_file(struct vmsi_swap *swap, struct victim *victim)
{
	struct vmsi_cluster *cluster = &swap->clusters[victim->id];
	uint32_t buffer;
	int error = 0;

	cluster->is_collected = true;
	while ((buffer = vmsi_memory_take(swap)) == VMSI_NONE && !error)
		error = vmsi_write_step(swap, victim->failures);
	if (buffer != VMSI_NONE) {
		victim->bytes = vmsi_memory_buffer(swap, buffer);
		victim->is_from_file = true;
		error = 0;
		if (read_victim(swap, victim) == 0)
			error = move_all(swap, victim);
		vmsi_memory_give(swap, buffer);
		cluster->is_bad = !error && cluster->live > 0;
		swap->has_bad |= cluster->is_bad;
	}
	cluster->is_collected = false;
	return error;
}

int vmsi_collect(struct vmsi_swap *swap, uint64_t failures)
{
	struct victim victim = { .failures = failures };
	bool is_coming = false;
	int error;

	victim.id = swap->is_collecting ? VMSI_NONE : choose(swap, &is_coming);
	if (victim.id == VMSI_NONE) {
		if (!swap->is_collecting && !is_coming && !swap->writing) {
			vmsi_collect_again(swap);
			return -ENOSPC;
		}
		vmsi_swap_sleep(swap);
		return vmsi_write_problem(swap, failures);
	}
	swap->is_collecting = true;
	error = swap->clusters[victim.id].state == VMSI_CLUSTER_FILED ?
		collect_from_file(swap, &victim) : collect_from_memory(swap, &victim);
	swap->is_collecting = false;
	swap->figures.collected += swap->clusters[victim.id].live == 0;
	vmsi_cluster_settle(swap, victim.id);
	vmsi_swap_ring_bell(swap);
	return error;
}
