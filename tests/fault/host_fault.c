/* SPDX-License-Identifier: MIT */
#include "host_fault.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host_fault_files.h"

struct vmsi_host_calls fault_real;
static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fault_plan plan;
static struct fault_result result;
static bool following;

/* The calls of the last run in which none was refused. */
#define TRACE_MOST 2000
struct traced {
	enum host_call call;
	bool fixed;
};
static struct traced trace[TRACE_MOST], whole_trace[TRACE_MOST];
static unsigned whole_trace_count;

#define REFUSED_RANGES 256
static struct vmsi_range refused[REFUSED_RANGES];
static unsigned refused_count;

/* --- ranges that munmap was refused ------------------------------------------ */

static void note_refused(struct vmsi_range range)
{
	if (refused_count < REFUSED_RANGES)
		refused[refused_count++] = range;
}

/* Forget a refused range that is unmapped or replaced. */
static void note_gone(struct vmsi_range gone)
{
	for (unsigned i = refused_count; i-- > 0;) {
		struct vmsi_range above = { gone.end, refused[i].end };

		if (!vmsi_range_overlaps(refused[i], gone))
			continue;
		if (above.start < above.end)
			note_refused(above);
		refused[i].end = vmsi_max(refused[i].start, gone.start);
		if (refused[i].start == refused[i].end)
			refused[i] = refused[--refused_count];
	}
}

size_t fault_sweep_refused(uintptr_t start, uintptr_t end)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < refused_count; i++) {
		if (refused[i].start >= start && refused[i].end <= end)
			continue;
		bytes += vmsi_range_length(refused[i]);
		fault_real.munmap(refused[i].start, vmsi_range_length(refused[i]));
	}
	refused_count = 0;
	return bytes;
}

/* --- moves ---------------------------------------------------------------------- */

/*
 * A thread may always move memory back where it came from: Linux has no reason to
 * refuse, and an undo depends on it.
 */
#define MOVES 16
static _Thread_local struct move {
	struct vmsi_range source;
	uintptr_t target;
} moves[MOVES];
static _Thread_local unsigned move_count;

static void note_move(struct vmsi_range source, uintptr_t target)
{
	moves[move_count++ % MOVES] = (struct move){ source, target };
}

static bool came_from(uintptr_t page, uintptr_t place)
{
	for (unsigned i = 0; i < MOVES; i++)
		if (page - moves[i].target <
			    vmsi_range_length(moves[i].source) &&
		    page - moves[i].target == place - moves[i].source.start)
			return true;
	return false;
}

static bool goes_back(struct vmsi_range source, uintptr_t target)
{
	const size_t last = vmsi_range_length(source) - 1;

	return came_from(source.start, target) &&
		came_from(source.start + last, target + last);
}

/* --- the decision ------------------------------------------------------------- */

static bool is_chosen(bool fixed)
{
	switch (plan.mode) {
	case FAULT_NEVER:
		return false;
	case FAULT_ONCE:
		return result.calls == plan.n;
	case FAULT_FROM:
		return result.calls >= plan.n;
	case FAULT_DESTROYING:
		return result.calls == plan.n && fixed;
	}
	return false;
}

/* Count a call; return 0, or the -errno that it must give. */
static long decide_fixed(enum host_call call, bool fixed)
{
	long error = 0;

	pthread_mutex_lock(&fault_lock);
	if (following) {
		if (result.calls < TRACE_MOST)
			trace[result.calls] = (struct traced){ call, fixed };
		result.calls++;
		if (is_chosen(fixed)) {
			error = plan.errors[call] ? plan.errors[call] :
				-fault_call_errno(call, plan.which);
			if (result.failed++ == 0) {
				result.call = call;
				result.error = (int)-error;
			}
		}
	}
	pthread_mutex_unlock(&fault_lock);
	return error;
}

long fault_decide(enum host_call call)
{
	return decide_fixed(call, false);
}

struct fault_plan fault_plan_of(int mode, int which, unsigned n)
{
	struct fault_plan made = {
		.mode = (enum fault_mode)mode,
		.n = n,
		.which = (enum fault_errno)which,
	};

	if (mode == FAULT_FROM)
		made.errors[CALL_FTRUNCATE] = -EIO;
	return made;
}

void fault_begin(const struct fault_plan *new_plan)
{
	pthread_mutex_lock(&fault_lock);
	plan = *new_plan;
	result = (struct fault_result){ 0 };
	following = true;
	move_count = 0;
	memset(moves, 0, sizeof(moves));
	pthread_mutex_unlock(&fault_lock);
}

struct fault_result fault_end(void)
{
	struct fault_result ended;

	pthread_mutex_lock(&fault_lock);
	following = false;
	ended = result;
	if (!ended.failed) {
		whole_trace_count = ended.calls < TRACE_MOST ? ended.calls :
							       TRACE_MOST;
		memcpy(whole_trace, trace,
		       whole_trace_count * sizeof(*whole_trace));
	}
	pthread_mutex_unlock(&fault_lock);
	return ended;
}

static bool is_new(const struct fault_plan *next)
{
	const struct traced *traced;

	if (next->n > whole_trace_count)
		return true;
	traced = &whole_trace[next->n - 1];
	if (next->mode == FAULT_DESTROYING)
		return traced->fixed;
	return next->mode != FAULT_ONCE || next->which == FAULT_USUAL ||
		fault_call_errno(traced->call, FAULT_USUAL) !=
			fault_call_errno(traced->call, next->which);
}

void fault_next(struct fault_plan *next)
{
	do
		next->n++;
	while (!is_new(next));
}

/* --- the table ------------------------------------------------------------------ */

static void destroy_target(uintptr_t address, size_t length)
{
	if (plan.mode == FAULT_DESTROYING)
		fault_real.munmap(address, length);
}

static long fail_mmap(uintptr_t address, size_t length, int prot, int flags,
		      int fd, uint64_t offset)
{
	/* MAP_FIXED_NOREPLACE replaces nothing. */
	bool fixed = flags & MAP_FIXED;
	long error = decide_fixed(CALL_MMAP, fixed);

	if (!error) {
		error = fault_real.mmap(address, length, prot, flags, fd, offset);
		if (error >= 0)
			note_gone((struct vmsi_range){
				(uintptr_t)error, (uintptr_t)error + length });
		return error;
	}
	if (fixed)
		destroy_target(address, length);
	return error;
}

static long fail_munmap(uintptr_t address, size_t length)
{
	struct vmsi_range range = { address, address + length };
	long error = fault_decide(CALL_MUNMAP);

	if (error) {
		note_refused(range);
		return error;
	}
	note_gone(range);
	return fault_real.munmap(address, length);
}

static long fail_mremap(uintptr_t old_address, size_t old_length,
			size_t new_length, int flags, uintptr_t new_address)
{
	const struct vmsi_range source = { old_address,
					   old_address + old_length };
	bool fixed = flags & MREMAP_FIXED;
	long error = flags == (MREMAP_MAYMOVE | MREMAP_FIXED) &&
			     goes_back(source, new_address) ? 0 :
		decide_fixed(CALL_MREMAP, fixed);

	if (!error) {
		error = fault_real.mremap(old_address, old_length, new_length, flags,
				    new_address);
		if (error >= 0 && fixed)
			note_move(source, new_address);
		return error;
	}
	if (fixed)
		destroy_target(new_address, new_length);
	return error;
}

static long fail_mprotect(uintptr_t address, size_t length, int prot)
{
	long error = fault_decide(CALL_MPROTECT);

	return error ? error : fault_real.mprotect(address, length, prot);
}

static long fail_madvise(uintptr_t address, size_t length, int advice)
{
	long error = fault_decide(CALL_MADVISE);

	return error ? error : fault_real.madvise(address, length, advice);
}

static long fail_madvise_many(const struct iovec *ranges, int count, int advice)
{
	long error = fault_decide(CALL_MADVISE_MANY);

	return error ? error : fault_real.madvise_many(ranges, count, advice);
}

static long fail_msync(uintptr_t address, size_t length, int flags)
{
	long error = fault_decide(CALL_MSYNC);

	return error ? error : fault_real.msync(address, length, flags);
}

static long fail_mlock2(uintptr_t address, size_t length, unsigned flags)
{
	long error = fault_decide(CALL_MLOCK2);

	return error ? error : fault_real.mlock2(address, length, flags);
}

static long fail_munlock(uintptr_t address, size_t length)
{
	long error = fault_decide(CALL_MUNLOCK);

	return error ? error : fault_real.munlock(address, length);
}

static long fail_mincore(uintptr_t address, size_t length,
			 unsigned char *vector)
{
	long error = fault_decide(CALL_MINCORE);

	return error ? error : fault_real.mincore(address, length, vector);
}

static long fail_mseal(uintptr_t address, size_t length, unsigned long flags)
{
	long error = fault_decide(CALL_MSEAL);

	return error ? error : fault_real.mseal(address, length, flags);
}

static long fail_name_memory(uintptr_t address, size_t length,
			     const char *name)
{
	long error = fault_decide(CALL_NAME_MEMORY);

	return error ? error : fault_real.name_memory(address, length, name);
}

static long fail_fstat(int fd, struct stat *status)
{
	long error = fault_decide(CALL_FSTAT);

	return error ? error : fault_real.fstat(fd, status);
}

static long fail_file_system(int fd, unsigned long *magic)
{
	long error = fault_decide(CALL_FILE_SYSTEM);

	return error ? error : fault_real.file_system(fd, magic);
}

static long fail_file_flags(int fd)
{
	long error = fault_decide(CALL_FILE_FLAGS);

	return error ? error : fault_real.file_flags(fd);
}

static long fail_open(const char *path)
{
	long error = fault_decide(CALL_OPEN);

	return error ? error : fault_real.open(path);
}

static long fail_read(int fd, void *buffer, size_t length)
{
	long error = fault_decide(CALL_READ);

	return error ? error : fault_real.read(fd, buffer, length);
}

static long fail_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	long error = fault_decide(CALL_PREAD);

	return error ? error : fault_real.pread(fd, buffer, length, offset);
}

static long fail_close(int fd)
{
	long error = fault_decide(CALL_CLOSE);
	long closed = fault_real.close(fd);

	/* Linux closes the descriptor even when it answers an error. */
	return error ? error : closed;
}

static long fail_readlink(const char *path, char *buffer, size_t length)
{
	long error = fault_decide(CALL_READLINK);

	return error ? error : fault_real.readlink(path, buffer, length);
}

static long fail_pagemap_scan(int fd, void *argument)
{
	long error = fault_decide(CALL_PAGEMAP_SCAN);

	return error ? error : fault_real.pagemap_scan(fd, argument);
}

static long fail_maps_query(int fd, void *argument)
{
	long error = fault_decide(CALL_MAPS_QUERY);

	return error ? error : fault_real.maps_query(fd, argument);
}

static long fail_memory_size(size_t *bytes)
{
	long error = fault_decide(CALL_MEMORY_SIZE);

	return error ? error : fault_real.memory_size(bytes);
}

void fault_stay_on_one_processor(void)
{
	cpu_set_t allowed, one;
	int place = 0, left;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	for (left = getpid() % CPU_COUNT(&allowed); left >= 0; place++)
		left -= CPU_ISSET(place, &allowed);
	CPU_ZERO(&one);
	CPU_SET(place - 1, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

void fault_install(void)
{
	fault_real = vmsi_host;
	vmsi_host = (struct vmsi_host_calls){
		.mmap = fail_mmap,
		.munmap = fail_munmap,
		.mremap = fail_mremap,
		.mprotect = fail_mprotect,
		.madvise = fail_madvise,
		.madvise_many = fail_madvise_many,
		.msync = fail_msync,
		.mlock2 = fail_mlock2,
		.munlock = fail_munlock,
		.mincore = fail_mincore,
		.mseal = fail_mseal,
		.name_memory = fail_name_memory,
		.fstat = fail_fstat,
		.file_system = fail_file_system,
		.file_flags = fail_file_flags,
		.open = fail_open,
		.read = fail_read,
		.pread = fail_pread,
		.close = fail_close,
		.readlink = fail_readlink,
		.pagemap_scan = fail_pagemap_scan,
		.maps_query = fail_maps_query,
		.memory_size = fail_memory_size,
		/* These cannot fail. */
		.limit = fault_real.limit,
		.getpid = fault_real.getpid,
		.user = fault_real.user,
		.position = fault_real.position,
		.next_data = fault_real.next_data,
		.set_owner = fault_real.set_owner,
		.set_mode = fault_real.set_mode,
		.seek = fault_real.seek,
		.yield = fault_real.yield,
		.clock = fault_real.clock,
		.nanosleep = fault_real.nanosleep,
		.join_thread = fault_real.join_thread,
		.pending_signals = fault_real.pending_signals,
		.take_signal = fault_real.take_signal,
	};
	fault_install_files(&vmsi_host);
}

void fault_remove(void)
{
	vmsi_host = fault_real;
}
