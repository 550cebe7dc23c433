/* SPDX-License-Identifier: MIT */
#include "models.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/pool_stats.h>

#define PAGE 4096u
#define NONE UINT32_MAX

/* Until the slots are those that were asked for, nearly. */
#define TRIES 8

/* --- the models -------------------------------------------------------------------------- */

static void *numbers(size_t count)
{
	uint32_t *made = malloc(count * sizeof(*made));

	if (!made)
		exit(1);
	memset(made, 0xff, count * sizeof(*made));
	return made;
}

struct model model_make(enum model_kind kind, uint32_t slots, uint32_t pages)
{
	struct model model = {
		.is_clock = kind == MODEL_CLOCK, .slots = slots, .first = NONE, .last = NONE,
		.slot_of = numbers(pages), .page_of = numbers(slots),
		.next = numbers(slots), .previous = numbers(slots),
		.is_used = calloc(slots, sizeof(bool)),
	};

	return model;
}

void model_free(struct model *model)
{
	free(model->slot_of);
	free(model->page_of);
	free(model->next);
	free(model->previous);
	free(model->is_used);
}

static void unlink_slot(struct model *model, uint32_t slot)
{
	const uint32_t next = model->next[slot], previous = model->previous[slot];

	*(previous == NONE ? &model->first : &model->next[previous]) = next;
	*(next == NONE ? &model->last : &model->previous[next]) = previous;
}

static void link_last(struct model *model, uint32_t slot)
{
	model->next[slot] = NONE;
	model->previous[slot] = model->last;
	*(model->last == NONE ? &model->first : &model->next[model->last]) = slot;
	model->last = slot;
}

static uint32_t victim_of(struct model *model)
{
	if (model->used < model->slots)
		return model->used++;
	if (!model->is_clock) {
		const uint32_t slot = model->first;

		unlink_slot(model, slot);
		return slot;
	}
	for (;;) {
		const uint32_t slot = model->hand;

		model->hand = (slot + 1) % model->slots;
		if (!model->is_used[slot])
			return slot;
		model->is_used[slot] = false;
	}
}

bool model_use(struct model *model, uint32_t page)
{
	uint32_t slot = model->slot_of[page];
	const bool is_there = slot != NONE;

	if (is_there) {
		if (!model->is_clock)
			unlink_slot(model, slot);
	} else {
		slot = victim_of(model);
		if (model->page_of[slot] != NONE)
			model->slot_of[model->page_of[slot]] = NONE;
		model->page_of[slot] = page;
		model->slot_of[page] = slot;
	}
	model->is_used[slot] = is_there;
	if (!model->is_clock)
		link_last(model, slot);
	return is_there;
}

/* --- the pool ------------------------------------------------------------------------------ */

bool model_use_pool(vms_pool *pool, uint32_t page, enum vms_pool_hint hint)
{
	const bool is_there = vms_pool_try_fix(pool, page, VMS_POOL_READ) != NULL;

	if (!is_there && !vms_pool_fix(pool, page, VMS_POOL_READ)) {
		perror("vms_pool_fix");
		exit(1);
	}
	if (hint)
		(void)vms_pool_hint(pool, page, hint);
	(void)vms_pool_unfix(pool, page);
	return is_there;
}

static int make_file(uint32_t pages)
{
	const char *directory = getenv("VMS_BENCH_DIRECTORY");
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/bench-pool-pages.XXXXXX",
		       directory ? directory : ".");
	fd = mkstemp(path);
	if (fd < 0 || unlink(path) != 0 || ftruncate(fd, (off_t)pages * PAGE) != 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static struct vms_pool_stats stats_of(vms_pool *pool)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };

	if (vms_pool_get_stats(pool, &stats) != 0) {
		perror("vms_pool_get_stats");
		exit(1);
	}
	return stats;
}

static vms_pool *open_with(int fd, size_t ram)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_READ_ONLY,
		.ram = ram,
	};
	vms_pool *pool = vms_pool_open(fd, &options);

	if (!pool) {
		perror("vms_pool_open");
		exit(1);
	}
	return pool;
}

/*
 * What a pool needs besides slots is found by asking for too much first; which only a file
 * shows that has more pages than these slots.
 */
vms_pool *model_open_pool(uint32_t slots, uint32_t pages)
{
	const size_t others = (size_t)8 << 20;
	const int fd = make_file(pages + slots + (uint32_t)(others / PAGE));
	size_t ram = (size_t)slots * (PAGE + 64) + others;
	vms_pool *pool = open_with(fd, ram);

	for (unsigned i = 0; i < TRIES; i++) {
		const uint32_t got = model_slots_of(pool);

		if (got <= slots || vms_pool_close(pool) != 0)
			break;
		ram -= (size_t)(got - slots) * PAGE;
		pool = open_with(fd, ram);
	}
	(void)close(fd);
	return pool;
}

uint32_t model_slots_of(vms_pool *pool)
{
	return (uint32_t)stats_of(pool).slots;
}

size_t model_ram_of(vms_pool *pool)
{
	return stats_of(pool).ram;
}
