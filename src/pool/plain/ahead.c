/* SPDX-License-Identifier: MIT */
#include "pool/plain/ahead.h"

#include "base/align.h"

/* A stream that has not gone on for so many misses has ended. */
#define STREAM_AGE 1024

/* A stream of so many pages at once is worth more than a page that was missed once. */
#define STREAM_IS_ONE 4

/* Misses of a block that make a cluster. */
#define CLUSTER 3

/* --- streams ------------------------------------------------------------------------------ */

/* What is there already is not missed: a stream may go on a little behind its next page. */
static bool goes_on(const struct vmsi_stream *stream, uint64_t page)
{
	return stream->window && page >= stream->next &&
		page - stream->next <= stream->window;
}

static struct vmsi_stream *find_stream(struct vmsi_ahead *ahead, uint64_t page)
{
	for (unsigned i = 0; i < VMSI_STREAMS; i++)
		if (goes_on(&ahead->streams[i], page))
			return &ahead->streams[i];
	return NULL;
}

/* The higher the sooner it makes room for another. */
static uint32_t age_of(const struct vmsi_ahead *ahead, const struct vmsi_stream *stream)
{
	const uint32_t age = ahead->now - stream->used;

	if (!stream->window)
		return UINT32_MAX;
	return stream->window >= STREAM_IS_ONE && age < STREAM_AGE ? 0 : age;
}

static void begin_stream(struct vmsi_ahead *ahead, uint64_t page, bool is_store)
{
	struct vmsi_stream *oldest = &ahead->streams[0];

	for (unsigned i = 1; i < VMSI_STREAMS; i++)
		if (age_of(ahead, &ahead->streams[i]) > age_of(ahead, oldest))
			oldest = &ahead->streams[i];
	*oldest = (struct vmsi_stream){
		.next = page + 1,
		.window = 1,
		.used = ahead->now,
		.has_stores = is_store,
	};
}

static struct vmsi_reach go_on(struct vmsi_ahead *ahead, struct vmsi_stream *stream,
			       uint64_t page, bool is_store, uint32_t most)
{
	const struct vmsi_reach reach = {
		.behind = (uint32_t)vmsi_min(stream->window * 2, most) - 1,
		.for_stores = is_store && stream->has_stores,
	};

	stream->window = reach.behind + 1;
	stream->next = page + stream->window;
	stream->used = ahead->now;
	stream->has_stores = is_store;
	return reach;
}

/* --- clusters -------------------------------------------------------------------------------- */

static bool is_in_cluster(struct vmsi_ahead *ahead, uint64_t block)
{
	const size_t place = (block * UINT64_C(0x9e3779b97f4a7c15) >> 32) % VMSI_BLOCKS;

	if (ahead->blocks[place].block != block || !ahead->blocks[place].count) {
		ahead->blocks[place].block = block;
		ahead->blocks[place].count = 0;
	}
	return ++ahead->blocks[place].count >= CLUSTER;
}

struct vmsi_reach vmsi_ahead_plan(struct vmsi_ahead *ahead, uint64_t page, bool is_store,
				  uint32_t most)
{
	struct vmsi_stream *stream = find_stream(ahead, page);
	const bool is_clustered = is_in_cluster(ahead, page / VMSI_BLOCK_PAGES);
	const uint32_t place = page % VMSI_BLOCK_PAGES;

	ahead->now++;
	if (stream)
		return go_on(ahead, stream, page, is_store, most);
	begin_stream(ahead, page, is_store);
	if (!is_clustered || most < VMSI_BLOCK_PAGES)
		return (struct vmsi_reach){ 0, 0, false };
	return (struct vmsi_reach){ place, VMSI_BLOCK_PAGES - 1 - place, false };
}
