/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "pool/word.h"
#include "ring_schedule.h"

/*
 * The protocol of a page's word (src/pool/word.c, compiled with the steps of pool_steps.h)
 * in all interleavings of up to four threads on one page and two slots: writers, readers
 * with a fix and without, one that evicts and lets another page have the slot, one that
 * writes the page back, by a write that fails or not. A page has two words that are the
 * same when nobody changes it. Sleeps never end by themselves here.
 *
 * - What a reader has read and validated is one state of the page, and not older than
 *   the last change that was over when it began.
 * - A copy that is written is one state of the page.
 * - A page leaves only when its last change is in the file.
 * - Nobody sleeps for ever.
 * - What nobody has fixed is not given back.
 *
 * --must-find FAULT: with this fault the worlds must fail. torn: compiled in; no-wake: who
 * sleeps is not woken; writing: a page leaves while it is being written; version: readers do
 * not look at the version.
 */

#define SLOTS 2
#define VERSION_SHIFT 17
#define GARBAGE 9999

/* All that is shared. */
static struct {
	uint64_t word;
	uint64_t frames[SLOTS][2];
	uint64_t file[2];
	uint64_t committed;     /* changes that are over */
	uint64_t next_slot;
	uint64_t taken, given_back;   /* fixes, where somebody gives back what it has not */
	uint64_t sleeps[SCHEDULE_THREADS], has_ended[SCHEDULE_THREADS];
} world;

enum fault { NONE, TORN, NO_WAKE, LEAVES_WHILE_WRITTEN, NO_VERSION };

static enum fault fault;

struct thread {
	unsigned number;
	unsigned count;          /* operations */
	bool fails;              /* writes of the one that writes back */
	void (*act)(struct thread *thread);
	/* Of a run: what decides what it does, but for what it reads. */
	uint64_t done;
	uint64_t has_stood_back;
};

static struct thread threads[SCHEDULE_THREADS];
static unsigned thread_count;
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
	set(&world.frames[slot][0], get(&world.file[0]));
	set(&world.frames[slot][1], get(&world.file[1]));
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
	const uint64_t value = get(&frame[0]);

	if (value != world.committed || get(&frame[1]) != value)
		schedule_fail("a writer does not find what was written last");
	set(&frame[0], value + 1);
	set(&frame[1], value + 1);
	world.committed = value + 1;
}

static void write_page(struct thread *thread)
{
	uint64_t word;

	hold(thread, VMSI_WRITE, &word);
	change(frame_of(word));
	if (!vmsi_word_unlock(&world.word, VERSION_SHIFT))
		schedule_fail("a writer is not one any more");
}

/* A writer that becomes a reader, with nobody in between. */
static void write_and_read(struct thread *thread)
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

static void read_page(struct thread *thread)
{
	uint64_t word, first, second;

	hold(thread, VMSI_READ, &word);
	first = get(&frame_of(word)[0]);
	second = get(&frame_of(word)[1]);
	if (first != second || first != world.committed)
		schedule_fail("a reader finds a page that is changed");
	if (!vmsi_word_unlock(&world.word, VERSION_SHIFT))
		schedule_fail("a reader is not one any more");
}

static void give_back(void)
{
	world.given_back += vmsi_word_unlock(&world.word, VERSION_SHIFT);
}

static void read_among_strangers(struct thread *thread)
{
	uint64_t word;

	hold(thread, VMSI_READ, &word);
	world.taken++;
	give_back();
}

/* A mistake of the program: an unfix of a page that it has not fixed. */
static void give_back_unfixed(struct thread *thread)
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
static void read_without_fix(struct thread *thread)
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

static void upgrade(struct thread *thread)
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
	if (world.file[0] != world.committed || world.file[1] != world.committed)
		schedule_fail("a page has left, and its last change is lost");
	set(&frame_of(seen)[0], GARBAGE);
	set(&frame_of(seen)[1], GARBAGE + 1);
}

static void evict(struct thread *thread)
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
static void evict_addressed(struct thread *thread)
{
	const uint64_t seen = vmsi_word_load(&world.word);

	(void)thread;
	if (!vmsi_word_can_leave(seen) || !vmsi_word_take_resident(&world.word, seen))
		return;
	reuse(seen);
	vmsi_word_drop(&world.word, VERSION_SHIFT);
}

/* As write.c. */
static void write_back(struct thread *thread)
{
	uint64_t seen = vmsi_word_load(&world.word), copy[2];

	do
		if (!(seen & VMSI_WORD_RESIDENT) || !(seen & VMSI_WORD_DIRTY) ||
		    vmsi_word_lock(seen) >= VMSI_WORD_READERS)
			return;
	while (!vmsi_word_swap(&world.word, &seen, seen + 1));
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

static void run(void *argument)
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

/* --- worlds ------------------------------------------------------------------------------------- */

static void reset(void)
{
	memset(&world, 0, sizeof(world));
}

static bool wrong(const char *what)
{
	printf("# %s\n", what);
	return false;
}

static bool check(void)
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

static unsigned cases, failures;

static void explore(const char *name)
{
	struct schedule plan = {
		.count = thread_count,
		.memory = &world,
		.memory_bytes = sizeof(world),
		.reset = reset,
		.check = check,
	};
	struct schedule_figures figures;
	bool is_good;

	for (unsigned i = 0; i < thread_count; i++) {
		threads[i].number = i;
		plan.threads[i] = (struct schedule_thread){
			.body = run, .argument = &threads[i],
		};
	}
	is_good = schedule_explore(&plan, &figures);
	printf("# %s: %llu states, %llu runs to an end, at most %u steps\n", name,
	       (unsigned long long)figures.states, (unsigned long long)figures.runs,
	       figures.depth);
	if (fault == NONE) {
		printf("%sok %u - %s\n", is_good ? "" : "not ", ++cases, name);
		failures += !is_good;
	} else {
		failures += !is_good;
	}
}

#define WORLD(name, ...)                                                        \
	do {                                                                    \
		const struct thread made[] = { __VA_ARGS__ };                   \
									        \
		thread_count = sizeof(made) / sizeof(made[0]);                  \
		memcpy(threads, made, sizeof(made));                            \
		explore(name);                                                  \
	} while (0)

static void explore_all(void)
{
	WORLD("two writers and a reader", { .act = write_page, .count = 2 },
	      { .act = write_page, .count = 1 }, { .act = read_page, .count = 1 });
	WORLD("a writer, an eviction, reads without a fix",
	      { .act = write_page, .count = 2 }, { .act = evict, .count = 2 },
	      { .act = write_back, .count = 1 }, { .act = read_without_fix, .count = 2 });
	WORLD("a writer, an eviction, a write",
	      { .act = write_page, .count = 2 }, { .act = evict, .count = 2 },
	      { .act = write_back, .count = 2 });
	WORLD("a writer, an eviction, a write that fails",
	      { .act = write_page, .count = 2 }, { .act = evict, .count = 2 },
	      { .act = write_back, .count = 2, .fails = true });
	WORLD("an eviction by way of busy",
	      { .act = write_page, .count = 2 }, { .act = evict_addressed, .count = 2 },
	      { .act = write_back, .count = 1 }, { .act = read_without_fix, .count = 1 });
	WORLD("readers bring a page in", { .act = read_page, .count = 1 },
	      { .act = read_page, .count = 1 }, { .act = evict_addressed, .count = 2 });
	WORLD("an upgrade, a writer and an eviction", { .act = upgrade, .count = 2 },
	      { .act = write_page, .count = 1 }, { .act = evict, .count = 1 },
	      { .act = write_back, .count = 1 });
	WORLD("readers, and one that gives back what it has not",
	      { .act = read_among_strangers, .count = 2 },
	      { .act = read_among_strangers, .count = 1 },
	      { .act = give_back_unfixed, .count = 1 });
	WORLD("a writer that stays as a reader", { .act = write_and_read, .count = 1 },
	      { .act = write_page, .count = 1 }, { .act = read_page, .count = 1 });
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "", "torn", "no-wake", "writing", "version" };

	if (argc > 2 && strcmp(argv[1], "--must-find") == 0)
		for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
			if (strcmp(argv[2], names[i]) == 0)
				fault = (enum fault)i;
	explore_all();
	if (fault != NONE) {
		printf("%sok 1 - the fault is found: %s\n", failures ? "" : "not ",
		       names[fault]);
		cases = 1;
		failures = failures == 0;
	}
	printf("1..%u\n", cases);
	return failures != 0;
}
