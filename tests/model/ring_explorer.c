/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/mpsc.h"
#include "ring_schedule.h"
#include "ring_steps.h"

/*
 * The protocol of many producers (src/ring/mpsc.c, compiled with the steps of
 * ring_steps.h) in all interleavings of two producers and a consumer, in a ring of four
 * places, so that it is full at times and comes round. In some worlds a producer dies, at
 * each of its steps; in others the consumer does, and another one takes its place. In the
 * end the consumer must have got, once and in order, what each producer has committed, and
 * nothing else; and the whole ring must be free.
 *
 * --must-find: the world must fail, since a fault is compiled in.
 * --long: more records.
 */

#define PLACES 4
#define SHIFT 3
#define RECORDS 3
#define GOT_MOST 64
#define CONSUMER 2   /* its thread */

/* What is shared, and so is a part of the state. */
static struct {
	struct vmsi_ring_control control;
	_Atomic uint64_t cells[PLACES];
	uint64_t data[PLACES];
} world;

enum ending { COMMITS, ABORTS };

struct producer {
	unsigned thread;
	unsigned count;
	uint64_t words[RECORDS];     /* of each record */
	enum ending endings[RECORDS];
	/* The state of a run. */
	_Atomic uint64_t head;
	unsigned committed;          /* of its records, a bit each */
	unsigned over;               /* given up, or being released */
};

struct consumer {
	unsigned rounds;
	struct vmsi_mpsc_reader reader;
};

static struct producer producers[2];
static struct consumer consumers[2];

/* What was read, in order, and how much of it was released when that was read. */
static struct {
	uint64_t word;
	unsigned released;
} got[GOT_MOST];
static unsigned got_count, released_count;

/* A fault that can be seeded: the living are taken for dead. */
static bool finds_all_dead;

static bool is_alive(const struct vmsi_mpsc *mpsc, uint32_t owner)
{
	const bool answer = !finds_all_dead && !schedule_is_dead(owner);

	(void)mpsc;
	schedule_note(answer);
	return answer;
}

static const struct vmsi_mpsc mpsc = {
	.control = &world.control,
	.cells = world.cells,
	.data = (char *)world.data,
	.capacity = PLACES << SHIFT,
	.shift = SHIFT,
	.is_alive = is_alive,
};

void explorer_step(const void *word, size_t size)
{
	schedule_step(word, size);
}

/* --- threads -------------------------------------------------------------------------------- */

/* The word of a record: whose it is, which, and which word. Never 0. */
static uint64_t word_of(unsigned producer, unsigned record, uint64_t word)
{
	return (producer + 1) * 10000 + (record + 1) * 100 + word;
}

static uint64_t *data_at(uint64_t position, uint64_t word)
{
	return &world.data[((position >> SHIFT) + word) % PLACES];
}

/* Whether a word is of a record whose room may be another one's now. */
static bool is_over(uint64_t word)
{
	const struct producer *owner = &producers[word / 10000 - 1];
	const unsigned record = 1u << (word / 100 % 100 - 1);

	return (owner->over & record) ||
		(schedule_is_dead(owner->thread) && !(owner->committed & record));
}

/* A record is written at once, when its room was got, which nobody else may have then. */
static void write_record(const struct producer *producer, unsigned i, uint64_t position)
{
	for (uint64_t word = 0; word < producer->words[i]; word++) {
		const uint64_t before = *data_at(position, word);

		if (before != 0 && !is_over(before))
			schedule_fail("room is given that is not free");
		*data_at(position, word) = word_of(producer->thread, i, word);
	}
}

static void produce_one(struct producer *producer, unsigned i)
{
	uint64_t position;
	int error = vmsi_mpsc_claim(&mpsc, &producer->head, producer->thread,
				    producer->words[i] << SHIFT, &position);

	if (error == -EBADMSG)
		schedule_fail("a producer finds the ring broken");
	if (error)
		return;
	write_record(producer, i, position);
	if (producer->endings[i] == ABORTS)
		producer->over |= 1u << i;
	error = vmsi_mpsc_end_claim(&mpsc, position & (mpsc.capacity - 1),
				    producer->thread,
				    producer->endings[i] == COMMITS ?
				    VMSI_CELL_COMMITTED : VMSI_CELL_ABORTED,
				    producer->words[i] << SHIFT);
	if (error)
		schedule_fail("a claim is not its owner's any more");
	if (producer->endings[i] == COMMITS)
		producer->committed |= 1u << i;
}

static void produce(void *argument)
{
	struct producer *producer = argument;

	for (unsigned i = 0; i < producer->count; i++) {
		const uint64_t known[] = {
			i, atomic_load(&producer->head), producer->committed,
			producer->over,
		};

		schedule_forget_but(known, sizeof(known));
		produce_one(producer, i);
	}
}

static void get(const struct vms_ring_record *record)
{
	const uint64_t first = (uint64_t)((const char *)record->data - mpsc.data);
	const uint64_t begin = *data_at(first, 0);

	for (uint64_t word = 0; word < record->length >> SHIFT; word++)
		if (*data_at(first, word) != begin + word)
			schedule_fail("a record is torn");
	if (begin % 100 != 0 || begin == 0 || got_count == GOT_MOST)
		schedule_fail("what is no record is read");
	got[got_count].word = begin;
	got[got_count++].released = released_count;
}

static void note_release(const struct vms_ring_record *record)
{
	const uint64_t begin =
		*data_at((uint64_t)((const char *)record->data - mpsc.data), 0);

	producers[begin / 10000 - 1].over |= 1u << (begin / 100 % 100 - 1);
}

static bool consume_round(struct vmsi_mpsc_reader *reader)
{
	struct vms_ring_record records[2];
	uint64_t ignored = 0;
	ssize_t shown = vmsi_mpsc_peek(&mpsc, reader, VMSI_MPSC_WAITS, records, 2);

	if (shown < 0)
		schedule_fail("the consumer finds the ring broken");
	for (ssize_t i = 0; i < shown; i++)
		get(&records[i]);
	for (ssize_t i = 0; i < shown; i++)
		note_release(&records[i]);
	if (shown > 0 && vmsi_mpsc_release(&mpsc, reader, records[shown - 1].end,
					   &ignored, &ignored))
		schedule_fail("the ring is broken at a release");
	if (shown > 0)
		released_count = got_count;
	return shown > 0;
}

static void consume(void *argument)
{
	struct consumer *consumer = argument;

	if (vmsi_mpsc_begin_reading(&mpsc, &consumer->reader))
		schedule_fail("a consumer cannot begin");
	for (unsigned i = 0; i < consumer->rounds; i++) {
		schedule_forget_but(&i, sizeof(i));
		schedule_note_bytes(&consumer->reader, sizeof(consumer->reader));
		schedule_note_bytes(got, got_count * sizeof(got[0]));
		(void)consume_round(&consumer->reader);
	}
}

/* --- the end of a run -------------------------------------------------------------------------- */

static void reset(void)
{
	const uint64_t first = mpsc.capacity;

	atomic_store(&world.control.tail, first);
	atomic_store(&world.control.head, first);
	atomic_store(&world.control.releasing, first);
	for (unsigned i = 0; i < 2; i++) {
		atomic_store(&producers[i].head, first);
		producers[i].committed = producers[i].over = 0;
	}
	got_count = released_count = 0;
}

static bool wrong(const char *what)
{
	printf("# %s\n", what);
	return false;
}

/* Whoever consumes next gets all that is left, and claims find the whole ring free. */
static bool drain(void)
{
	struct vmsi_mpsc_reader reader;
	_Atomic uint64_t head = mpsc.capacity;
	uint64_t position;

	if (vmsi_mpsc_begin_reading(&mpsc, &reader))
		return wrong("nobody can consume any more");
	for (unsigned i = 0; i < 2 * PLACES; i++)
		(void)consume_round(&reader);
	if (vmsi_mpsc_claim(&mpsc, &head, 0, mpsc.capacity, &position) != 0)
		return wrong("the ring is not free in the end");
	if (position != reader.head)
		return wrong("head and tail differ in the end");
	return true;
}

/* A consumer that has died may have read what it did not release. */
static bool is_read_twice(unsigned i)
{
	const unsigned first = schedule_is_dead(CONSUMER) ? got[i].released : i;

	for (unsigned k = 0; k < first; k++)
		if (got[k].word == got[i].word)
			return true;
	return false;
}

/* What was read of one producer: all that it committed, in order. */
static bool check_producer(const struct producer *producer)
{
	unsigned seen = 0;
	uint64_t last = 0;

	for (unsigned i = 0; i < got_count; i++) {
		const unsigned record = (unsigned)(got[i].word / 100 % 100 - 1);

		if (got[i].word / 10000 - 1 != producer->thread)
			continue;
		if (record >= producer->count || !(producer->committed & 1u << record))
			return wrong("what was not committed is read");
		if (is_read_twice(i))
			return wrong("a record is read twice");
		if (got[i].word < last && !schedule_is_dead(CONSUMER))
			return wrong("records are read in another order");
		seen |= 1u << record;
		last = got[i].word;
	}
	return seen == producer->committed || wrong("a record is lost");
}

static bool check(void)
{
	return drain() && check_producer(&producers[0]) && check_producer(&producers[1]);
}

/* --- worlds ---------------------------------------------------------------------------------------- */

static unsigned cases, failures;
static bool is_long;

static struct schedule plan_of(unsigned rounds)
{
	struct schedule plan = {
		.threads = {
			{ .body = produce, .argument = &producers[0] },
			{ .body = produce, .argument = &producers[1] },
			{ .body = consume, .argument = &consumers[0] },
		},
		.count = 3,
		.memory = &world,
		.memory_bytes = sizeof(world),
		.reset = reset,
		.check = check,
	};

	consumers[0].rounds = rounds;
	producers[0] = (struct producer){ .thread = 0, .count = 2, .words = { 1, 2 } };
	producers[1] = (struct producer){
		.thread = 1, .count = is_long ? 2 : 1, .words = { 2, 1 },
	};
	return plan;
}

static void explore(const char *name, const struct schedule *plan, bool must_find)
{
	struct schedule_figures figures;
	const bool is_good = schedule_explore(plan, &figures);

	printf("# %s: %llu states, %llu runs to an end, at most %u steps\n", name,
	       (unsigned long long)figures.states, (unsigned long long)figures.runs,
	       figures.depth);
	printf("%sok %u - %s\n", is_good == must_find ? "not " : "", ++cases, name);
	failures += is_good == must_find;
}

static void nobody_dies(bool must_find)
{
	struct schedule plan = plan_of(3);

	explore("two producers and a consumer", &plan, must_find);
}

static void a_producer_dies(void)
{
	struct schedule plan = plan_of(2);

	plan.deaths = 1;
	plan.threads[0].may_die = plan.threads[1].may_die = true;
	explore("a producer dies at each step", &plan, false);
}

static void the_living_are_taken_for_dead(void)
{
	struct schedule plan = plan_of(2);

	finds_all_dead = true;
	explore("that the living are taken for dead is found", &plan, true);
	finds_all_dead = false;
}

static void both_producers_die(void)
{
	struct schedule plan = plan_of(2);

	producers[0].count = 1;
	producers[0].words[0] = 2;
	producers[1].count = 1;
	plan.deaths = 2;
	plan.threads[0].may_die = plan.threads[1].may_die = true;
	explore("both producers die", &plan, false);
}

static void claims_are_aborted(void)
{
	struct schedule plan = plan_of(3);

	producers[0].endings[0] = producers[1].endings[1] = ABORTS;
	explore("claims are given up", &plan, false);
}

static void the_consumer_dies(void)
{
	struct schedule plan = plan_of(1);

	plan.deaths = 1;
	plan.threads[CONSUMER].may_die = true;
	plan.threads[3] = (struct schedule_thread){
		.body = consume, .argument = &consumers[1], .waits = true, .waits_for = CONSUMER,
	};
	consumers[1].rounds = 1;
	producers[1].count = 1;
	plan.count = 4;
	if (is_long) {
		plan.deaths = 2;
		plan.threads[0].may_die = plan.threads[1].may_die = true;
	}
	explore("the consumer dies and another one goes on", &plan, false);
}

int main(int argc, char **argv)
{
	const bool must_find = argc > 1 && strcmp(argv[1], "--must-find") == 0;

	is_long = must_find || (argc > 1 && strcmp(argv[1], "--long") == 0);
	if (must_find) {
		nobody_dies(true);
	} else {
		nobody_dies(false);
		a_producer_dies();
		both_producers_die();
		claims_are_aborted();
		the_consumer_dies();
		the_living_are_taken_for_dead();
	}
	printf("1..%u\n", cases);
	return failures != 0;
}
