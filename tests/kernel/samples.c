/* SPDX-License-Identifier: MIT */
#include "compare.h"

/* The pages whose contents are compared after an operation. */

#define STACK_REACH 8 /* pages below a stack that are looked at */

/*
 * Reading a hole below a stack makes it grow: in the kernel at any distance, in a
 * space up to the guard gap. So only nearby pages are read.
 */
bool may_look(const struct subject *s, size_t page_number)
{
	size_t offset = page_number * s->space.page;

	for (size_t i = 0; i < s->listing.count; i++) {
		const struct layout_entry *e = &s->listing.entries[i];

		if (offset >= e->end)
			continue;
		return offset >= e->start ||
		       !(e->flags & VMS_MAPPING_GROWSDOWN) ||
		       e->start - offset <= STACK_REACH * s->space.page;
	}
	return true;
}

static void add_sample(struct subject *s, size_t page_number)
{
	struct peer_channel *channel = s->peer.channel;

	if (page_number < WINDOW / s->space.page &&
	    channel->sample_count < PEER_SAMPLES && may_look(s, page_number))
		channel->samples[channel->sample_count++] =
			(uint32_t)page_number;
}

static void sample_range(struct subject *s, intptr_t start, size_t length)
{
	size_t first = (size_t)start / s->space.page;
	size_t count = length / s->space.page;

	if (start < 0)
		return;
	add_sample(s, first);
	if (count > 1 && count < WINDOW / s->space.page) {
		add_sample(s, first + count - 1);
		add_sample(s, first + random_below(&s->sampler, count));
		add_sample(s, first + count);
	}
}

void sample_some(struct subject *s, const struct operation *op,
		 intptr_t wanted)
{
	if (op->address.kind == PLACE_WINDOW)
		sample_range(s, (intptr_t)op->address.offset, op->length);
	if (op->kind == OP_MREMAP)
		sample_range(s, wanted, op->new_length);
	else if (op->kind == OP_MMAP)
		sample_range(s, wanted, op->length);
	for (size_t i = 0; i < 3 && s->listing.count > 0; i++) {
		const struct layout_entry *e =
			&s->listing.entries[random_below(&s->sampler,
							 s->listing.count)];

		add_sample(s, (e->start + random_below(&s->sampler,
						       e->end - e->start)) /
				      s->space.page);
	}
}

void sample_all(struct subject *s)
{
	for (size_t i = 0; i < s->listing.count; i++)
		for (size_t at = s->listing.entries[i].start;
		     at < s->listing.entries[i].end; at += s->space.page)
			add_sample(s, at / s->space.page);
}

/* The kernel may drop pages of MAP_DROPPABLE at any time; they then read as zero. */
static bool may_be_dropped(const struct subject *s, size_t page_number)
{
	const unsigned droppable = VMS_MAPPING_NORESERVE |
				   VMS_MAPPING_WIPEONFORK |
				   VMS_MAPPING_DONTDUMP;
	const struct layout_entry *e =
		layout_at(&s->listing, page_number * s->space.page);

	return e != NULL && (e->flags & droppable) == droppable;
}

void compare_samples(struct subject *s, const int64_t *digests)
{
	struct peer_channel *channel = s->peer.channel;

	for (size_t i = 0; i < channel->sample_count; i++) {
		bool zero = digests[i] == 0 || channel->digests[i] == 0;

		if (zero && may_be_dropped(s, channel->samples[i]))
			continue;
		if (digests[i] != channel->digests[i])
			differ(s, "contents of page %u: %lld on the space, %lld on the kernel",
			       channel->samples[i], (long long)digests[i],
			       (long long)channel->digests[i]);
	}
}

void take_samples(struct subject *s, int64_t *digests)
{
	const struct peer_channel *channel = s->peer.channel;

	for (size_t i = 0; i < channel->sample_count; i++)
		digests[i] = peek_page(s->space.base + channel->samples[i] *
							       s->space.page,
				       s->space.page);
}
