/* SPDX-License-Identifier: MIT */
#include "cli/supervise/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/hash.h"
#include "cli/supervise/caller.h"

/*
 * Attempts follow each other at once, but for the time in which each is answered, and in
 * which a thread waits for a processor.
 */
#define BETWEEN_ATTEMPTS_NS (10ull * 1000 * 1000 * 1000)

static uint64_t hash_of(const char *text)
{
	const uint64_t hash = vmsi_hash_add(VMSI_HASH_BEGIN, text);

	return hash ? hash : 1;
}

static char *key_of(const struct vms_group_refusal *told, const char *stack)
{
	char *key;

	return asprintf(&key, "%s\n%s", told->command, stack) < 0 ? NULL : key;
}

struct vmsi_attempt vmsi_attempt_of(const struct vms_group_refusal *told)
{
	struct vmsi_attempt attempt = { .told = told };
	char *stack = NULL;

	if (told->backtrace) {
		stack = vmsi_caller_key(told->backtrace);
		attempt.whole_hash = hash_of(told->backtrace);
		attempt.has_allocator = vmsi_caller_has_allocator(told->backtrace);
		if (stack)
			attempt.key = key_of(told, stack);
		free(stack);
	} else {
		attempt.key = key_of(told, told->why_no_backtrace ?
				     told->why_no_backtrace : "");
	}
	if (attempt.key)
		attempt.key_hash = hash_of(attempt.key);
	return attempt;
}

static bool is_mmap_or_brk(enum vms_group_call call)
{
	return call == VMS_GROUP_MMAP || call == VMS_GROUP_BRK;
}

/*
 * Where no stack tells: malloc asks for about as much by brk where mmap fails, and the
 * other way round, but for brk once.
 */
static bool takes_turns(const struct vmsi_refusal *refusal,
			const struct vms_group_refusal *told)
{
	const enum vms_group_call last =
		refusal->attempts[refusal->attempt_count - 1];

	for (size_t i = 0; i < refusal->attempt_count; i++)
		if (refusal->attempts[i] == VMS_GROUP_BRK &&
		    told->call == VMS_GROUP_BRK)
			return false;
	return is_mmap_or_brk(told->call) && told->call != last &&
		(is_mmap_or_brk(last) || last == VMS_GROUP_MREMAP) &&
		told->requested >= refusal->told.requested / 2;
}

/* A stack that has come already is the next call, in a loop. */
static bool was_tried(const struct vmsi_tally_open *open, uint64_t whole)
{
	for (size_t i = 0; i < open->refusal.attempt_count; i++)
		if (whole && open->whole[i] == whole)
			return true;
	return false;
}

bool vmsi_attempt_belongs(const struct vmsi_tally_open *open,
			  const struct vmsi_attempt *attempt)
{
	const struct vms_group_refusal *told = attempt->told;
	const struct vmsi_refusal *refusal = &open->refusal;

	if (open->thread != told->thread ||
	    refusal->attempt_count == 0 ||
	    refusal->attempt_count == VMSI_ATTEMPTS_MOST ||
	    refusal->told.process != told->process ||
	    refusal->told.injected != told->injected ||
	    refusal->told.unaccounted != told->unaccounted)
		return false;
	/* What is refused on demand has a number, which all attempts share. */
	if (told->injected)
		return refusal->told.request == told->request;
	if (told->time - open->last_time > BETWEEN_ATTEMPTS_NS ||
	    was_tried(open, attempt->whole_hash))
		return false;
	if (open->has_allocator && attempt->has_allocator)
		return open->key == attempt->key_hash;
	return takes_turns(refusal, told);
}
