/* SPDX-License-Identifier: MIT */
#include "lockstep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compare.h"

/* Make each operation of a sequence on both sides, and compare. */

static void refresh(struct subject *s)
{
	struct vms_space_stats stats = { .struct_size = sizeof stats };
	int result = layout_of_space(&s->listing, &s->space, &s->files);

	if (vms_space_get_stats(s->space.space, &stats) != 0)
		differ(s, "vms_space_get_stats failed with errno %d", errno);
	s->committed = stats.committed;
	if (result == 0)
		result = layout_of_host(&s->host, &s->reader, &s->space,
					&s->files, LAYOUT_MAPS);
	if (result != 0)
		differ(s, "the mappings cannot be listed: %s",
		       strerrorname_np(-result));
}

static bool has_stack(const struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->entries[i].flags & VMS_MAPPING_GROWSDOWN)
			return true;
	return false;
}

/* Reading pages may have made stacks grow, so read both layouts again. */
static void see_stacks(struct subject *s)
{
	struct peer_channel *channel = s->peer.channel;

	if (!has_stack(&s->listing))
		return;
	refresh(s);
	channel->has_operation = false;
	channel->want_flags = false;
	channel->sample_count = 0;
	peer_send(&s->peer);
	if (peer_wait(&s->peer) != 0)
		differ(s, "the peer has failed");
	taint_add(&s->taint, &s->listing, &channel->layout);
}

/* Return whether a range ends inside a locked mapping. */
static bool keeps_part_of_locked(const struct layout *layout, size_t start,
				 size_t end)
{
	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_entry *e = &layout->entries[i];

		if (e->start < end && start < e->end &&
		    (e->flags & VMS_MAPPING_LOCKED) &&
		    (start > e->start || end < e->end))
			return true;
	}
	return false;
}

/* Return whether the kernel's mapping at an offset begins elsewhere. */
static bool begins_elsewhere(const struct subject *s, size_t offset)
{
	const struct layout_entry *ours = layout_at(&s->listing, offset);
	const struct layout_entry *theirs =
		layout_at(&s->peer.channel->layout, offset);

	return ours != NULL && theirs != NULL && ours->start != theirs->start;
}

/*
 * Equal neighbours that the kernel keeps apart (each was touched before they
 * met, or they are of two descriptors) are one mapping in a space, and may
 * keep a charge there that then keeps them apart from others. A call
 * whose answer depends on their number is not made. Nor is a touch that would
 * make a stack of the kernel grow from further away than one of a space; nor a
 * move that keeps a part of locked memory: all of the kernel's mapping loses
 * its lock then, where what the host of a space has may be two. Nor a call
 * that kernels older than a space's answers take otherwise.
 */
static bool must_skip(const struct subject *s, const struct operation *op)
{
	size_t page = s->space.page;
	size_t length = (op->length + page - 1) & ~(page - 1);
	size_t new_length = (op->new_length + page - 1) & ~(page - 1);
	size_t start = op->address.offset;
	bool fixed = op->flags & MREMAP_FIXED;
	bool keep = op->flags & MREMAP_DONTUNMAP;

	if (op->kind == OP_TOUCH)
		return !may_look(s, op->address.offset / page);
	if (older_differs(&s->older, op, &s->listing, page))
		return true;
	if (op->kind == OP_MPROTECT && op->prot & PROT_GROWSDOWN)
		return begins_elsewhere(s, start);
	if (op->kind != OP_MREMAP || op->address.kind != PLACE_WINDOW ||
	    length > WINDOW)
		return false;
	if (keep && keeps_part_of_locked(&s->listing, start, start + length))
		return true;
	if (!keep && new_length == length && (!fixed || !s->older.moves_one))
		return false;
	if (!keep && !fixed && new_length < length)
		return false;
	return layout_entries_in(&s->listing, start, start + length) !=
	       layout_entries_in(&s->peer.channel->layout, start,
				 start + length);
}

static intptr_t execute(struct subject *s, const struct operation *op)
{
	intptr_t wanted;

	operation_execute(op, &s->space, &s->files, &s->answer);
	wanted = s->answer.result;
	if (wanted >= 0 && ANSWERS_ADDRESS(op->kind)) {
		wanted -= (intptr_t)s->space.base;
		if ((uintptr_t)wanted >= WINDOW)
			differ(s, "the address is outside the space");
	}
	return wanted;
}

enum look { LOOK_AT_SOME, LOOK_AT_ALL };

static void look(struct subject *s, const struct operation *op, intptr_t wanted,
		 enum look how)
{
	static int64_t digests[PEER_SAMPLES];
	struct peer_channel *channel = s->peer.channel;

	channel->sample_count = 0;
	if (how == LOOK_AT_ALL)
		sample_all(s);
	if (op != NULL)
		sample_some(s, op, wanted);
	peer_send(&s->peer);
	take_samples(s, digests);
	if (peer_wait(&s->peer) != 0)
		differ(s, "the peer has failed");
	if (op != NULL)
		compare_answers(s, op, wanted);
	compare_layouts(s);
	if (op != NULL)
		taint_follow(&s->taint, op, wanted);
	taint_add(&s->taint, &s->listing, &channel->layout);
	check_ledger(s);
	if (op != NULL)
		note_object(s, op, wanted);
	if (channel->want_flags)
		compare_flags(s);
	compare_samples(s, digests);
}

static bool is_turn(size_t index, unsigned every)
{
	return every != 0 && index % every == every - 1;
}

static void step(struct subject *s, size_t index, const struct operation *op)
{
	const struct lockstep_options *options = &s->lockstep->options;
	struct peer_channel *channel = s->peer.channel;
	intptr_t wanted;

	see_stacks(s);
	if (must_skip(s, op)) {
		s->lockstep->skipped++;
		return;
	}
	channel->operation = *op;
	channel->has_operation = true;
	channel->want_flags = is_turn(index, options->flags_every);
	taint_target(&s->taint, op, &s->listing);
	wanted = execute(s, op);
	channel->wanted = wanted;
	refresh(s);
	look(s, op, wanted,
	     is_turn(index, options->all_every) ? LOOK_AT_ALL : LOOK_AT_SOME);
}

static void open_all(struct subject *s)
{
	/* The kernel does not fall back to ordinary pages, so the space must not. */
	struct vms_space_options options = {
		.struct_size = sizeof options,
		.flags = VMS_SPACE_HUGETLB_EXACT,
	};
	int result = peer_start(&s->peer, WINDOW, 0);

	s->strict = kernel_is_strict();
	if (s->strict) {
		options.commit_policy = VMS_COMMIT_STRICT;
		options.commit_limit = (size_t)1 << 40;
	}

	if (result == 0)
		result = caller_open(&s->space, CALLER_SPACE, WINDOW, &options,
				     0);
	if (result == 0)
		result = files_open(&s->files, s->space.page);
	if (result == 0)
		result = layout_reader_open(&s->reader);
	if (result != 0) {
		(void)fprintf(stderr, "# setting up: %s\n",
			      strerrorname_np(-result));
		_exit(2);
	}
	older_ask(&s->older);
	catch_faults();
}

/* A space with sealed memory cannot be closed. */
static bool has_sealed(const struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->entries[i].flags & VMS_MAPPING_SEALED)
			return true;
	return false;
}

static void close_all(struct subject *s)
{
	refresh(s);
	if (has_sealed(&s->listing)) {
		if (vms_space_close(s->space.space) == 0 || errno != EPERM)
			differ(s, "closing a space with a seal is not EPERM");
		return;
	}
	if (vms_munmap(s->space.space, s->space.base, WINDOW) != 0)
		differ(s, "unmapping the whole space: errno %d", errno);
	refresh(s);
	if (s->listing.count != 0 || s->committed != 0)
		differ(s, "an empty space has %zu mappings and %zu charged",
		       s->listing.count, s->committed);
	if (vms_space_close(s->space.space) != 0)
		differ(s, "closing the space: errno %d", errno);
	(void)layout_of_host(&s->host, &s->reader, &s->space, &s->files,
			     LAYOUT_MAPS);
	if (s->host.count != 0)
		differ(s, "a closed space has left mappings");
}

int lockstep_run(struct lockstep *lockstep)
{
	static struct subject s;

	s.lockstep = lockstep;
	open_all(&s);
	s.generator = (struct generator){
		.random = { lockstep->options.seed },
		.layout = &s.listing,
		.page = s.space.page,
		.window = WINDOW,
		.features = lockstep->options.features,
	};
	s.sampler.state = ~lockstep->options.seed;
	s.taint.page = s.space.page;
	if (!lockstep->options.replay)
		lockstep->count = lockstep->options.length;
	for (size_t i = 0; i < lockstep->count; i++) {
		struct operation *op = &lockstep->operations[i];

		if (!lockstep->options.replay)
			generate(&s.generator, op);
		lockstep->started = i + 1;
		step(&s, i, op);
	}
	refresh(&s);
	s.peer.channel->has_operation = false;
	s.peer.channel->want_flags = true;
	look(&s, NULL, 0, LOOK_AT_ALL);
	close_all(&s);
	peer_stop(&s.peer);
	return 0;
}
