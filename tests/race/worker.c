/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "race.h"

/*
 * A thread that maps, touches, grows, moves, cuts and unmaps. It marks both ends of
 * each page with a value that no other page has.
 */

#define SLOTS 6
#define PAGES_MOST 96
#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

/* Slot 0 is never unmapped, so that other threads can use its handle. */
struct slot {
	enum { PLAIN, SHARED_MEMORY, PRIVATE_FILE, KINDS } kind;
	uint64_t *memory;          /* NULL: nothing is mapped */
	size_t pages;
	size_t backed;             /* pages; past them a shared object ends */
	uint64_t mark;
};

struct worker {
	struct race_thread *thread;
	struct race *race;
	vms_space *space;
	size_t page;
	uint64_t next_mark;
	struct slot slots[SLOTS];
};

static uint64_t *page_of(const struct worker *worker, const struct slot *slot,
			 size_t number)
{
	return slot->memory + number * (worker->page / sizeof(uint64_t));
}

static uint64_t *last_word(const struct worker *worker,
			   const struct slot *slot, size_t number)
{
	return page_of(worker, slot, number + 1) - 1;
}

/* Return whether a page reads as one that is new. */
static bool is_fresh(const struct slot *slot, size_t number, uint64_t first,
		     uint64_t last)
{
	if (slot->kind == PRIVATE_FILE)
		return first == number + 1 && last == 0;
	/* A shared object keeps the contents of a part that was unmapped. */
	if (slot->kind == SHARED_MEMORY && first == slot->mark + number)
		return last == ~first;
	return first == 0 && last == 0;
}

/* Return how many pages can be touched. */
static size_t pages_backed(const struct slot *slot)
{
	return slot->kind == SHARED_MEMORY && slot->backed < slot->pages ?
		slot->backed : slot->pages;
}

/* Mark new pages, which must read as new first. */
static void mark(struct worker *worker, struct slot *slot, size_t from)
{
	for (size_t i = from; i < pages_backed(slot); i++) {
		uint64_t *first = page_of(worker, slot, i);
		uint64_t *last = last_word(worker, slot, i);

		if (!is_fresh(slot, i, *first, *last))
			race_fail(worker->race, "kind %d: new page %zu at %p "
				  "has %#lx and %#lx", slot->kind, i,
				  (void *)first, (unsigned long)*first,
				  (unsigned long)*last);
		*first = slot->mark + i;
		*last = ~(slot->mark + i);
	}
}

static void verify(struct worker *worker, struct slot *slot)
{
	for (size_t i = 0; i < pages_backed(slot); i++) {
		uint64_t *first = page_of(worker, slot, i);
		uint64_t wanted = slot->mark + i;

		if (*first == wanted && *last_word(worker, slot, i) == ~wanted)
			continue;
		race_fail(worker->race, "kind %d: page %zu at %p has %#lx, not "
			  "%#lx", slot->kind, i, (void *)first,
			  (unsigned long)*first, (unsigned long)wanted);
		return;
	}
}

static void expect(struct worker *worker, bool condition, const char *what)
{
	if (!condition)
		race_fail(worker->race, "%s: %s", what, strerror(errno));
}

/* --- operations -------------------------------------------------------------------- */

static void map(struct worker *worker, struct slot *slot)
{
	static const int flags[KINDS] = {
		[PLAIN] = ANONYMOUS,
		[SHARED_MEMORY] = MAP_SHARED | MAP_ANONYMOUS,
		[PRIVATE_FILE] = MAP_PRIVATE,
	};
	size_t pages = 1 + race_random(worker->thread, PAGES_MOST / 4);
	void *memory;

	slot->kind = (int)race_random(worker->thread, KINDS);
	memory = vms_mmap(worker->space, NULL, pages * worker->page, RW,
			  flags[slot->kind],
			  slot->kind == PRIVATE_FILE ? worker->race->file : -1,
			  0);
	if (memory == MAP_FAILED) {
		expect(worker, errno == ENOMEM, "vms_mmap");
		return;
	}
	slot->memory = memory;
	slot->pages = slot->backed = pages;
	slot->mark = (uint64_t)(worker->thread->number + 1) << 48 |
		worker->next_mark++ << 16;
	mark(worker, slot, 0);
}

static void unmap(struct worker *worker, struct slot *slot)
{
	if (slot == &worker->slots[0])
		return;
	expect(worker, vms_munmap(worker->space, slot->memory,
				  slot->pages * worker->page) == 0,
	       "vms_munmap");
	slot->memory = NULL;
}

static void resize(struct worker *worker, struct slot *slot, size_t pages,
		   int flags)
{
	size_t before = slot->pages;
	void *memory = vms_mremap(worker->space, slot->memory,
				  before * worker->page, pages * worker->page,
				  flags, NULL);

	if (memory == MAP_FAILED) {
		expect(worker, errno == ENOMEM && pages > before,
		       "vms_mremap");
		return;
	}
	slot->memory = memory;
	slot->pages = pages;
	if (pages > before)
		mark(worker, slot, before);
}

static void grow(struct worker *worker, struct slot *slot, int flags)
{
	size_t pages = slot->pages + 1 +
		race_random(worker->thread, PAGES_MOST / 4);

	if (pages <= PAGES_MOST)
		resize(worker, slot, pages, flags);
}

/* Move a mapping over another one of this worker. */
static void move(struct worker *worker, struct slot *slot)
{
	size_t length = slot->pages * worker->page;
	size_t more = race_random(worker->thread, 2) ? 3 * worker->page : 0;
	size_t before = slot->pages;
	void *place = vms_mmap(worker->space, NULL, length + more, PROT_NONE,
			       ANONYMOUS, -1, 0);
	void *memory;

	if (place == MAP_FAILED)
		return;
	memory = vms_mremap(worker->space, slot->memory, length, length + more,
			    MREMAP_MAYMOVE | MREMAP_FIXED, place);
	if (memory == MAP_FAILED) {
		expect(worker, errno == ENOMEM, "vms_mremap to a place");
		return;
	}
	slot->memory = memory;
	slot->pages += more / worker->page;
	mark(worker, slot, before);
}

/* Protect a part and back: mappings split and merge. */
static void protect(struct worker *worker, struct slot *slot)
{
	size_t first = race_random(worker->thread, slot->pages);
	void *part = page_of(worker, slot, first);

	expect(worker, vms_mprotect(worker->space, part, worker->page,
				    PROT_READ) == 0, "vms_mprotect");
	verify(worker, slot);
	expect(worker, vms_mprotect(worker->space, part, worker->page, RW) == 0,
	       "vms_mprotect");
}

static void operate(struct worker *worker, struct slot *slot)
{
	switch (race_random(worker->thread, 11)) {
	case 0:
		unmap(worker, slot);
		break;
	case 1:
	case 2:
	case 3:
		grow(worker, slot, MREMAP_MAYMOVE);
		break;
	case 4:
	case 5:
		grow(worker, slot, 0);
		break;
	case 6:
	case 7:
		resize(worker, slot,
		       1 + race_random(worker->thread, slot->pages), 0);
		break;
	case 8:
	case 9:
		move(worker, slot);
		break;
	default:
		protect(worker, slot);
	}
}

static void offer_handle(struct worker *worker)
{
	struct slot *slot = &worker->slots[0];
	vms_handle handle;

	if (vms_handle_open(worker->space, slot->memory,
			    slot->pages * worker->page, &handle) != 0)
		race_fail(worker->race, "vms_handle_open: %s", strerror(errno));
	atomic_store(&worker->race->handles[worker->thread->number],
		     handle.value);
}

void *race_worker(void *argument)
{
	struct race_thread *thread = argument;
	struct worker worker = {
		.thread = thread,
		.race = thread->race,
		.space = thread->race->space,
		.page = vmsi_page_size(),
	};

	while (!worker.slots[0].memory && !atomic_load(&worker.race->stop))
		map(&worker, &worker.slots[0]);
	if (!worker.slots[0].memory)
		return NULL;
	offer_handle(&worker);
	while (!atomic_load(&worker.race->stop)) {
		struct slot *slot = &worker.slots[race_random(thread, SLOTS)];

		if (slot->memory)
			operate(&worker, slot);
		else
			map(&worker, slot);
		if (slot->memory)
			verify(&worker, slot);
		atomic_fetch_add(&worker.race->operations, 1);
	}
	return NULL;
}
