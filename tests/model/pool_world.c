/* SPDX-License-Identifier: MIT */
#include "pool_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "pool/word.h"

#define VERSION_SHIFT 17
#define GARBAGE 9999

struct world world;
enum fault fault;
struct thread threads[SCHEDULE_THREADS];
unsigned thread_count;


static struct thread *running;

/* Whose turn it is: a step gives it away, and comes back to the same thread. */
void explorer_step(const void *word, size_t size)
{
	struct thread *me = running;

	schedule_step(word, size);
	running = me;
}

static uint64_t get(const uint64_t *word)
{
	explorer_step(word, sizeof(*word));
	return *word;
}

static void set(uint64_t *word, uint64_t value)
{
	explorer_step(word, sizeof(*word));
	*word = value;
}

/* --- to sleep ------------------------------------------------------------------------------ */

static bool all_others_are_still(const struct thread *me)
{
	for (unsigned i = 0; i < thread_count; i++)
		if (i != me->number && !world.has_ended[i] && !world.sleeps[i])
			return false;
	return true;
}

/* Who is woken begins its operation again, so that it knows nothing else. */
static long futex_wait(const void *word, uint32_t value, uint64_t nanoseconds)
{
	struct thread *me = running;
	uint32_t found;

	(void)nanoseconds;
	explorer_step(word, sizeof(uint64_t));
	memcpy(&found, word, sizeof(found));
	if (found != value)
		return -EAGAIN;
	world.sleeps[me->number] = 1;
	while (world.sleeps[me->number]) {
		if (all_others_are_still(me))
			schedule_fail("somebody sleeps for ever");
		schedule_forget_but(&me->done, 2 * sizeof(me->done));
		explorer_step(&world.sleeps[me->number], sizeof(uint64_t));
	}
	return 0;
}

static long futex_wake(const void *word, int count)
{
	(void)count;
	explorer_step(word, sizeof(uint64_t));
	if (fault != NO_WAKE)
		memset(world.sleeps, 0, sizeof(world.sleeps));
	return 0;
}

struct vmsi_host_calls vmsi_host = {
	.futex_wait = futex_wait,
	.futex_wake = futex_wake,
};

/* --- what threads do ------------------------------------------------------------------------- */

static uint64_t *frame_of(uint64_t word)
{
	return world.frames[vmsi_word_slot(word, VERSION_SHIFT) % SLOTS];
}

/* Bring the page in, into the other slot than the last time. false: look again. */
static bool bring_in(uint64_t seen, enum vmsi_page_hold hold, uint64_t *word)
{
	uint64_t slot;

	if (!vmsi_word_take_absent(&world.word, seen))
		return false;
	slot = world.next_slot;
	world.next_slot = (slot + 1) % SLOTS;
	if (fault == COMES_TOO_EARLY)
		*word = vmsi_word_publish(&world.word, slot, hold);
	set(&world.frames[slot][0], get(&world.file[0]));
	set(&world.frames[slot][1], get(&world.file[1]));
	if (fault != COMES_TOO_EARLY)
		*word = vmsi_word_publish(&world.word, slot, hold);
	return true;
}

static void hold(struct thread *thread, enum vmsi_page_hold how, uint64_t *word)
{
	if (how == VMSI_READ)
		vmsi_word_stand_back(&world.word);
	thread->has_stood_back = 1;
	for (;;) {
		uint64_t seen;

		schedule_forget_but(&thread->done, 2 * sizeof(thread->done));
		switch (vmsi_word_try(&world.word, how, &seen)) {
		case VMSI_WORD_GOT:
			*word = seen;
			return;
		case VMSI_WORD_HELD:
			vmsi_word_wait(&world.word, seen);
			break;
		case VMSI_WORD_ABSENT:
			if (bring_in(seen, how, word))
				return;
			break;
		}
	}
}

static void change(uint64_t *frame)
{
	const uint64_t value = world.committed;

	if (!world.is_free && (get(&frame[0]) != value || get(&frame[1]) != value))
		schedule_fail("a writer does not find what was written last");
	set(&frame[0], value + 1);
	set(&frame[1], value + 1);
	world.committed = value + 1;
}

void write_page(struct thread *thread)
{
	uint64_t word;

	hold(thread, VMSI_WRITE, &word);
	change(frame_of(word));
	if (!vmsi_word_unlock(&world.word, VERSION_SHIFT))
		schedule_fail("a writer is not one any more");
}

/* A writer that becomes a reader, with nobody in between. */
void write_and_read(struct thread *thread)
{
	uint64_t word, value;

	hold(thread, VMSI_WRITE, &word);
	change(frame_of(word));
	value = world.committed;
	if (!vmsi_word_lower(&world.word, VERSION_SHIFT))
		schedule_fail("a writer is not one any more");
	if (get(&frame_of(word)[0]) != value || get(&frame_of(word)[1]) != value)
		schedule_fail("somebody came between a writer and itself");
	(void)vmsi_word_unlock(&world.word, VERSION_SHIFT);
}

void read_page(struct thread *thread)
{
	uint64_t word, first, second;

	hold(thread, VMSI_READ, &word);
	first = get(&frame_of(word)[0]);
	second = get(&frame_of(word)[1]);
	if (first != second || (first != world.committed && !world.is_free))
		schedule_fail("a reader finds a page that is changed");
	if (!vmsi_word_unlock(&world.word, VERSION_SHIFT))
		schedule_fail("a reader is not one any more");
}

static void give_back(void)
{
	world.given_back += vmsi_word_unlock(&world.word, VERSION_SHIFT);
}

void read_among_strangers(struct thread *thread)
{
	uint64_t word;

	hold(thread, VMSI_READ, &word);
	world.taken++;
	give_back();
}

/* A mistake of the program: an unfix of a page that it has not fixed. */
void give_back_unfixed(struct thread *thread)
{
	(void)thread;
	give_back();
}

/* As vms_pool_validate. */
static bool is_valid(uint64_t ticket)
{
	const uint64_t word = vmsi_word_load(&world.word);

	if (fault == NO_VERSION)
		return (word & VMSI_WORD_RESIDENT) &&
			vmsi_word_lock(word) < VMSI_WORD_BUSY;
	if (word == ticket)
		return true;
	return ((word ^ ticket) >> VMS_POOL_WORD_SLOT_SHIFT) == 0 &&
		vmsi_word_lock(word) < VMSI_WORD_BUSY;
}

/* One try; with a fault, what it has read is what it goes by. */
void read_without_fix(struct thread *thread)
{
	const uint64_t ticket = vmsi_word_load(&world.word);
	const uint64_t committed = world.committed;
	uint64_t first, second;

	(void)thread;
	schedule_note(committed);
	if (!(ticket & VMSI_WORD_RESIDENT) || vmsi_word_lock(ticket) >= VMSI_WORD_BUSY)
		return;
	first = get(&frame_of(ticket)[0]);
	second = get(&frame_of(ticket)[1]);
	if (is_valid(ticket) && (first != second || first < committed))
		schedule_fail("a valid read is torn, or old");
}

void upgrade(struct thread *thread)
{
	const uint64_t ticket = vmsi_word_load(&world.word);

	(void)thread;
	if (!(ticket & VMSI_WORD_RESIDENT) ||
	    !vmsi_word_upgrade(&world.word, ticket))
		return;
	change(frame_of(ticket));
	(void)vmsi_word_unlock(&world.word, VERSION_SHIFT);
}

/* Another page gets the slot. */
static void reuse(uint64_t seen)
{
	if (!world.is_free && (world.file[0] != world.committed ||
			       world.file[1] != world.committed))
		schedule_fail("a page has left, and its last change is lost");
	set(&frame_of(seen)[0], GARBAGE);
	set(&frame_of(seen)[1], GARBAGE + 1);
}

void evict(struct thread *thread)
{
	uint64_t seen = vmsi_word_load(&world.word);
	const uint64_t looked_at = fault == LEAVES_WHILE_WRITTEN ?
		seen & ~VMSI_WORD_WRITING : seen;

	(void)thread;
	if (vmsi_word_can_leave(looked_at) &&
	    vmsi_word_evict(&world.word, seen, VERSION_SHIFT))
		reuse(seen);
}

/* By way of busy, as where pages have addresses of their own. */
void evict_addressed(struct thread *thread)
{
	const uint64_t seen = vmsi_word_load(&world.word);

	if (!vmsi_word_can_leave(seen) || !vmsi_word_take_resident(&world.word, seen))
		return;
	/* Where the host does not take its memory it stays. */
	if (thread->fails) {
		vmsi_word_give_back(&world.word);
		return;
	}
	reuse(seen);
	vmsi_word_drop(&world.word, VERSION_SHIFT);
}

/* As write.c. */
void write_back(struct thread *thread)
{
	uint64_t seen, copy[2];

	if (vmsi_word_hold_dirty(&world.word, &seen) != VMSI_WORD_GOT)
		return;
	copy[0] = get(&frame_of(seen)[0]);
	copy[1] = get(&frame_of(seen)[1]);
	if (copy[0] != copy[1] || copy[0] != world.committed)
		schedule_fail("a copy is not of one state");
	vmsi_word_begin_writing(&world.word);
	if (!thread->fails) {
		set(&world.file[0], copy[0]);
		set(&world.file[1], copy[1]);
	}
	vmsi_word_end_writing(&world.word, thread->fails);
}

/* As a flight: for nobody, and it may not come. */
void read_ahead(struct thread *thread)
{
	const uint64_t seen = vmsi_word_load(&world.word);
	uint64_t word;

	if (seen & (VMSI_WORD_RESIDENT | VMSI_WORD_LOCK))
		return;
	if (!thread->fails)
		(void)bring_in(seen, VMSI_LOOK, &word);
	else if (vmsi_word_take_absent(&world.word, seen))
		vmsi_word_give_back(&world.word);
}

/* As an eviction does that lets the page stay. */
void cool(struct thread *thread)
{
	const uint64_t seen = vmsi_word_load(&world.word);

	(void)thread;
	if (fault == COOLS_BLINDLY)
		set(&world.word, seen & ~VMSI_WORD_HEAT);
	else if (vmsi_word_heat(seen))
		(void)vmsi_word_set_heat(&world.word, seen, vmsi_word_heat(seen) - 1);
}

/* As size.c. Returns whether the page could be taken. */
static bool take_to_drop(struct thread *thread, uint64_t *seen)
{
	for (;;) {
		uint64_t lock;

		schedule_forget_but(&thread->done, sizeof(thread->done));
		*seen = vmsi_word_load(&world.word);
		lock = vmsi_word_lock(*seen);
		if (lock != 0 && lock != VMSI_WORD_BUSY && fault != FREES_WHAT_IS_HELD)
			return false;
		if (lock == VMSI_WORD_BUSY || *seen & VMSI_WORD_WRITING)
			vmsi_word_wait(&world.word, *seen);
		else if (!(*seen & VMSI_WORD_RESIDENT) ||
			 vmsi_word_take_resident(&world.word, *seen))
			return true;
	}
}

/* Whatever is in the page is dropped; then it is made anew. */
void free_and_allocate(struct thread *thread)
{
	uint64_t seen;

	if (!take_to_drop(thread, &seen))
		return;
	world.is_free = 1;
	if (seen & VMSI_WORD_RESIDENT) {
		reuse(seen);
		vmsi_word_drop(&world.word, VERSION_SHIFT);
	}
	hold(thread, VMSI_WRITE, &seen);
	change(frame_of(seen));
	world.is_free = 0;
	(void)vmsi_word_unlock(&world.word, VERSION_SHIFT);
}

void run(void *argument)
{
	struct thread *thread = argument;

	for (thread->done = 0; thread->done < thread->count; thread->done++) {
		running = thread;
		thread->has_stood_back = 0;
		schedule_forget_but(&thread->done, 2 * sizeof(thread->done));
		thread->act(thread);
	}
	world.has_ended[thread->number] = 1;
}

/* --- a run -------------------------------------------------------------------------------------- */

void reset(void)
{
	memset(&world, 0, sizeof(world));
	/* What was in the slots before is of another page. */
	for (unsigned i = 0; i < SLOTS; i++) {
		world.frames[i][0] = GARBAGE;
		world.frames[i][1] = GARBAGE + 1;
	}
}

static bool wrong(const char *what)
{
	printf("# %s\n", what);
	return false;
}

bool check(void)
{
	const uint64_t word = world.word;
	const bool is_resident = word & VMSI_WORD_RESIDENT;

	if (vmsi_word_lock(word) != 0 || word & VMSI_WORD_WRITING)
		return wrong("a lock is left");
	if (world.given_back > world.taken)
		return wrong("one fix is given back twice");
	if (is_resident && (frame_of(word)[0] != world.committed ||
			    frame_of(word)[1] != world.committed))
		return wrong("a change is lost");
	if (!(is_resident && word & VMSI_WORD_DIRTY) &&
	    (world.file[0] != world.committed || world.file[1] != world.committed))
		return wrong("a change is not in the file, and the page not dirty");
	return true;
}
