/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "io/self.h"
#include "io_explorer.h"

/*
 * How requests in flight are handed from thread to thread (src/io, all of it, with a lock, a
 * host and a ring of the explorer's), in all interleavings of up to three threads that
 * submit and wait, and one that the io begins: its keeper, or a worker. Another thread may
 * run before each lock is taken, each sleep, each look at the ring's results, each end of a
 * request and each transfer by a call. A thread is known by the bytes of its
 * stack. Sleeps never end by themselves here. The ring gives one result at a time, as late
 * as can be. The last thread closes the io.
 *
 * - Each request ends once, and before a wait for it is over.
 * - A detached request is given to the ring by the thread of the io, and one that is awaited
 *   by that or its own.
 * - Nobody sleeps for ever: neither who waits, nor who closes.
 *
 * --must-find FAULT: with this fault some world must fail. deaf-waiter: who sleeps in a wait
 * is not woken; deaf-thread: nor is the keeper, or a worker; deaf-ring: nor who waits for its
 * results.
 */

enum fault io_fault;
struct io_world world;
struct io_made made;
unsigned running;

static struct vmsi_io *io;
static unsigned numbers[SCHEDULE_THREADS] = { 0, 1, 2, SPARE };
static const char *stacks[SCHEDULE_THREADS]; /* where those of the threads begin */
static bool is_exploring;

/* --- turns ------------------------------------------------------------------------------ */

/* Registers are among the words, since the call saves them. */
__attribute__((noinline)) static void note_stack(void)
{
	const uint64_t *word = __builtin_frame_address(0);
	const uint64_t *end = (const uint64_t *)stacks[running];
	uint64_t hash = 0;

	__builtin_unwind_init();
	for (; word < end; word++) {
		hash = (hash ^ *word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	schedule_forget_but(&hash, sizeof(hash));
}

void io_step(const void *word)
{
	const unsigned me = running;

	if (!is_exploring)
		return;
	note_stack();
	schedule_step(word, sizeof(uint64_t));
	running = me;
}

void io_sleep_on(const void *word)
{
	const unsigned me = running;

	note_stack();
	(void)schedule_sleep(word);
	running = me;
}

/* Whose stack a word is on; SCHEDULE_THREADS: it is in the record. */
static unsigned owner_of(const void *word)
{
	for (unsigned i = 0; i < SCHEDULE_THREADS; i++)
		if ((const char *)word < stacks[i] &&
		    (const char *)word > stacks[i] - 32768)
			return i;
	return SCHEDULE_THREADS;
}

/* --- locks ------------------------------------------------------------------------------ */

void vmsi_lock_init(struct vmsi_lock *lock, enum vmsi_lock_rank rank)
{
	(void)lock;
	(void)rank;
}

void vmsi_lock_acquire(struct vmsi_lock *lock)
{
	(void)lock;
	io_step(&world.is_locked);
	while (world.is_locked)
		io_sleep_on(&world.is_locked);
	world.is_locked = 1;
}

void vmsi_lock_release(struct vmsi_lock *lock)
{
	(void)lock;
	world.is_locked = 0;
	schedule_wake(&world.is_locked);
}

/* --- the host --------------------------------------------------------------------------- */

static long futex_wait(const void *word, uint32_t value, uint64_t nanoseconds)
{
	uint32_t found;

	(void)nanoseconds;
	io_step(&world.is_over);
	memcpy(&found, word, sizeof(found));
	if (found == value)
		io_sleep_on(word);
	world.bells[running] = 0;
	return 0;
}

/* The word was changed in the same turn. */
static long futex_wake(const void *word, int count)
{
	const unsigned owner = owner_of(word);

	(void)count;
	if (owner < SCHEDULE_THREADS)
		world.bells[owner]++;
	if (io_fault != (owner < SCHEDULE_THREADS ? DEAF_WAITER : DEAF_THREAD))
		schedule_wake(word);
	return 0;
}

static long start_thread(pthread_t *thread, size_t stack, void *(*run)(void *),
			 void *context)
{
	(void)thread;
	(void)stack;
	(void)context;
	if (!made.has_threads || world.spare)
		return -EAGAIN;
	world.spare = run;
	schedule_wake(&world.spare);
	return 0;
}

static void join_thread(pthread_t thread)
{
	(void)thread;
	while (!world.spare_has_ended)
		io_sleep_on(&world.spare_has_ended);
}

static long transfer(int fd, void *buffer, size_t length, uint64_t offset)
{
	(void)fd;
	(void)buffer;
	(void)offset;
	io_step(&world.is_over);
	return (long)length;
}

static long map(uintptr_t address, size_t length, int prot, int flags, int fd,
		uint64_t offset)
{
	(void)address;
	(void)prot;
	(void)flags;
	(void)fd;
	(void)offset;
	return length <= RECORD_BYTES ? (long)world.record : -ENOMEM;
}

static long unmap(uintptr_t address, size_t length)
{
	(void)address;
	(void)length;
	return 0;
}

struct vmsi_host_calls vmsi_host = {
	.mmap = map,
	.munmap = unmap,
	.pread = transfer,
	.futex_wait = futex_wait,
	.futex_wake = futex_wake,
	.start_thread = start_thread,
	.join_thread = join_thread,
};

/* The record is no larger than it must be: it is a part of each state. */
size_t vmsi_page_size(void)
{
	return 64;
}

/* Its number among the threads, and one more. */
uintptr_t vmsi_io_self(void)
{
	return running + 1;
}

/* --- threads ---------------------------------------------------------------------------- */

static void note_end(struct vmsi_io_request *request)
{
	const size_t number = (size_t)(request - world.requests);

	io_step(&world.is_over);
	if (request->result != (long)request->length)
		schedule_fail("a request has another result");
	if (made.submits_again && !world.again && request->is_detached) {
		world.again = 1;
		vmsi_io_submit(io, &request, 1);
		return;
	}
	world.ends[number]++;
	schedule_wake(&world.ends[number]);
}

static void use(const struct user *user)
{
	for (unsigned i = 0; i < user->count; i++) {
		struct vmsi_io_request *request = &world.requests[user->first + i];

		*request = (struct vmsi_io_request){
			.opcode = VMSI_IO_READ,
			.length = 1,
			.is_detached = user->is_detached,
			.done = note_end,
		};
		world.givers[user->first + i] = running;
		vmsi_io_submit(io, &request, 1);
		while (user->watches && !world.ends[user->first + i])
			io_sleep_on(&world.ends[user->first + i]);
	}
	for (unsigned i = 0; !user->is_detached && i < user->count; i++) {
		struct vmsi_io_request *request = &world.requests[user->first + i];

		io_step(&world.is_over);
		if (!user->polls || !vmsi_io_has_ended(io, request))
			(void)vmsi_io_wait(io, request);
		if (world.ends[user->first + i] != 1)
			schedule_fail("a wait is over before the request");
	}
}

static void run(void *argument)
{
	const unsigned me = *(const unsigned *)argument;

	stacks[me] = __builtin_frame_address(0);
	running = me;
	io_step(&world.is_over);
	if (me == SPARE) {
		while (!world.spare && !world.is_over)
			io_sleep_on(&world.spare);
		if (world.spare)
			(void)world.spare(io);
		world.spare_has_ended = 1;
		schedule_wake(&world.spare_has_ended);
		return;
	}
	use(&made.users[me]);
	io_step(&world.finished);
	if (++world.finished < made.user_count)
		return;
	vmsi_io_close(io);
	world.is_over = 1;
	if (!world.spare)
		schedule_wake(&world.spare);
}

/* --- worlds ----------------------------------------------------------------------------- */

static void reset(void)
{
	is_exploring = false;
	if (vmsi_io_open(made.depth, made.flags, &io))
		schedule_fail("it cannot be opened");
	is_exploring = true;
}

static bool check(void)
{
	for (unsigned i = 0; i < made.user_count; i++)
		for (unsigned k = 0; k < made.users[i].count; k++)
			if (world.ends[made.users[i].first + k] != 1)
				return false;
	return world.is_over == 1;
}

static unsigned cases, failures;

static void explore(void)
{
	struct schedule plan = {
		.count = SCHEDULE_THREADS,
		.memory = &world,
		.memory_bytes = sizeof(world),
		.reset = reset,
		.check = check,
	};
	struct schedule_figures figures;
	bool is_good;

	/* One world that shows the fault is enough. */
	if (io_fault != NONE && failures)
		return;
	made.user_count = 0;
	while (made.user_count < USERS && made.users[made.user_count].count)
		made.user_count++;
	for (unsigned i = 0; i < SCHEDULE_THREADS; i++)
		plan.threads[i] = (struct schedule_thread){
			.body = run, .argument = &numbers[i],
		};
	/* A user who has nothing to do is no thread: the spare one takes its number. */
	plan.count = made.user_count + 1;
	plan.threads[made.user_count].argument = &numbers[SPARE];
	is_good = schedule_explore(&plan, &figures);
	printf("# %s: %llu states, %llu runs to an end, at most %u steps\n", made.name,
	       (unsigned long long)figures.states, (unsigned long long)figures.runs,
	       figures.depth);
	failures += !is_good;
	if (io_fault == NONE)
		printf("%sok %u - %s\n", is_good ? "" : "not ", ++cases, made.name);
}

#define WORLD(...) \
	do { \
		made = (struct io_made){ __VA_ARGS__ }; \
		explore(); \
	} while (0)

#define WAITS(number, many) { .first = (number), .count = (many) }
#define POLLS(number, many) { .first = (number), .count = (many), .polls = true }
#define LEAVES(number, many) { .first = (number), .count = (many), .is_detached = true }
#define WATCHES(number, many) \
	{ .first = (number), .count = (many), .is_detached = true, .watches = true }

static void explore_rings(void)
{
	WORLD(.name = "two who wait", .depth = 2, .has_threads = true,
	      .users = { WAITS(0, 1), WAITS(1, 1) });
	WORLD(.name = "two who wait for a place in the ring", .depth = 1,
	      .has_threads = true, .users = { WAITS(0, 2), WAITS(2, 1) });
	WORLD(.name = "one who looks first, and one who waits", .depth = 2,
	      .has_threads = true, .users = { POLLS(0, 1), WAITS(1, 1) });
	WORLD(.name = "one who waits, and a detached request", .depth = 2,
	      .has_threads = true, .users = { WAITS(0, 1), LEAVES(1, 1) });
	WORLD(.name = "one who waits, and detached requests one after the other",
	      .depth = 1, .has_threads = true, .submits_again = true,
	      .users = { WAITS(0, 1), LEAVES(1, 1) });
	WORLD(.name = "detached requests that nobody waits for", .depth = 2,
	      .has_threads = true, .users = { WATCHES(0, 2), WAITS(2, 1) });
	WORLD(.name = "detached requests, one of which waits for the other", .depth = 2,
	      .has_threads = true, .late_until = 2,
	      .users = { LEAVES(0, 1), LEAVES(1, 1) });
	WORLD(.name = "who waits leaves a detached request that waits for another",
	      .depth = 2, .has_threads = true, .late_until = 3,
	      .users = { LEAVES(0, 2), WAITS(2, 1) });
	WORLD(.name = "detached requests, no thread", .depth = 1,
	      .users = { LEAVES(0, 1), WAITS(1, 1) });
}

static void explore_broken_rings(void)
{
	WORLD(.name = "the ring breaks, there is a thread", .depth = 1, .has_threads = true,
	      .breaks_after = 1, .users = { WAITS(0, 1), WAITS(1, 1) });
	WORLD(.name = "the ring breaks, there is no thread", .depth = 1, .breaks_after = 1,
	      .users = { WAITS(0, 1), WAITS(1, 1) });
	WORLD(.name = "the ring breaks with a detached request in it", .depth = 1,
	      .has_threads = true, .breaks_after = 1,
	      .users = { LEAVES(0, 2), WAITS(2, 1) });
}

static void explore_threads(void)
{
	WORLD(.name = "a worker, and two who wait", .depth = 2, .flags = VMSI_IO_NO_RING,
	      .has_threads = true, .users = { WAITS(0, 1), WAITS(1, 1) });
	WORLD(.name = "a worker, one who waits, and detached requests", .depth = 2,
	      .flags = VMSI_IO_NO_RING, .has_threads = true, .submits_again = true,
	      .users = { WAITS(0, 1), LEAVES(1, 1) });
	WORLD(.name = "no thread, and detached requests", .depth = 2,
	      .flags = VMSI_IO_NO_RING, .submits_again = true,
	      .users = { POLLS(0, 1), LEAVES(1, 1) });
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "", "deaf-waiter", "deaf-thread",
					     "deaf-ring" };

	if (argc > 2 && strcmp(argv[1], "--must-find") == 0)
		for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
			if (strcmp(argv[2], names[i]) == 0)
				io_fault = (enum fault)i;
	explore_rings();
	explore_broken_rings();
	explore_threads();
	if (io_fault != NONE) {
		printf("%sok 1 - the fault is found: %s\n", failures ? "" : "not ",
		       names[io_fault]);
		cases = 1;
		failures = failures == 0;
	}
	printf("1..%u\n", cases);
	return failures != 0;
}
