/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring_parts.h"
#include "ring_steps.h"

/*
 * The calls that produce and consume (src/ring, compiled with the steps of ring_steps.h) in
 * all interleavings of a producer and a consumer, and of those that take their places when
 * they die, in a ring of a page that records of a third of it fill. Those that wait sleep
 * until they are woken: in a world without deaths nobody may sleep for ever.
 *
 * --must-find WORLD: that world alone must fail, since a fault is compiled in.
 * --long: more, for some minutes.
 */

#define RECORDS_MOST 8

/* --- threads ---------------------------------------------------------------------------- */

struct record {
	size_t claims;
	size_t commits;        /* 0: the claim is given up */
};

/* What threads do; and how far they are in a run. */
static struct {
	enum vms_ring_kind kind;
	struct record records[RECORDS_MOST];
	unsigned count;          /* of records, of each producer */
	unsigned rounds;         /* of each consumer */
	int64_t timeout;
} world;

/* A bit for each record. */
static struct {
	unsigned committed;
	unsigned begun;          /* the commit that is going on */
} produced[SCHEDULE_THREADS];

static struct {
	unsigned number;
	unsigned consumer;
} got[64];
static unsigned got_count;

/* A record's number: whose it is, and which. */
static unsigned number_of(unsigned thread, unsigned record)
{
	return (thread + 1) * 100 + record;
}

static void write_words(char *bytes, size_t length, uint64_t word)
{
	for (size_t i = 0; i + sizeof(word) <= length; i += sizeof(word))
		memcpy(bytes + i, &word, sizeof(word));
}

static void produce_one(struct vms_ring *ring, unsigned thread, unsigned i)
{
	const struct record *record = &world.records[i];
	char *bytes = vms_ring_claim(ring, record->claims, world.timeout);

	if (!bytes && errno != EAGAIN && errno != ETIMEDOUT)
		schedule_fail("a claim fails");
	if (!bytes)
		return;
	/* What is written to a claim and not committed must not be taken for a header. */
	write_words(bytes, record->claims, 9);
	write_words(bytes, record->commits, number_of(thread, i));
	if (record->commits == 0) {
		if (vms_ring_abort(ring, bytes))
			schedule_fail("a claim cannot be given up");
		return;
	}
	produced[thread].begun = 1u << i;
	if (vms_ring_commit(ring, bytes, record->commits))
		schedule_fail("a commit fails");
	produced[thread].begun = 0;
	produced[thread].committed |= 1u << i;
}

static void produce(void *argument)
{
	struct vms_ring *ring = argument;
	const unsigned thread = (unsigned)(ring - parts);

	parts_begin(ring);
	for (unsigned i = 0; i < world.count; i++) {
		schedule_forget_but(&i, sizeof(i));
		schedule_note_bytes(&ring->producer, sizeof(ring->producer));
		schedule_note_bytes(&produced[thread], sizeof(produced[thread]));
		produce_one(ring, thread, i);
	}
}

/* A record of a broadcast may be overwritten until its release says that it was not. */
static void get(const struct vms_ring *ring, const struct vms_ring_record *record)
{
	uint64_t first, word;

	memcpy(&first, record->data, sizeof(first));
	if (ring->kind == VMS_RING_BROADCAST)
		explorer_step(control, 0);
	for (size_t i = 0; i + sizeof(word) <= record->length; i += sizeof(word)) {
		memcpy(&word, (const char *)record->data + i, sizeof(word));
		if (word != first)
			first = 0;
	}
	if (got_count == sizeof(got) / sizeof(got[0]))
		schedule_fail("too many records");
	got[got_count].number = (unsigned)first;
	got[got_count++].consumer = (unsigned)(ring - parts);
}

static void must_be_records(void)
{
	for (unsigned i = 0; i < got_count; i++) {
		const unsigned thread = got[i].number / 100 - 1;
		const unsigned record = got[i].number % 100;

		if (thread >= SCHEDULE_THREADS || record >= world.count)
			schedule_fail("what is no record is read");
	}
}

/* Release the first one of two, in turn, or both. */
static void consume_round(struct vms_ring *ring, unsigned round)
{
	struct vms_ring_record records[2];
	const unsigned before = got_count;
	ssize_t shown = vms_ring_peek(ring, records, 2);

	if (shown < 0)
		schedule_fail("the consumer finds the ring broken");
	if (shown == 2 && round % 2 == 0)
		shown = 1;
	for (ssize_t i = 0; i < shown; i++)
		get(ring, &records[i]);
	if (shown > 0 && vms_ring_release(ring, &records[shown - 1]) != 0) {
		if (ring->kind != VMS_RING_BROADCAST || errno != ESTALE)
			schedule_fail("a release fails");
		got_count = before;
	}
	must_be_records();
}

static void consume(void *argument)
{
	struct vms_ring *ring = argument;

	parts_begin(ring);
	for (unsigned i = 0; i < world.rounds; i++) {
		const int error = world.timeout == VMS_RING_NO_WAIT ? 0 :
			vms_ring_wait(ring, world.timeout) ? errno : 0;

		if (error && error != ETIMEDOUT)
			schedule_fail("a wait fails");
		schedule_forget_but(&i, sizeof(i));
		schedule_note_bytes(&ring->consumer, sizeof(ring->consumer));
		schedule_note_bytes(got, got_count * sizeof(got[0]));
		consume_round(ring, i);
	}
}

/* --- the end of a run ------------------------------------------------------------------------- */

static const struct schedule *plan;

static void reset(void)
{
	atomic_store(&control->tail, CAPACITY);
	atomic_store(&control->floor, CAPACITY);
	atomic_store(&control->head, CAPACITY);
	atomic_store(&control->releasing, CAPACITY);
	for (unsigned i = 0; i < plan->count; i++)
		parts_make(i, world.kind, plan->threads[i].body == produce ?
			  VMS_RING_PRODUCER : VMS_RING_CONSUMER);
	memset(produced, 0, sizeof(produced));
	got_count = 0;
}

static bool wrong(const char *what)
{
	printf("# %s\n", what);
	return false;
}

/* From where it began, a consumer has read or missed all that was committed. */
static bool is_told_of_all(const struct vms_ring *last)
{
	const struct vmsi_broadcast_reader *reader = &last->consumer.broadcast;
	uint64_t told = first_number[last - parts] + reader->missed_records;
	unsigned least = 0, begun = 0;

	for (unsigned i = 0; i < SCHEDULE_THREADS; i++) {
		least += (unsigned)__builtin_popcount(produced[i].committed);
		begun += produced[i].begun != 0;
	}
	for (unsigned i = 0; i < got_count; i++)
		told += got[i].consumer == (unsigned)(last - parts);
	return (told == reader->number && told >= least && told <= least + begun) ||
		wrong("records are neither read nor told of as missed");
}

/* Whoever consumes next gets what is left. */
static bool drain(void)
{
	struct vms_ring *last = &parts[SCHEDULE_THREADS - 1];
	unsigned before;

	for (unsigned i = 0; i < plan->count; i++)
		if (plan->threads[i].body == consume && !schedule_is_dead(i) &&
		    (!plan->threads[i].waits || schedule_is_dead(plan->threads[i].waits_for)))
			last = &parts[i];
	if (last->kind == 0 || last->flags != VMS_RING_CONSUMER) {
		parts_make(SCHEDULE_THREADS - 1, world.kind, VMS_RING_CONSUMER);
		last = &parts[SCHEDULE_THREADS - 1];
		parts_begin(last);
	}
	for (unsigned i = 0; i < RECORDS_MOST; i++)
		do {
			before = got_count;
			consume_round(last, 1);
		} while (got_count != before);
	return world.kind != VMS_RING_BROADCAST || is_told_of_all(last);
}

/* The records of a producer were read by a consumer: once, and in order. */
static bool are_in_order(unsigned producer, unsigned consumer, unsigned *seen)
{
	unsigned last = 0;

	*seen = 0;
	for (unsigned i = 0; i < got_count; i++) {
		const unsigned bit = 1u << got[i].number % 100;

		if (got[i].number / 100 - 1 != producer || got[i].consumer != consumer)
			continue;
		if (*seen & bit)
			return wrong("a record is read twice");
		if (bit < last)
			return wrong("records are read in another order");
		*seen |= bit;
		last = bit;
	}
	return true;
}

/*
 * All that was committed is read by the consumer, or the one before it that has died; and
 * nothing else is. A producer may have died when the record was told of.
 */
static bool check_producer(unsigned producer)
{
	const unsigned committed = produced[producer].committed;
	unsigned all = 0, seen;

	for (unsigned i = 0; i < SCHEDULE_THREADS; i++) {
		if (!are_in_order(producer, i, &seen))
			return false;
		all |= seen;
	}
	if (all & ~(committed | produced[producer].begun))
		return wrong("what was not committed is read");
	return world.kind == VMS_RING_BROADCAST || (committed & ~all) == 0 ||
		wrong("a record is lost");
}

static bool check(void)
{
	if (!drain())
		return false;
	for (unsigned i = 0; i < plan->count; i++)
		if (plan->threads[i].body == produce && !check_producer(i))
			return false;
	return true;
}

/* --- worlds ----------------------------------------------------------------------------------- */

static unsigned cases, failures;
static const char *only;
static bool is_long;

static struct schedule plan_of(enum vms_ring_kind kind, int64_t timeout)
{
	world.kind = kind;
	world.timeout = timeout;
	return (struct schedule){
		.threads = {
			{ .body = produce, .argument = &parts[0] },
			{ .body = consume, .argument = &parts[1] },
		},
		.count = 2,
		.memory = control,
		.memory_bytes = CAPACITY * 2,
		.reset = reset,
		.check = check,
	};
}

static void set_records(const struct record *records, unsigned count, unsigned rounds)
{
	memcpy(world.records, records, count * sizeof(*records));
	world.count = count;
	world.rounds = rounds;
}

static void add_successor(struct schedule *schedule, unsigned of)
{
	schedule->threads[of].may_die = true;
	schedule->deaths = 1;
	schedule->threads[schedule->count] = (struct schedule_thread){
		.body = schedule->threads[of].body,
		.argument = &parts[schedule->count],
		.waits = true, .waits_for = of,
	};
	schedule->count++;
}

static void report(const char *name, bool is_good)
{
	printf("%sok %u - %s\n", is_good ? "" : "not ", ++cases, name);
	failures += !is_good;
}

static void explore(const char *name, const struct schedule *schedule)
{
	struct schedule_figures figures;
	bool is_good;

	if (only && strcmp(only, name) != 0)
		return;
	plan = schedule;
	is_good = schedule_explore(schedule, &figures) != (only != NULL);
	printf("# %s: %llu states, %llu runs to an end, at most %u steps\n", name,
	       (unsigned long long)figures.states, (unsigned long long)figures.runs,
	       figures.depth);
	report(name, is_good);
}

/* A consumer begins, and is told of all, with a producer that commits at each of its steps. */
static bool begins_in_a_hurry(enum vmsi_broadcast_begin where)
{
	struct vms_ring *ring = &parts[1];
	struct vmsi_broadcast_reader *reader = &ring->consumer.broadcast;
	struct vms_ring_record record;
	uint64_t began;
	ssize_t shown = 0;

	memset(control, 0, 2 * CAPACITY);
	reset();
	parts_begin(&parts[0]);
	for (unsigned i = 0; i < CAPACITY / 8; i++)
		parts_write(&parts[0]);
	parts_hurry(&parts[0]);
	if (vmsi_broadcast_begin_reading(&ring->broadcast, reader, where) != 0) {
		parts_hurry(NULL);
		return wrong("a consumer cannot begin");
	}
	began = reader->number;
	for (unsigned i = 0; i < 20 && shown == 0; i++)
		shown = vms_ring_peek(ring, &record, 1);
	parts_hurry(NULL);
	return shown == 1 && reader->number == began + reader->missed_records;
}

static void hurry(void)
{
	const struct schedule schedule = plan_of(VMS_RING_BROADCAST, VMS_RING_NO_WAIT);

	if (only)
		return;
	plan = &schedule;
	report("broadcast-in-a-hurry", begins_in_a_hurry(VMSI_BROADCAST_NOW) &&
	       begins_in_a_hurry(VMSI_BROADCAST_OLDEST));
}

/* Records of many lengths: those that are given up, or shorter than what was claimed. */
static const struct record mixed[] = {
	{ 1500, 1500 }, { 1600, 0 }, { 1600, 16 }, { 8, 8 }, { 1400, 1400 }, { 24, 0 },
	{ 2000, 2000 },
};
#define MIXED (sizeof(mixed) / sizeof(mixed[0]))

static void explore_sole(void)
{
	struct schedule schedule = plan_of(VMS_RING_SPSC, VMS_RING_NO_WAIT);

	set_records(mixed, MIXED, 6);
	explore("one-polled", &schedule);
	set_records(mixed, MIXED, 4);
	add_successor(&schedule, 0);
	explore("one-producer-dies", &schedule);
	schedule = plan_of(VMS_RING_SPSC, VMS_RING_NO_WAIT);
	add_successor(&schedule, 1);
	explore("one-consumer-dies", &schedule);
	schedule = plan_of(VMS_RING_SPSC, VMS_RING_FOREVER);
	set_records((const struct record[]){ { 1500, 1500 }, { 1500, 1500 }, { 1500, 1500 },
					     { 3000, 8 }, { 1500, 1500 } }, 5, 3);
	explore("one-waits", &schedule);
}

static void explore_broadcast(void)
{
	static const struct record records[] = {
		{ 900, 900 }, { 900, 8 }, { 900, 900 }, { 1000, 1000 }, { 900, 0 },
		{ 1000, 1000 }, { 900, 900 },
	};
	struct schedule schedule = plan_of(VMS_RING_BROADCAST, VMS_RING_NO_WAIT);

	set_records(records, 7, 4);
	explore("broadcast-polled", &schedule);
	set_records(records, 4, 3);
	add_successor(&schedule, 0);
	explore("broadcast-producer-dies", &schedule);
	schedule = plan_of(VMS_RING_BROADCAST, VMS_RING_FOREVER);
	set_records(records, 1, 1);
	schedule.threads[2] = (struct schedule_thread){
		.body = consume, .argument = &parts[2],
	};
	schedule.count = 3;
	explore("broadcast-waits", &schedule);
}

/* A claim of the dead is found when time has passed. */
static void explore_many(void)
{
	static const struct record records[] = { { 2048, 2048 } };
	struct schedule schedule = plan_of(VMS_RING_MPSC, VMS_RING_FOREVER);

	schedule.threads[2] = (struct schedule_thread){
		.body = produce, .argument = &parts[2],
	};
	schedule.count = 3;
	set_records(records, 1, is_long ? 2 : 1);
	explore("many-wait", &schedule);
	if (is_long) {
		set_records((const struct record[]){ { CAPACITY, CAPACITY } }, 1, 2);
		explore("many-wait-for-room", &schedule);
		set_records(records, 1, 2);
	}
	world.timeout = 1;
	schedule.threads[0].may_die = true;
	schedule.deaths = 1;
	schedule.time_passes = true;
	explore("many-wait-and-one-dies", &schedule);
}

int main(int argc, char **argv)
{
	only = argc > 2 && strcmp(argv[1], "--must-find") == 0 ? argv[2] : NULL;
	is_long = argc > 1 && strcmp(argv[1], "--long") == 0;
	parts_map();
	hurry();
	explore_sole();
	explore_broadcast();
	explore_many();
	printf("1..%u\n", cases);
	return failures != 0 || cases == 0;
}
