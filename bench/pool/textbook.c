/* SPDX-License-Identifier: MIT */
#include "textbook.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct frame {
	struct frame *next;              /* of the same bucket */
	struct frame *newer, *older;     /* in the list of those that are not fixed */
	uint64_t page;
	unsigned fixes;
	bool is_used, is_reading;
	char *bytes;
};

struct textbook {
	pthread_mutex_t lock;
	pthread_cond_t read;
	int fd;
	size_t page_size, count, bucket_count;
	struct frame *frames, **buckets;
	struct frame list;               /* its newer is the oldest */
	char *memory;
};

static struct frame **bucket_of(struct textbook *pool, uint64_t page)
{
	return &pool->buckets[page * UINT64_C(0x9e3779b97f4a7c15) >> 20 &
			      (pool->bucket_count - 1)];
}

static void append(struct textbook *pool, struct frame *frame)
{
	frame->older = pool->list.older;
	frame->newer = &pool->list;
	frame->older->newer = frame;
	pool->list.older = frame;
}

static void take_out(struct frame *frame)
{
	frame->older->newer = frame->newer;
	frame->newer->older = frame->older;
}

struct textbook *textbook_open(int fd, size_t page_size, size_t ram)
{
	struct textbook *pool = calloc(1, sizeof(*pool));

	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->read, NULL);
	pool->fd = fd;
	pool->page_size = page_size;
	pool->count = ram / (page_size + sizeof(struct frame) + 16);
	for (pool->bucket_count = 1; pool->bucket_count < pool->count;)
		pool->bucket_count *= 2;
	pool->frames = calloc(pool->count, sizeof(*pool->frames));
	pool->buckets = calloc(pool->bucket_count, sizeof(*pool->buckets));
	pool->memory = mmap(NULL, pool->count * page_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)madvise(pool->memory, pool->count * page_size, MADV_HUGEPAGE);
	pool->list.newer = pool->list.older = &pool->list;
	for (size_t i = 0; i < pool->count; i++) {
		pool->frames[i].bytes = pool->memory + i * page_size;
		append(pool, &pool->frames[i]);
	}
	return pool;
}

void textbook_close(struct textbook *pool)
{
	munmap(pool->memory, pool->count * pool->page_size);
	free(pool->frames);
	free(pool->buckets);
	free(pool);
}

static struct frame *find(struct textbook *pool, uint64_t page)
{
	struct frame *frame = *bucket_of(pool, page);

	while (frame && frame->page != page)
		frame = frame->next;
	return frame;
}

static void forget(struct textbook *pool, struct frame *frame)
{
	struct frame **link = bucket_of(pool, frame->page);

	while (*link != frame)
		link = &(*link)->next;
	*link = frame->next;
	frame->is_used = false;
}

/* Under the lock, but for the read. */
static struct frame *bring_in(struct textbook *pool, uint64_t page)
{
	struct frame *frame = pool->list.newer, **bucket = bucket_of(pool, page);

	if (frame == &pool->list)
		return NULL;
	take_out(frame);
	if (frame->is_used)
		forget(pool, frame);
	frame->page = page;
	frame->fixes = 1;
	frame->is_used = frame->is_reading = true;
	frame->next = *bucket;
	*bucket = frame;
	pthread_mutex_unlock(&pool->lock);
	if (pread(pool->fd, frame->bytes, pool->page_size,
		  (off_t)(page * pool->page_size)) < 0)
		abort();
	pthread_mutex_lock(&pool->lock);
	frame->is_reading = false;
	pthread_cond_broadcast(&pool->read);
	return frame;
}

const void *textbook_fix(struct textbook *pool, uint64_t page)
{
	struct frame *frame;

	pthread_mutex_lock(&pool->lock);
	frame = find(pool, page);
	if (!frame) {
		frame = bring_in(pool, page);
	} else {
		if (frame->fixes++ == 0)
			take_out(frame);
		while (frame->is_reading)
			pthread_cond_wait(&pool->read, &pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return frame ? frame->bytes : NULL;
}

void textbook_unfix(struct textbook *pool, uint64_t page)
{
	struct frame *frame;

	pthread_mutex_lock(&pool->lock);
	frame = find(pool, page);
	if (frame && --frame->fixes == 0)
		append(pool, frame);
	pthread_mutex_unlock(&pool->lock);
}
